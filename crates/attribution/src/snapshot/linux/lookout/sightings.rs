//! What was seen of sockets whose first packets were sent. Pure.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use crate::{Ownership, Protocol, SocketQuery};

/// Flows that are kept; past that, the one that began first is forgotten.
const MAX: usize = 4_096;
/// How long a flow is not looked at again. A connection has one first packet, which may go
/// out through several devices; of datagrams, none is told from the others.
const CONNECTION: Duration = Duration::from_millis(1);
const DATAGRAMS: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Sightings {
    flows: HashMap<SocketQuery, Sighting>,
    /// In the order in which they came in.
    order: VecDeque<SocketQuery>,
}

#[derive(Debug)]
struct Sighting {
    looked: Instant,
    seen: Option<Ownership>,
}

impl Sightings {
    /// Whether a flow is to be looked at; it is not for a while, then.
    pub(super) fn begin(&mut self, query: &SocketQuery, now: Instant) -> bool {
        let good_for = match query.protocol() {
            Protocol::Tcp => CONNECTION,
            _ => DATAGRAMS,
        };
        let known = self.flows.get(query).map(|known| known.looked);
        if known.is_some_and(|looked| now.saturating_duration_since(looked) < good_for) {
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
            looked: now,
            seen: None,
        };
        self.flows.insert(*query, sighting);
        true
    }

    /// Keeps what was seen of a flow.
    pub(super) fn end(&mut self, query: &SocketQuery, seen: Option<Ownership>) {
        if let Some(flow) = self.flows.get_mut(query) {
            flow.seen = seen;
        }
    }

    /// What was seen at that time or later, once.
    pub(super) fn take(&mut self, query: &SocketQuery, since: SystemTime) -> Option<Ownership> {
        let flow = self.flows.get_mut(query)?;
        flow.seen.take_if(|seen| seen.evidence.observed_at >= since)
    }
}

#[cfg(test)]
mod tests {
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
        assert!(sightings.begin(&query, now));
        assert_eq!(sightings.take(&query, second(9)), None);
        sightings.end(&query, Some(seen.clone()));
        assert_eq!(sightings.take(&query, second(11)), None);
        assert_eq!(sightings.take(&query, second(10)), Some(seen));
        assert_eq!(sightings.take(&query, second(10)), None);
    }

    #[test]
    fn a_flow_is_looked_at_again_after_a_while() {
        let (mut sightings, now) = (Sightings::default(), Instant::now());
        for (protocol, good_for) in [(Protocol::Tcp, CONNECTION), (Protocol::Udp, DATAGRAMS)] {
            let query = query(protocol, 1);
            assert!(sightings.begin(&query, now));
            assert!(!sightings.begin(&query, now + good_for / 2));
            assert!(sightings.begin(&query, now + good_for));
        }
    }

    #[test]
    fn the_oldest_is_forgotten_at_the_bound() {
        let (mut sightings, now) = (Sightings::default(), Instant::now());
        let ports = (0..).take(MAX + 1);
        for port in ports {
            assert!(sightings.begin(&query(Protocol::Udp, port), now));
        }
        assert_eq!(sightings.flows.len(), MAX);
        assert_eq!(sightings.order.len(), MAX);
        assert!(sightings.begin(&query(Protocol::Udp, 0), now));
    }
}
