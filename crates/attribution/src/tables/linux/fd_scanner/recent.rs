//! The owners of connections that have closed, and those that have exited.

use std::sync::Arc;
use std::time::Instant;

use super::FdScanner;
use crate::answer::Process;

impl FdScanner {
    /// Remembers the owners of a connection; see [`Index::remember`].
    pub(crate) fn remember(&self, cookie: u64, owners: &[Arc<Process>]) {
        self.index()
            .recent_owners
            .remember(cookie, owners, Instant::now());
    }

    /// Forgets the owners of a connection; see [`Index::forget`].
    pub(crate) fn forget(&self, cookie: u64, owners: &[Arc<Process>]) {
        self.index().recent_owners.forget(cookie, owners);
    }

    /// The owners of a connection that has closed.
    pub(crate) fn remembered(&self, cookie: u64) -> Vec<Arc<Process>> {
        self.index().recent_owners.remembered(cookie).to_vec()
    }

    /// Whether a process had exited when it was read: the kernel shows no parent any more
    /// (`do_task_stat` in `fs/proc/array.c`), as for a process that was started from outside.
    pub(crate) fn is_gone(&self, process: &Process) -> bool {
        process.parent == Some(0) && self.proc.stamp(process.pid).is_err()
    }

    /// Forgets that a process that has exited ever held a socket: another one does.
    pub(crate) fn evict_owner(&self, process: &Process, inode: u32) {
        self.index().evict_owner(process.pid, inode);
    }
}
