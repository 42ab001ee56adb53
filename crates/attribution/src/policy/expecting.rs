//! Requests that wait for an observation before a fast lookup is made for them.

use std::time::Instant;

use super::judge::flow_of;
use super::pending::{Expecting, MAX_EXPECTING, PendingSet, later};
use super::{Key, Lookup, LookupRequest, Observation, Policy};
use crate::answer::Ownership;

impl<K: Key> PendingSet<K> {
    /// Whether another request may wait for an observation.
    pub(super) fn may_expect(&self) -> bool {
        self.expecting.len() < MAX_EXPECTING
    }

    /// Has one who waits expect an observation until then.
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

    /// Those who expect this observation.
    pub(super) fn expecting(&self, observation: &Observation) -> Vec<K> {
        let flow = flow_of(&observation.query);
        let same = self.expecting.iter().filter(|one| one.flow == flow);
        let is_about = |waiter: &K| {
            let waiting = self.of_waiter(*waiter);
            waiting.is_some_and(|(_, waiting)| observation.is_about(&waiting.question))
        };
        same.map(|one| one.waiter).filter(is_about).collect()
    }

    /// One who expects nothing any more.
    pub(super) fn take_overdue(&mut self, now: Instant) -> Option<(K, LookupRequest)> {
        let place = self.expecting.iter().position(|one| one.until <= now)?;
        let waiter = self.expecting.swap_remove(place).waiter;
        let (_, waiting) = self.of_waiter(waiter)?;
        Some((waiter, waiting.question))
    }
}

impl<K: Key> Policy<K> {
    /// As [`lookup`](Self::lookup), of which an [observation](Self::observe) is expected until
    /// then, if none has come yet. If none comes, [`poll_fast_lookup`](Self::poll_fast_lookup)
    /// gives the question back, for a fast lookup. `None`, and nothing is asked yet, where too many
    /// expect one.
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
        // The table is asked in any case, also if nobody makes that fast lookup.
        let due = later(now, self.config.confirm_after);
        let lookup = self.lookup_due(waiter, question, now, due);
        self.pending.expect(waiter, until);
        Some(lookup)
    }

    /// Whose observation has not come in time: a question for a fast lookup. Its result goes to
    /// [`fast_lookup_made`](Self::fast_lookup_made); or the wait goes [on](Self::expect).
    pub fn poll_fast_lookup(&mut self, now: Instant) -> Option<(K, LookupRequest)> {
        self.pending.take_overdue(now)
    }

    /// Has one who waits expect an observation until then.
    pub fn expect(&mut self, waiter: K, until: Instant) {
        if self.pending.may_expect() {
            self.pending.expect(waiter, until);
        }
    }

    /// Takes what the fast lookup told that [`poll_fast_lookup`](Self::poll_fast_lookup) asked
    /// for. Returns the answer, if it is better than any before.
    pub fn fast_lookup_made(
        &mut self,
        waiter: K,
        told: Option<Ownership>,
        now: Instant,
    ) -> Option<Ownership> {
        let better = told.and_then(|told| self.fast_result(waiter, told, now));
        if better.as_ref().is_some_and(|it| it.verdict.is_named()) {
            self.end_if_over(waiter);
        } else {
            self.pending.hasten(waiter, now);
        }
        better
    }
}
