//! Which processes hold a socket: an index over `/proc/PID/fd`, renewed where it
//! changed.
//!
//! Since Linux 6.2 the size of `/proc/PID/fd` is the number of open descriptors
//! (`proc_readfd_count` in `fs/proc/fd.c`): one call tells whether a process is worth
//! another look. That is a hint, not proof (one opened, one closed), so a socket that
//! is not found the cheap way is looked for the full way. Before 6.2 the size is 0,
//! and every look is a full one.

use std::collections::HashMap;
use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat};

use super::facts::{self, Facts, open_process};
use super::options::LinuxOptions;
use crate::Process;

/// Youngest processes that are looked at first.
const MAX_YOUNG: u32 = 256;

/// Which processes hold which sockets.
#[derive(Debug)]
pub(super) struct Holders {
    proc: OwnedFd,
    facts: Facts,
    scanned: HashMap<u32, Scanned>,
    by_inode: HashMap<u32, Vec<u32>>,
    newest: u32,
}

/// What the last look at a process found.
#[derive(Debug)]
struct Scanned {
    mark: Mark,
    started: u64,
    /// Sockets with the descriptor that stands for each.
    sockets: Vec<(u32, u32)>,
    /// Read when the process is named for the first time.
    process: Option<Arc<Process>>,
}

/// Changes when a process opens or closes something, or is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    folder: u64,
    descriptors: i64,
}

impl Mark {
    fn of(stat: &Stat) -> Self {
        Self {
            folder: stat.st_ino,
            descriptors: stat.st_size,
        }
    }

    /// Whether an equal mark means anything: not before Linux 6.2.
    const fn counts(self) -> bool {
        self.descriptors > 0
    }
}

