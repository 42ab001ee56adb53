//! The key of a flow.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::NonZeroU32;

use crate::address::{Direction, LocalAddresses, normalize};
use crate::packet::{About, Origin, Packet, Protocol};

/// The key of a flow: the canonical five-tuple, equal for both directions; the devices of
/// link-local addresses; and whether the packets are what they claim to be.
///
/// It is small and compares in a few words, because the table looks it up for every packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowKey {
    /// The lower end first.
    addresses: [Address; 2],
    ports: [u16; 2],
    protocol: Protocol,
    marks: Marks,
}

/// The bits of an IPv6 address, or of an IPv4 address mapped to one (RFC 4291, 2.5.5.2). Two
/// halves, so that it needs no padding.
///
/// A link-local address has the index of its device in bits 32 to 63, which are zero on the wire
/// (RFC 4291, 2.5.6): the same address on another device belongs to another host. [`Marks`]
/// distinguishes that from an address that arrived with such bits.
type Address = [u64; 2];

/// The prefix of a mapped IPv4 address.
const MAPPED: u64 = 0xffff_0000_0000;

/// The first half of a link-local address, whose other bits are zero.
const LINK_LOCAL: u64 = 0xfe80 << 48;

/// The class of packets of one five-tuple. The table never adds up classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Packets that are what they claim to be, as far as known.
    Genuine = 0,
    /// Packets that arrived with a source address of this host.
    Spoofed = 1,
    /// Packets that arrived in a frame for another host, with an address of this one.
    Overheard = 2,
}

impl Class {
    /// The class of a packet, on a host with these addresses.
    pub(crate) fn of(packet: &Packet, local: Option<&LocalAddresses>) -> Self {
        let is_ours = |end| {
            let ip = normalize(end).ip();
            local.is_some_and(|local| local.contains_on(ip, packet.device))
        };
        match packet.origin {
            // Between other hosts it is genuine, such as a packet that a bridge passes from one
            // container of this host to another.
            Origin::OtherHost if is_ours(packet.source) || is_ours(packet.destination) => {
                Self::Overheard
            }
            Origin::Received if is_ours(packet.source) => Self::Spoofed,
            Origin::Sent
            | Origin::Received
            | Origin::OtherHost
            | Origin::Loopback
            | Origin::Unknown => Self::Genuine,
        }
    }
}

impl Direction {
    /// The direction of a flow of a class, on a device.
    pub(crate) fn of_class(
        class: Class,
        [initiator, responder]: [IpAddr; 2],
        device: Option<NonZeroU32>,
        local: Option<&LocalAddresses>,
    ) -> Self {
        match class {
            Class::Genuine => Self::of([initiator, responder], device, local),
            Class::Spoofed => Self::Spoofed,
            Class::Overheard => Self::Overheard,
        }
    }
}

/// A [`Class`], with marks for addresses that contain the index of a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Marks(u8);

impl Marks {
    const CLASS: u8 = 3;
    const LOW_HAS_DEVICE: u8 = 4;
    const HIGH_HAS_DEVICE: u8 = 8;
}

/// An end of a flow in the form that keys compare: its address, whether that contains the index of
/// a device, and its port.
type End = (Address, bool, u16);

impl FlowKey {
    /// The key of packets between two ends, in either direction. The scope of a link-local address
    /// is the index of its device, or 0 if that is unknown.
    pub fn new(protocol: Protocol, one: SocketAddr, other: SocketAddr) -> Self {
        Self::with_order(protocol, [one, other], Class::Genuine).0
    }

    /// The key of a packet, on a host with these addresses.
    pub fn of(packet: &Packet, local: Option<&LocalAddresses>) -> Self {
        Self::of_packet(packet, local).0
    }

    /// As [`of`](Self::of), and whether the first of the [`ends`](Self::ends) sent it.
    pub(crate) fn of_packet(packet: &Packet, local: Option<&LocalAddresses>) -> (Self, bool) {
        let ends = [packet.source, packet.destination].map(|end| scoped(end, packet.device, local));
        Self::with_order(packet.protocol, ends, Class::of(packet, local))
    }

    /// The key of the packet that an ICMP error quotes, captured as `error`, and whether the first
    /// of the [`ends`](Self::ends) sent it.
    pub(crate) fn of_quoted(
        about: &About,
        error: &Packet,
        local: Option<&LocalAddresses>,
    ) -> (Self, bool) {
        let ends = [about.source, about.destination].map(|end| scoped(end, error.device, local));
        Self::with_order(about.protocol, ends, Class::Genuine)
    }

