//! Records the flows that send watchers have looked up, and those whose lookup is under way. Pure.

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

/// The largest number of flows. At the bound, the table forgets the oldest one.
const MAX: usize = 4_096;

/// The largest number of remembered ends that answer datagrams.
const MAX_SERVERS: usize = 32;

/// The number of devices on which the table distinguishes flows with the same ends. A packet that
/// is sent through a bridge appears on the bridge, then on its port.
const MAX_DEVICES: usize = 4;

/// How often a send watcher repeats a lookup that found no sender: most packets without a known
/// sender have none here.
const MAX_TRIES: u8 = 5;

/// The result of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nobody,
    /// The holder of the socket with the packet's ends; or that no process here sent it.
    Socket,
    /// The process that ran when the packet was sent: another one may send the next packet.
    Runner,
}

#[derive(Debug, Default)]
pub(super) struct WatchTable {
    /// By the ends, whatever the device: there is rarely more than one per entry.
    flows: HashMap<SocketQuery, Vec<WatchedFlow>>,
    /// In order of arrival.
    order: VecDeque<SocketQuery>,
    /// Ends that recently received the first datagram of a flow, with the device if the address is
    /// local to one, and the time. Most of what they send is answers.
    servers: VecDeque<(Server, Instant)>,
}

type Server = (SocketAddr, Option<u32>);

#[derive(Debug)]
struct WatchedFlow {
    device: Option<u32>,
    began: Instant,
    /// In wall-clock time.
    began_at: SystemTime,
    is_under_way: bool,
    /// The time of its newest packet.
    last: Instant,
    found: Found,
    /// The time of the first of consecutive lookups without result, and their number.
    first: Instant,
    tries: u8,
}

/// The state of a flow's lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watched {
    /// No send watcher has looked it up since its packet, but one may.
    NotYet,
    UnderWay,
    /// A send watcher has looked it up, or never will.
    Done,
}

impl WatchTable {
    /// Whether a send watcher should look up a flow. If so, others should not for a while.
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
            // The next packet with the same ends may come from any process.
            Protocol::Icmp | Protocol::Raw => WATCHED_PORTLESS,
            _ => WATCHED_DATAGRAMS,
        };
        let since = |then: Instant| now.saturating_duration_since(then);
        // A connection has one first packet, and its lookup may be repeated anyway.
        let may_be_retried = |known: &WatchedFlow| {
            query.protocol() != Protocol::Tcp
                && known.found == Found::Nobody
                && !known.is_under_way
                && known.tries < MAX_TRIES
                && since(known.first) < OBSERVED_SENDER
        };
        let is_fresh = |known: &WatchedFlow| {
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
        let flows = match self.flows.entry(key) {
            Entry::Occupied(flow) => flow.into_mut(),
            Entry::Vacant(room) => {
                self.order.push_back(key);
                room.insert(Vec::new())
            }
        };
        let (mut first, mut tries) = (now, 1);
        if let Some(known) = on_device(flows, device) {
            if is_fresh(known) {
                known.last = now;
                return false;
            }
            if may_be_retried(known) {
                (first, tries) = (known.first, known.tries + 1);
            }
        }
        flows.retain(|known| known.device != device);
        flows.truncate(MAX_DEVICES - 1);
        // The most recent comes first.
        let flow = WatchedFlow {
            device,
            began: now,
            began_at: wall_clock,
            is_under_way: true,
            last: now,
            found: Found::Nobody,
            first,
            tries,
        };
        flows.insert(0, flow);
        if self.order.len() > MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.flows.remove(&oldest);
        }
        true
    }

    fn known_mut(&mut self, query: &SocketQuery) -> Option<&mut WatchedFlow> {
        let flows = self.flows.get_mut(&flow_of(query))?;
        on_device(flows, query.device_or_scope())
    }

    /// Records that another end sent the first datagram of a flow to this end.
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

    /// The state of a flow's lookup, if the lookup began at `since` or later.
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
            // Later packets of a known flow cause no lookup.
            Some(_) if query.protocol() != Protocol::Tcp => Watched::Done,
            // An end that answers causes no lookup, not even when it sends first.
            _ if is_left_out => Watched::Done,
            _ => Watched::NotYet,
        }
    }
}

/// The flow that a query is about, whatever the device. Send watchers look up senders.
fn flow_of(query: &SocketQuery) -> SocketQuery {
    query.without_device().as_sender()
}

/// The entry of a flow on its device. Without a device in the query, the most recent one.
fn on_device(flows: &mut [WatchedFlow], device: Option<u32>) -> Option<&mut WatchedFlow> {
    let mut flows = flows.iter_mut();
    flows.find(|known| device.is_none() || known.device == device)
}

