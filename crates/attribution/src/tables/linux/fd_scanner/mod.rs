//! Which processes hold a socket: where to search, in which order, and how often.
//!
//! Reading descriptors is the expensive half of a lookup, so the search begins with likely processes:
//! those that started last, those that are known to hold the socket, and those that held others
//! before. Then it reads every process whose count of descriptors changed. The count is a hint, not
//! proof (a process may open one and close one), so at last the search reads everything.
//!
//! Several threads may search at the same time. All of them write to one [`Index`], and no thread
//! locks it while it reads `/proc`.

mod adopted;
mod aim;
mod confirm;
pub(crate) mod coverage;
mod elsewhere;
mod flight;
mod hints;
pub(crate) mod index;
mod kcmp;
mod miss;
pub(crate) mod others;
mod program;
mod recent;
mod scan;
mod search;
mod wanted;

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::netlink::executions::Executions;
use super::netlink::message::DiagSocket;
use super::options::LinuxOptions;
use super::procfs::facts::Facts;
use super::procfs::proc::{Descriptor, Part, Proc, ReadBuffers, Table};
use crate::answer::Process;
use crate::answer::matching::distinct;
use crate::policy::freshness::{HOLDERS, NEW_PROCESS_WINDOW};
use crate::policy::time_budget::TimeBudget;
use aim::Aim;
pub(crate) use aim::Gaps;
use coverage::CoveredUntil;
use index::{Count, Holder, Index, Unowned};
pub(crate) use wanted::{Kind, Wanted};

/// The number of processes from which on a second thread is worth its start.
const MANY: usize = 64;
/// The time budget for slow places: a burst, and the share of the time that refills it.
const BUDGET: Duration = Duration::from_millis(250);
const SHARE: u32 = 4;
/// How often a search scans the processes again that started, exited or changed during it.
const ROUNDS: usize = 3;

/// Finds the processes that hold a socket.
#[derive(Debug)]
pub(crate) struct FdScanner {
    proc: Arc<Proc>,
    facts: Facts,
    /// `None` where the kernel does not report them to this process.
    executions: Option<Arc<Executions>>,
    sees_all_pids: bool,
    index: Mutex<Index>,
    scans: AtomicU64,
    /// When the last scan of changed processes began, and the last scan of everything.
    refreshed: Mutex<Option<Instant>>,
    scanned_all: Mutex<Option<Everywhere>>,
    budget: Mutex<TimeBudget>,
    /// The newest id when all processes were listed.
    listed_until: Mutex<Option<u32>>,
    /// Until when searches for further holders have covered the processes.
    covered_until: Mutex<CoveredUntil>,
    /// Whether the ids that `/proc` lists are those of this process' own namespace.
    sees_own_ids: bool,
}

/// A scan of everything.
#[derive(Debug, Clone, Copy)]
struct Everywhere {
    began: Instant,
    /// Whether it also covered the places that an ordinary lookup skips.
    is_deep: bool,
    /// Whether it read everything that it may read.
    is_complete: bool,
    /// Whether a permitted read failed.
    is_failed: bool,
}

/// The processes to check for changes, and those that have changed.
#[derive(Debug)]
pub(crate) struct Checks {
    began: Instant,
    pids: Vec<u32>,
    /// Whether there may be other processes.
    is_unlisted: bool,
    next: AtomicUsize,
    changed: Mutex<Vec<u32>>,
}

impl FdScanner {
    /// An empty index.
    pub(crate) fn open(options: &LinuxOptions) -> io::Result<Self> {
        let proc = Proc::open(&options.proc, options.descriptor_counts)?;
        let executions = options
            .executions
            .then(|| program::reports(&proc))
            .flatten();
        let sees_own_ids = proc.lists_own_ids();
        Ok(Self {
            executions,
            sees_all_pids: proc.lists_all() && proc.hides_nothing(),
            proc: Arc::new(proc),
            facts: Facts::new(),
            index: Mutex::default(),
            scans: AtomicU64::new(1),
            refreshed: Mutex::default(),
            scanned_all: Mutex::default(),
            budget: Mutex::new(TimeBudget::full(BUDGET, SHARE, Instant::now())),
            listed_until: Mutex::default(),
            covered_until: Mutex::default(),
            sees_own_ids,
        })
    }

