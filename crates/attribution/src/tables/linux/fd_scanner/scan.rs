//! The scan of one process: its descriptors, and other facts about it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rustix::io::Errno;

use super::FdScanner;
use super::elsewhere::{self, Others};
use super::index::Scanned;
use super::miss::Miss;
use crate::tables::linux::netlink::executions::Monotonic;
use crate::tables::linux::procfs::facts;
use crate::tables::linux::procfs::proc::{
    Descriptor, FdStamp, Listed, Part, Proc, ReadBuffers, Table,
};

/// The first half of a scan of a process.
#[derive(Debug)]
pub(super) struct PartialScan {
    pub(super) pid: u32,
    /// Scans are numbered in the order in which they begin.
    number: u64,
    began: Instant,
    pub(super) directory: OwnedFd,
    stamp: FdStamp,
    /// `None` if this process may not read them.
    listed: Option<Listed>,
    others: Others,
}

impl PartialScan {
    pub(super) fn holds(&self, inode: u32) -> bool {
        let mut others = self.others.sockets.iter();
        self.descriptor_of(inode).is_some() || others.any(|(_, socket)| socket.inode == inode)
    }

    pub(super) fn descriptor_of(&self, inode: u32) -> Option<u32> {
        let mut sockets = self.listed.iter().flat_map(|listed| &listed.sockets);
        let found = sockets.find(|socket| socket.inode == inode)?;
        Some(found.number)
    }

    /// Whether the scan read the descriptors of the process to the end, as far as it may.
    pub(super) fn is_whole(&self) -> bool {
        self.listed.as_ref().is_none_or(Listed::is_whole)
    }

    /// Adds the sockets of other tables.
    pub(super) fn with_others(self, others: Others) -> Self {
        Self { others, ..self }
    }

    /// The number of the scan, and the stamp that it read first.
    pub(super) const fn number_and_stamp(&self) -> (u64, FdStamp) {
        (self.number, self.stamp)
    }

    /// Where the next scan continues.
    pub(super) fn next(&self) -> Option<u32> {
        self.listed.as_ref()?.next
    }
}

impl FdScanner {
    pub(super) fn has_changed(&self, pid: u32) -> bool {
        let known = self.index().scanned(pid).map(Scanned::stamp_of_all);
        known.flatten().is_none_or(|known| {
            let now = self.proc.stamp(pid);
            now.map_or(true, |now| !known.is_same(now))
        })
    }

    /// Whether a process held sockets at its last scan.
    pub(super) fn is_holder(&self, pid: u32) -> bool {
        self.index().scanned(pid).is_some_and(Scanned::holds_any)
    }

    /// Scans the descriptors of a process.
    pub(super) fn scan(&self, pid: u32, part: Part, buffers: &mut ReadBuffers) -> Result<(), Miss> {
        let begun = self.begin_scan(pid, part, buffers);
        let taken = begun.and_then(|scan| self.finish_scan(scan, buffers));
        if let Err(Miss::Gone) = taken {
            self.index().forget_gone(pid);
        }
        taken
    }

    /// The first half of a scan, for a process of which one descriptor says enough.
    pub(super) fn hit(&self, pid: u32, inode: u32, number: u32) -> Option<PartialScan> {
        let (scan, began) = (self.scans.fetch_add(1, Ordering::Relaxed), Instant::now());
        let stamp = self.proc.stamp(pid).ok()?.without_count();
        Some(PartialScan {
            pid,
            number: scan,
            began,
            directory: self.proc.process(pid).ok()?,
            stamp,
            listed: Some(Listed {
                stamp,
                sockets: vec![Descriptor { inode, number }],
                nameless: Vec::new(),
                first: 0,
                next: None,
            }),
            others: Others::default(),
        })
    }

