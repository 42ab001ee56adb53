//! What makes packets belong together.

use std::net::{IpAddr, SocketAddr};

use crate::{Packet, Protocol};

/// The canonical five-tuple: both directions of a flow have the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowKey {
    protocol: Protocol,
    low: SocketAddr,
    high: SocketAddr,
}

impl FlowKey {
    /// The key of what goes between two ends, whichever sends.
    pub fn new(protocol: Protocol, one: SocketAddr, other: SocketAddr) -> Self {
        let (one, other) = (normalize(one), normalize(other));
        Self {
            protocol,
            low: one.min(other),
            high: one.max(other),
        }
    }

    /// The key of a packet.
    pub fn of(packet: &Packet) -> Self {
        Self::new(packet.protocol, packet.source, packet.destination)
    }

    /// The protocol above IP.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Both ends, the lower address first.
    pub const fn ends(&self) -> (SocketAddr, SocketAddr) {
        (self.low, self.high)
    }
}

/// One form for each address: v4-mapped IPv6 (RFC 4291, 2.5.5.2) is IPv4; flow
/// label and scope, which are no part of a packet's address, are dropped.
pub(crate) fn normalize(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let ip = v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4);
            SocketAddr::new(ip, address.port())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: [&str; 2], other: [&str; 2], same: bool) {
        let key =
            |[a, b]: [&str; 2]| FlowKey::new(Protocol::UDP, a.parse().unwrap(), b.parse().unwrap());
        assert_eq!(key(one) == key(other), same);
    }

    #[test]
    fn canonical() {
        let flow = ["10.0.0.1:1", "10.0.0.2:2"];
        check(flow, ["10.0.0.2:2", "10.0.0.1:1"], true);
        check(flow, ["[::ffff:10.0.0.2]:2", "[::ffff:10.0.0.1]:1"], true);
        check(flow, ["10.0.0.2:1", "10.0.0.1:2"], false);
        check(
            ["[fe80::1%1]:1", "[fe80::2]:2"],
            ["[fe80::2%2]:2", "[fe80::1]:1"],
            true,
        );
    }
}
