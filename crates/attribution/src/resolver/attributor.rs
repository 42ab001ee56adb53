//! The simplest way to ask: one question, one answer, no threads.

use std::fmt;
use std::net::SocketAddr;

use crate::answer::{
    Capabilities, Error, Evidence, Match, Ownership, PortOwners, Protocol, Reason,
    SkippedNamespaces, Snapshot, Socket, SocketQuery, Source,
};
use crate::tables;
use crate::tables::processes;
use crate::tables::{BestTable, SocketTable, TableOptions};

/// Answers questions from a socket table, one at a time.
///
/// It neither caches nor retries; [`Resolver`](crate::Resolver) does.
pub struct Attributor {
    table: Box<dyn SocketTable>,
    /// How another table of the same kind is opened.
    reopen: Option<Reopen>,
    /// Why it is a lesser table than this system has.
    lesser_because: Option<Error>,
}

/// What a resolver takes of an attributor.
pub(crate) struct Parts {
    pub(crate) table: Box<dyn SocketTable>,
    pub(crate) reopen: Option<Reopen>,
    pub(crate) lesser_because: Option<Error>,
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

    /// Uses a given table.
    pub fn with_table(table: impl SocketTable + 'static) -> Self {
        Self {
            table: Box::new(table),
            reopen: None,
            lesser_because: None,
        }
    }

    /// Uses the table that a closure opens. A [`Resolver`](crate::Resolver) opens another one
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
            lesser_because: None,
        })
    }

    /// The table in use.
    pub fn source(&self) -> Source {
        self.table.source()
    }

    /// Why a lesser table is used than this system has, if so: the better one could not be opened.
    pub const fn lesser_because(&self) -> Option<&Error> {
        self.lesser_because.as_ref()
    }

    /// What the table in use can tell.
    pub fn capabilities(&self) -> Capabilities {
        self.table.capabilities()
    }

    /// Who uses a port, on any address: every process that listens there, is bound to it, or takes
    /// datagrams there. Who only has a TCP connection from or to that port does not count.
    ///
    /// Sockets of this network namespace count. A port that this host forwards to a container has
    /// none here, unless a proxy listens for it. Before a pid is sent a signal,
    /// [`Processes::is_running`](crate::Processes::is_running) says whether it still is the same
    /// process.
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
    /// // What may not be inspected is not left out: `sudo` would name it.
    /// for socket in owners.unnamed() {
    ///     println!("{port} is used by somebody else: {}", socket.owner);
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

    /// The sockets that take what comes from anybody, with their owners: TCP listeners, and
    /// datagram sockets that are connected to nobody. (The portable table does not know which
    /// are connected: there, all datagram sockets are listed.)
    ///
    /// # Errors
    /// As for [`SocketTable::snapshot`].
    pub fn listeners(&mut self) -> Result<Vec<Socket>, Error> {
        let all = self.snapshot()?.into_iter();
        Ok(all.filter(Socket::is_listener).collect())
    }

    /// The owner of one TCP connection, of which `local` is this host's end.
    ///
    /// Nobody is named for a connection that does not exist, also where somebody listens at
    /// that end ([`Reason::NotFound`]). The portable table does not know remote ends: whoever has
    /// *some* connection at that local end is named, as
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

    /// All sockets that a process holds, alone or with others, also those in other network
    /// namespaces that may be entered.
    ///
    /// A process that is not there holds none.
    ///
    /// # Errors
    /// As for [`SocketTable::snapshot`]; on Linux, [`Error::File`] where it may not be known what
    /// the process holds, as it is another user's.
    pub fn sockets_of(&mut self, pid: u32) -> Result<Vec<Socket>, Error> {
        let all = self.snapshot_all_namespaces()?;
        let held: Vec<Socket> = all.held_by(pid).cloned().collect();
        if held.is_empty() && all.source() != Source::Scripted {
            processes::holds_can_be_read(pid)?;
        }
        Ok(held)
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

    /// Which other network namespaces were not looked into by the last question or snapshot, as
    /// there are too many: their sockets are missing.
    pub fn skipped_namespaces(&self) -> Option<SkippedNamespaces> {
        self.table.skipped_namespaces()
    }

    pub(crate) fn into_parts(self) -> Parts {
        Parts {
            table: self.table,
            reopen: self.reopen,
            lesser_because: self.lesser_because,
        }
    }
}

impl From<BestTable> for Attributor {
    fn from(best: BestTable) -> Self {
        Self {
            table: best.table,
            reopen: None,
            lesser_because: best.lesser_because,
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