    /// The first half of a scan: the descriptors, which disappear before the process does.
    pub(super) fn begin_scan(
        &self,
        pid: u32,
        part: Part,
        buffers: &mut ReadBuffers,
    ) -> Result<PartialScan, Miss> {
        let (number, began) = (self.scans.fetch_add(1, Ordering::Relaxed), Instant::now());
        let directory = self.proc.process(pid)?;
        let listed = self
            .proc
            .descriptors(&directory, Table::Process, part, buffers);
        let (stamp, listed) = match listed {
            Ok(listed) => (listed.stamp, Some(listed)),
            // The process belongs to another user: its sockets stay without a process.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                (self.proc.stamp(pid)?, None)
            }
            Err(error) => return Err(error.into()),
        };
        let mut others = self.index().tables(pid);
        if others.is_empty() && self.is_headless(pid, &directory, listed.as_ref(), stamp) {
            let found = elsewhere::thread_tables(pid, &directory, buffers);
            others = found.tables;
        }
        let others = if others.is_empty() {
            Others::default()
        } else {
            let part = match part {
                Part::Whole => Part::Whole,
                Part::From(_) | Part::End => Part::End,
            };
            self.read_others(&directory, &others, part, buffers)
        };
        Ok(PartialScan {
            pid,
            number,
            began,
            directory,
            stamp,
            listed,
            others,
        })
    }

    /// Whether the first thread of a process seems to have exited: its descriptor table is empty,
    /// and root owns the directory (`task_dump_owner` in `fs/proc/base.c`).
    fn is_headless(
        &self,
        pid: u32,
        directory: &OwnedFd,
        listed: Option<&Listed>,
        stamp: FdStamp,
    ) -> bool {
        let may_be = match listed {
            Some(listed) => stamp.has_none() && listed.sockets.is_empty(),
            None => {
                stamp.owner == 0 && rustix::fs::fstat(directory).is_ok_and(|stat| stat.st_uid != 0)
            }
        };
        may_be && self.proc.threads(pid).is_ok_and(|threads| threads > 1)
    }

    /// The second half of a scan: everything else, for a process that holds sockets.
    pub(super) fn finish_scan(
        &self,
        scan: PartialScan,
        buffers: &mut ReadBuffers,
    ) -> Result<(), Miss> {
        let (pid, number) = (scan.pid, scan.number);
        let (first, next) = match &scan.listed {
            Some(listed) => (listed.first, listed.next),
            None => (0, None),
        };
        let scanned = self.complete(scan, buffers)?;
        let is_whole = (first, next) == (0, None);
        if is_whole {
            self.index().put(pid, number, scanned);
        } else {
            let part = first..next.unwrap_or(u32::MAX);
            self.index().put_part(pid, part, scanned);
        }
        Ok(())
    }

    fn complete(&self, scan: PartialScan, buffers: &mut ReadBuffers) -> Result<Scanned, Miss> {
        let others = scan.others;
        let mut scanned = Scanned {
            stamp: scan.stamp,
            began: scan.began,
            sockets: Vec::new(),
            nameless: Vec::new(),
            tables: others.tables,
            elsewhere: others.sockets,
            executable: self.proc.executable(scan.pid),
            name: String::new(),
            program_at: Monotonic::now(),
            process: None,
            is_hidden: scan.listed.is_none(),
            is_cut: others.is_cut,
        };
        if let Some(listed) = scan.listed {
            scanned.sockets = listed.sockets;
            scanned.nameless = listed.nameless;
        } else if scanned.elsewhere.is_empty() {
            scanned.executable = None;
            return Ok(scanned);
        } else {
            // The unreadable table belongs to a thread that has exited.
            scanned.is_hidden = false;
        }
        if scanned.holds_any() {
            let stat = facts::stat_of(&scan.directory, buffers);
            let stat = stat.ok_or_else(|| unread(&self.proc, scan.pid))?;
            scanned.name.clone_from(&stat.name);
            // If the first thread of a process has exited, another one shows the program.
            let thread = match (scanned.executable, scanned.tables.first()) {
                (None, Some(Table::Thread(thread))) => Proc::thread(&scan.directory, *thread).ok(),
                _ => None,
            };
            if let Some(thread) = &thread {
                scanned.executable = Proc::executable_in(thread);
            }
            let directory = thread.as_ref().unwrap_or(&scan.directory);
            let (process, at) = self.program_of((scan.pid, directory), &scanned, stat, buffers)?;
            (scanned.process, scanned.program_at) = (Some(process), at);
        }
        Ok(scanned)
    }
}

/// Why a process could not be read.
pub(super) fn unread(proc: &Proc, pid: u32) -> Miss {
    match proc.stamp(pid) {
        Ok(_) => Miss::Failed(Errno::MFILE.into()),
        Err(error) => error.into(),
    }
}
