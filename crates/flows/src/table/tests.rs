mod copies;
mod cut;
mod ends;
mod errors;
mod fragments;
mod life;
mod model;
mod origin;
mod properties;
mod translated;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::Change::{Closed, Continued, Opened};
use super::*;
use crate::{About, Counters, Direction, Fragment, Icmp, Origin, Protocol, State, Tcp, TcpFlags};

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
        icmp: None,
        fragment: None,
        origin: Origin::Unknown,
        device: None,
    }
}

fn tcp(time: u64, source: &str, destination: &str, flags: TcpFlags, sequence: u32) -> Packet {
    Packet {
        tcp: Some(Tcp::new(flags, sequence)),
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

/// Ingests packets. Returns the effect of each, and the flows that left in the end with their
/// reason.
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

fn any_time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        8 => (0..400_u64).prop_map(seconds),
        1 => (0..40_000_u64).prop_map(seconds),
        1 => Just(Duration::MAX),
    ]
}

/// A message, which may quote a packet between two of the hosts.
fn any_icmp() -> impl Strategy<Value = Icmp> {
    let end = (1..4_u8, 0..3_u16).prop_map(|(host, port)| ([10, 0, 0, host], port).into());
    let protocol = prop_oneof![
        Just(Protocol::TCP),
        Just(Protocol::UDP),
        Just(Protocol::ICMP)
    ];
    let about = (end.clone(), end, protocol, proptest::option::of(0..3_u32));
    let about = about.prop_map(|(source, destination, protocol, sequence)| About {
        source,
        destination,
        protocol,
        sequence,
    });
    let kind = prop_oneof![Just(3), Just(8), Just(11)];
    (kind, 0..5_u8, proptest::option::of(about)).prop_map(|(kind, code, about)| Icmp {
        about,
        ..Icmp::new(kind, code)
    })
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
        (fragment, seen, any_icmp()),
    )
        .prop_map(
            |(time, source, destination, protocol, (wire_len, payload_len), tcp, more)| {
                let (fragment, (origin, device), icmp) = more;
                // What an error quotes is no payload of the flow that it is about.
                let is_error = protocol == Protocol::ICMP && icmp.about.is_some();
                let payload_len = if is_error { 0 } else { payload_len };
                Packet {
                    time,
                    source,
                    destination,
                    protocol,
                    wire_len,
                    payload_len,
                    tcp: (protocol == Protocol::TCP).then_some(Tcp::new(TcpFlags(tcp.0), tcp.1)),
                    icmp: (protocol == Protocol::ICMP).then_some(icmp),
                    fragment: fragment.map(|(id, offset, more)| Fragment { id, offset, more }),
                    origin,
                    device,
                }
            },
        )
}

/// One of the flows, always the same one for an index.
fn nth(table: &FlowTable, place: usize) -> Option<&Flow> {
    let mut flows: Vec<_> = table.iter().collect();
    flows.sort_by_key(|flow| flow.id());
    flows.get(place).copied()
}

#[test]
fn a_view_does_not_change() {
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
    // Flows continue, open, get evicted and end.
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
