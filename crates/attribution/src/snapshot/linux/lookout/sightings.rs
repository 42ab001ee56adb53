//! What was seen of sockets whose first packets were sent. Pure.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use crate::{Ownership, Protocol, SocketQuery};

/// Flows that are kept; past that, the one that began first is forgotten.
const MAX: usize = 4_096;
/// How long a flow is not looked at again. A connection has one first packet, which may go
/// out through several devices; of datagrams, none is told from the others.
const CONNECTION: Duration = Duration::from_millis(1);
const DATAGRAMS: Duration = Duration::from_secs(10);

/// Ends that answer datagrams, which are kept in mind.
const MAX_SERVERS: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Sightings {
    flows: HashMap<SocketQuery, Sighting>,
    /// In the order in which they came in.
    order: VecDeque<SocketQuery>,
    /// Ends that got a datagram first, and when one did lately: what they send is an answer,
    /// mostly.
    servers: VecDeque<(SocketAddr, Instant)>,
}

#[derive(Debug)]
struct Sighting {
    began: Instant,
    /// In wall-clock time.
    began_at: SystemTime,
    state: State,
}

#[derive(Debug)]
enum State {
    Looking,
    /// `None` also when it was told.
    Seen(Option<Ownership>),
}

/// What is known of a flow.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::snapshot::linux) enum Told {
    /// It was not looked at since, and may be.
    NotYet,
    Looking,
    Seen(Option<Ownership>),
}

impl Sightings {
    /// Whether a flow is to be looked at; it is not for a while, then.
    pub(super) fn begin(
        &mut self,
        query: &SocketQuery,
        now: Instant,
        wall_clock: SystemTime,
    ) -> bool {
        let is_datagram = query.protocol() == Protocol::Udp;
        if is_datagram && self.is_server(query.local(), now) {
            return false;
        }
        let good_for = match query.protocol() {
            Protocol::Tcp => CONNECTION,
            _ => DATAGRAMS,
        };
        let known = self.flows.get(query).map(|known| known.began);
        if known.is_some_and(|began| now.saturating_duration_since(began) < good_for) {
            return false;
        }
        if known.is_none() {
            if self.order.len() >= MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.flows.remove(&oldest);
            }
            self.order.push_back(*query);
        }
        let sighting = Sighting {
            began: now,
            began_at: wall_clock,
            state: State::Looking,
        };
        self.flows.insert(*query, sighting);
        true
    }

    /// Takes note that somebody else sent the first datagram of a flow to this end.
    pub(super) fn add_server(&mut self, end: SocketAddr, now: Instant) {
        self.servers.retain(|(server, _)| *server != end);
        self.servers.truncate(MAX_SERVERS - 1);
        self.servers.push_front((end, now));
    }

    fn is_server(&self, end: SocketAddr, now: Instant) -> bool {
        let mut servers = self.servers.iter();
        let noted = servers.find(|(server, _)| *server == end);
        noted.is_some_and(|(_, noted)| now.saturating_duration_since(*noted) < DATAGRAMS)
    }

    /// Keeps what was seen of a flow.
    pub(super) fn end(&mut self, query: &SocketQuery, seen: Option<Ownership>) {
        if let Some(flow) = self.flows.get_mut(query) {
            flow.state = State::Seen(seen);
        }
    }

    /// What was seen by a look that began at that time or later, once.
    pub(super) fn take(&mut self, query: &SocketQuery, since: SystemTime, now: Instant) -> Told {
        let is_datagram = query.protocol() == Protocol::Udp;
        let is_left_out = is_datagram && self.is_server(query.local(), now);
        match self.flows.get_mut(query) {
            Some(flow) if flow.began_at >= since => match &mut flow.state {
                State::Looking => Told::Looking,
                State::Seen(seen) => Told::Seen(seen.take()),
            },
            // Each packet after the first may be of a flow that is known.
            Some(_) if query.protocol() != Protocol::Tcp => Told::Seen(None),
            // What answers is not looked at, also if it asks for once.
            _ if is_left_out => Told::Seen(None),
            _ => Told::NotYet,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::{Reason, Source};

    fn query(protocol: Protocol, port: u16) -> SocketQuery {
        let ends = ([127, 0, 0, 1], port);
        SocketQuery::new(protocol, ends.into(), Some(ends.into()))
    }

    #[test]
    fn a_sighting_is_told_once_and_only_for_packets_before_it() {
        let (mut sightings, now, query) = (
            Sightings::default(),
            Instant::now(),
            query(Protocol::Tcp, 1),
        );
        let second = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let seen = Ownership::unknown(Reason::Kernel, second(10), Source::Scripted);
        assert_eq!(sightings.take(&query, second(9), now), Told::NotYet);
        assert!(sightings.begin(&query, now, second(10)));
        assert_eq!(sightings.take(&query, second(9), now), Told::Looking);
        sightings.end(&query, Some(seen.clone()));
        assert_eq!(sightings.take(&query, second(11), now), Told::NotYet);
        assert_eq!(
            sightings.take(&query, second(10), now),
            Told::Seen(Some(seen))
        );
        assert_eq!(sightings.take(&query, second(10), now), Told::Seen(None));
    }

    #[test]
    fn a_flow_is_looked_at_again_after_a_while() {
        let (mut sightings, now) = (Sightings::default(), Instant::now());
        for (protocol, good_for) in [(Protocol::Tcp, CONNECTION), (Protocol::Udp, DATAGRAMS)] {
            let query = query(protocol, 1);
            let mut begin = |now| sightings.begin(&query, now, SystemTime::UNIX_EPOCH);
            assert!(begin(now));
            assert!(!begin(now + good_for / 2));
            assert!(begin(now + good_for));
        }
    }

    /// Who answers is looked at when the question comes.
    #[test]
    fn answers_are_not_looked_at() {
        let (mut sightings, now) = (Sightings::default(), Instant::now());
        let (answer, connection) = (query(Protocol::Udp, 53), query(Protocol::Tcp, 53));
        assert_eq!(sightings.take(&answer, UNIX_EPOCH, now), Told::NotYet);
        sightings.add_server(answer.local(), now);
        assert!(!sightings.begin(&answer, now, UNIX_EPOCH));
        // So nobody is to wait for that.
        let told = sightings.take(&answer, UNIX_EPOCH, now);
        assert_eq!(told, Told::Seen(None));
        assert!(sightings.begin(&connection, now, UNIX_EPOCH));
        assert!(sightings.begin(&query(Protocol::Udp, 54), now, UNIX_EPOCH));
        assert!(sightings.begin(&answer, now + DATAGRAMS, UNIX_EPOCH));
        for port in 1_000..2_000 {
            sightings.add_server(query(Protocol::Udp, port).local(), now);
        }
        assert_eq!(sightings.servers.len(), MAX_SERVERS);
    }

    /// A capturing thread would wait for it with each packet otherwise.
    #[test]
    fn no_look_is_expected_for_a_known_flow_of_datagrams() {
        let (mut sightings, now) = (Sightings::default(), Instant::now());
        let (query, began_at) = (query(Protocol::Udp, 1), UNIX_EPOCH);
        assert!(sightings.begin(&query, now, began_at));
        let later = began_at + Duration::from_secs(1);
        assert_eq!(sightings.take(&query, later, now), Told::Seen(None));
    }

    #[test]
    fn the_oldest_is_forgotten_at_the_bound() {
        let (mut sightings, now) = (Sightings::default(), Instant::now());
        let ports = (0..).take(MAX + 1);
        let begin = |sightings: &mut Sightings, port| {
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
