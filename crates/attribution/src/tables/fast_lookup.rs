//! Lookups that take microseconds, and what is confirmed by them: the contract.

use std::fmt;
use std::net::SocketAddr;
use std::time::SystemTime;

use crate::answer::matching::Ends;
use crate::answer::{Ownership, Protocol, SocketId, SocketQuery, matching};
use crate::policy::LookupRequest;

/// A look at one socket that takes microseconds, while it and its owner are still
/// there: made by the thread that sees the first packet of a flow, before it takes the
/// next one.
pub trait FastLookup: Send + fmt::Debug {
    /// To be called once, on the thread that will look up: gives it precedence over
    /// others where the system permits that, and starts what helps it.
    fn init_thread(&mut self) {}

    /// Who owns the socket as far as can be told at once, by no look before the packet was
    /// seen; but who holds a listener may be known from 10 ms before. What is told may be
    /// incomplete, and is to be confirmed by [`SocketTable::find`](crate::SocketTable::find).
    fn lookup(&mut self, question: &LookupRequest) -> FastResult;

    /// As [`lookup`](Self::lookup), for a connection of which only the listener was
    /// seen: who has accepted it, if anybody has.
    fn lookup_accepted(&mut self, query: &SocketQuery) -> Option<Ownership>;

    /// Whether a socket that was found for a query still serves it, and the processes that were
    /// named for it still have it and execute what they did: a few microseconds where nothing
    /// has changed, within a budget of time. A process that was started lately and has the socket
    /// beside them counts as a change.
    ///
    /// Evidence from before `since`, wall-clock time, is not used: what was sent until then is
    /// confirmed. By default, and for an answer without [`SocketId`], [`Confirmed::Unknown`].
    fn confirm(&mut self, query: &SocketQuery, known: &Ownership, since: SystemTime) -> Confirmed {
        let _ = (query, known, since);
        Confirmed::Unknown
    }

    /// Which sockets the system says were closed, since this was asked last. By default it says
    /// nothing of that.
    fn closed(&mut self) -> Closed {
        Closed::default()
    }
}

/// What [`FastLookup::confirm`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Confirmed {
    /// All is as it was: the same socket, or another one of the same processes.
    Same,
    /// Another socket is in its place, or somebody who was named does not have it any more.
    Changed,
    /// The socket of datagrams is gone, and no other one is in its place.
    Gone,
    /// The connection is over, or its owner has closed it: nothing says who had it last.
    Closed,
    /// The table cannot tell, or too many processes may have it. Another time says no more.
    Unknown,
    /// It was not found out: there was no time left for it, or it failed. Another time may tell.
    Unanswered,
}

/// What [`FastLookup::closed`] tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Closed {
    /// The sockets. Linux tells those of UDP: a connection begins with a SYN, whatever was there
    /// before.
    pub sockets: Vec<ClosedSocket>,
    /// Others were closed, too, and which ones is not known: nothing is confirmed any more.
    pub is_incomplete: bool,
}

/// A datagram socket that was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClosedSocket {
    /// Which one it was.
    pub id: SocketId,
    /// A wall-clock time at which it was closed already.
    pub at: SystemTime,
    /// The ends that it had, where they are known.
    ends: Option<Ends>,
}

impl ClosedSocket {
    /// A socket of which the ends are not known: it may have served nobody.
    pub const fn new(id: SocketId, at: SystemTime) -> Self {
        let ends = None;
        Self { id, at, ends }
    }

    /// The same with its ends: a local address without a port of 0, unspecified if it was bound
    /// to all addresses, and the end that it was connected to.
    #[must_use]
    pub fn with_ends(self, local: SocketAddr, remote: Option<SocketAddr>) -> Self {
        self.between(Ends {
            protocol: Protocol::Udp,
            local: crate::answer::query::normalize(local),
            remote: remote.map(crate::answer::query::normalize),
            v6_only: false,
            device: None,
        })
    }

    pub(crate) const fn between(self, ends: Ends) -> Self {
        let ends = Some(ends);
        Self { ends, ..self }
    }

    /// The local port that it had, where that is known.
    pub fn port(&self) -> Option<u16> {
        self.ends.map(|ends| ends.local.port())
    }

    /// Whether it may have sent or received what a question is about, while it was open.
    pub fn may_have_served(&self, query: &SocketQuery) -> bool {
        self.ends.is_some_and(|ends| {
            let devices = ends.device.zip(query.device_or_scope());
            matching::is_fit(query, &ends) && devices.is_none_or(|(its, seen)| its == seen)
        })
    }
}

/// What a [`FastLookup`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FastResult {
    /// Who it is, as far as can be told at once.
    Found(Ownership),
    /// Nothing could be told.
    NotFound,
    /// Somebody is looking at this very socket already: to be asked again with the next
    /// packet, or in a millisecond. It is not said once more after that.
    Pending,
}

impl FastResult {
    /// Who it is, if anything was told.
    pub fn ownership(self) -> Option<Ownership> {
        match self {
            Self::Found(told) => Some(told),
            Self::NotFound | Self::Pending => None,
        }
    }
}

impl From<Option<Ownership>> for FastResult {
    fn from(told: Option<Ownership>) -> Self {
        told.map_or(Self::NotFound, Self::Found)
    }
}
