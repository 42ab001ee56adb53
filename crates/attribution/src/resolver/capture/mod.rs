//! The resolver for the capture thread: it looks up each socket at once, while it exists.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::background::Resolver;
use crate::answer::{Ownership, SocketQuery};
use crate::observers::Observer;
use crate::policy::freshness::OBSERVED_SENDER;
use crate::policy::{Initiator, Key, Lookup, LookupRequest, Observation, Policy, Token};
use crate::tables::fast_lookup::{Closed, Confirmed, FastLookup, FastResult};

/// How long a packet's request waits for an observation.
const SOON: Duration = Duration::from_millis(1);
/// Observations that wait in the inbox. At the bound, a new one displaces the oldest.
const MAX_INBOX: usize = 4_096;

/// Queries a [`Resolver`] from the thread that captures packets.
///
/// A process that lives for a millisecond has exited before another thread wakes up. So this thread
/// finds the owner of each new flow itself: from an observation of an [`Observer`] or, if none is
/// on its way, by a [`FastLookup`]. It passes the result to the resolver.
///
/// ```no_run
/// # use std::{sync::Arc, time::{Duration, SystemTime}};
/// # use flowner_attribution::{*, capture::CaptureResolver};
/// # enum Next { Opened(u64, LookupRequest), More(u64, bool), Closed(u64), Stopped }
/// # fn next_within(patience: Option<Duration>) -> Option<Next> { None }
/// # fn show(flow: u64, ownership: Ownership) {}
/// # fn main() -> Result<(), Error> {
/// let resolver = Resolver::<Token>::spawn(Attributor::new()?, PolicyConfig::default(), |event| {
///     show(event.key.0, event.ownership);
/// })?;
/// let mut capture = CaptureResolver::new(Arc::new(resolver));
/// capture.init_thread();
/// loop {
///     let next = next_within(capture.poll_timeout());
///     for (key, owner) in capture.poll_pending() {
///         show(key.0, owner);
///     }
///     let told = match next {
///         Some(Next::Opened(flow, question)) => capture
///             .flow_opened(Token(flow), question)
///             .ownership()
///             .map(|owner| (flow, owner)),
///         Some(Next::More(flow, has_payload)) => capture
///             .packet(Token(flow), has_payload)
///             .map(|owner| (flow, owner)),
///         Some(Next::Closed(flow)) => {
///             capture.flow_ended(Token(flow));
///             None
///         }
///         Some(Next::Stopped) => break,
///         None => None,
///     };
///     told.into_iter().for_each(|(flow, owner)| show(flow, owner));
/// }
/// capture.finish();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct CaptureResolver<K: Key = Token> {
    resolver: Arc<Resolver<K>>,
    fast_lookup: Option<Box<dyn FastLookup>>,
    observers: Vec<Box<dyn Observer>>,
    inbox: Arc<Inbox>,
    /// Observations on their way from the inbox to the policy.
    taken: VecDeque<Observation>,
    /// Answers to requests of earlier packets.
    answers: Vec<(K, Ownership)>,
    /// When the first request stops expecting an observation.
    next_due: Option<Instant>,
    /// Until when an observation may come late, for a sender that no lookup finds.
    late_until: Option<Instant>,
}

impl<K: Key> CaptureResolver<K> {
    /// Takes the fast lookup and the observer of that resolver, which has one of each. A second one
    /// for the same resolver works without them.
    pub fn new(resolver: Arc<Resolver<K>>) -> Self {
        Self {
            fast_lookup: resolver.take_fast_lookup(),
            observers: resolver.take_observer().into_iter().collect(),
            inbox: Arc::default(),
            taken: VecDeque::new(),
            answers: Vec::new(),
            next_due: None,
            late_until: None,
            resolver,
        }
    }

    /// Adds a source of evidence beside that of the table. Call it before
    /// [`init_thread`](Self::init_thread), which starts it.
    pub fn add_observer(&mut self, observer: Box<dyn Observer>) {
        self.observers.push(observer);
    }

    /// Call this once, on the capture thread. It starts the observers, and raises the scheduling
    /// priority of the thread: see [`FastLookup::init_thread`].
    pub fn init_thread(&mut self) {
        if let Some(fast_lookup) = &mut self.fast_lookup {
            fast_lookup.init_thread();
        }
        for observer in &mut self.observers {
            let inbox = Arc::clone(&self.inbox);
            observer.start(Arc::new(move |observation| inbox.push(observation)));
        }
    }

