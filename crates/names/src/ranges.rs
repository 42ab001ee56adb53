//! Ranges of addresses that have a meaning of their own, and well-known multicast groups.
//!
//! From the registries of IANA: "IPv4 Special-Purpose Address", "IPv6 Special-Purpose Address" (both
//! RFC 6890), "IPv4 Multicast Address Space" and "IPv6 Multicast Address Space". The RFC of each range
//! stands beside it. Pure.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range of addresses that is no ordinary part of the Internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Range {
    /// `0.0.0.0/8` (RFC 791) and `::` (RFC 4291): this host, as long as it has no address.
    ThisNetwork,
    /// `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16` (RFC 1918).
    Private,
    /// `100.64.0.0/10` (RFC 6598): between providers that translate addresses (CGNAT) and customers.
    SharedAddressSpace,
    /// `127.0.0.0/8` (RFC 1122) and `::1` (RFC 4291).
    Loopback,
    /// `169.254.0.0/16` (RFC 3927) and `fe80::/10` (RFC 4291).
    LinkLocal,
    /// `fc00::/7` (RFC 4193): what private addresses are in IPv6.
    UniqueLocal,
    /// `192.0.2.0/24`, `198.51.100.0/24`, `203.0.113.0/24` (RFC 5737), `2001:db8::/32` (RFC 3849)
    /// and `3fff::/20` (RFC 9637).
    Documentation,
    /// `198.18.0.0/15` (RFC 2544) and `2001:2::/48` (RFC 5180).
    Benchmarking,
    /// `224.0.0.0/4` (RFC 5771) and `ff00::/8` (RFC 4291).
    Multicast,
    /// `255.255.255.255` (RFC 8190). The broadcast addresses of networks are not here: their prefixes
    /// decide on them.
    Broadcast,
    /// `2002::/16` (RFC 3056), and `192.88.99.0/24`, which relays had (RFC 7526).
    SixToFour,
    /// `2001::/32` (RFC 4380).
    Teredo,
    /// `64:ff9b::/96` (RFC 6052) and `64:ff9b:1::/48` (RFC 8215): IPv4 addresses for hosts with IPv6.
    /// Also `192.0.0.170/31`, by which hosts find such a translator (RFC 8880).
    Nat64,
    /// `100::/64` (RFC 6666): routers discard what is sent there.
    Discard,
    /// `192.0.0.0/24` and `2001::/23` (RFC 6890, RFC 2928), apart from the ranges in it that are listed
    /// here.
    Protocols,
    /// `240.0.0.0/4` (RFC 1112), but not the broadcast address.
    Reserved,
}

