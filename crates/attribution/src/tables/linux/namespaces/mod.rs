//! The other network namespaces of this host: those of containers, and named ones.
//!
//! A netlink socket works in the namespace in which it was opened, no matter which thread uses it.
//! So a thread enters a namespace only to open one, and then ends.
//!
//! An open socket keeps its namespace alive. So this closes the sockets when it finds nothing else
//! in the namespace, and when no query comes for a while.
//!
//! Any user may make as many namespaces as the kernel permits. Namespaces get a part of this process's
//! descriptors, the same share for each user who made some. This counts the rest.

mod find;
mod open;
mod reach;
mod share;
mod way;
mod with_address;

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use find::{is_gone, is_namespace, public};
use open::open;
use share::{Candidate, Claim, choose};
use way::Way;

use super::netlink::addresses::Addresses;
use super::netlink::exchange::Location;
use super::procfs::igmp;
use super::procfs::namespace_id::NamespaceId;
use super::procfs::proc::{Proc, ReadBuffers};
use super::source::Sockets;
use super::sys;
use crate::answer::surroundings::{Place, Surroundings, Translations};
use crate::answer::{NetworkNamespace, SkippedNamespaces, SocketQuery};
use crate::policy::freshness::THREADS_STAY;
use crate::policy::time_budget::TimeBudget;

/// The number of namespaces that this keeps open.
const MAX: usize = 1_024;
/// The descriptors of an open namespace: for `sock_diag`, its addresses, its devices, and itself.
const FILES: u64 = 4;
/// The part of this process's descriptors that serves namespaces: there may be two tables.
const PART_OF_FILES: u64 = 4;
/// How long an open namespace without queries stays open while others wait.
const IDLE: Duration = Duration::from_secs(10);
/// The time budget for the threads of processes: a burst, and the share of the time that refills it.
const BUDGET: Duration = Duration::from_millis(250);
const SHARE: u32 = 8;

/// All network namespaces except the one in which queries begin.
#[derive(Debug)]
pub(crate) struct Namespaces {
    own: NamespaceId,
    /// `None` if the kernel does not give them.
    own_addresses: Option<Addresses>,
    others: Vec<Namespace>,
    searched: Option<Instant>,
    may_enter: bool,
    shared: Option<Shared>,
    /// Whether there are, or may be, namespaces that this process may not enter.
    hides_some: bool,
    /// The number of threads of a process at their last scan, and its time.
    threads: HashMap<u32, (u64, Instant)>,
    budget: TimeBudget,
    /// Whether the search had no time for some threads.
    is_cut: bool,
    /// Why the last search did not find all namespaces that it may enter.
    trouble: Option<Trouble>,
    /// Namespaces of single threads that the search found and did not open, by process and id.
    waiting: HashMap<NamespaceId, (u32, u32)>,
    /// The users who made them, as far as known. Needed only if not all are open.
    users: HashMap<NamespaceId, Option<u32>>,
    /// The number of namespaces that the last search did not open, because there are too many.
    skipped: usize,
}

/// The step of a search that failed, and the error.
#[derive(Debug)]
struct Trouble {
    kind: io::ErrorKind,
    message: String,
}

impl Trouble {
    fn new(what: &str, error: &io::Error) -> Self {
        tracing::debug!(%error, "{what}");
        Self {
            kind: error.kind(),
            message: format!("{what}: {error}"),
        }
    }
}

/// An open namespace.
#[derive(Debug)]
pub(crate) struct Namespace {
    pub(crate) id: NamespaceId,
    pub(crate) public: Arc<NetworkNamespace>,
    pub(crate) sockets: Sockets,
    pub(crate) addresses: Addresses,
    /// The thread that led to it, by process and id, if only threads are in it.
    thread: Option<(u32, u32)>,
    /// Whether a query needed its address since the last search, here or in a sharing thread.
    is_used: Arc<AtomicBool>,
    /// The time of that query, or when it was opened.
    used_at: Instant,
}

impl Namespace {
    /// Whether it has an address that a query needs.
    pub(crate) fn has_asked(&mut self, ip: IpAddr) -> io::Result<bool> {
        let has = self.addresses.contains(ip)?;
        if has {
            self.is_used.store(true, Ordering::Relaxed);
        }
        Ok(has)
    }
}

/// The namespaces that other threads may use, each for one query at a time, so that all close when the
/// table closes them. The table has its own copies, so that only those threads wait for each other.
pub(crate) type Shared = Arc<Mutex<Vec<Arc<Mutex<Namespace>>>>>;

/// How much work a search for namespaces may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As much as there is time for: the result serves many queries.
    Bounded,
    /// As much as certainty needs, up to a limit, because a caller waits for a single answer.
    Within(Duration),
}

