//! The requests that wait for evidence, with the time when each is due, and the evidence that waits
//! for its request.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::freshness::UNCLAIMED_OBSERVATION;
use super::judge::{Number, Rivals, Waiting, flow_of};
use super::{Key, LookupRequest, Observation, PolicyConfig};
use crate::answer::{Match, Ownership, Protocol, SocketQuery};
use crate::hash::KeyMap;

/// Requests that may wait for an observation at a time. Each may cause a fast lookup on the capture
/// thread when no observation comes.
pub(super) const MAX_EXPECTING: usize = 64;
/// Flows for which unclaimed observations are kept. Past that, this drops those of the oldest flow.
const MAX_OBSERVED: usize = 4_096;
/// Observations that this keeps for one flow: a packet that is sent through a bridge appears on the
/// bridge, then on its port.
const MAX_OF_FLOW: usize = 4;

/// One query with every request that waits for its answer.
#[derive(Debug)]
pub(super) struct Pending<K> {
    pub(super) query: SocketQuery,
    waiting: Vec<Waiting<K>>,
    /// The number of lookups for it.
    pub(super) attempts: usize,
    turn: Turn,
    last_attempt: Instant,
    packets_since: bool,
}

/// The state of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Its lookup is due at this time.
    Due(Instant),
    /// Its last lookup began at this time, and no packet has come since.
    Resting(Instant),
    /// Its lookup is under way.
    Asked,
}

impl<K: Key> Pending<K> {
    /// The requests that began before that table request left.
    pub(super) fn served_by(&self, request: u64) -> Vec<K> {
        let served = self.waiting.iter().filter(|w| w.asked_after < request);
        served.map(|waiting| waiting.waiter).collect()
    }

    /// Whether another lookup would gain nothing: every request has an answer, not only from a fast
    /// lookup, and no packet came since. A failed lookup gives no answer: the policy repeats it
    /// without a packet for as long as the waits between attempts grow.
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

#[derive(Debug)]
pub(super) struct PendingSet<K> {
    questions: BTreeMap<Place, Pending<K>>,
    waiters: KeyMap<K, SocketQuery>,
    turns: Turns,
    rivals: Rivals,
    /// At most [`MAX_EXPECTING`].
    pub(super) expecting: Vec<Expecting<K>>,
    pub(super) observed: Observed,
}

/// A request that waits for an observation before a fast lookup is made.
#[derive(Debug)]
pub(super) struct Expecting<K> {
    pub(super) waiter: K,
    pub(super) flow: SocketQuery,
    pub(super) until: Instant,
}

impl<K> Default for PendingSet<K> {
    fn default() -> Self {
        Self {
            questions: BTreeMap::new(),
            waiters: KeyMap::default(),
            turns: Turns::default(),
            rivals: Rivals::default(),
            expecting: Vec::new(),
            observed: Observed::default(),
        }
    }
}

impl<K: Key> PendingSet<K> {
    pub(super) fn waiters(&self) -> usize {
        self.waiters.len()
    }

    /// Those that have waited longest come first.
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

    pub(super) fn improve(&mut self, waiter: K, best: Ownership) {
        if let Some(waiting) = self.of_waiter_mut(waiter) {
            waiting.best = Some(best);
        }
    }

    /// Counts a fast lookup, and stores its result if that is better.
    pub(super) fn fast_result(&mut self, waiter: K, better: Option<Ownership>) {
        if let Some(waiting) = self.of_waiter_mut(waiter) {
            waiting.fast_lookups += 1;
            waiting.best = better.or_else(|| waiting.best.take());
        }
    }

    /// Marks the flow as ended. True if it has an answer and no lookup is under way. An answer that
    /// names no owner and comes only from a fast lookup does not count.
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

    /// Postpones the first attempt for a query to which every request has an answer.
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

    /// Makes a postponed query due now.
    pub(super) fn hasten(&mut self, waiter: K, now: Instant) {
        let query = self.waiters.get(&waiter).copied();
        let pending = query.and_then(|query| self.questions.get_mut(&key(&query)));
        if let Some(pending) = pending
            && let Turn::Due(at) = pending.turn
            && at > now
        {
            self.turns.turn(pending, Turn::Due(now));
        }
    }

    pub(super) fn of_query(&mut self, query: &SocketQuery) -> Option<&mut Pending<K>> {
        self.questions.get_mut(&key(query))
    }

    /// Those who wait for the answer to exactly this question.
    pub(super) fn of_question(&self, query: &SocketQuery) -> &[Waiting<K>] {
        let pending = self.questions.get(&key(query));
        pending.map_or(&[], |pending| &pending.waiting)
    }

    /// Adds a request. Its query is due at `due`, or sooner if it was, unless its lookup is under
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
        self.expecting.retain(|one| one.waiter != waiter);
        if pending.waiting.is_empty() {
            self.turns.turn(pending, Turn::Asked);
            self.questions.remove(&key(&query));
        }
        Some(waiting)
    }

    /// Records that a packet of a flow arrived. Returns the query if `is_worth_it` holds for the
    /// waiting request.
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

    /// Marks the due queries as under way. A query whose flow sent no packet since its last attempt
    /// rests instead.
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

    /// Puts a query with an answer back on the list if a request still waits for it: at once for
    /// requests that came while the lookup was under way.
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

    /// The table request with this query has completed, whichever requests it served.
    pub(super) fn landed(&mut self, query: &SocketQuery, now: Instant, config: &PolicyConfig) {
        let pending = self.questions.get(&key(query));
        if pending.is_some_and(|pending| pending.turn == Turn::Asked) {
            self.retry(query, now, config);
        }
    }

