//! Which process holds which socket, according to the scans so far. Pure: the scanner reads the
//! facts and stores them here.

mod hints;
mod programs;
mod recent_owners;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use hints::Hints;
use recent_owners::RecentOwners;

use crate::answer::Process;
use crate::hash::NumberMap;
use crate::policy::freshness::NO_HOLDER;
use crate::tables::linux::netlink::executions::Monotonic;
use crate::tables::linux::procfs::proc::{Descriptor, FdStamp, Table};

/// The index does not remember what a process with more sockets than this closes.
const MAX_RECENT_OF_ONE: usize = 32;
/// The number of sockets without known holder that the index remembers.
const MAX_UNOWNED: usize = 16_384;

/// The result of the last scan of a process.
#[derive(Debug)]
pub(crate) struct Scanned {
    pub(crate) stamp: FdStamp,
    /// When the scan began.
    pub(crate) began: Instant,
    pub(crate) sockets: Vec<Descriptor>,
    /// Descriptors of files without a name.
    pub(crate) nameless: Vec<u32>,
    /// The other descriptor tables of the process, which contain sockets.
    pub(crate) tables: Vec<Table>,
    pub(crate) elsewhere: Vec<(Table, Descriptor)>,
    /// The file that it executes, by device and inode.
    pub(crate) executable: Option<(u64, u64)>,
    /// The name that the kernel keeps, and all other facts. The scan reads them only for processes
    /// that hold sockets.
    pub(crate) name: String,
    /// When it was seen last that the process executes the same program.
    pub(crate) program_at: Monotonic,
    pub(crate) process: Option<Arc<Process>>,
    /// Whether this process may not read its descriptors.
    pub(crate) is_hidden: bool,
    /// Whether the scan left out some of its descriptors.
    pub(crate) is_cut: bool,
}

impl Scanned {
    /// The stamp that a later scan must find if nothing has changed; `None` if no stamp shows that.
    pub(crate) fn stamp_of_all(&self) -> Option<FdStamp> {
        self.tables.is_empty().then_some(self.stamp)
    }

    pub(crate) const fn holds_any(&self) -> bool {
        !self.sockets.is_empty() || !self.elsewhere.is_empty()
    }

    /// Every socket that it holds, those of its own table first.
    fn all(&self) -> impl Iterator<Item = (Table, Descriptor)> + '_ {
        let own = self.sockets.iter();
        let own = own.map(|socket| (Table::Process, *socket));
        own.chain(self.elsewhere.iter().copied())
    }

    /// Every descriptor of a socket.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = (Table, u32)> + '_ {
        self.all().map(|(table, socket)| (table, socket.number))
    }

    fn holds(&self, inode: u32) -> bool {
        self.all().any(|(_, socket)| socket.inode == inode)
    }
}

/// The index. [`FdScanner`](super::FdScanner) fills it.
#[derive(Debug, Default)]
pub(crate) struct Index {
    processes: NumberMap<u32, Numbered>,
    by_inode: NumberMap<u32, Pids>,
    pub(crate) hints: Hints,
    pub(crate) recent_owners: RecentOwners,
    /// The socket that was added last.
    added: Option<Added>,
    unowned: HashMap<u32, Unowned>,
    /// Where the next scan continues in tables that are read in parts.
    cursors: NumberMap<u32, u32>,
}

/// A socket for which a search found no holder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unowned {
    pub(crate) since: Instant,
    /// Whether the search covered every permitted place.
    pub(crate) is_settled: bool,
    /// Whether a permitted read failed.
    pub(crate) is_failed: bool,
    /// Whether the search covered every place, so that no process holds the socket.
    pub(crate) is_sure: bool,
}

/// A holder of a socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    /// The descriptor of the socket, and its table.
    pub(crate) descriptor: u32,
    pub(crate) table: Table,
    /// The number of the scan that found it.
    pub(crate) scan: u64,
}

/// A socket that was added to the result of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Added {
    pid: u32,
    inode: u32,
    /// The number of the scan that found it.
    scan: u64,
}

#[derive(Debug)]
struct Numbered {
    /// Of two scans of a process, the one that began later counts.
    number: u64,
    scanned: Scanned,
}

/// Few sockets have more than one holder.
#[derive(Debug)]
enum Pids {
    /// With the facts about the process, unless there were other holders.
    One(u32, Option<Arc<Process>>),
    More(Vec<u32>),
}

