//! The host's own addresses, and the direction of a flow by them.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;

use crate::name::named;

/// The host's own addresses, and the broadcast addresses of its networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalAddresses {
    own: HashSet<IpAddr>,
    /// Link-local addresses, which belong to the host on one device only.
    on_devices: HashSet<(Ipv6Addr, NonZeroU32)>,
    /// The loopback devices, on which packets from the host to its own addresses appear.
    loopback: HashSet<NonZeroU32>,
    /// An address of each network, and the length of its prefix.
    networks: Vec<(IpAddr, u8)>,
    broadcast: HashSet<IpAddr>,
}

impl LocalAddresses {
    /// Adds one of the host's own addresses.
    pub fn add(&mut self, address: IpAddr) {
        self.own.insert(plain(address));
    }

    /// Adds one of the host's own addresses on the device with this index. That matters for
    /// link-local addresses: on another device, the same one belongs to another host. The device
    /// with `::1` is the loopback device, on which a link-local address of any device belongs to
    /// the host.
    pub fn add_on(&mut self, address: IpAddr, device: NonZeroU32) {
        if address == IpAddr::V6(Ipv6Addr::LOCALHOST) {
            self.loopback.insert(device);
        }
        match plain(address) {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => {
                self.on_devices.insert((v6, device));
            }
            address => self.add(address),
        }
    }

    /// Adds all addresses whose first `prefix` bits are those of `address`: for the capture of
    /// another host, or of a whole network. A v4-mapped IPv6 address counts from its bit 96.
    pub fn add_network(&mut self, address: IpAddr, prefix: u8) {
        let is_mapped = address.is_ipv6() && plain(address).is_ipv4();
        let prefix = if is_mapped {
            prefix.saturating_sub(96)
        } else {
            prefix
        };
        self.networks.push((plain(address), prefix));
    }

    /// Adds the directed broadcast address of a network of this host.
    pub fn add_broadcast(&mut self, address: IpAddr) {
        self.broadcast.insert(plain(address));
    }

    /// Whether packets to this address are for this host: its own addresses, and
    /// those that never leave a host (`127.0.0.0/8`, `::1`).
    pub fn contains(&self, address: IpAddr) -> bool {
        self.contains_on(address, None)
    }

    /// As [`contains`](Self::contains), for packets on the device with this index. If the device is
    /// unknown or is the loopback device, a link-local address belongs to the host if any device
    /// has it.
    pub fn contains_on(&self, address: IpAddr, device: Option<NonZeroU32>) -> bool {
        let address = plain(address);
        address.is_loopback()
            || self.own.contains(&address)
            || self.is_on(address, device)
            || self.is_in_network(address)
    }

    fn is_on(&self, address: IpAddr, device: Option<NonZeroU32>) -> bool {
        let IpAddr::V6(v6) = address else {
            return false;
        };
        if !v6.is_unicast_link_local() {
            return false;
        }
        match device {
            Some(device) if !self.loopback.contains(&device) => {
                self.on_devices.contains(&(v6, device))
            }
            _ => self.on_devices.iter().any(|(own, _)| *own == v6),
        }
    }

    /// The device of a link-local address in a packet that was captured on `seen_on`. On the
    /// loopback device, this is the device with the address; `None` if several or none have it,
    /// because the address may belong to any of them.
    pub(crate) fn scope_of(
        &self,
        address: Ipv6Addr,
        seen_on: Option<NonZeroU32>,
    ) -> Option<NonZeroU32> {
        let seen_on = seen_on?;
        let is_there = self.on_devices.contains(&(address, seen_on));
        if is_there || !self.loopback.contains(&seen_on) {
            return Some(seen_on);
        }
        let mut having = self.on_devices.iter().filter(|(own, _)| *own == address);
        let (_, only) = having.next()?;
        having.next().is_none().then_some(*only)
    }

    /// Whether packets to this address go to many hosts: multicast, or broadcast.
    pub fn is_group(&self, address: IpAddr) -> bool {
        is_group(plain(address), Some(self))
    }

    fn is_in_network(&self, address: IpAddr) -> bool {
        let mut networks = self.networks.iter();
        networks.any(|(network, prefix)| begin_alike(*network, address, *prefix))
    }

    /// If no broadcast address is set, systems give the interface's own address in its place
    /// (getifaddrs(3) on Linux), which is no broadcast address.
    fn is_broadcast(&self, address: IpAddr) -> bool {
        self.broadcast.contains(&address) && !self.contains(address)
    }
}

