//! Packets whose ends this host translates.

use super::*;
use crate::{DeviceLink, Peer, Topology};

const HOST: &str = "10.0.0.2";
const OUTSIDE: &str = "10.0.0.2:61000";
const INSIDE: &str = "10.9.0.2:5000";
const FAR: &str = "192.0.2.1:443";
const GATEWAY: &str = "10.9.0.1:7000";
const PUBLISHED: &str = "10.0.0.2:8080";
const SERVER: &str = "10.9.0.3:80";
const SERVICE: &str = "10.96.0.1:80";
const CLIENT: &str = "192.0.2.1:6000";

const ETH0: u32 = 1;
const BRIDGE: u32 = 2;
const VETH: u32 = 3;
const VETH_SERVER: u32 = 4;

/// Where a packet is captured, and with which ends.
type Step = (u32, Origin, &'static str, &'static str);

fn counting_once() -> FlowTable {
    let local = [HOST, "10.9.0.1"].map(|address| address.parse().unwrap());
    let mut table = FlowTable::new(TableConfig {
        local: Some(local.into_iter().collect()),
        ..TableConfig::default()
    });
    let index = |number| NonZeroU32::new(number).unwrap();
    let port = |number, namespace| DeviceLink {
        master: Some(index(BRIDGE)),
        peer: Some(Peer::Elsewhere(namespace)),
        ..DeviceLink::new(index(number))
    };
    table.set_topology(Some(Topology::new([
        DeviceLink::new(index(ETH0)),
        DeviceLink::new(index(BRIDGE)),
        port(VETH, 1),
        port(VETH_SERVER, 2),
    ])));
    table
}

/// A connection through translation: its ways out of the socket and to it, the flow that is translated,
/// and the ends of its socket.
struct Way {
    name: &'static str,
    out: Vec<Step>,
    back: Vec<Step>,
    translated: (&'static str, &'static str),
    original: (&'static str, &'static str),
}

fn ways() -> Vec<Way> {
    use Origin::{OtherHost, Received, Sent};
    vec![
        Way {
            name: "masquerade",
            out: vec![
                (VETH, OtherHost, INSIDE, FAR),
                (BRIDGE, Received, INSIDE, FAR),
                (ETH0, Sent, OUTSIDE, FAR),
            ],
            back: vec![
                (ETH0, Received, FAR, OUTSIDE),
                (BRIDGE, Sent, FAR, INSIDE),
                (VETH, Sent, FAR, INSIDE),
            ],
            translated: (OUTSIDE, FAR),
            original: (INSIDE, FAR),
        },
        Way {
            name: "port forward",
            out: vec![
                (VETH_SERVER, OtherHost, SERVER, CLIENT),
                (BRIDGE, Received, SERVER, CLIENT),
                (ETH0, Sent, PUBLISHED, CLIENT),
            ],
            back: vec![
                (ETH0, Received, CLIENT, PUBLISHED),
                (BRIDGE, Sent, CLIENT, SERVER),
                (VETH_SERVER, Sent, CLIENT, SERVER),
            ],
            translated: (PUBLISHED, CLIENT),
            original: (SERVER, CLIENT),
        },
        Way {
            name: "hairpin",
            out: vec![
                (VETH, OtherHost, INSIDE, PUBLISHED),
                (BRIDGE, Received, INSIDE, PUBLISHED),
                (BRIDGE, Sent, GATEWAY, SERVER),
                (VETH_SERVER, Sent, GATEWAY, SERVER),
            ],
            back: vec![
                (VETH_SERVER, OtherHost, SERVER, GATEWAY),
                (BRIDGE, Received, SERVER, GATEWAY),
                (BRIDGE, Sent, PUBLISHED, INSIDE),
                (VETH, Sent, PUBLISHED, INSIDE),
            ],
            translated: (GATEWAY, SERVER),
            original: (INSIDE, PUBLISHED),
        },
        // A bridge translates the packets that it passes on (`bridge-nf-call-iptables`).
        Way {
            name: "service",
            out: vec![
                (VETH, OtherHost, INSIDE, SERVICE),
                (BRIDGE, Received, INSIDE, SERVER),
                (VETH_SERVER, Sent, INSIDE, SERVER),
            ],
            back: vec![
                (VETH_SERVER, OtherHost, SERVER, INSIDE),
                (VETH, Sent, SERVICE, INSIDE),
            ],
            translated: (INSIDE, SERVER),
            original: (INSIDE, SERVICE),
        },
    ]
}

