//! Linux: `sock_diag` for sockets, `/proc` for their holders.
//!
//! The kernel is asked for one socket by its five-tuple, and tells inode and user at
//! once; the inode leads to the processes that hold it. See `sockets` and `holders` for
//! each half.

mod diag;
mod facts;
mod frame;
mod glance;
mod holders;
mod index;
mod message;
mod netlink;
mod options;
mod proc;
mod proc_net;
mod sockets;
mod source;
mod stat;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use glance::LinuxGlance;
use holders::Holders;
use index::Count;
use message::{DiagSocket, Which};
pub use options::LinuxOptions;
use proc::Scratch;
use sockets::Candidates;
use source::Sockets;

use super::Glance;
use crate::matching::{self, distinct};
use crate::{
    Error, Evidence, Match, Ownership, Process, Protocol, Reason, Snapshot, Socket, SocketQuery,
    SocketState, SocketTable, Source, Verdict,
};

/// The native table of Linux.
#[derive(Debug)]
pub struct LinuxTable {
    sockets: Sockets,
    holders: Arc<Holders>,
    scratch: Scratch,
    options: LinuxOptions,
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
        let holders = Holders::open(options).map_err(|error| failed("/proc", &error))?;
        let sockets = Sockets::open(holders.proc(), options.sock_diag);
        Ok(Self {
            sockets: sockets.map_err(|error| failed("/proc/net", &error))?,
            holders: Arc::new(holders),
            scratch: Scratch::default(),
            options: options.clone(),
        })
    }

    /// Answers a question; looks that began after `asked` are not repeated for it.
    fn answer(&mut self, query: &SocketQuery, asked: Instant) -> Result<Ownership, Error> {
        let observed_at = SystemTime::now();
        let candidates = sockets::thorough(&mut self.sockets, query);
        let candidates = candidates.map_err(|error| failed("sock_diag", &error))?;
        let (holders, scratch) = (&self.holders, &mut self.scratch);
        let (verdict, matched) = judge(holders, candidates, |socket| {
            let found = holders.all(&socket.wanted(), asked, scratch);
            (found, true)
        });
        Ok(Ownership {
            verdict,
            evidence: Evidence {
                matched,
                observed_at,
                source: Source::SockDiag,
            },
        })
    }

    fn all_sockets(&mut self) -> std::io::Result<Vec<Socket>> {
        let asked = Instant::now();
        let mut lists = Protocol::ALL.map(|protocol| (protocol, Vec::new()));
        for (protocol, list) in &mut lists {
            let listed = self.sockets.list(*protocol, Which::All, list);
            if matches!(protocol, Protocol::Tcp | Protocol::Udp) {
                listed?;
            } else if let Err(error) = listed {
                tracing::debug!(%error, %protocol, "not listed by this kernel");
            }
        }
        // After the lists, so that whoever holds a socket of them is seen.
        self.holders.refresh(0, &mut self.scratch);
        let mut sockets = Vec::with_capacity(lists.iter().map(|(_, list)| list.len()).sum());
        for (protocol, list) in lists {
            for found in list {
                let owner = self.listed_owner(protocol, &found, asked);
                sockets.push(found.with_owner(protocol, owner));
            }
        }
        infer_unaccepted(&mut sockets);
        Ok(sockets)
    }

    /// The owner of a socket of a list, after everything that changed was looked at.
    fn listed_owner(&mut self, protocol: Protocol, found: &DiagSocket, asked: Instant) -> Verdict {
        if found.inode == 0 {
            return closed(&self.holders, found);
        }
        let processes = match self.holders.only_known(found.inode) {
            Ok(process) => {
                self.holders
                    .remember(found.cookie, std::slice::from_ref(&process));
                return Verdict::Process(process);
            }
            Err(Count::Several) => {
                let scratch = &mut self.scratch;
                self.holders.known(found.inode, u64::MAX, scratch)
            }
            Err(Count::None) if self.is_gone(protocol, found) => {
                return Verdict::Unknown(Reason::Gone);
            }
            Err(Count::None) => self.holders.all(&found.wanted(), asked, &mut self.scratch),
        };
        self.holders.remember(found.cookie, &processes);
        verdict(&self.holders, processes, found, true)
    }

    /// Whether a socket that nobody seems to hold has been closed since it was listed.
    fn is_gone(&mut self, protocol: Protocol, found: &DiagSocket) -> bool {
        let Some(remote) = found.remote else {
            return false;
        };
        let now = self.sockets.exact(protocol, found.local, remote);
        now.is_ok_and(|now| now.is_none_or(|now| now.inode != found.inode))
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
        self.answer(query, Instant::now())
    }

    fn find_each(&mut self, queries: &[SocketQuery]) -> Result<Vec<Ownership>, Error> {
        let asked = Instant::now();
        let answers = queries.iter().map(|query| self.answer(query, asked));
        answers.collect()
    }

    fn glance(&mut self) -> Option<Box<dyn Glance>> {
        // All that was there before the first packet is known then.
        self.holders.refresh(0, &mut self.scratch);
        let sockets = Sockets::open(self.holders.proc(), self.options.sock_diag);
        let sockets = sockets.inspect_err(|error| tracing::warn!(%error, "owners are told late"));
        Some(Box::new(LinuxGlance::new(
            sockets.ok()?,
            Arc::clone(&self.holders),
        )))
    }

    fn tells_remotes(&self) -> bool {
        true
    }

    fn finds_exactly(&self) -> bool {
        true
    }
}

