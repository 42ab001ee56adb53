//! The addresses, devices and translations of a host, which a snapshot needs to answer as the table
//! does. Pure.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::devices::{Devices, Ways};
use super::memberships::Memberships;
use super::ownership::Match;
use super::query::{Protocol, SocketQuery, unscoped};
use super::reason::Reason;
use super::translated::TranslatedFrom;

/// An address of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) ip: IpAddr,
    pub(crate) prefix: u8,
    /// The index of the device.
    pub(crate) interface: u32,
}

impl Network {
    /// Whether the network contains an address.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        match (self.ip, ip) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let differing = ours.to_bits() ^ theirs.to_bits();
                differing.leading_zeros() >= self.prefix.into()
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differing = ours.to_bits() ^ theirs.to_bits();
                differing.leading_zeros() >= self.prefix.into()
            }
            _ => false,
        }
    }
}

/// The addresses and devices of a network namespace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// The addresses to which packets arrive here, including those of all hosts of a network.
    pub(crate) ips: HashSet<IpAddr>,
    pub(crate) networks: Vec<Network>,
    /// Networks whose addresses all belong to this namespace, though no device has them.
    pub(crate) local_networks: Vec<Network>,
    pub(crate) devices: Arc<Devices>,
}

impl Place {
    /// The same, with the multicast groups that sockets have joined.
    pub(crate) fn with_memberships(self, memberships: Memberships) -> Self {
        let devices = Devices::clone(&self.devices).with_memberships(memberships);
        Self {
            devices: Arc::new(devices),
            ..self
        }
    }

    /// Whether packets to this address arrive here. Excludes loopback and multicast addresses.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        self.ips.contains(&ip) || self.local_networks.iter().any(|network| network.has(ip))
    }

    /// Whether a query is about this namespace, as far as its local address decides.
    pub(crate) fn is_own(&self, query: &SocketQuery) -> bool {
        let ip = query.local().ip();
        let (is_broadcast, is_link_local) = match ip {
            IpAddr::V4(v4) => (v4.is_broadcast(), false),
            IpAddr::V6(v6) => (false, v6.is_unicast_link_local()),
        };
        if is_broadcast || ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() {
            return true;
        }
        if !self.has(ip) {
            return false;
        }
        // The same address on another link may belong to another host.
        match (self.devices.reach(query).ways, query.device_or_scope()) {
            (Ways::One(_) | Ways::Several(_), Some(device)) if is_link_local => {
                let devices = self.devices.with_uppers(device);
                let mut networks = self.networks.iter();
                networks.any(|known| known.ip == ip && devices.contains(&known.interface))
            }
            _ => true,
        }
    }

    /// The device whose network contains an address. The smallest such network decides; `None` if
    /// there are several of that size, or none.
    pub(crate) fn device_towards(&self, ip: IpAddr) -> Option<u32> {
        let networks = || self.networks.iter().filter(|network| network.has(ip));
        let longest = networks().map(|network| network.prefix).max()?;
        let mut devices = networks()
            .filter(|network| network.prefix == longest)
            .map(|network| network.interface);
        let device = devices.next()?;
        devices.all(|other| other == device).then_some(device)
    }

    /// Whether an address is in the network of a device that leads to another namespace, as a
    /// bridge or one end of a veth pair may.
    pub(crate) fn may_lead_to(&self, ip: IpAddr) -> bool {
        let mut networks = self.networks.iter().filter(|network| network.has(ip));
        networks.any(|network| self.devices.leads_away(network.interface))
    }
}

/// The facts about a host around a list of its sockets.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) own: Place,
    /// The same for the other namespaces with listed sockets, by their inodes.
    pub(crate) others: Vec<(u64, Place)>,
    /// Whether more namespaces may exist than these.
    pub(crate) hides_some: bool,
    /// The translations of our own namespace.
    pub(crate) translations: Translations,
}

/// The original ends of a socket, before the host translates its packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Original {
    /// The ends of the packets.
    Same,
    Ends(TranslatedFrom),
    /// Different ends in different zones of conntrack.
    Several,
}

/// Protocol, local and remote end.
type Ends = (Protocol, SocketAddr, SocketAddr);

/// The packets that this host translates (NAT): the ends of the packet, and the original ends of
/// the socket.
#[derive(Debug, Clone, Default)]
pub(crate) struct Translations {
    /// By the ends of a packet, the original ends; `None` if there are several.
    hidden: HashMap<Ends, Option<TranslatedFrom>>,
    /// Whether more translations may exist.
    hides_some: bool,
}

impl Translations {
    /// For a host that may translate any packet.
    pub(crate) fn unknown() -> Self {
        Self {
            hides_some: true,
            ..Self::default()
        }
    }

    /// From all connections that conntrack has: the ends of the packets, and the original ends if
    /// they differ.
    pub(crate) fn of_all(connections: &[(Ends, Option<TranslatedFrom>)]) -> Self {
        let mut hidden = HashMap::new();
        for (ends, from) in connections {
            if from.is_some() {
                hidden.entry(*ends).or_insert(*from);
            }
        }
        // In another zone of conntrack, the same ends may belong to another socket.
        for (ends, from) in connections {
            if let Some(known) = hidden.get_mut(ends)
                && known != from
            {
                *known = None;
            }
        }
        let hides_some = false;
        Self { hidden, hides_some }
    }

    /// The original ends of the packets of a query.
    pub(crate) fn of(&self, query: &SocketQuery) -> Original {
        let Some(remote) = query.remote() else {
            return Original::Same;
        };
        let ends = (query.protocol(), unscoped(query.local()), unscoped(remote));
        match self.hidden.get(&ends) {
            None => Original::Same,
            Some(None) => Original::Several,
            Some(Some(from)) => Original::Ends(*from),
        }
    }