impl Holders {
    /// An empty index over `/proc`.
    pub(super) fn open(options: &LinuxOptions) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = rustix::fs::open(&options.proc, flags, Mode::empty())?;
        let facts = Facts::new(&proc)?;
        Ok(Self {
            proc,
            facts,
            scanned: HashMap::new(),
            by_inode: HashMap::new(),
            newest: 0,
        })
    }

    /// All processes that hold a socket, lowest pid first.
    ///
    /// The youngest are looked at first, before they are gone; then what is known,
    /// whatever changed, and at last everything.
    pub(super) fn of(&mut self, inode: u32) -> Vec<Arc<Process>> {
        self.look_at_young();
        let mut found = self.known(inode);
        if found.is_empty() {
            self.refresh();
            found = self.known(inode);
        }
        if found.is_empty() {
            self.scan_all();
            found = self.known(inode);
        }
        found
    }

    /// Looks again at every process that changed; forgets those that are gone.
    pub(super) fn refresh(&mut self) {
        let pids = self.pids();
        self.forget_all_but(&pids);
        for pid in pids {
            if self.has_changed(pid) {
                self.scan(pid);
            }
        }
    }

    /// The processes known to hold a socket, those that still do.
    pub(super) fn known(&mut self, inode: u32) -> Vec<Arc<Process>> {
        let pids = self.by_inode.get(&inode).cloned().unwrap_or_default();
        let mut processes = Vec::new();
        for pid in pids {
            if self.still_holds(pid, inode) {
                processes.extend(self.process(pid));
            }
        }
        processes.sort_by_key(|process| process.id());
        processes
    }

    /// The name of a user.
    pub(super) fn user(&mut self, uid: u32) -> crate::User {
        self.facts.user(uid)
    }

    fn look_at_young(&mut self) {
        let Some(newest) = facts::newest_pid(&self.proc) else {
            return;
        };
        // After the pids have started again from the bottom, only the newest ones.
        let first = if self.newest <= newest {
            self.newest.max(newest.saturating_sub(MAX_YOUNG))
        } else {
            newest.saturating_sub(MAX_YOUNG)
        };
        for id in (first..=newest).rev() {
            let leader = facts::leader(&self.proc, id);
            if let Some(pid) = leader.filter(|pid| self.has_changed(*pid)) {
                self.scan(pid);
            }
        }
        self.newest = newest;
    }

    fn scan_all(&mut self) {
        let pids = self.pids();
        self.forget_all_but(&pids);
        for pid in pids {
            self.scan(pid);
        }
    }

    fn pids(&self) -> Vec<u32> {
        let Ok(entries) = Dir::read_from(&self.proc) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| number(entry.file_name()))
            .collect()
    }

    fn forget_all_but(&mut self, pids: &[u32]) {
        let gone: Vec<u32> = {
            let alive: std::collections::HashSet<u32> = pids.iter().copied().collect();
            let known = self.scanned.keys().copied();
            known.filter(|pid| !alive.contains(pid)).collect()
        };
        for pid in gone {
            self.forget(pid);
        }
    }

    fn forget(&mut self, pid: u32) -> Option<Scanned> {
        let scanned = self.scanned.remove(&pid)?;
        for (inode, _) in &scanned.sockets {
            if let Some(pids) = self.by_inode.get_mut(inode) {
                pids.retain(|other| *other != pid);
                if pids.is_empty() {
                    self.by_inode.remove(inode);
                }
            }
        }
        Some(scanned)
    }

    fn has_changed(&self, pid: u32) -> bool {
        let path = format!("{pid}/fd");
        let Ok(stat) = statat(&self.proc, path, AtFlags::empty()) else {
            return true;
        };
        let mark = Mark::of(&stat);
        let known = self.scanned.get(&pid).map(|scanned| scanned.mark);
        known != Some(mark) || !mark.counts()
    }

    /// Reads the descriptors of a process. The folder that is opened once stands for
    /// this process even if its pid is reused (`proc_pid(5)`).
    fn scan(&mut self, pid: u32) {
        let before = self.forget(pid);
        let Ok(folder) = open_process(&self.proc, pid) else {
            return;
        };
        let Some(started) = facts::started(&folder) else {
            return;
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let (mark, sockets) = match openat(&folder, "fd", flags, Mode::empty()) {
            Ok(descriptors) => {
                let mark = rustix::fs::fstat(&descriptors).map(|stat| Mark::of(&stat));
                (mark.ok(), sockets(&descriptors))
            }
            // Another user's: its sockets stay without a process.
            Err(_) => (None, Vec::new()),
        };
        let process = before
            .filter(|before| before.started == started)
            .and_then(|before| before.process);
        for (inode, _) in &sockets {
            let pids = self.by_inode.entry(*inode).or_default();
            if !pids.contains(&pid) {
                pids.push(pid);
            }
        }
        let scanned = Scanned {
            mark: mark.unwrap_or(Mark {
                folder: 0,
                descriptors: 0,
            }),
            started,
            sockets,
            process,
        };
        self.scanned.insert(pid, scanned);
    }

    /// Whether the descriptor that stood for the socket still does.
    fn still_holds(&mut self, pid: u32, inode: u32) -> bool {
        let check = |scanned: &Scanned| {
            scanned.sockets.iter().any(|(socket, descriptor)| {
                let path = format!("{pid}/fd/{descriptor}");
                *socket == inode
                    && statat(&self.proc, path, AtFlags::empty())
                        .is_ok_and(|stat| socket_inode(&stat) == Some(inode))
            })
        };
        if self.scanned.get(&pid).is_some_and(check) {
            return true;
        }
        // Moved to another descriptor, perhaps.
        self.scan(pid);
        self.scanned
            .get(&pid)
            .is_some_and(|scanned| scanned.sockets.iter().any(|(socket, _)| *socket == inode))
    }

    /// The facts of a process, read once.
    fn process(&mut self, pid: u32) -> Option<Arc<Process>> {
        let scanned = self.scanned.get_mut(&pid)?;
        if scanned.process.is_none() {
            let process = self.facts.read(&self.proc, pid, scanned.started)?;
            scanned.process = Some(Arc::new(process));
        }
        scanned.process.clone()
    }
}

/// The sockets among the descriptors in a folder, with their numbers.
fn sockets(descriptors: &OwnedFd) -> Vec<(u32, u32)> {
    let Ok(entries) = Dir::read_from(descriptors) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let descriptor = number(entry.file_name())?;
            let stat = statat(descriptors, entry.file_name(), AtFlags::empty()).ok()?;
            Some((socket_inode(&stat)?, descriptor))
        })
        .collect()
}

fn socket_inode(stat: &Stat) -> Option<u32> {
    let is_socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
    is_socket.then(|| u32::try_from(stat.st_ino).ok()).flatten()
}

fn number(name: &CStr) -> Option<u32> {
    name.to_str().ok()?.parse().ok()
}
