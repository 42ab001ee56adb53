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
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::facts::{self, Facts};
use super::index::{Count, Index, Scanned};
use super::options::LinuxOptions;
use super::proc::{Descriptor, Mark, Proc, Scratch};
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
    /// Whether it is a connection that a server accepted.
    pub(super) is_accepted: bool,
    /// Whether the search may end with the first holder: a connection hardly has
    /// another one when its first packet is seen.
    pub(super) first_is_enough: bool,
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

/// The first half of a look at a process.
#[derive(Debug)]
struct Look {
    pid: u32,
    /// Looks are counted in the order in which they begin.
    number: u64,
    folder: OwnedFd,
    mark: Mark,
    /// `None` where they may not be read.
    sockets: Option<Vec<Descriptor>>,
}

impl Look {
    fn holds(&self, inode: u32) -> bool {
        self.descriptor_of(inode).is_some()
    }

    fn descriptor_of(&self, inode: u32) -> Option<u32> {
        let mut sockets = self.sockets.iter().flatten();
        let found = sockets.find(|socket| socket.inode == inode)?;
        Some(found.number)
    }
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

    /// The processes that hold a socket as far as microseconds tell, lowest pid first.
    pub(super) fn quick(&self, wanted: &Wanted, scratch: &mut Scratch) -> Vec<Arc<Process>> {
        let since = self.looks.load(Ordering::Relaxed);
        if !wanted.first_is_enough {
            self.look_for_heirs(wanted, scratch);
        }
        let known = self.known(wanted.inode, since, scratch);
        if !known.is_empty() {
            return known;
        }
        if wanted.is_accepted {
            self.look_at_slots(wanted, scratch);
        }
        if !self.is_held(wanted) {
            self.look_at_new(wanted, scratch);
        }
        let young = self.index().young(Instant::now());
        if !self.is_held(wanted) {
            self.look_again(young.iter().copied(), wanted, scratch);
        }
        if !self.is_held(wanted) {
            self.look_at_winners(wanted, scratch);
        }
        if !self.is_held(wanted) {
            self.look_at_idle(young, wanted, scratch);
        }
        let found = self.known(wanted.inode, since, scratch);
        if found.is_empty() {
            return self.index().lately(wanted.inode, Instant::now());
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
    ) -> Vec<Arc<Process>> {
        let Wanted { inode, uid, .. } = *wanted;
        let since = self.looks.load(Ordering::Relaxed);
        let mut found = self.quick(wanted, scratch);
        let refreshed = *lock(&self.refreshed);
        let is_since = |look: Option<Instant>, time: Instant| look.is_some_and(|at| at >= time);
        let is_fresh = |at: Instant| at + FRESH >= asked;
        if !refreshed.is_some_and(is_fresh) || (found.is_empty() && !is_since(refreshed, asked)) {
            self.refresh(uid, scratch);
            let again = self.known(inode, since, scratch);
            if !again.is_empty() {
                found = again;
            }
        }
        if found.is_empty() && !self.index().is_orphan(inode) {
            if !is_since(*lock(&self.scanned_all), asked) {
                self.scan_all(uid, scratch);
            }
            found = self.known(inode, since, scratch);
            if found.is_empty() {
                self.index().add_orphan(inode);
            }
        }
        found
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

    /// The processes known to hold a socket: those that did in a look since the given
    /// one, also if they have exited by now, and those that still do.
    pub(super) fn known(&self, inode: u32, since: u64, scratch: &mut Scratch) -> Vec<Arc<Process>> {
        let mut processes = Vec::new();
        let holders = self.index().holders(inode);
        for holder in holders {
            let pid = holder.pid;
            let is_there =
                holder.look >= since || self.proc.socket(pid, holder.descriptor) == Some(inode);
            // Moved to another descriptor, perhaps; or it executes something else.
            if !is_there || (holder.look < since && self.executes_another(pid)) {
                self.scan(pid, scratch);
            }
            let index = &mut *self.index();
            let still = index.holders(inode);
            if let Some(holder) = still.into_iter().find(|holder| holder.pid == pid) {
                index.add_winner(pid, holder.descriptor);
                processes.extend(index.scanned(pid).and_then(|known| known.process.clone()));
            }
        }
        processes.sort_by_key(|process| process.pid);
        processes
    }

    /// The only process that is known to hold a socket, without another look; it is
    /// [remembered](Index::remember).
    pub(super) fn only_known(
        &self,
        inode: u32,
        cookie: u64,
        now: Instant,
    ) -> Result<Arc<Process>, Count> {
        let index = &mut *self.index();
        let process = index.only_holder(inode)?;
        index.remember(cookie, std::slice::from_ref(&process), now);
        Ok(process)
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

    /// Looks at the processes that were started since this was done last: first at the
    /// descriptors of each, until the socket is found; then at everything else of it,
    /// and of the others at last.
    fn look_at_new(&self, wanted: &Wanted, scratch: &mut Scratch) {
        /// Folders that are open at a time.
        const MAX_OPEN: usize = 32;
        let Some(newest) = self.proc.newest_id() else {
            return;
        };
        self.index().note_newest(newest);
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
            (index.newest_ids(), index.likely_descriptors())
        };
        for descriptor in likely {
            let holds = |id: &&u32| self.proc.socket(**id, descriptor) == Some(wanted.inode);
            let Some(&id) = newest.iter().find(holds) else {
                continue;
            };
            if let Some(look) = self.hit(id, wanted.inode, descriptor) {
                self.index().remove_new(id);
                self.take_in_new(look, wanted, scratch);
                return true;
            }
        }
        false
    }

    fn take_new(&self) -> Option<u32> {
        self.index().take_new()
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
                index.add_likely(descriptor);
            }
            index.add_young(pid, Instant::now());
            drop(index);
            self.take_in(look, scratch);
        } else if look.holds(wanted.inode) || self.index().scanned(pid).is_none() {
            self.scan(pid, scratch);
        }
    }

