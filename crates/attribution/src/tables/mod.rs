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
pub(crate) mod fast_lookup;
#[cfg(target_os = "linux")]
pub mod linux;
#[cfg(any(feature = "portable", not(target_os = "linux")))]
pub mod portable;
pub(crate) mod processes;
pub mod unsupported;

pub use best::{best, best_with, open_best};

use std::fmt;

use crate::answer::{
    Capabilities, Error, Ownership, SkippedNamespaces, Snapshot, SocketQuery, Source,
};
use fast_lookup::FastLookup;

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
    /// is none. May look at everything once, so that fast lookups need not.
    fn fast_lookup(&mut self) -> Option<Box<dyn FastLookup>> {
        None
    }

    /// Closes what the table keeps open for the next lookup, so that the system can remove it, such
    /// as the network namespace of a container that has ended. A [`Resolver`](crate::Resolver) calls
    /// this when no lookup has come for a while. By default, does nothing.
    fn release_idle(&mut self) {}

    /// Which other network namespaces the last search did not look into, as there are too many.
    /// By default, none.
    fn skipped_namespaces(&self) -> Option<SkippedNamespaces> {
        None
    }

    /// What this table can tell. By default, nothing beyond local ends and owners.
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }
}
