//! Answers that serve other flows of the same socket.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use super::{Initiator, LookupRequest};
use crate::answer::{Match, Ownership, Protocol, Snapshot, SocketQuery};

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
    /// since; their time shows which those are.
    order: VecDeque<(Instant, Key)>,
    max: usize,
    age: Duration,
    /// Whether what was answered for a local end holds for each remote one.
    serves_all_remotes: bool,
    pub(super) evicted: u64,
}

impl Cache {
    pub(super) fn new(max: usize, age: Duration, serves_all_remotes: bool) -> Self {
        Self {
            entries: HashMap::new(),
            order: VecDeque::new(),
            max,
            age,
            serves_all_remotes,
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
    pub(super) fn find(&self, question: &LookupRequest, now: Instant) -> Option<&Ownership> {
        let query = &question.query;
        let needs_its_connection = question.needs_its_connection();
        let is_own = |ownership: &Ownership| {
            !needs_its_connection || ownership.evidence.matched == Some(Match::FiveTuple)
        };
        // A connection that this end opens shares its socket with no other.
        let is_alone = query.protocol() == Protocol::Tcp && question.initiator == Initiator::Local;
        let shared = (self.serves_all_remotes && !is_alone).then(|| endpoint(query));
        [Some(*query), shared]
            .iter()
            .flatten()
            .filter_map(|key| self.entries.get(key))
            .filter(|entry| now.saturating_duration_since(entry.learned) < self.age)
            .filter(|entry| is_own(&entry.ownership))
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
        // What stands behind a translated end depends on the other one, too.
        let depends_on_remote = ownership.evidence.matched == Some(Match::FiveTuple)
            || ownership.evidence.translated_from.is_some();
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
        self.entries.retain(|key, entry| {
            let found = match key.remote() {
                Some(_) => snapshot.find(key),
                // One that is connected to somebody serves nobody else.
                None => snapshot.find_waiting(key),
            };
            found.verdict == entry.ownership.verdict
        });
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
    query.without_remote()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::answer::{Evidence, Process, Socket, Source, Verdict};

    fn wall(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn query(port: u16, remote: Option<&str>) -> SocketQuery {
        let local = format!("10.0.0.2:{port}").parse().unwrap();
        let remote = remote.map(|remote| remote.parse().unwrap());
        SocketQuery::new(Protocol::Udp, local, remote)
    }

    fn owner(pid: u32) -> Verdict {
        Verdict::Process(Arc::new(Process::new(pid, "p")))
    }

    /// Learns at second 20 what holds since second 10.
    fn learn(cache: &mut Cache, query: &SocketQuery, matched: Match, now: Instant) {
        let ownership = Ownership {
            verdict: owner(7),
            evidence: Evidence {
                matched: Some(matched),
                observed_at: wall(20),
                source: Source::Scripted,
                namespace: None,
                socket: None,
                found_by: None,
                translated_from: None,
            },
        };
        cache.learn(query, &ownership, wall(10), true, now);
        cache.check();
    }

    fn finds(cache: &Cache, query: SocketQuery, seen_at: u64, now: Instant) -> bool {
        let question = LookupRequest {
            query,
            seen_at: wall(seen_at),
            initiator: Initiator::Local,
        };
        cache.find(&question, now).is_some()
    }

    #[test]
    fn answers_hold_for_the_time_that_is_proven() {
        let now = Instant::now();
        let mut cache = Cache::new(10, Duration::from_secs(60), true);
        learn(&mut cache, &query(1, None), Match::LocalEndpoint, now);
        for (seen_at, expected) in [(9, false), (10, true), (20, true), (21, false)] {
            assert_eq!(finds(&cache, query(1, None), seen_at, now), expected);
        }
        let later = now + Duration::from_secs(60);
        assert!(!finds(&cache, query(1, None), 15, later));
        cache.clear();
        assert!(!finds(&cache, query(1, None), 15, now));
    }

    #[test]
    fn an_answer_serves_other_remote_ends_unless_it_depends_on_its_own() {
        let now = Instant::now();
        let mut cache = Cache::new(10, Duration::from_secs(60), true);
        let (here, there) = (Some("192.0.2.1:1"), Some("192.0.2.2:1"));
        learn(&mut cache, &query(1, here), Match::LocalEndpoint, now);
        learn(&mut cache, &query(2, here), Match::FiveTuple, now);
        assert!(finds(&cache, query(1, there), 15, now));
        assert!(finds(&cache, query(2, here), 15, now));
        assert!(!finds(&cache, query(2, there), 15, now));
        cache.forget(&query(1, there));
        assert!(!finds(&cache, query(1, here), 15, now));
    }

    #[test]
    fn the_oldest_gives_way_at_the_bound_and_is_counted() {
        let start = Instant::now();
        let mut cache = Cache::new(2, Duration::from_secs(60), true);
        for (second, port) in [1, 2, 1, 3].into_iter().enumerate() {
            let now = start + Duration::from_secs(second as u64);
            learn(&mut cache, &query(port, None), Match::LocalEndpoint, now);
        }
        let now = start + Duration::from_secs(4);
        let kept = [1, 2, 3].map(|port| finds(&cache, query(port, None), 15, now));
        assert_eq!(kept, [true, false, true]);
        assert_eq!((cache.len(), cache.evicted), (2, 1));
        // What is too old goes uncounted.
        let later = start + Duration::from_secs(90);
        learn(&mut cache, &query(4, None), Match::LocalEndpoint, later);
        assert_eq!((cache.len(), cache.evicted), (1, 1));
    }

    /// Behind an address and a port may stand another end for each remote one.
    #[test]
    fn where_packets_are_translated_no_answer_serves_another_flow() {
        let now = Instant::now();
        for serves_all_remotes in [true, false] {
            let mut cache = Cache::new(10, Duration::from_secs(60), serves_all_remotes);
            let asked = query(1, Some("10.0.0.7:1"));
            learn(&mut cache, &asked, Match::WildcardAddress, now);
            let other = query(1, Some("10.0.0.8:1"));
            assert_eq!(finds(&cache, other, 15, now), serves_all_remotes);
            // Who had the port before is still known.
            assert!(cache.endpoint(&other).is_some());
        }
    }

    #[test]
    fn a_look_that_says_otherwise_makes_it_forget() {
        let now = Instant::now();
        let socket = |port: u16, pid| Socket {
            protocol: Protocol::Udp,
            local: query(port, None).local(),
            remote: None,
            state: None,
            v6_only: false,
            device: None,
            id: None,
            uid: None,
            inode: None,
            namespace: None,
            packet: None,
            owner: owner(pid),
        };
        let mut cache = Cache::new(10, Duration::from_secs(60), true);
        for port in 1..4 {
            learn(&mut cache, &query(port, None), Match::LocalEndpoint, now);
        }
        let sockets = vec![socket(1, 7), socket(2, 8)];
        let look = Snapshot::new(Source::Scripted, wall(30), wall(31), sockets);
        cache.revalidate(&look);
        let kept = [1, 2, 3].map(|port| finds(&cache, query(port, None), 15, now));
        assert_eq!(kept, [true, false, false]);
    }
}