fn at(now: Duration, (device, origin, source, destination): Step, payload_len: u32) -> Packet {
    Packet {
        time: now,
        payload_len,
        wire_len: payload_len + 42,
        origin,
        device: NonZeroU32::new(device),
        ..udp(1, source, destination)
    }
}

fn key(ends: (&str, &str)) -> FlowKey {
    FlowKey::new(
        Protocol::UDP,
        ends.0.parse().unwrap(),
        ends.1.parse().unwrap(),
    )
}

fn live(table: &FlowTable, ends: (&str, &str)) -> Option<FlowId> {
    table
        .iter()
        .find(|flow| flow.key() == key(ends))
        .map(Flow::id)
}

/// What an answer about a flow with translated ends does.
fn answer(table: &mut FlowTable, way: &Way, ended: &mut Vec<Ended>) -> bool {
    let Some(id) = live(table, way.translated) else {
        return false;
    };
    let is_local = table.flow(id).unwrap().local() == way.translated.0.parse().unwrap();
    let (socket, peer) = way.original;
    let original = (socket.parse().unwrap(), peer.parse().unwrap());
    table.set_translation(id, is_local, Some(original));
    table.join(id, ended);
    true
}

fn count(table: &mut FlowTable, packet: &Packet, ended: &mut Vec<Ended>) -> bool {
    if table.is_on_its_way(packet) {
        return true;
    }
    let update = table.ingest(packet, ended);
    if update.change == Change::Opened
        && let Some(other) = table.translated_flow(update.id)
    {
        table.join(other, ended);
    }
    if update.change == Change::Continued {
        table.join(update.id, ended);
    }
    update.change == Change::SeenAgain
}

fn all(table: &FlowTable, ended: &[Ended]) -> Counters {
    let ended = ended.iter().map(|ended| ended.flow.total());
    table.iter().map(Flow::total).chain(ended).sum()
}

/// The answer comes after this many captures, or never.
#[test]
fn counted_once_whenever_the_answer_comes() {
    for way in ways() {
        for delay in 0..30 {
            let (mut table, mut ended) = (counting_once(), Vec::new());
            let mut seen = 0;
            let mut is_answered = false;
            for round in 0..4 {
                for steps in [&way.out, &way.back] {
                    for step in steps {
                        let now = Duration::from_millis(seen + 1);
                        count(&mut table, &at(now, *step, 100 * round), &mut ended);
                        seen += 1;
                        if seen >= delay && !is_answered {
                            is_answered = answer(&mut table, &way, &mut ended);
                        }
                    }
                }
            }
            if !is_answered {
                continue;
            }
            let name = way.name;
            assert_eq!(all(&table, &ended).packets, 8, "{name} {delay}");
            assert_eq!(table.statistics().packets, 8, "{name} {delay}");
            let again = table.statistics().seen_again.packets;
            assert_eq!(again, seen - 8, "{name} {delay}");
            let original = table.flow(live(&table, way.original).unwrap()).unwrap();
            assert_eq!(original.sent().packets, 4, "{name} {delay}");
            assert_eq!(original.received().packets, 4, "{name} {delay}");
            assert_eq!(live(&table, way.translated), None, "{name} {delay}");
        }
    }
}

#[test]
fn a_flow_that_is_translated_ends_with_what_it_keeps() {
    let (mut table, mut ended) = (counting_once(), Vec::new());
    let [way, ..] = <[Way; 4]>::try_from(ways()).ok().unwrap();
    let now = Duration::from_secs(1);
    // The capture missed the first packet inside.
    count(&mut table, &at(now, way.out[2], 500), &mut ended);
    for step in &way.out {
        count(&mut table, &at(now, *step, 100), &mut ended);
    }
    assert!(answer(&mut table, &way, &mut ended));
    let [part] = &ended[..] else {
        panic!("{ended:?}")
    };
    assert_eq!(part.reason, EndReason::Translated);
    assert_eq!(part.flow.total().payload_bytes, 500);
    assert_eq!(all(&table, &ended).payload_bytes, 600);
}

