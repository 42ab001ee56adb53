//! Answers that serve other flows of the same socket.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use super::{Initiator, LookupRequest};
use crate::answer::{Match, Ownership, Protocol, Snapshot, SocketQuery};

/// A query, without its remote end if the answer does not depend on it.
type Key = SocketQuery;

#[derive(Debug)]
struct Entry {
    ownership: Ownership,
    /// Wall-clock time of the packet. The owner held the socket from then until the lookup observed
    /// it.
    since: SystemTime,
    learned: Instant,
}

#[derive(Debug)]
pub(super) struct Cache {
    entries: HashMap<Key, Entry>,
    /// In the order of learning. It may hold keys that the cache has learned again or forgotten
    /// since; their time shows which.
    order: VecDeque<(Instant, Key)>,
    max: usize,
    age: Duration,
    /// Whether the answer for a local end holds for every remote end.
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

    /// The answer for the five-tuple, or for any socket at its local end, if the first packet of
    /// the flow falls into the time that the answer covers.
    pub(super) fn find(&self, question: &LookupRequest, now: Instant) -> Option<&Ownership> {
        let query = &question.query;
        let needs_its_connection = question.needs_its_connection();
        let is_own = |ownership: &Ownership| {
            !needs_its_connection || ownership.evidence.matched == Some(Match::FiveTuple)
        };
        // A connection that this host opens shares its socket with no other.
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
                (entry.since..=until).contains(&question.packet_time)
            })
            .map(|entry| &entry.ownership)
    }

    /// The last answer for the local end, of any age.
    pub(super) fn endpoint(&self, query: &SocketQuery) -> Option<&Ownership> {
        let entry = self.entries.get(&endpoint(query))?;
        Some(&entry.ownership)
    }

    /// Keeps a named answer that holds since `since`. With `for_endpoint` it serves any remote end.
    pub(super) fn learn(
        &mut self,
        query: &SocketQuery,
        ownership: &Ownership,
        since: SystemTime,
        for_endpoint: bool,
        now: Instant,
    ) {
        // The original ends of translated packets depend on the remote end, too.
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

    /// Forgets the answers for this five-tuple and for its local end.
    pub(super) fn forget(&mut self, query: &SocketQuery) {
        self.entries.remove(query);
        self.entries.remove(&endpoint(query));
    }

    /// Forgets the answers that a newer snapshot contradicts: for sockets that are gone, or that
    /// have another owner now.
    pub(super) fn revalidate(&mut self, snapshot: &Snapshot) {
        self.entries.retain(|key, entry| {
            let found = match key.remote() {
                Some(_) => snapshot.find(key),
                // A connected socket serves no other peer.
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
        // A front that stays may keep many outdated keys behind it.
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

    /// Learns at second 20 an answer that holds since second 10.
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

    fn finds(cache: &Cache, query: SocketQuery, packet_time: u64, now: Instant) -> bool {
        let question = LookupRequest {
            query,
            packet_time: wall(packet_time),
            initiator: Initiator::Local,
        };
        cache.find(&question, now).is_some()
    }

    #[test]
    fn answers_hold_for_the_time_that_they_cover() {
        let now = Instant::now();
        let mut cache = Cache::new(10, Duration::from_secs(60), true);
        learn(&mut cache, &query(1, None), Match::LocalEndpoint, now);
        for (packet_time, expected) in [(9, false), (10, true), (20, true), (21, false)] {
            assert_eq!(finds(&cache, query(1, None), packet_time, now), expected);
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
        // An answer that is too old does not count.
        let later = start + Duration::from_secs(90);
        learn(&mut cache, &query(4, None), Match::LocalEndpoint, later);
        assert_eq!((cache.len(), cache.evicted), (1, 1));
    }

    /// With NAT, one address and port may stand for a different socket for each remote end.
    #[test]
    fn an_answer_about_translated_packets_serves_no_other_flow() {
        let now = Instant::now();
        for serves_all_remotes in [true, false] {
            let mut cache = Cache::new(10, Duration::from_secs(60), serves_all_remotes);
            let wanted = query(1, Some("10.0.0.7:1"));
            learn(&mut cache, &wanted, Match::WildcardAddress, now);
            let other = query(1, Some("10.0.0.8:1"));
            assert_eq!(finds(&cache, other, 15, now), serves_all_remotes);
            // The cache still knows the last owner of the port.
            assert!(cache.endpoint(&other).is_some());
        }
    }

    #[test]
    fn a_contradicting_snapshot_removes_answers() {
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
        let snapshot = Snapshot::new(Source::Scripted, wall(30), wall(31), sockets);
        cache.revalidate(&snapshot);
        let kept = [1, 2, 3].map(|port| finds(&cache, query(port, None), 15, now));
        assert_eq!(kept, [true, false, false]);
    }
}
