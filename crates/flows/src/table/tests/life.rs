//! Connections from their first packet to their last.

use super::*;

#[test]
fn a_connection_from_first_to_last_packet() {
    let mut table = table(10);
    let (changes, ended) = feed(
        &mut table,
        &[
            tcp(1, A, B, SYN, 7),
            tcp(1, B, A, SYN | ACK, 9),
            tcp(2, A, B, ACK, 8),
            tcp(3, A, B, FIN, 8),
            tcp(3, B, A, FIN, 10),
            tcp(4, A, B, ACK, 9),
        ],
    );
    assert_eq!(
        changes,
        [Opened, Continued, Continued, Continued, Closed, Continued]
    );
    assert_eq!(ended, []);
    let flow = table.iter().next().unwrap();
    assert_eq!(flow.state(), State::Closed);
    assert_eq!(
        (flow.local().to_string(), flow.remote().to_string()),
        (A.into(), B.into())
    );
    assert_eq!((flow.sent().packets, flow.received().packets), (4, 2));
    assert_eq!(
        (flow.first_seen(), flow.last_seen()),
        (seconds(1), seconds(4))
    );

    let mut ended = Vec::new();
    table.advance(seconds(8), &mut ended);
    assert!(ended.is_empty());
    table.advance(seconds(9), &mut ended);
    assert_eq!(ended[0].reason, EndReason::Closed);
    assert!(table.is_empty());
}

/// A reset from B, in answer to a segment with this acknowledgment.
fn refusal(acknowledgment: u32) -> Packet {
    let tcp_header = Tcp {
        acknowledgment,
        ..Tcp::new(RST | TcpFlags::ACK, 0)
    };
    Packet {
        tcp: Some(tcp_header),
        payload_len: 0,
        ..tcp(1, B, A, RST, 0)
    }
}

#[test]
fn a_refused_connection_is_reported() {
    let syn = data(tcp(1, A, B, SYN, 7), 0);
    let state = |packets: &[Packet]| {
        let mut table = table(10);
        feed(&mut table, packets);
        let flow = table.iter().next().unwrap();
        flow.state()
    };
    assert_eq!(state(&[syn, refusal(8)]), State::Refused);
    assert_eq!(state(&[syn, syn, refusal(8)]), State::Refused);
    // No end that opens a connection obeys these.
    for forged in [
        refusal(7),
        refusal(9),
        refusal(0),
        tcp(1, B, A, RST, 0),
        tcp(1, B, A, RST, 8),
    ] {
        assert_eq!(state(&[syn, forged]), State::Opening, "{forged:?}");
    }
    let accepted = data(tcp(1, B, A, SYN | ACK, 4_899), 0);
    let reset = |number| data(tcp(1, B, A, RST, number), 0);
    assert_eq!(state(&[syn, accepted, reset(4_900)]), State::Reset);
    assert_eq!(state(&[syn, accepted, refusal(8)]), State::Reset);
    assert_eq!(state(&[syn, accepted, reset(1 << 30)]), State::Opening);
    assert_eq!(state(&[syn, accepted, reset(3 << 30)]), State::Opening);
}

#[test]
fn a_new_connection_between_the_same_ends() {
    let first = tcp(1, A, B, SYN, 7);
    let (changes, ended) = feed(
        &mut table(10),
        &[first, first, refusal(48), tcp(2, A, B, SYN, 8)],
    );
    assert_eq!(changes, [Opened, Continued, Closed, Opened]);
    assert_eq!(ended, [(0, EndReason::Replaced)]);
}

/// A segment with this much data.
fn data(packet: Packet, payload_len: u32) -> Packet {
    Packet {
        payload_len,
        ..packet
    }
}

