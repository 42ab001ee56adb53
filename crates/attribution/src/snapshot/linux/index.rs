//! Which process holds which socket, as far as it was looked at. Pure: what was read
//! is put in, nothing is read here.

mod likely;
mod memory;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use likely::Likely;
use memory::Memory;

use super::hash::NumberMap;
use super::proc::{Descriptor, Mark};
use crate::Process;

/// How long a new process is looked at again for every question.
pub(super) const YOUTH: Duration = Duration::from_secs(2);
/// Of a process with more sockets, what it closes is not remembered.
const MAX_LATELY_OF_ONE: usize = 32;
/// Sockets that nobody was found to hold.
const MAX_ORPHANS: usize = 16_384;

/// What the last look at a process found.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) mark: Mark,
    pub(super) sockets: Vec<Descriptor>,
    /// The file that it executes, by device and inode.
    pub(super) executable: Option<(u64, u64)>,
    /// The name that the kernel keeps, and all that is known: read of processes that
    /// hold sockets.
    pub(super) name: String,
    pub(super) process: Option<Arc<Process>>,
    /// Whether its descriptors may not be read.
    pub(super) is_hidden: bool,
}

impl Scanned {
    pub(super) fn hidden(mark: Mark) -> Self {
        Self {
            mark,
            sockets: Vec::new(),
            executable: None,
            name: String::new(),
            process: None,
            is_hidden: true,
        }
    }
}

/// The index. See [`Holders`](super::holders::Holders) for how it is filled.
#[derive(Debug, Default)]
pub(super) struct Index {
    processes: NumberMap<u32, Numbered>,
    by_inode: NumberMap<u32, Pids>,
    pub(super) likely: Likely,
    pub(super) memory: Memory,
    /// The socket that was added last.
    added: Option<Added>,
    orphans: HashSet<u32>,
}

/// One who holds a socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holder {
    pub(super) pid: u32,
    /// What stands for the socket there.
    pub(super) descriptor: u32,
    /// The number of the look that saw it.
    pub(super) look: u64,
}

/// A socket that was added to what a look had found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Added {
    pid: u32,
    inode: u32,
    /// The number of the look that saw it.
    look: u64,
}

#[derive(Debug)]
struct Numbered {
    /// Of two looks at a process, the one that began later counts.
    number: u64,
    scanned: Scanned,
}

/// Hardly a socket has more than one holder.
#[derive(Debug)]
enum Pids {
    /// With what is known of it, unless there were others.
    One(u32, Option<Arc<Process>>),
    More(Vec<u32>),
}

impl Index {
    /// Writes down what a look found that began as the `number`th.
    pub(super) fn put(&mut self, pid: u32, number: u64, scanned: Scanned, now: Instant) {
        let known = self.processes.get(&pid).map(|known| known.number);
        if known.is_some_and(|known| known > number) {
            return;
        }
        self.remember_lately(pid, &scanned.sockets, now);
        self.forget(pid);
        for descriptor in &scanned.sockets {
            self.orphans.remove(&descriptor.inode);
            self.add_holder(descriptor.inode, pid, scanned.process.as_ref());
        }
        self.processes.insert(pid, Numbered { number, scanned });
    }

    /// Adds a socket, seen by a look at its descriptor only, to what the last look at a
    /// process found, in place of what the same descriptor stood for then. False if the process is not known, or is another one.
    pub(super) fn add_socket(
        &mut self,
        pid: u32,
        mark: Mark,
        (socket, look): (Descriptor, u64),
        now: Instant,
    ) -> bool {
        let Some(known) = self.processes.get_mut(&pid).map(|known| &mut known.scanned) else {
            return false;
        };
        let Some(process) = known.process.clone() else {
            return false;
        };
        if !known.mark.is_same_process(mark) {
            return false;
        }
        let inode = socket.inode;
        self.added = Some(Added { pid, inode, look });
        // The other descriptors were not looked at.
        known.mark = known.mark.without_count();
        let mut sockets = known.sockets.iter_mut();
        let place = sockets.find(|old| old.number == socket.number);
        let Some(old) = place.map(|place| std::mem::replace(place, socket)) else {
            known.sockets.push(socket);
            self.add_holder(socket.inode, pid, Some(&process));
            return true;
        };
        if !known.sockets.iter().any(|still| still.inode == old.inode) {
            self.remove_holder(old.inode, pid);
            self.memory.add_lately(old.inode, Arc::clone(&process), now);
        }
        self.add_holder(socket.inode, pid, Some(&process));
        true
    }