impl FromIterator<IpAddr> for LocalAddresses {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        let mut local = Self::default();
        local.extend(addresses);
        local
    }
}

impl Extend<IpAddr> for LocalAddresses {
    fn extend<I: IntoIterator<Item = IpAddr>>(&mut self, addresses: I) {
        for address in addresses {
            self.add(address);
        }
    }
}

/// Whether a normalised address belongs to many hosts, which never send from it.
pub(crate) fn is_group(address: IpAddr, local: Option<&LocalAddresses>) -> bool {
    address.is_multicast() || is_broadcast(address, local)
}

fn is_broadcast(address: IpAddr, local: Option<&LocalAddresses>) -> bool {
    address == IpAddr::V4(Ipv4Addr::BROADCAST)
        || local.is_some_and(|local| local.is_broadcast(address))
}

/// Whether two addresses of one family have the same first `bits` bits.
fn begin_alike(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let differ = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => return false,
    };
    differ >= u32::from(bits)
}

/// The normal form of an address: v4-mapped IPv6 (RFC 4291, 2.5.5.2) becomes IPv4, without flow
/// label and scope, which are not part of a packet's address. (`flowner-attribution` has another
/// form, for sockets: the scope is part of a socket's address.)
pub(crate) fn normalize(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let ip = v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4);
            SocketAddr::new(ip, address.port())
        }
    }
}

fn plain(address: IpAddr) -> IpAddr {
    normalize((address, 0).into()).ip()
}

/// The direction of a flow, from the point of view of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// This host opened it.
    Outgoing,
    /// Another host opened it.
    Incoming,
    /// Both ends are on this host.
    Loopback,
    /// Neither end is on this host.
    Forwarded,
    /// To a group of hosts.
    Multicast,
    /// To all hosts of a network.
    Broadcast,
    /// It arrived from outside with a source address of this host, so no process here sent it.
    /// Another host uses the address, or a device reflects this host's packets.
    Spoofed,
    /// It arrived in frames for another host, which the device accepts in promiscuous mode, and has
    /// an address of this host. No process here sent or received it. Frames between other hosts are
    /// [`Forwarded`](Self::Forwarded).
    Overheard,
    /// The host's own addresses are unknown.
    Unknown,
}

impl Direction {
    /// Every direction.
    pub const ALL: [Self; 9] = [
        Self::Outgoing,
        Self::Incoming,
        Self::Loopback,
        Self::Forwarded,
        Self::Multicast,
        Self::Broadcast,
        Self::Spoofed,
        Self::Overheard,
        Self::Unknown,
    ];

    /// The name in lower case, as filters and JSON write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outgoing => "outgoing",
            Self::Incoming => "incoming",
            Self::Loopback => "loopback",
            Self::Forwarded => "forwarded",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Spoofed => "spoofed",
            Self::Overheard => "overheard",
            Self::Unknown => "unknown",
        }
    }

    /// Whether its packets only arrived, so that no process of this host can own an end.
    pub const fn is_foreign(self) -> bool {
        matches!(self, Self::Spoofed | Self::Overheard)
    }

    /// The direction of a flow between two normalised addresses.
    pub(crate) fn of(
        [initiator, responder]: [IpAddr; 2],
        device: Option<NonZeroU32>,
        local: Option<&LocalAddresses>,
    ) -> Self {
        if initiator.is_multicast() || responder.is_multicast() {
            return Self::Multicast;
        }
        if is_broadcast(initiator, local) || is_broadcast(responder, local) {
            return Self::Broadcast;
        }
        let Some(local) = local else {
            let stays = initiator.is_loopback() && responder.is_loopback();
            return if stays { Self::Loopback } else { Self::Unknown };
        };
        let is_ours = |end| local.contains_on(end, device);
        match (is_ours(initiator), is_ours(responder)) {
            (true, true) => Self::Loopback,
            (true, false) => Self::Outgoing,
            (false, true) => Self::Incoming,
            (false, false) => Self::Forwarded,
        }
    }
}

