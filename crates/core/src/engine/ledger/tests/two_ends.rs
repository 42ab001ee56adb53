//! A ledger of a small host, and datagrams between two ends of it: what the tests of owners that
//! change begin with.

use std::time::Duration;

use flowner_flows::{Origin, Packet, Protocol};

use crate::engine::ledger::{Ledger, OwnerScope};
use crate::model::config::Limits;

pub(in crate::engine::ledger) const HERE: &str = "10.0.0.1:40000";
pub(in crate::engine::ledger) const THERE: &str = "10.9.9.9:53";

pub(in crate::engine::ledger) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(in crate::engine::ledger) fn ledger() -> Ledger {
    let limits = Limits {
        flows: 100,
        ended_flows: 10_000,
        groups: 100,
        events: 0,
    };
    let local = ["10.0.0.1".parse().unwrap()].into_iter().collect();
    Ledger::new(&limits, Some(local), OwnerScope::Own, true)
}

/// A datagram that this host sent, or got.
pub(in crate::engine::ledger) fn packet(time: Duration, is_local: bool) -> Packet {
    let (source, destination) = if is_local {
        (HERE, THERE)
    } else {
        (THERE, HERE)
    };
    Packet {
        time,
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        protocol: Protocol::UDP,
        wire_len: 100,
        payload_len: 60,
        tcp: None,
        icmp: None,
        fragment: None,
        origin: Origin::Unknown,
        device: None,
    }
}
