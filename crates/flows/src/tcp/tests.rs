use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::sent::GAPS;
use super::*;

const ACK: TcpFlags = TcpFlags::ACK;
const SYN: TcpFlags = TcpFlags::SYN;
const FIN: TcpFlags = TcpFlags::FIN;

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(1_000_000 + milliseconds)
}

fn tcp(flags: TcpFlags, sequence: u32, acknowledgment: u32) -> Tcp {
    Tcp {
        acknowledgment,
        ..Tcp::new(flags, sequence)
    }
}

/// Segments by time, whether the initiator sends, the header and the length of data; then the
/// retransmissions of the initiator and the responder, as segments and bytes.
#[track_caller]
fn check(segments: &[(u64, bool, Tcp, u32)], expected: [(u64, u64); 2]) -> Measures {
    let mut measures = Measures::default();
    for (time, from_initiator, tcp, payload) in segments {
        measures.segment(*from_initiator, *tcp, *payload, at(*time));
    }
    let actual = [true, false].map(|end| measures.retransmissions(end));
    assert_eq!(actual.map(|it| (it.segments, it.bytes)), expected);
    measures
}

/// A handshake in which each half takes 10 ms, from the initiator's 100 and the responder's 900.
const HANDSHAKE: [(u64, bool, TcpFlags, u32, u32); 3] = [
    (0, true, SYN, 100, 0),
    (20, false, TcpFlags(0x12), 900, 101),
    (25, true, ACK, 101, 901),
];

fn handshake() -> Vec<(u64, bool, Tcp, u32)> {
    let of = |(time, end, flags, sequence, ack)| (time, end, tcp(flags, sequence, ack), 0);
    HANDSHAKE.map(of).to_vec()
}

#[test]
fn a_connection_without_loss() {
    let mut all = handshake();
    all.extend([
        (30, true, tcp(ACK, 101, 901), 1_000),
        // As it reaches the network card, which splits it.
        (31, true, tcp(ACK, 1_101, 901), 40_000),
        (60, false, tcp(ACK, 901, 41_101), 10),
        (61, true, tcp(ACK, 41_101, 911), 0),
        (70, true, tcp(ACK | FIN, 41_101, 911), 0),
        (95, false, tcp(ACK | FIN, 911, 41_102), 0),
        (96, true, tcp(ACK, 41_102, 912), 0),
    ]);
    let measures = check(&all, [(0, 0), (0, 0)]);
    let of_initiator = measures.round_trip(true).unwrap();
    // The handshake, the first of the data, and the FIN.
    assert_eq!(
        (of_initiator.samples, of_initiator.min),
        (3, Duration::from_millis(20))
    );
    let of_responder = measures.round_trip(false).unwrap();
    assert_eq!(
        (of_responder.samples, of_responder.min),
        (3, Duration::from_millis(1))
    );
}

#[test]
fn retransmissions_count_and_give_no_time() {
    let mut all = handshake();
    all.extend([
        (30, true, tcp(ACK, 101, 901), 1_000),
        (230, true, tcp(ACK, 101, 901), 1_000),
        (250, false, tcp(ACK, 901, 1_101), 0),
        // Two segments at once, one of which is new.
        (260, true, tcp(ACK, 1_101, 901), 500),
        (460, true, tcp(ACK, 1_101, 901), 1_500),
        (480, false, tcp(ACK, 901, 2_601), 0),
    ]);
    let measures = check(&all, [(2, 1_500), (0, 0)]);
    assert_eq!(measures.round_trip(true).unwrap().samples, 1);
    // SYN and FIN have no data.
    check(
        &[
            (0, true, tcp(SYN, 100, 0), 0),
            (1_000, true, tcp(SYN, 100, 0), 0),
            (3_000, true, tcp(SYN, 100, 0), 0),
        ],
        [(2, 0), (0, 0)],
    );
    let mut all = handshake();
    all.extend([
        (30, false, tcp(ACK | FIN, 901, 101), 5),
        (60, false, tcp(ACK | FIN, 901, 101), 5),
        (70, false, tcp(ACK | FIN, 906, 101), 0),
    ]);
    check(&all, [(0, 0), (2, 5)]);
}

#[test]
fn reordering_is_no_retransmission() {
    let mut all = handshake();
    for start in [1_101, 101, 3_101, 2_101, 6_101, 5_101, 4_101] {
        all.push((30, true, tcp(ACK, start, 901), 1_000));
    }
    check(&all, [(0, 0), (0, 0)]);
    // The capture begins in the middle, and with a late segment.
    check(
        &[
            (0, true, tcp(ACK, 5_000, 1), 100),
            (1, true, tcp(ACK, 4_900, 1), 100),
            (2, true, tcp(ACK, 4_700, 1), 100),
            (3, true, tcp(ACK, 4_800, 1), 100),
            (4, true, tcp(ACK, 4_800, 1), 100),
        ],
        [(1, 100), (0, 0)],
    );
}

