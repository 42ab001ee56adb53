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

use std::cmp::Reverse;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::facts::{self, Facts};
use super::index::{Count, Index, Scanned};
use super::options::LinuxOptions;
use super::proc::{Proc, Scratch};
use crate::{Process, User};

/// How old the look at what changed may be when it is said who holds a socket: a
/// descriptor that was passed to another process since may be missed.
const FRESH: Duration = Duration::from_millis(100);
/// Processes for which a second thread is worth its start.
const MANY: usize = 64;

/// Finds the processes that hold a socket.
#[derive(Debug)]
pub(super) struct Holders {
    proc: Proc,
    facts: Facts,
    sees_all_pids: bool,
    index: Mutex<Index>,
    looks: AtomicU64,
    /// When the last look at what changed began, and at everything.
    refreshed: Mutex<Option<Instant>>,
    scanned_all: Mutex<Option<Instant>>,
}

impl Holders {
    /// An empty index.
    pub(super) fn open(options: &LinuxOptions) -> io::Result<Self> {
        let proc = Proc::open(&options.proc, options.descriptor_counts)?;
        let facts = Facts::new(&proc, &mut Scratch::default())?;
        Ok(Self {
            proc,
            facts,
            sees_all_pids: sees_all_pids(),
            index: Mutex::default(),
            looks: AtomicU64::new(1),
            refreshed: Mutex::default(),
            scanned_all: Mutex::default(),
        })
    }

    /// The processes that hold a socket as far as microseconds tell, lowest pid first.
    pub(super) fn quick(&self, inode: u32, uid: u32, scratch: &mut Scratch) -> Vec<Arc<Process>> {
        self.look_at_young(scratch);
        let found = self.known(inode, scratch);
        if !found.is_empty() {
            return found;
        }
        let winners = self.index().winners(uid);
        for (pid, descriptor) in winners {
            let holds = self.proc.socket(pid, descriptor) == Some(inode);
            if (holds || self.has_changed(pid)) && self.scan(pid, scratch) {
                let found = self.known(inode, scratch);
                if !found.is_empty() {
                    return found;
                }
            }
        }
        Vec::new()
    }

    /// All processes that hold a socket, lowest pid first. Looks that began after
    /// `asked` are not repeated, so that many questions share them.
    pub(super) fn all(
        &self,
        inode: u32,
        uid: u32,
        asked: Instant,
        scratch: &mut Scratch,
    ) -> Vec<Arc<Process>> {
        let mut found = self.quick(inode, uid, scratch);
        let refreshed = *lock(&self.refreshed);
        let is_since = |look: Option<Instant>, time: Instant| look.is_some_and(|at| at >= time);
        let is_fresh = |at: Instant| at + FRESH >= asked;
        if !refreshed.is_some_and(is_fresh) || (found.is_empty() && !is_since(refreshed, asked)) {
            self.refresh(uid, scratch);
            found = self.known(inode, scratch);
        }
        if found.is_empty() && !self.index().is_orphan(inode) {
            if !is_since(*lock(&self.scanned_all), asked) {
                self.scan_all(uid, scratch);
            }
            found = self.known(inode, scratch);
            if found.is_empty() {
                self.index().add_orphan(inode);
            }
        }
        found
    }

    /// Looks again at every process that changed; forgets those that are gone.
    pub(super) fn refresh(&self, uid: u32, scratch: &mut Scratch) {
        let began = Instant::now();
        let mut pids = self.living(scratch);
        pids.retain(|pid| self.has_changed(*pid));
        self.scan_each(pids, uid, scratch);
        *lock(&self.refreshed) = Some(began);
    }

    /// Reads the descriptors of every process.
    pub(super) fn scan_all(&self, uid: u32, scratch: &mut Scratch) {
        let began = Instant::now();
        let pids = self.living(scratch);
        self.scan_each(pids, uid, scratch);
        *lock(&self.refreshed) = Some(began);
        *lock(&self.scanned_all) = Some(began);
    }

    /// The processes known to hold a socket, those that still do.
    pub(super) fn known(&self, inode: u32, scratch: &mut Scratch) -> Vec<Arc<Process>> {
        let mut processes = Vec::new();
        let holders = self.index().holders(inode);
        for (pid, descriptor) in holders {
            let is_there = self.proc.socket(pid, descriptor) == Some(inode);
            // Moved to another descriptor, perhaps; or it executes something else.
            if !is_there || self.executes_another(pid) {
                self.scan(pid, scratch);
            }
            let index = &mut *self.index();
            let still = index.holders(inode);
            if let Some((_, descriptor)) = still.into_iter().find(|(holder, _)| *holder == pid) {
                index.add_winner(pid, descriptor);
                processes.extend(index.scanned(pid).and_then(|known| known.process.clone()));
            }
        }
        processes.sort_by_key(|process| process.pid);
        processes
    }

    /// The only process that is known to hold a socket, without another look.
    pub(super) fn only_known(&self, inode: u32) -> Result<Arc<Process>, Count> {
        self.index().only_holder(inode)
    }

    /// Remembers who had a connection; see [`Index::remember`].
    pub(super) fn remember(&self, cookie: u64, owners: &[Arc<Process>]) {
        self.index().remember(cookie, owners, Instant::now());
    }

