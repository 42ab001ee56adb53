//! The questions that wait, and when each is due.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Instant, SystemTime};

use super::answer::{Answer, Listed};
use super::config::later;
use super::freshness::{OLD_PROCESS, START_TIME_ERROR};
use super::history::History;
use super::request::Before;
use super::rivals::{Number, Rivals};
use super::{Initiator, Key, LookupRequest, PolicyConfig};
use crate::answer::{Evidence, Match, Ownership, Protocol, Reason, SocketQuery, Source, Verdict};
use crate::hash::KeyMap;

/// One question with everyone who waits for its answer.
#[derive(Debug)]
pub(super) struct Pending<K> {
    pub(super) query: SocketQuery,
    waiting: Vec<Waiting<K>>,
    /// Looks that were made for it.
    pub(super) attempts: usize,
    turn: Turn,
    last_attempt: Instant,
    packets_since: bool,
}

/// One who waits.
#[derive(Debug)]
pub(super) struct Waiting<K> {
    pub(super) waiter: K,
    pub(super) question: LookupRequest,
    /// Number of the newest request when it asked: an answer to that one or an
    /// earlier one is too old for it.
    pub(super) asked_after: u64,
    /// Who was named for the socket before it asked.
    pub(super) before: Option<Ownership>,
    /// Whether all sockets had been read when it asked.
    pub(super) is_before_known: bool,
    /// When it asked, another flow's socket could be found in place of its own, by a match no
    /// closer than this.
    pub(super) contested_at_start: Option<Match>,
    /// Its place among all questions, for the flows that come later.
    pub(super) number: Number,
    /// The best answer so far.
    pub(super) best: Option<Ownership>,
    /// How often a fast lookup was made for it.
    pub(super) fast_lookups: usize,
    /// The flow is over; the next answer is the last.
    pub(super) ended: bool,
}

impl<K> Waiting<K> {
    /// Whether the next look should not wait for a packet: there is no answer, or
    /// nothing but the look is waited for.
    fn is_impatient(&self) -> bool {
        self.best.is_none() || self.ended
    }

    /// Whether nothing is known because the lookup failed.
    fn has_failed(&self) -> bool {
        let failed = Verdict::Unknown(Reason::Failed);
        let best = self.best.as_ref();
        best.is_some_and(|best| best.verdict == failed)
    }

    /// What of an answer holds for this flow, up to which match another one contests it.
    pub(super) fn judge(
        &self,
        answer: &Answer,
        contested: Option<Match>,
        history: &History,
        config: &PolicyConfig,
    ) -> Ownership {
        let table_tells_remotes = config.capabilities.remote_addresses;
        let found = match answer {
            Answer::Listed(Listed {
                connected: Some(connected),
                ..
            }) if self.question.needs_its_connection() => connected,
            Answer::Listed(Listed {
                accepted: Some(accepted),
                ..
            }) if self.question.initiator == Initiator::Remote => accepted,
            Answer::Found(found) | Answer::Listed(Listed { any: found, .. }) => found,
            Answer::Failed(reason) => {
                return Ownership::unknown(*reason, self.question.seen_at, Source::None);
            }
        };
        let before = Before {
            is_known: self.is_before_known,
            named: self.before.as_ref(),
        };
        if started_after(found, self.question.seen_at) {
            let Evidence {
                observed_at,
                source,
                ..
            } = found.evidence;
            return Ownership::unknown(Reason::Gone, observed_at, source);
        }
        if self
            .question
            .accepts(found, before, contested, table_tells_remotes)
        {
            let mut found = found.clone();
            let had_socket = self.question.had_socket(table_tells_remotes);
            if found.verdict == Verdict::Unknown(Reason::NotFound) && had_socket {
                found.verdict = Verdict::Unknown(Reason::Gone);
            }
            if let Answer::Listed(listed) = answer
                && !matches!(found.verdict, Verdict::Unknown(_))
                && !self.is_proven(&found, listed, history, config)
            {
                // Another one may have had the port then.
                found.verdict = Verdict::Unknown(Reason::Gone);
                found.evidence.matched = None;
            }
            return found;
        }
        // Of a table that does not tell remote ends, what was refused may be its socket.
        let is_gone = table_tells_remotes && self.question.had_socket(true);
        let reason = if is_gone || contested.is_some() {
            Reason::Gone
        } else {
            Reason::NotFound
        };
        Ownership::unknown(reason, found.evidence.observed_at, found.evidence.source)
    }

