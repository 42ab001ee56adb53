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

#[test]
fn a_new_connection_between_the_same_ends() {
    let first = tcp(1, A, B, SYN, 7);
    let (changes, ended) = feed(
        &mut table(10),
        &[first, first, tcp(1, B, A, RST, 0), tcp(2, A, B, SYN, 8)],
    );
    assert_eq!(changes, [Opened, Continued, Closed, Opened]);
    assert_eq!(ended, [(0, EndReason::Replaced)]);
}

#[test]
fn a_tcp_header_means_nothing_elsewhere() {
    let odd = Packet {
        protocol: Protocol::UDP,
        ..tcp(1, A, B, SYN, 1)
    };
    let again = Packet {
        tcp: Some(Tcp {
            flags: SYN,
            sequence: 2,
        }),
        ..odd
    };
    let mut table = table(10);
    let (changes, ended) = feed(&mut table, &[odd, again]);
    assert_eq!((changes, ended), (vec![Opened, Continued], vec![]));
    assert_eq!(table.iter().next().unwrap().state(), State::Datagram);
}