/// What comes from outside and is not passed on stays in the flow outside.
#[test]
fn what_is_not_passed_on_is_kept() {
    let (mut table, mut ended) = (counting_once(), Vec::new());
    let [way, ..] = <[Way; 4]>::try_from(ways()).ok().unwrap();
    for step in &way.out {
        count(&mut table, &at(seconds(1), *step, 100), &mut ended);
    }
    assert!(answer(&mut table, &way, &mut ended));
    assert!(count(
        &mut table,
        &at(seconds(2), way.back[0], 50),
        &mut ended
    ));
    assert!(count(
        &mut table,
        &at(seconds(3), way.back[0], 50),
        &mut ended
    ));
    assert_eq!(all(&table, &ended).packets, 1);
    let (mut later, mut left) = (counting_once(), Vec::new());
    std::mem::swap(&mut later, &mut table);
    std::mem::swap(&mut left, &mut ended);
    // It is known when the next packet comes, or when the flow ends.
    assert!(!count(
        &mut later,
        &at(seconds(5), way.back[0], 50),
        &mut left
    ));
    let kept: Vec<_> = later.take_kept().collect();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].counters.packets, kept[0].is_local), (2, false));
    assert_eq!(all(&later, &left).packets, 4);
    assert_eq!(later.statistics().packets, 4);
    let outside = later.flow(live(&later, way.translated).unwrap()).unwrap();
    assert_eq!(outside.received().packets, 3);
    assert!(kept[0].id == outside.id());
    // They are not moved again, and the next ones when they go on.
    assert!(answer(&mut later, &way, &mut left));
    assert_eq!(all(&later, &left).packets, 4);
    for step in way.back.iter().skip(1).chain(&way.back) {
        count(&mut later, &at(seconds(6), *step, 50), &mut left);
    }
    assert_eq!(all(&later, &left).packets, 5);
    later.drain(&mut left);
    assert_eq!(all(&later, &left).packets, 5);
}

/// The host translates another connection to the same ends.
#[test]
fn another_connection_with_the_same_ends_outside_is_not_joined() {
    let (mut table, mut ended) = (counting_once(), Vec::new());
    let [way, ..] = <[Way; 4]>::try_from(ways()).ok().unwrap();
    for step in &way.out {
        count(&mut table, &at(seconds(1), *step, 100), &mut ended);
    }
    assert!(answer(&mut table, &way, &mut ended));
    let other = Way {
        out: vec![
            (VETH_SERVER, Origin::OtherHost, SERVER, FAR),
            (ETH0, Origin::Sent, OUTSIDE, FAR),
        ],
        original: (SERVER, FAR),
        ..way
    };
    for step in &other.out {
        count(&mut table, &at(seconds(4), *step, 100), &mut ended);
    }
    assert!(
        live(&table, other.translated).is_some(),
        "nobody was asked yet"
    );
    assert!(answer(&mut table, &other, &mut ended));
    assert_eq!(all(&table, &ended).packets, 2);
    let inside = table.flow(live(&table, other.original).unwrap()).unwrap();
    assert_eq!(inside.total().packets, 1);
}

#[test]
fn after_the_flow_inside_has_ended_the_one_outside_counts() {
    let (mut table, mut ended) = (counting_once(), Vec::new());
    let [way, ..] = <[Way; 4]>::try_from(ways()).ok().unwrap();
    for step in &way.out {
        count(&mut table, &at(seconds(1), *step, 100), &mut ended);
    }
    assert!(answer(&mut table, &way, &mut ended));
    let inside = table.by_key.find(&key(way.original), &table.lists).unwrap();
    table.end(inside, EndReason::Evicted, &mut ended);
    assert!(!count(
        &mut table,
        &at(seconds(2), way.back[0], 7),
        &mut ended
    ));
    let outside = table.flow(live(&table, way.translated).unwrap()).unwrap();
    assert_eq!(outside.received().payload_bytes, 7);
    // It is tied anew when the flow inside opens.
    assert!(answer(&mut table, &way, &mut ended));
    for step in &way.back[1..] {
        count(&mut table, &at(seconds(2), *step, 7), &mut ended);
    }
    assert_eq!(all(&table, &ended).packets, 2);
    assert_eq!(live(&table, way.translated), None);
}

/// A container has got the ends of a socket of this host, whose packets get others.
#[test]
fn the_translated_packets_of_this_host_are_not_those_of_a_container() {
    let (mut table, mut ended) = (counting_once(), Vec::new());
    for (time, source) in [(1, OUTSIDE), (1, "10.0.0.2:25177")] {
        let packet = at(seconds(time), (ETH0, Origin::Sent, source, FAR), 10);
        count(&mut table, &packet, &mut ended);
    }
    let id = live(&table, ("10.0.0.2:25177", FAR)).unwrap();
    let original = (OUTSIDE.parse().unwrap(), FAR.parse().unwrap());
    table.set_translation(id, true, Some(original));
    assert_eq!(table.join(id, &mut ended), None);
    assert_eq!(all(&table, &ended).packets, 2);
}

