//! The resolver as the capturing thread asks it: with a look at each socket while it is
//! there.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::background::Resolver;
use crate::answer::{Ownership, SocketQuery};
use crate::policy::{Key, Lookup, LookupRequest, Token};
use crate::tables::fast_lookup::{Closed, Confirmed, FastLookup, FastResult};

/// How long what was put off waits for a packet.
const SOON: Duration = Duration::from_millis(1);
/// Questions that are put off at a time; each of them is asked again with each packet.
const MAX: usize = 64;

/// Asks a [`Resolver`] from the thread that captures packets.
///
/// What ends within a millisecond is not there any more when another thread wakes up. So
/// this one looks up the socket of each new flow, where the table of the resolver offers
/// that, and tells the resolver what it saw.
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
///     for (waiter, lookup) in capture.poll_pending() {
///         lookup.ownership().into_iter().for_each(|owner| show(waiter.0, owner));
///     }
///     let told = match next {
///         Some(Next::Opened(flow, question)) => capture
///             .flow_opened(Token(flow), question)
///             .and_then(Lookup::ownership)
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
    put_off: Vec<PutOff<K>>,
}

/// A question that was not asked yet.
#[derive(Debug, Clone, Copy)]
struct PutOff<K> {
    waiter: K,
    question: LookupRequest,
    /// The flow is over.
    is_over: bool,
}

impl<K: Key> CaptureResolver<K> {
    /// Takes the way to fast lookup of that resolver, of which there is one: a second one of
    /// the same resolver does without.
    pub fn new(resolver: Arc<Resolver<K>>) -> Self {
        let fast_lookup = resolver.take_fast_lookup();
        Self {
            resolver,
            fast_lookup,
            put_off: Vec::new(),
        }
    }

    /// To be called once, on the thread that captures; see [`FastLookup::init_thread`].
    pub fn init_thread(&mut self) {
        if let Some(fast_lookup) = &mut self.fast_lookup {
            fast_lookup.init_thread();
        }
    }

    /// Asks for the owner of a new flow, right after its first packet was seen. `None` puts
    /// that off, as somebody is looking already: [`poll_pending`](Self::poll_pending) asks.
    pub fn flow_opened(&mut self, waiter: K, question: LookupRequest) -> Option<Lookup> {
        let mut seen = FastResult::NotFound;
        if let Some(fast_lookup) = &mut self.fast_lookup {
            seen = fast_lookup.lookup(&question);
        }
        if seen == FastResult::Pending && self.put_off.len() < MAX {
            self.put_off.push(PutOff {
                waiter,
                question,
                is_over: false,
            });
            return None;
        }
        Some(
            self.resolver
                .lookup_with_fast_result(waiter, question, seen.ownership()),
        )
    }

    /// Tells that another packet of a flow was seen whose owner is not settled: without one,
    /// nothing is tried again. Returns a better answer, if this one may tell who has accepted
    /// the connection (it has payload, or ends it) and another look shows that.
    pub fn packet(&mut self, waiter: K, may_tell: bool) -> Option<Ownership> {
        let query = self.resolver.packet_seen(waiter).filter(|_| may_tell)?;
        let seen = self.fast_lookup.as_mut()?.lookup_accepted(&query)?;
        self.resolver.fast_result(waiter, seen)
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
    pub fn flow_ended(&mut self, waiter: K) {
        let mut put_off = self.put_off.iter_mut();
        match put_off.find(|put_off| put_off.waiter == waiter) {
            Some(put_off) => put_off.is_over = true,
            None => self.resolver.end(waiter),
        }
    }

    /// Asks for what was put off and can be asked by now: to be called with each packet, and
    /// when none came within [`poll_timeout`](Self::poll_timeout).
    pub fn poll_pending(&mut self) -> Vec<(K, Lookup)> {
        self.poll_some(false)
    }

    /// As [`poll_pending`](Self::poll_pending), all of it, when no packet comes any more.
    pub fn poll_all_pending(&mut self) -> Vec<(K, Lookup)> {
        self.poll_some(true)
    }

    fn poll_some(&mut self, all: bool) -> Vec<(K, Lookup)> {
        let Some(fast_lookup) = &mut self.fast_lookup else {
            return Vec::new();
        };
        let (mut settled, resolver) = (Vec::new(), &self.resolver);
        self.put_off.retain(|put_off| {
            let seen = fast_lookup.lookup(&put_off.question);
            if seen == FastResult::Pending && !all {
                return true;
            }
            let PutOff {
                waiter, question, ..
            } = *put_off;
            let lookup = resolver.lookup_with_fast_result(waiter, question, seen.ownership());
            if put_off.is_over {
                resolver.end(waiter);
            }
            settled.push((waiter, lookup));
            false
        });
        settled
    }

    /// Asks for what was put off, and, if nobody else has the resolver, answers everyone who
    /// waits; see [`Resolver::finish`].
    pub fn finish(mut self) {
        self.poll_all_pending();
        if let Some(resolver) = Arc::into_inner(self.resolver) {
            resolver.finish();
        }
    }

    /// How long a packet may be waited for before what was put off is to be settled; `None`
    /// if nothing was.
    pub fn poll_timeout(&self) -> Option<Duration> {
        (!self.put_off.is_empty()).then_some(SOON)
    }

    /// Whom this one asks.
    pub fn resolver(&self) -> &Arc<Resolver<K>> {
        &self.resolver
    }
}
