//! Finds the devices through which a packet can reach sockets. Pure: the caller passes in the facts
//! about the system's devices.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::memberships::Memberships;
use super::query::{Protocol, SocketQuery};

/// The loopback device of every network namespace of Linux (`net/core/dev.c`,
/// `LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// The facts about a device that decide which sockets its packets reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Link {
    /// The device that this one is a port or a slave of (`IFLA_MASTER`).
    pub(crate) master: Option<u32>,
    /// The device below this one, such as that of a VLAN, or the other end of a veth pair
    /// (`IFLA_LINK`).
    pub(crate) lower: Option<u32>,
    /// Whether `lower` is in another network namespace (`IFLA_LINK_NETNSID`).
    pub(crate) is_lower_elsewhere: bool,
    pub(crate) kind: LinkKind,
}

/// The kinds of devices that pass packets on differently (`IFLA_INFO_KIND`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LinkKind {
    Bridge,
    Veth,
    Vrf,
    #[default]
    Other,
}

/// Whether sockets without a device receive packets that arrive through a VRF
/// (`net.ipv4.tcp_l3mdev_accept` and its siblings in ip-sysctl.rst).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Accepts {
    pub(crate) tcp: Option<bool>,
    pub(crate) udp: Option<bool>,
    pub(crate) raw: Option<bool>,
}

impl Accepts {
    const fn of(self, protocol: Protocol) -> Option<bool> {
        match protocol {
            Protocol::Tcp => self.tcp,
            Protocol::Udp | Protocol::UdpLite => self.udp,
            Protocol::Raw | Protocol::Icmp => self.raw,
            // These protocols have no such setting.
            Protocol::Sctp | Protocol::Dccp | Protocol::Packet => None,
        }
    }
}

/// The devices of one network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Devices {
    links: HashMap<u32, Link>,
    accepts: Accepts,
    broadcasts: Arc<HashSet<Ipv4Addr>>,
    /// The joined multicast groups; `None` if they are unknown.
    memberships: Option<Arc<Memberships>>,
}

/// The devices of an arriving packet, as the kernel's socket lookup has them (`dif` and `sdif` of
/// `inet_sk_bound_dev_eq` in `include/net/inet_sock.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) device: u32,
    /// The port of a VRF through which the packet arrived. `device` is the VRF then.
    pub(crate) slave: Option<u32>,
    /// Whether the packet reaches a socket that is bound to no device.
    pub(crate) reaches_unbound: bool,
}

/// How a packet can reach sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) ways: Ways,
    /// The broadcast addresses of the networks of this host.
    broadcasts: Arc<HashSet<Ipv4Addr>>,
    /// The joined multicast groups; `None` if they are unknown.
    pub(super) memberships: Option<Arc<Memberships>>,
}

/// The devices through which a packet can reach sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ways {
    /// Through any device, of which these are known.
    Any(Vec<u32>),
    /// In exactly this way.
    One(Arrival),
    /// In one of these ways, at least two.
    Several(Vec<Arrival>),
}

impl Arrival {
    pub(crate) const fn on(device: u32) -> Self {
        Self {
            device,
            slave: None,
            reaches_unbound: true,
        }
    }

    /// Whether a packet that arrives this way reaches a socket that is bound to `bound`.
    pub(crate) fn reaches(&self, bound: Option<u32>) -> bool {
        match bound {
            None => self.reaches_unbound,
            Some(bound) => bound == self.device || Some(bound) == self.slave,
        }
    }
}

/// Whether an address stands for several hosts on every network.
fn is_group_everywhere(ip: IpAddr) -> bool {
    /// Each host has the network 127.0.0.0/8.
    const LOOPBACK_BROADCAST: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);
    match ip {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast() || v4 == LOOPBACK_BROADCAST,
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}

impl Reach {
    /// The same, with the multicast groups that sockets have joined, where they are known.
    pub(crate) fn with_memberships(self, memberships: Option<Memberships>) -> Self {
        Self {
            memberships: memberships.map(Arc::new),
            ..self
        }
    }

