//! When to ask, what to keep, when to try again: a state machine without threads, clock or
//! system calls. See [`Policy`].

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
pub use request::{Event, Facts, Initiator, Key, Lookup, LookupRequest, Request, RequestId, Token};
pub use statistics::PolicyStatistics;

use crate::answer::{Ownership, Reason, Snapshot, SocketQuery, Source, Verdict};
use answer::Answer;
use cache::Cache;
use history::History;
use judge::{Waiting, may_match_closer};
use pending::{PendingSet, later};

/// When to ask, what to keep, when to try again.
///
/// The driver ([`Resolver`](crate::Resolver), or a test) brings the time and does
/// the asking:
///
/// 1. [`lookup`](Policy::lookup) whenever a flow opens,
///    [`packet_seen`](Policy::packet_seen) while its owner is not settled,
///    [`end`](Policy::end) when it is over;
/// 2. [`poll_request`](Policy::poll_request): what to ask the socket table now;
///    its result goes to [`handle_answer`](Policy::handle_answer);
/// 3. [`poll_event`](Policy::poll_event) until it is empty: the answers;
/// 4. [`poll_timeout`](Policy::poll_timeout): when to come back if nothing happens.
///
/// Two clocks are at work. `Instant`s order what the policy does. Wall-clock times
/// relate packets to what earlier looks saw, and are used for nothing else; when
/// that clock was set back, what earlier looks saw is forgotten.
///
/// # Right or silent
///
/// A lookup answers a question only if it began after the question was asked, so a
/// port that changed hands never keeps its old owner. The other way round, a lookup
/// may find the *next* owner of a port, because the socket closed before it. The
/// policy notices by the packets of that next owner, and then rather names nobody:
///
/// * a new flow with the same ends: the older question is answered
///   [`Gone`](crate::Reason::Gone), or [`Changed`](crate::Reason::Changed) where a lookup found a
///   connection's socket after the new one's first packet, which was read later (an answer that was
///   the [last](Event::last) one is not taken back: who keeps it compares its
///   [`found_by`](crate::Evidence::found_by) with the first packet of the next connection);
/// * a new flow from the same local end to another remote end: a socket that may
///   serve both is named for the older UDP flow only if the lookups before and after
///   it say the same, and for neither connection;
/// * a connection that this end initiator is answered neither with a listener nor with
///   the processes that had a socket at its local end before.
///
/// What it cannot notice is a next owner that has not sent anything when the lookup
/// finds it, and an owner that has its port back after somebody else had it, both
/// between two lookups. For connections, a table that tells remote ends leaves no
/// such doubt.
///
/// Where the table tells neither remote ends nor sockets apart, one lookup proves less. It names
/// an owner only if
///
/// * looks before and after the packet show the same one, or it ended so soon after the packet
///   ([`sender_within`](PolicyConfig::sender_within), and for who receives
///   [`receiver_within`](PolicyConfig::receiver_within) or, where it is known to be older than
///   the packet, [`old_receiver_within`](PolicyConfig::old_receiver_within)) that nobody else
///   will have had the port;
/// * of a connection that this end initiator, or that nobody saw open, also only while it is not
///   over: its socket is in the list then, and it has some connection. A listener has none.
#[derive(Debug)]
pub struct Policy<K = Token> {
    config: PolicyConfig,
    pending: PendingSet<K>,
    cache: Cache,
    history: History,
    events: VecDeque<Event<K>>,
    last_look: Option<Arc<Snapshot>>,
    in_flight: Option<InFlight>,
    rest_until: Option<Instant>,
    /// Until when questions that may wait do so.
    long_rest_until: Option<Instant>,
    statistics: PolicyStatistics,
}

#[derive(Debug)]
struct InFlight {
    id: RequestId,
    queries: Vec<SocketQuery>,
    left: Instant,
}