#[test]
fn a_keep_alive_is_no_retransmission() {
    let mut all = handshake();
    all.extend([
        (30, true, tcp(ACK, 101, 901), 100),
        (40, false, tcp(ACK, 901, 201), 0),
        (9_000, true, tcp(ACK, 200, 901), 1),
        (9_001, true, tcp(ACK, 200, 901), 0),
    ]);
    check(&all, [(0, 0), (0, 0)]);
}

#[test]
fn foreign_sequence_numbers_change_nothing() {
    let mut all = handshake();
    all.extend([
        (30, true, tcp(ACK, 101, 901), 100),
        (31, true, tcp(ACK, 101_u32.wrapping_sub(1 << 31), 901), 100),
        (32, true, tcp(TcpFlags::RST, 101, 901), 100),
        (33, false, tcp(ACK, 901, 5_000_000), 0),
        (40, false, tcp(ACK, 901, 201), 0),
    ]);
    let measures = check(&all, [(0, 0), (0, 0)]);
    assert_eq!(measures.round_trip(true).unwrap().samples, 2);
}

/// The first sequence number of a connection; some make the numbers wrap.
fn any_start() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), (u32::MAX - 60)..=u32::MAX, 0..60_u32]
}

proptest! {
    /// The count of retransmitted bytes is exact while there are few gaps, and never too large.
    #[test]
    fn agrees_with_a_set_of_all_bytes(
        start in any_start(),
        segments in proptest::collection::vec((0..120_u32, 1..15_u32), 1..60),
    ) {
        let mut measures = Measures::default();
        let mut seen = BTreeSet::new();
        let mut expected = Retransmissions::default();
        let mut is_exact = true;
        for (offset, len) in segments {
            let bytes = (offset..offset + len).filter(|byte| !seen.insert(*byte)).count() as u64;
            expected.segments += u64::from(bytes > 0);
            expected.bytes += bytes;
            let segment = tcp(ACK, start.wrapping_add(offset), 0);
            measures.segment(true, segment, len, at(0));
            let (first, last) = (*seen.first().unwrap(), *seen.last().unwrap());
            let gaps = (first..last).filter(|it| seen.contains(it) && !seen.contains(&(it + 1)));
            is_exact &= gaps.count() <= GAPS;
            let actual = measures.retransmissions(true);
            if is_exact {
                prop_assert_eq!(actual, expected);
            }
            prop_assert!(actual.bytes <= expected.bytes && actual.segments <= expected.segments);
        }
    }

    /// Each measured time is from a segment that was sent only once to its first acknowledgment.
    #[test]
    fn measures_what_was_sent_once(
        start in any_start(),
        steps in proptest::collection::vec((any::<bool>(), 0..80_u32, 1..20_u32, 1..50_u64), 1..60),
    ) {
        let mut sender = Sender::default();
        let mut now = 0;
        let mut next = 0_u32;
        let mut acknowledged = 0_u32;
        // By the end of the segment: its time, and whether it was sent once.
        let mut waiting: BTreeMap<u32, (u64, bool)> = BTreeMap::new();
        let mut sent_to = BTreeSet::new();
        for (is_data, offset, len, pause) in steps {
            now += pause;
            if is_data {
                // New data, or a retransmission.
                let from = if offset < 50 { next } else { next.saturating_sub(offset - 40) };
                let is_again = (from..from + len).any(|byte| sent_to.contains(&byte));
                sent_to.extend(from..from + len);
                if is_again {
                    for (end, (_, is_once)) in &mut waiting {
                        *is_once &= *end <= from;
                    }
                }
                next = next.max(from + len);
                if !is_again {
                    waiting.entry(from + len).or_insert((now, true));
                }
                sender.send(tcp(ACK, start.wrapping_add(from), 0), len, at(now));
            } else {
                let upto = acknowledged + (next - acknowledged).min(offset);
                acknowledged = upto;
                let taken = sender.acknowledge(start.wrapping_add(upto), at(now));
                let done: Vec<u32> = waiting.range(..=upto).map(|(end, _)| *end).collect();
                let mut times = vec![];
                for end in done {
                    let (sent, is_once) = waiting.remove(&end).unwrap();
                    times.extend(is_once.then(|| Duration::from_millis(now - sent)));
                }
                if let Some(taken) = taken {
                    prop_assert!(times.contains(&taken), "{taken:?} of {times:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_a_panic(
        segments in proptest::collection::vec(
            (any::<bool>(), any::<u8>(), any::<(u32, u32)>(), any::<(u32, u64)>()),
            0..30,
        ),
    ) {
        let mut measures = Measures::default();
        for (end, flags, (sequence, ack), (payload, time)) in segments {
            let segment = tcp(TcpFlags(flags), sequence, ack);
            measures.segment(end, segment, payload, Duration::from_millis(time));
        }
    }
}