/// A namespace that the search found, and a path to its file: there may be more than descriptors.
#[derive(Debug)]
struct Found {
    way: Way,
    name: Option<String>,
}

impl Namespaces {
    /// Knows no namespaces yet, and finds none if this process may not enter them.
    pub(crate) fn new(proc: &Proc, may_enter: bool) -> io::Result<Self> {
        let own_addresses = Addresses::open(Location::Own).inspect_err(|error| {
            tracing::warn!(%error, "it is not known which addresses are this host's");
        });
        Ok(Self {
            own: proc.own_network_namespace()?,
            own_addresses: own_addresses.ok(),
            others: Vec::new(),
            searched: None,
            may_enter,
            shared: None,
            hides_some: !may_enter,
            threads: HashMap::new(),
            budget: TimeBudget::full(BUDGET, SHARE, Instant::now()),
            is_cut: false,
            trouble: None,
            waiting: HashMap::new(),
            users: HashMap::new(),
            skipped: 0,
        })
    }

    /// Whether our own addresses are known.
    pub(crate) const fn knows_own(&self) -> bool {
        self.own_addresses.is_some()
    }

    /// Whether a query is about our own namespace, by its local address.
    ///
    /// # Errors
    /// If our own addresses changed and could not be read again.
    pub(crate) fn is_own(&mut self, query: &SocketQuery) -> io::Result<bool> {
        match &mut self.own_addresses {
            // Addresses that every host has are ours, whatever our own addresses are.
            Some(_) if Place::default().is_own(query) => Ok(true),
            Some(addresses) => Ok(addresses.place()?.is_own(query)),
            None => Ok(true),
        }
    }

    /// The facts about our own namespace, and about the other open ones if they are listed; `None`
    /// if the kernel does not give our own.
    ///
    /// # Errors
    /// If our own addresses changed and could not be read again.
    pub(crate) fn surroundings(
        &mut self,
        with_others: bool,
        proc: &Proc,
    ) -> io::Result<Option<Surroundings>> {
        let Some(own) = &mut self.own_addresses else {
            return Ok(None);
        };
        let own = own.place()?.clone().with_memberships(igmp::read(proc));
        let others = self.others.iter().filter(|_| with_others);
        let others = others.map(|other| (other.public.id, other.addresses.known().clone()));
        Ok(Some(Surroundings {
            own,
            others: others.collect(),
            hides_some: self.hides_some || !with_others,
            translations: Translations::default(),
        }))
    }

    /// Closes a namespace that does not answer as it should, until the next search.
    pub(crate) fn forget(&mut self, id: NamespaceId) {
        self.others.retain(|other| other.id != id);
        self.searched = None;
    }

    /// Why the search may have missed a namespace with an address that this process may enter.
    pub(crate) fn trouble(&self) -> Option<io::Error> {
        let trouble = self.trouble.as_ref();
        trouble.map(|Trouble { kind, message }| io::Error::new(*kind, message.clone()))
    }

    /// Whether the search knows every namespace that existed at that time.
    pub(crate) fn is_searched_since(&self, time: Instant) -> bool {
        let is_since = self.searched.is_some_and(|searched| searched >= time);
        !self.may_enter || (is_since && !self.is_cut)
    }

    /// Whether an unknown address may be of a namespace that this process may not enter: it is next to a
    /// virtual interface of ours.
    pub(crate) fn may_be_hidden(&mut self, ip: IpAddr) -> bool {
        let addresses = self.own_addresses.as_mut().filter(|_| self.hides_some);
        addresses.is_some_and(|addresses| addresses.known().may_lead_to(ip))
    }

    /// Whether there are, or may be, namespaces that this process may not enter.
    pub(crate) const fn hides_some(&self) -> bool {
        self.hides_some
    }

    /// The namespaces that the search found and did not open, because there are too many.
    pub(crate) fn skipped(&self) -> Option<SkippedNamespaces> {
        let most = self.most();
        (self.skipped > 0).then_some(SkippedNamespaces {
            skipped: self.skipped,
            open: self.others.len(),
            is_file_limit_reached: most < MAX,
        })
    }

    /// The number of namespaces that may be open.
    fn most(&self) -> usize {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let copies = if self.shared.is_some() { 2 } else { 1 };
        let most = limit.map_or(MAX as u64, |limit| limit / PART_OF_FILES / (FILES * copies));
        usize::try_from(most).unwrap_or(MAX).clamp(1, MAX)
    }

    /// All known namespaces.
    pub(crate) fn others(&mut self) -> &mut [Namespace] {
        &mut self.others
    }

    /// From now on, opens each of them a second time for other threads.
    pub(crate) fn share(&mut self) -> Shared {
        if self.shared.is_none() {
            self.close();
        }
        Arc::clone(self.shared.get_or_insert_default())
    }

