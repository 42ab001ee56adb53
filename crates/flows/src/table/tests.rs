mod model;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::Change::{Closed, Continued, Opened};
use super::*;
use crate::{Counters, Direction, Fragment, Origin, Protocol, State, Tcp, TcpFlags};

const A: &str = "10.0.0.1:40000";
const B: &str = "10.0.0.2:443";
const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;
const FIN: TcpFlags = TcpFlags(0x11);
const RST: TcpFlags = TcpFlags::RST;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn packet(time: u64, source: &str, destination: &str, protocol: Protocol) -> Packet {
    Packet {
        time: seconds(time),
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        protocol,
        wire_len: 100,
        payload_len: 40,
        tcp: None,
        fragment: None,
        origin: Origin::Unknown,
        device: None,
    }
}

fn tcp(time: u64, source: &str, destination: &str, flags: TcpFlags, sequence: u32) -> Packet {
    Packet {
        tcp: Some(Tcp { flags, sequence }),
        ..packet(time, source, destination, Protocol::TCP)
    }
}

fn udp(time: u64, source: &str, destination: &str) -> Packet {
    packet(time, source, destination, Protocol::UDP)
}

fn table(capacity: usize) -> FlowTable {
    FlowTable::new(TableConfig {
        capacity,
        local: Some(["10.0.0.1".parse().unwrap()].into_iter().collect()),
        ..TableConfig::default()
    })
}

/// Feeds packets; what each changed, and what left in the end with its reason.
fn feed(table: &mut FlowTable, packets: &[Packet]) -> (Vec<Change>, Vec<(u64, EndReason)>) {
    let mut ended = Vec::new();
    let changes = packets
        .iter()
        .map(|packet| table.ingest(packet, &mut ended).change)
        .collect();
    let ended = ended
        .iter()
        .map(|ended| (ended.flow.id().as_u64(), ended.reason));
    (changes, ended.collect())
}

#[test]
fn a_view_stays_as_it_is() {
    let mut table = table(100);
    let of = |number: u16| udp(1, &format!("10.0.0.1:{number}"), B);
    let first: Vec<_> = (1..=70).map(of).collect();
    feed(&mut table, &first);
    let all = |flows: &mut dyn Iterator<Item = &Flow>| {
        let mut all: Vec<_> = flows.cloned().collect();
        all.sort_unstable_by_key(Flow::id);
        all
    };
    let before = all(&mut table.iter());
    let view = table.view();
    // Flows go on, begin, are pushed out and end.
    let then: Vec<_> = (60..=170).map(of).collect();
    feed(&mut table, &then);
    table.advance(seconds(10_000), &mut Vec::new());
    feed(&mut table, &first[..3]);
    assert_eq!(all(&mut view.iter()), before);
    assert_eq!(table.view().iter().count(), 3);
    assert_eq!(table.now_at(seconds(0)), seconds(1));
    assert_eq!(table.now_at(seconds(2)), seconds(2));
    assert_eq!(table.now(), seconds(1));
}

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
fn silence_ends_flows() {
    let times = Timeouts::default();
    for (packets, timeout) in [
        (vec![tcp(0, A, B, SYN, 1)], times.tcp_opening),
        (vec![tcp(0, A, B, ACK, 1)], times.tcp_established),
        (vec![tcp(0, A, B, FIN, 1)], times.tcp_closing),
        (vec![tcp(0, A, B, RST, 1)], times.tcp_over),
        (vec![udp(0, A, B)], times.udp_one_way),
        (vec![udp(0, A, B), udp(0, B, A)], times.udp),
        (
            vec![packet(0, "10.0.0.1:0", "10.0.0.2:0", Protocol::ICMP)],
            times.icmp,
        ),
        (
            vec![packet(0, "10.0.0.1:0", "10.0.0.2:0", Protocol::ESP)],
            times.other,
        ),
    ] {
        let mut table = table(10);
        feed(&mut table, &packets);
        let mut ended = Vec::new();
        table.advance(timeout.saturating_sub(Duration::from_nanos(1)), &mut ended);
        assert_eq!(ended.len(), 0, "{:?}", packets[0]);
        table.advance(timeout, &mut ended);
        assert_eq!(ended.len(), 1, "{:?}", packets[0]);
    }
}