    /// As [`new`](Self::new), and whether `one` is the first of the [`ends`](Self::ends).
    fn with_order(protocol: Protocol, [one, other]: [SocketAddr; 2], class: Class) -> (Self, bool) {
        let (low, high) = (end(one), end(other));
        let is_low = low <= high;
        let (low, high) = if is_low { (low, high) } else { (high, low) };
        let mark = |has_device, mark| if has_device { mark } else { 0 };
        let marks =
            class as u8 | mark(low.1, Marks::LOW_HAS_DEVICE) | mark(high.1, Marks::HIGH_HAS_DEVICE);
        let key = Self {
            addresses: [low.0, high.0],
            ports: [low.2, high.2],
            protocol,
            marks: Marks(marks),
        };
        (key, is_low)
    }

    /// The key that this packet would have if it were what it claims to be, and whether the first of
    /// the [`ends`](Self::ends) sent it. This is its key.
    pub(crate) fn genuine(&self, packet: &Packet) -> (Self, bool) {
        let key = Self {
            marks: Marks(self.marks.0 & !Marks::CLASS),
            ..*self
        };
        let source = normalize(packet.source);
        let (low, high) = self.ends();
        let is_low = low.ip() == source.ip() && low.port() == source.port();
        (key, is_low || low == high)
    }

    pub(crate) const fn class(&self) -> Class {
        match self.marks.0 & Marks::CLASS {
            0 => Class::Genuine,
            1 => Class::Spoofed,
            _ => Class::Overheard,
        }
    }

    /// The protocol above IP.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Both ends, the lower address first: as the bits of IPv6, to which IPv4 is mapped. A
    /// link-local address has the index of its device as its scope, where that is known.
    pub const fn ends(&self) -> (SocketAddr, SocketAddr) {
        let [low, high] = self.addresses;
        (
            socket_address(low, self.has(Marks::LOW_HAS_DEVICE), self.ports[0]),
            socket_address(high, self.has(Marks::HIGH_HAS_DEVICE), self.ports[1]),
        )
    }

    /// The id of ICMP requests and replies; `None` for all other packets.
    pub const fn icmp_id(&self) -> Option<u16> {
        let id = self.ports[0] | self.ports[1];
        match self.protocol {
            Protocol::ICMP | Protocol::ICMPV6 if id != 0 => Some(id),
            _ => None,
        }
    }

    const fn has(&self, mark: u8) -> bool {
        self.marks.0 & mark != 0
    }
}

impl Hash for FlowKey {
    /// Hashes the key as one block, as short as possible: the cost of a keyed hash is its number of
    /// words and calls.
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
        put(&[self.protocol.0, self.marks.0, 0, 0]);
        state.write(&block[..len]);
    }
}

impl fmt::Debug for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.ends();
        write!(f, "FlowKey({} {low} {high})", self.protocol)
    }
}

/// Protocol and [`ends`](FlowKey::ends): `tcp 10.0.0.2:40000 <-> 10.0.0.3:443`, and
/// `icmp 10.0.0.2 <-> 10.0.0.3 id 7`.
impl fmt::Display for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.ends();
        if self.protocol.has_ports() {
            return write!(f, "{} {low} <-> {high}", self.protocol);
        }
        write!(f, "{} {} <-> {}", self.protocol, low.ip(), high.ip())?;
        match self.icmp_id() {
            Some(id) => write!(f, " id {id}"),
            None => Ok(()),
        }
    }
}

/// An end, with the index of the device of a link-local address in it.
fn end(address: SocketAddr) -> End {
    let bits = bits(address.ip());
    match address {
        SocketAddr::V6(v6) if bits[0] == LINK_LOCAL && v6.scope_id() != 0 => {
            let [upper, lower] = bits;
            let bits = [upper | u64::from(v6.scope_id()), lower];
            (bits, true, address.port())
        }
        _ => (bits, false, address.port()),
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
        reason = "the upper half was checked"
    )]
    let v4 = lower as u32;
    if upper == 0 && lower & !(u32::MAX as u64) == MAPPED {
        Some(v4)
    } else {
        None
    }
}

