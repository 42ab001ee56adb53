//! The simplest way to look up owners: one query, one answer, no threads.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;

use crate::answer::{
    Capabilities, Error, Evidence, Match, Ownership, PortOwners, Protocol, Reason,
    SkippedNamespaces, Snapshot, Socket, SocketId, SocketQuery, Source, TcpInfo,
};
use crate::tables;
use crate::tables::processes;
use crate::tables::{BestTable, SocketTable, TableOptions};

/// Answers queries from a socket table, one at a time.
///
/// It neither caches answers nor repeats lookups; [`Resolver`](crate::Resolver) does both.
pub struct Attributor {
    table: Box<dyn SocketTable>,
    /// Opens another table of the same kind.
    reopen: Option<Reopen>,
    /// The error of the better table, if this one is only a replacement.
    fallback_reason: Option<Error>,
}

/// The parts of an attributor that a resolver takes.
pub(crate) struct Parts {
    pub(crate) table: Box<dyn SocketTable>,
    pub(crate) reopen: Option<Reopen>,
    pub(crate) fallback_reason: Option<Error>,
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
        let opened = Self::from(tables::open_best(&options)?);
        Ok(Self {
            reopen: Some(Box::new(move || tables::best_with(&options))),
            ..opened
        })
    }

    /// Uses the given table.
    pub fn with_table(table: impl SocketTable + 'static) -> Self {
        Self {
            table: Box::new(table),
            reopen: None,
            fallback_reason: None,
        }
    }

    /// Uses the table that a closure opens. A [`Resolver`](crate::Resolver) opens another one after
    /// a panic in the table.
    ///
    /// # Errors
    /// The errors of the closure.
    pub fn with_tables(
        open: impl Fn() -> Result<Box<dyn SocketTable>, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        Ok(Self {
            table: open()?,
            reopen: Some(Box::new(open)),
            fallback_reason: None,
        })
    }

    /// The table in use.
    pub fn source(&self) -> Source {
        self.table.source()
    }

    /// Why the table is a fallback, if it is: the best table of this system could not be
    /// opened.
    pub const fn fallback_reason(&self) -> Option<&Error> {
        self.fallback_reason.as_ref()
    }

    /// What the table in use knows.
    pub fn capabilities(&self) -> Capabilities {
        self.table.capabilities()
    }

    /// The processes that use a port, on any address: every one that listens on it, is bound to it, or
    /// receives datagrams on it. A process that only has a TCP connection from or to that port does not
    /// count.
    ///
    /// Only sockets of this network namespace count. A port that this host forwards to a container has
    /// none here, unless a proxy listens on it. Before you send a signal to a pid, ask
    /// [`Processes::is_running`](crate::Processes::is_running) whether it still is the same process.
    ///
    /// ```
    /// use flowner_attribution::{Attributor, Protocol};
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let port = listener.local_addr()?.port();
    ///
    /// let owners = Attributor::new()?.port_owners(Protocol::Tcp, port)?;
    /// for process in &owners {
    ///     println!("{port} is used by {process}");
    /// }
    /// // Processes that this one may not inspect are not left out: `sudo` would name them.
    /// for socket in owners.unnamed() {
    ///     println!("{port} is in use: {}", socket.owner);
    /// }
    /// # assert_eq!(owners.processes()[0].pid, std::process::id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`SocketTable::snapshot`].
    pub fn port_owners(&mut self, protocol: Protocol, port: u16) -> Result<PortOwners, Error> {
        Ok(self.snapshot()?.port_owners(protocol, port))
    }

    /// The sockets that receive from any remote end, with their owners: TCP listeners, and datagram
    /// sockets that are not connected. (Except on Linux, the portable table does not know which ones are
    /// connected, so this lists all datagram sockets.)
    ///
    /// # Errors
    /// As for [`SocketTable::snapshot`].
    pub fn listeners(&mut self) -> Result<Vec<Socket>, Error> {
        let all = self.snapshot()?.into_iter();
        Ok(all.filter(Socket::is_listener).collect())
    }

    /// The owner of one TCP connection, of which `local` is this host's end.
    ///
    /// If the connection does not exist, the answer is [`Reason::NotFound`], even if a process listens
    /// on that end. Except on Linux, the portable table does not know remote ends: the answer names
    /// every process with *some* connection at that local end, as
    /// [`LocalEndpoint`](crate::Match::LocalEndpoint).
    ///
    /// # Errors
    /// As for [`SocketTable::snapshot`].
    pub fn connection_owner(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<Ownership, Error> {
        let query = SocketQuery::tcp(local, remote);
        if !self.table.capabilities().remote_addresses {
            return Ok(self.snapshot()?.find_connected(&query));
        }
        let found = self.lookup(&query)?;
        let is_it = matches!(found.evidence.matched, None | Some(Match::FiveTuple));
        Ok(if is_it {
            found
        } else {
            let Evidence {
                observed_at,
                source,
                ..
            } = found.evidence;
            Ownership::unknown(Reason::NotFound, observed_at, source)
        })
    }

    /// All sockets that a process holds, alone or with others, including those in other network
    /// namespaces that this process may enter.
    ///
    /// A process that does not exist holds none.
    ///
    /// # Errors
    /// As for [`SocketTable::snapshot`]; on Linux, [`Error::File`] if this process may not inspect the
    /// other one.
    pub fn sockets_of(&mut self, pid: u32) -> Result<Vec<Socket>, Error> {
        let all = self.snapshot_all_namespaces()?;
        let held: Vec<Socket> = all.held_by(pid).cloned().collect();
        if held.is_empty() && all.source() != Source::Scripted {
            processes::holds_can_be_read(pid)?;
        }
        Ok(held)
    }

    /// Looks up the owner of one socket. An answer without an owner says why. For a connection that does
    /// not exist, the answer is about the listener that would accept it;
    /// [`Evidence::matched`](crate::Evidence::matched) shows the difference.
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
    /// those of containers, where this process may enter them. Each socket says
    /// [which one it is in](crate::Socket::namespace). A port may be in use in several.
    ///
    /// # Errors
    /// As for [`SocketTable::snapshot`].
    pub fn snapshot_all_namespaces(&mut self) -> Result<Snapshot, Error> {
        self.table.snapshot_all_namespaces()
    }

    /// The state of TCP connections, such as bytes, queues and round-trip times, by the
    /// [id](crate::Socket::id) of their sockets: of this network namespace, and of the others that the
    /// last [`snapshot_all_namespaces`](Self::snapshot_all_namespaces) has read. Native table of Linux
    /// only; elsewhere there are none.
    ///
    /// # Errors
    /// As for [`SocketTable::snapshot`].
    pub fn tcp_info(&mut self) -> Result<HashMap<SocketId, TcpInfo>, Error> {
        self.table.tcp_info()
    }

    /// The other network namespaces that the last lookup or snapshot skipped, because there are too many.
    /// Their sockets are missing.
    pub fn skipped_namespaces(&self) -> Option<SkippedNamespaces> {
        self.table.skipped_namespaces()
    }

    pub(crate) fn into_parts(self) -> Parts {
        Parts {
            table: self.table,
            reopen: self.reopen,
            fallback_reason: self.fallback_reason,
        }
    }
}

impl From<BestTable> for Attributor {
    fn from(best: BestTable) -> Self {
        Self {
            table: best.table,
            reopen: None,
            fallback_reason: best.fallback_reason,
        }
    }
}

impl fmt::Debug for Attributor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attributor")
            .field("source", &self.source())
            .finish_non_exhaustive()
    }
}