    /// Closes all of them, until a query needs them again.
    pub(crate) fn close(&mut self) {
        self.others.clear();
        self.retain_shared(|_| false);
        self.searched = None;
    }

    fn retain_shared(&self, is_kept: impl Fn(NamespaceId) -> bool) {
        if let Some(shared) = &self.shared {
            lock(shared).retain(|namespace| is_kept(lock(namespace).id));
        }
    }

    /// Finds all namespaces: opens new ones, and closes those that only we keep alive.
    pub(crate) fn search(&mut self, proc: &Proc, buffers: &mut ReadBuffers) {
        if !self.may_enter {
            return;
        }
        self.searched = Some(Instant::now());
        self.hides_some = false;
        self.trouble = None;
        let mut found = self.of_processes(proc, buffers);
        self.add_named(&mut found);
        self.add_known_threads(&mut found, proc);
        self.users.retain(|id, _| found.contains_key(id));
        let chosen = self.choose(&found, proc);
        let is_kept = |id| match &chosen {
            Some(chosen) => chosen.contains(&id),
            None => found.contains_key(&id),
        };
        // If something could not be read, a namespace that was not found may exist.
        let is_unsure = self.trouble.is_some();
        let stays = |id| is_kept(id) || (is_unsure && !found.contains_key(&id));
        self.others.retain(|other| stays(other.id));
        self.retain_shared(stays);
        self.skipped = found.keys().filter(|id| !is_kept(**id)).count();
        self.hides_some |= self.skipped > 0;
        found.retain(|id, _| chosen.as_ref().is_none_or(|chosen| chosen.contains(id)));
        for (id, found) in found {
            let known = self.others.iter_mut().find(|other| other.id == id);
            let Some(known) = known else {
                self.add(id, found, proc);
                continue;
            };
            known.thread = found.way.thread();
            if known.public.name != found.name {
                known.public = public(id, found.name);
            }
        }
        let now = Instant::now();
        let since = now.checked_sub(THREADS_STAY).unwrap_or(now);
        self.search_threads(proc, buffers, (since, Effort::Bounded));
    }

    /// The found namespaces to open; `None` if there is room for all.
    fn choose(
        &mut self,
        found: &HashMap<NamespaceId, Found>,
        proc: &Proc,
    ) -> Option<HashSet<NamespaceId>> {
        let (now, most) = (Instant::now(), self.most());
        for other in &mut self.others {
            if other.is_used.swap(false, Ordering::Relaxed) {
                other.used_at = now;
            }
        }
        if found.len() <= most {
            return None;
        }
        let candidates = found.iter().map(|(id, found)| {
            let user = *self.users.entry(*id).or_insert_with(|| {
                let file = found.way.open(*id, proc).ok().flatten();
                file.and_then(|file| sys::user_of_namespace(&file).ok())
            });
            let known = self.others.iter().find(|other| other.id == *id);
            let claim = match known {
                Some(known) if now.duration_since(known.used_at) < IDLE => Claim::InUse,
                Some(_) => Claim::Idle,
                None => Claim::Waiting,
            };
            let id = *id;
            Candidate { id, user, claim }
        });
        let candidates = candidates.collect();
        Some(choose(candidates, most))
    }

    /// Adds the namespaces of single threads that are known and still there.
    fn add_known_threads(&mut self, found: &mut HashMap<NamespaceId, Found>, proc: &Proc) {
        let known = self.others.iter();
        let known = known.filter_map(|other| Some((other.id, other.thread?)));
        for (id, (pid, thread)) in known.chain(self.waiting.drain()) {
            let now = proc.namespace_of_thread(pid, thread);
            if now.is_ok_and(|now| now == id) {
                found.entry(id).or_insert(Found {
                    way: Way::Thread(pid, thread),
                    name: None,
                });
            }
        }
    }

    /// Finds the namespaces that single threads have entered (setns(2)), while there is time: in processes
    /// whose threads changed since their last scan, or that had none since then.
    fn search_threads(
        &mut self,
        proc: &Proc,
        buffers: &mut ReadBuffers,
        (since, effort): (Instant, Effort),
    ) {
        self.is_cut = false;
        let deadline = match effort {
            Effort::Bounded => None,
            Effort::Within(time) => Instant::now().checked_add(time),
        };
        let pids = match proc.pids(buffers) {
            Ok(pids) => pids,
            Err(error) => {
                self.trouble = Some(Trouble::new("the list of processes", &error));
                return;
            }
        };
        let alive: HashSet<u32> = pids.iter().copied().collect();
        self.threads.retain(|pid, _| alive.contains(pid));
        for pid in pids {
            let now = Instant::now();
            let threads = proc.threads(pid).unwrap_or_default();
            let is_known = |known: &(u64, Instant)| known.0 == threads && known.1 >= since;
            if threads <= 1 || self.threads.get(&pid).is_some_and(is_known) {
                continue;
            }
            let is_time = match deadline {
                Some(deadline) => now < deadline,
                None => self.budget.has_any(now),
            };
            if !is_time || !self.search_threads_of(pid, deadline, proc, buffers) {
                self.is_cut = true;
                return;
            }
            self.threads.insert(pid, (threads, now));
            self.budget.spend(now.elapsed());
        }
    }