    pub(crate) fn proc(&self) -> &Arc<Proc> {
        &self.proc
    }

    /// The processes that hold a socket, as far as microseconds show it, lowest pid first. This
    /// includes processes that held it at the given time or later and have closed it since. If the
    /// search does not soon find a process, `is_open` decides whether any can still have it.
    pub(crate) fn quick(
        &self,
        wanted: &Wanted,
        seen_since: Instant,
        buffers: &mut ReadBuffers,
        mut is_open: impl FnMut() -> bool,
    ) -> Vec<Arc<Process>> {
        let since = self.next_check();
        if !wanted.first_is_enough {
            self.scan_for_inherited(wanted, buffers);
        }
        let known = self.known(wanted.inode, since, buffers);
        if !known.is_empty() {
            return known;
        }
        self.scan_likely(wanted, buffers, &mut is_open);
        let found = self.known(wanted.inode, since, buffers);
        self.note_winners(wanted);
        // While the socket exists, some process has received it from the last known holder.
        if found.is_empty() && !is_open() {
            return self
                .index()
                .recent_owners
                .of_socket(wanted.inode, seen_since);
        }
        found
    }

    /// All processes that hold a socket, lowest pid first. This does not repeat scans that began
    /// after `asked`, so that many lookups share them.
    pub(crate) fn all(
        &self,
        wanted: &Wanted,
        asked: Instant,
        buffers: &mut ReadBuffers,
        mut is_open: impl FnMut() -> bool,
    ) -> Vec<Arc<Process>> {
        let inode = wanted.inode;
        let since = self.next_check();
        let mut found = self.quick(wanted, asked, buffers, &mut is_open);
        if found.is_empty() && !is_open() {
            return found;
        }
        let refreshed = *lock(&self.refreshed);
        let is_since = |scan: Option<Instant>, time: Instant| scan.is_some_and(|at| at >= time);
        let is_fresh = |at: Instant| at + HOLDERS >= asked;
        let is_unowned = self.is_unowned(inode);
        let is_to_be_found = found.is_empty() && !is_unowned;
        if !refreshed.is_some_and(is_fresh) || (is_to_be_found && !is_since(refreshed, asked)) {
            self.refresh(Some(wanted), buffers);
            let again = self.known(inode, since, buffers);
            if !again.is_empty() {
                found = again;
            }
        } else if wanted.first_is_enough && self.scan_for_inherited(wanted, buffers) {
            // A process that started since then has the sockets of its parent.
            let again = self.known(inode, since, buffers);
            if !again.is_empty() {
                found = again;
            }
        }
        if found.is_empty() && !is_unowned {
            let search = self.look_everywhere(wanted, asked, buffers, &mut is_open);
            found = self.known(inode, since, buffers);
            if found.is_empty() {
                self.give_up(wanted, search, buffers);
            }
        }
        self.note_winners(wanted);
        found
    }

    /// Scans everything, then the places where descriptors seldom are.
    fn look_everywhere(
        &self,
        wanted: &Wanted,
        asked: Instant,
        buffers: &mut ReadBuffers,
        mut is_open: impl FnMut() -> bool,
    ) -> Everywhere {
        let last = *lock(&self.scanned_all);
        let last = last.filter(|last| last.began >= asked);
        let mut last = last.unwrap_or_else(|| {
            let began = Instant::now();
            let mut gaps = self.scan_all(Some(wanted), buffers);
            // A process that exited may have passed the socket to one that was scanned before.
            let mut rounds = 1..ROUNDS;
            while (gaps.vanished || self.is_any_unlisted(buffers))
                && !self.is_held(wanted)
                && is_open()
                && rounds.next().is_some()
            {
                gaps.vanished = false;
                let again = self.refresh(Some(wanted), buffers);
                gaps.vanished |= again.vanished;
                gaps.unread |= again.unread;
                gaps.failed |= again.failed;
            }
            Everywhere {
                began,
                is_deep: false,
                is_failed: gaps.failed,
                is_complete: gaps.are_none() && !self.is_any_unlisted(buffers),
            }
        });
        if !last.is_deep && !self.is_held(wanted) && is_open() {
            last.is_complete &= self.scan_elsewhere(wanted, buffers);
            last.is_deep = true;
        }
        *lock(&self.scanned_all) = Some(last);
        last
    }