/// An end that answers. A link-local one belongs to one device.
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
    fn a_flow_is_looked_up_again_after_a_while() {
        let (mut table, now) = (WatchTable::default(), Instant::now());
        for (protocol, good_for) in [
            (Protocol::Tcp, WATCHED_CONNECTION),
            (Protocol::Udp, WATCHED_DATAGRAMS),
            (Protocol::Raw, WATCHED_PORTLESS),
        ] {
            let query = query(protocol, 1);
            let mut begin = |now| {
                let is_new = table.begin(&query, now, SystemTime::UNIX_EPOCH);
                table.end(&query, Found::Socket);
                is_new
            };
            assert!(begin(now));
            assert!(!begin(now + good_for / 2));
            assert!(begin(now + good_for));
        }
    }

    /// The next frame may show the sender.
    #[test]
    fn a_lookup_without_result_is_repeated_a_few_times() {
        let (mut table, began) = (WatchTable::default(), Instant::now());
        let (tick, query) = (WATCHED_IN_VAIN, query(Protocol::Udp, 1));
        let is_new = |table: &mut WatchTable, after, found| {
            let is_new = table.begin(&query, began + after, UNIX_EPOCH);
            table.end(&query, found);
            is_new
        };
        assert!(is_new(&mut table, Duration::ZERO, Found::Nobody));
        assert!(!is_new(&mut table, tick / 2, Found::Nobody));
        for try_ in 1..u32::from(MAX_TRIES) {
            assert!(is_new(&mut table, tick * try_, Found::Nobody), "{try_}");
        }
        assert!(!is_new(&mut table, tick * 10, Found::Nobody));
        // This long after the first packet, a lookup says nothing about its sender.
        let mut table = WatchTable::default();
        assert!(is_new(&mut table, Duration::ZERO, Found::Nobody));
        assert!(!is_new(&mut table, OBSERVED_SENDER, Found::Nobody));
        // Nor after a lookup with a result.
        let mut table = WatchTable::default();
        assert!(is_new(&mut table, Duration::ZERO, Found::Socket));
        assert!(!is_new(&mut table, tick, Found::Socket));
    }

    /// If no socket has the packet's ends, another process may send the same after the first one is
    /// silent.
    #[test]
    fn a_sender_is_looked_up_again_after_a_silence() {
        let (mut table, began) = (WatchTable::default(), Instant::now());
        let query = query(Protocol::Udp, 1);
        let mut is_new = |after| {
            let is_new = table.begin(&query, began + after, UNIX_EPOCH);
            table.end(&query, Found::Runner);
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
    fn answers_are_not_looked_up() {
        let (mut table, now) = (WatchTable::default(), Instant::now());
        let (answer, connection) = (query(Protocol::Udp, 53), query(Protocol::Tcp, 53));
        assert_eq!(table.watched(&answer, UNIX_EPOCH, now), Watched::NotYet);
        table.add_server(&answer, now);
        assert!(!table.begin(&answer, now, UNIX_EPOCH));
        // So no request should wait for it.
        let watched = table.watched(&answer, UNIX_EPOCH, now);
        assert_eq!(watched, Watched::Done);
        assert!(table.begin(&connection, now, UNIX_EPOCH));
        assert!(table.begin(&query(Protocol::Udp, 54), now, UNIX_EPOCH));
        assert!(table.begin(&answer, now + WATCHED_DATAGRAMS, UNIX_EPOCH));
        for port in 1_000..2_000 {
            table.add_server(&query(Protocol::Udp, port), now);
        }
        assert_eq!(table.servers.len(), MAX_SERVERS);
    }

    /// Otherwise the capture thread would wait with each packet.
    #[test]
    fn no_lookup_is_expected_for_a_known_flow_of_datagrams() {
        let (mut table, now) = (WatchTable::default(), Instant::now());
        let (query, began_at) = (query(Protocol::Udp, 1), UNIX_EPOCH);
        assert!(table.begin(&query, now, began_at));
        let later = began_at + Duration::from_secs(1);
        assert_eq!(table.watched(&query, later, now), Watched::Done);
    }

    /// Link-local addresses are the same on each link.
    #[test]
    fn flows_of_two_devices_are_distinguished() {
        let (mut table, now) = (WatchTable::default(), Instant::now());
        let ends = ["[fe80::1]:1", "[fe80::2]:2"].map(|end| end.parse().unwrap());
        let query = SocketQuery::udp(ends[0], ends[1]).as_sender();
        for device in [2, 3] {
            assert!(table.begin(&query.on_device(device), now, UNIX_EPOCH));
        }
        table.end(&query.on_device(2), Found::Socket);
        let mut watched = |query: &SocketQuery| table.watched(query, UNIX_EPOCH, now);
        assert_eq!(watched(&query.on_device(2)), Watched::Done);
        // A query without device is about the most recent one.
        assert_eq!(watched(&query), Watched::UnderWay);
        assert_eq!(watched(&query.on_device(4)), Watched::NotYet);
        table.add_server(&query.on_device(5), now);
        assert!(!table.begin(&query.on_device(5), now, UNIX_EPOCH));
        for device in 6..20 {
            assert!(table.begin(&query.on_device(device), now, UNIX_EPOCH));
        }
        assert_eq!(table.flows[&query].len(), MAX_DEVICES);
    }

    #[test]
    fn the_oldest_is_forgotten_at_the_bound() {
        let (mut table, now) = (WatchTable::default(), Instant::now());
        let ports = (0..).take(MAX + 1);
        let begin = |table: &mut WatchTable, port| {
            table.begin(&query(Protocol::Udp, port), now, UNIX_EPOCH)
        };
        for port in ports {
            assert!(begin(&mut table, port));
        }
        assert_eq!(table.flows.len(), MAX);
        assert_eq!(table.order.len(), MAX);
        assert!(begin(&mut table, 0));
    }
}
