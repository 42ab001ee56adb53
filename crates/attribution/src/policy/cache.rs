//! Answers that serve other flows of the same socket.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use super::{Opened, Question};
use crate::{Match, Ownership, Protocol, Snapshot, SocketQuery};

/// A question whose remote end is left out when the answer did not depend on it.
type Key = SocketQuery;

#[derive(Debug)]
struct Entry {
    ownership: Ownership,
    /// Wall-clock time from which the socket was there until it was observed.
    since: SystemTime,
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

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
    }

    /// The answer for the very five-tuple or for whatever uses its local end, if
    /// the flow's first packet falls into the time for which it is proven.
    pub(super) fn find(&self, question: &Question, now: Instant) -> Option<&Ownership> {
        let query = &question.query;
        // A connection that this end opens shares its socket with no other.
        let is_alone = query.protocol() == Protocol::Tcp && question.opened == Opened::ByUs;
        let shared = (!is_alone).then(|| endpoint(query));
        [Some(*query), shared]
            .iter()
            .flatten()
            .filter_map(|key| self.entries.get(key))
            .filter(|entry| now.saturating_duration_since(entry.learned) < self.age)
            .find(|entry| {
                let until = entry.ownership.evidence.observed_at;
                (entry.since..=until).contains(&question.seen_at)
            })
            .map(|entry| &entry.ownership)
    }

    /// The last answer for the local end, from whatever time.
    pub(super) fn endpoint(&self, query: &SocketQuery) -> Option<&Ownership> {
        let entry = self.entries.get(&endpoint(query))?;
        Some(&entry.ownership)
    }

    /// Keeps a named answer that holds since then. `for_endpoint`: it serves any
    /// remote end.
    pub(super) fn learn(
        &mut self,
        query: &SocketQuery,
        ownership: &Ownership,
        since: SystemTime,
        for_endpoint: bool,
        now: Instant,
    ) {
        let depends_on_remote = ownership.evidence.matched == Some(Match::FiveTuple);
        let key = if for_endpoint && !depends_on_remote {
            endpoint(query)
        } else {
            *query
        };
        let known = self.entries.get(&key).filter(|known| known.learned == now);
        let since = known.map_or(since, |known| since.min(known.since));
        if known.is_none() {
            self.order.push_back((now, key));
        }
        let entry = Entry {
            ownership: ownership.clone(),
            since,
            learned: now,
        };
        self.entries.insert(key, entry);
        self.shrink(now);
    }

    /// Forgets what was known about this five-tuple and about its local end.
    pub(super) fn forget(&mut self, query: &SocketQuery) {
        self.entries.remove(query);
        self.entries.remove(&endpoint(query));
    }

    /// Forgets what a newer look contradicts: sockets that are gone, or that
    /// somebody else holds now.
    pub(super) fn revalidate(&mut self, snapshot: &Snapshot) {
        self.entries
            .retain(|key, entry| snapshot.find(key).verdict == entry.ownership.verdict);
    }

    /// Panics if a bound is broken or the parts disagree.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert!(self.entries.len() <= self.max);
        assert!(self.order.len() <= 2 * self.max);
        for (key, entry) in &self.entries {
            assert!(self.order.contains(&(entry.learned, *key)));
        }
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

fn endpoint(query: &SocketQuery) -> Key {
    SocketQuery::new(query.protocol(), query.local(), None)
}
