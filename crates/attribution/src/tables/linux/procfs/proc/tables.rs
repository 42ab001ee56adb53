//! The descriptor tables of a process: usually one, read in parts if it is large.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use super::{
    DIRECTORY, Descriptor, FdStamp, Name, Proc, ReadBuffers, for_each_number, read, socket_inode,
};
use crate::tables::linux::sys::{openat, statat};

/// One of the descriptor tables that a process may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Table {
    /// The table of the first thread, which nearly all threads share.
    Process,
    /// The private table of a thread (unshare(2), `CLONE_FILES`), or the one that is left when the
    /// first thread has exited: by the id of a thread.
    Thread(u32),
    /// Files that are registered with `io_uring`, by the ring's descriptor in the table of this
    /// thread, or of the process (0).
    Ring { thread: u32, descriptor: u32 },
}

/// The part of a table to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    /// A slice that begins with this descriptor.
    From(u32),
    /// The whole of a small table. Of a large one, a slice: the descriptors with the highest
    /// numbers, which are usually the newest.
    End,
}

/// The number of descriptors that one read of a large table covers: as many as the kernel lists at
/// once.
const SLICE: u32 = 1_300;
/// A table with more descriptors is large.
const MANY: u32 = 2 * SLICE;

/// The result of reading a descriptor table.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) stamp: FdStamp,
    pub(crate) sockets: Vec<Descriptor>,
    /// Descriptors of files without a name, one of which may be an `io_uring`.
    pub(crate) nameless: Vec<u32>,
    /// Where the read began, and where to continue; `None` at the end of the table.
    pub(crate) first: u32,
    pub(crate) next: Option<u32>,
}

impl Listed {
    /// Whether the read covered the whole table.
    pub(crate) const fn is_whole(&self) -> bool {
        self.first == 0 && self.next.is_none()
    }
}

impl Part {
    /// The first descriptor, and the largest number to read.
    fn range(self, stamp: FdStamp) -> (u32, u32) {
        let count = stamp
            .descriptors
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        match (self, count) {
            (Self::Whole, _) | (Self::End, Some(..=MANY)) => (0, u32::MAX),
            (Self::From(first), _) => (first, SLICE),
            (Self::End, Some(count)) => (count - SLICE, SLICE),
            (Self::End, None) => (0, MANY),
        }
    }
}

impl Proc {
    /// Reads which descriptors of a process are sockets.
    pub(crate) fn sockets(
        &self,
        process: &OwnedFd,
        buffers: &mut ReadBuffers,
    ) -> io::Result<Listed> {
        self.descriptors(process, Table::Process, Part::Whole, buffers)
    }

    /// Reads which descriptors of a part of a table are sockets. A ring has none here.
    pub(crate) fn descriptors(
        &self,
        process: &OwnedFd,
        table: Table,
        part: Part,
        buffers: &mut ReadBuffers,
    ) -> io::Result<Listed> {
        let name = match table {
            Table::Thread(thread) => Name::new(format_args!("task/{thread}/fd")),
            Table::Process | Table::Ring { .. } => Name::new(format_args!("fd")),
        };
        let directory = openat(process, name.as_c_str(), DIRECTORY, Mode::empty())?;
        // Before the entries: a descriptor that is opened during the read changes the next stamp.
        let stamp = self.stamp_of(&rustix::fs::fstat(&directory)?);
        let (first, most) = part.range(stamp);
        if first > 0 {
            // After "." and ".." (`proc_readfd_common` in `fs/proc/fd.c`).
            rustix::fs::seek(&directory, SeekFrom::Start(u64::from(first) + 2))?;
        }
        let mut listed = Listed {
            stamp,
            sockets: Vec::new(),
            nameless: Vec::new(),
            first,
            next: None,
        };
        let counted = stamp.descriptors.filter(|_| first == 0);
        let mut left = counted.unwrap_or(i64::MAX);
        let mut room = most;
        let (mut is_told, mut denied) = (false, None);
        for_each_number(&directory, &mut buffers.entries, |number, name| {
            left -= 1;
            if room == 0 {
                listed.next.get_or_insert(number);
                return false;
            }
            room -= 1;
            match statat(&directory, name, AtFlags::empty()) {
                Ok(stat) => {
                    is_told = true;
                    if let Some(inode) = socket_inode(&stat) {
                        listed.sockets.push(Descriptor { inode, number });
                    } else if FileType::from_raw_mode(stat.st_mode) == FileType::Unknown {
                        listed.nameless.push(number);
                    }
                }
                Err(error @ (Errno::ACCESS | Errno::PERM | Errno::NOMEM)) => denied = Some(error),
                Err(_) => {}
            }
            // All counted descriptors have been read, so reading the end of the directory is
            // needless.
            left > 0
        })?;
        if counted.is_some() && left > 0 && listed.next.is_none() {
            // The kernel counts a reserved descriptor that does not exist yet, such as while
            // accept(2) or open(2) waits (`__sys_accept4_file` in `net/socket.c`): one more may
            // exist later with the same count.
            listed.stamp = stamp.without_count();
        }
        match denied {
            // A process may be allowed to list them but not to read them: the former depends on
            // file permissions, the latter on `ptrace_may_access`, which a security module can
            // refuse to root. (For single descriptors, a file system refuses it.)
            Some(error) if !is_told || error == Errno::NOMEM => Err(error.into()),
            _ => Ok(listed),
        }
    }