    /// Forgets that a process held a socket, as if it never had.
    pub(super) fn disown(&mut self, pid: u32, inode: u32) {
        if let Some(known) = self.processes.get_mut(&pid) {
            known.scanned.sockets.retain(|socket| socket.inode != inode);
        }
        self.remove_holder(inode, pid);
        self.memory.disown(pid, inode);
    }

    fn add_holder(&mut self, inode: u32, pid: u32, process: Option<&Arc<Process>>) {
        self.by_inode
            .entry(inode)
            .and_modify(|pids| pids.add(pid))
            .or_insert_with(|| Pids::One(pid, process.cloned()));
    }

    fn remove_holder(&mut self, inode: u32, pid: u32) {
        let pids = self.by_inode.get_mut(&inode);
        if pids.is_some_and(|pids| !pids.remove(pid)) {
            self.by_inode.remove(&inode);
        }
    }

    /// Forgets a process that is gone; what it held, not at once.
    pub(super) fn forget_gone(&mut self, pid: u32, now: Instant) {
        self.likely.forget(pid);
        self.remember_lately(pid, &[], now);
        self.forget(pid);
    }

    /// Remembers for a moment what a process held until now, but for what it still does.
    fn remember_lately(&mut self, pid: u32, still: &[Descriptor], now: Instant) {
        let Some(known) = self.processes.get(&pid).map(|known| &known.scanned) else {
            return;
        };
        // A server with many has none that matter here.
        let Some(process) = known.process.clone() else {
            return;
        };
        if known.sockets.len() > MAX_LATELY_OF_ONE {
            return;
        }
        let is_still = |inode| still.iter().any(|socket| socket.inode == inode);
        let inodes = known.sockets.iter().map(|socket| socket.inode);
        let closed: Vec<u32> = inodes.filter(|inode| !is_still(*inode)).collect();
        for inode in closed {
            self.memory.add_lately(inode, Arc::clone(&process), now);
        }
    }

    fn forget(&mut self, pid: u32) {
        let Some(known) = self.processes.remove(&pid) else {
            return;
        };
        for descriptor in &known.scanned.sockets {
            self.remove_holder(descriptor.inode, pid);
        }
    }

    /// Forgets all processes but these, which must be sorted.
    pub(super) fn forget_all_but(&mut self, alive: &[u32], now: Instant) {
        let known = self.processes.keys().copied();
        let gone: Vec<u32> = known
            .filter(|pid| alive.binary_search(pid).is_err())
            .collect();
        for pid in gone {
            self.forget_gone(pid, now);
        }
    }

    /// Whether there are processes whose descriptors may not be read.
    pub(super) fn has_hidden(&self) -> bool {
        self.processes.values().any(|known| known.scanned.is_hidden)
    }

    pub(super) fn count(&self) -> usize {
        self.processes.len()
    }

