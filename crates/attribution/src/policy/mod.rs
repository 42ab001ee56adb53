//! Decides when to ask the table, what to keep, and when to retry: a state machine without threads,
//! clock or system calls. See [`Policy`].

mod answer;
mod cache;
mod config;
mod consider;
mod expecting;
pub(crate) mod freshness;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod history;
mod judge;
mod observation;
mod pending;
mod proof;
mod replaced;
mod request;
mod statistics;
#[cfg(test)]
mod tests;
#[cfg(target_os = "linux")]
pub(crate) mod time_budget;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

pub use config::PolicyConfig;
pub use observation::{Observation, ObservationKind};
pub use request::{
    Event, Initiator, Key, Lookup, LookupRequest, TableAnswer, TableRequest, TableRequestId, Token,
};
pub use statistics::PolicyStatistics;

use crate::answer::{Ownership, Reason, Snapshot, SocketQuery, Source, Verdict};
use answer::Answer;
use cache::Cache;
use history::History;
use judge::{Waiting, may_match_closer};
use pending::{PendingSet, later};

/// Decides when to ask the table, what to keep, and when to retry.
///
/// The driver ([`Resolver`](crate::Resolver), or a test) passes in the time and asks the table:
///
/// 1. [`lookup`](Policy::lookup) when a flow opens, [`packet`](Policy::packet) while its owner is
///    not final, and [`end`](Policy::end) when the flow ends;
/// 2. [`poll_request`](Policy::poll_request) for the queries that the table should answer now; the
///    result goes to [`handle_answer`](Policy::handle_answer);
/// 3. [`poll_event`](Policy::poll_event) until it is empty, for the answers;
/// 4. [`poll_timeout`](Policy::poll_timeout) for the time of the next call if nothing happens.
///
/// The policy uses two clocks. `Instant`s order what it does. Wall-clock times relate packets to
/// earlier snapshots, and serve nothing else. If the wall clock was set back, the policy forgets
/// earlier snapshots.
///
/// # Right or silent
///
/// A lookup answers a request only if it began after the request, so a port that changed hands
/// never keeps its old owner. On the other hand, a lookup may find the *next* owner of a port,
/// because the socket closed before the lookup. The packets of that next owner show this to the
/// policy, which then names no owner:
///
/// * A new flow with the same ends: the older request gets [`Gone`](crate::Reason::Gone). It gets
///   [`Changed`](crate::Reason::Changed) if a lookup found a connection's socket after the first
///   packet of the new connection, and the capture read that packet later. (The policy does not
///   take back an answer that was the [last](Event::last) one. The caller compares its
///   [`found_by`](crate::Evidence::found_by) with the first packet of the next connection.)
/// * A new flow from the same local end to another remote end: the policy names a socket that may
///   serve both only for the older UDP flow, and only if the lookups before and after it agree. It
///   names it for neither connection.
/// * A connection that this end opened gets neither a listener as its answer nor the processes that
///   had a socket at its local end before.
///
/// The policy cannot notice a next owner that has sent no packet when the lookup finds it, nor an
/// owner that got its port back after another process had it, both between two lookups. For
/// connections, a table that knows remote ends leaves no such doubt.
///
/// If the table knows no remote ends and does not identify sockets, one lookup proves less. It
/// names an owner only if
///
/// * lookups before and after the packet show the same owner, or the lookup ended so soon after the
///   packet ([`sender_within`](PolicyConfig::sender_within); for a receiver
///   [`receiver_within`](PolicyConfig::receiver_within) or, if it is older than the packet,
///   [`old_receiver_within`](PolicyConfig::old_receiver_within)) that no other process will have
///   had the port;
/// * and, for a connection that this end opened or whose start was not captured, only while the
///   connection has not ended: then its socket is in the list, and it has some connection. A
///   listener has none.
#[derive(Debug)]
pub struct Policy<K = Token> {
    config: PolicyConfig,
    pending: PendingSet<K>,
    cache: Cache,
    history: History,
    events: VecDeque<Event<K>>,
    last_snapshot: Option<Arc<Snapshot>>,
    in_flight: Option<InFlight>,
    rest_until: Option<Instant>,
    /// Until when requests that may wait do so.
    long_rest_until: Option<Instant>,
    statistics: PolicyStatistics,
}

#[derive(Debug)]
struct InFlight {
    id: TableRequestId,
    queries: Vec<SocketQuery>,
    left: Instant,
}

