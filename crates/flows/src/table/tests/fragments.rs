//! Fragments of datagrams: only the first one has ports.

use super::*;

#[test]
fn later_fragments_belong_to_the_flow_of_the_first() {
    let fragment = |offset, more, id| {
        let ports = offset == 0;
        let [source, destination] = if ports {
            [A, B]
        } else {
            ["10.0.0.1:0", "10.0.0.2:0"]
        };
        Packet {
            fragment: Some(Fragment { id, offset, more }),
            ..udp(1, source, destination)
        }
    };
    let mut table = table(10);
    feed(
        &mut table,
        &[
            fragment(0, true, 1),
            fragment(1480, true, 1),
            fragment(2960, false, 1),
            // The first fragment of this packet was not captured.
            fragment(1480, false, 2),
        ],
    );
    let mut flows: Vec<_> = table.iter().collect();
    flows.sort_by_key(|flow| flow.id());
    assert_eq!(
        (flows[0].local().port(), flows[0].sent().packets),
        (40000, 3)
    );
    assert_eq!((flows[1].local().port(), flows[1].sent().packets), (0, 1));
}

#[test]
fn later_fragments_have_the_sender_of_the_first() {
    let one = "127.0.0.1:40000";
    let other = "127.0.0.1:50000";
    let none = "127.0.0.1:0";
    let fragment = |offset, ends: [&str; 2]| Packet {
        fragment: Some(Fragment {
            id: 1,
            offset,
            more: offset == 0,
        }),
        ..udp(1, ends[0], ends[1])
    };
    let mut table = table(10);
    let first = fragment(0, [other, one]);
    let rest = fragment(1480, [none, none]);
    feed(&mut table, &[udp(1, one, other), first, rest]);
    let flow = table.iter().next().unwrap();
    assert_eq!((flow.sent().packets, flow.received().packets), (1, 2));
}

#[test]
fn fragments_are_remembered_for_a_while_and_within_a_bound() {
    /// The number of flows after a first fragment, other packets, and the rest of its packet.
    #[track_caller]
    fn check(others: u32, later: u64, flows: usize) {
        let mut table: FlowTable = FlowTable::new(TableConfig {
            fragments: 3,
            ..TableConfig::default()
        });
        let fragment = |id, offset, time, ends: [&str; 2]| Packet {
            fragment: Some(Fragment {
                id,
                offset,
                more: offset == 0,
            }),
            ..udp(time, ends[0], ends[1])
        };
        let mut packets: Vec<_> = (0..=others).map(|id| fragment(id, 0, 1, [A, B])).collect();
        // The flow itself continues.
        packets.extend((1..=1 + later).flat_map(|time| [udp(time, A, B), udp(time, B, A)]));
        packets.push(fragment(0, 8, 1 + later, ["10.0.0.1:0", "10.0.0.2:0"]));
        feed(&mut table, &packets);
        assert_eq!(table.len(), flows);
    }
    check(0, 0, 1);
    check(2, 0, 1);
    check(3, 0, 2);
    check(0, 59, 1);
    check(0, 60, 2);
}

#[test]
fn a_fragment_of_tcp_alone_belongs_to_an_established_connection() {
    let mut table = table(10);
    let rest = Packet {
        fragment: Some(Fragment {
            id: 1,
            offset: 8,
            more: false,
        }),
        ..packet(1, "10.0.0.1:0", "10.0.0.2:0", Protocol::TCP)
    };
    feed(&mut table, &[rest]);
    assert_eq!(table.iter().next().unwrap().state(), State::Established);
}

#[test]
fn later_fragments_find_the_flow_after_a_cut() {
    let mut table = table(10);
    let fragment = |offset, more| {
        Some(Fragment {
            id: 1,
            offset,
            more,
        })
    };
    let first = Packet {
        fragment: fragment(0, true),
        ..udp(1, A, B)
    };
    let later = Packet {
        source: "10.0.0.1:0".parse().unwrap(),
        destination: "10.0.0.2:0".parse().unwrap(),
        fragment: fragment(100, false),
        ..udp(2, A, B)
    };
    feed(&mut table, &[first]);
    let flow = nth(&table, 0).unwrap();
    let (id, mark) = (flow.id(), flow.mark());
    let rest = table.cut(id, &mark, seconds(1), &mut Vec::new()).unwrap();
    let update = table.ingest(&later, &mut Vec::new());
    assert_eq!((update.id, update.from_initiator), (rest, true));
}

#[test]
fn later_fragments_stay_in_their_class() {
    let fragment = |origin, offset, ends: [&str; 2]| Packet {
        origin,
        fragment: Some(Fragment {
            id: 1,
            offset,
            more: offset == 0,
        }),
        ..udp(1, ends[0], ends[1])
    };
    let none = ["10.0.0.1:0", "10.0.0.2:0"];
    let mut table = table(10);
    feed(
        &mut table,
        &[
            fragment(Origin::Sent, 0, [A, B]),
            fragment(Origin::Received, 1480, none),
            fragment(Origin::Sent, 1480, none),
        ],
    );
    let sent = table.iter().map(|flow| flow.sent().packets);
    assert_eq!(sent.max(), Some(2));
    assert_eq!(table.len(), 2);
}
