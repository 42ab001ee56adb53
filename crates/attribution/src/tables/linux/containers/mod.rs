//! Names, images and pods of containers, from the files that Docker, containerd, Podman, CRI-O and
//! the kubelet write. It sends no request to a daemon.
//!
//! One thread reads these files, and reads them again when they change (inotify(7)). A lookup waits
//! for it at most [`PATIENCE`], and the capture thread never waits: each unit has a slot, which the
//! thread fills later.

mod file;
mod find;
mod formats;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::inotify;

pub(crate) use find::ContainerKey;
use find::find;
#[cfg(feature = "fuzzing")]
pub(crate) use formats::{bundle, docker, docker_directory, log_name, storage};

use crate::answer::{ContainerDetails, Unit, UnitKind};
use crate::observers::linux::wake_fd::WakeFd;
use crate::policy::freshness::NO_CONTAINER;

/// How long a lookup waits for the facts about containers.
pub(crate) const PATIENCE: Duration = Duration::from_millis(2);
/// How long a list of all sockets waits for them.
pub(crate) const LIST_PATIENCE: Duration = Duration::from_millis(50);
/// How long no lookup waits after a read took longer than that.
const REST: Duration = Duration::from_secs(5);
/// The number of containers that this remembers. Past that, it forgets those without a unit, and
/// others get no facts.
const MAX: usize = 16_384;
/// The number of directories that this watches.
const MAX_WATCHED: usize = 4_096;

/// The containers of this system, for all tables of this process.
static OF_SYSTEM: LazyLock<Arc<Containers>> = LazyLock::new(|| Containers::new(Path::new("/")));

/// The known facts about containers.
#[derive(Debug)]
pub(crate) struct Containers {
    root: PathBuf,
    state: Mutex<State>,
    /// The thread has read the files of all requested containers.
    is_done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<ContainerKey, Known>,
    waiting: VecDeque<ContainerKey>,
    is_reading: bool,
    thread: Option<WakeFd>,
    /// Until then no lookup waits: the files are on a file system that does not answer.
    rests_until: Option<Instant>,
}

#[derive(Debug)]
struct Known {
    details: ContainerDetails,
    /// When a search last found nothing.
    missed: Option<Instant>,
}

impl Containers {
    /// The containers of this system.
    pub(crate) fn of_system() -> Arc<Self> {
        Arc::clone(&OF_SYSTEM)
    }

    fn new(root: &Path) -> Arc<Self> {
        Arc::new(Self {
            root: root.to_owned(),
            state: Mutex::default(),
            is_done: Condvar::new(),
        })
    }

    /// The unit with the slot for its facts, if it is a container. This neither reads a file nor
    /// waits. `group` is the text or path of its cgroup.
    pub(crate) fn with_details(self: &Arc<Self>, unit: Unit, group: &str) -> Unit {
        if unit.kind != UnitKind::Container {
            return unit;
        }
        let key = ContainerKey {
            id: unit.name.clone(),
            user: unit.user,
            pod: pod_of(group),
        };
        match self.details(key) {
            Some(details) => unit.with_details(details),
            None => unit,
        }
    }

    fn details(self: &Arc<Self>, key: ContainerKey) -> Option<ContainerDetails> {
        let mut state = self.state();
        let now = Instant::now();
        if let Some(known) = state.known.get_mut(&key) {
            let details = known.details.clone();
            let is_due = |missed: Instant| now.saturating_duration_since(missed) >= NO_CONTAINER;
            if known.missed.is_some_and(is_due) {
                known.missed = None;
                self.ask(&mut state, key);
            }
            return Some(details);
        }
        if state.known.len() >= MAX {
            state.known.retain(|_, known| known.details.is_shared());
            if state.known.len() >= MAX {
                return None;
            }
        }
        let details = ContainerDetails::new();
        let known = Known {
            details: details.clone(),
            missed: None,
        };
        state.known.insert(key.clone(), known);
        self.ask(&mut state, key);
        Some(details)
    }

    fn ask(self: &Arc<Self>, state: &mut State, key: ContainerKey) {
        if state.thread.is_none() {
            match self.start() {
                Ok(wake_fd) => state.thread = Some(wake_fd),
                Err(error) => {
                    tracing::debug!(%error, "containers have no names: no thread can be started");
                    return;
                }
            }
        }
        state.waiting.push_back(key);
        if let Some(thread) = &state.thread {
            thread.wake();
        }
    }

