//! The policy with a thread and a clock: asks in the background, tells when there
//! is news.

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
/// It answers on a thread of its own, which sleeps while nothing is due. It hands the answers to the
/// closure given to [`spawn`](Self::spawn), on that thread and without any lock held, so the closure
/// may call the resolver.
///
/// After it has handed over some answers, it gathers the next ones for 20 ms: it is made for many
/// lookups at a time. A caller that asks one question after another, and waits for each answer, is
/// faster with an [`Attributor`].
///
/// Dropping the resolver ends the thread after the lookup under way;
/// [`finish`](Self::finish) first answers all questions that wait.
#[derive(Debug)]
pub struct Resolver<K: Key = Token> {
    /// The resolver on the thread that captures asks in several steps, under one lock.
    pub(super) shared: Arc<Shared<K>>,
    thread: Option<JoinHandle<()>>,
    fast_lookup: Mutex<Option<Box<dyn FastLookup>>>,
    observer: Mutex<Option<Box<dyn Observer>>>,
}

/// How long it may take at the end to answer those who wait.
const FINISH: Duration = Duration::from_secs(3);

impl<K: Key> Resolver<K> {
    /// Starts the thread that asks `attributor`'s table.
    ///
    /// # Errors
    /// [`Error::Thread`] if the system gives no thread.
    pub fn spawn(
        attributor: Attributor,
        config: PolicyConfig,
        on_event: impl FnMut(Event<K>) + Send + 'static,
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

    /// A way for another thread to ask the table at once, to be used before
    /// [`lookup_with_fast_result`](Self::lookup_with_fast_result). There is one at most: `None` for who
    /// comes second, and where the table offers none.
    pub fn take_fast_lookup(&self) -> Option<Box<dyn FastLookup>> {
        let mut fast_lookup = self
            .fast_lookup
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        fast_lookup.take()
    }

    /// What pushes evidence about the sockets of the table, to be
    /// [started](Observer::start) by the thread that captures. There is one at most, as of
    /// [fast lookups](Self::take_fast_lookup).
    pub fn take_observer(&self) -> Option<Box<dyn Observer>> {
        let mut observer = self.observer.lock().unwrap_or_else(PoisonError::into_inner);
        observer.take()
    }

    /// Takes evidence that somebody pushed; see [`Policy::observe`].
    pub fn observe(&self, observation: Observation) -> Vec<(K, Ownership)> {
        let now = Instant::now();
        self.change(|policy| policy.observe(observation, now))
    }

    /// Asks for `key`; see [`Policy::lookup`].
    pub fn lookup(&self, key: K, question: LookupRequest) -> Lookup {
        let now = Instant::now();
        self.change(|policy| policy.lookup(key, question, now))
    }

    /// Asks whether the owner of a flow that was named is the same still; see
    /// [`Policy::lookup_again`].
    pub fn lookup_again(&self, key: K, question: LookupRequest) -> Lookup {
        let now = Instant::now();
        self.change(|policy| policy.lookup_again(key, question, now))
    }

    /// As [`lookup`](Self::lookup), with what a [fast lookup](Self::take_fast_lookup) told; see
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

    /// Tells that a packet of an unsettled flow arrived. Returns a question that is
    /// worth another fast lookup; see [`Policy::packet_seen`].
    pub fn packet_seen(&self, key: K) -> Option<SocketQuery> {
        let now = Instant::now();
        self.change(|policy| policy.packet_seen(key, now))
    }

    /// Takes what that fast lookup told; see [`Policy::fast_result`].
    pub fn fast_result(&self, key: K, fast_lookup: Ownership) -> Option<Ownership> {
        let now = Instant::now();
        self.change(|policy| policy.fast_result(key, fast_lookup, now))
    }

    /// Tells that a flow is over; see [`Policy::end`].
    pub fn end(&self, key: K) {
        self.change(|policy| policy.end(key));
    }

    /// Counters and fill levels.
    pub fn statistics(&self) -> PolicyStatistics {
        self.shared.lock().policy.statistics()
    }

    /// Answers everyone who waits as well as it can be known now, and ends the
    /// thread.
    ///
    /// That takes no more than some seconds, whatever made it hard: what is not known by then is
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
        // The closure may drop the last handle from the thread itself.
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
