//! Answers that serve other flows of the same socket.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Question;
use crate::{Match, Ownership, Protocol, Snapshot, SocketQuery};

/// A question whose remote end is left out when the answer did not depend on it.
type Key = SocketQuery;

#[derive(Debug)]
struct Entry {
    ownership: Ownership,
    learned: Instant,
}

#[derive(Debug)]
pub(super) struct Cache {
    entries: HashMap<Key, Entry>,
    /// In the order of learning, with keys that were learned again or forgotten
    /// since; those are told by their time.
    order: VecDeque<(Instant, Key)>,
    max: usize,
    age: Duration,
    pub(super) evicted: u64,
}

impl Cache {
    pub(super) fn new(max: usize, age: Duration) -> Self {
        Self {
            entries: HashMap::new(),
            order: VecDeque::new(),
            max,
            age,
            evicted: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The answer for the very five-tuple or for whatever uses its local end, if
    /// it is from after the flow's first packet.
    pub(super) fn find(&self, question: &Question, now: Instant) -> Option<&Ownership> {
        let query = &question.query;
        [*query, endpoint(query.protocol(), query.local())]
            .iter()
            .filter_map(|key| self.entries.get(key))
            .filter(|entry| now.saturating_duration_since(entry.learned) < self.age)
            .map(|entry| &entry.ownership)
            .find(|ownership| ownership.evidence.observed_at >= question.seen_at)
    }

    /// Keeps a named answer. `for_endpoint`: it serves any remote end.
    pub(super) fn learn(
        &mut self,
        query: &SocketQuery,
        ownership: &Ownership,
        for_endpoint: bool,
        now: Instant,
    ) {
        let depends_on_remote = ownership.evidence.matched == Some(Match::FiveTuple);
        let key = if for_endpoint && !depends_on_remote {
            endpoint(query.protocol(), query.local())
        } else {
            *query
        };
        let entry = Entry {
            ownership: ownership.clone(),
            learned: now,
        };
        self.entries.insert(key, entry);
        self.order.push_back((now, key));
        self.shrink(now);
    }

    /// Forgets what was known about this five-tuple and about its local end.
    pub(super) fn forget(&mut self, query: &SocketQuery) {
        self.entries.remove(query);
        self.entries
            .remove(&endpoint(query.protocol(), query.local()));
    }

    /// Forgets what a newer look contradicts: sockets that are gone, or that
    /// somebody else holds now.
    pub(super) fn revalidate(&mut self, snapshot: &Snapshot) {
        self.entries
            .retain(|key, entry| snapshot.find(key).verdict == entry.ownership.verdict);
    }

    fn shrink(&mut self, now: Instant) {
        while let Some(&(learned, key)) = self.order.front() {
            let current = self
                .entries
                .get(&key)
                .is_some_and(|entry| entry.learned == learned);
            let old = now.saturating_duration_since(learned) >= self.age;
            let full = self.entries.len() > self.max;
            if current && !old && !full {
                break;
            }
            if current {
                self.entries.remove(&key);
                self.evicted += u64::from(!old);
            }
            self.order.pop_front();
        }
        // A front that stays may hide many outdated keys behind it.
        if self.order.len() > 2 * self.max {
            let entries = &self.entries;
            self.order.retain(|(learned, key)| {
                entries
                    .get(key)
                    .is_some_and(|entry| entry.learned == *learned)
            });
        }
    }
}

fn endpoint(protocol: Protocol, local: SocketAddr) -> Key {
    SocketQuery::new(protocol, local, None)
}