/// From A or from B, with the numbers of a connection in which A sent up to 1000, and B up to 5000.
fn over(by_reset: bool) -> Vec<Packet> {
    let bare = |packet| data(packet, 0);
    let mut packets = vec![
        bare(tcp(1, A, B, SYN, 899)),
        bare(tcp(1, B, A, SYN | ACK, 4_899)),
        data(tcp(1, A, B, ACK, 900), 100),
        data(tcp(1, B, A, ACK, 4_900), 100),
    ];
    if by_reset {
        packets.push(bare(tcp(2, A, B, RST, 1_000)));
    } else {
        packets.push(bare(tcp(2, A, B, FIN, 1_000)));
        packets.push(bare(tcp(2, B, A, FIN, 5_000)));
    }
    packets
}

#[test]
fn a_segment_after_the_end_may_belong_to_another_connection() {
    let (ack, none) = (TcpFlags::ACK, Vec::new());
    let replaced = vec![(0, EndReason::Replaced)];
    let check = |by_reset: bool, segment: Packet, is_another: bool| {
        let mut packets = over(by_reset);
        packets.push(segment);
        let (changes, ended) = feed(&mut table(10), &packets);
        let expected = if is_another { &replaced } else { &none };
        assert_eq!(&ended, expected, "{by_reset} {segment:?}");
        let last = if is_another { Opened } else { Continued };
        assert_eq!(changes.last(), Some(&last), "{by_reset} {segment:?}");
    };
    for by_reset in [false, true] {
        // Segments that either end repeats and acknowledges.
        check(by_reset, data(tcp(2, A, B, ack, 900), 100), false);
        check(by_reset, data(tcp(2, B, A, ack, 4_900), 100), false);
        check(by_reset, data(tcp(2, A, B, RST, 1_000), 0), false);
        check(by_reset, data(tcp(2, A, B, RST, 0), 0), false);
        check(by_reset, data(tcp(2, B, A, RST, 5_000), 0), false);
        // Segments that neither end can send.
        for number in [2_000, 20_000, 1 << 30, 3 << 30, u32::MAX - (8 << 20)] {
            check(by_reset, data(tcp(2, A, B, ack, number), 10), true);
            check(by_reset, data(tcp(2, A, B, ack, number), 0), true);
            check(by_reset, data(tcp(2, A, B, FIN, number), 0), true);
            check(by_reset, data(tcp(2, A, B, RST, number), 0), true);
        }
        check(by_reset, data(tcp(2, A, B, ack, 1_001), 1), true);
        check(by_reset, data(tcp(2, B, A, ack, 9_000), 10), true);
        check(by_reset, data(tcp(2, B, A, SYN | ACK, 9_000), 0), true);
    }
    // Segments in flight at the reset; but the end that resets sends nothing more.
    check(true, data(tcp(2, B, A, ack, 5_000), 1_000), false);
    check(true, data(tcp(2, B, A, ack, 5_001), 1_000), true);
    check(true, data(tcp(2, A, B, ack, 1_000), 10), true);
    check(false, data(tcp(2, A, B, ack, 1_001), 0), false);
    check(false, data(tcp(2, A, B, FIN, 1_000), 0), false);
    check(false, data(tcp(2, A, B, FIN, 1_000), 1), true);
}

#[test]
fn an_end_that_has_finished_sends_nothing_more() {
    let mut packets = over(false);
    packets.pop();
    let (changes, _) = feed(&mut table(10), &packets);
    assert!(!changes.contains(&Closed));
    let with = |segment: Packet| {
        let all: Vec<Packet> = packets.iter().copied().chain([segment]).collect();
        feed(&mut table(10), &all).1
    };
    // B continues, as far as an observer knows, and A acknowledges that.
    assert_eq!(with(data(tcp(2, B, A, ACK, 9_000), 10)), []);
    assert_eq!(with(data(tcp(2, A, B, ACK, 1_001), 0)), []);
    let replaced = [(0, EndReason::Replaced)];
    assert_eq!(with(data(tcp(2, A, B, ACK, 1_001), 10)), replaced);
}