    /// A reach through these devices, on a host whose broadcast addresses are unknown.
    pub(crate) fn new(ways: Ways) -> Self {
        Self {
            ways,
            broadcasts: Arc::default(),
            memberships: None,
        }
    }

    /// Whether the kernel copies a datagram to this address to each socket that matches: a
    /// multicast group or a broadcast address, also that of a network of this host
    /// (`__udp4_lib_mcast_deliver` in `net/ipv4/udp.c`).
    pub(crate) fn is_group(&self, ip: IpAddr) -> bool {
        let is_ours = || matches!(ip, IpAddr::V4(v4) if self.broadcasts.contains(&v4));
        is_group_everywhere(ip) || is_ours()
    }

    /// The ways of arrival, where they are known.
    pub(crate) fn arrivals(&self) -> Option<&[Arrival]> {
        match &self.ways {
            Ways::Any(_) => None,
            Ways::One(arrival) => Some(std::slice::from_ref(arrival)),
            Ways::Several(arrivals) => Some(arrivals),
        }
    }

    /// Whether a packet can reach a socket that is bound to a device or to none.
    pub(crate) fn reaches(&self, bound: Option<u32>) -> bool {
        let arrivals = self.arrivals();
        arrivals.is_none_or(|all| all.iter().any(|arrival| arrival.reaches(bound)))
    }
}

impl Devices {
    pub(crate) fn new(links: HashMap<u32, Link>, accepts: Accepts) -> Self {
        Self {
            links,
            accepts,
            broadcasts: Arc::default(),
            memberships: None,
        }
    }

    /// The same, with the multicast groups that sockets have joined on these devices.
    pub(crate) fn with_memberships(self, memberships: Memberships) -> Self {
        Self {
            memberships: Some(Arc::new(memberships)),
            ..self
        }
    }

    /// The same, with the broadcast addresses of the networks of this host.
    pub(crate) fn with_broadcasts(self, broadcasts: HashSet<Ipv4Addr>) -> Self {
        Self {
            broadcasts: Arc::new(broadcasts),
            ..self
        }
    }

    fn reach_by(&self, ways: Ways) -> Reach {
        Reach {
            ways,
            broadcasts: Arc::clone(&self.broadcasts),
            memberships: self.memberships.clone(),
        }
    }

    pub(crate) fn link(&self, device: u32) -> Option<&Link> {
        self.links.get(&device)
    }

    /// The devices of another namespace through which a packet leaves one of our devices: the other
    /// end of a veth pair, also of one whose near end is a port of our bridge, or a device stacked
    /// on ours.
    ///
    /// The kernel gives the indexes of devices in other namespaces, but does not always say which
    /// namespace. If two namespaces have a device with the same index, both are candidates.
    pub(crate) fn leads_to(&self, device: u32, other: &Self) -> Vec<u32> {
        let ports = self.links().filter(|(_, link)| link.master == Some(device));
        let ours: Vec<u32> = ports.map(|(port, _)| port).chain([device]).collect();
        let theirs = other.links().filter(|(theirs, link)| {
            let is_above = |ours: &u32| link.is_lower_elsewhere && link.lower == Some(*ours);
            let is_end = |ours: &u32| {
                let link = self.link(*ours);
                link.is_some_and(|ours| ours.is_lower_elsewhere && ours.lower == Some(*theirs))
            };
            let is_wire = link.kind == LinkKind::Veth;
            ours.iter()
                .any(|ours| is_above(ours) && (!is_wire || is_end(ours)))
        });
        theirs.map(|(theirs, _)| theirs).collect()
    }