    fn start(self: &Arc<Self>) -> io::Result<WakeFd> {
        let wake_fd = WakeFd::new()?;
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let reader = Reader {
            containers: Arc::clone(self),
            wake_fd: wake_fd.clone(),
            watcher: inotify::init(flags)?,
            watched: HashMap::new(),
        };
        let thread = std::thread::Builder::new().name("flowner-names".to_owned());
        thread.spawn(move || reader.run())?;
        Ok(wake_fd)
    }

    /// Waits until the thread has read all requested files, at most for `patience`.
    pub(crate) fn wait(&self, patience: Duration) {
        let state = self.state();
        let began = Instant::now();
        if state.rests_until.is_some_and(|until| began < until) {
            return;
        }
        let is_busy = |state: &mut State| state.is_reading || !state.waiting.is_empty();
        let waited = self.is_done.wait_timeout_while(state, patience, is_busy);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            state.rests_until = Some(Instant::now() + REST);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that reads the files.
struct Reader {
    containers: Arc<Containers>,
    wake_fd: WakeFd,
    watcher: OwnedFd,
    /// The containers with files in each watched directory.
    watched: HashMap<i32, Vec<ContainerKey>>,
}

impl Reader {
    fn run(mut self) {
        loop {
            while let Some(key) = self.next() {
                self.read(&key);
            }
            let is_changed = self.wake_fd.waits_for(&self.watcher);
            if is_changed {
                self.changed();
            } else {
                self.wake_fd.clear();
            }
        }
    }

    /// The next container to read. Wakes waiting lookups if there is none.
    fn next(&self) -> Option<ContainerKey> {
        let mut state = self.containers.state();
        let next = state.waiting.pop_front();
        state.is_reading = next.is_some();
        if next.is_none() {
            self.containers.is_done.notify_all();
        }
        next
    }

    fn read(&mut self, key: &ContainerKey) {
        let found = find(&self.containers.root, key);
        for directory in &found.directories {
            self.watch(directory, key);
        }
        let mut state = self.containers.state();
        if let Some(known) = state.known.get_mut(key) {
            known.missed = found.container.is_empty().then(Instant::now);
            // The facts about a removed container stay.
            if !found.container.is_empty() {
                known.details.set(found.container);
            }
        }
    }

    fn watch(&mut self, directory: &Path, key: &ContainerKey) {
        use inotify::WatchFlags as Flags;
        if self.watched.len() >= MAX_WATCHED {
            return;
        }
        // Runtimes write a new file and rename it over the old one.
        let flags = Flags::MOVED_TO | Flags::CLOSE_WRITE | Flags::ONLYDIR;
        match inotify::add_watch(&self.watcher, directory, flags) {
            Ok(number) => {
                let keys = self.watched.entry(number).or_default();
                if !keys.contains(key) {
                    keys.push(key.clone());
                }
            }
            Err(error) => tracing::debug!(%error, "cannot watch the files of a container"),
        }
    }

    /// Queues the containers whose files changed for reading.
    fn changed(&mut self) {
        use inotify::ReadFlags as Flags;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.watcher, &mut buffer);
        let mut changed = Vec::new();
        while let Ok(event) = reader.next() {
            let is_over = event.events().contains(Flags::IGNORED);
            if is_over {
                self.watched.remove(&event.wd());
            } else if let Some(keys) = self.watched.get(&event.wd()) {
                changed.extend(keys.iter().cloned());
            }
        }
        let mut state = self.containers.state();
        for key in changed {
            if !state.waiting.contains(&key) {
                state.waiting.push_back(key);
            }
        }
    }
}

/// The number of the pod in the name of a cgroup: `pod7f3c1d52-…`, or
/// `kubepods-burstable-pod7f3c1d52_….slice` (`cgroup_manager_linux.go` of the kubelet).
fn pod_of(group: &str) -> Option<String> {
    let parts = group.split('/').filter(|part| part.contains("pod"));
    let mut pods = parts.filter_map(|part| {
        let name = part.strip_suffix(".slice").unwrap_or(part);
        let (before, uid) = name.rsplit_once("pod")?;
        let is_pod = before.is_empty() || before.starts_with("kubepods");
        // The number of a pod from a file has no `-` or `_` in it.
        let is_uid = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'_');
        let is_pod = is_pod && (32..=36).contains(&uid.len()) && uid.bytes().all(is_uid);
        is_pod.then(|| uid.replace('_', "-"))
    });
    pods.next()
}

#[cfg(test)]
mod tests;