    /// Whether a list without remote ends, of sockets that are not told apart, shows who had the
    /// flow's socket at its first packet.
    fn is_proven(
        &self,
        found: &Ownership,
        listed: &Listed,
        history: &History,
        config: &PolicyConfig,
    ) -> bool {
        let LookupRequest {
            query,
            seen_at,
            initiator,
        } = &self.question;
        let late = listed.finished_at.duration_since(*seen_at);
        let late = late.unwrap_or_default();
        let is_soon = match initiator {
            Initiator::Local | Initiator::Unknown => late <= config.sender_within,
            Initiator::Remote if started_well_before(found, *seen_at) => {
                late <= config.old_receiver_within
            }
            Initiator::Remote => late <= config.receiver_within,
        };
        let is_connection = query.protocol() == Protocol::Tcp;
        if is_connection && *initiator == Initiator::Remote {
            // It came from the listener.
            return is_soon || history.had(query, *seen_at, &found.verdict);
        }
        if is_connection && self.ended {
            // Its socket is in the list no more, but another one's may be.
            return false;
        }
        let is_same = |before: &Ownership| names_the_same(&before.verdict, &found.verdict);
        let is_contradicted =
            *initiator == Initiator::Remote && !self.before.as_ref().is_none_or(is_same);
        (is_soon && !is_contradicted) || history.find(query, *seen_at).as_ref().is_some_and(is_same)
    }

    /// What earlier looks know about a socket that is not there any more.
    pub(super) fn recall(&self, history: &History, contested: Option<Match>) -> Option<Ownership> {
        // Which of two connections an earlier look saw is as open as before.
        if contested.is_some() && self.question.query.protocol() == Protocol::Tcp {
            return None;
        }
        let question = &self.question;
        let query = question.socket_before()?;
        if question.needs_its_connection() {
            return history.find_connection(&query, question.seen_at);
        }
        history.find(&query, question.seen_at)
    }
}

/// Whether all who are named were there well before that time.
fn started_well_before(found: &Ownership, time: SystemTime) -> bool {
    let is_earlier = |started: SystemTime| started + OLD_PROCESS < time;
    let mut named = found.verdict.processes().iter();
    !found.verdict.processes().is_empty()
        && named.all(|process| process.started.is_some_and(is_earlier))
}

/// Whether two answers name the same processes, which execute the same.
fn names_the_same(one: &Verdict, other: &Verdict) -> bool {
    let (one, other) = (one.processes(), other.processes());
    let mut both = one.iter().zip(other);
    !one.is_empty()
        && one.len() == other.len()
        && both.all(|(one, other)| one.is_same_program(other))
}

/// Whether nobody who is named was there yet at that time: then the socket that was is
/// gone, and another one has its port.
fn started_after(found: &Ownership, time: SystemTime) -> bool {
    let is_later = |started: SystemTime| started > time + START_TIME_ERROR;
    let named = found.verdict.processes();
    !named.is_empty()
        && named
            .iter()
            .all(|process| process.started.is_some_and(is_later))
}

/// Where a question stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It will be asked at this time.
    Due(Instant),
    /// It was asked, at this time, and no packet came since.
    Resting(Instant),
    /// It is being asked.
    Asked,
}

impl<K: Key> Pending<K> {
    /// Those who asked before that request left.
    pub(super) fn served_by(&self, request: u64) -> Vec<K> {
        let served = self.waiting.iter().filter(|w| w.asked_after < request);
        served.map(|waiting| waiting.waiter).collect()
    }

    /// Whether there is nothing to gain by asking again: everyone has some answer,
    /// not only by a fast lookup, and no packet came since. A lookup that failed was no answer:
    /// it is repeated without a packet, for as long as the waits between attempts grow.
    fn is_silent(&self, config: &PolicyConfig) -> bool {
        let has_failed = self.attempts <= config.retry_after.len()
            && self.waiting.iter().any(Waiting::has_failed);
        self.attempts > 0
            && !self.packets_since
            && !has_failed
            && !self.waiting.iter().any(Waiting::is_impatient)
    }
}

