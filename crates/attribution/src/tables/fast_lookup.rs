//! The contract of lookups that take microseconds.

use std::fmt;
use std::net::SocketAddr;
use std::time::SystemTime;

use crate::answer::matching::Ends;
use crate::answer::{Ownership, Protocol, SocketId, SocketQuery, matching};
use crate::policy::LookupRequest;

/// Lookups of one socket that take microseconds. The thread that captures the first packet of a flow
/// makes one before it takes the next packet, while the socket and its owner still exist.
pub trait FastLookup: Send + fmt::Debug {
    /// Call this once, on the thread that will look up owners. It starts the watch behind
    /// [`closed`](Self::closed), and raises the scheduling priority of the thread where the system
    /// permits that (nice -20 on Linux). The thread keeps the priority, even after the last lookup.
    /// Threads and processes that it starts inherit it.
    fn init_thread(&mut self) {}

    /// The owner of the socket, as far as microseconds show it. The evidence is not older than the
    /// packet, except that the holders of a listener may be from 5 ms before. The answer may be
    /// incomplete: [`SocketTable::find`](crate::SocketTable::find) confirms it.
    fn lookup(&mut self, question: &LookupRequest) -> FastResult;

    /// As [`lookup`](Self::lookup), for a connection of which a lookup found only the listener: the
    /// process that has accepted it, if one has.
    fn lookup_accepted(&mut self, query: &SocketQuery) -> Option<Ownership>;

    /// Whether the socket of an answer still serves the query, and whether the processes in the answer
    /// still hold it and execute the same programs. This takes a few microseconds if nothing has
    /// changed, and stays within a time budget. A new process that holds the socket, too, counts as a
    /// change.
    ///
    /// Another process that was there before and holds the socket, too, is found by searches of all
    /// processes, which a thread makes behind this: see [`Confirmed::Held`]. No search is made before
    /// [`init_thread`](Self::init_thread).
    ///
    /// The evidence is not older than `since`, a wall-clock time, so the answer covers all packets until
    /// then. By default, and for an answer without [`SocketId`], [`Confirmed::Unknown`].
    fn confirm(&mut self, query: &SocketQuery, known: &Ownership, since: SystemTime) -> Confirmed {
        let _ = (query, known, since);
        Confirmed::Unknown
    }

    /// The sockets that the system has reported as closed since the last call, and the processes that it
    /// has reported to execute programs. By default, none.
    fn closed(&mut self) -> Closed {
        Closed::default()
    }

    /// The same when no call follows: including what the system has reported a moment ago.
    fn closed_at_last(&mut self) -> Closed {
        self.closed()
    }
}

/// The result of [`FastLookup::confirm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Confirmed {
    /// Nothing has changed: it is the same socket, or another one of the same processes.
    Same,
    /// The same, except that no search for further holders of the socket has begun since the packets.
    /// Another call finds more when the next one has been made. On Linux, one begins at most 100 ms
    /// after the last one, or later on a host with so many processes or descriptors that searches take
    /// more than 3 ms.
    Held {
        /// The wall-clock time of the last search: what was sent until then is confirmed. The start of
        /// the Unix epoch if none has been made.
        alone_at: SystemTime,
    },
    /// Another process, which was there before the answer, holds the socket, too, or has held it
    /// since. It may have sent whatever no [search](Self::Held) has confirmed.
    Shared,
    /// Another socket is in its place, or a process in the answer does not hold it any more.
    Changed,
    /// The socket of datagrams is gone, and no other one is in its place.
    Gone,
    /// The connection has ended, or its owner has closed it: no interface shows its last holder.
    Closed,
    /// The table cannot know, or too many processes may hold it. Another call finds no more.
    Unknown,
    /// The time budget was used up, or the lookup failed. Another call may find more.
    Unanswered,
}

/// The result of [`FastLookup::closed`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Closed {
    /// The sockets. Linux reports those of UDP. (A TCP connection begins with a SYN, so that it needs no
    /// such report.)
    pub sockets: Vec<ClosedSocket>,
    /// Processes that have executed a program since. Linux only, in the first namespaces.
    pub executed: Vec<Executed>,
    /// The system closed more sockets, or processes executed more programs, without reporting them: every
    /// owner needs a new confirmation.
    pub is_incomplete: bool,
}

/// A process that has executed a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Executed {
    /// Its id.
    pub pid: u32,
    /// The wall-clock time at which it did: what it sent before is of another program than what it has
    /// sent since.
    pub at: SystemTime,
}

impl Executed {
    /// That process, at that time.
    pub const fn new(pid: u32, at: SystemTime) -> Self {
        Self { pid, at }
    }
}

/// A closed datagram socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClosedSocket {
    /// The identity of the socket.
    pub id: SocketId,
    /// A wall-clock time at which it was already closed.
    pub at: SystemTime,
    /// The ends of the socket, if known.
    ends: Option<Ends>,
}

impl ClosedSocket {
    /// A socket whose ends are unknown, so that it matches no query.
    pub const fn new(id: SocketId, at: SystemTime) -> Self {
        let ends = None;
        Self { id, at, ends }
    }

    /// The same with its ends: the local one, with an unspecified address if it was bound to all
    /// addresses, and the one that it was connected to. The local port is not 0.
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

    /// Its local port, if that is known.
    pub fn port(&self) -> Option<u16> {
        self.ends.map(|ends| ends.local.port())
    }

    /// Whether it may have sent or received the packets of a query while it was open.
    pub fn may_have_served(&self, query: &SocketQuery) -> bool {
        self.ends.is_some_and(|ends| {
            let devices = ends.device.zip(query.device_or_scope());
            matching::is_fit(query, &ends) && devices.is_none_or(|(its, seen)| its == seen)
        })
    }
}

/// The result of a [`FastLookup`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(
    clippy::large_enum_variant,
    reason = "it is returned, and never kept in numbers"
)]
pub enum FastResult {
    /// The owner, as far as microseconds show it.
    Found(Ownership),
    /// The fast lookup found nothing.
    NotFound,
}

impl FastResult {
    /// The owner, if the fast lookup found one.
    pub fn ownership(self) -> Option<Ownership> {
        match self {
            Self::Found(ownership) => Some(ownership),
            Self::NotFound => None,
        }
    }
}

impl From<Option<Ownership>> for FastResult {
    fn from(ownership: Option<Ownership>) -> Self {
        ownership.map_or(Self::NotFound, Self::Found)
    }
}
