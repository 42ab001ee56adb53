//! Which flows the send watchers have looked up, and of which that is under way. Pure.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Instant, SystemTime};

use crate::answer::query::unscoped;
use crate::answer::{Protocol, SocketQuery};
use crate::policy::freshness::{
    NEXT_SENDER, OBSERVED_SENDER, WATCHED_CONNECTION, WATCHED_DATAGRAMS, WATCHED_IN_VAIN,
    WATCHED_PORTLESS,
};

/// Flows that are kept; past that, the one that began first is forgotten.
const MAX: usize = 4_096;

/// Ends that answer datagrams, which are kept in mind.
const MAX_SERVERS: usize = 32;

/// Devices on which this tells flows of the same ends apart. What is sent through a bridge is
/// seen on it, then on its port.
const MAX_DEVICES: usize = 4;

/// How often a sender is looked up that was not found: most packets whose sender is not found are
/// nobody's here.
const MAX_TRIES: u8 = 5;

/// What a lookup has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nobody,
    /// Who has the socket with its ends; or that nobody here is its sender.
    Socket,
    /// Who ran when the packet was sent: another process may send the next one.
    Runner,
}

#[derive(Debug, Default)]
pub(super) struct WatchTable {
    /// By their ends, whatever the device: there are mostly no two of the same.
    flows: HashMap<SocketQuery, Vec<Sighting>>,
    /// In the order in which they came in.
    order: VecDeque<SocketQuery>,
    /// Ends that got a datagram first, the device if the end is on one only, and when one did
    /// lately: what they send is an answer, mostly.
    servers: VecDeque<(Server, Instant)>,
}

type Server = (SocketAddr, Option<u32>);

#[derive(Debug)]
struct Sighting {
    device: Option<u32>,
    began: Instant,
    /// In wall-clock time.
    began_at: SystemTime,
    is_under_way: bool,
    /// When its newest packet was seen.
    last: Instant,
    found: Found,
    /// When the sender was looked up first of those lookups in vain that come one after the other, and
    /// how many there were.
    first: Instant,
    tries: u8,
}

/// How far the send watchers are with a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watched {
    /// It was not looked up since its packet was seen, and may be.
    NotYet,
    UnderWay,
    /// It was looked up, or is not going to be.
    Done,
}

impl WatchTable {
    /// Whether a flow is to be looked up; it is not for a while, then.
    pub(super) fn begin(
        &mut self,
        query: &SocketQuery,
        now: Instant,
        wall_clock: SystemTime,
    ) -> bool {
        let is_datagram = query.protocol().is_datagram();
        if is_datagram && self.is_server(query, now) {
            return false;
        }
        let good_for = match query.protocol() {
            Protocol::Tcp => WATCHED_CONNECTION,
            // Any process may be the next one that sends the same.
            Protocol::Icmp | Protocol::Raw => WATCHED_PORTLESS,
            _ => WATCHED_DATAGRAMS,
        };
        let since = |then: Instant| now.saturating_duration_since(then);
        // A connection has one first packet; it may be looked up again anyway.
        let may_be_retried = |known: &Sighting| {
            query.protocol() != Protocol::Tcp
                && known.found == Found::Nobody
                && !known.is_under_way
                && known.tries < MAX_TRIES
                && since(known.first) < OBSERVED_SENDER
        };
        let is_fresh = |known: &Sighting| {
            let is_of_any = known.found == Found::Runner;
            let good_for = match () {
                () if may_be_retried(known) => WATCHED_IN_VAIN,
                () if is_of_any => WATCHED_PORTLESS,
                () => good_for,
            };
            let may_be_next = is_of_any && since(known.last) >= NEXT_SENDER;
            since(known.began) < good_for && !may_be_next
        };
        let (key, device) = (flow_of(query), query.device_or_scope());
        let sightings = match self.flows.entry(key) {
            Entry::Occupied(flow) => flow.into_mut(),
            Entry::Vacant(room) => {
                self.order.push_back(key);
                room.insert(Vec::new())
            }
        };
        let (mut first, mut tries) = (now, 1);
        if let Some(known) = on_device(sightings, device) {
            if is_fresh(known) {
                known.last = now;
                return false;
            }
            if may_be_retried(known) {
                (first, tries) = (known.first, known.tries + 1);
            }
        }
        sightings.retain(|known| known.device != device);
        sightings.truncate(MAX_DEVICES - 1);
        // The last one first.
        let sighting = Sighting {
            device,
            began: now,
            began_at: wall_clock,
            is_under_way: true,
            last: now,
            found: Found::Nobody,
            first,
            tries,
        };
        sightings.insert(0, sighting);
        if self.order.len() > MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.flows.remove(&oldest);
        }
        true
    }

    fn known_mut(&mut self, query: &SocketQuery) -> Option<&mut Sighting> {
        let sightings = self.flows.get_mut(&flow_of(query))?;
        on_device(sightings, query.device_or_scope())
    }

    /// Takes note that somebody else sent the first datagram of a flow to this end.
    pub(super) fn add_server(&mut self, query: &SocketQuery, now: Instant) {
        let end = server(query);
        self.servers.retain(|(server, _)| *server != end);
        self.servers.truncate(MAX_SERVERS - 1);
        self.servers.push_front((end, now));
    }

    fn is_server(&self, query: &SocketQuery, now: Instant) -> bool {
        let end = server(query);
        let mut servers = self.servers.iter();
        let noted = servers.find(|(server, _)| *server == end);
        noted.is_some_and(|(_, noted)| now.saturating_duration_since(*noted) < WATCHED_DATAGRAMS)
    }

    /// The lookup of a flow is over.
    pub(super) fn end(&mut self, query: &SocketQuery, found: Found) {
        if let Some(flow) = self.known_mut(query) {
            (flow.is_under_way, flow.found) = (false, found);
        }
    }

    /// Whether a flow is looked up, by a lookup that began at that time or later.
    pub(super) fn watched(
        &mut self,
        query: &SocketQuery,
        since: SystemTime,
        now: Instant,
    ) -> Watched {
        let is_datagram = query.protocol().is_datagram();
        let is_left_out = is_datagram && self.is_server(query, now);
        match self.known_mut(query) {
            Some(flow) if flow.began_at >= since && flow.is_under_way => Watched::UnderWay,
            Some(flow) if flow.began_at >= since => Watched::Done,
            // Each packet after the first may be of a flow that is known.
            Some(_) if query.protocol() != Protocol::Tcp => Watched::Done,
            // What answers is not looked up, also if it asks for once.
            _ if is_left_out => Watched::Done,
            _ => Watched::NotYet,
        }
    }
}