    /// The queries that the answer to a table request serves.
    pub(super) fn served_by(&self, request: u64) -> Vec<SocketQuery> {
        let is_served = |pending: &&Pending<K>| {
            let mut waiting = pending.waiting.iter();
            waiting.any(|waiting| waiting.asked_after < request)
        };
        let served = self.questions.values().filter(is_served);
        served.map(|pending| pending.query).collect()
    }

    /// Records a flow whose own request may not wait.
    pub(super) fn note(&mut self, question: &LookupRequest) {
        self.rivals.note(question);
    }

    /// The requests for the same ends, in either direction.
    pub(super) fn same_ends(&self, query: &SocketQuery) -> impl Iterator<Item = &Waiting<K>> {
        let same = [*query, query.in_other_role()];
        let same = same.map(|query| self.questions.get(&key(&query)));
        // For other protocols, the two roles are the same.
        let is_one = !query.is_sender() && !query.in_other_role().is_sender();
        let same = same.into_iter().take(if is_one { 1 } else { 2 }).flatten();
        same.flat_map(|pending| &pending.waiting)
    }

    /// The match up to which waiting requests contest a new one.
    pub(super) fn contested_at_start(
        &self,
        question: &LookupRequest,
        has_remote_addresses: bool,
    ) -> Option<Match> {
        let same_ends = self.same_ends(&question.query);
        let same_ends = same_ends.map(|waiting| &waiting.question);
        self.rivals
            .contested_by_earlier(question, same_ends, has_remote_addresses)
    }

    /// The match up to which another flow contests this request.
    pub(super) fn contested(
        &self,
        waiting: &Waiting<K>,
        has_remote_addresses: bool,
    ) -> Option<Match> {
        let Waiting {
            question, number, ..
        } = waiting;
        let by_later = self
            .rivals
            .contested_by_later(question, *number, has_remote_addresses);
        waiting.contested_at_start.max(by_later)
    }

    /// The requests for the query that rests longest.
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
        assert!(self.expecting.len() <= MAX_EXPECTING);
        let mut expecting = self.expecting.iter();
        assert!(expecting.all(|one| self.waiters.contains_key(&one.waiter)));
        let Observed { flows, order } = &self.observed;
        assert!(order.len() <= MAX_OBSERVED);
        for (flow, (kept, of_flow)) in flows {
            assert!(order.contains(&(*kept, *flow)) && !of_flow.is_empty());
        }
    }

    fn turn(&mut self, query: &SocketQuery, turn: Turn) {
        if let Some(pending) = self.questions.get_mut(&key(query)) {
            self.turns.turn(pending, turn);
        }
    }
}

/// The queries that are due or rest, ordered by time.
#[derive(Debug, Default)]
struct Turns {
    due: BTreeSet<(Instant, SocketQuery)>,
    resting: BTreeSet<(Instant, SocketQuery)>,
}

impl Turns {
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

/// Observations that no request has taken yet.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// The observations of each flow in order of arrival, and when the first one came.
    flows: HashMap<SocketQuery, (Instant, Vec<Observation>)>,
    /// In order of arrival. It may hold flows whose observations are all taken; their time shows
    /// which.
    order: VecDeque<(Instant, SocketQuery)>,
}

impl Observed {
    /// Keeps an observation for a request that is yet to come.
    pub(super) fn keep(&mut self, observation: Observation, now: Instant) {
        let flow = flow_of(&observation.query);
        let (_, of_flow) = self.flows.entry(flow).or_insert_with(|| {
            self.order.push_back((now, flow));
            // Most flows have only one.
            (now, Vec::with_capacity(1))
        });
        if of_flow.len() >= MAX_OF_FLOW {
            of_flow.remove(0);
        }
        of_flow.push(observation);
        while let Some((since, flow)) = self.order.front() {
            let is_full = self.order.len() > MAX_OBSERVED;
            let is_old = now.saturating_duration_since(*since) >= UNCLAIMED_OBSERVATION;
            let is_current = self.flows.get(flow).is_some_and(|(kept, _)| kept == since);
            if is_current && (is_full || is_old) {
                self.flows.remove(flow);
            } else if is_current {
                break;
            }
            self.order.pop_front();
        }
    }

    /// Takes the observation that came before its request: the first one after the packet, because
    /// a later one may be about the next socket. With `is_named`, only one that names an owner.
    pub(super) fn take(&mut self, request: &LookupRequest, is_named: bool) -> Option<Ownership> {
        let flow = flow_of(&request.query);
        let (_, of_flow) = self.flows.get_mut(&flow)?;
        let about = of_flow.iter().enumerate();
        let about = about.filter(|(_, one)| one.is_about(request));
        let (place, first) = about.min_by_key(|(_, one)| one.at)?;
        if is_named && !first.owner.verdict.is_named() {
            return None;
        }
        let owner = of_flow.remove(place).owner;
        if of_flow.is_empty() {
            self.flows.remove(&flow);
        }
        Some(owner)
    }
}

/// An instant that always exists, even after a wait that the clock cannot represent.
pub(super) fn later(now: Instant, wait: Duration) -> Instant {
    const LONG: Duration = Duration::from_secs(365 * 86_400);
    now.checked_add(wait).unwrap_or_else(|| now + LONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_is_too_long_for_the_clock() {
        let now = Instant::now();
        assert_eq!(
            later(now, Duration::from_secs(1)),
            now + Duration::from_secs(1)
        );
        assert!(later(now, Duration::MAX) > now);
    }
}