    /// Looks up the owner of a new flow, right after its first packet. If an observation of it is
    /// on its way, [`poll_pending`](Self::poll_pending) returns the first answer.
    pub fn flow_opened(&mut self, key: K, request: LookupRequest) -> Lookup {
        if self.observers.is_empty() {
            return self.look_up(key, request);
        }
        if let Some(lookup) = self.observed(key, request) {
            self.forget(key);
            return lookup;
        }
        let lookup = match self.expected(&request) {
            Some(wait) => {
                self.change(|policy, now| policy.lookup_expecting(key, request, now + wait, now))
            }
            // The observation may have come in the meantime.
            None if self.inbox.has_news() => self.observed(key, request),
            None => None,
        };
        let lookup = lookup.unwrap_or_else(|| self.look_up(key, request));
        self.forget(key);
        lookup
    }

    /// Makes this take late observations for a while, after a lookup without owner.
    fn wait_for_late(&mut self, request: &LookupRequest, is_named: bool) {
        if request.initiator == Initiator::Local && !is_named && !self.observers.is_empty() {
            self.late_until = Some(Instant::now() + OBSERVED_SENDER);
        }
    }

    /// An earlier request with the same key gets no more answers.
    fn forget(&mut self, key: K) {
        if !self.answers.is_empty() {
            self.answers.retain(|(of, _)| *of != key);
        }
    }

    /// The answer, if the observation has already come.
    fn observed(&mut self, key: K, request: LookupRequest) -> Option<Lookup> {
        // Observers report only the ends of senders.
        let may_be = request.initiator == Initiator::Local;
        may_be.then(|| self.change(|policy, now| policy.lookup_observed(key, request, now)))?
    }

    /// How much longer an observation may take, if one is on its way.
    fn expected(&mut self, request: &LookupRequest) -> Option<Duration> {
        let observers = self.observers.iter_mut();
        observers
            .filter_map(|observer| observer.expect(request))
            .max()
    }

    fn look_up(&mut self, key: K, request: LookupRequest) -> Lookup {
        let found = match &mut self.fast_lookup {
            Some(fast_lookup) => fast_lookup.lookup(&request),
            None => FastResult::NotFound,
        };
        let found = found.ownership();
        let lookup =
            self.change(|policy, now| policy.lookup_with_fast_result(key, request, found, now));
        let is_named = matches!(
            &lookup,
            Lookup::Ready(owner) | Lookup::Provisional(owner) if owner.verdict.is_named()
        );
        self.wait_for_late(&request, is_named);
        lookup
    }

    /// Changes the policy, which first takes the observations from the inbox. All of this happens
    /// under one lock.
    fn change<T>(&mut self, change: impl FnOnce(&mut Policy<K>, Instant) -> T) -> T {
        self.inbox.take(&mut self.taken);
        let (taken, answers) = (&mut self.taken, &mut self.answers);
        let now = Instant::now();
        let (result, next_due) = self.resolver.shared.change(|policy| {
            for observation in taken.drain(..) {
                answers.extend(policy.observe(observation, now));
            }
            (change(policy, now), policy.next_fast_lookup())
        });
        self.next_due = next_due;
        result
    }

    /// Records another packet of an unsettled flow; without one, the policy does not retry. Returns
    /// a better answer if the packet may show which process has accepted the connection (it has
    /// payload, or ends the connection) and another fast lookup finds it.
    pub fn packet(&mut self, key: K, may_tell: bool) -> Option<Ownership> {
        let query = self.resolver.packet(key).filter(|_| may_tell)?;
        let seen = self.fast_lookup.as_mut()?.lookup_accepted(&query)?;
        self.resolver.fast_result(key, seen)
    }

    /// Whether a socket still has the same owner, as far as the table of the resolver can check on
    /// this thread; see [`FastLookup::confirm`].
    pub fn confirm(
        &mut self,
        query: &SocketQuery,
        known: &Ownership,
        since: SystemTime,
    ) -> Confirmed {
        let fast_lookup = self.fast_lookup.as_mut();
        fast_lookup.map_or(Confirmed::Unknown, |fast_lookup| {
            fast_lookup.confirm(query, known, since)
        })
    }

    /// The sockets that closed since the last call; see [`FastLookup::closed`].
    pub fn closed(&mut self) -> Closed {
        let fast_lookup = self.fast_lookup.as_mut();
        fast_lookup.map_or_else(Closed::default, |fast_lookup| fast_lookup.closed())
    }