impl<K: Key> Policy<K> {
    /// A policy without evidence.
    pub fn new(config: PolicyConfig) -> Self {
        Self {
            pending: PendingSet::default(),
            cache: Cache::new(
                config.max_cached,
                config.cache_age,
                !config.capabilities.answers_differ_by_remote(),
            ),
            history: History::new(config.max_history, config.history_age),
            events: VecDeque::new(),
            last_snapshot: None,
            in_flight: None,
            rest_until: None,
            long_rest_until: None,
            statistics: PolicyStatistics::default(),
            config,
        }
    }

    /// Looks up the owner for `waiter`. Answers at once if the policy already has evidence newer
    /// than the flow's first packet. Otherwise the request waits, and is due now.
    ///
    /// Older evidence never answers, however likely it is: the port may have changed hands. If an
    /// earlier request of the same waiter still waits, this one replaces it, and the earlier one
    /// gets no answer.
    pub fn lookup(&mut self, waiter: K, question: LookupRequest, now: Instant) -> Lookup {
        self.lookup_due(waiter, question, now, now)
    }

    /// As [`lookup`](Self::lookup), to check whether a named owner is still the same. Any lookup
    /// answers it. The policy makes one for it alone only if the last one ended so long ago that
    /// all of these take a small part of a core.
    pub fn lookup_again(&mut self, waiter: K, question: LookupRequest, now: Instant) -> Lookup {
        let due = self.long_rest_until.map_or(now, |until| until.max(now));
        self.lookup_due(waiter, question, now, due)
    }

    fn lookup_due(
        &mut self,
        waiter: K,
        question: LookupRequest,
        now: Instant,
        due: Instant,
    ) -> Lookup {
        self.begin(waiter, &question);
        if let Some(known) = self.cache.find(&question, now) {
            self.statistics.from_cache += 1;
            return Lookup::Ready(known.clone());
        }
        let before = self.known_before(&question.query);
        self.wait(waiter, question, before, (now, due))
    }

    /// Records a request, which may contest the waiting ones.
    fn begin(&mut self, waiter: K, question: &LookupRequest) {
        self.statistics.lookups += 1;
        if self.pending.remove_waiter(waiter).is_some() {
            self.events.retain(|event| event.key != waiter);
        }
        self.end_replaced(question);
        self.pending.note(question);
    }

    /// Adds a request that is due at `due`, with the earlier owner of its socket.
    fn wait(
        &mut self,
        waiter: K,
        question: LookupRequest,
        before: Option<Ownership>,
        (now, due): (Instant, Instant),
    ) -> Lookup {
        if self.pending.waiters() >= self.config.max_waiting && !self.make_room() {
            self.statistics.overflow += 1;
            return Lookup::QueueFull;
        }
        let waiting = Waiting {
            waiter,
            question,
            asked_after: self.statistics.table_requests,
            before,
            is_before_known: self.last_snapshot.is_some(),
            contested_at_start: self
                .pending
                .contested_at_start(&question, self.config.capabilities.remote_addresses),
            number: 0,
            best: None,
            fast_lookups: 0,
            ended: false,
        };
        self.pending.add(waiting, now, due);
        Lookup::Pending
    }

    /// Takes evidence that no request asked for. Every [observer](crate::capture::Observer)
    /// delivers its evidence through this method.
    ///
    /// It answers the requests that [expect it](Self::lookup_expecting), as a fast lookup would,
    /// and those that wait for the sender of a packet whose ends no socket has: no lookup finds
    /// that one. Returns their answers, which no event repeats. If no request waits for it, the
    /// observation waits for its request ([`lookup_observed`](Self::lookup_observed)): an observer
    /// may see a packet sooner than the capture thread.
    pub fn observe(&mut self, observation: Observation, now: Instant) -> Vec<(K, Ownership)> {
        self.statistics.observations += 1;
        let is_known = !matches!(observation.owner.verdict, Verdict::Unknown(_));
        let mut answers = Vec::new();
        let expecting = self.pending.expecting(&observation);
        let mut late = Vec::new();
        if expecting.is_empty() && is_known {
            late = self.pending.without_sender(&observation);
            if late.is_empty() {
                self.pending.observed.keep(observation, now);
                return answers;
            }
        }
        for waiter in late {
            let told = self.fast_result(waiter, observation.owner.clone(), now);
            self.end_if_over(waiter);
            self.statistics.from_observation += u64::from(told.is_some());
            answers.extend(told.map(|told| (waiter, told)));
        }
        for waiter in expecting {
            let owner = is_known.then(|| observation.owner.clone());
            let found = owner.and_then(|owner| self.fast_result(waiter, owner, now));
            if found.as_ref().is_some_and(|found| found.verdict.is_named()) {
                self.pending.stop_expecting(waiter);
                self.end_if_over(waiter);
            } else {
                // No further observation will come.
                self.pending.expect(waiter, now);
            }
            self.statistics.from_observation += u64::from(found.is_some());
            answers.extend(found.map(|found| (waiter, found)));
        }
        answers
    }

