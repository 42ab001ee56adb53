//! The multicast groups that a host has joined on each device. Pure.
//!
//! A datagram to a group reaches sockets only through a device on which some socket of the host has
//! joined the group (`ip_check_mc_rcu` in `net/ipv4/igmp.c`, `ip6_mc_input` in
//! `net/ipv6/ip6_input.c`). Then it also reaches sockets that have not joined, unless they opted
//! out (`IP_MULTICAST_ALL`, `IPV6_MULTICAST_ALL`).

use std::collections::HashSet;
use std::net::IpAddr;

use super::query::{Protocol, SocketQuery};

/// The joined groups, by device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Memberships {
    joined: HashSet<(u32, IpAddr)>,
    /// Whether `groups` has every group of IPv4. `knows_v6` says the same for IPv6.
    knows_v4: bool,
    knows_v6: bool,
}

impl Memberships {
    /// Adds the groups of an address family, each with the index of its device, as the host lists
    /// them.
    pub(crate) fn add_all(&mut self, is_v4: bool, joined: impl IntoIterator<Item = (u32, IpAddr)>) {
        self.joined.extend(joined);
        if is_v4 {
            self.knows_v4 = true;
        } else {
            self.knows_v6 = true;
        }
    }

    pub(super) fn knows(&self, group: IpAddr) -> bool {
        match group {
            IpAddr::V4(_) => self.knows_v4,
            IpAddr::V6(_) => self.knows_v6,
        }
    }

    pub(super) fn has(&self, group: IpAddr) -> bool {
        self.joined.iter().any(|(_, joined)| *joined == group)
    }

    pub(super) fn has_on(&self, device: u32, group: IpAddr) -> bool {
        self.joined.contains(&(device, group))
    }
}

/// Whether a query is about the receivers of a multicast datagram rather than about the sockets
/// bound to an address.
pub(crate) fn is_of_receivers(query: &SocketQuery) -> bool {
    let is_datagram = matches!(query.protocol(), Protocol::Udp | Protocol::UdpLite);
    let is_of_packet = query.remote().is_some() && !query.is_sender();
    is_datagram && is_of_packet && query.local().ip().is_multicast()
}