/// The flow that a query is about, whatever the device. What is watched was sent.
fn flow_of(query: &SocketQuery) -> SocketQuery {
    query.without_device().as_sender()
}

/// What is known of a flow on its device; where the question has none, on the one on which it was
/// seen last.
fn on_device(sightings: &mut [Sighting], device: Option<u32>) -> Option<&mut Sighting> {
    let mut sightings = sightings.iter_mut();
    sightings.find(|known| device.is_none() || known.device == device)
}

/// An end that answers; a link-local one does on one device.
fn server(query: &SocketQuery) -> Server {
    let local = unscoped(query.local());
    let is_link_local = match local.ip() {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    (local, query.device_or_scope().filter(|_| is_link_local))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn query(protocol: Protocol, port: u16) -> SocketQuery {
        let ends = ([127, 0, 0, 1], port);
        SocketQuery::new(protocol, ends.into(), Some(ends.into()))
    }

    #[test]
    fn a_lookup_counts_for_packets_before_it_only() {
        let (mut table, now, query) = (
            WatchTable::default(),
            Instant::now(),
            query(Protocol::Tcp, 1),
        );
        let second = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(table.watched(&query, second(9), now), Watched::NotYet);
        assert!(table.begin(&query, now, second(10)));
        assert_eq!(table.watched(&query, second(9), now), Watched::UnderWay);
        table.end(&query, Found::Socket);
        assert_eq!(table.watched(&query, second(11), now), Watched::NotYet);
        assert_eq!(table.watched(&query, second(10), now), Watched::Done);
    }

    #[test]
    fn a_flow_is_looked_at_again_after_a_while() {
        let (mut sightings, now) = (WatchTable::default(), Instant::now());
        for (protocol, good_for) in [
            (Protocol::Tcp, WATCHED_CONNECTION),
            (Protocol::Udp, WATCHED_DATAGRAMS),
            (Protocol::Raw, WATCHED_PORTLESS),
        ] {
            let query = query(protocol, 1);
            let mut begin = |now| {
                let is_new = sightings.begin(&query, now, SystemTime::UNIX_EPOCH);
                sightings.end(&query, Found::Socket);
                is_new
            };
            assert!(begin(now));
            assert!(!begin(now + good_for / 2));
            assert!(begin(now + good_for));
        }
    }

    /// The sender of frames may be found with the next one.
    #[test]
    fn what_was_not_found_is_looked_up_again_a_few_times() {
        let (mut sightings, began) = (WatchTable::default(), Instant::now());
        let (tick, query) = (WATCHED_IN_VAIN, query(Protocol::Udp, 1));
        let is_new = |sightings: &mut WatchTable, after, found| {
            let is_new = sightings.begin(&query, began + after, UNIX_EPOCH);
            sightings.end(&query, found);
            is_new
        };
        assert!(is_new(&mut sightings, Duration::ZERO, Found::Nobody));
        assert!(!is_new(&mut sightings, tick / 2, Found::Nobody));
        for try_ in 1..u32::from(MAX_TRIES) {
            assert!(is_new(&mut sightings, tick * try_, Found::Nobody), "{try_}");
        }
        assert!(!is_new(&mut sightings, tick * 10, Found::Nobody));
        // So long after the first packet it says nothing of that.
        let mut sightings = WatchTable::default();
        assert!(is_new(&mut sightings, Duration::ZERO, Found::Nobody));
        assert!(!is_new(&mut sightings, OBSERVED_SENDER, Found::Nobody));
        // Nor where it was found.
        let mut sightings = WatchTable::default();
        assert!(is_new(&mut sightings, Duration::ZERO, Found::Socket));
        assert!(!is_new(&mut sightings, tick, Found::Socket));
    }

    /// What no socket has the ends of, another process may send when the first one is silent.
    #[test]
    fn who_sends_on_is_looked_up_again_after_a_silence() {
        let (mut sightings, began) = (WatchTable::default(), Instant::now());
        let query = query(Protocol::Udp, 1);
        let mut is_new = |after| {
            let is_new = sightings.begin(&query, began + after, UNIX_EPOCH);
            sightings.end(&query, Found::Runner);
            is_new
        };
        assert!(is_new(Duration::ZERO));
        assert!(!is_new(NEXT_SENDER / 2));
        assert!(!is_new(NEXT_SENDER));
        assert!(is_new(NEXT_SENDER * 2));
        assert!(is_new(NEXT_SENDER * 2 + WATCHED_PORTLESS));
    }

    /// Who answers is looked at when the question comes.
    #[test]
    fn answers_are_not_looked_at() {
        let (mut sightings, now) = (WatchTable::default(), Instant::now());
        let (answer, connection) = (query(Protocol::Udp, 53), query(Protocol::Tcp, 53));
        assert_eq!(sightings.watched(&answer, UNIX_EPOCH, now), Watched::NotYet);
        sightings.add_server(&answer, now);
        assert!(!sightings.begin(&answer, now, UNIX_EPOCH));
        // So nobody is to wait for that.
        let watched = sightings.watched(&answer, UNIX_EPOCH, now);
        assert_eq!(watched, Watched::Done);
        assert!(sightings.begin(&connection, now, UNIX_EPOCH));
        assert!(sightings.begin(&query(Protocol::Udp, 54), now, UNIX_EPOCH));
        assert!(sightings.begin(&answer, now + WATCHED_DATAGRAMS, UNIX_EPOCH));
        for port in 1_000..2_000 {
            sightings.add_server(&query(Protocol::Udp, port), now);
        }
        assert_eq!(sightings.servers.len(), MAX_SERVERS);
    }

    /// A capturing thread would wait for it with each packet otherwise.
    #[test]
    fn no_look_is_expected_for_a_known_flow_of_datagrams() {
        let (mut sightings, now) = (WatchTable::default(), Instant::now());
        let (query, began_at) = (query(Protocol::Udp, 1), UNIX_EPOCH);
        assert!(sightings.begin(&query, now, began_at));
        let later = began_at + Duration::from_secs(1);
        assert_eq!(sightings.watched(&query, later, now), Watched::Done);
    }

    /// Link-local addresses are the same on each link.
    #[test]
    fn flows_of_two_devices_are_told_apart() {
        let (mut sightings, now) = (WatchTable::default(), Instant::now());
        let ends = ["[fe80::1]:1", "[fe80::2]:2"].map(|end| end.parse().unwrap());
        let query = SocketQuery::udp(ends[0], ends[1]).as_sender();
        for device in [2, 3] {
            assert!(sightings.begin(&query.on_device(device), now, UNIX_EPOCH));
        }
        sightings.end(&query.on_device(2), Found::Socket);
        let mut watched = |query: &SocketQuery| sightings.watched(query, UNIX_EPOCH, now);
        assert_eq!(watched(&query.on_device(2)), Watched::Done);
        // A question without device is about the last one.
        assert_eq!(watched(&query), Watched::UnderWay);
        assert_eq!(watched(&query.on_device(4)), Watched::NotYet);
        sightings.add_server(&query.on_device(5), now);
        assert!(!sightings.begin(&query.on_device(5), now, UNIX_EPOCH));
        for device in 6..20 {
            assert!(sightings.begin(&query.on_device(device), now, UNIX_EPOCH));
        }
        assert_eq!(sightings.flows[&query].len(), MAX_DEVICES);
    }

    #[test]
    fn the_oldest_is_forgotten_at_the_bound() {
        let (mut sightings, now) = (WatchTable::default(), Instant::now());
        let ports = (0..).take(MAX + 1);
        let begin = |sightings: &mut WatchTable, port| {
            sightings.begin(&query(Protocol::Udp, port), now, UNIX_EPOCH)
        };
        for port in ports {
            assert!(begin(&mut sightings, port));
        }
        assert_eq!(sightings.flows.len(), MAX);
        assert_eq!(sightings.order.len(), MAX);
        assert!(begin(&mut sightings, 0));
    }
}