impl Index {
    /// Stores the result of the scan with this number.
    pub(crate) fn put(&mut self, pid: u32, number: u64, scanned: Scanned) {
        let known = self.processes.get(&pid).map(|known| known.number);
        if known.is_some_and(|known| known > number) {
            return;
        }
        self.cursors.remove(&pid);
        self.replace(pid, number, scanned);
    }

    /// The same for a scan of a part of the descriptors of a process. The other descriptors stay as
    /// they are, but this scan does not confirm them.
    pub(crate) fn put_part(&mut self, pid: u32, part: Range<u32>, mut scanned: Scanned) {
        scanned.stamp = scanned.stamp.without_count();
        scanned.is_cut = true;
        let is_same = |known: &Scanned| {
            let is_same_process = known.stamp.is_same_process(scanned.stamp);
            let programs = known.process.as_ref().zip(scanned.process.as_ref());
            let is_same_program = programs.is_none_or(|(known, now)| Arc::ptr_eq(known, now));
            is_same_process && known.executable == scanned.executable && is_same_program
        };
        let known = self.processes.get(&pid).map(|known| &known.scanned);
        if !known.is_some_and(is_same) {
            return self.replace(pid, 0, scanned);
        }
        self.remember_recent(pid, None);
        let Some(known) = self.processes.get_mut(&pid).map(|known| &mut known.scanned) else {
            return;
        };
        let is_in = |descriptor: u32| part.contains(&descriptor);
        let old: Vec<_> = known
            .sockets
            .extract_if(.., |socket| is_in(socket.number))
            .collect();
        known.nameless.retain(|descriptor| !is_in(*descriptor));
        known.nameless.extend(scanned.nameless);
        known.sockets.extend(&scanned.sockets);
        let elsewhere = std::mem::replace(&mut known.elsewhere, scanned.elsewhere);
        (known.stamp, known.tables, known.is_cut) = (scanned.stamp, scanned.tables, true);
        known.program_at = scanned.program_at;
        if known.process.is_none() {
            (known.process, known.name) = (scanned.process, scanned.name);
        }
        let process = known.process.clone();
        let mut gone: Vec<u32> = old.iter().map(|socket| socket.inode).collect();
        gone.extend(elsewhere.iter().map(|(_, socket)| socket.inode));
        // This visits a process with very many sockets only once.
        let fresh: HashSet<u32> = scanned.sockets.iter().map(|socket| socket.inode).collect();
        gone.retain(|inode| !fresh.contains(inode) && !known.holds(*inode));
        let mut added: Vec<u32> = fresh.into_iter().collect();
        added.extend(known.elsewhere.iter().map(|(_, socket)| socket.inode));
        for inode in gone {
            self.remove_holder(inode, pid);
        }
        for inode in added {
            self.unowned.remove(&inode);
            self.add_holder(inode, pid, process.as_ref());
        }
    }

    /// Records that scans from the `number`th on have read all parts of the descriptors of a
    /// process.
    pub(crate) fn complete(&mut self, pid: u32, number: u64, stamp: FdStamp) {
        self.cursors.remove(&pid);
        if let Some(known) = self.processes.get_mut(&pid)
            && known.scanned.stamp.is_same_process(stamp)
        {
            known.number = known.number.max(number);
            (known.scanned.stamp, known.scanned.is_cut) = (stamp, false);
        }
    }

    fn replace(&mut self, pid: u32, number: u64, scanned: Scanned) {
        self.remember_recent(pid, Some(&scanned));
        self.forget(pid);
        for (_, descriptor) in scanned.all() {
            self.unowned.remove(&descriptor.inode);
        }
        for (_, descriptor) in scanned.all() {
            self.add_holder(descriptor.inode, pid, scanned.process.as_ref());
        }
        self.processes.insert(pid, Numbered { number, scanned });
    }

    /// Where the next scan continues in the descriptors of a process that has very many.
    pub(crate) fn cursor(&self, pid: u32) -> u32 {
        self.cursors.get(&pid).copied().unwrap_or_default()
    }

    pub(crate) fn set_cursor(&mut self, pid: u32, cursor: u32) {
        self.cursors.insert(pid, cursor);
    }

