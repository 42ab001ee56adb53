//! Which processes hold a socket: where to look, in which order, and how often.
//!
//! Descriptors are the expensive half of a question, so the likely processes come
//! first: those that were started last, those that are known to hold it, and those
//! that answered before. Then everything that changed, by the count of descriptors
//! that the folder tells. The count is a hint, not proof (one opened, one closed), so
//! at last everything is read.
//!
//! One thread may look while another does: what they find goes into one [`Index`],
//! which is never locked while `/proc` is read.

mod confirm;
mod likely;
mod looks;

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::facts::Facts;
use super::index::{Count, Holder, Index, YOUTH};
use super::message::DiagSocket;
use super::options::LinuxOptions;
use super::proc::{Descriptor, Proc, Scratch};
use crate::matching::distinct;
use crate::{Process, User};

/// How old the look at what changed may be when it is said who holds a socket: a
/// descriptor that was passed to another process since may be missed.
const FRESH: Duration = Duration::from_millis(100);
/// Processes for which a second thread is worth its start.
const MANY: usize = 64;

/// A socket whose holders are looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) inode: u32,
    /// Of whoever opened it.
    pub(super) uid: u32,
    pub(super) kind: Kind,
    /// Whether the search may end with the first holder: a connection hardly has
    /// another one when its first packet is seen.
    pub(super) first_is_enough: bool,
}

/// How a socket came to be: a process mostly has the next one of a kind in the place of the
/// one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of no peer.
    Waiting,
    /// Or accepted, which is not known.
    Connection,
    Accepted,
}

/// Finds the processes that hold a socket.
#[derive(Debug)]
pub(super) struct Holders {
    proc: Arc<Proc>,
    facts: Facts,
    sees_all_pids: bool,
    index: Mutex<Index>,
    looks: AtomicU64,
    /// When the last look at what changed began, and at everything.
    refreshed: Mutex<Option<Instant>>,
    scanned_all: Mutex<Option<Instant>>,
    /// The newest id when all processes were listed.
    listed_until: Mutex<Option<u32>>,
}

/// Which processes are to be checked for changes, and which of them have.
#[derive(Debug)]
pub(super) struct Checks {
    began: Instant,
    pids: Vec<u32>,
    next: AtomicUsize,
    changed: Mutex<Vec<u32>>,
}

impl Holders {
    /// An empty index.
    pub(super) fn open(options: &LinuxOptions) -> io::Result<Self> {
        let proc = Proc::open(&options.proc, options.descriptor_counts)?;
        Ok(Self {
            sees_all_pids: proc.lists_all() && rustix::process::geteuid().is_root(),
            proc: Arc::new(proc),
            facts: Facts::new(),
            index: Mutex::default(),
            looks: AtomicU64::new(1),
            refreshed: Mutex::default(),
            scanned_all: Mutex::default(),
            listed_until: Mutex::default(),
        })
    }

    pub(super) fn proc(&self) -> &Arc<Proc> {
        &self.proc
    }

    /// The processes that hold a socket as far as microseconds tell, lowest pid first. Where
    /// it is not found soon, `is_open` tells whether anybody still has it.
    pub(super) fn quick(
        &self,
        wanted: &Wanted,
        scratch: &mut Scratch,
        is_open: impl FnMut() -> bool,
    ) -> Vec<Arc<Process>> {
        let since = self.next_look();
        if !wanted.first_is_enough {
            self.look_for_heirs(wanted, scratch);
        }
        let known = self.known(wanted.inode, since, scratch);
        if !known.is_empty() {
            return known;
        }
        self.look_at_likely(wanted, scratch, is_open);
        let found = self.known(wanted.inode, since, scratch);
        self.note_winners(wanted);
        if found.is_empty() {
            return self.index().memory.lately(wanted.inode, Instant::now());
        }
        found
    }

