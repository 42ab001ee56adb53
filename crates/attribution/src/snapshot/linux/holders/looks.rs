//! A look at one process: its descriptors, and what else is known of it.

use std::cmp::Reverse;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::{Holders, MANY};
use crate::snapshot::linux::facts;
use crate::snapshot::linux::index::Scanned;
use crate::snapshot::linux::proc::{Descriptor, Mark, Scratch};

/// The first half of a look at a process.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) pid: u32,
    /// Looks are counted in the order in which they begin.
    number: u64,
    pub(super) folder: OwnedFd,
    mark: Mark,
    /// `None` where they may not be read.
    sockets: Option<Vec<Descriptor>>,
}

impl Look {
    pub(super) fn holds(&self, inode: u32) -> bool {
        self.descriptor_of(inode).is_some()
    }

    pub(super) fn descriptor_of(&self, inode: u32) -> Option<u32> {
        let mut sockets = self.sockets.iter().flatten();
        let found = sockets.find(|socket| socket.inode == inode)?;
        Some(found.number)
    }
}

impl Holders {
    pub(super) fn has_changed(&self, pid: u32) -> bool {
        let known = self.index().scanned(pid).map(|known| known.mark);
        known.is_none_or(|known| {
            let now = self.proc.mark(pid);
            now.map_or(true, |now| !known.is_same(now))
        })
    }

    pub(super) fn executes_another(&self, pid: u32) -> bool {
        let executable = self.proc.executable(pid);
        let index = self.index();
        let known = index.scanned(pid).and_then(|known| known.executable);
        executable.is_some() && executable != known
    }

    /// Reads the descriptors of processes: of this user's first, the youngest first.
    pub(super) fn scan_each(&self, mut pids: Vec<u32>, uid: u32, scratch: &mut Scratch) {
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
        let next = AtomicUsize::new(0);
        let scan = |scratch: &mut Scratch| {
            while let Some(pid) = pids.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.scan(*pid, scratch);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| {
                    self.ignore_this_thread();
                    scan(&mut Scratch::default());
                });
            }
            scan(scratch);
        });
    }

    /// Reads the descriptors of a process. False if it is gone.
    pub(super) fn scan(&self, pid: u32, scratch: &mut Scratch) -> bool {
        let Some(look) = self.look(pid, scratch) else {
            self.index().forget_gone(pid, Instant::now());
            return false;
        };
        self.take_in(look, scratch)
    }

    /// The first half of a look at a process of which one descriptor says enough.
    pub(super) fn hit(&self, pid: u32, inode: u32, number: u32) -> Option<Look> {
        Some(Look {
            pid,
            number: self.looks.fetch_add(1, Ordering::Relaxed),
            folder: self.proc.process(pid).ok()?,
            mark: self.proc.mark(pid).ok()?.without_count(),
            sockets: Some(vec![Descriptor { inode, number }]),
        })
    }

    /// The first half of a look: descriptors, which are gone before the process is.
    pub(super) fn look(&self, pid: u32, scratch: &mut Scratch) -> Option<Look> {
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
    pub(super) fn take_in(&self, look: Look, scratch: &mut Scratch) -> bool {
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
}
