//! Packets that are captured on several devices.

use super::*;
use crate::{DeviceLink, Peer, Topology};

const HOST: &str = "10.0.0.2";
/// A container, and a neighbour of it.
const INSIDE: &str = "10.9.0.2";
const NEXT: &str = "10.9.0.3";
const FAR: &str = "192.0.2.1";

const ETH0: u32 = 1;
const ETH1: u32 = 2;
const BOND: u32 = 3;
const SLAVES: [u32; 2] = [4, 5];
/// A VLAN on the bond.
const VLAN: u32 = 6;
const BRIDGE: u32 = 7;
/// Of two containers, on the bridge.
const VETH: u32 = 8;
const VETH_NEXT: u32 = 9;
/// A pair between two bridges of this host.
const LEFT: u32 = 10;
const RIGHT: u32 = 11;
const OTHER_BRIDGE: u32 = 12;
/// Two into one namespace, which passes packets on.
const TO_GATEWAY: u32 = 13;
const FROM_GATEWAY: u32 = 14;

fn index(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn topology() -> Topology {
    let port = |number: u32, master: u32| DeviceLink {
        master: Some(index(master)),
        ..DeviceLink::new(index(number))
    };
    let veth = |link: DeviceLink, peer: Peer| DeviceLink {
        peer: Some(peer),
        ..link
    };
    let alone = |number| DeviceLink::new(index(number));
    Topology::new([
        alone(ETH0),
        alone(ETH1),
        alone(BOND),
        port(SLAVES[0], BOND),
        port(SLAVES[1], BOND),
        DeviceLink {
            parent: Some(index(BOND)),
            ..alone(VLAN)
        },
        alone(BRIDGE),
        veth(port(VETH, BRIDGE), Peer::Elsewhere(1)),
        veth(port(VETH_NEXT, BRIDGE), Peer::Elsewhere(2)),
        veth(port(LEFT, BRIDGE), Peer::Here(index(RIGHT))),
        veth(port(RIGHT, OTHER_BRIDGE), Peer::Here(index(LEFT))),
        alone(OTHER_BRIDGE),
        veth(alone(TO_GATEWAY), Peer::Elsewhere(3)),
        veth(alone(FROM_GATEWAY), Peer::Elsewhere(3)),
    ])
}

fn counting_once() -> FlowTable {
    let local = [HOST.parse().unwrap()].into_iter().collect();
    let mut table = FlowTable::new(TableConfig {
        local: Some(local),
        ..TableConfig::default()
    });
    table.set_topology(Some(topology()));
    table
}

/// Where a packet is captured.
type Step = (u32, Origin);

/// The ways of packets through this host: the sender, the receiver, where they are captured.
fn ways() -> Vec<(&'static str, &'static str, Vec<Step>)> {
    use Origin::{OtherHost, Received, Sent};
    let [one, two] = SLAVES;
    vec![
        (
            INSIDE,
            FAR,
            vec![(VETH, OtherHost), (BRIDGE, Received), (ETH0, Sent)],
        ),
        (
            FAR,
            INSIDE,
            vec![(ETH0, Received), (BRIDGE, Sent), (VETH, Sent)],
        ),
        (INSIDE, NEXT, vec![(VETH, OtherHost), (VETH_NEXT, Sent)]),
        (HOST, FAR, vec![(VLAN, Sent), (BOND, Sent), (one, Sent)]),
        (HOST, FAR, vec![(VLAN, Sent), (BOND, Sent), (two, Sent)]),
        (
            FAR,
            HOST,
            vec![(one, Received), (BOND, Received), (VLAN, Received)],
        ),
        (
            FAR,
            HOST,
            vec![(two, Received), (BOND, Received), (VLAN, Received)],
        ),
        (FAR, "198.51.100.1", vec![(ETH0, Received), (ETH1, Sent)]),
        (HOST, INSIDE, vec![(BRIDGE, Sent), (VETH, Sent)]),
        (INSIDE, HOST, vec![(VETH, OtherHost), (BRIDGE, Received)]),
        (
            HOST,
            "10.8.0.2",
            vec![(BRIDGE, Sent), (LEFT, Sent), (RIGHT, Received)],
        ),
        (
            FAR,
            "10.8.0.2",
            vec![
                (ETH0, Received),
                (BRIDGE, Sent),
                (LEFT, Sent),
                (RIGHT, OtherHost),
            ],
        ),
        (
            FAR,
            "10.7.0.2",
            vec![
                (ETH0, Received),
                (TO_GATEWAY, Sent),
                (FROM_GATEWAY, Received),
                (ETH1, Sent),
            ],
        ),
        (HOST, FAR, vec![(ETH0, Sent)]),
        (FAR, HOST, vec![(ETH0, Received)]),
    ]
}

fn ends((from, to): (&str, &str)) -> (String, String) {
    // The port tells who is who, and so both directions are one flow.
    (format!("{from}:5000"), format!("{to}:5000"))
}

fn captured((from, to): (&str, &str), (device, origin): Step, payload_len: u32) -> Packet {
    let (source, destination) = ends((from, to));
    Packet {
        payload_len,
        wire_len: payload_len + 42,
        origin,
        device: Some(index(device)),
        ..udp(1, &source, &destination)
    }
}

/// Counts a packet; whether it is a copy of another.
fn count(table: &mut FlowTable, packet: &Packet) -> bool {
    if table.is_on_its_way(packet) {
        return true;
    }
    let update = table.ingest(packet, &mut Vec::new());
    update.change == Change::SeenAgain
}

#[test]
fn each_way_is_counted_once() {
    for (from, to, steps) in ways() {
        let mut table = counting_once();
        for payload in [0, 10, 1_400, 0, 10] {
            for step in &steps {
                count(&mut table, &captured((from, to), *step, payload));
            }
        }
        let flows: Vec<_> = table.iter().collect();
        assert_eq!(flows.len(), 1, "{from} {to}");
        assert_eq!(flows[0].total().packets, 5, "{from} {to} {steps:?}");
        assert_eq!(flows[0].total().payload_bytes, 1_420, "{from} {to}");
        let again = table.statistics().seen_again;
        assert_eq!(again.packets, 5 * (steps.len() as u64 - 1));
        assert_eq!(table.statistics().packets, 5);
    }
}

/// What is sent again, or comes twice, comes by the first device again.
#[test]
fn what_is_sent_twice_counts_twice() {
    let mut table = counting_once();
    let way = [(VETH, Origin::OtherHost), (ETH0, Origin::Sent)];
    for step in [way[0], way[0], way[1], way[1]] {
        count(&mut table, &captured((INSIDE, FAR), step, 100));
    }
    assert_eq!(table.iter().next().unwrap().total().packets, 2);
}

#[test]
fn packets_taken_together_on_the_way_are_the_same_payload() {
    let mut table = counting_once();
    for _ in 0..3 {
        let step = (ETH0, Origin::Received);
        count(&mut table, &captured((FAR, INSIDE), step, 1_000));
    }
    let whole = captured((FAR, INSIDE), (VETH, Origin::Sent), 3_000);
    assert!(count(&mut table, &whole));
    assert!(!count(&mut table, &whole), "there was no more");
}

#[test]
fn siblings_have_no_copies_of_each_other() {
    let both = [
        // Two containers with the same address.
        [(VETH, Origin::OtherHost), (VETH_NEXT, Origin::OtherHost)],
        // A broadcast that two wires bring.
        [(ETH0, Origin::Received), (ETH1, Origin::Received)],
        [(ETH0, Origin::Sent), (ETH1, Origin::Sent)],
        [(SLAVES[0], Origin::Received), (SLAVES[1], Origin::Received)],
    ];
    for steps in both {
        let mut table = counting_once();
        for step in steps {
            let packet = captured((NEXT, "255.255.255.255"), step, 100);
            assert!(!count(&mut table, &packet), "{steps:?}");
        }
    }
}

/// Whoever sends with an address of this host from a container hides nothing that this host sends.
#[test]
fn forged_packets_hide_none() {
    let mut table = counting_once();
    for _ in 0..10 {
        let forged = captured((HOST, FAR), (VETH, Origin::OtherHost), 100);
        assert!(!count(&mut table, &forged));
        let own = captured((HOST, FAR), (ETH0, Origin::Sent), 100);
        assert!(!count(&mut table, &own));
    }
    let own = table.iter().find(|flow| !flow.direction().is_foreign());
    assert_eq!(own.unwrap().sent().packets, 10);
}

/// The neighbour at the other end of a device sends as if it were this host.
#[test]
fn forged_packets_of_a_connection_are_no_copies_of_it() {
    let mut table = counting_once();
    for _ in 0..10 {
        for (device, forged) in [(TO_GATEWAY, Origin::Received), (VETH, Origin::OtherHost)] {
            for origin in [Origin::Sent, forged] {
                let packet = captured((HOST, FAR), (device, origin), 100);
                assert!(!count(&mut table, &packet), "{device} {origin:?}");
            }
        }
    }
}

/// After a change of the route, packets come by another device alone.
#[test]
fn what_is_not_captured_first_is_counted_where_it_is() {
    let mut table = counting_once();
    let mut at = |step: Step, time: u64| {
        let packet = Packet {
            time: seconds(time),
            ..captured((INSIDE, FAR), step, 100)
        };
        count(&mut table, &packet)
    };
    assert!(!at((VETH, Origin::OtherHost), 1));
    // The copy never came. What comes later is another packet.
    assert!(!at((ETH0, Origin::Sent), 4));
    assert!(!at((ETH0, Origin::Sent), 4));
    assert!(!at((VETH, Origin::OtherHost), 5));
    assert!(at((ETH0, Origin::Sent), 5));
}

#[test]
fn link_local_addresses_on_a_port_are_those_of_the_bridge() {
    let mut table = counting_once();
    for device in [BRIDGE, VETH] {
        let packet = Packet {
            source: "[fe80::1]:1".parse().unwrap(),
            destination: "[fe80::2]:2".parse().unwrap(),
            ..captured((HOST, INSIDE), (device, Origin::Sent), 10)
        };
        assert_eq!(count(&mut table, &packet), device == VETH);
    }
    assert_eq!(table.len(), 1);
}

#[test]
fn errors_of_a_flow_count_once() {
    let mut table = counting_once();
    let query = captured((INSIDE, FAR), (VETH, Origin::OtherHost), 10);
    count(&mut table, &query);
    for step in [
        (ETH0, Origin::Received),
        (BRIDGE, Origin::Sent),
        (VETH, Origin::Sent),
    ] {
        let error = Packet {
            protocol: Protocol::ICMP,
            icmp: Some(Icmp {
                about: Some(About {
                    source: query.source,
                    destination: query.destination,
                    protocol: Protocol::UDP,
                    sequence: None,
                }),
                ..Icmp::new(3, 3)
            }),
            source: format!("{FAR}:0").parse().unwrap(),
            destination: format!("{INSIDE}:0").parse().unwrap(),
            ..captured((FAR, INSIDE), step, 30)
        };
        count(&mut table, &error);
    }
    assert_eq!(table.len(), 1);
    assert_eq!(table.iter().next().unwrap().total().packets, 2);
    assert_eq!(table.statistics().seen_again.packets, 2);
}

/// A device becomes a port of another bridge while a flow goes on.
#[test]
fn a_flow_follows_a_change_of_devices() {
    let mut table = counting_once();
    let steps = [(RIGHT, Origin::OtherHost), (BRIDGE, Origin::Received)];
    let copies = |table: &mut FlowTable| {
        let packets = steps.map(|step| captured(("10.8.0.2", HOST), step, 100));
        // As if it were for a group, so that the port counts.
        let packets = packets.map(|packet| Packet {
            destination: "224.0.0.9:5000".parse().unwrap(),
            ..packet
        });
        packets.map(|packet| count(table, &packet))
    };
    assert_eq!(copies(&mut table), [false, false]);
    let link = |number: u32, master: Option<u32>| DeviceLink {
        master: master.map(index),
        ..DeviceLink::new(index(number))
    };
    let moved = [link(BRIDGE, None), link(RIGHT, Some(BRIDGE))];
    table.set_topology(Some(Topology::new(moved)));
    assert_eq!(copies(&mut table), [false, true]);
}

/// Else what goes to the host would be counted nowhere.
#[test]
fn a_port_alone_counts_what_goes_to_the_host() {
    let mut table = counting_once();
    table.set_topology(Some(topology().captured_on([VETH, ETH0].map(index))));
    let packet = captured((INSIDE, HOST), (VETH, Origin::OtherHost), 10);
    assert!(!count(&mut table, &packet));
}

#[test]
fn without_a_topology_each_capture_counts() {
    let mut table = counting_once();
    table.set_topology(None);
    for (device, origin) in [(VETH, Origin::OtherHost), (ETH0, Origin::Sent)] {
        let packet = captured((INSIDE, FAR), (device, origin), 10);
        assert!(!count(&mut table, &packet));
    }
}

proptest! {
    /// However packets overtake each other between devices, each is counted once.
    #[test]
    fn sums_are_what_was_sent(
        sent in proptest::collection::vec((0..ways().len(), 0..3_u32), 1..60),
        order in proptest::collection::vec(any::<u16>(), 300),
    ) {
        let ways = ways();
        let mut table = counting_once();
        // Packets on their way, with the step that comes next.
        let mut going: Vec<(usize, u32, usize)> = Vec::new();
        let mut waiting = sent.iter().copied();
        let mut order = order.into_iter().cycle();
        let mut now = 0;
        loop {
            let at = usize::from(order.next().unwrap());
            if going.len() < 4 && let Some((way, size)) = waiting.next() {
                going.push((way, size * 700, 0));
            }
            if going.is_empty() {
                break;
            }
            let at = at % going.len();
            let (way, payload, step) = &mut going[at];
            let (from, to, steps) = &ways[*way];
            now += 1;
            let packet = Packet {
                time: Duration::from_micros(now),
                ..captured((*from, *to), steps[*step], *payload)
            };
            count(&mut table, &packet);
            *step += 1;
            if *step == steps.len() {
                going.remove(at);
            }
        }
        let mut expected = Counters::default();
        for (_, size) in &sent {
            expected += Counters::one(size * 700 + 42, size * 700);
        }
        let total: Counters = table.iter().map(Flow::total).sum();
        prop_assert_eq!(total, expected);
        prop_assert_eq!(table.statistics().packets, expected.packets);
        let captured: usize = sent.iter().map(|(way, _)| ways[*way].2.len()).sum();
        let all = total.packets + table.statistics().seen_again.packets;
        prop_assert_eq!(all, captured as u64);
    }
}