/// The answer of the sockets that fit, given who holds each, and whether that was
/// looked for everywhere.
fn judge(
    holders: &Holders,
    candidates: Candidates,
    mut look: impl FnMut(&DiagSocket) -> (Vec<Arc<Process>>, bool),
) -> (Verdict, Option<Match>) {
    match candidates {
        Candidates::None => (Verdict::Unknown(Reason::NotFound), None),
        Candidates::Closed(socket, waiting) => match closed(holders, &socket) {
            // Whoever listens has most likely accepted it.
            Verdict::Unknown(_) if *waiting != Candidates::None => judge(holders, *waiting, look),
            verdict => (verdict, Some(Match::FiveTuple)),
        },
        Candidates::Open(matched, sockets) => {
            let mut owners = Vec::with_capacity(1);
            for socket in &sockets {
                let (found, is_all) = look(socket);
                holders.remember(socket.cookie, &found);
                owners.push(verdict(holders, found, socket, is_all));
            }
            let owners: Vec<&Verdict> = owners.iter().collect();
            (matching::merge(&owners), Some(matched))
        }
    }
}

/// Who had a connection that its owner has closed.
fn closed(holders: &Holders, socket: &DiagSocket) -> Verdict {
    let remembered = holders.remembered(socket.cookie);
    match named(remembered) {
        Some(named) => named,
        None => Verdict::Unknown(Reason::Gone),
    }
}

fn verdict(
    holders: &Holders,
    processes: Vec<Arc<Process>>,
    socket: &DiagSocket,
    is_all: bool,
) -> Verdict {
    if let Some(named) = named(processes) {
        return named;
    }
    // Those of the kernel itself are root's.
    if is_all && socket.uid == 0 && holders.sees_all() {
        return Verdict::Unknown(Reason::Kernel);
    }
    Verdict::Partial {
        user: Some(holders.user(socket.uid)),
        unit: None,
    }
}

fn named(processes: Vec<Arc<Process>>) -> Option<Verdict> {
    let mut processes = distinct(processes);
    match processes.len() {
        0 => None,
        1 => Some(Verdict::Process(processes.swap_remove(0))),
        _ => Some(Verdict::Shared(processes)),
    }
}

/// Connections that wait to be accepted are their listener's.
fn infer_unaccepted(sockets: &mut [Socket]) {
    let may_wait = |socket: &Socket| {
        let is_early = matches!(
            socket.state,
            Some(SocketState::SynReceived | SocketState::Established | SocketState::CloseWait)
        );
        is_early && socket.owner == Verdict::Unknown(Reason::Gone)
    };
    let mut listeners: HashMap<u16, Vec<Socket>> = HashMap::new();
    for socket in sockets.iter() {
        if socket.state == Some(SocketState::Listen) {
            let on_port = listeners.entry(socket.local.port()).or_default();
            on_port.push(socket.clone());
        }
    }
    for waiting in sockets.iter_mut().filter(|socket| may_wait(socket)) {
        let query = SocketQuery::new(waiting.protocol, waiting.local, None);
        let on_port = listeners.get(&waiting.local.port());
        if let Some(finding) = on_port.and_then(|listeners| matching::best(&query, listeners)) {
            waiting.owner = finding.verdict;
        }
    }
}

fn failed(what: &str, error: &std::io::Error) -> Error {
    Error::Sockets {
        message: format!("{what}: {error}"),
    }
}
