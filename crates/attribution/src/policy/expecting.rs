//! Requests that wait for an observation before the caller makes a fast lookup for them.

use std::time::Instant;

use super::judge::Waiting;
use super::judge::flow_of;
use super::pending::{Expecting, MAX_EXPECTING, PendingSet, later};
use super::{Key, Lookup, LookupRequest, Observation, Policy};
use crate::answer::Ownership;

impl<K: Key> PendingSet<K> {
    /// Whether another request may wait for an observation.
    pub(super) fn may_expect(&self) -> bool {
        self.expecting.len() < MAX_EXPECTING
    }

    /// Makes a request wait for an observation until `until`.
    pub(super) fn expect(&mut self, waiter: K, until: Instant) {
        let Some((pending, _)) = self.of_waiter(waiter) else {
            return;
        };
        let flow = flow_of(&pending.query);
        let mut expecting = self.expecting.iter_mut();
        match expecting.find(|one| one.waiter == waiter) {
            Some(one) => one.until = until,
            None => self.expecting.push(Expecting {
                waiter,
                flow,
                until,
            }),
        }
    }

    pub(super) fn stop_expecting(&mut self, waiter: K) {
        self.expecting.retain(|one| one.waiter != waiter);
    }

    /// The requests that wait for this observation.
    pub(super) fn expecting(&self, observation: &Observation) -> Vec<K> {
        if self.expecting.is_empty() {
            return Vec::new();
        }
        let flow = flow_of(&observation.query);
        let same = self.expecting.iter().filter(|one| one.flow == flow);
        let is_about = |waiter: &K| {
            let waiting = self.of_waiter(*waiter);
            waiting.is_some_and(|(_, waiting)| observation.is_about(&waiting.question))
        };
        same.map(|one| one.waiter).filter(is_about).collect()
    }

    /// The requests without an owner yet for which this observation names the sender, because no
    /// socket has the ends of their packet.
    pub(super) fn without_sender(&self, observation: &Observation) -> Vec<K> {
        if !observation.is_of_no_one_socket() {
            return Vec::new();
        }
        let flow = flow_of(&observation.query);
        let on_any = Some(flow).filter(|flow| *flow != observation.query);
        let questions = [Some(observation.query), on_any].into_iter().flatten();
        let waiting = questions.flat_map(|query| self.of_question(&query));
        let is_without = |waiting: &&Waiting<K>| {
            let best = waiting.best.as_ref();
            best.is_none_or(|best| !best.verdict.is_named())
                && observation.is_about(&waiting.question)
        };
        let without = waiting.filter(is_without);
        without.map(|waiting| waiting.waiter).collect()
    }

    /// A request whose observation has not come in time.
    pub(super) fn take_overdue(&mut self, now: Instant) -> Option<(K, LookupRequest)> {
        let place = self.expecting.iter().position(|one| one.until <= now)?;
        let waiter = self.expecting.swap_remove(place).waiter;
        let (_, waiting) = self.of_waiter(waiter)?;
        Some((waiter, waiting.question))
    }
}

impl<K: Key> Policy<K> {
    /// As [`lookup`](Self::lookup), for a request whose [observation](Self::observe) should come
    /// before `until`. If it does not come, [`poll_fast_lookup`](Self::poll_fast_lookup) returns
    /// the request for a fast lookup. `None`, without effect, if too many requests wait for
    /// observations.
    pub fn lookup_expecting(
        &mut self,
        waiter: K,
        question: LookupRequest,
        until: Instant,
        now: Instant,
    ) -> Option<Lookup> {
        if let Some(lookup) = self.lookup_observed(waiter, question, now) {
            return Some(lookup);
        }
        if !self.pending.may_expect() {
            return None;
        }
        // The policy asks the table in any case, even if the caller never makes that fast lookup.
        let due = later(now, self.config.confirm_after);
        let lookup = self.lookup_due(waiter, question, now, due);
        self.pending.expect(waiter, until);
        Some(lookup)
    }

    /// A request whose observation has not come in time, for a fast lookup. The caller passes the
    /// result to [`fast_lookup_made`](Self::fast_lookup_made), or makes the request wait
    /// [on](Self::expect).
    pub fn poll_fast_lookup(&mut self, now: Instant) -> Option<(K, LookupRequest)> {
        self.pending.take_overdue(now)
    }

    /// Makes a request wait for an observation until `until`.
    pub fn expect(&mut self, waiter: K, until: Instant) {
        if self.pending.may_expect() {
            self.pending.expect(waiter, until);
        }
    }

    /// Takes the result of a fast lookup for which [`poll_fast_lookup`](Self::poll_fast_lookup)
    /// asked. Returns the answer if it is better than any before.
    pub fn fast_lookup_made(
        &mut self,
        waiter: K,
        result: Option<Ownership>,
        now: Instant,
    ) -> Option<Ownership> {
        let better = result.and_then(|result| self.fast_result(waiter, result, now));
        if better.as_ref().is_some_and(|it| it.verdict.is_named()) {
            self.end_if_over(waiter);
        } else {
            self.pending.hasten(waiter, now);
        }
        better
    }
}