    /// Remembers that the search found no holder of a socket.
    fn give_up(&self, wanted: &Wanted, search: Everywhere, buffers: &mut ReadBuffers) {
        let is_complete = search.is_deep && search.is_complete;
        let is_sure = is_complete && self.sees_all_pids && !self.index().has_gaps();
        // Only sockets of root may belong to the kernel, and only that case needs this.
        let is_sure = is_sure && wanted.uid == 0 && !self.is_any_in_flight(buffers);
        let unowned = Unowned {
            since: Instant::now(),
            is_settled: is_complete,
            is_failed: search.is_failed,
            is_sure,
        };
        self.index().add_unowned(wanted.inode, unowned);
    }

    /// Whether a search of everything found no holder of this socket, and no later scan found one.
    pub(crate) fn is_unowned(&self, inode: u32) -> bool {
        self.index().is_unowned(inode, Instant::now())
    }

    /// Whether no process holds this socket, so that the kernel itself does: the search read
    /// everything, and nothing was hidden from it.
    pub(crate) fn is_nobodys(&self, inode: u32) -> bool {
        self.index().is_nobodys(inode)
    }

    /// Whether the search for the holders of this socket failed.
    pub(crate) fn is_search_failed(&self, inode: u32) -> bool {
        self.index().is_search_failed(inode)
    }

    /// Whether all processes were scanned before.
    pub(crate) fn is_refreshed(&self) -> bool {
        lock(&self.refreshed).is_some()
    }