impl<K: Key> Policy<K> {
    /// A policy that knows nothing yet.
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
            last_look: None,
            in_flight: None,
            rest_until: None,
            long_rest_until: None,
            statistics: PolicyStatistics::default(),
            config,
        }
    }

    /// Asks for `waiter`: answers at once where evidence newer than the flow's first
    /// packet is there already, else puts the question on the list, due now.
    ///
    /// Older evidence never answers, however likely: the port may have changed
    /// hands. A question under a number that still waits takes the place of the
    /// one before, of which nothing more is heard.
    pub fn lookup(&mut self, waiter: K, question: LookupRequest, now: Instant) -> Lookup {
        self.lookup_due(waiter, question, now, now)
    }

    /// As [`lookup`](Self::lookup), about a flow whose owner was named before: whether it still
    /// is. Any look answers it; one is made for it alone only when the last one lies so far back
    /// that all of these take a small part of a core.
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

    /// Takes note of a question, for those that wait.
    fn begin(&mut self, waiter: K, question: &LookupRequest) {
        self.statistics.questions += 1;
        if self.pending.remove_waiter(waiter).is_some() {
            self.events.retain(|event| event.key != waiter);
        }
        self.end_replaced(question);
        self.pending.note(question);
    }

    /// Puts a question on the list, due then, with who was named for its socket before.
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
            asked_after: self.statistics.requests,
            before,
            is_before_known: self.last_look.is_some(),
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

    /// Takes evidence that somebody pushed, which no request asked for: the one way in for all
    /// [observers](crate::capture::Observer).
    ///
    /// It answers those who [expect it](Self::lookup_expecting), as a fast lookup would, and those who
    /// wait for the sender of what no socket has the ends of: no lookup names that one. The result
    /// is their answers, which no event repeats. Where nobody waits for it, it waits for its request
    /// ([`lookup_observed`](Self::lookup_observed)): an observer may see a packet sooner than the
    /// thread that captures.
    pub fn observe(&mut self, observation: Observation, now: Instant) -> Vec<(K, Ownership)> {
        self.statistics.observations += 1;
        let is_known = !matches!(observation.owner.verdict, Verdict::Unknown(_));
        let mut answers = Vec::new();
        let mut expecting = Vec::new();
        if !self.pending.expecting.is_empty() {
            expecting = self.pending.expecting(&observation);
        }
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
            let told = owner.and_then(|owner| self.fast_result(waiter, owner, now));
            if told.as_ref().is_some_and(|told| told.verdict.is_named()) {
                self.pending.stop_expecting(waiter);
                self.end_if_over(waiter);
            } else {
                // Nothing more comes.
                self.pending.expect(waiter, now);
            }
            self.statistics.from_observation += u64::from(told.is_some());
            answers.extend(told.map(|told| (waiter, told)));
        }
        answers
    }

    /// As [`lookup`](Self::lookup), if an [observation](Self::observe) names the owner already.
    /// Otherwise nothing is asked yet.
    pub fn lookup_observed(
        &mut self,
        waiter: K,
        question: LookupRequest,
        now: Instant,
    ) -> Option<Lookup> {
        let owner = self.pending.observed.take(&question, true)?;
        self.begin(waiter, &question);
        // Where remote ends tell sockets apart, nothing from before the packet matters to what was
        // observed of the packet itself.
        let is_told_apart =
            self.config.capabilities.remote_addresses && question.query.remote().is_some();
        let before = if is_told_apart {
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

    /// When [`poll_fast_lookup`](Self::poll_fast_lookup) has something; `None` while nobody
    /// expects an observation.
    pub fn next_fast_lookup(&self) -> Option<Instant> {
        self.pending.expecting.iter().map(|one| one.until).min()
    }

    /// As [`end`](Self::end), again, where that was said before there was an answer.
    fn end_if_over(&mut self, waiter: K) {
        let waiting = self.pending.of_waiter(waiter);
        if waiting.is_some_and(|(_, waiting)| waiting.ended) {
            self.end(waiter);
        }
    }

    /// As [`lookup`](Self::lookup), with what a fast lookup of the socket told after the
    /// flow's first packet was seen. It stands until a lookup confirms or betters it.
    pub fn lookup_with_fast_result(
        &mut self,
        waiter: K,
        question: LookupRequest,
        fast_lookup: Option<Ownership>,
        now: Instant,
    ) -> Lookup {
        // What was observed of the holders of its socket, where nobody can be named.
        let told = fast_lookup.or_else(|| self.pending.observed.take(&question, false));
        let lookup = self.lookup(waiter, question, now);
        match told {
            Some(told) => self.answered_by(lookup, waiter, told, now),
            None => lookup,
        }
    }

    /// What is said at once to a question that waits now.
    fn answered_by(&mut self, lookup: Lookup, waiter: K, told: Ownership, now: Instant) -> Lookup {
        match lookup {
            Lookup::Pending => {
                let told = self.fast_result(waiter, told, now);
                told.map_or(Lookup::Pending, Lookup::Provisional)
            }
            known => known,
        }
    }

    /// Tells that a packet of an unsettled flow arrived, without which there is
    /// no retry. Returns a question that is worth another fast lookup: a connection of
    /// which only the listener was seen may have been accepted.
    pub fn packet_seen(&mut self, waiter: K, now: Instant) -> Option<SocketQuery> {
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

    /// Takes what a fast lookup of the socket of one who waits told: the answer, if it is
    /// better than any before. A lookup confirms it later, unless the flow is over by
    /// then.
    pub fn fast_result(
        &mut self,
        waiter: K,
        fast_lookup: Ownership,
        now: Instant,
    ) -> Option<Ownership> {
        let (_, waiting) = self.pending.of_waiter(waiter)?;
        let tells_remotes = self.config.capabilities.remote_addresses;
        let contested = self.pending.contested(waiting, tells_remotes);
        let fast_lookup = Answer::Found(fast_lookup);
        let fast_lookup = waiting.judge(&fast_lookup, contested, &self.history, &self.config);
        let best = waiting.best.as_ref();
        let improves = !matches!(fast_lookup.verdict, Verdict::Unknown(_))
            && best.is_none_or(|best| fast_lookup.is_better_than(best));
        let LookupRequest { query, seen_at, .. } = waiting.question;
        let had_answer = best.is_some();
        let better = improves.then(|| fast_lookup.clone());
        self.pending.fast_result(waiter, better);
        if !improves {
            return None;
        }
        if had_answer {
            // What is yet to be told is no news any more.
            self.events.retain(|event| event.key != waiter);
        }
        if fast_lookup.verdict.is_named() {
            let confirm_at = later(now, self.config.confirm_after);
            self.pending.put_off(waiter, confirm_at);
            if !tells_remotes {
                // The next connection of this end is known only against who was there, also if no
                // lookup confirms it.
                self.cache.learn(&query, &fast_lookup, seen_at, true, now);
            }
        }
        Some(fast_lookup)
    }

    /// Tells that the flow is over: what is known then is final. The last event
    /// follows at once, or with the first answer where there was none yet.
    pub fn end(&mut self, waiter: K) {
        if self.pending.end(waiter) {
            self.finish(waiter);
        }
    }

    /// As [`end`](Self::end), for every flow that waits.
    pub fn end_all(&mut self) {
        for waiter in self.pending.all_waiters() {
            self.end(waiter);
        }
    }

    /// Answers everyone who waits with what is known, or says that the lookup failed: there is
    /// no time for it any more.
    pub fn give_up(&mut self) {
        self.in_flight = None;
        for waiter in self.pending.all_waiters() {
            self.finish_with(waiter, Reason::Failed);
        }
    }

    /// What to ask now, if anything is due and no request is under way.
    pub fn poll_request(&mut self, now: Instant) -> Option<Request> {
        if self.in_flight.is_some() || self.rest_until.is_some_and(|until| now < until) {
            return None;
        }
        let queries = self.pending.take_due(now, &self.config);
        if queries.is_empty() {
            return None;
        }
        self.statistics.requests += 1;
        let id = RequestId(self.statistics.requests);
        self.in_flight = Some(InFlight {
            id,
            queries: queries.clone(),
            left: now,
        });
        Some(Request { id, queries })
    }

    /// The next answer for somebody.
    pub fn poll_event(&mut self) -> Option<Event<K>> {
        self.events.pop_front()
    }

    /// Whether [`poll_event`](Self::poll_event) has something.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// When [`poll_request`](Self::poll_request) may next have something, if no
    /// call changes that. `None` while a request is under way or nothing waits.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.in_flight.is_some() {
            return None;
        }
        let due = self.pending.next_due()?;
        Some(self.rest_until.map_or(due, |until| until.max(due)))
    }

    /// Whether nothing is due, now or later, nor under way. Questions that rest
    /// until a packet comes may still be there.
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

    /// Who was named for this socket before it is asked for now.
    fn known_before(&self, query: &SocketQuery) -> Option<Ownership> {
        let look = || Some(self.last_look.as_ref()?.find(query));
        let before = self.cache.endpoint(query).cloned().or_else(look)?;
        before.verdict.is_named().then_some(before)
    }

    /// Drops the question that rests longest. False where none rests.
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

    /// Sends the last event: the best answer there was, or `otherwise`.
    fn finish_with(&mut self, waiter: K, otherwise: Reason) {
        let Some(waiting) = self.pending.remove_waiter(waiter) else {
            return;
        };
        let ownership = waiting.best.unwrap_or_else(|| {
            Ownership::unknown(otherwise, waiting.question.seen_at, Source::None)
        });
        self.events.push_back(Event {
            key: waiter,
            ownership,
            last: true,
        });
    }
}
