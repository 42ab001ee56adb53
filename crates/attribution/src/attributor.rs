//! The simplest way to ask: one question, one answer, no threads.

use std::fmt;

use crate::snapshot::{self, SocketTable, TableOptions};
use crate::{Error, Ownership, Snapshot, SocketQuery, Source};

/// Answers questions from a socket table, one at a time.
///
/// It neither caches nor retries; [`Service`](crate::Service) does.
pub struct Attributor {
    table: Box<dyn SocketTable>,
    /// How another table of the same kind is opened.
    reopen: Option<Reopen>,
}

/// Opens a socket table.
pub(crate) type Reopen = Box<dyn Fn() -> Result<Box<dyn SocketTable>, Error> + Send>;

impl Attributor {
    /// Uses the best socket table that this operating system offers.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where none works.
    pub fn new() -> Result<Self, Error> {
        Self::with_options(TableOptions::default())
    }

    /// As [`new`](Self::new), with options.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_options(options: TableOptions) -> Result<Self, Error> {
        Self::with_tables(move || snapshot::best_with(&options))
    }

    /// Uses a given table.
    pub fn with_table(table: impl SocketTable + 'static) -> Self {
        Self {
            table: Box::new(table),
            reopen: None,
        }
    }

    /// Uses the table that a closure opens. A [`Service`](crate::Service) opens another one
    /// when a table has panicked.
    ///
    /// # Errors
    /// What the closure returns.
    pub fn with_tables(
        open: impl Fn() -> Result<Box<dyn SocketTable>, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        Ok(Self {
            table: open()?,
            reopen: Some(Box::new(open)),
        })
    }

    /// The table in use.
    pub fn source(&self) -> Source {
        self.table.source()
    }

    /// Whether questions about addresses that are not this host's own, such as those of
    /// containers, make sense; see [`SocketTable::tells_networks`].
    pub fn tells_networks(&self) -> bool {
        self.table.tells_networks()
    }

    /// Asks who owns one socket. That nobody can be named is an answer too, with
    /// the reason in it. A question about a connection that does not exist is answered with the
    /// listener that would take it; [`Evidence::matched`](crate::Evidence::matched) tells the
    /// two apart.
    ///
    /// # Errors
    /// As for [`SocketTable::snapshot`].
    pub fn lookup(&mut self, query: &SocketQuery) -> Result<Ownership, Error> {
        self.table.find(query)
    }

    /// Reads all sockets of this network namespace with their owners.
    ///
    /// # Errors
    /// As for [`SocketTable::snapshot`].
    pub fn snapshot(&mut self) -> Result<Snapshot, Error> {
        self.table.snapshot()
    }

    /// As [`snapshot`](Self::snapshot), with the sockets of other network namespaces, such as
    /// those of containers, where they may be entered; each says
    /// [which one it is in](crate::Socket::namespace). A port may be in use in several.
    ///
    /// # Errors
    /// As for [`SocketTable::snapshot`].
    pub fn snapshot_all_namespaces(&mut self) -> Result<Snapshot, Error> {
        self.table.snapshot_all_namespaces()
    }

    pub(crate) fn into_parts(self) -> (Box<dyn SocketTable>, Option<Reopen>) {
        (self.table, self.reopen)
    }
}

impl fmt::Debug for Attributor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attributor")
            .field("source", &self.source())
            .finish_non_exhaustive()
    }
}