#[test]
fn the_least_recently_seen_gives_way_but_finished_ones_first() {
    let (c, d) = ("10.0.0.3:1", "10.0.0.4:1");
    let (_, ended) = feed(
        &mut table(2),
        &[udp(1, A, c), udp(2, A, d), udp(3, c, A), udp(4, A, B)],
    );
    assert_eq!(ended, [(1, EndReason::Evicted)]);
    let (_, ended) = feed(
        &mut table(2),
        &[udp(1, A, c), tcp(2, A, B, RST, 1), udp(3, A, d)],
    );
    assert_eq!(ended, [(1, EndReason::Evicted)]);
}

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
            // The first one of this was not captured.
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
fn later_fragments_are_sent_by_whom_the_first_was() {
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
    /// How many flows there are after a first fragment, others, and its rest.
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
        // The flow itself goes on.
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

#[test]
fn addresses_that_change_are_those_of_later_flows() {
    let mut table = table(10);
    let mut ended = Vec::new();
    let before = table.ingest(&udp(1, A, B), &mut ended).id;
    table.set_local_addresses(Some(["10.0.0.2".parse().unwrap()].into_iter().collect()));
    let after = table.ingest(&udp(1, "10.0.0.1:1", B), &mut ended).id;
    table.set_local_addresses(None);
    let unknown = table.ingest(&udp(1, "10.0.0.1:2", B), &mut ended).id;
    table.ingest(&udp(2, A, B), &mut ended);
    let direction = |id| table.flow(id).unwrap().direction();
    assert_eq!(direction(before), Direction::Outgoing);
    assert_eq!(direction(after), Direction::Incoming);
    assert_eq!(direction(unknown), Direction::Unknown);
}

#[test]
fn absurd_times_do_no_harm() {
    let at = |time| Packet {
        time,
        ..udp(0, A, B)
    };
    let mut table = table(10);
    feed(
        &mut table,
        &[at(Duration::MAX), at(Duration::ZERO), at(seconds(1))],
    );
    assert_eq!(table.statistics().backwards, 1);
    assert_eq!(table.iter().next().unwrap().total().packets, 3);
    // Time goes on from where it went back to.
    let (mut ended, silence) = (Vec::new(), Timeouts::default().udp_one_way);
    table.advance(silence, &mut ended);
    assert_eq!(ended.len(), 0);
    table.advance(silence + seconds(1), &mut ended);
    assert_eq!(ended.len(), 1);
    table.advance(Duration::MAX, &mut ended);
    table.advance(Duration::ZERO, &mut ended);
}

#[test]
fn eviction_is_in_the_order_of_packets_where_time_stands_still() {
    let (c, d) = ("10.0.0.3:1", "10.0.0.4:1");
    let icmp = packet(5, "10.0.0.1:0", "10.0.0.2:0", Protocol::ICMP);
    // Different classes, and times that go back.
    let packets = [tcp(5, A, B, ACK, 1), icmp, udp(4, A, c), udp(3, A, d)];
    let (_, ended) = feed(&mut table(3), &packets);
    assert_eq!(ended, [(0, EndReason::Evicted)]);
    let again = [packets[0], icmp, udp(4, A, c), packets[0], udp(3, A, d)];
    let (_, ended) = feed(&mut table(3), &again);
    assert_eq!(ended, [(1, EndReason::Evicted)]);
}

#[derive(Debug, Clone)]
enum Step {
    Packet(Packet),
    Advance(Duration),
    Local(Option<u8>),
    Drain,
    /// Notes how much one of the flows has counted.
    Mark(usize),
    /// Cuts one off there, or where it is now.
    Cut(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => any_packet().prop_map(Step::Packet),
        2 => any_time().prop_map(Step::Advance),
        2 => proptest::option::of(1..4_u8).prop_map(Step::Local),
        1 => Just(Step::Drain),
        5 => (0..6_usize).prop_map(Step::Mark),
        5 => (0..6_usize).prop_map(Step::Cut),
    ]
}

fn any_time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        8 => (0..400_u64).prop_map(seconds),
        1 => (0..40_000_u64).prop_map(seconds),
        1 => Just(Duration::MAX),
    ]
}

