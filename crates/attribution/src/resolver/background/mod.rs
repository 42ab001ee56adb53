//! The policy with a thread and a clock: asks in the background, tells when there
//! is news.

mod notice;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use notice::Notice;
use worker::Worker;

use super::attributor::Attributor;
use crate::answer::{Error, Ownership, SocketQuery};
use crate::policy::{
    Event, Lookup, Policy, PolicyConfig, PolicyStatistics, Question, Request, Waiter,
};
use crate::tables::Glance;

/// Looks owners up in the background.
///
/// Questions are answered on a thread of its own, which sleeps while nothing is
/// due. News are handed to the closure given to [`spawn`](Self::spawn), on that
/// thread and without any lock held, so the closure may call the service.
///
/// Dropping the service ends the thread after the look under way;
/// [`finish`](Self::finish) first answers everyone who waits.
#[derive(Debug)]
pub struct Service {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    glance: Mutex<Option<Box<dyn Glance>>>,
}

/// How long no question comes before the table is told to rest.
const REST_AFTER: Duration = Duration::from_secs(5);
/// How long it may take at the end to answer those who wait.
const FINISH: Duration = Duration::from_secs(3);
/// How long news are gathered after some were told: to wake a thread for each takes
/// more time than to find what it tells. Nobody sees so short a time pass.
const GATHER: Duration = Duration::from_millis(20);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    policy: Policy,
    stop: Stop,
    /// Until when the thread sleeps although there may be news.
    gathers_until: Option<Instant>,
    /// When those who wait at the end are given up.
    finish_by: Option<Instant>,
    sleep: Sleep,
}

/// Whether the thread sees by itself what has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sleep {
    /// It looks at everything before it sleeps.
    Awake,
    Until(Instant),
    /// Until it is woken.
    Long,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    No,
    WhenIdle,
    Now,
}

impl Service {
    /// Starts the thread that asks `attributor`'s table.
    ///
    /// # Errors
    /// [`Error::Thread`] if the system gives no thread.
    pub fn spawn(
        attributor: Attributor,
        config: PolicyConfig,
        on_event: impl FnMut(Event) + Send + 'static,
    ) -> Result<Self, Error> {
        Self::spawn_noticed(attributor, config, on_event, drop)
    }

