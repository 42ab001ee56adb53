//! Where a socket is most likely held: looked at in the microseconds that there are.

use std::time::Instant;

use super::index::Scanned;
use super::looks::Look;
use super::miss::Miss;
use super::wanted::{Kind, Wanted};
use super::{FdScanner, lock};
use crate::tables::linux::procfs::facts;
use crate::tables::linux::procfs::proc::{Descriptor, Part, ReadBuffers, Table};

impl FdScanner {
    /// Looks where a socket is most likely held, until it is found: in the order of what that
    /// is worth, beside what it takes.
    pub(super) fn look_at_likely(
        &self,
        wanted: &Wanted,
        buffers: &mut ReadBuffers,
        mut is_open: impl FnMut() -> bool,
    ) {
        let is_accepted = wanted.kind == Kind::Accepted;
        // Servers are hardly ever new.
        if is_accepted && self.look_at_slots(wanted, buffers) {
            return;
        }
        if let Some(newest) = self.proc.newest_id() {
            self.index().hints.note_newest(newest);
        }
        if wanted.first_is_enough && self.look_where_likely(wanted, buffers) {
            return;
        }
        if !is_accepted && self.look_at_slots(wanted, buffers) {
            return;
        }
        self.look_at_new(wanted, buffers);
        // What is closed is not found by looking further, and much is: it takes longer.
        if self.is_held(wanted) || !is_open() {
            return;
        }
        let young = self.index().hints.young(Instant::now());
        self.look_again(young.iter().copied(), wanted, buffers);
        if !self.is_held(wanted) {
            let winners = self.index().hints.winning();
            self.look_again(winners, wanted, buffers);
        }
        if !self.is_held(wanted) && is_open() {
            self.look_at_idle(young, wanted, buffers);
        }
    }

    /// Looks at the processes that were started since this was done last: first at the
    /// descriptors of each, until the socket is found; then at everything else of it,
    /// and of the others at last.
    fn look_at_new(&self, wanted: &Wanted, buffers: &mut ReadBuffers) {
        /// Directories that are open at a time.
        const MAX_OPEN: usize = 32;
        let mut looks: Vec<Look> = Vec::new();
        while let Some(id) = self.take_new() {
            let mut looked = self.look(id, Part::End, buffers);
            if let Err(Miss::Failed(_)) = looked {
                // There is room for fewer open files.
                while let Some(look) = looks.pop() {
                    self.take_in_new(look, wanted, buffers);
                }
                looked = self.look(id, Part::End, buffers);
            }
            // Most have ended by now.
            let Ok(look) = looked else {
                self.index().hints.remove_new(id);
                continue;
            };
            let is_found = wanted.first_is_enough && look.holds(wanted.inode);
            looks.push(look);
            if is_found || looks.len() == MAX_OPEN {
                break;
            }
        }
        while let Some(look) = looks.pop() {
            self.take_in_new(look, wanted, buffers);
        }
    }

    /// Tries the descriptors of the newest processes through which sockets were found
    /// last. True if that finds it.
    fn look_where_likely(&self, wanted: &Wanted, buffers: &mut ReadBuffers) -> bool {
        let (newest, likely) = {
            let index = self.index();
            (index.hints.newest_ids(), index.hints.likely_descriptors())
        };
        for descriptor in likely {
            let holds = |id: &&u32| self.proc.socket(**id, descriptor) == Some(wanted.inode);
            let Some(&id) = newest.iter().find(holds) else {
                continue;
            };
            if let Some(look) = self.hit(id, wanted.inode, descriptor) {
                self.take_in_new(look, wanted, buffers);
                return true;
            }
        }
        false
    }

    fn take_new(&self) -> Option<u32> {
        self.index().hints.take_new()
    }

    /// Completes the scan of a new process or thread.
    fn take_in_new(&self, look: Look, wanted: &Wanted, buffers: &mut ReadBuffers) {
        let id = look.pid;
        self.take_in_one(look, wanted, buffers);
        self.index().hints.remove_new(id);
    }

    fn take_in_one(&self, look: Look, wanted: &Wanted, buffers: &mut ReadBuffers) {
        // `/proc` lists processes only, but opens threads too.
        let Some(pid) = facts::leader(&look.directory, buffers) else {
            return;
        };
        let is_held = look.holds(wanted.inode);
        if pid == look.pid {
            let mut index = self.index();
            if let Some(descriptor) = look.descriptor_of(wanted.inode) {
                index.hints.add_likely(descriptor);
            }
            index.hints.add_young(pid, Instant::now());
            drop(index);
            drop(self.take_in(look, buffers));
        } else if is_held || self.index().scanned(pid).is_none() {
            let id = look.pid;
            drop(look);
            drop(self.scan(pid, Part::End, buffers));
            // The thread may have descriptors of its own.
            if is_held && !self.is_held(wanted) {
                self.scan_thread(pid, id, buffers);
            }
        }
    }

    /// Looks at a process and at a table that a thread of it has.
    fn scan_thread(&self, pid: u32, thread: u32, buffers: &mut ReadBuffers) {
        let looked = self.look(pid, Part::End, buffers);
        let taken = looked.and_then(|look| {
            let mut tables = self.index().tables(pid);
            tables.push(Table::Thread(thread));
            let others = self.read_others(&look.directory, &tables, Part::End, buffers);
            self.take_in(look.with_others(others), buffers)
        });
        drop(taken.inspect_err(|miss| tracing::trace!(?miss, pid, "not looked at")));
    }

    /// Looks where sockets were found last: a descriptor that was closed is the next
    /// one to be opened. True if that finds it.
    fn look_at_slots(&self, wanted: &Wanted, buffers: &mut ReadBuffers) -> bool {
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

    /// Looks at new processes where one that has the socket has it: what is inherited
    /// keeps its number. True if that finds another one.
    pub(super) fn look_for_inherited(&self, wanted: &Wanted, buffers: &mut ReadBuffers) -> bool {
        /// Of connections, which hardly are inherited.
        const MOST_FOR_CONNECTIONS: usize = 32;
        let Some(newest) = self.proc.newest_id() else {
            return false;
        };
        let listed_until = *lock(&self.listed_until);
        // All that was started before was looked at when all were listed.
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
                if let Ok(look) = self.look(id, Part::End, buffers) {
                    self.take_in_new(look, wanted, buffers);
                    is_any = true;
                }
            } else if self.proc.stamp(id).is_err() {
                self.index().hints.remove_new(id);
            }
        }
        is_any
    }

    /// Looks at processes that were looked at before, until the socket is found.
    fn look_again(
        &self,
        pids: impl IntoIterator<Item = u32>,
        wanted: &Wanted,
        buffers: &mut ReadBuffers,
    ) {
        for pid in pids {
            // What was seen before it executed its program says nothing, even if it had
            // as many descriptors then.
            let has_changed = self.has_changed(pid) || self.executes_another(pid);
            if has_changed {
                drop(self.scan(pid, Part::End, buffers));
            }
            if self.is_held(wanted) {
                return;
            }
        }
    }

    /// Looks once more at new processes that held no socket: one that was starting had
    /// files open for a moment, in place of which it may have a socket by now.
    fn look_at_idle(&self, young: Vec<u32>, wanted: &Wanted, buffers: &mut ReadBuffers) {
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