    /// Whether a datagram of the query can come from another namespace that has its source address. If it
    /// came through our end of a veth pair, its sender is in the namespace at the other end, or in one
    /// behind that: a container may send with any source address. `all` are the known namespaces; if
    /// the one at the other end is not among them, nothing tells.
    pub(crate) fn may_come_from<'a>(
        &self,
        query: &SocketQuery,
        from: &Self,
        mut all: impl Iterator<Item = &'a Self>,
    ) -> bool {
        let device = query.device_or_scope().filter(|_| query.is_sender());
        let is_wire = |device: &u32| {
            let link = self.link(*device);
            link.is_some_and(|link| link.kind == LinkKind::Veth && link.is_lower_elsewhere)
        };
        let Some(device) = device.filter(is_wire) else {
            return true;
        };
        if !self.leads_to(device, from).is_empty() {
            return true;
        }
        let mut is_one_known = false;
        let leads_on = all.any(|far| {
            let is_far_end = !self.leads_to(device, far).is_empty();
            is_one_known |= is_far_end;
            is_far_end
                && far
                    .links()
                    .any(|(on, _)| !far.leads_to(on, from).is_empty())
        });
        leads_on || !is_one_known
    }

    /// How a packet can reach sockets here if it came from another namespace through one of these
    /// devices of ours. Without devices, it may have come through any.
    pub(crate) fn reach_through(&self, query: &SocketQuery, devices: &[u32]) -> Reach {
        match devices {
            [device] => self.reach(&query.without_device().on_device(*device)),
            _ => self.any(),
        }
    }

    /// Whether a device leads to another namespace, as a bridge or one end of a veth pair may.
    pub(crate) fn leads_away(&self, device: u32) -> bool {
        let link = self.link(device);
        link.is_some_and(|link| matches!(link.kind, LinkKind::Bridge | LinkKind::Veth))
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = (u32, &Link)> {
        self.links.iter().map(|(device, link)| (*device, link))
    }

    /// How a packet of the query can reach sockets here.
    ///
    /// A packet from this host to one of its own addresses appears on the loopback device, but the
    /// kernel attributes it to the device that has the address (`rt_iif` in `net/ipv4/route.c`,
    /// `ip6_rcv_core`). So only packets between loopback addresses show their device there.
    pub(crate) fn reach(&self, query: &SocketQuery) -> Reach {
        let is_loopback = |end: std::net::SocketAddr| end.ip().is_loopback();
        let is_within = is_loopback(query.local()) && query.remote().is_none_or(is_loopback);
        match query.device_or_scope() {
            Some(LOOPBACK) if !is_within => self.any(),
            Some(device) => self.through(device, query.protocol()),
            None => self.any(),
        }
    }

    pub(crate) fn any(&self) -> Reach {
        let mut known: Vec<u32> = self.links.keys().copied().collect();
        known.sort_unstable();
        self.reach_by(Ways::Any(known))
    }

    fn through(&self, device: u32, protocol: Protocol) -> Reach {
        let alone = |link: &Link| link.master.is_none() && link.kind != LinkKind::Vrf;
        let has_upper = self.links.values().any(|upper| upper.is_above(device));
        if !has_upper && self.link(device).is_none_or(alone) {
            return self.reach_by(Ways::One(Arrival::on(device)));
        }
        let mut arrivals = Vec::new();
        for device in self.with_uppers(device) {
            self.add_arrivals(device, protocol, &mut arrivals);
        }
        self.reach_by(match arrivals[..] {
            [only] => Ways::One(only),
            _ => Ways::Several(arrivals),
        })
    }

    /// A device and all devices stacked on it. A packet that a capture reads on the device may
    /// belong to any of them.
    pub(crate) fn with_uppers(&self, device: u32) -> Vec<u32> {
        let mut found = vec![device];
        let mut next = 0;
        while let Some(&lower) = found.get(next) {
            next += 1;
            let master = self.link(lower).and_then(|link| link.master);
            let is_vrf = |master| self.link(master).is_some_and(|m| m.kind == LinkKind::Vrf);
            let master = master.filter(|master| !is_vrf(*master));
            let above = self.links().filter(|(_, upper)| upper.is_above(lower));
            let mut above: Vec<u32> = above.map(|(device, _)| device).chain(master).collect();
            above.sort_unstable();
            above.retain(|device| !found.contains(device));
            found.extend(above);
        }
        found
    }

    fn add_arrivals(&self, device: u32, protocol: Protocol, arrivals: &mut Vec<Arrival>) {
        let kind = |device| self.link(device).map(|link| link.kind);
        let master = self.link(device).and_then(|link| link.master);
        let vrf = master.filter(|master| kind(*master) == Some(LinkKind::Vrf));
        let (device, slave) = match vrf {
            Some(vrf) => (vrf, Some(device)),
            None if kind(device) == Some(LinkKind::Vrf) => (device, None),
            None => {
                arrivals.push(Arrival::on(device));
                return;
            }
        };
        // If the setting is unknown, both values are possible.
        let either: &[bool] = match self.accepts.of(protocol) {
            Some(true) => &[true],
            Some(false) => &[false],
            None => &[false, true],
        };
        arrivals.extend(either.iter().map(|reaches_unbound| Arrival {
            device,
            slave,
            reaches_unbound: *reaches_unbound,
        }));
    }
}

