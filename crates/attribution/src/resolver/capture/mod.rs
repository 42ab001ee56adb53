//! The resolver as the capture thread asks it: with a fast lookup of each socket while it exists.

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

/// How long an observation waits for a packet.
const SOON: Duration = Duration::from_millis(1);
/// Observations that wait to be taken; past that, the oldest is dropped.
const MAX_INBOX: usize = 4_096;

/// Asks a [`Resolver`] from the thread that captures packets.
///
/// What ends within a millisecond is not there any more when another thread wakes up. So this one
/// finds the owner of each new flow itself, by what an [`Observer`] has seen of it or, where nothing
/// is on its way, by a [`FastLookup`] on this thread; and hands what it found to the resolver.
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
    /// When the first request expects no observation any more.
    next_due: Option<Instant>,
    /// Until when an observation may come late, of a sender whom no lookup finds.
    late_until: Option<Instant>,
}

impl<K: Key> CaptureResolver<K> {
    /// Takes the fast lookup and the observer of that resolver, of which there is one each: a second
    /// one of the same resolver does without.
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

    /// Adds a source of evidence beside that of the table. To be called before
    /// [`init_thread`](Self::init_thread), which starts it.
    pub fn add_observer(&mut self, observer: Box<dyn Observer>) {
        self.observers.push(observer);
    }

    /// Call this once, on the thread that captures. It starts the observers, and raises the
    /// scheduling priority of the thread: see [`FastLookup::init_thread`].
    pub fn init_thread(&mut self) {
        if let Some(fast_lookup) = &mut self.fast_lookup {
            fast_lookup.init_thread();
        }
        for observer in &mut self.observers {
            let inbox = Arc::clone(&self.inbox);
            observer.start(Arc::new(move |observation| inbox.push(observation)));
        }
    }