    /// All that are known.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.processes.keys().copied().collect()
    }

    pub(super) fn scanned(&self, pid: u32) -> Option<&Scanned> {
        self.processes.get(&pid).map(|known| &known.scanned)
    }

    /// Who holds a socket.
    pub(super) fn holders(&self, inode: u32) -> Vec<Holder> {
        let pids = self.by_inode.get(&inode).map_or(&[][..], Pids::as_slice);
        let holder = |pid: u32| {
            let known = self.processes.get(&pid)?;
            let mut sockets = known.scanned.sockets.iter();
            let found = sockets.find(|socket| socket.inode == inode)?;
            let added = self
                .added
                .filter(|added| (added.pid, added.inode) == (pid, inode));
            Some(Holder {
                pid,
                descriptor: found.number,
                look: added.map_or(known.number, |added| added.look.max(known.number)),
            })
        };
        pids.iter().filter_map(|pid| holder(*pid)).collect()
    }

    /// The only holder of a socket; `Err` where there are none or several.
    pub(super) fn only_holder(&self, inode: u32) -> Result<Arc<Process>, Count> {
        match self.by_inode.get(&inode) {
            None => Err(Count::None),
            Some(Pids::More(_)) => Err(Count::Several),
            Some(Pids::One(_, Some(process))) => Ok(Arc::clone(process)),
            Some(Pids::One(pid, None)) => {
                let process = self.scanned(*pid).and_then(|known| known.process.as_ref());
                process.cloned().ok_or(Count::None)
            }
        }
    }

    /// What is known of a process that was just looked at, if it is the same one and
    /// executes the same as before.
    pub(super) fn process_as(&self, pid: u32, now: &Scanned) -> Option<Arc<Process>> {
        let known = self.scanned(pid)?;
        let is_same = known.mark.is_same_process(now.mark)
            && known.executable == now.executable
            && known.name == now.name;
        known.process.clone().filter(|_| is_same)
    }

    /// Whether a look at everything found nobody who holds this socket.
    pub(super) fn is_orphan(&self, inode: u32) -> bool {
        self.orphans.contains(&inode)
    }

    pub(super) fn add_orphan(&mut self, inode: u32) {
        if self.orphans.len() >= MAX_ORPHANS {
            self.orphans.clear();
        }
        self.orphans.insert(inode);
    }
}

/// How many hold a socket, if it is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    None,
    OneAtLeast,
    Several,
}

impl Pids {
    fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(pid, _) => std::slice::from_ref(pid),
            Self::More(pids) => pids,
        }
    }

    fn add(&mut self, pid: u32) {
        match self {
            // Through a second descriptor.
            _ if self.as_slice().contains(&pid) => {}
            Self::One(first, _) => *self = Self::More(vec![*first, pid]),
            Self::More(pids) => pids.push(pid),
        }
    }

    /// Whether anybody is left.
    fn remove(&mut self, pid: u32) -> bool {
        match self {
            Self::One(only, _) => *only != pid,
            Self::More(pids) => {
                pids.retain(|other| *other != pid);
                if let [only] = pids[..] {
                    *self = Self::One(only, None);
                }
                !self.as_slice().is_empty()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::linux::options::LinuxOptions;
    use crate::snapshot::linux::proc::Proc;

    /// A look at this process that found these sockets, each as inode and descriptor.
    fn scanned(mark: Mark, sockets: &[(u32, u32)]) -> Scanned {
        let descriptor = |(inode, number): &(u32, u32)| Descriptor {
            inode: *inode,
            number: *number,
        };
        Scanned {
            mark,
            sockets: sockets.iter().map(descriptor).collect(),
            executable: None,
            name: String::new(),
            process: Some(Arc::new(Process::new(1, "one"))),
            is_hidden: false,
        }
    }

    fn mark() -> Mark {
        let options = LinuxOptions::default();
        let proc = Proc::open(&options.proc, options.descriptor_counts).unwrap();
        proc.mark(std::process::id()).unwrap()
    }

    #[test]
    fn a_socket_takes_the_place_of_the_one_before() {
        let (mut index, mark, now) = (Index::default(), mark(), Instant::now());
        let added = |inode, number| (Descriptor { inode, number }, 9);
        assert!(!index.add_socket(1, mark, added(50, 4), now));
        index.put(1, 1, scanned(mark, &[(10, 3), (20, 4), (20, 5)]), now);
        assert!(index.add_socket(1, mark, added(30, 3), now));
        assert_eq!(index.holders(30)[0].descriptor, 3);
        // Seen later than what is known of the others.
        assert_eq!(
            (index.holders(30)[0].look, index.holders(20)[0].look),
            (9, 1)
        );
        assert!(index.holders(10).is_empty());
        assert_eq!(index.memory.lately(10, now)[0].pid, 1);
        // The other descriptor still stands for it.
        assert!(index.add_socket(1, mark, added(40, 4), now));
        assert_eq!(index.holders(20)[0].descriptor, 5);
        assert!(index.add_socket(1, mark, added(50, 6), now));
        assert_eq!(index.holders(50)[0].descriptor, 6);
        // What was not looked at has to be.
        assert!(!index.scanned(1).unwrap().mark.is_same(mark));
        index.forget_gone(1, now);
        assert!(
            [20, 30, 40, 50]
                .into_iter()
                .all(|inode| index.holders(inode).is_empty())
        );
    }
}