#[test]
fn a_refused_connection_carries_nothing() {
    let refused = [data(tcp(1, A, B, SYN, 7), 0), refusal(8)];
    let with = |segment: Packet| {
        let all: Vec<Packet> = refused.iter().copied().chain([segment]).collect();
        feed(&mut table(10), &all).1
    };
    let replaced = [(0, EndReason::Replaced)];
    assert_eq!(with(refused[0]), []);
    assert_eq!(with(refused[1]), []);
    assert_eq!(with(data(tcp(2, A, B, ACK, 900), 0)), replaced);
    assert_eq!(with(data(tcp(2, B, A, ACK, 900), 10)), replaced);
    assert_eq!(with(data(tcp(2, B, A, SYN | ACK, 900), 0)), replaced);
}

#[test]
fn a_skip_in_the_sequence_is_reported() {
    let mut table = table(10);
    let mut skips = |segment: Packet| table.ingest(&segment, &mut Vec::new()).is_skip;
    for (segment, expected) in [
        (data(tcp(1, A, B, ACK, u32::MAX - 99), 100), false),
        (data(tcp(1, A, B, ACK, 0), 100), false),
        // Repeated; after a gap in the capture; out of order.
        (data(tcp(1, A, B, ACK, u32::MAX - 99), 100), false),
        (data(tcp(1, A, B, ACK, 200), 100), true),
        (data(tcp(1, A, B, ACK, 100), 100), false),
        (data(tcp(1, A, B, ACK, 300), 0), false),
        // The numbers of another connection.
        (data(tcp(1, A, B, ACK, 16_000), 10), true),
        (data(tcp(1, A, B, ACK, 1 << 31), 10), true),
        (data(tcp(1, B, A, ACK, 7), 10), false),
        (data(tcp(1, B, A, RST, 7_000), 0), false),
    ] {
        assert_eq!(skips(segment), expected, "{segment:?}");
    }
}

proptest! {
    /// Connections between the same ends, one after the other: each begins at a number from the
    /// kernel, which advances by one each sixteenth of a nanosecond, and ends. No opening is
    /// captured. No flow may have segments of two of them.
    #[test]
    fn connections_are_apart_without_their_openings(
        lives in proptest::collection::vec(
            (1..3_000_u32, 0..3_000_u32, any::<bool>(), 100..100_000_000_u64),
            2..8,
        ),
        base in any::<[u32; 2]>(),
    ) {
        let mut table = table(10);
        let mut ended = Vec::new();
        let mut now = 0_u64;
        let mut flows: Vec<FlowId> = Vec::new();
        for &(sent, received, by_reset, gap) in &lives {
            let clock = u32::try_from((now / 64) & 0xffff_ffff).unwrap();
            let [own, other] = base.map(|base| base.wrapping_add(clock));
            let mut segments = vec![data(tcp(1, A, B, ACK, own), sent)];
            if received > 0 {
                segments.push(data(tcp(1, B, A, ACK, other), received));
            }
            if by_reset {
                segments.push(data(tcp(1, A, B, RST, own.wrapping_add(sent)), 0));
            } else {
                segments.push(data(tcp(1, A, B, FIN, own.wrapping_add(sent)), 0));
                segments.push(data(tcp(1, B, A, FIN, other.wrapping_add(received)), 0));
            }
            let mut ids = segments.iter().map(|segment| table.ingest(segment, &mut ended).id);
            let id = ids.next().unwrap();
            prop_assert!(ids.all(|other| other == id));
            prop_assert!(!flows.contains(&id));
            flows.push(id);
            // At least as long as it takes to send this much.
            now += 64 * u64::from(sent.max(received) + 2) + gap;
        }
    }
}

#[test]
fn a_tcp_header_means_nothing_elsewhere() {
    let odd = Packet {
        protocol: Protocol::UDP,
        ..tcp(1, A, B, SYN, 1)
    };
    let again = Packet {
        tcp: Some(Tcp::new(SYN, 2)),
        ..odd
    };
    let mut table = table(10);
    let (changes, ended) = feed(&mut table, &[odd, again]);
    assert_eq!((changes, ended), (vec![Opened, Continued], vec![]));
    assert_eq!(table.iter().next().unwrap().state(), State::Datagram);
}