    /// Whether there was time to scan all of its threads.
    fn search_threads_of(
        &mut self,
        pid: u32,
        deadline: Option<Instant>,
        proc: &Proc,
        buffers: &mut ReadBuffers,
    ) -> bool {
        let mut threads = Vec::new();
        let listed = proc.process(pid).and_then(|directory| {
            Proc::each_thread(&directory, buffers, |thread| {
                threads.push(thread);
                true
            })
        });
        if let Err(error) = listed {
            tracing::trace!(%error, pid, "threads are not listed");
        }
        let mut last = None;
        for thread in threads.into_iter().filter(|thread| *thread != pid) {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return false;
            }
            let id = proc.namespace_of_thread(pid, thread);
            let Ok(id) = id else {
                continue;
            };
            let is_known = |id| self.others.iter().any(|other| other.id == id);
            if id == self.own || last == Some(id) || is_known(id) {
                continue;
            }
            last = Some(id);
            if self.others.len() < self.most() {
                let way = Way::Thread(pid, thread);
                self.add(id, Found { way, name: None }, proc);
            } else {
                self.add_waiting(id, (pid, thread));
            }
        }
        true
    }

    /// Keeps for the next search the namespaces that have no room in this one.
    fn add_waiting(&mut self, id: NamespaceId, thread: (u32, u32)) {
        // The last search knew it already, and left it out.
        if self.users.contains_key(&id) {
            return;
        }
        if self.waiting.len() < MAX || self.waiting.contains_key(&id) {
            self.skipped += usize::from(self.waiting.insert(id, thread).is_none());
        }
        self.hides_some = true;
    }

    fn add(&mut self, id: NamespaceId, found: Found, proc: &Proc) {
        let file = match found.way.open(id, proc) {
            Ok(Some(file)) => file,
            // The id may belong to another process by now, or to none.
            Ok(None) => return,
            Err(error) => {
                let is_gone = is_gone(&error);
                if !is_gone && matches!(found.way, Way::Process(_) | Way::Named(_)) {
                    let what = "a network namespace was not opened";
                    self.trouble = Some(Trouble::new(what, &error));
                }
                return;
            }
        };
        let copies = if self.shared.is_some() { 2 } else { 1 };
        let is_one = is_namespace(&file);
        let opened = match open(file, copies) {
            Ok(opened) => opened,
            // `ip netns` leaves such a file behind, or makes it before the namespace exists.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput && !is_one => return,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::debug!(%error, id = id.inode, "a network namespace is not entered");
                self.hides_some = true;
                return;
            }
            Err(error) => {
                self.trouble = Some(Trouble::new("a network namespace was not entered", &error));
                return;
            }
        };
        let public = public(id, found.name);
        let (is_used, used_at) = (Arc::<AtomicBool>::default(), Instant::now());
        let mut opened = opened.into_iter().map(|(sockets, addresses)| Namespace {
            id,
            public: Arc::clone(&public),
            sockets,
            addresses,
            thread: found.way.thread(),
            is_used: Arc::clone(&is_used),
            used_at,
        });
        self.others.extend(opened.next());
        if let Some(shared) = &self.shared {
            lock(shared).extend(opened.map(|copy| Arc::new(Mutex::new(copy))));
        }
    }
}

/// The guarded state is consistent between calls, also after a panic elsewhere.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::linux::LinuxOptions;
    use crate::tables::linux::fd_scanner::FdScanner;

    #[test]
    fn a_search_of_threads_ends_in_time() {
        let scanner = FdScanner::open(&LinuxOptions::default()).unwrap();
        let (proc, mut buffers) = (scanner.proc(), ReadBuffers::default());
        let mut namespaces = Namespaces::new(proc, true).unwrap();
        let since = Instant::now();
        namespaces.searched = Some(since);
        // This process has at least one other thread: that of the test.
        for (time, is_cut) in [(Duration::ZERO, true), (Duration::from_secs(60), false)] {
            let effort = Effort::Within(time);
            namespaces.search_threads(proc, &mut buffers, (since, effort));
            assert_eq!(namespaces.is_cut, is_cut);
        }
        assert!(namespaces.is_searched_since(since));
    }
}