/// Neither of two flows that are each other's original counts the packets of both.
#[test]
fn one_of_two_sides_is_joined() {
    let (mut table, mut ended) = (counting_once(), Vec::new());
    let [_, _, way, _] = <[Way; 4]>::try_from(ways()).ok().unwrap();
    let other = Way {
        translated: (PUBLISHED, INSIDE),
        original: (SERVER, GATEWAY),
        ..way
    };
    let [_, _, way, _] = <[Way; 4]>::try_from(ways()).ok().unwrap();
    for time in 1..4 {
        for step in way.out.iter().chain(&way.back) {
            count(&mut table, &at(seconds(time), *step, 9), &mut ended);
        }
        answer(&mut table, &other, &mut ended);
        answer(&mut table, &way, &mut ended);
    }
    assert_eq!(all(&table, &ended).packets, 6);
}

#[test]
fn a_connection_is_followed_to_its_end_and_to_the_next_one() {
    let (mut table, mut ended) = (counting_once(), Vec::new());
    let [way, ..] = <[Way; 4]>::try_from(ways()).ok().unwrap();
    let segment = |time, step: Step, flags, sequence| Packet {
        protocol: Protocol::TCP,
        tcp: Some(Tcp::new(flags, sequence)),
        ..at(seconds(time), step, 0)
    };
    let of = |table: &FlowTable, ends: (&str, &str)| {
        let found = table.iter().find(|flow| {
            let (low, high) = flow.key().ends();
            [ends.0, ends.1]
                .iter()
                .all(|end| [low, high].contains(&end.parse().unwrap()))
        });
        found.map(Flow::id)
    };
    let join = |table: &mut FlowTable, ended: &mut Vec<Ended>| {
        let id = of(table, way.translated).unwrap();
        let original = (INSIDE.parse().unwrap(), FAR.parse().unwrap());
        table.set_translation(id, true, Some(original));
        table.join(id, ended).unwrap()
    };
    for (round, number) in [(1, 100), (2, 900_000)] {
        for step in &way.out {
            count(
                &mut table,
                &segment(round * 10, *step, SYN, number),
                &mut ended,
            );
        }
        assert!(
            of(&table, way.translated).is_some(),
            "each connection is asked about"
        );
        assert_eq!(join(&mut table, &mut ended).sent.packets, 1);
        for step in &way.back {
            count(
                &mut table,
                &segment(round * 10 + 1, *step, RST, 0),
                &mut ended,
            );
        }
    }
    assert_eq!(all(&table, &ended).packets, 4);
    assert_eq!(of(&table, way.translated), None);
}

proptest! {
    /// Whatever overtakes what, and whenever answers come, each packet is counted once.
    #[test]
    fn sums_are_what_was_sent(
        which in 0..4_usize,
        sent in proptest::collection::vec((any::<bool>(), 0..3_u32), 1..60),
        order in proptest::collection::vec(any::<u16>(), 400),
        delay in 0..200_u64,
    ) {
        let way = &ways()[which];
        let (mut table, mut ended) = (counting_once(), Vec::new());
        let mut going: Vec<(bool, u32, usize)> = Vec::new();
        let mut waiting = sent.iter().copied();
        let mut order = order.into_iter().cycle();
        let (mut now, mut captured) = (0, 0_u64);
        let mut is_answered = false;
        loop {
            let at_random = usize::from(order.next().unwrap());
            if going.len() < 4 && let Some((is_out, size)) = waiting.next() {
                going.push((is_out, size * 700, 0));
            }
            if going.is_empty() {
                break;
            }
            let next = at_random % going.len();
            let (is_out, payload, step) = &mut going[next];
            let steps = if *is_out { &way.out } else { &way.back };
            now += 1;
            let packet = at(Duration::from_micros(now), steps[*step], *payload);
            let was_counting = live(&table, way.translated).is_some();
            count(&mut table, &packet, &mut ended);
            if is_answered && !was_counting {
                // Whoever opens it is asked about anew.
                answer(&mut table, way, &mut ended);
            }
            captured += 1;
            *step += 1;
            if *step == steps.len() {
                going.remove(next);
            }
            if now >= delay && !is_answered {
                is_answered = answer(&mut table, way, &mut ended);
            }
        }
        if !is_answered {
            is_answered = answer(&mut table, way, &mut ended);
        }
        table.drain(&mut ended);
        let mut expected = Counters::default();
        for (_, size) in &sent {
            expected += Counters::one(size * 700 + 42, size * 700);
        }
        let total = all(&table, &ended);
        prop_assert!(is_answered || live(&table, way.translated).is_none());
        prop_assert_eq!(total, expected);
        prop_assert_eq!(table.statistics().packets, expected.packets);
        prop_assert_eq!(total.packets + table.statistics().seen_again.packets, captured);
    }
}