    /// Who had a connection that is closed by now.
    pub(super) fn remembered(&self, cookie: u64) -> Vec<Arc<Process>> {
        self.index().remembered(cookie).to_vec()
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

    fn look_at_young(&self, scratch: &mut Scratch) {
        let Some(newest) = self.proc.newest_id() else {
            return;
        };
        let now = Instant::now();
        let (known, new) = {
            let index = &mut *self.index();
            (index.young(now), index.new_ids(newest))
        };
        for id in new {
            // Most have ended by now.
            if self.proc.mark(id).is_err() {
                continue;
            }
            let process = self.proc.process(id).ok();
            // `/proc` lists processes only, but opens threads too.
            let Some(pid) = process.and_then(|process| facts::leader(&process, scratch)) else {
                continue;
            };
            if pid == id {
                self.index().add_young(pid, now);
            }
            if self.has_changed(pid) {
                self.scan(pid, scratch);
            }
        }
        for pid in known {
            if self.has_changed(pid) && !self.scan(pid, scratch) {
                self.index().forget_young(pid);
            }
        }
    }

    /// All processes; the others are forgotten.
    fn living(&self, scratch: &mut Scratch) -> Vec<u32> {
        let mut pids = Vec::new();
        self.proc.pids(scratch, &mut pids);
        pids.sort_unstable();
        self.index().forget_all_but(&pids);
        pids
    }

    fn has_changed(&self, pid: u32) -> bool {
        let Ok(mark) = self.proc.mark(pid) else {
            return true;
        };
        let index = self.index();
        let known = index.scanned(pid);
        known.is_none_or(|known| !known.mark.is_same(mark))
    }

    fn executes_another(&self, pid: u32) -> bool {
        let executable = self.proc.executable(pid);
        let index = self.index();
        let known = index.scanned(pid).and_then(|known| known.executable);
        executable.is_some() && executable != known
    }

    /// Reads the descriptors of processes: of this user's first, the youngest first.
    fn scan_each(&self, mut pids: Vec<u32>, uid: u32, scratch: &mut Scratch) {
        {
            let index = self.index();
            pids.sort_by_cached_key(|pid| {
                let owner = index.scanned(*pid).map(|known| known.mark.owner);
                (owner.is_some_and(|owner| owner != uid), Reverse(*pid))
            });
        }
        if pids.len() < MANY {
            for pid in pids {
                self.scan(pid, scratch);
            }
            return;
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.min(pids.len() / (MANY / 2)).min(8);
        std::thread::scope(|scope| {
            for offset in 1..threads {
                let pids = &pids;
                scope.spawn(move || {
                    let mut scratch = Scratch::default();
                    for pid in pids.iter().skip(offset).step_by(threads) {
                        self.scan(*pid, &mut scratch);
                    }
                });
            }
            for pid in pids.iter().step_by(threads.max(1)) {
                self.scan(*pid, scratch);
            }
        });
    }

    /// Reads the descriptors of a process. False if it is gone.
    fn scan(&self, pid: u32, scratch: &mut Scratch) -> bool {
        let number = self.looks.fetch_add(1, Ordering::Relaxed);
        let Some(scanned) = self.read(pid, scratch) else {
            self.index().forget(pid);
            return false;
        };
        self.index().put(pid, number, scanned);
        true
    }

    /// Descriptors first: they are gone before the process is.
    fn read(&self, pid: u32, scratch: &mut Scratch) -> Option<Scanned> {
        let folder = self.proc.process(pid).ok()?;
        let (mark, sockets) = match self.proc.sockets(&folder, scratch) {
            Ok(found) => found,
            // Another user's: its sockets stay without a process.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Some(Scanned::hidden(self.proc.mark(pid).ok()?));
            }
            Err(_) => return None,
        };
        let executable = self.proc.executable(pid);
        let process = if sockets.is_empty() {
            None
        } else {
            let facts = self.facts.read(&folder, pid, mark.owner, scratch)?;
            Some(self.as_known(pid, facts))
        };
        Some(Scanned {
            mark,
            sockets,
            executable,
            process,
            is_hidden: false,
        })
    }

    /// The process as it is known already, where nothing about it has changed: whoever
    /// keeps answers keeps it once.
    fn as_known(&self, pid: u32, facts: Process) -> Arc<Process> {
        let index = self.index();
        let known = index.scanned(pid).and_then(|known| known.process.as_ref());
        known
            .filter(|known| ***known == facts)
            .cloned()
            .unwrap_or_else(|| Arc::new(facts))
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.index)
    }
}

/// What is guarded is whole between calls, also after a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this process is root, and outside of every container: in the first
/// namespace of process ids (`PROC_PID_INIT_INO` in `include/linux/proc_ns.h`), in
/// which nobody is hidden from it.
fn sees_all_pids() -> bool {
    const FIRST: u64 = 0xEFFF_FFFC;
    let namespace = rustix::fs::stat("/proc/self/ns/pid");
    namespace.is_ok_and(|namespace| namespace.st_ino == FIRST)
        && rustix::process::geteuid().is_root()
}
