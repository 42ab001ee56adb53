//! What makes packets belong together.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{Packet, Protocol};

/// The canonical five-tuple: both directions of a flow have the same key.
///
/// It is small and compared in a few words, because it is looked up for every packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowKey {
    /// The lower end first.
    addresses: [Address; 2],
    ports: [u16; 2],
    protocol: Protocol,
}

/// The bits of an IPv6 address, an IPv4 address mapped to one (RFC 4291, 2.5.5.2). In halves,
/// so that it needs no more room than it has bits.
type Address = [u64; 2];

/// What stands before an IPv4 address in a mapped one.
const MAPPED: u64 = 0xffff_0000_0000;

impl FlowKey {
    /// The key of what goes between two ends, whichever sends.
    pub fn new(protocol: Protocol, one: SocketAddr, other: SocketAddr) -> Self {
        Self::told(protocol, one, other).0
    }

    /// The key of a packet.
    pub fn of(packet: &Packet) -> Self {
        Self::new(packet.protocol, packet.source, packet.destination)
    }

    /// As [`new`](Self::new), and whether `one` is the first of the [`ends`](Self::ends).
    pub(crate) fn told(protocol: Protocol, one: SocketAddr, other: SocketAddr) -> (Self, bool) {
        let (low, high) = (
            (bits(one.ip()), one.port()),
            (bits(other.ip()), other.port()),
        );
        let is_low = low <= high;
        let (low, high) = if is_low { (low, high) } else { (high, low) };
        let key = Self {
            addresses: [low.0, high.0],
            ports: [low.1, high.1],
            protocol,
        };
        (key, is_low)
    }

    /// The protocol above IP.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Both ends, the lower address first: as the bits of IPv6, to which IPv4 is mapped.
    pub const fn ends(&self) -> (SocketAddr, SocketAddr) {
        let [low, high] = self.addresses;
        (
            SocketAddr::new(address(low), self.ports[0]),
            SocketAddr::new(address(high), self.ports[1]),
        )
    }
}

impl Hash for FlowKey {
    /// As one block, the shortest that tells it: what a keyed hash costs is the number of its
    /// words, and of the calls for them.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut block = [0; 40];
        let mut len = 0;
        let mut put = |bytes: &[u8]| {
            block[len..len + bytes.len()].copy_from_slice(bytes);
            len += bytes.len();
        };
        let [low, high] = self.addresses;
        match (v4(low), v4(high)) {
            (Some(low), Some(high)) => {
                put(&low.to_ne_bytes());
                put(&high.to_ne_bytes());
            }
            _ => [low[0], low[1], high[0], high[1]]
                .iter()
                .for_each(|half| put(&half.to_ne_bytes())),
        }
        put(&self.ports[0].to_ne_bytes());
        put(&self.ports[1].to_ne_bytes());
        put(&u32::from(self.protocol.0).to_ne_bytes());
        state.write(&block[..len]);
    }
}

impl fmt::Debug for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.ends();
        write!(f, "FlowKey({} {low} {high})", self.protocol)
    }
}

/// Protocol and [`ends`](FlowKey::ends): `tcp 10.0.0.2:40000 <-> 10.0.0.3:443`.
impl fmt::Display for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.ends();
        write!(f, "{} {low} <-> {high}", self.protocol)
    }
}

fn bits(address: IpAddr) -> Address {
    match address {
        IpAddr::V4(v4) => [0, MAPPED | u64::from(v4.to_bits())],
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the halves are taken apart"
            )]
            let halves = [(bits >> 64) as u64, bits as u64];
            halves
        }
    }
}

/// The bits of an IPv4 address, if it is one.
const fn v4([upper, lower]: Address) -> Option<u32> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the upper half was looked at"
    )]
    let v4 = lower as u32;
    if upper == 0 && lower & !(u32::MAX as u64) == MAPPED {
        Some(v4)
    } else {
        None
    }
}

const fn address(bits: Address) -> IpAddr {
    if let Some(v4) = v4(bits) {
        return IpAddr::V4(Ipv4Addr::from_bits(v4));
    }
    let bits = (bits[0] as u128) << 64 | bits[1] as u128;
    IpAddr::V6(Ipv6Addr::from_bits(bits))
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

    /// What is told to a hasher.
    #[derive(Default)]
    struct Told(Vec<Vec<u8>>);

    impl Hasher for Told {
        fn write(&mut self, bytes: &[u8]) {
            self.0.push(bytes.to_vec());
        }

        fn finish(&self) -> u64 {
            unreachable!()
        }
    }

    #[test]
    fn hashed_as_one_short_block_that_tells_all() {
        let block = |protocol, ends: [&str; 2]| {
            let [one, other] = ends.map(|end| end.parse().unwrap());
            let mut told = Told::default();
            FlowKey::new(protocol, one, other).hash(&mut told);
            let [block] = <[_; 1]>::try_from(told.0).unwrap();
            block
        };
        let v4 = block(Protocol::UDP, ["10.0.0.1:1", "10.0.0.2:2"]);
        assert_eq!(v4.len(), 16);
        let v6 = block(Protocol::UDP, ["[2001:db8::1]:1", "[2001:db8::2]:2"]);
        assert_eq!(v6.len(), 40);
        let others = [
            block(Protocol::TCP, ["10.0.0.1:1", "10.0.0.2:2"]),
            block(Protocol::UDP, ["10.0.0.3:1", "10.0.0.2:2"]),
            block(Protocol::UDP, ["10.0.0.1:1", "10.0.0.3:2"]),
            block(Protocol::UDP, ["10.0.0.1:2", "10.0.0.2:1"]),
            block(Protocol::UDP, ["[2001:db8::1]:1", "10.0.0.2:2"]),
            block(Protocol::UDP, ["[2001:db8::1]:1", "[2001:db8:1::2]:2"]),
            block(Protocol::UDP, ["[2001:db8::1]:1", "[2001:db8::2]:3"]),
        ];
        for other in others {
            assert!(other != v4 && other != v6);
        }
    }

    #[test]
    fn told_lower_end_first() {
        let [one, other] = ["10.0.0.3:443", "10.0.0.2:40000"].map(|end| end.parse().unwrap());
        let key = FlowKey::new(Protocol::TCP, one, other);
        assert_eq!(key.to_string(), "tcp 10.0.0.2:40000 <-> 10.0.0.3:443");
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