    /// Whether no process is known yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.index().count() == 0
    }

    /// Whether there are so many processes that a second thread is worth its start.
    pub(crate) fn are_many(&self) -> bool {
        self.index().count() >= MANY
    }

    /// Scans every changed process again, and forgets those that have exited. For one wanted socket
    /// this has limits; otherwise it reads all of each process.
    pub(crate) fn refresh(&self, wanted: Option<&Wanted>, buffers: &mut ReadBuffers) -> Gaps {
        let checks = self.checks(self.has_new_processes(), buffers);
        self.check(&checks);
        self.look_at_changed(checks, wanted, buffers)
    }

    /// The parts of [`refresh`](Self::refresh) that several threads share: each calls
    /// [`check`](Self::check), and then one of them calls
    /// [`look_at_changed`](Self::look_at_changed).
    pub(crate) fn checks(&self, has_new_processes: bool, buffers: &mut ReadBuffers) -> Checks {
        let began = Instant::now();
        let (pids, is_listed) = self.living(has_new_processes, buffers);
        Checks {
            began,
            pids,
            is_unlisted: !is_listed,
            next: AtomicUsize::new(0),
            changed: Mutex::default(),
        }
    }

    /// Finds the processes that changed, as long as some are unchecked.
    pub(crate) fn check(&self, checks: &Checks) {
        /// The number of processes that a thread takes at a time.
        const SOME: usize = 16;
        loop {
            let start = checks.next.fetch_add(SOME, Ordering::Relaxed);
            let Some(pids) = checks.pids.get(start..) else {
                return;
            };
            let pids = pids.iter().take(SOME).copied();
            // A process that holds sockets may execute another program with the same number of
            // descriptors.
            let has_changed = |pid: u32| {
                self.has_changed(pid) || (self.is_holder(pid) && self.executes_another(pid))
            };
            let changed: Vec<u32> = pids.filter(|pid| has_changed(*pid)).collect();
            lock(&checks.changed).extend(changed);
        }
    }

    /// Scans the processes that have changed.
    pub(crate) fn look_at_changed(
        &self,
        checks: Checks,
        wanted: Option<&Wanted>,
        buffers: &mut ReadBuffers,
    ) -> Gaps {
        let changed = checks.changed.into_inner();
        let changed = changed.unwrap_or_else(PoisonError::into_inner);
        let mut gaps = self.scan_each(changed, self.aim(wanted), buffers);
        gaps.failed |= checks.is_unlisted;
        *lock(&self.refreshed) = Some(checks.began);
        gaps
    }

    /// Reads the descriptors of every process.
    pub(crate) fn scan_all(&self, wanted: Option<&Wanted>, buffers: &mut ReadBuffers) -> Gaps {
        let began = Instant::now();
        let (pids, is_listed) = self.living(self.has_new_processes(), buffers);
        let mut gaps = self.scan_each(pids, self.aim(wanted), buffers);
        gaps.failed |= !is_listed;
        *lock(&self.refreshed) = Some(began);
        *lock(&self.scanned_all) = Some(Everywhere {
            began,
            is_deep: false,
            is_complete: gaps.are_none(),
            is_failed: gaps.failed,
        });
        gaps
    }

    /// The first scan of everything has no limit: nothing is known yet.
    fn aim<'a>(&self, wanted: Option<&'a Wanted>) -> Aim<'a> {
        match wanted {
            Some(wanted) if lock(&self.refreshed).is_some() => Aim::One(wanted),
            _ => Aim::All,
        }
    }

    /// The known holders of a socket: those that a scan since the given one found, even if they
    /// have exited by now, and those that still hold it.
    pub(crate) fn known(
        &self,
        inode: u32,
        since: u64,
        buffers: &mut ReadBuffers,
    ) -> Vec<Arc<Process>> {
        let mut processes = Vec::new();
        let young_since = self.young_since();
        let holders = self.index().holders(inode);
        for holder in holders {
            let pid = holder.pid;
            let is_seen = |holder: &Holder| self.is_seen(inode, holder, since);
            // The process may have moved it to another descriptor, or executes another program.
            if !is_seen(&holder) || (holder.scan < since && self.executes_another(pid)) {
                let scanned = self.scan(pid, Part::End, buffers);
                drop(scanned.inspect_err(|miss| tracing::trace!(?miss, pid, "not scanned")));
            }
            let still = self.index().holders(inode);
            let still = still.into_iter().find(|holder| holder.pid == pid);
            // A partial scan leaves earlier results in place.
            let Some(holder) = still.filter(is_seen) else {
                continue;
            };
            let index = self.index();
            let process = index.scanned(pid).and_then(|known| known.process.clone());
            drop(index);
            let process = process.map(|one| self.since_fork(one, young_since, buffers));
            let young = process.as_ref().filter(|one| one.started > young_since);
            let parent = young.and_then(|process| process.parent);
            processes.extend(process);
            if let Some(parent) = parent.filter(|_| holder.table == Table::Process) {
                let number = holder.descriptor;
                let socket = Descriptor { inode, number };
                processes.extend(self.parent_holder(parent, socket, buffers));
            }
        }
        distinct(processes)
    }

    /// Whether a scan since the given one found the holder, or its descriptor still refers to the
    /// socket.
    fn is_seen(&self, inode: u32, holder: &Holder, since: u64) -> bool {
        let number = holder.descriptor;
        let socket = Descriptor { inode, number };
        holder.scan >= since || self.proc.holds(holder.pid, holder.table, socket)
    }

    /// Remembers where the search found a socket.
    fn note_winners(&self, wanted: &Wanted) {
        let index = &mut *self.index();
        for Holder {
            pid, descriptor, ..
        } in index.holders(wanted.inode)
        {
            index.hints.add_winner(wanted.kind, pid, descriptor);
        }
    }

    /// The parent of a holder, if the holder has the socket from there: until it executes its
    /// program, a new process has all descriptors of its parent.
    fn parent_holder(
        &self,
        parent: u32,
        socket: Descriptor,
        buffers: &mut ReadBuffers,
    ) -> Option<Arc<Process>> {
        if self.proc.socket(parent, socket.number) != Some(socket.inode) {
            return self.holder_with_threads(parent, socket.inode, buffers);
        }
        if !self.add_socket(parent, socket) && self.scan(parent, Part::End, buffers).is_err() {
            return None;
        }
        let index = self.index();
        let mut holders = index.holders(socket.inode).into_iter();
        let is_held = holders.any(|holder| holder.pid == parent);
        let known = index.scanned(parent).filter(|_| is_held);
        known.and_then(|known| known.process.clone())
    }

    /// The number of the scan that comes next.
    pub(crate) fn next_check(&self) -> u64 {
        self.scans.load(Ordering::Relaxed)
    }

    /// The earliest start time at which a process still counts as new.
    pub(crate) fn young_since(&self) -> Option<SystemTime> {
        self.facts.now().checked_sub(NEW_PROCESS_WINDOW)
    }

    /// The only known holder of a socket, without another scan; it is
    /// [remembered](Index::remember). A holder that started since the given time may have the
    /// socket [from its parent](Self::parent_holder).
    pub(crate) fn only_known(
        &self,
        found: &DiagSocket,
        asked: Instant,
        young_since: Option<SystemTime>,
    ) -> Result<Arc<Process>, Count> {
        let index = &mut *self.index();
        let process = index.only_holder(found.inode)?;
        if process.started > young_since {
            return Err(Count::OneAtLeast);
        }
        index
            .recent_owners
            .remember(found.cookie, std::slice::from_ref(&process), asked);
        Ok(process)
    }

    /// The reader of processes and users.
    pub(crate) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Adds a socket to the known ones of a process without another scan, because a server may have
    /// very many. False if the process is unknown or has changed.
    fn add_socket(&self, pid: u32, socket: Descriptor) -> bool {
        let scan = self.scans.fetch_add(1, Ordering::Relaxed);
        let Ok(stamp) = self.proc.stamp(pid) else {
            return false;
        };
        let is_as_it_was = !self.executes_another(pid);
        let added = (socket, scan);
        is_as_it_was && self.index().add_socket(pid, stamp, added)
    }

    /// All processes, and whether they could be listed; forgets all others. Does not list them
    /// again if no process has started since the last list.
    fn living(&self, has_new_processes: bool, buffers: &mut ReadBuffers) -> (Vec<u32>, bool) {
        if !has_new_processes {
            return (self.index().pids(), true);
        }
        let newest = self.proc.newest_id();
        let listed = self.proc.pids(buffers);
        let listed = listed.or_else(|_| {
            let _room = self.proc.make_room();
            self.proc.pids(buffers)
        });
        let mut pids = match listed {
            Ok(pids) => pids,
            Err(error) => {
                tracing::warn!(%error, "processes are not listed");
                return (self.index().pids(), false);
            }
        };
        if let Some(newest) = newest {
            self.index().hints.begin_after(newest);
        }
        *lock(&self.listed_until) = newest;
        pids.sort_unstable();
        self.index().forget_all_but(&pids);
        (pids, true)
    }

    /// Whether a process may have started since all were listed.
    pub(crate) fn has_new_processes(&self) -> bool {
        let newest = self.proc.newest_id();
        newest.is_none() || *lock(&self.listed_until) != newest
    }

    /// Whether a process exists that has started since all were listed.
    fn is_any_unlisted(&self, buffers: &mut ReadBuffers) -> bool {
        if !self.has_new_processes() {
            return false;
        }
        let listed = self.proc.pids(buffers);
        let index = self.index();
        listed.map_or(true, |pids| {
            pids.iter().any(|pid| index.scanned(*pid).is_none())
        })
    }

    /// A short-lived thread calls this, because its id is not that of a new process.
    pub(crate) fn ignore_this_thread(&self) {
        let id = rustix::thread::gettid()
            .as_raw_nonzero()
            .get()
            .unsigned_abs();
        let mut listed_until = lock(&self.listed_until);
        if *listed_until == Some(id.saturating_sub(1)) {
            *listed_until = Some(id);
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.index)
    }
}

/// Between calls the guarded data is consistent, even after a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