    /// Looks where sockets were found last, then at whatever else changed of those who
    /// answered.
    fn look_at_winners(&self, wanted: &Wanted, scratch: &mut Scratch) {
        self.look_at_slots(wanted, scratch);
        if !self.is_held(wanted) {
            let winners = self.index().winners(wanted.uid);
            let pids = winners.into_iter().map(|(pid, _)| pid);
            self.look_again(pids, wanted, scratch);
        }
    }

    /// Looks where sockets were found last: a descriptor that was closed is the next
    /// one to be opened.
    fn look_at_slots(&self, wanted: &Wanted, scratch: &mut Scratch) {
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

    /// Adds a socket to what is known of a process, which need not be looked at for that
    /// again: a server may have very many. False if it is not known, or not as it was.
    fn add_socket(&self, pid: u32, socket: Descriptor) -> bool {
        let Ok(mark) = self.proc.mark(pid) else {
            return false;
        };
        let is_as_it_was = !self.executes_another(pid);
        is_as_it_was && self.index().add_socket(pid, mark, socket, Instant::now())
    }

    /// Looks at new processes where one that has the socket has it: what is inherited
    /// keeps its number.
    fn look_for_heirs(&self, wanted: &Wanted, scratch: &mut Scratch) {
        let Some(newest) = self.proc.newest_id() else {
            return;
        };
        let (holders, new) = {
            let index = &mut *self.index();
            index.note_newest(newest);
            (index.holders(wanted.inode), index.new_ids())
        };
        let Some(holder) = holders.first() else {
            return;
        };
        for id in new {
            if self.proc.socket(id, holder.descriptor) == Some(wanted.inode) {
                self.index().remove_new(id);
                if let Some(look) = self.look(id, scratch) {
                    self.take_in_new(look, wanted, scratch);
                }
            } else if self.proc.mark(id).is_err() {
                self.index().remove_new(id);
            }
        }
    }

    /// Looks at processes that were looked at before, until the socket is found.
    fn look_again(
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
    fn look_at_idle(&self, young: Vec<u32>, wanted: &Wanted, scratch: &mut Scratch) {
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

    fn is_held(&self, wanted: &Wanted) -> bool {
        !self.index().holders(wanted.inode).is_empty()
    }

    /// All processes; the others are forgotten.
    fn living(&self, scratch: &mut Scratch) -> Vec<u32> {
        // Where none was started since they were listed, those are all.
        let newest = self.proc.newest_id();
        if let Some(newest) = newest {
            self.index().begin_after(newest);
        }
        if newest.is_some() && *lock(&self.listed_until) == newest {
            return self.index().pids();
        }
        *lock(&self.listed_until) = newest;
        let mut pids = Vec::new();
        self.proc.pids(scratch, &mut pids);
        pids.sort_unstable();
        self.index().forget_all_but(&pids, Instant::now());
        pids
    }

    fn has_changed(&self, pid: u32) -> bool {
        let known = self.index().scanned(pid).map(|known| known.mark);
        known.is_none_or(|known| {
            let now = self.proc.mark(pid);
            now.map_or(true, |now| !known.is_same(now))
        })
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
        let Some(look) = self.look(pid, scratch) else {
            self.index().forget_gone(pid, Instant::now());
            return false;
        };
        self.take_in(look, scratch)
    }

    /// The first half of a look at a process of which one descriptor says enough.
    fn hit(&self, pid: u32, inode: u32, number: u32) -> Option<Look> {
        Some(Look {
            pid,
            number: self.looks.fetch_add(1, Ordering::Relaxed),
            folder: self.proc.process(pid).ok()?,
            mark: self.proc.mark(pid).ok()?.without_count(),
            sockets: Some(vec![Descriptor { inode, number }]),
        })
    }

    /// The first half of a look: descriptors, which are gone before the process is.
    fn look(&self, pid: u32, scratch: &mut Scratch) -> Option<Look> {
        let number = self.looks.fetch_add(1, Ordering::Relaxed);
        let folder = self.proc.process(pid).ok()?;
        let (mark, sockets) = match self.proc.sockets(&folder, scratch) {
            Ok((mark, sockets)) => (mark, Some(sockets)),
            // Another user's: its sockets stay without a process.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                (self.proc.mark(pid).ok()?, None)
            }
            Err(_) => return None,
        };
        Some(Look {
            pid,
            number,
            folder,
            mark,
            sockets,
        })
    }

    /// The second half: everything else, of a process that holds sockets. False if it
    /// is gone.
    fn take_in(&self, look: Look, scratch: &mut Scratch) -> bool {
        let (pid, number) = (look.pid, look.number);
        let scanned = self.complete(look, scratch);
        let index = &mut *self.index();
        let Some(scanned) = scanned else {
            index.forget_gone(pid, Instant::now());
            return false;
        };
        index.put(pid, number, scanned, Instant::now());
        true
    }

    fn complete(&self, look: Look, scratch: &mut Scratch) -> Option<Scanned> {
        let Some(sockets) = look.sockets else {
            return Some(Scanned::hidden(look.mark));
        };
        let mut scanned = Scanned {
            mark: look.mark,
            sockets,
            executable: self.proc.executable(look.pid),
            name: String::new(),
            process: None,
            is_hidden: false,
        };
        if !scanned.sockets.is_empty() {
            let stat = facts::stat_of(&look.folder, scratch)?;
            scanned.name.clone_from(&stat.name);
            scanned.process = self.index().process_as(look.pid, &scanned);
            if scanned.process.is_none() {
                let owner = look.mark.owner;
                let facts = self
                    .facts
                    .read(&look.folder, look.pid, owner, stat, scratch)?;
                scanned.process = Some(Arc::new(facts));
            }
        }
        Some(scanned)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.index)
    }
}

/// What is guarded is whole between calls, also after a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