    /// As [`spawn`](Self::spawn), with a closure to which the thread reports when lookups
    /// begin to fail, when they work again, and when it has to begin anew. Like the other
    /// one it is called without any lock held.
    ///
    /// # Errors
    /// As for [`spawn`](Self::spawn).
    pub fn spawn_noticed(
        attributor: Attributor,
        config: PolicyConfig,
        on_event: impl FnMut(Event) + Send + 'static,
        on_notice: impl FnMut(Notice) + Send + 'static,
    ) -> Result<Self, Error> {
        let mut parts = attributor.into_parts();
        let table = &mut parts.table;
        let config = PolicyConfig {
            table_tells_remotes: table.tells_remotes(),
            table_tells_networks: table.tells_networks() || table.tells_translations(),
            ..config
        };
        let glance = table.glance();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                policy: Policy::new(config),
                stop: Stop::No,
                gathers_until: None,
                finish_by: None,
                sleep: Sleep::Awake,
            }),
            changed: Condvar::new(),
        });
        let worker = Worker::new(Arc::clone(&shared), parts, on_event, on_notice);
        let thread = std::thread::Builder::new()
            .name("flowner-owners".to_owned())
            .spawn(move || worker.run())
            .map_err(Error::Thread)?;
        Ok(Self {
            shared,
            thread: Some(thread),
            glance: Mutex::new(glance),
        })
    }

    /// A way for another thread to ask the table at once, to be used before
    /// [`lookup_glanced`](Self::lookup_glanced). There is one at most: `None` for who
    /// comes second, and where the table offers none.
    pub fn take_glance(&self) -> Option<Box<dyn Glance>> {
        let mut glance = self.glance.lock().unwrap_or_else(PoisonError::into_inner);
        glance.take()
    }

    /// Asks for `waiter`; see [`Policy::lookup`].
    pub fn lookup(&self, waiter: Waiter, question: Question) -> Lookup {
        let now = Instant::now();
        self.change(|policy| policy.lookup(waiter, question, now))
    }

    /// Asks whether the owner of a flow that was named is the same still; see
    /// [`Policy::lookup_again`].
    pub fn lookup_again(&self, waiter: Waiter, question: Question) -> Lookup {
        let now = Instant::now();
        self.change(|policy| policy.lookup_again(waiter, question, now))
    }

    /// As [`lookup`](Self::lookup), with what a [glance](Self::take_glance) told; see
    /// [`Policy::lookup_glanced`].
    pub fn lookup_glanced(
        &self,
        waiter: Waiter,
        question: Question,
        glance: Option<Ownership>,
    ) -> Lookup {
        let now = Instant::now();
        self.change(|policy| policy.lookup_glanced(waiter, question, glance, now))
    }

    /// Tells that a packet of an unsettled flow arrived. Returns a question that is
    /// worth another glance; see [`Policy::packet_seen`].
    pub fn packet_seen(&self, waiter: Waiter) -> Option<SocketQuery> {
        let now = Instant::now();
        self.change(|policy| policy.packet_seen(waiter, now))
    }

    /// Takes what that glance told; see [`Policy::glanced`].
    pub fn glanced(&self, waiter: Waiter, glance: Ownership) -> Option<Ownership> {
        let now = Instant::now();
        self.change(|policy| policy.glanced(waiter, glance, now))
    }

    /// Tells that a flow is over; see [`Policy::end`].
    pub fn end(&self, waiter: Waiter) {
        self.change(|policy| policy.end(waiter));
    }

    /// Counters and fill levels.
    pub fn statistics(&self) -> PolicyStatistics {
        self.shared.lock().policy.statistics()
    }

    /// Answers everyone who waits as well as it can be known now, and ends the
    /// thread.
    ///
    /// That takes no more than some seconds, whoever made it hard: what is not known by then is
    /// [`Failed`](crate::Reason::Failed).
    pub fn finish(mut self) {
        self.change(Policy::end_in_small_parts);
        self.shared.lock().finish_by = Some(Instant::now() + FINISH);
        self.stop(Stop::WhenIdle);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Policy) -> T) -> T {
        let mut state = self.shared.lock();
        let result = change(&mut state.policy);
        let is_woken = state.wake_if_due();
        drop(state);
        if is_woken {
            self.shared.changed.notify_one();
        }
        result
    }

    fn stop(&mut self, stop: Stop) {
        self.shared.lock().stop = stop;
        self.shared.changed.notify_one();
        let Some(thread) = self.thread.take() else {
            return;
        };
        // The closure may drop the last handle from the thread itself.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the thread that looks up owners has panicked");
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop(Stop::Now);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent between calls of the policy, also after a panic
        // elsewhere.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the thread is to be woken: once for all that changes until it is awake, and
    /// not for what it is going to see when its sleep ends.
    fn wake_if_due(&mut self) -> bool {
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

    /// The news, unless they are gathered yet.
    fn take_events(&mut self, now: Instant) -> Vec<Event> {
        let gathers = self.gathers_until.is_some_and(|until| now < until);
        if gathers && self.stop == Stop::No {
            return Vec::new();
        }
        let events: Vec<Event> = std::iter::from_fn(|| self.policy.poll_event()).collect();
        self.gathers_until = (!events.is_empty()).then(|| now + GATHER);
        events
    }
}

/// What the worker does next, decided under the lock and done without it.
enum Step {
    Tell(Vec<Event>),
    Ask(Request),
    Rest,
    Stop,
}

impl Shared {
    /// Waits until there is something to do; to rest, only if that was not done yet.
    fn next_step(&self, is_resting: bool) -> Step {
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

    fn sleep<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        until: Option<Instant>,
        now: Instant,
    ) -> MutexGuard<'a, State> {
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
