//! The policy with a thread and a clock: it looks up owners in the background and delivers the
//! answers.

mod notice;
mod shared;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use notice::Notice;
use shared::{Shared, Sleep, State, Stop};
use worker::Worker;

use super::attributor::Attributor;
use crate::answer::{Error, Ownership, SocketQuery};
use crate::observers::Observer;
use crate::policy::{
    Event, Key, Lookup, LookupRequest, Observation, Policy, PolicyConfig, PolicyStatistics, Token,
};
use crate::tables::fast_lookup::FastLookup;

/// Looks owners up in the background.
///
/// The resolver answers on a thread of its own, which sleeps while nothing is due. It passes the
/// answers to the closure given to [`spawn`](Self::spawn), on that thread and without holding a
/// lock, so the closure may call the resolver.
///
/// After it has delivered some answers, it collects the next ones for 20 ms, because it is made for
/// many lookups at a time. For one query after another, each waiting for the answer, an
/// [`Attributor`] is faster.
///
/// Dropping the resolver ends the thread after the lookup under way. [`finish`](Self::finish) first
/// answers all waiting requests.
#[derive(Debug)]
pub struct Resolver<K: Key = Token> {
    /// [`CaptureResolver`](super::CaptureResolver) takes several steps under one lock.
    pub(super) shared: Arc<Shared<K>>,
    thread: Option<JoinHandle<()>>,
    fast_lookup: Mutex<Option<Box<dyn FastLookup>>>,
    observer: Mutex<Option<Box<dyn Observer>>>,
}

/// How long the resolver may take at the end to answer waiting requests.
const FINISH: Duration = Duration::from_secs(3);

impl<K: Key> Resolver<K> {
    /// Starts the thread that queries the table of `attributor`.
    ///
    /// # Errors
    /// [`Error::Thread`] if the system cannot start the thread.
    pub fn spawn(
        attributor: Attributor,
        config: PolicyConfig,
        on_event: impl FnMut(Event<K>) + Send + 'static,
    ) -> Result<Self, Error> {
        Self::spawn_with_notices(attributor, config, on_event, drop)
    }

    /// As [`spawn`](Self::spawn), with a closure that takes the thread's reports: lookups begin to
    /// fail, work again, or start anew. The thread calls it without holding a lock, too.
    /// one it is called without any lock held.
    ///
    /// # Errors
    /// As for [`spawn`](Self::spawn).
    pub fn spawn_with_notices(
        attributor: Attributor,
        config: PolicyConfig,
        on_event: impl FnMut(Event<K>) + Send + 'static,
        on_notice: impl FnMut(Notice) + Send + 'static,
    ) -> Result<Self, Error> {
        let mut parts = attributor.into_parts();
        let table = &mut parts.table;
        let config = PolicyConfig {
            capabilities: table.capabilities(),
            ..config
        };
        let fast_lookup = table.fast_lookup();
        let observer = table.observer();
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
            fast_lookup: Mutex::new(fast_lookup),
            observer: Mutex::new(observer),
        })
    }

    /// A way for another thread to query the table at once, for use before
    /// [`lookup_with_fast_result`](Self::lookup_with_fast_result). There is at most one: `None` for
    /// the second caller, and if the table offers none.
    pub fn take_fast_lookup(&self) -> Option<Box<dyn FastLookup>> {
        let mut fast_lookup = self
            .fast_lookup
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        fast_lookup.take()
    }

    /// The observer of the sockets of the table, which the capture thread
    /// [starts](Observer::start). There is at most one, as with [fast
    /// lookups](Self::take_fast_lookup).
    pub fn take_observer(&self) -> Option<Box<dyn Observer>> {
        let mut observer = self.observer.lock().unwrap_or_else(PoisonError::into_inner);
        observer.take()
    }

    /// Takes an observation; see [`Policy::observe`].
    pub fn observe(&self, observation: Observation) -> Vec<(K, Ownership)> {
        let now = Instant::now();
        self.change(|policy| policy.observe(observation, now))
    }

    /// Looks up an owner under `key`; see [`Policy::lookup`].
    pub fn lookup(&self, key: K, question: LookupRequest) -> Lookup {
        let now = Instant::now();
        self.change(|policy| policy.lookup(key, question, now))
    }

    /// Checks whether a named owner of a flow is still the same; see [`Policy::lookup_again`].
    pub fn lookup_again(&self, key: K, question: LookupRequest) -> Lookup {
        let now = Instant::now();
        self.change(|policy| policy.lookup_again(key, question, now))
    }

    /// As [`lookup`](Self::lookup), with the result of a [fast lookup](Self::take_fast_lookup); see
    /// [`Policy::lookup_with_fast_result`].
    pub fn lookup_with_fast_result(
        &self,
        key: K,
        question: LookupRequest,
        fast_lookup: Option<Ownership>,
    ) -> Lookup {
        let now = Instant::now();
        self.change(|policy| policy.lookup_with_fast_result(key, question, fast_lookup, now))
    }

    /// Records that a packet of an unsettled flow arrived. Returns a query that is worth another
    /// fast lookup; see [`Policy::packet`].
    pub fn packet(&self, key: K) -> Option<SocketQuery> {
        let now = Instant::now();
        self.change(|policy| policy.packet(key, now))
    }

    /// Takes the result of that fast lookup; see [`Policy::fast_result`].
    pub fn fast_result(&self, key: K, fast_lookup: Ownership) -> Option<Ownership> {
        let now = Instant::now();
        self.change(|policy| policy.fast_result(key, fast_lookup, now))
    }

    /// Records that a flow has ended; see [`Policy::end`].
    pub fn end(&self, key: K) {
        self.change(|policy| policy.end(key));
    }

    /// Counters and fill levels.
    pub fn statistics(&self) -> PolicyStatistics {
        self.shared.lock().policy.statistics()
    }

    /// Answers every waiting request as well as possible now, and ends the thread.
    ///
    /// This takes a few seconds at most. Requests without an answer by then get
    /// [`Failed`](crate::Reason::Failed).
    pub fn finish(mut self) {
        self.change(Policy::end_in_small_parts);
        self.shared.lock().finish_by = Some(Instant::now() + FINISH);
        self.stop(Stop::WhenIdle);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Policy<K>) -> T) -> T {
        self.shared.change(change)
    }

    fn stop(&mut self, stop: Stop) {
        self.shared.lock().stop = stop;
        self.shared.changed.notify_one();
        let Some(thread) = self.thread.take() else {
            return;
        };
        // If the closure held the last handle, this runs on the thread itself.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the thread that looks up owners has panicked");
        }
    }
}

impl<K: Key> Drop for Resolver<K> {
    fn drop(&mut self) {
        self.stop(Stop::Now);
    }
}
