//! ICMP errors.

use super::*;
use crate::FlowError;

const ROUTER: &str = "192.0.2.254:0";
const TIMES_OUT: u64 = 1_000;

/// An error about a packet, from one host to another.
fn error(ends: [&str; 2], (kind, code): (u8, u8), about: Option<About>) -> Packet {
    let [source, destination] = ends;
    let (source, destination) = (
        source.parse::<SocketAddr>(),
        destination.parse::<SocketAddr>(),
    );
    let without_port = |end: SocketAddr| SocketAddr::new(end.ip(), 0);
    let (source, destination) = (source.unwrap(), destination.unwrap());
    let protocol = if source.is_ipv4() {
        Protocol::ICMP
    } else {
        Protocol::ICMPV6
    };
    Packet {
        source: without_port(source),
        destination: without_port(destination),
        icmp: Some(Icmp {
            about,
            ..Icmp::new(kind, code)
        }),
        ..packet(2, A, B, protocol)
    }
}

fn about(protocol: Protocol, source: &str, destination: &str, sequence: Option<u32>) -> About {
    About {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        protocol,
        sequence,
    }
}

/// A flow by its two ends, its state and error, and the number of packets of each end.
type Counted = (Protocol, State, Option<FlowError>, u64, u64);

fn seen(packets: &[Packet]) -> Vec<Counted> {
    let mut table = table(10);
    feed(&mut table, packets);
    let mut flows: Vec<_> = table.iter().collect();
    flows.sort_by_key(|flow| flow.id());
    let of = |flow: &&Flow| {
        let (sent, received) = (flow.sent().packets, flow.received().packets);
        (flow.protocol(), flow.state(), flow.error(), sent, received)
    };
    flows.iter().map(of).collect()
}

#[test]
fn an_error_belongs_to_the_flow_that_it_is_about() {
    let query = udp(1, A, B);
    let quoted = Some(about(Protocol::UDP, A, B, None));
    for sender in [B, ROUTER] {
        let unreachable = error([sender, A], (3, 3), quoted);
        let port = Some(FlowError::PortUnreachable);
        let expected = (Protocol::UDP, State::Unreachable, port, 1, 1);
        assert_eq!(seen(&[query, unreachable]), [expected]);
        // An answer from before the error, or after it.
        let expected = (Protocol::UDP, State::Datagram, port, 1, 2);
        assert_eq!(seen(&[query, unreachable, udp(3, B, A)]), [expected]);
        assert_eq!(seen(&[query, udp(2, B, A), unreachable]), [expected]);
    }
    // Another error, after which the packet may still have arrived.
    let expired = error([ROUTER, A], (11, 0), quoted);
    let time = Some(FlowError::TimeExceeded);
    assert_eq!(
        seen(&[query, expired]),
        [(Protocol::UDP, State::Datagram, time, 1, 1)]
    );
    // An error of this host about a packet that arrived.
    let refused = error([A, B], (3, 3), Some(about(Protocol::UDP, B, A, None)));
    let port = Some(FlowError::PortUnreachable);
    assert_eq!(
        seen(&[udp(1, B, A), refused]),
        [(Protocol::UDP, State::Unreachable, port, 1, 1)]
    );
}

#[test]
fn an_error_about_a_connection_has_its_number() {
    let syn = tcp(1, A, B, SYN, 7);
    // The number after `packet`.
    let next = 7 + 1 + syn.payload_len;
    let check = |number: u32, is_about: bool| {
        let quoted = about(Protocol::TCP, A, B, Some(number));
        let seen = seen(&[syn, error([ROUTER, A], (3, 13), Some(quoted))]);
        let prohibited = Some(FlowError::Prohibited);
        if is_about {
            assert_eq!(
                seen,
                [(Protocol::TCP, State::Unreachable, prohibited, 1, 1)]
            );
        } else {
            let opening = (Protocol::TCP, State::Opening, None, 1, 0);
            let message = (Protocol::ICMP, State::Datagram, None, 0, 1);
            assert_eq!(seen, [opening, message], "{number}");
        }
    };
    check(7, true);
    check(next - 1, true);
    for number in [next + 1, next + 100, 1 << 30, 3 << 30, u32::MAX - (8 << 20)] {
        check(number, false);
    }
}