    /// Adds a socket, found by reading only its descriptor, to the result of the last scan of a
    /// process. It replaces the earlier socket at the same descriptor. False if the process is
    /// unknown, or is a different one.
    pub(crate) fn add_socket(
        &mut self,
        pid: u32,
        stamp: FdStamp,
        (socket, scan): (Descriptor, u64),
    ) -> bool {
        let Some(known) = self.processes.get_mut(&pid).map(|known| &mut known.scanned) else {
            return false;
        };
        let Some(process) = known.process.clone() else {
            return false;
        };
        if !known.stamp.is_same_process(stamp) {
            return false;
        }
        let inode = socket.inode;
        self.added = Some(Added { pid, inode, scan });
        // This did not check the other descriptors.
        known.stamp = known.stamp.without_count();
        let began = known.began;
        let mut sockets = known.sockets.iter_mut();
        let place = sockets.find(|old| old.number == socket.number);
        let Some(old) = place.map(|place| std::mem::replace(place, socket)) else {
            known.sockets.push(socket);
            self.add_holder(socket.inode, pid, Some(&process));
            return true;
        };
        if !known.holds(old.inode) {
            self.remove_holder(old.inode, pid);
            let process = Arc::clone(&process);
            self.recent_owners.add(old.inode, process, began, false);
        }
        self.add_holder(socket.inode, pid, Some(&process));
        true
    }