    /// The number of threads of a process: each is a directory in `task`, which counts as a link to
    /// it (`proc_task_getattr` in `fs/proc/base.c`).
    pub(crate) fn threads(&self, pid: u32) -> io::Result<u64> {
        let stat = self.stat(format_args!("{pid}/task"))?;
        #[allow(clippy::useless_conversion, reason = "it has fewer bits on other CPUs")]
        Ok(u64::from(stat.st_nlink).saturating_sub(2))
    }

    /// Calls `take` for the threads of a process, oldest first, as long as it returns true.
    pub(crate) fn each_thread(
        process: &OwnedFd,
        buffers: &mut ReadBuffers,
        mut take: impl FnMut(u32) -> bool,
    ) -> io::Result<()> {
        let directory = openat(process, c"task", DIRECTORY, Mode::empty())?;
        let mut is_wanted = true;
        for_each_number(&directory, &mut buffers.entries, |thread, _| {
            is_wanted = is_wanted && take(thread);
            is_wanted
        })
    }

    /// Opens the directory of a thread, which has the same files as that of the process.
    pub(crate) fn thread(process: &OwnedFd, thread: u32) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let name = Name::new(format_args!("task/{thread}"));
        Ok(openat(process, name.as_c_str(), flags, Mode::empty())?)
    }

    /// Whether a descriptor of a table refers to a socket. A ring does not show its files this way.
    pub(crate) fn holds(&self, pid: u32, table: Table, socket: Descriptor) -> bool {
        let number = socket.number;
        let inode = match table {
            Table::Process => self.socket(pid, number),
            Table::Thread(thread) => {
                let stat = self.stat(format_args!("{pid}/task/{thread}/fd/{number}"));
                stat.ok().as_ref().and_then(socket_inode)
            }
            Table::Ring { .. } => None,
        };
        inode == Some(socket.inode)
    }

    /// Whether a descriptor of the process with this directory is an `io_uring`.
    pub(crate) fn is_ring(process: &OwnedFd, thread: u32, descriptor: u32) -> bool {
        let name = in_table(thread, "fd", descriptor);
        let link = rustix::fs::readlinkat(process, name.as_c_str(), Vec::new());
        link.is_ok_and(|link| link.as_bytes() == b"anon_inode:[io_uring]")
    }

    /// The `fdinfo` of a descriptor (`proc_pid_fdinfo(5)`).
    pub(crate) fn info<'a>(
        process: &OwnedFd,
        (thread, descriptor): (u32, u32),
        buffers: &'a mut ReadBuffers,
    ) -> io::Result<&'a [u8]> {
        const MOST: usize = 1 << 24;
        let name = in_table(thread, "fdinfo", descriptor);
        read(process, name.as_c_str(), MOST, buffers)
    }
}

/// A file about a descriptor, in the directory of its process.
fn in_table(thread: u32, directory: &str, descriptor: u32) -> Name {
    match thread {
        0 => Name::new(format_args!("{directory}/{descriptor}")),
        _ => Name::new(format_args!("task/{thread}/{directory}/{descriptor}")),
    }
}
