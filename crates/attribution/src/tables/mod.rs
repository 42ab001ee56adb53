//! Socket tables: the sources of facts.
//!
//! Each table is a type that implements [`SocketTable`]:
//!
//! | module | type | where |
//! |---|---|---|
//! | `linux` | `LinuxTable` | Linux |
//! | `portable` | `PortableTable` | wherever the `listeners` crate works; on Linux with the feature `portable` |
//! | [`unsupported`] | `UnsupportedTable` | everywhere: it knows nothing and reports that |
//! | `fake` | `FakeTable` | tests (feature `test-util`) |
//!
//! A native table for another platform is one more directory here and one more line in [`best`].

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
pub(crate) mod users;

pub use best::{best, best_with, open_best};

use std::collections::HashMap;
use std::fmt;

use crate::answer::{
    Capabilities, Error, Ownership, SkippedNamespaces, Snapshot, SocketId, SocketQuery, Source,
    TcpInfo,
};
use crate::observers::Observer;
use fast_lookup::FastLookup;

/// Options of the [best](best_with) table of a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TableOptions {
    /// Whether the send watchers run with real-time priority, as `LinuxOptions::realtime` says. Linux
    /// only. Off by default.
    pub realtime: bool,
}

/// The [best](open_best) table that could be opened.
#[non_exhaustive]
pub struct BestTable {
    /// The table.
    pub table: Box<dyn SocketTable>,
    /// Why the better table of this system could not be opened, if it could not. On Linux, `table`
    /// is the portable one then (feature `portable`), which names fewer owners.
    pub fallback_reason: Option<Error>,
}

impl BestTable {
    /// A table, with the error of the better one if this is only a replacement.
    pub fn new(table: Box<dyn SocketTable>, fallback_reason: Option<Error>) -> Self {
        Self {
            table,
            fallback_reason,
        }
    }
}

impl fmt::Debug for BestTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BestTable")
            .field("source", &self.table.source())
            .field("fallback_reason", &self.fallback_reason)
            .finish()
    }
}

/// A source of facts about sockets and their owners. Each platform has its own.
pub trait SocketTable: Send {
    /// The source that the evidence of answers names.
    fn source(&self) -> Source;

    /// Reads all sockets of the network namespace that the table was opened in, with their owners.
    ///
    /// # Errors
    /// If the operating system does not list its sockets, or no table supports it.
    fn snapshot(&mut self) -> Result<Snapshot, Error>;

    /// As [`snapshot`](Self::snapshot), with the sockets of all other network namespaces that this
    /// process may enter. Each socket says [which one it is in](crate::Socket::namespace). By default,
    /// there are no others.
    ///
    /// # Errors
    /// As for [`snapshot`](Self::snapshot).
    fn snapshot_all_namespaces(&mut self) -> Result<Snapshot, Error> {
        self.snapshot()
    }

    /// The state of TCP connections, such as bytes, queues and round-trip times, of all network
    /// namespaces that the last snapshot has read. Nothing else pays for it. By default, none.
    ///
    /// # Errors
    /// As for [`snapshot`](Self::snapshot).
    fn tcp_info(&mut self) -> Result<HashMap<SocketId, TcpInfo>, Error> {
        Ok(HashMap::new())
    }

    /// Looks up one socket; by default through [`snapshot`](Self::snapshot).
    ///
    /// If no socket matches, that is no error: the verdict is
    /// [`Unknown`](crate::Verdict::Unknown).
    ///
    /// # Errors
    /// As for [`snapshot`](Self::snapshot).
    fn find(&mut self, query: &SocketQuery) -> Result<Ownership, Error> {
        Ok(self.snapshot()?.find(query))
    }

    /// Looks up several sockets, which may share what the table reads for them. Returns a result for
    /// each query, in their order: if one lookup fails, the others still have answers.
    ///
    /// # Errors
    /// For each query as for [`snapshot`](Self::snapshot).
    fn find_each(&mut self, queries: &[SocketQuery]) -> Vec<Result<Ownership, Error>> {
        queries.iter().map(|query| self.find(query)).collect()
    }

    /// Fast lookups for another thread, which are less thorough; `None` if the table has none. This
    /// call may read everything once, so that fast lookups need not.
    fn fast_lookup(&mut self) -> Option<Box<dyn FastLookup>> {
        None
    }

    /// The observer that pushes evidence about its sockets; `None` if there is none. Call this
    /// after [`fast_lookup`](Self::fast_lookup).
    fn observer(&mut self) -> Option<Box<dyn Observer>> {
        None
    }

    /// Closes what the table keeps open for the next lookup, so that the system can remove it, such
    /// as the network namespace of a container that has ended. A [`Resolver`](crate::Resolver) calls
    /// this when no lookup has come for a while. By default, does nothing.
    fn release_idle(&mut self) {}

    /// The other network namespaces that the last search skipped, because there are too many. By
    /// default, none.
    fn skipped_namespaces(&self) -> Option<SkippedNamespaces> {
        None
    }

    /// What this table knows. By default, nothing but local ends and owners.
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }
}