impl Range {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::ThisNetwork,
        Self::Private,
        Self::SharedAddressSpace,
        Self::Loopback,
        Self::LinkLocal,
        Self::UniqueLocal,
        Self::Documentation,
        Self::Benchmarking,
        Self::Multicast,
        Self::Broadcast,
        Self::SixToFour,
        Self::Teredo,
        Self::Nat64,
        Self::Discard,
        Self::Protocols,
        Self::Reserved,
    ];

    /// As text, such as `private`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ThisNetwork => "this-network",
            Self::Private => "private",
            Self::SharedAddressSpace => "cgnat",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::UniqueLocal => "unique-local",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::SixToFour => "6to4",
            Self::Teredo => "teredo",
            Self::Nat64 => "nat64",
            Self::Discard => "discard",
            Self::Protocols => "ietf-protocols",
            Self::Reserved => "reserved",
        }
    }

    /// The range of an address: the narrowest one that contains it. `None` for an ordinary address.
    /// An IPv4 address mapped to IPv6 is an IPv4 address.
    #[must_use]
    pub fn of(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            IpAddr::V4(address) => narrowest(&IPV4, 96, u128::from(address.to_bits())),
            IpAddr::V6(address) => narrowest(&IPV6, 0, address.to_bits()),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A prefix: its first address and its length, in bits.
type Prefix = (u128, u32, Range);

/// Bits before the address within those of the table are not compared.
fn narrowest(prefixes: &[Prefix], unused: u32, address: u128) -> Option<Range> {
    let contains = |(first, length, _): &&Prefix| {
        let rest = 128 - unused - length;
        (first ^ address).checked_shr(rest).unwrap_or(0) == 0
    };
    let fitting = prefixes.iter().filter(contains);
    let narrowest = fitting.max_by_key(|(_, length, _)| *length)?;
    Some(narrowest.2)
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u32, range: Range) -> Prefix {
    (Ipv4Addr::new(a, b, c, d).to_bits() as u128, length, range)
}

const IPV4: [Prefix; 17] = [
    v4(0, 0, 0, 0, 8, Range::ThisNetwork),
    v4(10, 0, 0, 0, 8, Range::Private),
    v4(100, 64, 0, 0, 10, Range::SharedAddressSpace),
    v4(127, 0, 0, 0, 8, Range::Loopback),
    v4(169, 254, 0, 0, 16, Range::LinkLocal),
    v4(172, 16, 0, 0, 12, Range::Private),
    v4(192, 0, 0, 0, 24, Range::Protocols),
    v4(192, 0, 2, 0, 24, Range::Documentation),
    v4(192, 88, 99, 0, 24, Range::SixToFour),
    v4(192, 168, 0, 0, 16, Range::Private),
    v4(198, 18, 0, 0, 15, Range::Benchmarking),
    v4(198, 51, 100, 0, 24, Range::Documentation),
    v4(203, 0, 113, 0, 24, Range::Documentation),
    v4(224, 0, 0, 0, 4, Range::Multicast),
    v4(240, 0, 0, 0, 4, Range::Reserved),
    v4(255, 255, 255, 255, 32, Range::Broadcast),
    v4(192, 0, 0, 170, 31, Range::Nat64),
];

const fn v6(a: u16, b: u16, c: u16, length: u32, range: Range) -> Prefix {
    let first = Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_bits();
    (first, length, range)
}

const IPV6: [Prefix; 14] = [
    v6(0, 0, 0, 128, Range::ThisNetwork),
    (1, 128, Range::Loopback),
    v6(0x64, 0xff9b, 0, 96, Range::Nat64),
    v6(0x64, 0xff9b, 1, 48, Range::Nat64),
    v6(0x100, 0, 0, 64, Range::Discard),
    v6(0x2001, 0, 0, 23, Range::Protocols),
    v6(0x2001, 0, 0, 32, Range::Teredo),
    v6(0x2001, 2, 0, 48, Range::Benchmarking),
    v6(0x2001, 0xdb8, 0, 32, Range::Documentation),
    v6(0x2002, 0, 0, 16, Range::SixToFour),
    v6(0x3fff, 0, 0, 20, Range::Documentation),
    v6(0xfc00, 0, 0, 7, Range::UniqueLocal),
    v6(0xfe80, 0, 0, 10, Range::LinkLocal),
    v6(0xff00, 0, 0, 8, Range::Multicast),
];

/// What a well-known multicast group is for, such as `mDNS`. `None` for others.
#[must_use]
pub fn multicast_group(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => group_of_v4(address),
        IpAddr::V6(address) => group_of_v6(address),
    }
}

fn group_of_v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [224, 0, 0, 1] => "all hosts",
        [224, 0, 0, 2] => "all routers",
        [224, 0, 0, 5 | 6] => "OSPF",
        [224, 0, 0, 9] => "RIPv2",
        [224, 0, 0, 10] => "EIGRP",
        [224, 0, 0, 13] => "PIM",
        [224, 0, 0, 18] => "VRRP",
        [224, 0, 0, 22] => "IGMPv3",
        [224, 0, 0, 251] => "mDNS",
        [224, 0, 0, 252] => "LLMNR",
        [224, 0, 1, 1] => "NTP",
        [224, 0, 1, 129] => "PTP",
        [239, 255, 255, 250] => "SSDP",
        _ => return None,
    })
}

/// The second byte is flags and scope: groups of a variable scope have any.
fn group_of_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [first, 0, 0, 0, 0, 0, high, low] = address.segments() else {
        return None;
    };
    // Only those that IANA gives away: the flags are 0 (RFC 4291, section 2.7).
    if first & 0xfff0 != 0xff00 {
        return None;
    }
    let scope = first & 0xf;
    Some(match (scope, high, low) {
        (1 | 2, 0, 1) => "all hosts",
        (1 | 2 | 5, 0, 2) => "all routers",
        (2, 0, 5 | 6) => "OSPF",
        (2, 0, 9) => "RIPng",
        (2, 0, 0xa) => "EIGRP",
        (2, 0, 0xd) => "PIM",
        (2, 0, 0x12) => "VRRP",
        (2, 0, 0x16) => "MLDv2",
        (2, 1, 2) | (5, 1, 3) => "DHCPv6",
        (2, 1, 3) => "LLMNR",
        (_, 0, 0xc) => "SSDP",
        (_, 0, 0xfb) => "mDNS",
        (_, 0, 0x101) => "NTP",
        (_, 0, 0x181) => "PTP",
        _ => return None,
    })
}
