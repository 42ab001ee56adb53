//! Finds the devices through which datagrams to a multicast group reach sockets. Pure.

use std::borrow::Cow;

use super::devices::{Arrival, Reach, Ways};
use super::memberships::is_of_receivers;
use super::query::SocketQuery;

impl Reach {
    /// Keeps those ways in which the host accepts a packet of the query; `None` if it accepts it in
    /// none of them.
    pub(crate) fn heard(&self, query: &SocketQuery) -> Option<Cow<'_, Self>> {
        let group = query.local().ip();
        let known = self.memberships.as_deref();
        let Some(known) = known.filter(|it| is_of_receivers(query) && it.knows(group)) else {
            return Some(Cow::Borrowed(self));
        };
        let is_heard = |arrival: &Arrival| {
            let mut devices = [Some(arrival.device), arrival.slave].into_iter().flatten();
            devices.any(|device| known.has_on(device, group))
        };
        let ways = match &self.ways {
            Ways::Any(_) => {
                return known.has(group).then_some(Cow::Borrowed(self));
            }
            Ways::One(arrival) => {
                return is_heard(arrival).then_some(Cow::Borrowed(self));
            }
            Ways::Several(arrivals) => {
                let heard = arrivals.iter().filter(|arrival| is_heard(arrival));
                let heard: Vec<Arrival> = heard.copied().collect();
                match heard[..] {
                    [] => return None,
                    [only] => Ways::One(only),
                    _ => Ways::Several(heard),
                }
            }
        };
        let mut heard = self.clone();
        heard.ways = ways;
        Some(Cow::Owned(heard))
    }

    /// Whether the host accepts packets to the group of a query on this device. The query ignores
    /// packets that arrive elsewhere if it names a device.
    pub(crate) fn is_heard_on(&self, query: &SocketQuery, device: u32) -> bool {
        let group = query.local().ip();
        let known = self.memberships.as_deref();
        let known = known.filter(|it| is_of_receivers(query) && it.knows(group));
        known.is_none_or(|known| device == 0 || known.has_on(device, group))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::answer::devices::{Accepts, Devices, Link, LinkKind};
    use crate::answer::memberships::Memberships;
    use crate::answer::query::Protocol;

    const GROUP: &str = "239.1.2.3";
    const PORT: u32 = 11;
    const BRIDGE: u32 = 10;

    fn devices(memberships: Option<Memberships>) -> Devices {
        let port = Link {
            master: Some(BRIDGE),
            ..Link::default()
        };
        let bridge = Link {
            kind: LinkKind::Bridge,
            ..Link::default()
        };
        let links = HashMap::from([(BRIDGE, bridge), (PORT, port), (2, Link::default())]);
        let devices = Devices::new(links, Accepts::default());
        match memberships {
            Some(memberships) => devices.with_memberships(memberships),
            None => devices,
        }
    }

    fn joined(all: &[(u32, &str)]) -> Memberships {
        let mut memberships = Memberships::default();
        let all = all
            .iter()
            .map(|(device, ip)| (*device, ip.parse().unwrap()));
        memberships.add_all(true, all);
        memberships
    }

    fn query(local: &str, device: Option<u32>) -> SocketQuery {
        let local = format!("{local}:5000").parse().unwrap();
        let remote = "10.0.0.9:6000".parse().unwrap();
        let query = SocketQuery::new(Protocol::Udp, local, Some(remote));
        device.map_or(query, |device| query.on_device(device))
    }

    /// The number of devices through which the host accepts packets to the group; 0 if any device
    /// may be one.
    #[track_caller]
    fn check(devices: &Devices, query: &SocketQuery, expected: Option<usize>) {
        let reach = devices.reach(query);
        let heard = reach.heard(query);
        let count = heard.map(|reach| reach.arrivals().map_or(0, <[Arrival]>::len));
        assert_eq!(count, expected, "{query}");
    }

    #[test]
    fn a_device_without_members_of_a_group_receives_nothing_for_it() {
        let known = devices(Some(joined(&[
            (2, GROUP),
            (2, "224.0.0.1"),
            (BRIDGE, GROUP),
        ])));
        check(&known, &query(GROUP, Some(2)), Some(1));
        check(&known, &query(GROUP, Some(3)), None);
        check(&known, &query("239.9.9.9", Some(2)), None);
        check(&known, &query("239.9.9.9", None), None);
        check(&known, &query(GROUP, None), Some(0));
        // A packet that arrives through a port also arrives on its bridge.
        check(&known, &query(GROUP, Some(PORT)), Some(1));
        let reach = known.reach(&query(GROUP, Some(PORT)));
        let heard = reach.heard(&query(GROUP, Some(PORT))).unwrap();
        assert_eq!(heard.ways, Ways::One(Arrival::on(BRIDGE)));
    }

    #[test]
    fn unicast_is_received_on_every_device() {
        let known = devices(Some(joined(&[])));
        for local in ["10.0.0.1", "10.0.0.255", "255.255.255.255"] {
            check(&known, &query(local, Some(2)), Some(1));
        }
        // A sender does not have to join the group.
        let sent = query(GROUP, Some(2)).as_sender();
        check(&known, &sent, Some(1));
    }

    #[test]
    fn if_the_groups_are_unknown_any_may_be_received() {
        check(&devices(None), &query(GROUP, Some(2)), Some(1));
        let mut other = Memberships::default();
        other.add_all(false, [(2, "ff02::fb".parse().unwrap())]);
        check(&devices(Some(other)), &query(GROUP, Some(2)), Some(1));
    }
}