    /// The same when no packet follows; see [`FastLookup::closed_at_last`].
    pub fn closed_at_last(&mut self) -> Closed {
        let fast_lookup = self.fast_lookup.as_mut();
        fast_lookup.map_or_else(Closed::default, |fast_lookup| fast_lookup.closed_at_last())
    }

    /// Records that a flow has ended; see [`Resolver::end`].
    pub fn flow_ended(&mut self, key: K) {
        self.resolver.end(key);
    }

    /// The answers from observations that came since their flows opened, or from fast lookups that
    /// this makes now. Call it with each packet, and when none came within
    /// [`poll_timeout`](Self::poll_timeout). The answers may improve later, as with
    /// [`Lookup::Provisional`].
    pub fn poll_pending(&mut self) -> Vec<(K, Ownership)> {
        if let Some(due) = self.next_due
            && (self.inbox.has_news() || due <= Instant::now())
        {
            self.make_fast_lookups(false);
        } else if let Some(until) = self.late_until {
            if self.inbox.has_news() {
                self.change(|_, _| ());
            }
            self.late_until = Some(until).filter(|until| Instant::now() < *until);
        }
        std::mem::take(&mut self.answers)
    }

    /// As [`poll_pending`](Self::poll_pending), for all flows that wait for an observation, when
    /// the capture has ended.
    pub fn poll_all_pending(&mut self) -> Vec<(K, Ownership)> {
        self.make_fast_lookups(true);
        self.late_until = None;
        std::mem::take(&mut self.answers)
    }

    /// Looks up the owners for which no observation came in time. With `all`, no request waits any
    /// longer.
    fn make_fast_lookups(&mut self, all: bool) {
        // Requests that wait on are due later than this, so the loop ends.
        let mut until = Instant::now();
        if all {
            until = self.next_due.map_or(until, |due| due.max(until)) + SOON;
        }
        while let Some((key, request)) = self.change(|policy, _| policy.poll_fast_lookup(until)) {
            let wait = self.expected(&request);
            if let Some(wait) = wait.filter(|_| !all) {
                self.change(|policy, now| policy.expect(key, now + wait));
                continue;
            }
            let found = match &mut self.fast_lookup {
                Some(fast_lookup) => fast_lookup.lookup(&request),
                None => FastResult::NotFound,
            };
            let found = found.ownership();
            let better = self.change(|policy, now| policy.fast_lookup_made(key, found, now));
            let is_named = better.as_ref().is_some_and(|it| it.verdict.is_named());
            self.wait_for_late(&request, is_named);
            self.answers.extend(better.map(|better| (key, better)));
        }
    }

    /// Makes the fast lookups for requests that wait for an observation. Then, if this is the last
    /// handle of the resolver, it answers every waiting request; see [`Resolver::finish`].
    pub fn finish(mut self) {
        self.poll_all_pending();
        if let Some(resolver) = Arc::into_inner(self.resolver) {
            resolver.finish();
        }
    }

    /// How long the caller may wait for a packet before it calls
    /// [`poll_pending`](Self::poll_pending) without one; `None` if that has nothing to do.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let may_come = self.next_due.or(self.late_until).is_some();
        let has_work = may_come || !self.answers.is_empty();
        has_work.then_some(SOON)
    }

    /// The resolver behind this one.
    pub fn resolver(&self) -> &Arc<Resolver<K>> {
        &self.resolver
    }
}

/// Observations that wait until the capture thread takes them. Threads that push one wait only for
/// each other, not for the lock of the policy.
#[derive(Debug, Default)]
struct Inbox {
    observations: Mutex<VecDeque<Observation>>,
    has_news: AtomicBool,
}

impl Inbox {
    fn push(&self, observation: Observation) {
        let mut observations = self.lock();
        if observations.len() >= MAX_INBOX {
            observations.pop_front();
            tracing::debug!("dropped an observation that the capture thread did not take in time");
        }
        observations.push_back(observation);
        self.has_news.store(true, Ordering::Release);
    }

    fn has_news(&self) -> bool {
        self.has_news.load(Ordering::Acquire)
    }

    /// Swaps all observations with an empty queue, so a thread that pushes never waits longer for
    /// many than for one.
    fn take(&self, nothing: &mut VecDeque<Observation>) {
        if self.has_news() {
            let mut observations = self.lock();
            self.has_news.store(false, Ordering::Release);
            std::mem::swap(&mut *observations, nothing);
        }
    }

    /// Between calls the guarded data is consistent, even after a panic elsewhere.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Observation>> {
        self.observations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
