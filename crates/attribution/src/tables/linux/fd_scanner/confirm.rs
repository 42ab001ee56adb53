//! Checks whether a named process still holds a socket.

use std::sync::Arc;

use super::FdScanner;
use super::wanted::{Kind, Wanted};
use crate::answer::Process;
use crate::tables::linux::procfs::proc::{Part, ReadBuffers};

impl FdScanner {
    /// Whether a named process still holds the socket with an inode and executes the same program.
    /// This reads three files if the process has not moved the socket to another descriptor.
    pub(crate) fn still_holds(
        &self,
        process: &Process,
        inode: u32,
        buffers: &mut ReadBuffers,
    ) -> bool {
        let pid = process.pid;
        let since = self.next_check();
        if self.is_as_known(pid) && self.is_where_known(pid, inode, since) {
            return self.is_still(process);
        }
        self.scan(pid, Part::End, buffers).is_ok()
            && self.is_where_known(pid, inode, since)
            && self.is_still(process)
    }

    /// Whether a socket is still at its known descriptor in one of some processes.
    pub(crate) fn is_known_with_any(&self, named: &[Arc<Process>], inode: u32) -> bool {
        let holders = self.index().holders(inode);
        let mut held = holders
            .iter()
            .filter(|holder| self.is_as_known(holder.pid) && self.is_seen(inode, holder, u64::MAX));
        held.any(|holder| {
            let mut named = named.iter().filter(|named| named.pid == holder.pid);
            named.any(|named| self.is_still(named))
        })
    }

    /// Searches for a process that has the socket, too, and is not named, where microseconds may find
    /// it: a process that started since has its parent's sockets at the same descriptors. For an
    /// accepted connection, this also checks the places where processes had others before.
    pub(crate) fn search_inheritors(
        &self,
        named: &[Arc<Process>],
        wanted: &Wanted,
        buffers: &mut ReadBuffers,
    ) {
        let is_named = |pid: u32| named.iter().any(|named| named.pid == pid);
        self.scan_for_inherited(wanted, buffers);
        if wanted.kind == Kind::Accepted {
            let winners = self.index().hints.winners(wanted.kind);
            let mut others = winners.into_iter().filter(|(pid, _)| !is_named(*pid));
            let holds =
                |(pid, number): &(u32, u32)| self.proc.socket(*pid, *number) == Some(wanted.inode);
            if let Some((pid, _)) = others.find(holds) {
                drop(self.scan(pid, Part::End, buffers));
            }
        }
    }

    /// Whether the process is the one that the last scan read under this id, and executes the same
    /// program.
    fn is_as_known(&self, pid: u32) -> bool {
        let known = self.index().scanned(pid).map(|known| known.stamp);
        let now = self.proc.stamp(pid).ok();
        let is_same = known.zip(now).is_some_and(|(a, b)| a.is_same_process(b));
        is_same && !self.executes_another(pid)
    }

    fn is_where_known(&self, pid: u32, inode: u32, since: u64) -> bool {
        let holders = self.index().holders(inode);
        let mut held = holders.iter().filter(|holder| holder.pid == pid);
        held.any(|holder| self.is_seen(inode, holder, since))
    }

    /// Whether the last scan read the named process.
    fn is_still(&self, named: &Process) -> bool {
        let index = self.index();
        let known = index.scanned(named.pid);
        let known = known.and_then(|known| known.process.as_ref());
        known.is_some_and(|known| known.is_same_program(named))
    }
}