    /// All processes that hold a socket, lowest pid first. Looks that began after
    /// `asked` are not repeated, so that many questions share them.
    pub(super) fn all(
        &self,
        wanted: &Wanted,
        asked: Instant,
        scratch: &mut Scratch,
        mut is_open: impl FnMut() -> bool,
    ) -> Vec<Arc<Process>> {
        let Wanted { inode, uid, .. } = *wanted;
        let since = self.next_look();
        let mut found = self.quick(wanted, scratch, &mut is_open);
        if found.is_empty() && !is_open() {
            return found;
        }
        let refreshed = *lock(&self.refreshed);
        let is_since = |look: Option<Instant>, time: Instant| look.is_some_and(|at| at >= time);
        let is_fresh = |at: Instant| at + FRESH >= asked;
        let is_orphan = self.is_orphan(inode);
        let is_to_be_found = found.is_empty() && !is_orphan;
        if !refreshed.is_some_and(is_fresh) || (is_to_be_found && !is_since(refreshed, asked)) {
            self.refresh(uid, scratch);
            let again = self.known(inode, since, scratch);
            if !again.is_empty() {
                found = again;
            }
        }
        if found.is_empty() && !is_orphan {
            if !is_since(*lock(&self.scanned_all), asked) {
                self.scan_all(uid, scratch);
            }
            found = self.known(inode, since, scratch);
            if found.is_empty() {
                self.index().add_orphan(inode);
            }
        }
        self.note_winners(wanted);
        found
    }

    /// Whether a look at everything found nobody who holds this socket, and no look since.
    pub(super) fn is_orphan(&self, inode: u32) -> bool {
        self.index().is_orphan(inode)
    }

    /// Whether no process is known yet.
    pub(super) fn is_empty(&self) -> bool {
        self.index().count() == 0
    }

    /// Whether there are so many processes that a second thread is worth its start.
    pub(super) fn are_many(&self) -> bool {
        self.index().count() >= MANY
    }

    /// Looks again at every process that changed; forgets those that are gone.
    pub(super) fn refresh(&self, uid: u32, scratch: &mut Scratch) {
        let checks = self.checks(self.is_anybody_new(), scratch);
        self.check(&checks);
        self.look_at_changed(checks, uid, scratch);
    }

    /// What several threads can do of [`refresh`](Self::refresh): each calls
    /// [`check`](Self::check), and one of them [`look_at_changed`](Self::look_at_changed)
    /// after that.
    pub(super) fn checks(&self, is_anybody_new: bool, scratch: &mut Scratch) -> Checks {
        Checks {
            began: Instant::now(),
            pids: self.living(is_anybody_new, scratch),
            next: AtomicUsize::new(0),
            changed: Mutex::default(),
        }
    }

    /// Finds out which processes changed, as long as there are some left.
    pub(super) fn check(&self, checks: &Checks) {
        /// At a time.
        const SOME: usize = 16;
        loop {
            let start = checks.next.fetch_add(SOME, Ordering::Relaxed);
            let Some(pids) = checks.pids.get(start..) else {
                return;
            };
            let pids = pids.iter().take(SOME).copied();
            let changed: Vec<u32> = pids.filter(|pid| self.has_changed(*pid)).collect();
            lock(&checks.changed).extend(changed);
        }
    }

    /// Looks again at the processes that were found to have changed.
    pub(super) fn look_at_changed(&self, checks: Checks, uid: u32, scratch: &mut Scratch) {
        let changed = checks.changed.into_inner();
        let changed = changed.unwrap_or_else(PoisonError::into_inner);
        self.scan_each(changed, uid, scratch);
        *lock(&self.refreshed) = Some(checks.began);
    }

    /// Reads the descriptors of every process.
    pub(super) fn scan_all(&self, uid: u32, scratch: &mut Scratch) {
        let began = Instant::now();
        let pids = self.living(self.is_anybody_new(), scratch);
        self.scan_each(pids, uid, scratch);
        *lock(&self.refreshed) = Some(began);
        *lock(&self.scanned_all) = Some(began);
    }

    /// The processes known to hold a socket: those that did in a look since the given
    /// one, also if they have exited by now, and those that still do.
    pub(super) fn known(&self, inode: u32, since: u64, scratch: &mut Scratch) -> Vec<Arc<Process>> {
        let mut processes = Vec::new();
        let young_since = self.young_since();
        let holders = self.index().holders(inode);
        for holder in holders {
            let pid = holder.pid;
            let is_there =
                holder.look >= since || self.proc.socket(pid, holder.descriptor) == Some(inode);
            // Moved to another descriptor, perhaps; or it executes something else.
            if !is_there || (holder.look < since && self.executes_another(pid)) {
                self.scan(pid, scratch);
            }
            let still = self.index().holders(inode);
            let Some(holder) = still.into_iter().find(|holder| holder.pid == pid) else {
                continue;
            };
            let index = self.index();
            let process = index.scanned(pid).and_then(|known| known.process.clone());
            drop(index);
            let young = process.as_ref().filter(|one| one.started > young_since);
            let parent = young.and_then(|process| process.parent);
            processes.extend(process);
            if let Some(parent) = parent {
                let number = holder.descriptor;
                let socket = Descriptor { inode, number };
                processes.extend(self.bequeather(parent, socket, scratch));
            }
        }
        distinct(processes)
    }