const fn socket_address([upper, lower]: Address, has_device: bool, port: u16) -> SocketAddr {
    if let Some(v4) = v4([upper, lower]) {
        let v4 = Ipv4Addr::from_bits(v4);
        return SocketAddr::V4(SocketAddrV4::new(v4, port));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the rest is the address")]
    let (upper, scope) = if has_device {
        (LINK_LOCAL, upper as u32)
    } else {
        (upper, 0)
    };
    let v6 = Ipv6Addr::from_bits((upper as u128) << 64 | lower as u128);
    SocketAddr::V6(SocketAddrV6::new(v6, port, 0, scope))
}

/// The [normalised](normalize) address of a packet that was captured on a device, which is the
/// scope of a link-local one. On the loopback device, the scope is the device that has it.
pub(crate) fn scoped(
    address: SocketAddr,
    device: Option<NonZeroU32>,
    local: Option<&LocalAddresses>,
) -> SocketAddr {
    let mut address = normalize(address);
    if let SocketAddr::V6(v6) = &mut address
        && bits(IpAddr::V6(*v6.ip()))[0] == LINK_LOCAL
    {
        let scope = local.map_or(device, |local| local.scope_of(*v6.ip(), device));
        v6.set_scope_id(scope.map_or(0, NonZeroU32::get));
    }
    address
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(one: [&str; 2], other: [&str; 2], same: bool) {
        let key =
            |[a, b]: [&str; 2]| FlowKey::new(Protocol::UDP, a.parse().unwrap(), b.parse().unwrap());
        assert_eq!(key(one) == key(other), same);
    }

    /// Records the bytes that a hasher receives.
    #[derive(Default)]
    struct Written(Vec<Vec<u8>>);

    impl Hasher for Written {
        fn write(&mut self, bytes: &[u8]) {
            self.0.push(bytes.to_vec());
        }

        fn finish(&self) -> u64 {
            unreachable!()
        }
    }

    #[test]
    fn keys_are_hashed_as_one_short_block_without_loss() {
        let block = |protocol, ends: [&str; 2]| {
            let [one, other] = ends.map(|end| end.parse().unwrap());
            let mut with_order = Written::default();
            FlowKey::new(protocol, one, other).hash(&mut with_order);
            let [block] = <[_; 1]>::try_from(with_order.0).unwrap();
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
    fn displayed_lower_end_first() {
        let [one, other] = ["10.0.0.3:443", "10.0.0.2:40000"].map(|end| end.parse().unwrap());
        let key = FlowKey::new(Protocol::TCP, one, other);
        assert_eq!(key.to_string(), "tcp 10.0.0.2:40000 <-> 10.0.0.3:443");
    }

    #[test]
    fn an_id_is_no_port() {
        let ends = ["10.0.0.3:0", "10.0.0.2:7"].map(|end| end.parse().unwrap());
        let key = FlowKey::new(Protocol::ICMP, ends[0], ends[1]);
        assert_eq!(key.to_string(), "icmp 10.0.0.2 <-> 10.0.0.3 id 7");
        assert_eq!(key.icmp_id(), Some(7));
        let key = FlowKey::new(Protocol::GRE, ends[0], ends[0]);
        assert_eq!(key.to_string(), "gre 10.0.0.3 <-> 10.0.0.3");
        assert_eq!(key.icmp_id(), None);
    }

    #[test]
    fn canonical() {
        let flow = ["10.0.0.1:1", "10.0.0.2:2"];
        check(flow, ["10.0.0.2:2", "10.0.0.1:1"], true);
        check(flow, ["[::ffff:10.0.0.2]:2", "[::ffff:10.0.0.1]:1"], true);
        check(flow, ["10.0.0.2:1", "10.0.0.1:2"], false);
        check(
            ["[2001:db8::1%1]:1", "[2001:db8::2]:2"],
            ["[2001:db8::2%2]:2", "[2001:db8::1]:1"],
            true,
        );
        check(
            ["[fe80::1%1]:1", "[fe80::2%1]:2"],
            ["[fe80::2%1]:2", "[fe80::1%1]:1"],
            true,
        );
        check(
            ["[fe80::1%1]:1", "[fe80::2%1]:2"],
            ["[fe80::1%2]:1", "[fe80::2%2]:2"],
            false,
        );
        check(
            ["[fe80::1%1]:1", "[fe80::2%1]:2"],
            ["[fe80::1]:1", "[fe80::2]:2"],
            false,
        );
        // A host may send such an address.
        check(
            ["[fe80:0:0:1::1]:1", "[fe80:0:0:1::2]:2"],
            ["[fe80::1%1]:1", "[fe80::2%1]:2"],
            false,
        );
    }

    proptest! {
        /// Keys differ if any part of them differs, and give their parts back.
        #[test]
        fn gives_back_what_it_is_made_of(one in any_end(), other in any_end()) {
            let key = FlowKey::new(Protocol::UDP, one, other);
            let (low, high) = key.ends();
            prop_assert!((low, high) == (one, other) || (high, low) == (one, other));
            prop_assert_eq!(FlowKey::new(Protocol::UDP, other, one), key);
        }
    }

    fn any_end() -> impl Strategy<Value = SocketAddr> {
        let v6 =
            (0..4_u32, 0..3_u32, 0..2_u16, 0..3_u32).prop_map(|(middle, host, port, scope)| {
                let ip = u128::from(middle) << 64 | u128::from(host) | 0xfe80 << 112;
                // The bits are a scope only there.
                let scope = if middle == 0 { scope } else { 0 };
                SocketAddrV6::new(Ipv6Addr::from_bits(ip), port, 0, scope).into()
            });
        let v4 = (0..3_u32, 0..2_u16)
            .prop_map(|(host, port)| SocketAddrV4::new(Ipv4Addr::from_bits(host), port).into());
        prop_oneof![v6, v4]
    }
}