    /// Forgets that a process held a socket, as if it never had.
    pub(crate) fn evict_owner(&mut self, pid: u32, inode: u32) {
        if let Some(known) = self.processes.get_mut(&pid) {
            let known = &mut known.scanned;
            known.sockets.retain(|socket| socket.inode != inode);
            known.elsewhere.retain(|(_, socket)| socket.inode != inode);
        }
        self.remove_holder(inode, pid);
        self.recent_owners.evict_owner(pid, inode);
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

    /// Forgets a process that has exited, but remembers its sockets for a while.
    pub(crate) fn forget_gone(&mut self, pid: u32) {
        self.hints.forget(pid);
        self.remember_recent(pid, None);
        self.cursors.remove(&pid);
        self.forget(pid);
    }

    /// Forgets the sockets of a process that a scan failed to read: it may hold others now.
    pub(crate) fn forget_unread(&mut self, pid: u32) {
        self.cursors.remove(&pid);
        self.forget(pid);
    }

    /// Remembers for a moment which sockets a process held, except those that it still holds.
    fn remember_recent(&mut self, pid: u32, still: Option<&Scanned>) {
        let Some(known) = self.processes.get(&pid).map(|known| &known.scanned) else {
            return;
        };
        // A server with many sockets has no relevant ones.
        let Some(process) = known.process.clone() else {
            return;
        };
        if known.sockets.len() > MAX_RECENT_OF_ONE {
            return;
        }
        let is_still = |inode| still.is_some_and(|still| still.holds(inode));
        let inodes = known.all().map(|(_, socket)| socket.inode);
        let closed: Vec<u32> = inodes.filter(|inode| !is_still(*inode)).collect();
        let (began, is_cut) = (known.began, known.is_cut);
        for inode in closed {
            let process = Arc::clone(&process);
            self.recent_owners.add(inode, process, began, is_cut);
        }
    }

    fn forget(&mut self, pid: u32) {
        let Some(known) = self.processes.remove(&pid) else {
            return;
        };
        for (_, descriptor) in known.scanned.all() {
            self.remove_holder(descriptor.inode, pid);
        }
    }

    /// Forgets all processes except these, which must be sorted.
    pub(crate) fn forget_all_but(&mut self, alive: &[u32]) {
        let known = self.processes.keys().copied();
        let gone: Vec<u32> = known
            .filter(|pid| alive.binary_search(pid).is_err())
            .collect();
        for pid in gone {
            self.forget_gone(pid);
        }
    }

    /// Whether scans left out descriptors of some process, or may not read them.
    pub(crate) fn has_gaps(&self) -> bool {
        let mut all = self.processes.values();
        all.any(|known| known.scanned.is_hidden || known.scanned.is_cut)
    }

    /// The known descriptor tables of a process beside its own.
    pub(crate) fn tables(&self, pid: u32) -> Vec<Table> {
        let known = self.scanned(pid);
        known.map_or_else(Vec::new, |known| known.tables.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.processes.len()
    }

    /// All known processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.processes.keys().copied().collect()
    }

    pub(crate) fn scanned(&self, pid: u32) -> Option<&Scanned> {
        self.processes.get(&pid).map(|known| &known.scanned)
    }

    /// The holders of a socket.
    pub(crate) fn holders(&self, inode: u32) -> Vec<Holder> {
        let pids = self.by_inode.get(&inode).map_or(&[][..], Pids::as_slice);
        let holder = |pid: u32| {
            let known = self.processes.get(&pid)?;
            let mut sockets = known.scanned.all();
            let (table, found) = sockets.find(|(_, socket)| socket.inode == inode)?;
            let added = self
                .added
                .filter(|added| (added.pid, added.inode) == (pid, inode));
            Some(Holder {
                pid,
                descriptor: found.number,
                table,
                scan: added.map_or(known.number, |added| added.scan.max(known.number)),
            })
        };
        pids.iter().filter_map(|pid| holder(*pid)).collect()
    }

    /// The only holder of a socket; `Err` if there are none or several.
    pub(crate) fn only_holder(&self, inode: u32) -> Result<Arc<Process>, Count> {
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

    /// Whether a scan of everything found no holder of this socket, so that another search is
    /// needless for now.
    pub(crate) fn is_unowned(&self, inode: u32, now: Instant) -> bool {
        let is_known =
            |unowned: &Unowned| unowned.is_settled || now.duration_since(unowned.since) < NO_HOLDER;
        self.unowned.get(&inode).is_some_and(is_known)
    }

    /// Whether no process holds this socket: the search covered every place, and nothing was hidden
    /// from it.
    pub(crate) fn is_nobodys(&self, inode: u32) -> bool {
        self.unowned.get(&inode).is_some_and(|one| one.is_sure)
    }

    /// Whether something failed during the search for this socket.
    pub(crate) fn is_search_failed(&self, inode: u32) -> bool {
        self.unowned.get(&inode).is_some_and(|one| one.is_failed)
    }

    pub(crate) fn add_unowned(&mut self, inode: u32, unowned: Unowned) {
        if self.unowned.len() >= MAX_UNOWNED {
            self.unowned.clear();
        }
        self.unowned.insert(inode, unowned);
    }
}

/// How many processes hold a socket, if not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
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
            // The process has a second descriptor for it.
            _ if self.as_slice().contains(&pid) => {}
            Self::One(first, _) => *self = Self::More(vec![*first, pid]),
            Self::More(pids) => pids.push(pid),
        }
    }

    /// Removes a holder. Returns whether another one is left.
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
    use crate::tables::linux::options::LinuxOptions;
    use crate::tables::linux::procfs::proc::Proc;

    /// A scan of this process that found these sockets, each as inode and descriptor.
    fn scanned(stamp: FdStamp, sockets: &[(u32, u32)]) -> Scanned {
        let descriptor = |(inode, number): &(u32, u32)| Descriptor {
            inode: *inode,
            number: *number,
        };
        Scanned {
            stamp,
            began: Instant::now(),
            sockets: sockets.iter().map(descriptor).collect(),
            nameless: Vec::new(),
            tables: Vec::new(),
            elsewhere: Vec::new(),
            executable: None,
            name: String::new(),
            program_at: Monotonic::now(),
            process: Some(Arc::new(Process::new(1, "one"))),
            is_hidden: false,
            is_cut: false,
        }
    }

    fn stamp() -> FdStamp {
        let options = LinuxOptions::default();
        let proc = Proc::open(&options.proc, options.descriptor_counts).unwrap();
        proc.stamp(std::process::id()).unwrap()
    }

    #[test]
    fn a_socket_replaces_the_one_before() {
        let (mut index, stamp, now) = (Index::default(), stamp(), Instant::now());
        let added = |inode, number| (Descriptor { inode, number }, 9);
        assert!(!index.add_socket(1, stamp, added(50, 4)));
        index.put(1, 1, scanned(stamp, &[(10, 3), (20, 4), (20, 5)]));
        assert!(index.add_socket(1, stamp, added(30, 3)));
        assert_eq!(index.holders(30)[0].descriptor, 3);
        // The scan of this socket is later than that of the others.
        assert_eq!(
            (index.holders(30)[0].scan, index.holders(20)[0].scan),
            (9, 1)
        );
        assert!(index.holders(10).is_empty());
        assert_eq!(index.recent_owners.of_socket(10, now)[0].pid, 1);
        // The other descriptor still refers to it.
        assert!(index.add_socket(1, stamp, added(40, 4)));
        assert_eq!(index.holders(20)[0].descriptor, 5);
        assert!(index.add_socket(1, stamp, added(50, 6)));
        assert_eq!(index.holders(50)[0].descriptor, 6);
        // The next scan must read the descriptors that this one left out.
        assert!(!index.scanned(1).unwrap().stamp.is_same(stamp));
        index.forget_gone(1);
        assert!(
            [20, 30, 40, 50]
                .into_iter()
                .all(|inode| index.holders(inode).is_empty())
        );
    }
}