    /// Keeps in mind where a socket was found.
    fn note_winners(&self, wanted: &Wanted) {
        let index = &mut *self.index();
        for Holder {
            pid, descriptor, ..
        } in index.holders(wanted.inode)
        {
            index.likely.add_winner(wanted.kind, pid, descriptor);
        }
    }

    /// The process that started a holder, if the holder has the socket from there: until it
    /// executes its program, a new process has all that its parent has.
    fn bequeather(
        &self,
        parent: u32,
        socket: Descriptor,
        scratch: &mut Scratch,
    ) -> Option<Arc<Process>> {
        if self.proc.socket(parent, socket.number) != Some(socket.inode) {
            return None;
        }
        if !self.add_socket(parent, socket) {
            self.scan(parent, scratch);
        }
        let index = self.index();
        let mut holders = index.holders(socket.inode).into_iter();
        let is_held = holders.any(|holder| holder.pid == parent);
        let known = index.scanned(parent).filter(|_| is_held);
        known.and_then(|known| known.process.clone())
    }

    /// Whether a process was gone when it was read: its parent is not told any more
    /// (`do_task_stat` in `fs/proc/array.c`), as of one that was started from outside.
    pub(super) fn is_gone(&self, process: &Process) -> bool {
        process.parent == Some(0) && self.proc.mark(process.pid).is_err()
    }

    /// Forgets that a process that is gone ever held a socket: another one does.
    pub(super) fn disown(&self, process: &Process, inode: u32) {
        self.index().disown(process.pid, inode);
    }

    /// The number of the look that comes next.
    pub(super) fn next_look(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// The start time of the oldest process that may just have been started.
    pub(super) fn young_since(&self) -> Option<SystemTime> {
        self.facts.now().checked_sub(YOUTH)
    }

    /// The only process that is known to hold a socket, without another look; it is
    /// [remembered](Index::remember). One that was started since the given time may
    /// [have it from another](Self::bequeather).
    pub(super) fn only_known(
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
            .memory
            .remember(found.cookie, std::slice::from_ref(&process), asked);
        Ok(process)
    }

    /// Remembers who had a connection; see [`Index::remember`].
    pub(super) fn remember(&self, cookie: u64, owners: &[Arc<Process>]) {
        self.index().memory.remember(cookie, owners, Instant::now());
    }

    /// Who had a connection that is closed by now.
    pub(super) fn remembered(&self, cookie: u64) -> Vec<Arc<Process>> {
        self.index().memory.remembered(cookie).to_vec()
    }

    /// Whether no process is hidden, so that a socket which nobody holds is held by the
    /// kernel itself.
    pub(super) fn sees_all(&self) -> bool {
        self.sees_all_pids && !self.index().has_hidden()
    }

    /// The name of a user.
    pub(super) fn user(&self, uid: u32) -> User {
        self.facts.user(uid)
    }

    /// Adds a socket to what is known of a process, which need not be looked at for that
    /// again: a server may have very many. False if it is not known, or not as it was.
    fn add_socket(&self, pid: u32, socket: Descriptor) -> bool {
        let look = self.looks.fetch_add(1, Ordering::Relaxed);
        let Ok(mark) = self.proc.mark(pid) else {
            return false;
        };
        let is_as_it_was = !self.executes_another(pid);
        let added = (socket, look);
        is_as_it_was && self.index().add_socket(pid, mark, added, Instant::now())
    }

    /// All processes; the others are forgotten. Where it is known that none was started
    /// since they were listed, they are not listed again.
    fn living(&self, is_anybody_new: bool, scratch: &mut Scratch) -> Vec<u32> {
        if !is_anybody_new {
            return self.index().pids();
        }
        let newest = self.proc.newest_id();
        if let Some(newest) = newest {
            self.index().likely.begin_after(newest);
        }
        *lock(&self.listed_until) = newest;
        let mut pids = Vec::new();
        self.proc.pids(scratch, &mut pids);
        pids.sort_unstable();
        self.index().forget_all_but(&pids, Instant::now());
        pids
    }

    /// Whether a process may have been started since all were listed.
    pub(super) fn is_anybody_new(&self) -> bool {
        let newest = self.proc.newest_id();
        newest.is_none() || *lock(&self.listed_until) != newest
    }

    /// To be called by a thread that was started for a moment: it is nobody new.
    pub(super) fn ignore_this_thread(&self) {
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

/// What is guarded is whole between calls, also after a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