    /// Asks for the owner of a new flow, right after its first packet was seen. Where an
    /// observation of it is on its way, [`poll_pending`](Self::poll_pending) has the first answer.
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
            // It may have come while this asked whether it comes.
            None if self.inbox.has_news() => self.observed(key, request),
            None => None,
        };
        let lookup = lookup.unwrap_or_else(|| self.look_up(key, request));
        self.forget(key);
        lookup
    }

    /// Has observations taken for a while that come after a lookup has found nobody.
    fn wait_for_late(&mut self, request: &LookupRequest, is_named: bool) {
        if request.initiator == Initiator::Local && !is_named && !self.observers.is_empty() {
            self.late_until = Some(Instant::now() + OBSERVED_SENDER);
        }
    }

    /// Nothing more is heard of a request before this one under the same key.
    fn forget(&mut self, key: K) {
        if !self.answers.is_empty() {
            self.answers.retain(|(of, _)| *of != key);
        }
    }

    /// The answer, if one was observed already.
    fn observed(&mut self, key: K, request: LookupRequest) -> Option<Lookup> {
        // Nobody observes other ends.
        let may_be = request.initiator == Initiator::Local;
        may_be.then(|| self.change(|policy, now| policy.lookup_observed(key, request, now)))?
    }

    /// How much longer an observation may be waited for, if one is on its way.
    fn expected(&mut self, request: &LookupRequest) -> Option<Duration> {
        let observers = self.observers.iter_mut();
        observers
            .filter_map(|observer| observer.expect(request))
            .max()
    }

    fn look_up(&mut self, key: K, request: LookupRequest) -> Lookup {
        let told = match &mut self.fast_lookup {
            Some(fast_lookup) => fast_lookup.lookup(&request),
            None => FastResult::NotFound,
        };
        let told = told.ownership();
        let lookup =
            self.change(|policy, now| policy.lookup_with_fast_result(key, request, told, now));
        let is_named = matches!(
            &lookup,
            Lookup::Ready(owner) | Lookup::Provisional(owner) if owner.verdict.is_named()
        );
        self.wait_for_late(&request, is_named);
        lookup
    }

    /// Changes the policy, which first takes in what was observed. All of it under one lock.
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

    /// Tells that another packet of a flow was seen whose owner is not settled: without one,
    /// nothing is tried again. Returns a better answer, if this one may tell who has accepted
    /// the connection (it has payload, or ends it) and another fast lookup shows that.
    pub fn packet(&mut self, key: K, may_tell: bool) -> Option<Ownership> {
        let query = self.resolver.packet_seen(key).filter(|_| may_tell)?;
        let seen = self.fast_lookup.as_mut()?.lookup_accepted(&query)?;
        self.resolver.fast_result(key, seen)
    }

    /// Whether a socket still is whose it was, as far as the table of the resolver can tell from
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

    /// Which sockets were closed since this was asked last; see [`FastLookup::closed`].
    pub fn closed(&mut self) -> Closed {
        let fast_lookup = self.fast_lookup.as_mut();
        fast_lookup.map_or_else(Closed::default, |fast_lookup| fast_lookup.closed())
    }

    /// Tells that a flow is over; see [`Resolver::end`].
    pub fn flow_ended(&mut self, key: K) {
        self.resolver.end(key);
    }

    /// The answers that were observed since their flows opened, or else found by fast lookups that
    /// are made now: to be called with each packet, and when none came within
    /// [`poll_timeout`](Self::poll_timeout). They may get better, as
    /// [`Lookup::Provisional`] does.
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

    /// As [`poll_pending`](Self::poll_pending), of all flows that wait for an observation, when
    /// no packet comes any more.
    pub fn poll_all_pending(&mut self) -> Vec<(K, Ownership)> {
        self.make_fast_lookups(true);
        self.late_until = None;
        std::mem::take(&mut self.answers)
    }

    /// Looks up what was not observed in time. `all`: nothing is waited for any more.
    fn make_fast_lookups(&mut self, all: bool) {
        // What waits on is due later than this, so this ends.
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
            let told = match &mut self.fast_lookup {
                Some(fast_lookup) => fast_lookup.lookup(&request),
                None => FastResult::NotFound,
            };
            let told = told.ownership();
            let better = self.change(|policy, now| policy.fast_lookup_made(key, told, now));
            let is_named = better.as_ref().is_some_and(|it| it.verdict.is_named());
            self.wait_for_late(&request, is_named);
            self.answers.extend(better.map(|better| (key, better)));
        }
    }

    /// Asks for what waits for an observation, and, if nobody else has the resolver, answers
    /// everyone who waits; see [`Resolver::finish`].
    pub fn finish(mut self) {
        self.poll_all_pending();
        if let Some(resolver) = Arc::into_inner(self.resolver) {
            resolver.finish();
        }
    }

    /// How long a packet may be waited for before [`poll_pending`](Self::poll_pending) is to be
    /// called without one; `None` if it has nothing to do.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let may_come = self.next_due.or(self.late_until).is_some();
        let has_work = may_come || !self.answers.is_empty();
        has_work.then_some(SOON)
    }

    /// Whom this one asks.
    pub fn resolver(&self) -> &Arc<Resolver<K>> {
        &self.resolver
    }
}

/// Observations that wait until the thread that captures takes them: those who push them wait for
/// nothing but each other, not for a lock under which the policy works.
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
            tracing::debug!("an observation was dropped, as nobody took it");
        }
        observations.push_back(observation);
        self.has_news.store(true, Ordering::Release);
    }

    fn has_news(&self) -> bool {
        self.has_news.load(Ordering::Acquire)
    }

    /// Takes all, in place of nothing. A thread that pushes waits no longer for many than for one.
    fn take(&self, nothing: &mut VecDeque<Observation>) {
        if self.has_news() {
            let mut observations = self.lock();
            self.has_news.store(false, Ordering::Release);
            std::mem::swap(&mut *observations, nothing);
        }
    }

    /// What is guarded is whole between calls, also after a panic elsewhere.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Observation>> {
        self.observations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