    /// As [`lookup`](Self::lookup), if an [observation](Self::observe) names the owner already.
    /// Otherwise it has no effect.
    pub fn lookup_observed(
        &mut self,
        waiter: K,
        question: LookupRequest,
        now: Instant,
    ) -> Option<Lookup> {
        let owner = self.pending.observed.take(&question, true)?;
        self.begin(waiter, &question);
        // If remote ends distinguish sockets, older evidence does not matter to an observation of
        // the packet itself.
        let is_distinguished =
            self.config.capabilities.remote_addresses && question.query.remote().is_some();
        let before = if is_distinguished {
            None
        } else {
            self.known_before(&question.query)
        };
        let lookup = self.wait(waiter, question, before, (now, now));
        let lookup = self.answered_by(lookup, waiter, owner, now);
        let is_answered = matches!(lookup, Lookup::Provisional(_));
        self.statistics.from_observation += u64::from(is_answered);
        Some(lookup)
    }

    /// When [`poll_fast_lookup`](Self::poll_fast_lookup) may return a request; `None` while no
    /// request expects an observation.
    pub fn next_fast_lookup(&self) -> Option<Instant> {
        self.pending.expecting.iter().map(|one| one.until).min()
    }

    /// As [`end`](Self::end), again, if the flow ended before it had an answer.
    fn end_if_over(&mut self, waiter: K) {
        let waiting = self.pending.of_waiter(waiter);
        if waiting.is_some_and(|(_, waiting)| waiting.ended) {
            self.end(waiter);
        }
    }

    /// As [`lookup`](Self::lookup), with the result of a fast lookup from after the flow's first
    /// packet. The result stands until a lookup confirms or improves it.
    pub fn lookup_with_fast_result(
        &mut self,
        waiter: K,
        question: LookupRequest,
        fast_lookup: Option<Ownership>,
        now: Instant,
    ) -> Lookup {
        // An observation that names no process may still say something about the socket.
        let found = fast_lookup.or_else(|| self.pending.observed.take(&question, false));
        let lookup = self.lookup(waiter, question, now);
        match found {
            Some(found) => self.answered_by(lookup, waiter, found, now),
            None => lookup,
        }
    }

    /// The answer at once for a request that waits from now on.
    fn answered_by(&mut self, lookup: Lookup, waiter: K, found: Ownership, now: Instant) -> Lookup {
        match lookup {
            Lookup::Pending => {
                let found = self.fast_result(waiter, found, now);
                found.map_or(Lookup::Pending, Lookup::Provisional)
            }
            known => known,
        }
    }

    /// Records that a packet of an unsettled flow arrived; without one, the policy does not retry.
    /// Returns a query that is worth another fast lookup: a process may have accepted a connection
    /// of which lookups have found only the listener.
    pub fn packet(&mut self, waiter: K, now: Instant) -> Option<SocketQuery> {
        let config = &self.config;
        self.pending.packet_seen(waiter, now, config, |waiting| {
            waiting.fast_lookups > 0
                && waiting.fast_lookups < config.max_fast_lookups
                && waiting
                    .best
                    .as_ref()
                    .is_some_and(|best| may_match_closer(best, &waiting.question.query, config))
        })
    }

    /// Takes the result of a fast lookup for a waiting request. Returns the answer if it is better
    /// than any before. A lookup confirms it later, unless the flow ends first.
    pub fn fast_result(
        &mut self,
        waiter: K,
        fast_lookup: Ownership,
        now: Instant,
    ) -> Option<Ownership> {
        let (_, waiting) = self.pending.of_waiter(waiter)?;
        let knows_remotes = self.config.capabilities.remote_addresses;
        let contested = self.pending.contested(waiting, knows_remotes);
        let fast_lookup = Answer::Found(fast_lookup);
        let fast_lookup = waiting.judge(&fast_lookup, contested, &self.history, &self.config);
        let best = waiting.best.as_ref();
        let improves = !matches!(fast_lookup.verdict, Verdict::Unknown(_))
            && best.is_none_or(|best| fast_lookup.is_better_than(best));
        let (query, at) = (waiting.question.query, waiting.question.packet_time);
        let had_answer = best.is_some();
        let better = improves.then(|| fast_lookup.clone());
        self.pending.fast_result(waiter, better);
        if !improves {
            return None;
        }
        if had_answer {
            // An event that has not left yet is outdated.
            self.events.retain(|event| event.key != waiter);
        }
        if fast_lookup.verdict.is_named() {
            let confirm_at = later(now, self.config.confirm_after);
            self.pending.put_off(waiter, confirm_at);
            if !knows_remotes {
                // The next connection of this end needs the earlier owner for comparison, even if
                // no lookup confirms it.
                self.cache.learn(&query, &fast_lookup, at, true, now);
            }
        }
        Some(fast_lookup)
    }

