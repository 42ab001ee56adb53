//! Linux: `sock_diag` for sockets, `/proc` for their holders.
//!
//! The kernel is asked for one socket by its five-tuple, and tells inode and user at
//! once; the inode leads to the processes that hold it. See `diag`, `holders` and
//! `facts` for each half.

mod diag;
mod facts;
mod holders;
mod message;
mod options;
mod stat;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use diag::Diag;
use holders::Holders;
use message::DiagSocket;
pub use options::LinuxOptions;

use crate::matching::{self, Finding};
use crate::query::normalize;
use crate::{
    Error, Evidence, Ownership, Process, Protocol, Reason, Snapshot, Socket, SocketQuery,
    SocketState, SocketTable, Source, Verdict,
};

/// The native table of Linux.
#[derive(Debug)]
pub struct LinuxTable {
    diag: Diag,
    holders: Holders,
}

impl LinuxTable {
    /// The table, where `sock_diag` answers and `/proc` is there.
    ///
    /// # Errors
    /// [`Error::Sockets`] elsewhere.
    pub fn new() -> Result<Self, Error> {
        Self::with_options(&LinuxOptions::default())
    }

    /// The table, with only some of the kernel's interfaces.
    ///
    /// # Errors
    /// [`Error::Sockets`] where even those are not there.
    pub fn with_options(options: &LinuxOptions) -> Result<Self, Error> {
        let holders = Holders::open(options);
        Ok(Self {
            diag: Diag::open().map_err(|error| failed("sock_diag", &error))?,
            holders: holders.map_err(|error| failed("/proc", &error))?,
        })
    }

    /// The socket that carries what goes between the two ends, with its owner.
    fn connection(
        &mut self,
        query: &SocketQuery,
        remote: SocketAddr,
    ) -> std::io::Result<Option<Socket>> {
        let (protocol, local) = (query.protocol(), query.local());
        let Some(found) = self.diag.exact(protocol, local, remote)? else {
            return Ok(None);
        };
        if found.inode != 0 {
            let owner = self.owner(&found);
            return Ok(Some(socket(protocol, &found, owner)));
        }
        if !may_be_unaccepted(found.state) {
            let gone = Verdict::Unknown(Reason::Gone);
            return Ok(Some(socket(protocol, &found, gone)));
        }
        // Nobody has it yet. Whoever listens will; better evidence may come.
        let listener = self.diag.unconnected(protocol, local)?;
        Ok(listener
            .filter(|listener| listener.inode != 0)
            .map(|listener| {
                let owner = self.owner(&listener);
                socket(protocol, &listener, owner)
            }))
    }

    fn owner(&mut self, found: &DiagSocket) -> Verdict {
        let processes = self.holders.of(found.inode);
        self.verdict(processes, found.uid)
    }

    fn verdict(&mut self, mut processes: Vec<Arc<Process>>, uid: u32) -> Verdict {
        match processes.len() {
            0 => Verdict::Partial {
                user: Some(self.holders.user(uid)),
                unit: None,
            },
            1 => Verdict::Process(processes.swap_remove(0)),
            _ => Verdict::Shared(processes),
        }
    }

    fn all_sockets(&mut self) -> std::io::Result<Vec<Socket>> {
        let mut listed = Vec::new();
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let sockets = self.diag.dump(protocol)?;
            listed.extend(sockets.into_iter().map(|found| (protocol, found)));
        }
        // After the list, so that whoever holds a socket of it is seen.
        self.holders.refresh();
        let mut sockets = Vec::with_capacity(listed.len());
        for (protocol, found) in listed {
            let owner = match found.inode {
                0 => Verdict::Unknown(Reason::Gone),
                inode => {
                    let holders = self.holders.known(inode);
                    self.verdict(holders, found.uid)
                }
            };
            sockets.push(socket(protocol, &found, owner));
        }
        infer_unaccepted(&mut sockets);
        Ok(sockets)
    }
}

impl SocketTable for LinuxTable {
    fn source(&self) -> Source {
        Source::SockDiag
    }

    fn snapshot(&mut self) -> Result<Snapshot, Error> {
        let started_at = SystemTime::now();
        let sockets = self
            .all_sockets()
            .map_err(|error| failed("sock_diag", &error))?;
        Ok(Snapshot::new(
            Source::SockDiag,
            started_at,
            SystemTime::now(),
            sockets,
        ))
    }

    fn find(&mut self, query: &SocketQuery) -> Result<Ownership, Error> {
        let Some(remote) = query.remote() else {
            return Ok(self.snapshot()?.find(query));
        };
        let observed_at = SystemTime::now();
        let found = self
            .connection(query, remote)
            .map_err(|error| failed("sock_diag", &error))?;
        let finding = found.and_then(|socket| matching::best(query, [&socket]));
        let (verdict, matched) = match finding {
            Some(Finding { verdict, matched }) => (verdict, Some(matched)),
            None => (Verdict::Unknown(Reason::NotFound), None),
        };
        Ok(Ownership {
            verdict,
            evidence: Evidence {
                matched,
                observed_at,
                source: Source::SockDiag,
            },
        })
    }

    fn tells_remotes(&self) -> bool {
        true
    }

    fn finds_exactly(&self) -> bool {
        true
    }
}

/// A connection that the kernel has made and nobody has accepted: it has no inode
/// yet. In any other state, an inode of 0 means that its owner has closed it.
const fn may_be_unaccepted(state: Option<SocketState>) -> bool {
    matches!(
        state,
        Some(SocketState::SynReceived | SocketState::Established | SocketState::CloseWait)
    )
}

/// Connections that wait to be accepted are their listener's.
fn infer_unaccepted(sockets: &mut [Socket]) {
    let is_waiting = |socket: &Socket| {
        socket.owner == Verdict::Unknown(Reason::Gone) && may_be_unaccepted(socket.state)
    };
    let listeners: Vec<Socket> = sockets
        .iter()
        .filter(|socket| socket.state == Some(SocketState::Listen))
        .cloned()
        .collect();
    for waiting in sockets.iter_mut().filter(|socket| is_waiting(socket)) {
        let query = SocketQuery::new(waiting.protocol, waiting.local, None);
        if let Some(finding) = matching::best(&query, &listeners) {
            waiting.owner = finding.verdict;
        }
    }
}

fn socket(protocol: Protocol, found: &DiagSocket, owner: Verdict) -> Socket {
    Socket {
        protocol,
        local: normalize(found.local),
        remote: found.remote.map(normalize),
        state: found.state,
        v6_only: found.v6_only,
        owner,
    }
}

fn failed(what: &str, error: &std::io::Error) -> Error {
    Error::Sockets {
        message: format!("{what}: {error}"),
    }
}
