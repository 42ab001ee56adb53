//! The state that the callers of a resolver share with its thread, and the signal that wakes the
//! thread.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::policy::{Event, Key, Policy, TableRequest};

/// How long after the last request the table releases idle resources.
const REST_AFTER: Duration = Duration::from_secs(5);
/// How long the thread collects answers after it delivered some. Waking a thread for each answer
/// takes longer than the lookup, and no person notices such a short time.
const GATHER: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(in crate::resolver) struct Shared<K> {
    pub(super) state: Mutex<State<K>>,
    pub(super) changed: Condvar,
}

#[derive(Debug)]
pub(super) struct State<K> {
    pub(super) policy: Policy<K>,
    pub(super) stop: Stop,
    /// Until when the thread sleeps although answers may be ready.
    pub(super) gathers_until: Option<Instant>,
    /// When waiting requests get their last answer at the end.
    pub(super) finish_by: Option<Instant>,
    pub(super) sleep: Sleep,
}

/// Whether the thread notices by itself that something has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sleep {
    /// It checks everything before it sleeps.
    Awake,
    Until(Instant),
    /// It sleeps until a caller wakes it.
    Long,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    No,
    WhenIdle,
    Now,
}

impl<K: Key> Shared<K> {
    pub(super) fn lock(&self) -> MutexGuard<'_, State<K>> {
        // Between calls of the policy the state is consistent, even after a panic elsewhere.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the policy, and wakes the thread if it has something to do now.
    pub(in crate::resolver) fn change<T>(&self, change: impl FnOnce(&mut Policy<K>) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state.policy);
        let is_woken = state.wake_if_due();
        drop(state);
        if is_woken {
            self.changed.notify_one();
        }
        result
    }
}

impl<K: Key> State<K> {
    /// Whether the caller must wake the thread: once for all changes until it is awake, and not for
    /// a change that it handles anyway when its sleep ends.
    pub(super) fn wake_if_due(&mut self) -> bool {
        let due = self.policy.poll_timeout();
        let is_due = match self.sleep {
            Sleep::Awake => return false,
            Sleep::Until(end) => due.is_some_and(|due| due < end),
            Sleep::Long => due.is_some(),
        };
        let is_news = self.policy.has_events() && self.gathers_until.is_none();
        if is_due || is_news {
            self.sleep = Sleep::Awake;
        }
        is_due || is_news
    }

    /// The answers, unless the thread still collects more.
    pub(super) fn take_events(&mut self, now: Instant) -> Vec<Event<K>> {
        let gathers = self.gathers_until.is_some_and(|until| now < until);
        if gathers && self.stop == Stop::No {
            return Vec::new();
        }
        let events: Vec<Event<K>> = std::iter::from_fn(|| self.policy.poll_event()).collect();
        self.gathers_until = (!events.is_empty()).then(|| now + GATHER);
        events
    }
}

/// The next step of the worker: decided while it holds the lock, executed without it.
pub(super) enum Step<K> {
    Tell(Vec<Event<K>>),
    Ask(TableRequest),
    Rest,
    Stop,
}

impl<K: Key> Shared<K> {
    /// Waits until there is something to do. Resting counts only if it has not rested yet.
    pub(super) fn next_step(&self, is_resting: bool) -> Step<K> {
        let mut state = self.lock();
        let idle_since = Instant::now();
        loop {
            if state.stop == Stop::Now {
                return Step::Stop;
            }
            let now = Instant::now();
            let events = state.take_events(now);
            if !events.is_empty() {
                return Step::Tell(events);
            }
            if state.finish_by.is_some_and(|by| by <= now) {
                state.policy.give_up();
                state.stop = Stop::Now;
                let rest = state.take_events(now);
                return Step::Tell(rest);
            }
            if let Some(request) = state.policy.poll_request(now) {
                return Step::Ask(request);
            }
            if state.stop == Stop::WhenIdle && state.policy.is_idle() {
                return Step::Stop;
            }
            let due = state.policy.poll_timeout();
            let rest = (!is_resting).then(|| idle_since + REST_AFTER);
            if rest.is_some_and(|rest| rest <= now) {
                return Step::Rest;
            }
            let until = [due, rest, state.gathers_until].into_iter().flatten().min();
            state = self.sleep(state, until, now);
        }
    }

    pub(super) fn sleep<'a>(
        &self,
        mut state: MutexGuard<'a, State<K>>,
        until: Option<Instant>,
        now: Instant,
    ) -> MutexGuard<'a, State<K>> {
        state.sleep = until.map_or(Sleep::Long, Sleep::Until);
        let mut state = match until {
            None => self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let timeout = until.saturating_duration_since(now);
                let waited = self.changed.wait_timeout(state, timeout);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.sleep = Sleep::Awake;
        state
    }
}