type Place = (Protocol, u16, SocketQuery);

fn key(query: &SocketQuery) -> Place {
    (query.protocol(), query.local().port(), *query)
}

/// All questions that wait.
#[derive(Debug)]
pub(super) struct PendingSet<K> {
    questions: BTreeMap<Place, Pending<K>>,
    waiters: KeyMap<K, SocketQuery>,
    turns: Turns,
    rivals: Rivals,
}

impl<K> Default for PendingSet<K> {
    fn default() -> Self {
        Self {
            questions: BTreeMap::new(),
            waiters: KeyMap::default(),
            turns: Turns::default(),
            rivals: Rivals::default(),
        }
    }
}

impl<K: Key> PendingSet<K> {
    pub(super) fn waiters(&self) -> usize {
        self.waiters.len()
    }

    /// Those who have waited longest first.
    pub(super) fn all_waiters(&self) -> Vec<K> {
        let waiting = self.questions.values().flat_map(|pending| &pending.waiting);
        let mut all: Vec<(Number, K)> = waiting.map(|it| (it.number, it.waiter)).collect();
        all.sort_unstable_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, waiter)| waiter).collect()
    }

    pub(super) fn of_waiter(&self, waiter: K) -> Option<(&Pending<K>, &Waiting<K>)> {
        let pending = self.questions.get(&key(self.waiters.get(&waiter)?))?;
        let waiting = pending.waiting.iter().find(|w| w.waiter == waiter)?;
        Some((pending, waiting))
    }

    fn of_waiter_mut(&mut self, waiter: K) -> Option<&mut Waiting<K>> {
        let pending = self.questions.get_mut(&key(self.waiters.get(&waiter)?))?;
        pending.waiting.iter_mut().find(|w| w.waiter == waiter)
    }

    /// Writes down a better answer.
    pub(super) fn improve(&mut self, waiter: K, best: Ownership) {
        if let Some(waiting) = self.of_waiter_mut(waiter) {
            waiting.best = Some(best);
        }
    }

    /// Counts a fast lookup, and writes down what it told, if that is better.
    pub(super) fn fast_result(&mut self, waiter: K, better: Option<Ownership>) {
        if let Some(waiting) = self.of_waiter_mut(waiter) {
            waiting.fast_lookups += 1;
            waiting.best = better.or_else(|| waiting.best.take());
        }
    }

    /// Marks the flow as over. True if there is an answer and none under way; one
    /// that names nobody and is from a fast lookup only does not count.
    pub(super) fn end(&mut self, waiter: K) -> bool {
        let Some(query) = self.waiters.get(&waiter) else {
            return false;
        };
        let Some(pending) = self.questions.get_mut(&key(query)) else {
            return false;
        };
        let mut waiting = pending.waiting.iter_mut();
        waiting.find(|w| w.waiter == waiter).is_some_and(|waiting| {
            waiting.ended = true;
            let best = waiting.best.as_ref();
            best.is_some_and(|best| pending.attempts > 0 || best.verdict.is_named())
                && pending.turn != Turn::Asked
        })
    }

    /// Puts off the first attempt for a question to which everyone has an answer.
    pub(super) fn put_off(&mut self, waiter: K, until: Instant) {
        let Some(&query) = self.waiters.get(&waiter) else {
            return;
        };
        let Some(pending) = self.questions.get(&key(&query)) else {
            return;
        };
        let is_named = |waiting: &Waiting<K>| {
            let best = waiting.best.as_ref();
            best.is_some_and(|best| best.verdict.is_named())
        };
        let is_first = matches!(pending.turn, Turn::Due(_)) && pending.attempts == 0;
        if is_first && pending.waiting.iter().all(is_named) {
            self.turn(&query, Turn::Due(until));
        }
    }

    pub(super) fn of_query(&mut self, query: &SocketQuery) -> Option<&mut Pending<K>> {
        self.questions.get_mut(&key(query))
    }

    /// Adds one who waits; the question is due then, or sooner if it was, unless it is under
    /// way.
    pub(super) fn add(&mut self, mut waiting: Waiting<K>, now: Instant, due: Instant) {
        let query = waiting.question.query;
        waiting.number = self.rivals.add(&waiting.question);
        self.waiters.insert(waiting.waiter, query);
        let pending = self.questions.entry(key(&query)).or_insert(Pending {
            query,
            waiting: Vec::new(),
            attempts: 0,
            turn: Turn::Due(due),
            last_attempt: now,
            packets_since: false,
        });
        pending.waiting.push(waiting);
        let due = match pending.turn {
            Turn::Asked => return,
            Turn::Due(earlier) => due.min(earlier),
            Turn::Resting(_) => due,
        };
        self.turns.turn(pending, Turn::Due(due));
    }

    pub(super) fn remove_waiter(&mut self, waiter: K) -> Option<Waiting<K>> {
        let query = self.waiters.remove(&waiter)?;
        let pending = self.questions.get_mut(&key(&query))?;
        let place = pending.waiting.iter().position(|w| w.waiter == waiter)?;
        let waiting = pending.waiting.swap_remove(place);
        self.rivals.remove(&waiting.question);
        if pending.waiting.is_empty() {
            self.turns.turn(pending, Turn::Asked);
            self.questions.remove(&key(&query));
        }
        Some(waiting)
    }

    /// Takes note that a packet of a flow arrived. Returns the question if `is_worth_it` says so
    /// of whoever waits.
    pub(super) fn packet_seen(
        &mut self,
        waiter: K,
        now: Instant,
        config: &PolicyConfig,
        is_worth_it: impl FnOnce(&Waiting<K>) -> bool,
    ) -> Option<SocketQuery> {
        let query = self.waiters.get(&waiter)?;
        let pending = self.questions.get_mut(&key(query))?;
        pending.packets_since = true;
        if let Turn::Resting(since) = pending.turn
            && let Some(wait) = config.wait_after(pending.attempts)
        {
            self.turns
                .turn(pending, Turn::Due(now.max(later(since, wait))));
        }
        let mut waiting = pending.waiting.iter();
        let waiting = waiting.find(|w| w.waiter == waiter)?;
        is_worth_it(waiting).then_some(pending.query)
    }

    /// Marks the questions that are due as asked. One whose flow was silent since
    /// its last attempt rests instead.
    pub(super) fn take_due(&mut self, now: Instant, config: &PolicyConfig) -> Vec<SocketQuery> {
        let mut taken = Vec::new();
        while taken.len() < config.max_batch.max(1) {
            let Some(&(due, query)) = self.turns.due.first() else {
                break;
            };
            if due > now {
                break;
            }
            let Some(pending) = self.questions.get_mut(&key(&query)) else {
                self.turns.due.pop_first();
                continue;
            };
            if pending.is_silent(config) {
                let since = pending.last_attempt;
                self.turn(&query, Turn::Resting(since));
                continue;
            }
            pending.packets_since = false;
            pending.last_attempt = now;
            self.turn(&query, Turn::Asked);
            taken.push(query);
        }
        taken
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.turns.due.first().map(|(due, _)| *due)
    }

    /// Puts an answered question that somebody still waits for on the list again:
    /// at once for those who asked while the request was under way.
    pub(super) fn retry(&mut self, query: &SocketQuery, now: Instant, config: &PolicyConfig) {
        let Some(pending) = self.questions.get_mut(&key(query)) else {
            return;
        };
        pending.last_attempt = now;
        let has_newcomers = pending.waiting.iter().any(Waiting::is_impatient);
        let turn = match config.wait_after(pending.attempts) {
            _ if has_newcomers => Turn::Due(now),
            Some(wait) => Turn::Due(later(now, wait)),
            None => Turn::Resting(now),
        };
        self.turn(query, turn);
    }

    /// The request with this question is over, whoever it served.
    pub(super) fn landed(&mut self, query: &SocketQuery, now: Instant, config: &PolicyConfig) {
        let pending = self.questions.get(&key(query));
        if pending.is_some_and(|pending| pending.turn == Turn::Asked) {
            self.retry(query, now, config);
        }
    }

    /// The questions that the answer to a request serves.
    pub(super) fn served_by(&self, request: u64) -> Vec<SocketQuery> {
        let is_served = |pending: &&Pending<K>| {
            let mut waiting = pending.waiting.iter();
            waiting.any(|waiting| waiting.asked_after < request)
        };
        let served = self.questions.values().filter(is_served);
        served.map(|pending| pending.query).collect()
    }

    /// Takes note of a flow that may not wait itself.
    pub(super) fn note(&mut self, question: &LookupRequest) {
        self.rivals.note(question);
    }

    /// Those who wait for the same ends, whichever of them sent first.
    pub(super) fn same_ends(&self, query: &SocketQuery) -> impl Iterator<Item = &Waiting<K>> {
        let same = [*query, query.in_other_role()];
        let same = same.map(|query| self.questions.get(&key(&query)));
        // Of other protocols, both are the same.
        let is_one = !query.is_sender() && !query.in_other_role().is_sender();
        let same = same.into_iter().take(if is_one { 1 } else { 2 }).flatten();
        same.flat_map(|pending| &pending.waiting)
    }

    /// Up to which match questions that wait put a new one in doubt.
    pub(super) fn contested_at_start(
        &self,
        question: &LookupRequest,
        table_tells_remotes: bool,
    ) -> Option<Match> {
        let same_ends = self.same_ends(&question.query);
        let same_ends = same_ends.map(|waiting| &waiting.question);
        self.rivals
            .contested_by_earlier(question, same_ends, table_tells_remotes)
    }

    /// Up to which match another flow puts this question in doubt.
    pub(super) fn contested(
        &self,
        waiting: &Waiting<K>,
        table_tells_remotes: bool,
    ) -> Option<Match> {
        let Waiting {
            question, number, ..
        } = waiting;
        let by_later = self
            .rivals
            .contested_by_later(question, *number, table_tells_remotes);
        waiting.contested_at_start.max(by_later)
    }

    /// Those who wait for the question that rests longest.
    pub(super) fn longest_resting(&self) -> Vec<K> {
        let oldest = self.turns.resting.first();
        let pending = oldest.and_then(|(_, query)| self.questions.get(&key(query)));
        pending.map_or_else(Vec::new, |pending| {
            pending
                .waiting
                .iter()
                .map(|waiting| waiting.waiter)
                .collect()
        })
    }

    /// Panics if the lists disagree.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn check(&self) {
        let waiting = || self.questions.values().flat_map(|p| &p.waiting);
        assert_eq!(waiting().count(), self.waiters.len());
        self.rivals
            .check(waiting().map(|waiting| &waiting.question));
        assert!(self.questions.values().all(|p| !p.waiting.is_empty()));
        let listed = |pending: &&Pending<K>| match pending.turn {
            Turn::Due(at) => self.turns.due.contains(&(at, pending.query)),
            Turn::Resting(since) => self.turns.resting.contains(&(since, pending.query)),
            Turn::Asked => false,
        };
        let listed = self.questions.values().filter(listed).count();
        assert_eq!(listed, self.turns.due.len() + self.turns.resting.len());
    }

    /// Moves a question between the lists.
    fn turn(&mut self, query: &SocketQuery, turn: Turn) {
        if let Some(pending) = self.questions.get_mut(&key(query)) {
            self.turns.turn(pending, turn);
        }
    }
}

/// The questions that are due, or rest, by when.
#[derive(Debug, Default)]
struct Turns {
    due: BTreeSet<(Instant, SocketQuery)>,
    resting: BTreeSet<(Instant, SocketQuery)>,
}

impl Turns {
    /// Moves a question between them.
    fn turn<K>(&mut self, pending: &mut Pending<K>, turn: Turn) {
        let query = pending.query;
        match pending.turn {
            Turn::Due(at) => self.due.remove(&(at, query)),
            Turn::Resting(since) => self.resting.remove(&(since, query)),
            Turn::Asked => false,
        };
        match turn {
            Turn::Due(at) => self.due.insert((at, query)),
            Turn::Resting(since) => self.resting.insert((since, query)),
            Turn::Asked => false,
        };
        pending.turn = turn;
    }
}
