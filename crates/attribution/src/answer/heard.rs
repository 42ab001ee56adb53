//! By which ways what is for a multicast group reaches sockets at all. Pure.

use std::borrow::Cow;

use super::devices::{Arrival, Reach, Ways};
use super::memberships::is_of_receivers;
use super::query::SocketQuery;

impl Reach {
    /// The ways by which a packet of the query reaches sockets at all; `None` if the host takes it in
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

    /// Whether what came in through a device may be of the group that a query asks about. Where the
    /// device is not known, the query says nothing of it.
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

    /// Through how many devices what is for a group is heard, 0 if any may be it.
    #[track_caller]
    fn check(devices: &Devices, query: &SocketQuery, expected: Option<usize>) {
        let reach = devices.reach(query);
        let heard = reach.heard(query);
        let count = heard.map(|reach| reach.arrivals().map_or(0, <[Arrival]>::len));
        assert_eq!(count, expected, "{query}");
    }

    #[test]
    fn what_nobody_joined_on_a_device_is_not_heard_there() {
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
        // What comes in through a port is the bridge's, too.
        check(&known, &query(GROUP, Some(PORT)), Some(1));
        let reach = known.reach(&query(GROUP, Some(PORT)));
        let heard = reach.heard(&query(GROUP, Some(PORT))).unwrap();
        assert_eq!(heard.ways, Ways::One(Arrival::on(BRIDGE)));
    }

    #[test]
    fn what_is_for_no_group_is_heard_everywhere() {
        let known = devices(Some(joined(&[])));
        for local in ["10.0.0.1", "10.0.0.255", "255.255.255.255"] {
            check(&known, &query(local, Some(2)), Some(1));
        }
        // Nor does a sender have to have joined.
        let sent = query(GROUP, Some(2)).as_sender();
        check(&known, &sent, Some(1));
    }

    #[test]
    fn where_the_groups_are_not_known_all_may_be_heard() {
        check(&devices(None), &query(GROUP, Some(2)), Some(1));
        let mut other = Memberships::default();
        other.add_all(false, [(2, "ff02::fb".parse().unwrap())]);
        check(&devices(Some(other)), &query(GROUP, Some(2)), Some(1));
    }
}