    /// Why a socket that matches this well does not own the packets of a query, if the host
    /// translates or may translate them.
    pub(crate) fn why_not(&self, query: &SocketQuery, matched: Match) -> Option<Reason> {
        let (local, remote) = (query.local(), query.remote()?);
        if self.of(query) != Original::Same {
            return Some(Reason::Translated);
        }
        let is_connection = query.protocol() == Protocol::Tcp && matched == Match::FiveTuple;
        let is_within = local.ip().is_loopback() && remote.ip().is_loopback();
        let same_family = local.is_ipv4() == remote.is_ipv4();
        let has_ports = query.protocol() != Protocol::Raw;
        let may_be = self.hides_some && has_ports && same_family;
        (may_be && !is_connection && !is_within).then_some(Reason::MayBeTranslated)
    }
}

impl Surroundings {
    /// The same, with these translations.
    pub(crate) fn translating(self, translations: Translations) -> Self {
        Self {
            translations,
            ..self
        }
    }

    /// Why the owner is unknown for a foreign address that no listed namespace has.
    pub(crate) fn why_nobody(&self, ip: IpAddr) -> Reason {
        if self.hides_some && self.own.may_lead_to(ip) {
            Reason::OtherNamespace
        } else {
            Reason::Forwarded
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        #[track_caller]
        fn check(ip: &str, prefix: u8, other: &str, expected: bool) {
            let network = Network {
                ip: ip.parse().unwrap(),
                prefix,
                interface: 1,
            };
            assert_eq!(network.has(other.parse().unwrap()), expected);
        }
        check("172.17.0.1", 16, "172.17.255.2", true);
        check("172.17.0.1", 16, "172.18.0.2", false);
        check("10.0.0.1", 32, "10.0.0.1", true);
        check("10.0.0.1", 32, "10.0.0.0", false);
        check("0.0.0.0", 0, "8.8.8.8", true);
        check("fd00::1", 64, "fd00::2:3", true);
        check("fd00::1", 64, "fd01::1", false);
        check("fd00::1", 0, "1.2.3.4", false);
    }

    #[test]
    fn translated_packets_belong_to_no_socket_here() {
        let (local, remote) = ("10.0.0.1:5000", "10.0.0.2:80");
        let query = |protocol, remote: Option<&str>| {
            let remote = remote.map(|remote| remote.parse().unwrap());
            SocketQuery::new(protocol, local.parse().unwrap(), remote)
        };
        let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
        let (exact, by_port) = (Match::FiveTuple, Match::WildcardAddress);
        let nothing = Translations::default();
        assert_eq!(nothing.why_not(&query(udp, Some(remote)), by_port), None);
        let ends = |protocol| (protocol, local.parse().unwrap(), remote.parse().unwrap());
        let from =
            |local: &str| TranslatedFrom::new(local.parse().unwrap(), remote.parse().unwrap());
        let (inner, other) = (from("10.98.0.2:1"), from("10.98.0.3:1"));
        let (inner, other) = (Some(inner), Some(other));
        let known = [(ends(tcp), inner), (ends(udp), inner), (ends(tcp), inner)];
        let some = Translations::of_all(&known);
        let expected = Original::Ends(inner.unwrap());
        assert_eq!(some.of(&query(tcp, Some(remote))), expected);
        assert_eq!(some.of(&query(tcp, None)), Original::Same);
        // The same ends in another zone of conntrack.
        for other in [other, None] {
            let known = [(ends(tcp), inner), (ends(udp), other), (ends(udp), inner)];
            let some = Translations::of_all(&known);
            assert_eq!(some.of(&query(udp, Some(remote))), Original::Several);
            assert_eq!(some.of(&query(tcp, Some(remote))), expected);
        }
        let translated = Some(Reason::Translated);
        assert_eq!(some.why_not(&query(udp, Some(remote)), by_port), translated);
        assert_eq!(some.why_not(&query(tcp, Some(remote)), exact), translated);
        assert_eq!(some.why_not(&query(tcp, Some("10.0.0.2:81")), exact), None);
        assert_eq!(some.why_not(&query(udp, None), by_port), None);
        let unknown = Translations::unknown();
        let may_be = Some(Reason::MayBeTranslated);
        assert_eq!(unknown.why_not(&query(udp, Some(remote)), exact), may_be);
        assert_eq!(unknown.why_not(&query(tcp, Some(remote)), exact), None);
        assert_eq!(unknown.why_not(&query(tcp, Some(remote)), by_port), may_be);
        assert_eq!(unknown.why_not(&query(tcp, None), by_port), None);
    }

    #[test]
    fn a_link_local_address_belongs_to_a_device() {
        let ip = "fe80::1".parse().unwrap();
        let place = Place {
            ips: [ip].into(),
            networks: vec![Network {
                ip,
                prefix: 64,
                interface: 2,
            }],
            local_networks: Vec::new(),
            devices: Arc::default(),
        };
        let query = |local: &str| {
            let local = local.parse().unwrap();
            SocketQuery::new(crate::answer::query::Protocol::Udp, local, None)
        };
        assert!(place.is_own(&query("[fe80::1%2]:1")));
        assert!(!place.is_own(&query("[fe80::1%3]:1")));
        assert!(place.is_own(&query("[fe80::1]:1")));
        assert!(place.is_own(&query("[fe80::1]:1").on_device(1)));
        assert!(!place.is_own(&query("[fe80::2%2]:1")));
        assert!(place.is_own(&query("[ff02::1]:1").on_device(3)));
    }
}