impl Link {
    /// Whether this device is a VLAN or a similar device on `device`. The other end of a veth pair
    /// is not above this one.
    fn is_above(&self, device: u32) -> bool {
        let is_lower = self.lower == Some(device) && !self.is_lower_elsewhere;
        is_lower && self.kind != LinkKind::Veth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRIDGE: u32 = 10;
    const PORT: u32 = 11;
    const VLAN: u32 = 12;
    const VRF: u32 = 13;
    const SLAVE: u32 = 14;
    const WIRE: (u32, u32) = (15, 16);

    fn devices(accepts: Accepts) -> Devices {
        let link = |master, lower, kind| Link {
            master,
            lower,
            kind,
            is_lower_elsewhere: false,
        };
        let links = [
            (BRIDGE, link(None, None, LinkKind::Bridge)),
            (PORT, link(Some(BRIDGE), None, LinkKind::Other)),
            (VLAN, link(None, Some(BRIDGE), LinkKind::Other)),
            (VRF, link(None, None, LinkKind::Vrf)),
            (SLAVE, link(Some(VRF), None, LinkKind::Other)),
            (WIRE.0, link(None, Some(WIRE.1), LinkKind::Veth)),
            (WIRE.1, link(None, Some(WIRE.0), LinkKind::Veth)),
        ];
        Devices::new(links.into(), accepts)
    }

    fn query(local: &str) -> SocketQuery {
        SocketQuery::new(Protocol::Tcp, local.parse().unwrap(), None)
    }

    #[test]
    fn a_packet_on_a_port_may_belong_to_the_devices_above() {
        let devices = devices(Accepts::default());
        let reach = |device| devices.reach(&query("10.0.0.1:1").on_device(device));
        let ways = |all: &[u32]| all.iter().copied().map(Arrival::on).collect::<Vec<_>>();
        assert_eq!(reach(PORT).ways, Ways::Several(ways(&[PORT, BRIDGE, VLAN])));
        assert_eq!(reach(BRIDGE).ways, Ways::Several(ways(&[BRIDGE, VLAN])));
        for alone in [VLAN, WIRE.0, 99] {
            assert_eq!(reach(alone).ways, Ways::One(Arrival::on(alone)));
        }
    }

    #[test]
    fn a_vrf_keeps_its_packets_from_sockets_without_device() {
        let arrival = |slave, reaches_unbound| Arrival {
            device: VRF,
            slave,
            reaches_unbound,
        };
        for accepts in [false, true] {
            let tcp = Some(accepts);
            let devices = devices(Accepts {
                tcp,
                ..Accepts::default()
            });
            for (device, slave) in [(VRF, None), (SLAVE, Some(SLAVE))] {
                let reach = devices.reach(&query("10.0.0.1:1").on_device(device));
                assert_eq!(reach.ways, Ways::One(arrival(slave, accepts)));
                assert_eq!(reach.reaches(None), accepts);
                assert!(reach.reaches(Some(VRF)) && !reach.reaches(Some(PORT)));
                assert_eq!(reach.reaches(Some(SLAVE)), device == SLAVE);
            }
        }
        let reach = devices(Accepts::default()).reach(&query("10.0.0.1:1").on_device(SLAVE));
        let either = [false, true].map(|accepts| arrival(Some(SLAVE), accepts));
        assert_eq!(reach.ways, Ways::Several(either.to_vec()));
    }

    #[test]
    fn the_loopback_device_does_not_narrow_down_other_addresses() {
        let devices = devices(Accepts::default());
        let on_loopback = |local: &str| devices.reach(&query(local).on_device(LOOPBACK));
        let within = Reach::new(Ways::One(Arrival::on(LOOPBACK)));
        assert_eq!(on_loopback("127.0.0.1:1"), within);
        assert_eq!(on_loopback("[::1]:1"), within);
        assert_eq!(on_loopback("10.0.0.1:1"), devices.any());
        assert_eq!(devices.reach(&query("127.0.0.1:1")), devices.any());
    }

    #[test]
    fn veth_pairs_and_stacked_devices_lead_to_other_namespaces() {
        let link = |master, lower, kind| Link {
            master,
            lower,
            kind,
            is_lower_elsewhere: true,
        };
        let ours = [
            (1, Link::default()),
            (4, link(None, Some(2), LinkKind::Veth)),
            (5, link(Some(6), Some(2), LinkKind::Veth)),
            (6, Link::default()),
        ];
        let ours = Devices::new(ours.into(), Accepts::default());
        let other = |lower, kind| {
            let links = [(1, Link::default()), (2, link(None, Some(lower), kind))];
            Devices::new(links.into(), Accepts::default())
        };
        let wire = other(5, LinkKind::Veth);
        let all = |other: &Devices| [1, 4, 5, 6].map(|device| ours.leads_to(device, other));
        assert_eq!(all(&wire), [vec![], vec![], vec![2], vec![2]]);
        let above = other(4, LinkKind::Other);
        assert_eq!(all(&above), [vec![], vec![2], vec![], vec![]]);
        assert_eq!(
            all(&other(9, LinkKind::Veth)),
            [const { Vec::<u32>::new() }; 4]
        );
    }

    #[test]
    fn a_datagram_through_a_veth_pair_comes_from_the_other_end() {
        let link = |lower| Link {
            master: None,
            lower: Some(lower),
            kind: LinkKind::Veth,
            is_lower_elsewhere: true,
        };
        let of = |links: &[(u32, u32)]| {
            let links = links.iter().map(|(device, lower)| (*device, link(*lower)));
            Devices::new(links.collect(), Accepts::default())
        };
        // Two containers, and one inside the first of them.
        let ours = of(&[(11, 21), (12, 22)]);
        let [first, second] = [of(&[(21, 11), (31, 41)]), of(&[(22, 12)])];
        let inner = of(&[(41, 31)]);
        let all = [&first, &second, &inner];
        let udp = |device| {
            let [local, remote] = ["10.0.0.2:1", "10.0.0.9:9"].map(|end| end.parse().unwrap());
            SocketQuery::udp(local, remote).on_device(device)
        };
        let sent = |device| udp(device).as_sender();
        let may = |query: &SocketQuery, all: &[&Devices]| {
            let all = || all.iter().copied();
            [&first, &second, &inner].map(|from| ours.may_come_from(query, from, all()))
        };
        assert_eq!(may(&sent(11), &all), [true, false, true]);
        assert_eq!(may(&sent(12), &all), [false, true, false]);
        // Who receives it is elsewhere; of another device, or of an unknown other end, nothing tells.
        assert_eq!(may(&udp(11), &all), [true; 3]);
        assert_eq!(may(&sent(99), &all), [true; 3]);
        assert_eq!(may(&sent(11), &[&second, &inner]), [true; 3]);
    }

    #[test]
    fn a_scope_is_a_device() {
        let devices = devices(Accepts::default());
        let reach = devices.reach(&query("[fe80::1%15]:1"));
        assert_eq!(reach.ways, Ways::One(Arrival::on(15)));
        let both = query("[fe80::1%15]:1").on_device(16);
        assert_eq!(devices.reach(&both).ways, Ways::One(Arrival::on(16)));
    }
}