    /// Records that the flow has ended: the answer known then is final. The last event follows at
    /// once, or with the first answer if there is none yet.
    pub fn end(&mut self, waiter: K) {
        if self.pending.end(waiter) {
            self.finish(waiter);
        }
    }

    /// As [`end`](Self::end), for every waiting flow.
    pub fn end_all(&mut self) {
        for waiter in self.pending.all_waiters() {
            self.end(waiter);
        }
    }

    /// Gives every waiting request its best answer, or reports that the lookup failed because no
    /// time is left for it.
    pub fn give_up(&mut self) {
        self.in_flight = None;
        for waiter in self.pending.all_waiters() {
            self.finish_with(waiter, Reason::Failed);
        }
    }

    /// The queries for the table, if any are due and no request is under way.
    pub fn poll_request(&mut self, now: Instant) -> Option<TableRequest> {
        if self.in_flight.is_some() || self.rest_until.is_some_and(|until| now < until) {
            return None;
        }
        let queries = self.pending.take_due(now, &self.config);
        if queries.is_empty() {
            return None;
        }
        self.statistics.table_requests += 1;
        let id = TableRequestId(self.statistics.table_requests);
        self.in_flight = Some(InFlight {
            id,
            queries: queries.clone(),
            left: now,
        });
        Some(TableRequest { id, queries })
    }

    /// The next answer.
    pub fn poll_event(&mut self) -> Option<Event<K>> {
        self.events.pop_front()
    }

    /// Whether [`poll_event`](Self::poll_event) has an answer.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// When [`poll_request`](Self::poll_request) may next return a request, if no call changes
    /// that. `None` while a request is under way or nothing waits.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.in_flight.is_some() {
            return None;
        }
        let due = self.pending.next_due()?;
        Some(self.rest_until.map_or(due, |until| until.max(due)))
    }

    /// Whether no lookup is under way or due, now or later. Requests that rest until a packet
    /// arrives may still exist.
    pub fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.pending.next_due().is_none()
    }

    /// Counters and fill levels.
    pub fn statistics(&self) -> PolicyStatistics {
        PolicyStatistics {
            forgotten: self.cache.evicted + self.history.refused,
            waiting: self.pending.waiters(),
            cached: self.cache.len(),
            remembered: self.history.len(),
            ..self.statistics
        }
    }

    /// Panics if a bound is broken or the parts disagree.
    #[cfg(test)]
    fn check_bounds(&self) {
        let config = &self.config;
        assert!(self.pending.waiters() <= config.max_waiting);
        assert!(self.history.len() <= config.max_history);
        self.pending.check();
        self.cache.check();
    }

    /// The owner of this socket according to evidence from before this request.
    fn known_before(&self, query: &SocketQuery) -> Option<Ownership> {
        let snapshot = || Some(self.last_snapshot.as_ref()?.find(query));
        let before = self.cache.endpoint(query).cloned().or_else(snapshot)?;
        before.verdict.is_named().then_some(before)
    }

    /// Drops the query that rests longest. False if none rests.
    fn make_room(&mut self) -> bool {
        let resting = self.pending.longest_resting();
        for waiter in &resting {
            self.statistics.overflow += 1;
            self.finish(*waiter);
        }
        !resting.is_empty()
    }

    fn finish(&mut self, waiter: K) {
        self.finish_with(waiter, Reason::NotFound);
    }

    /// Sends the last event: the best answer so far, or `otherwise`.
    fn finish_with(&mut self, waiter: K, otherwise: Reason) {
        let Some(waiting) = self.pending.remove_waiter(waiter) else {
            return;
        };
        let ownership = waiting.best.unwrap_or_else(|| {
            Ownership::unknown(otherwise, waiting.question.packet_time, Source::None)
        });
        self.events.push_back(Event {
            key: waiter,
            ownership,
            last: true,
        });
    }
}