fn any_packet() -> impl Strategy<Value = Packet> {
    let end = (1..4_u8, 0..3_u16, any::<bool>()).prop_map(|(host, port, is_link_local)| {
        if is_link_local {
            SocketAddr::from(([0xfe80, 0, 0, 0, 0, 0, 0, host.into()], port))
        } else {
            SocketAddr::from(([10, 0, 0, host], port))
        }
    });
    let protocol = prop_oneof![
        Just(Protocol::TCP),
        Just(Protocol::UDP),
        Just(Protocol::ICMP),
        Just(Protocol::GRE),
    ];
    let fragment = proptest::option::weighted(0.2, (0..2_u32, 0..2_u32, any::<bool>()));
    let tcp = (any::<u8>(), 0..3_u32);
    let origin = prop_oneof![
        Just(Origin::Sent),
        Just(Origin::Received),
        Just(Origin::OtherHost),
        Just(Origin::Loopback),
        Just(Origin::Unknown),
    ];
    let seen = (origin, (0..3_u32).prop_map(NonZeroU32::new));
    (
        any_time(),
        end.clone(),
        end,
        protocol,
        any::<(u32, u32)>(),
        tcp,
        (fragment, seen),
    )
        .prop_map(
            |(time, source, destination, protocol, (wire_len, payload_len), tcp, more)| {
                let (fragment, (origin, device)) = more;
                Packet {
                    time,
                    source,
                    destination,
                    protocol,
                    wire_len,
                    payload_len,
                    tcp: (protocol == Protocol::TCP).then_some(Tcp {
                        flags: TcpFlags(tcp.0),
                        sequence: tcp.1,
                    }),
                    fragment: fragment.map(|(id, offset, more)| Fragment { id, offset, more }),
                    origin,
                    device,
                }
            },
        )
}

/// One of the flows, always the same one.
fn nth(table: &FlowTable, place: usize) -> Option<&Flow> {
    let mut flows: Vec<_> = table.iter().collect();
    flows.sort_by_key(|flow| flow.id());
    flows.get(place).copied()
}

#[test]
fn what_is_cut_off_is_another_flow() {
    let mut table = table(10);
    feed(&mut table, &[udp(1, A, B), udp(2, B, A)]);
    let sure = nth(&table, 0).unwrap().mark();
    feed(&mut table, &[udp(3, A, B)]);
    let mut ended = Vec::new();
    let id = FlowId::from_u64(0);
    let rest = table.cut(id, &sure, seconds(3), &mut ended).unwrap();
    assert_eq!(
        (ended[0].flow.id(), ended[0].reason),
        (id, EndReason::OwnerChanged)
    );
    assert_eq!(
        (ended[0].flow.total().packets, ended[0].flow.last_seen()),
        (2, seconds(2))
    );
    let live = table.flow(rest).unwrap();
    assert_eq!((live.total().packets, live.first_seen()), (1, seconds(3)));
    assert_eq!(live.rate(seconds(3)).sent, 20);
    // All of it: the rest has no packets, and is none of the flows until one comes.
    let all = live.mark();
    let rest = table.cut(rest, &all, seconds(3), &mut ended).unwrap();
    assert_eq!((table.iter().count(), table.statistics().opened), (0, 2));
    let update = table.ingest(&udp(9, B, A), &mut ended);
    assert_eq!((update.id, update.change), (rest, Opened));
    let live = table.flow(rest).unwrap();
    // Who opened it is not forgotten.
    assert_eq!(
        (live.first_seen(), live.initiator()),
        (seconds(9), A.parse().unwrap())
    );
    // There is nothing before the beginning.
    assert_eq!(
        table.cut(rest, &Mark::default(), seconds(9), &mut ended),
        None
    );
    assert_eq!(ended.len(), 2);
}

