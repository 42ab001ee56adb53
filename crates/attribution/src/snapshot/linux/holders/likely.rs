//! Where a socket is most likely held: looked at in the microseconds that there are.

use std::time::Instant;

use super::looks::Look;
use super::{Holders, Wanted};
use crate::snapshot::linux::facts;
use crate::snapshot::linux::index::Scanned;
use crate::snapshot::linux::proc::{Descriptor, Scratch};

impl Holders {
    /// Looks at the processes that were started since this was done last: first at the
    /// descriptors of each, until the socket is found; then at everything else of it,
    /// and of the others at last.
    pub(super) fn look_at_new(&self, wanted: &Wanted, scratch: &mut Scratch) {
        /// Folders that are open at a time.
        const MAX_OPEN: usize = 32;
        let Some(newest) = self.proc.newest_id() else {
            return;
        };
        self.index().likely.note_newest(newest);
        if wanted.first_is_enough && self.look_where_likely(wanted, scratch) {
            return;
        }
        let mut looks = Vec::new();
        while let Some(id) = self.take_new() {
            // Most have ended by now.
            let Some(look) = self.look(id, scratch) else {
                continue;
            };
            let is_found = wanted.first_is_enough && look.holds(wanted.inode);
            looks.push(look);
            if is_found || looks.len() == MAX_OPEN {
                break;
            }
        }
        while let Some(look) = looks.pop() {
            self.take_in_new(look, wanted, scratch);
        }
    }

    /// Tries the descriptors of the newest processes through which sockets were found
    /// last. True if that finds it.
    fn look_where_likely(&self, wanted: &Wanted, scratch: &mut Scratch) -> bool {
        let (newest, likely) = {
            let index = self.index();
            (index.likely.newest_ids(), index.likely.likely_descriptors())
        };
        for descriptor in likely {
            let holds = |id: &&u32| self.proc.socket(**id, descriptor) == Some(wanted.inode);
            let Some(&id) = newest.iter().find(holds) else {
                continue;
            };
            if let Some(look) = self.hit(id, wanted.inode, descriptor) {
                self.index().likely.remove_new(id);
                self.take_in_new(look, wanted, scratch);
                return true;
            }
        }
        false
    }

    fn take_new(&self) -> Option<u32> {
        self.index().likely.take_new()
    }

    /// Completes the look at a new process or thread.
    fn take_in_new(&self, look: Look, wanted: &Wanted, scratch: &mut Scratch) {
        // `/proc` lists processes only, but opens threads too.
        let Some(pid) = facts::leader(&look.folder, scratch) else {
            return;
        };
        if pid == look.pid {
            let mut index = self.index();
            if let Some(descriptor) = look.descriptor_of(wanted.inode) {
                index.likely.add_likely(descriptor);
            }
            index.likely.add_young(pid, Instant::now());
            drop(index);
            self.take_in(look, scratch);
        } else if look.holds(wanted.inode) || self.index().scanned(pid).is_none() {
            self.scan(pid, scratch);
        }
    }

    /// Looks where sockets were found last, then at whatever else changed of those who
    /// answered.
    pub(super) fn look_at_winners(&self, wanted: &Wanted, scratch: &mut Scratch) {
        self.look_at_slots(wanted, scratch);
        if !self.is_held(wanted) {
            let winners = self.index().winners(wanted.uid);
            let pids = winners.into_iter().map(|(pid, _)| pid);
            self.look_again(pids, wanted, scratch);
        }
    }

    /// Looks where sockets were found last: a descriptor that was closed is the next
    /// one to be opened.
    pub(super) fn look_at_slots(&self, wanted: &Wanted, scratch: &mut Scratch) {
        let winners = self.index().winners(wanted.uid);
        let mut winners = winners.into_iter();
        let holder = winners.find(|(pid, descriptor)| {
            let found = self.proc.socket(*pid, *descriptor);
            found == Some(wanted.inode)
        });
        if let Some((pid, number)) = holder {
            let inode = wanted.inode;
            if !self.add_socket(pid, Descriptor { inode, number }) {
                self.scan(pid, scratch);
            }
        }
    }

    /// Looks at new processes where one that has the socket has it: what is inherited
    /// keeps its number.
    pub(super) fn look_for_heirs(&self, wanted: &Wanted, scratch: &mut Scratch) {
        let Some(newest) = self.proc.newest_id() else {
            return;
        };
        let (holders, new) = {
            let index = &mut *self.index();
            index.likely.note_newest(newest);
            (index.holders(wanted.inode), index.likely.new_ids())
        };
        let Some(holder) = holders.first() else {
            return;
        };
        for id in new {
            if self.proc.socket(id, holder.descriptor) == Some(wanted.inode) {
                self.index().likely.remove_new(id);
                if let Some(look) = self.look(id, scratch) {
                    self.take_in_new(look, wanted, scratch);
                }
            } else if self.proc.mark(id).is_err() {
                self.index().likely.remove_new(id);
            }
        }
    }

    /// Looks at processes that were looked at before, until the socket is found.
    pub(super) fn look_again(
        &self,
        pids: impl IntoIterator<Item = u32>,
        wanted: &Wanted,
        scratch: &mut Scratch,
    ) {
        for pid in pids {
            // What was seen before it executed its program says nothing, even if it had
            // as many descriptors then.
            let has_changed = self.has_changed(pid) || self.executes_another(pid);
            if has_changed {
                self.scan(pid, scratch);
            }
            if self.is_held(wanted) {
                return;
            }
        }
    }

    /// Looks once more at new processes that held no socket: one that was starting had
    /// files open for a moment, in place of which it may have a socket by now.
    pub(super) fn look_at_idle(&self, young: Vec<u32>, wanted: &Wanted, scratch: &mut Scratch) {
        for pid in young {
            let has_sockets = |known: &Scanned| !known.sockets.is_empty();
            if self.index().scanned(pid).is_some_and(has_sockets) {
                continue;
            }
            self.scan(pid, scratch);
            if self.is_held(wanted) {
                return;
            }
        }
    }

    pub(super) fn is_held(&self, wanted: &Wanted) -> bool {
        !self.index().holders(wanted.inode).is_empty()
    }
}
