//! Searches the most likely holders of a socket, within microseconds.

use std::time::Instant;

use super::index::Scanned;
use super::miss::Miss;
use super::scan::PartialScan;
use super::wanted::{Kind, Wanted};
use super::{FdScanner, lock};
use crate::tables::linux::procfs::facts;
use crate::tables::linux::procfs::proc::{Descriptor, Part, ReadBuffers, Table};

impl FdScanner {
    /// Searches the most likely holders until it finds the socket. The order weighs the chance of
    /// success against the cost.
    pub(super) fn scan_likely(
        &self,
        wanted: &Wanted,
        buffers: &mut ReadBuffers,
        mut is_open: impl FnMut() -> bool,
    ) {
        let is_accepted = wanted.kind == Kind::Accepted;
        // Servers are hardly ever new processes.
        if is_accepted && self.try_recent_descriptors(wanted, buffers) {
            return;
        }
        if let Some(newest) = self.proc.newest_id() {
            self.index().hints.note_newest(newest);
        }
        if wanted.first_is_enough && self.try_likely_descriptors(wanted, buffers) {
            return;
        }
        if !is_accepted && self.try_recent_descriptors(wanted, buffers) {
            return;
        }
        self.scan_new(wanted, buffers);
        // A longer search does not find a closed socket, and many sockets close soon.
        if self.is_held(wanted) || !is_open() {
            return;
        }
        let young = self.index().hints.young(Instant::now());
        self.rescan(young.iter().copied(), wanted, buffers);
        if !self.is_held(wanted) {
            let winners = self.index().hints.winning();
            self.rescan(winners, wanted, buffers);
        }
        if !self.is_held(wanted) && is_open() {
            self.rescan_idle(young, wanted, buffers);
        }
    }

    /// Scans the processes that started since the last call: first the descriptors of each, until
    /// it finds the socket; then the rest of that process, and last the other processes.
    fn scan_new(&self, wanted: &Wanted, buffers: &mut ReadBuffers) {
        /// The number of directories that this keeps open at a time.
        const MAX_OPEN: usize = 32;
        let mut open: Vec<PartialScan> = Vec::new();
        while let Some(id) = self.take_new() {
            let mut begun = self.begin_scan(id, Part::End, buffers);
            if let Err(Miss::Failed(_)) = begun {
                // The process may open fewer files than that.
                while let Some(scan) = open.pop() {
                    self.finish_new(scan, wanted, buffers);
                }
                begun = self.begin_scan(id, Part::End, buffers);
            }
            // Most have exited by now.
            let Ok(scan) = begun else {
                self.index().hints.remove_new(id);
                continue;
            };
            let is_found = wanted.first_is_enough && scan.holds(wanted.inode);
            open.push(scan);
            if is_found || open.len() == MAX_OPEN {
                break;
            }
        }
        while let Some(scan) = open.pop() {
            self.finish_new(scan, wanted, buffers);
        }
    }

    /// Tries the descriptors of the newest processes through which earlier searches found sockets.
    /// True if that finds it.
    fn try_likely_descriptors(&self, wanted: &Wanted, buffers: &mut ReadBuffers) -> bool {
        let (newest, likely) = {
            let index = self.index();
            (index.hints.newest_ids(), index.hints.likely_descriptors())
        };
        for descriptor in likely {
            let holds = |id: &&u32| self.proc.socket(**id, descriptor) == Some(wanted.inode);
            let Some(&id) = newest.iter().find(holds) else {
                continue;
            };
            if let Some(scan) = self.hit(id, wanted.inode, descriptor) {
                self.finish_new(scan, wanted, buffers);
                return true;
            }
        }
        false
    }

    fn take_new(&self) -> Option<u32> {
        self.index().hints.take_new()
    }

    /// Completes the scan of a new process or thread.
    fn finish_new(&self, scan: PartialScan, wanted: &Wanted, buffers: &mut ReadBuffers) {
        let id = scan.pid;
        self.finish_one(scan, wanted, buffers);
        self.index().hints.remove_new(id);
    }

    fn finish_one(&self, scan: PartialScan, wanted: &Wanted, buffers: &mut ReadBuffers) {
        // `/proc` lists only processes, but also opens threads.
        let Some(pid) = facts::leader(&scan.directory, buffers) else {
            return;
        };
        let is_held = scan.holds(wanted.inode);
        if pid == scan.pid {
            let mut index = self.index();
            if let Some(descriptor) = scan.descriptor_of(wanted.inode) {
                index.hints.add_likely(descriptor);
            }
            index.hints.add_young(pid, Instant::now());
            drop(index);
            drop(self.finish_scan(scan, buffers));
        } else if is_held || self.index().scanned(pid).is_none() {
            let id = scan.pid;
            drop(scan);
            drop(self.scan(pid, Part::End, buffers));
            // The thread may have its own descriptor table.
            if is_held && !self.is_held(wanted) {
                self.scan_thread(pid, id, buffers);
            }
        }
    }