#[test]
fn a_connection_goes_on_after_a_cut() {
    let mut table = table(10);
    let (one, other) = (tcp(1, A, B, SYN, 7), tcp(1, B, A, SYN | ACK, 9));
    feed(&mut table, &[one, other, tcp(2, A, B, ACK, 8)]);
    let flow = nth(&table, 0).unwrap();
    let (id, mark) = (flow.id(), flow.mark());
    let rest = table.cut(id, &mark, seconds(2), &mut Vec::new()).unwrap();
    // Neither a repeated packet nor a late SYN opens another one.
    let (changes, ended) = feed(
        &mut table,
        &[tcp(3, A, B, ACK, 8), one, tcp(4, A, B, FIN, 8)],
    );
    assert_eq!(
        (changes, ended),
        (vec![Opened, Continued, Continued], vec![])
    );
    assert_eq!(table.flow(rest).unwrap().state(), State::Closing);
}

#[test]
fn later_fragments_find_what_goes_on() {
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

proptest! {
    /// Every packet is in exactly one flow, live or ended, whatever happens; the
    /// bound holds; what was opened is live or left for a reason; the same packets
    /// give the same flows.
    #[test]
    fn nothing_is_lost(
        steps in proptest::collection::vec(any_step(), 0..200),
        capacity in 1..6_usize,
    ) {
        let run = || {
            let mut table = table(capacity);
            let mut ended = Vec::new();
            let mut expected = Counters::default();
            let mut marks = HashMap::new();
            for step in &steps {
                match step {
                    Step::Packet(packet) => {
                        let update = table.ingest(packet, &mut ended);
                        prop_assert!(table.flow(update.id).is_some());
                        expected += Counters::one(packet.wire_len, packet.payload_len);
                    }
                    Step::Advance(now) => table.advance(*now, &mut ended),
                    Step::Local(host) => table.set_local_addresses(
                        host.map(|host| [[10, 0, 0, host].into()].into_iter().collect()),
                    ),
                    Step::Drain => table.drain(&mut ended),
                    Step::Mark(place) => {
                        let flow = nth(&table, *place);
                        marks.extend(flow.map(|flow| (flow.id(), flow.mark())));
                    }
                    Step::Cut(place) => {
                        let Some(flow) = nth(&table, *place) else { continue };
                        let (id, all, state) = (flow.id(), flow.mark(), flow.state());
                        let mark = marks.remove(&id).unwrap_or(all);
                        let rest = table.cut(id, &mark, all.last_seen, &mut ended);
                        let rest = rest.expect("something was counted");
                        prop_assert!(table.flow(id).is_none());
                        let live = table.flow(rest).expect("it goes on");
                        prop_assert_eq!(live.mark(), all.since(&mark));
                        prop_assert_eq!((live.state(), live.is_continued()), (state, true));
                        let part = &ended.last().expect("the part").flow;
                        prop_assert_eq!((part.id(), part.mark()), (id, mark));
                    }
                }
                prop_assert!(table.len() <= capacity);
                let live = table.iter().map(Flow::total);
                let left = ended.iter().map(|ended| ended.flow.total());
                prop_assert_eq!(live.chain(left).sum::<Counters>(), expected);
            }
            table.drain(&mut ended);
            prop_assert!(table.is_empty());
            let done = table.statistics();
            prop_assert_eq!(done.packets, expected.packets);
            prop_assert_eq!(done.opened, ended.len() as u64);
            let count = |reason| ended.iter().filter(|e| e.reason == reason).count() as u64;
            prop_assert_eq!(
                [done.closed, done.expired, done.evicted, done.replaced, done.cut],
                [
                    EndReason::Closed,
                    EndReason::Expired,
                    EndReason::Evicted,
                    EndReason::Replaced,
                    EndReason::OwnerChanged,
                ]
                .map(count)
            );
            let ids: std::collections::HashSet<_> = ended.iter().map(|e| e.flow.id()).collect();
            prop_assert_eq!(ids.len(), ended.len());
            Ok(ended)
        };
        prop_assert_eq!(run()?, run()?);
    }
}

/// What packets of one five-tuple are, by where they came from, on the host 10.0.0.1.
#[test]
fn what_nobody_here_sent_is_in_flows_of_its_own() {
    let from = |origin, packet| Packet { origin, ..packet };
    let (ours, answer) = (udp(1, A, B), udp(1, B, A));
    let packets = [
        from(Origin::Sent, ours),
        from(Origin::Received, answer),
        from(Origin::Received, ours),
        from(Origin::OtherHost, ours),
        from(Origin::OtherHost, answer),
        from(Origin::Sent, ours),
        from(Origin::Loopback, ours),
        from(Origin::Unknown, ours),
    ];
    let mut table = table(10);
    feed(&mut table, &packets);
    let mut flows: Vec<_> = table.iter().collect();
    flows.sort_by_key(|flow| flow.id());
    let told: Vec<_> = flows
        .iter()
        .map(|flow| {
            (
                flow.direction(),
                flow.sent().packets,
                flow.received().packets,
            )
        })
        .collect();
    let expected = [
        (Direction::Outgoing, 4, 1),
        (Direction::Spoofed, 0, 1),
        (Direction::Overheard, 0, 2),
    ];
    assert_eq!(told, expected);
    // The end that has the host's address is the local one, though nobody there sent it.
    assert_eq!(flows[1].local().to_string(), A);
    assert!(
        flows
            .iter()
            .all(|flow| flow.key().ends() == flows[0].key().ends())
    );
    assert_eq!(flows[1].rate(seconds(2)).sent, 0);
    assert_eq!(flows[1].rate(seconds(2)).received, 20);
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

#[test]
fn link_local_addresses_are_those_of_a_device() {
    let on = |device, packet| Packet {
        device: NonZeroU32::new(device),
        ..packet
    };
    let (one, other) = ("[fe80::1]:40000", "[fe80::2]:443");
    let mut local = LocalAddresses::default();
    local.add_on("fe80::1".parse().unwrap(), NonZeroU32::new(2).unwrap());
    let mut table = FlowTable::<()>::new(TableConfig {
        local: Some(local),
        ..TableConfig::default()
    });
    let packets = [
        on(2, udp(1, one, other)),
        on(3, udp(1, one, other)),
        on(2, udp(1, other, one)),
        on(0, udp(1, one, other)),
    ];
    feed(&mut table, &packets);
    let mut flows: Vec<_> = table.iter().collect();
    flows.sort_by_key(|flow| flow.id());
    let told: Vec<_> = flows
        .iter()
        .map(|flow| {
            (
                flow.local().to_string(),
                flow.direction(),
                flow.total().packets,
            )
        })
        .collect();
    let expected = [
        ("[fe80::1%2]:40000".to_owned(), Direction::Outgoing, 2),
        // Another host's, though this one has the same address elsewhere.
        ("[fe80::1%3]:40000".to_owned(), Direction::Forwarded, 1),
        ("[fe80::1]:40000".to_owned(), Direction::Outgoing, 1),
    ];
    assert_eq!(told, expected);
    assert_eq!(flows[0].remote().to_string(), "[fe80::2%2]:443");
    assert_eq!(flows[0].device(), NonZeroU32::new(2));
}

proptest! {
    /// What arrived with this host's address, or for another host, never adds a byte to other
    /// flows, whatever its five-tuple; nothing is lost.
    #[test]
    fn classes_are_never_added_up(
        packets in proptest::collection::vec(any_packet(), 0..100),
    ) {
        let ours: std::net::IpAddr = "10.0.0.1".parse().unwrap();
        let mut table = table(1_000);
        let mut ended = Vec::new();
        let mut expected = [Counters::default(); 3];
        for packet in &packets {
            table.ingest(packet, &mut ended);
            let class = match packet.origin {
                Origin::OtherHost
                    if [packet.source, packet.destination].iter().any(|end| end.ip() == ours) =>
                {
                    2
                }
                Origin::Received if packet.source.ip() == ours => 1,
                _ => 0,
            };
            expected[class] += Counters::one(packet.wire_len, packet.payload_len);
        }
        let mut counted = [Counters::default(); 3];
        for flow in table.iter().chain(ended.iter().map(|ended| &ended.flow)) {
            let class = match flow.direction() {
                Direction::Overheard => 2,
                Direction::Spoofed => 1,
                _ => 0,
            };
            counted[class] += flow.total();
            prop_assert_eq!(flow.sent() + flow.received(), flow.total());
            prop_assert!(class == 0 || flow.sent() == Counters::default());
        }
        prop_assert_eq!(counted, expected);
    }
}