named!(Direction, "direction");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let mut local = LocalAddresses::default();
        local.add_network("10.1.0.0".parse().unwrap(), 16);
        local.add_network("::ffff:192.0.2.64".parse().unwrap(), 96 + 26);
        local.add_network("2001:db8::".parse().unwrap(), 32);
        for (address, expected) in [
            ("10.1.255.255", true),
            ("10.2.0.0", false),
            ("192.0.2.127", true),
            ("::ffff:192.0.2.64", true),
            ("192.0.2.128", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(
                local.contains(address.parse().unwrap()),
                expected,
                "{address}"
            );
        }
        let mut everybody = LocalAddresses::default();
        everybody.add_network("0.0.0.0".parse().unwrap(), 0);
        assert!(everybody.contains("8.8.8.8".parse().unwrap()));
        assert!(!everybody.contains("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn on_the_loopback_device_link_local_addresses_of_any_device_are_own() {
        let device = |index| NonZeroU32::new(index);
        let own = [
            ("::1", 1),
            ("fe80::2", 2),
            ("fe80::5", 2),
            ("fe80::5", 3),
            ("fe80::7", 1),
            ("fe80::7", 2),
        ];
        let mut local = LocalAddresses::default();
        for (address, on) in own {
            local.add_on(address.parse().unwrap(), device(on).unwrap());
        }
        // The address, the device of the capture, whether the address is ours, and its scope.
        for (address, seen_on, is_ours, scope) in [
            ("fe80::2", 1, true, 2),
            ("fe80::2", 2, true, 2),
            ("fe80::2", 3, false, 3),
            ("fe80::5", 1, true, 0),
            ("fe80::5", 3, true, 3),
            ("fe80::7", 1, true, 1),
            ("fe80::9", 1, false, 0),
            ("fe80::9", 2, false, 2),
        ] {
            let v6: Ipv6Addr = address.parse().unwrap();
            let is_own = local.contains_on(v6.into(), device(seen_on));
            let found = local.scope_of(v6, device(seen_on));
            assert_eq!(
                (is_own, found),
                (is_ours, device(scope)),
                "{address} {seen_on}"
            );
        }
        let between = ["fe80::2", "fe80::5"].map(|address| address.parse().unwrap());
        let direction = |seen_on| Direction::of(between, device(seen_on), Some(&local));
        assert_eq!(direction(1), Direction::Loopback);
        assert_eq!(direction(3), Direction::Incoming);
    }

    #[test]
    fn directions() {
        let mut local: LocalAddresses = ["10.0.0.2", "fe80::2", "::ffff:10.0.0.9"]
            .map(|address| address.parse().unwrap())
            .into_iter()
            .collect();
        local.add_broadcast("10.0.0.255".parse().unwrap());
        local.add_broadcast("10.0.0.2".parse().unwrap());
        for (initiator, responder, known, unknown) in [
            (
                "10.0.0.2",
                "1.1.1.1",
                Direction::Outgoing,
                Direction::Unknown,
            ),
            (
                "1.1.1.1",
                "10.0.0.2",
                Direction::Incoming,
                Direction::Unknown,
            ),
            (
                "1.1.1.1",
                "10.0.0.9",
                Direction::Incoming,
                Direction::Unknown,
            ),
            (
                "1.1.1.1",
                "9.9.9.9",
                Direction::Forwarded,
                Direction::Unknown,
            ),
            (
                "10.0.0.2",
                "10.0.0.2",
                Direction::Loopback,
                Direction::Unknown,
            ),
            (
                "10.0.0.2",
                "10.0.0.9",
                Direction::Loopback,
                Direction::Unknown,
            ),
            (
                "127.0.0.1",
                "127.9.9.9",
                Direction::Loopback,
                Direction::Loopback,
            ),
            ("::1", "::1", Direction::Loopback, Direction::Loopback),
            (
                "10.0.0.2",
                "224.0.0.251",
                Direction::Multicast,
                Direction::Multicast,
            ),
            (
                "fe80::2",
                "ff02::fb",
                Direction::Multicast,
                Direction::Multicast,
            ),
            (
                "1.1.1.1",
                "255.255.255.255",
                Direction::Broadcast,
                Direction::Broadcast,
            ),
            (
                "10.0.0.2",
                "10.0.0.255",
                Direction::Broadcast,
                Direction::Unknown,
            ),
        ] {
            let ends = (initiator.parse().unwrap(), responder.parse().unwrap());
            let of = |local| Direction::of([ends.0, ends.1], None, local);
            assert_eq!(of(Some(&local)), known, "{initiator} to {responder}");
            assert_eq!(of(None), unknown, "{initiator} to {responder}");
        }
    }
}