    /// Scans a process and the table of one of its threads.
    fn scan_thread(&self, pid: u32, thread: u32, buffers: &mut ReadBuffers) {
        let begun = self.begin_scan(pid, Part::End, buffers);
        let taken = begun.and_then(|scan| {
            let mut tables = self.index().tables(pid);
            tables.push(Table::Thread(thread));
            let others = self.read_others(&scan.directory, &tables, Part::End, buffers);
            self.finish_scan(scan.with_others(others), buffers)
        });
        drop(taken.inspect_err(|miss| tracing::trace!(?miss, pid, "not scanned")));
    }

    /// Tries the descriptors after those of the last sockets: a process often reuses the number of
    /// a closed one. True if that finds it.
    fn try_recent_descriptors(&self, wanted: &Wanted, buffers: &mut ReadBuffers) -> bool {
        let winners = self.index().hints.winners(wanted.kind);
        let mut winners = winners.into_iter();
        let holder = winners.find(|(pid, descriptor)| {
            let found = self.proc.socket(*pid, *descriptor);
            found == Some(wanted.inode)
        });
        let Some((pid, number)) = holder else {
            return false;
        };
        let inode = wanted.inode;
        self.add_socket(pid, Descriptor { inode, number }) || {
            drop(self.scan(pid, Part::End, buffers));
            self.is_held(wanted)
        }
    }

    /// Searches new processes for the socket at the descriptor of its holder: an inherited
    /// descriptor keeps its number. True if that finds another process.
    pub(super) fn scan_for_inherited(&self, wanted: &Wanted, buffers: &mut ReadBuffers) -> bool {
        /// The limit for connections, which processes hardly ever inherit.
        const MOST_FOR_CONNECTIONS: usize = 32;
        let Some(newest) = self.proc.newest_id() else {
            return false;
        };
        let listed_until = *lock(&self.listed_until);
        // The scan of all processes covered everything that started before.
        let is_since = |id: &u32| listed_until.is_none_or(|until| until > newest || *id > until);
        let most = if wanted.first_is_enough {
            MOST_FOR_CONNECTIONS
        } else {
            usize::MAX
        };
        let (holders, new) = {
            let index = &mut *self.index();
            index.hints.note_newest(newest);
            let new = index.hints.new_ids().into_iter();
            let new: Vec<u32> = new.take_while(is_since).take(most).collect();
            (index.holders(wanted.inode), new)
        };
        let Some(holder) = holders.first() else {
            return false;
        };
        let mut is_any = false;
        for id in new {
            if self.proc.socket(id, holder.descriptor) == Some(wanted.inode) {
                if let Ok(scan) = self.begin_scan(id, Part::End, buffers) {
                    self.finish_new(scan, wanted, buffers);
                    is_any = true;
                }
            } else if self.proc.stamp(id).is_err() {
                self.index().hints.remove_new(id);
            }
        }
        is_any
    }

    /// Scans known processes again until it finds the socket.
    fn rescan(
        &self,
        pids: impl IntoIterator<Item = u32>,
        wanted: &Wanted,
        buffers: &mut ReadBuffers,
    ) {
        for pid in pids {
            // An earlier scan is void if the process has executed another program since, even if it
            // has the same number of descriptors.
            let has_changed = self.has_changed(pid) || self.executes_another(pid);
            if has_changed {
                drop(self.scan(pid, Part::End, buffers));
            }
            if self.is_held(wanted) {
                return;
            }
        }
    }

    /// Scans new processes without sockets once more: a starting process has files open for a
    /// moment, in place of which it may have a socket by now.
    fn rescan_idle(&self, young: Vec<u32>, wanted: &Wanted, buffers: &mut ReadBuffers) {
        for pid in young {
            if self.index().scanned(pid).is_some_and(Scanned::holds_any) {
                continue;
            }
            drop(self.scan(pid, Part::End, buffers));
            if self.is_held(wanted) {
                return;
            }
        }
    }

    pub(super) fn is_held(&self, wanted: &Wanted) -> bool {
        !self.index().holders(wanted.inode).is_empty()
    }
}
