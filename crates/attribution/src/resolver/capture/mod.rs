//! The resolver as the capturing thread asks it: with a look at each socket while it is
//! there.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::background::Resolver;
use crate::answer::{Ownership, SocketQuery};
use crate::policy::{Key, Lookup, Question, Token};
use crate::tables::glance::{Closed, Confirmed, Glance, Glanced};

/// How long what was put off waits for a packet.
const SOON: Duration = Duration::from_millis(1);
/// Questions that are put off at a time; each of them is asked again with each packet.
const MAX: usize = 64;

/// Asks a [`Resolver`] from the thread that captures packets.
///
/// What ends within a millisecond is not there any more when another thread wakes up. So
/// this one glances at the socket of each new flow, where the table of the resolver offers
/// that, and tells the resolver what it saw.
///
/// ```no_run
/// # use std::{sync::Arc, time::{Duration, SystemTime}};
/// # use flowner_attribution::{*, capture::Spotter};
/// # enum Next { Opened(u64, Question), More(u64, bool), Closed(u64), Stopped }
/// # fn next_within(patience: Option<Duration>) -> Option<Next> { None }
/// # fn show(flow: u64, ownership: Ownership) {}
/// # fn main() -> Result<(), Error> {
/// let resolver = Resolver::<Token>::spawn(Attributor::new()?, PolicyConfig::default(), |event| {
///     show(event.key.0, event.ownership);
/// })?;
/// let mut spotter = Spotter::new(Arc::new(resolver));
/// spotter.prepare();
/// loop {
///     let next = next_within(spotter.patience());
///     for (waiter, lookup) in spotter.settle() {
///         lookup.told().into_iter().for_each(|owner| show(waiter.0, owner));
///     }
///     let told = match next {
///         Some(Next::Opened(flow, question)) => spotter
///             .opened(Token(flow), question)
///             .and_then(Lookup::told)
///             .map(|owner| (flow, owner)),
///         Some(Next::More(flow, has_payload)) => spotter
///             .packet_seen(Token(flow), has_payload)
///             .map(|owner| (flow, owner)),
///         Some(Next::Closed(flow)) => {
///             spotter.ended(Token(flow));
///             None
///         }
///         Some(Next::Stopped) => break,
///         None => None,
///     };
///     told.into_iter().for_each(|(flow, owner)| show(flow, owner));
/// }
/// spotter.finish();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Spotter<K: Key = Token> {
    resolver: Arc<Resolver<K>>,
    glance: Option<Box<dyn Glance>>,
    put_off: Vec<PutOff<K>>,
}

/// A question that was not asked yet.
#[derive(Debug, Clone, Copy)]
struct PutOff<K> {
    waiter: K,
    question: Question,
    /// The flow is over.
    is_over: bool,
}

impl<K: Key> Spotter<K> {
    /// Takes the way to glance of that resolver, of which there is one: a second spotter of
    /// the same resolver does without.
    pub fn new(resolver: Arc<Resolver<K>>) -> Self {
        let glance = resolver.take_glance();
        Self {
            resolver,
            glance,
            put_off: Vec::new(),
        }
    }

    /// To be called once, on the thread that captures; see [`Glance::prepare`].
    pub fn prepare(&mut self) {
        if let Some(glance) = &mut self.glance {
            glance.prepare();
        }
    }

    /// Asks for the owner of a new flow, right after its first packet was seen. `None` puts
    /// that off, as somebody is looking already: [`settle`](Self::settle) asks.
    pub fn opened(&mut self, waiter: K, question: Question) -> Option<Lookup> {
        let mut seen = Glanced::Nothing;
        if let Some(glance) = &mut self.glance {
            seen = glance.glance(&question);
        }
        if seen == Glanced::Later && self.put_off.len() < MAX {
            self.put_off.push(PutOff {
                waiter,
                question,
                is_over: false,
            });
            return None;
        }
        Some(self.resolver.lookup_glanced(waiter, question, seen.told()))
    }

    /// Tells that another packet of a flow was seen whose owner is not settled: without one,
    /// nothing is tried again. Returns a better answer, if this one may tell who has accepted
    /// the connection (it has payload, or ends it) and another look shows that.
    pub fn packet_seen(&mut self, waiter: K, may_tell: bool) -> Option<Ownership> {
        let query = self.resolver.packet_seen(waiter).filter(|_| may_tell)?;
        let seen = self.glance.as_mut()?.glance_closer(&query)?;
        self.resolver.glanced(waiter, seen)
    }

    /// Whether a socket still is whose it was, as far as the table of the resolver can tell from
    /// this thread; see [`Glance::confirm`].
    pub fn confirm(
        &mut self,
        query: &SocketQuery,
        known: &Ownership,
        since: SystemTime,
    ) -> Confirmed {
        let glance = self.glance.as_mut();
        glance.map_or(Confirmed::Unknown, |glance| {
            glance.confirm(query, known, since)
        })
    }

    /// Which sockets were closed since this was asked last; see [`Glance::closed`].
    pub fn closed(&mut self) -> Closed {
        let glance = self.glance.as_mut();
        glance.map_or_else(Closed::default, |glance| glance.closed())
    }

    /// Tells that a flow is over; see [`Resolver::end`].
    pub fn ended(&mut self, waiter: K) {
        let mut put_off = self.put_off.iter_mut();
        match put_off.find(|put_off| put_off.waiter == waiter) {
            Some(put_off) => put_off.is_over = true,
            None => self.resolver.end(waiter),
        }
    }

    /// Asks for what was put off and can be asked by now: to be called with each packet, and
    /// when none came within [`patience`](Self::patience).
    pub fn settle(&mut self) -> Vec<(K, Lookup)> {
        self.settle_some(false)
    }

    /// As [`settle`](Self::settle), all of it, when no packet comes any more.
    pub fn settle_all(&mut self) -> Vec<(K, Lookup)> {
        self.settle_some(true)
    }

    fn settle_some(&mut self, all: bool) -> Vec<(K, Lookup)> {
        let Some(glance) = &mut self.glance else {
            return Vec::new();
        };
        let (mut settled, resolver) = (Vec::new(), &self.resolver);
        self.put_off.retain(|put_off| {
            let seen = glance.glance(&put_off.question);
            if seen == Glanced::Later && !all {
                return true;
            }
            let PutOff {
                waiter, question, ..
            } = *put_off;
            let lookup = resolver.lookup_glanced(waiter, question, seen.told());
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
        self.settle_all();
        if let Some(resolver) = Arc::into_inner(self.resolver) {
            resolver.finish();
        }
    }

    /// How long a packet may be waited for before what was put off is to be settled; `None`
    /// if nothing was.
    pub fn patience(&self) -> Option<Duration> {
        (!self.put_off.is_empty()).then_some(SOON)
    }

    /// Whom this one asks.
    pub fn resolver(&self) -> &Arc<Resolver<K>> {
        &self.resolver
    }
}
