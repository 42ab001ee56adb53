//! Fuzzing of the requests that wait. Not part of the interface of this crate.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use super::judge::Waiting;
use super::pending::PendingSet;
use super::{Initiator, LookupRequest, PolicyConfig, Token};
use crate::answer::{Match, Ownership, Protocol, Reason, SocketQuery, Source};

/// The bytes of one step.
const STEP: usize = 4;
/// More steps only repeat: the fuzzer compares all waiting requests after each step.
const MAX_STEPS: usize = 128;

/// Decodes bytes as steps and applies them to the policy's set and to a plain list that visits
/// every entry. Both must agree, and no request may get lost.
///
/// # Panics
///
/// If they do not.
pub fn requests(bytes: &[u8], start: Instant) {
    let Some((&first, rest)) = bytes.split_first() else {
        return;
    };
    let mut fuzzing = Fuzzing {
        config: PolicyConfig {
            max_batch: usize::from(first >> 1) % 4,
            ..PolicyConfig::default()
        },
        knows_remotes: first & 1 != 0,
        now: start,
        set: PendingSet::default(),
        model: Vec::new(),
        sent: HashSet::new(),
    };
    for step in rest.chunks_exact(STEP).take(MAX_STEPS) {
        fuzzing.step([step[0], step[1], step[2], step[3]]);
        fuzzing.compare();
    }
    fuzzing.check_none_is_lost();
}

/// A waiting request, in the list.
#[derive(Debug)]
struct Entry {
    waiter: Token,
    question: LookupRequest,
    contested: Option<Match>,
    has_answer: bool,
}

struct Fuzzing {
    config: PolicyConfig,
    knows_remotes: bool,
    now: Instant,
    set: PendingSet<Token>,
    model: Vec<Entry>,
    /// Queries that the set returned for a table request and that have no answer yet.
    sent: HashSet<SocketQuery>,
}

impl Fuzzing {
    fn step(&mut self, [kind, a, b, c]: [u8; STEP]) {
        let waiter = Token(u64::from(c % 16));
        match kind % 10 {
            0..=2 => self.lookup(waiter, question(a, b)),
            3 => {
                let question = question(a, b);
                self.contest(&question);
                self.set.note(&question);
            }
            4 => self.remove(waiter),
            5 => {
                let (now, config) = (self.now, &self.config);
                self.set.packet_seen(waiter, now, config, |_| false);
            }
            6 => self.now += Duration::from_millis(u64::from(a) * u64::from(b)),
            7 => self.take_due(),
            8 => self.land(a),
            _ => self.answer(waiter, a),
        }
    }

    fn lookup(&mut self, waiter: Token, question: LookupRequest) {
        self.remove(waiter);
        self.contest(&question);
        self.set.note(&question);
        let at_start = self.set.contested_at_start(&question, self.knows_remotes);
        // Earlier flows do not contest datagrams.
        let is_tcp = question.query.protocol() == Protocol::Tcp;
        let older = self.model.iter().filter(|_| is_tcp);
        let doubts = older.map(|older| contests(&question, &older.question, self.knows_remotes));
        assert_eq!(at_start, doubts.max().flatten());
        let waiting = Waiting {
            waiter,
            question,
            asked_after: 0,
            before: None,
            is_before_known: false,
            contested_at_start: at_start,
            number: 0,
            best: None,
            fast_lookups: 0,
            ended: false,
        };
        self.set.add(waiting, self.now, self.now);
        self.model.push(Entry {
            waiter,
            question,
            contested: at_start,
            has_answer: false,
        });
    }

    /// Applies the effect of a new request to the waiting ones.
    fn contest(&mut self, new: &LookupRequest) {
        for older in &mut self.model {
            let doubt = contests(new, &older.question, self.knows_remotes);
            older.contested = older.contested.max(doubt);
        }
    }

    fn remove(&mut self, waiter: Token) {
        let place = self.model.iter().position(|it| it.waiter == waiter);
        let removed = self.set.remove_waiter(waiter);
        assert_eq!(removed.map(|it| it.waiter), place.map(|_| waiter));
        let Some(place) = place else {
            return;
        };
        let query = self.model.swap_remove(place).question.query;
        if !self.waits(&query) {
            self.sent.remove(&query);
        }
    }

    fn waits(&self, query: &SocketQuery) -> bool {
        self.model.iter().any(|it| it.question.query == *query)
    }

