use std::collections::HashMap;
use std::net::SocketAddr;

use proptest::prelude::*;

use super::Change::{Closed, Continued, Opened};
use super::*;
use crate::{Counters, Fragment, Protocol, State, Tcp, TcpFlags};

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
fn absurd_times_do_no_harm() {
    let mut table = table(10);
    let mut ended = Vec::new();
    for time in [Duration::MAX, Duration::ZERO, seconds(1)] {
        table.ingest(
            &Packet {
                time,
                ..udp(0, A, B)
            },
            &mut ended,
        );
    }
    table.advance(Duration::MAX, &mut ended);
    assert_eq!(table.statistics().backwards, 2);
    assert_eq!(table.iter().next().unwrap().total().packets, 3);
}

fn any_packet() -> impl Strategy<Value = Packet> {
    let end =
        (1..4_u8, 0..3_u16).prop_map(|(host, port)| SocketAddr::from(([10, 0, 0, host], port)));
    let protocol = prop_oneof![
        Just(Protocol::TCP),
        Just(Protocol::UDP),
        Just(Protocol::ICMP),
        Just(Protocol::GRE),
    ];
    let time = prop_oneof![
        8 => (0..400_u64).prop_map(seconds),
        1 => (0..40_000_u64).prop_map(seconds),
        1 => Just(Duration::MAX),
    ];
    let fragment = proptest::option::weighted(0.2, (0..2_u32, 0..2_u32, any::<bool>()));
    let tcp = (any::<u8>(), 0..3_u32);
    (
        time,
        end.clone(),
        end,
        protocol,
        any::<(u32, u32)>(),
        tcp,
        fragment,
    )
        .prop_map(
            |(time, source, destination, protocol, (wire_len, payload_len), tcp, fragment)| {
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
                }
            },
        )
}

proptest! {
    /// Every packet is in exactly one flow, live or ended, whatever happens; the
    /// bound holds; the same packets give the same flows.
    #[test]
    fn nothing_is_lost(
        packets in proptest::collection::vec(any_packet(), 0..200),
        capacity in 1..6_usize,
    ) {
        let run = || {
            let mut table = table(capacity);
            let mut ended = Vec::new();
            for (count, packet) in packets.iter().enumerate() {
                let update = table.ingest(packet, &mut ended);
                prop_assert!(table.len() <= capacity);
                prop_assert!(table.flow(update.id).is_some());
                let live = table.iter().map(Flow::total);
                let left = ended.iter().map(|ended| ended.flow.total());
                let total: Counters = live.chain(left).sum();
                let expected: Counters = packets[..=count]
                    .iter()
                    .map(|packet| Counters::one(packet.wire_len, packet.payload_len))
                    .sum();
                prop_assert_eq!(total, expected);
            }
            table.drain(&mut ended);
            prop_assert!(table.is_empty());
            Ok(ended)
        };
        prop_assert_eq!(run()?, run()?);
    }

    /// Where nothing expires, is evicted, fragmented or reopened, the table is a
    /// map from five-tuples to sums.
    #[test]
    fn agrees_with_a_plain_map(packets in proptest::collection::vec(any_packet(), 0..200)) {
        let mut table = table(1_000);
        let mut ended = Vec::new();
        let mut expected: HashMap<FlowKey, Counters> = HashMap::new();
        for packet in packets {
            let packet = Packet { time: seconds(1), fragment: None, tcp: None, ..packet };
            table.ingest(&packet, &mut ended);
            *expected.entry(FlowKey::of(&packet)).or_default() +=
                Counters::one(packet.wire_len, packet.payload_len);
        }
        let found: HashMap<_, _> = table.iter().map(|flow| (flow.key(), flow.total())).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(ended.is_empty());
    }
}
