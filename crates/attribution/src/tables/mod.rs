//! Where the facts come from: one file per interface of an operating system.
//!
//! A backend owes one type that implements [`SocketTable`], with a `new` that
//! fails with [`Error::Unsupported`] where it cannot work:
//!
//! | module | type | where |
//! |---|---|---|
//! | `linux` | `LinuxTable` | Linux |
//! | `portable` | `PortableTable` | wherever the `listeners` crate works; on Linux with the feature `portable` |
//! | [`unsupported`] | `UnsupportedTable` | everywhere: it knows nothing and says so |
//! | `fake` | `FakeTable` | tests (feature `test-util`) |
//!
//! A faster table for one platform is one more file here and one more line in
//! [`best`].

mod best;
pub(crate) mod device_names;
#[cfg(any(test, feature = "test-util"))]
pub mod fake;
#[cfg(target_os = "linux")]
pub mod linux;
#[cfg(any(feature = "portable", not(target_os = "linux")))]
pub mod portable;
pub(crate) mod processes;
pub mod unsupported;

pub use best::{best, best_with, open_best};

use std::fmt;
use std::net::SocketAddr;
use std::time::SystemTime;

use crate::answer::matching::Ends;
use crate::answer::{
    Error, Ownership, Protocol, SkippedNamespaces, Snapshot, SocketId, SocketQuery, Source,
    matching,
};
use crate::policy::Question;

/// What the [best](best_with) table of a system may do beyond the ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TableOptions {
    /// Whether threads that look at whoever sends a first packet take real-time priority: on
    /// Linux `LinuxOptions::realtime`, elsewhere of no meaning. Off by default.
    pub realtime: bool,
}

/// The [best](open_best) table that could be opened.
#[non_exhaustive]
pub struct BestTable {
    /// The table.
    pub table: Box<dyn SocketTable>,
    /// Why it is a lesser one than this system has: the better one could not be opened. On Linux
    /// it is the portable table then (feature `portable`), which names fewer owners.
    pub lesser_because: Option<Error>,
}

impl BestTable {
    /// A table, and why it is a lesser one, if it is.
    pub fn new(table: Box<dyn SocketTable>, lesser_because: Option<Error>) -> Self {
        Self {
            table,
            lesser_because,
        }
    }
}

impl fmt::Debug for BestTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BestTable")
            .field("source", &self.table.source())
            .field("lesser_because", &self.lesser_because)
            .finish()
    }
}

/// A source of facts about sockets, the only part that differs by platform.
pub trait SocketTable: Send {
    /// The name that evidence carries.
    fn source(&self) -> Source;

    /// Reads all sockets of the network namespace that is asked in, with their owners.
    ///
    /// # Errors
    /// When the operating system refuses its list, or has none that is known here.
    fn snapshot(&mut self) -> Result<Snapshot, Error>;

    /// As [`snapshot`](Self::snapshot), with the sockets of all other network namespaces that
    /// may be entered: each says [which one it is in](crate::Socket::namespace). By default, there
    /// are none.
    ///
    /// # Errors
    /// As for [`snapshot`](Self::snapshot).
    fn snapshot_all_namespaces(&mut self) -> Result<Snapshot, Error> {
        self.snapshot()
    }

    /// Looks up one socket; by default through [`snapshot`](Self::snapshot).
    ///
    /// A question without an answer is no error: its verdict is
    /// [`Unknown`](crate::Verdict::Unknown).
    ///
    /// # Errors
    /// As for [`snapshot`](Self::snapshot).
    fn find(&mut self, query: &SocketQuery) -> Result<Ownership, Error> {
        Ok(self.snapshot()?.find(query))
    }

    /// Looks up several sockets, which may share what is read for them. Each has a result of
    /// its own, in the order of the queries: where one lookup fails, the others have answers.
    ///
    /// # Errors
    /// For each query as for [`snapshot`](Self::snapshot).
    fn find_each(&mut self, queries: &[SocketQuery]) -> Vec<Result<Ownership, Error>> {
        queries.iter().map(|query| self.find(query)).collect()
    }

    /// A faster and less thorough way to ask, for another thread; `None` where there
    /// is none. May look at everything once, so that glances need not.
    fn glance(&mut self) -> Option<Box<dyn Glance>> {
        None
    }

    /// To be called when no question has come for a while: lets go of what the system
    /// would keep for this table otherwise, such as networks of containers that have
    /// ended.
    fn rest(&mut self) {}

    /// Which other network namespaces the last search did not look into, as there are too many.
    /// By default, none.
    fn skipped_namespaces(&self) -> Option<SkippedNamespaces> {
        None
    }

    /// Whether sockets carry their remote end, so that a connection can be told
    /// from its listener.
    fn tells_remotes(&self) -> bool {
        false
    }

    /// Whether addresses that are not this host's own are told from those that are: a
    /// question about one of a container is not answered with what the host has there.
    fn tells_networks(&self) -> bool {
        false
    }

    /// Whether the answer depends on the remote end also where the socket that is found is
    /// connected to nobody, as this host may translate some of its packets: no answer then
    /// serves another flow. By default, only where [networks](Self::tells_networks) are told.
    fn tells_translations(&self) -> bool {
        self.tells_networks()
    }

    /// Whether [`find`](Self::find) asks the system for one socket only, so that
    /// several questions are cheaper one by one than through a snapshot.
    fn finds_exactly(&self) -> bool {
        false
    }
}

/// A look at one socket that takes microseconds, while it and its owner are still
/// there: made by the thread that sees the first packet of a flow, before it takes the
/// next one.
pub trait Glance: Send + fmt::Debug {
    /// To be called once, on the thread that will glance: gives it precedence over
    /// others where the system permits that, and starts what helps it.
    fn prepare(&mut self) {}

    /// Who owns the socket as far as can be told at once, by no look before the packet was
    /// seen; but who holds a listener may be known from 10 ms before. What is told may be
    /// incomplete, and is to be confirmed by [`SocketTable::find`].
    fn glance(&mut self, question: &Question) -> Glanced;

    /// As [`glance`](Self::glance), for a connection of which only the listener was
    /// seen: who has accepted it, if anybody has.
    fn glance_closer(&mut self, query: &SocketQuery) -> Option<Ownership>;

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

/// What [`Glance::confirm`] tells.
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

/// What [`Glance::closed`] tells.
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

/// What a [`Glance`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Glanced {
    /// Who it is, as far as can be told at once.
    Told(Ownership),
    /// Nothing could be told.
    Nothing,
    /// Somebody is looking at this very socket already: to be asked again with the next
    /// packet, or in a millisecond. It is not said once more after that.
    Later,
}

impl Glanced {
    /// Who it is, if anything was told.
    pub fn told(self) -> Option<Ownership> {
        match self {
            Self::Told(told) => Some(told),
            Self::Nothing | Self::Later => None,
        }
    }
}

impl From<Option<Ownership>> for Glanced {
    fn from(told: Option<Ownership>) -> Self {
        told.map_or(Self::Nothing, Self::Told)
    }
}
