//! Finds the holders of the sockets that a lookup found.

use std::sync::Arc;
use std::time::Instant;

use super::super::candidates::Candidates;
use super::super::fd_scanner::FdScanner;
use super::super::netlink::message::DiagSocket;
use super::super::procfs::cgroup::Cgroups;
use super::super::procfs::proc::ReadBuffers;
use super::super::sockets;
use super::super::source::Sockets;
use super::super::verdicts::{Resolved, resolve};
use crate::answer::{Process, Protocol, Verdict};

/// Finds all holders of the sockets from `sockets`.
pub(super) struct HolderSearch<'a> {
    pub(super) sockets: &'a mut Sockets,
    pub(super) scanner: &'a FdScanner,
    pub(super) groups: Option<&'a mut Cgroups>,
    pub(super) buffers: &'a mut ReadBuffers,
    /// Scans that began after this are not repeated.
    pub(super) asked: Instant,
}

impl HolderSearch<'_> {
    pub(super) fn resolve(&mut self, protocol: Protocol, candidates: Candidates) -> Resolved {
        let mut hidden = None;
        let resolved = resolve(self.scanner, candidates, |socket| {
            let is_open = || sockets::is_open(self.sockets, protocol, socket);
            let wanted = socket.wanted();
            let found = self.scanner.all(&wanted, self.asked, self.buffers, is_open);
            let found = self.without_gone(protocol, socket, found);
            if found.is_empty() {
                hidden = Some(*socket);
            }
            // The search came too late for a socket that closed meanwhile.
            let is_all = !found.is_empty() || sockets::is_open(self.sockets, protocol, socket);
            (found, is_all)
        });
        match hidden {
            Some(hidden) => Resolved {
                verdict: self.with_unit(resolved.verdict, &hidden),
                matched: resolved.matched,
                socket: resolved.socket,
            },
            None => resolved,
        }
    }

    /// The holders of a socket without those that have exited. If a holder has exited and the
    /// socket still exists, it had it from another process, most likely its parent.
    pub(super) fn without_gone(
        &mut self,
        protocol: Protocol,
        socket: &DiagSocket,
        found: Vec<Arc<Process>>,
    ) -> Vec<Arc<Process>> {
        let is_gone = |process: &Arc<Process>| self.scanner.is_gone(process);
        let gone: Vec<_> = found.iter().filter(|one| is_gone(one)).collect();
        if gone.is_empty() || !sockets::is_open(self.sockets, protocol, socket) {
            return found;
        }
        for process in gone {
            self.scanner.evict_owner(process, socket.inode);
        }
        let asked = Instant::now();
        let is_open = || sockets::is_open(self.sockets, protocol, socket);
        let wanted = socket.wanted();
        let mut again = self.scanner.all(&wanted, asked, self.buffers, is_open);
        again.retain(|process| !self.scanner.is_gone(process));
        again
    }

    /// Adds the unit of a process that this one may not inspect, from the cgroup of the socket.
    pub(super) fn with_unit(&mut self, verdict: Verdict, socket: &DiagSocket) -> Verdict {
        match (verdict, &mut self.groups, socket.cgroup) {
            (Verdict::Partial { user, unit: None }, Some(groups), Some(group)) => {
                let unit = groups.unit(group, self.asked);
                Verdict::Partial { user, unit }
            }
            (verdict, ..) => verdict,
        }
    }
}