    fn take_due(&mut self) {
        let taken = self.set.take_due(self.now, &self.config);
        assert!(taken.len() <= self.config.max_batch.max(1));
        for query in taken {
            assert!(self.waits(&query), "{query} has no waiting request");
            assert!(self.sent.insert(query), "{query} is due twice");
        }
    }

    /// Answers one of the queries that are under way.
    fn land(&mut self, pick: u8) {
        let mut sent: Vec<_> = self.sent.iter().copied().collect();
        sent.sort_unstable();
        let Some(&query) = sent.get(usize::from(pick) % sent.len().max(1)) else {
            return;
        };
        self.sent.remove(&query);
        if let Some(pending) = self.set.of_query(&query) {
            pending.attempts += 1;
        }
        self.set.landed(&query, self.now, &self.config);
    }

    fn answer(&mut self, waiter: Token, kind: u8) {
        let reason = [Reason::NotFound, Reason::Failed][usize::from(kind) % 2];
        let best = Ownership::unknown(reason, SystemTime::UNIX_EPOCH, Source::None);
        self.set.improve(waiter, best);
        if let Some(entry) = self.model.iter_mut().find(|it| it.waiter == waiter) {
            entry.has_answer = true;
        }
        if kind % 4 < 2 && self.set.end(waiter) {
            self.remove(waiter);
        }
    }

    fn compare(&self) {
        self.set.check();
        assert_eq!(self.set.waiters(), self.model.len());
        for entry in &self.model {
            let (pending, waiting) = self
                .set
                .of_waiter(entry.waiter)
                .unwrap_or_else(|| panic!("{entry:?} does not wait"));
            assert_eq!(pending.query, entry.question.query);
            assert_eq!(waiting.question, entry.question);
            assert_eq!(waiting.best.is_some(), entry.has_answer);
            let contested = self.set.contested(waiting, self.knows_remotes);
            assert_eq!(contested, entry.contested, "{entry:?}");
        }
    }

    /// After enough time, each query without an answer must be due.
    fn check_none_is_lost(&mut self) {
        self.now += Duration::from_secs(86_400);
        for _ in 0..=self.model.len() {
            self.take_due();
            self.compare();
        }
        for entry in self.model.iter().filter(|entry| !entry.has_answer) {
            let query = entry.question.query;
            assert!(self.sent.contains(&query), "{query} is not due");
        }
    }
}

/// One of few requests, so that many have equal parts.
fn question(a: u8, b: u8) -> LookupRequest {
    let local = SocketAddr::from(([10, 0, 0, a & 1], 1 + u16::from(a >> 1 & 1)));
    let remote = SocketAddr::from(([192, 0, 2, 1], 1 + u16::from(a >> 2 & 3)));
    let protocol = [Protocol::Tcp, Protocol::Udp][usize::from(b & 1)];
    let initiator = [Initiator::Local, Initiator::Remote, Initiator::Unknown];
    let query = SocketQuery::new(protocol, local, Some(remote));
    LookupRequest {
        query: if b & 2 == 0 {
            query
        } else {
            query.in_other_role()
        },
        packet_time: SystemTime::UNIX_EPOCH,
        initiator: initiator[usize::from(b >> 2) % 3],
    }
}

/// The rule for a single pair: up to which match a new request contests an older one.
pub(super) fn contests(
    new: &LookupRequest,
    older: &LookupRequest,
    has_remote_addresses: bool,
) -> Option<Match> {
    let by_us = |question: &LookupRequest| question.initiator == Initiator::Local;
    let accepted = |question: &LookupRequest| question.initiator == Initiator::Remote;
    let ends = |question: &LookupRequest| (question.query.protocol(), question.query.local());
    let port = |request: &LookupRequest| (request.query.protocol(), request.query.local().port());
    if new.query == older.query || port(new) != port(older) {
        return None;
    }
    let same_end = ends(new) == ends(older);
    match new.query.protocol() {
        Protocol::Tcp => {
            let may_share_end = (by_us(new) || by_us(older))
                && !(accepted(new) || accepted(older))
                && !has_remote_addresses;
            (may_share_end && same_end).then_some(Match::LocalEndpoint)
        }
        _ if !by_us(new) => None,
        _ if same_end => Some(Match::LocalEndpoint),
        _ => Some(Match::WildcardAddress),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_steps(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            requests(&bytes, Instant::now());
        }
    }
}