#[test]
fn an_error_about_an_unsent_packet_is_its_own_flow() {
    let query = udp(1, A, B);
    let quoted = about(Protocol::UDP, A, B, None);
    let message = |about| error([ROUTER, A], (3, 3), Some(about));
    let other_port = About {
        source: "10.0.0.1:40001".parse().unwrap(),
        ..quoted
    };
    // B sent nothing, and the error about A's packet is not addressed to B.
    let from_b = About {
        source: quoted.destination,
        destination: quoted.source,
        ..quoted
    };
    for forged in [
        message(other_port),
        message(from_b),
        error([ROUTER, B], (3, 3), Some(from_b)),
        error([ROUTER, B], (3, 3), Some(quoted)),
        error([ROUTER, A], (3, 3), None),
        // A request is no error.
        error([ROUTER, A], (8, 0), Some(quoted)),
        // With an address of this host, from outside.
        Packet {
            origin: Origin::Received,
            ..error([A, A], (3, 3), Some(quoted))
        },
    ] {
        let seen = seen(&[query, forged]);
        assert_eq!(seen.len(), 2, "{forged:?}");
        assert_eq!(
            seen[0],
            (Protocol::UDP, State::Datagram, None, 1, 0),
            "{forged:?}"
        );
    }
    // Errors of other hosts do not count as packets of an end itself.
    let unreachable = message(quoted);
    let answer = about(Protocol::UDP, B, A, None);
    let seen = seen(&[query, unreachable, error([ROUTER, B], (3, 3), Some(answer))]);
    assert_eq!(seen.len(), 2);
}

#[test]
fn errors_neither_end_flows_nor_keep_unanswered_ones_alive() {
    let mut table = table(10);
    let quoted = Some(about(Protocol::UDP, A, B, None));
    let (query, unreachable) = (udp(1, A, B), error([ROUTER, A], (3, 1), quoted));
    let (_, ended) = feed(&mut table, &[query, unreachable]);
    assert_eq!(ended, []);
    let mut ended = vec![];
    let one_way = Timeouts::default().udp_one_way;
    table.advance(seconds(1) + one_way, &mut ended);
    assert!(ended.is_empty());
    table.advance(seconds(2) + one_way, &mut ended);
    assert_eq!(ended[0].reason, EndReason::Expired);

    // A connection with data continues, whatever errors arrive.
    let established = [
        data(tcp(1, A, B, SYN, 7), 0),
        data(tcp(1, B, A, SYN | ACK, 900), 0),
        data(tcp(1, A, B, ACK, 8), 0),
    ];
    let quoted = about(Protocol::TCP, A, B, Some(7));
    let forged = error([ROUTER, A], (3, 3), Some(quoted));
    let all = [
        &established[..],
        &[forged, data(tcp(TIMES_OUT, A, B, ACK, 8), 9)],
    ]
    .concat();
    let expected = (
        Protocol::TCP,
        State::Established,
        Some(FlowError::PortUnreachable),
        3,
        2,
    );
    assert_eq!(seen(&all), [expected]);
}

/// A segment with this much data.
fn data(packet: Packet, payload_len: u32) -> Packet {
    Packet {
        payload_len,
        ..packet
    }
}

#[test]
fn errors_of_ipv6() {
    let (a, b) = ("[2001:db8::1]:40000", "[2001:db8::2]:443");
    let query = udp(1, a, b);
    let quoted = Some(about(Protocol::UDP, a, b, None));
    let unreachable = error(["[2001:db8::ff]:0", a], (1, 4), quoted);
    let port = Some(FlowError::PortUnreachable);
    assert_eq!(
        seen(&[query, unreachable]),
        [(Protocol::UDP, State::Unreachable, port, 1, 1)]
    );
}
