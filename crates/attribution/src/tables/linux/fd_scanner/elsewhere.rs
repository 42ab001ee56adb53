//! The places where a process may hold sockets beside its own descriptor table: the tables of
//! single threads, and files that are registered with `io_uring`.

use std::cmp::{Ordering, Reverse};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use super::index::Holder;
use super::miss::{Miss, is_gone};
use super::wanted::Wanted;
use super::{FdScanner, kcmp, lock};
use crate::answer::Process;
use crate::tables::linux::procfs::io_uring;
use crate::tables::linux::procfs::proc::{Descriptor, Part, Proc, ReadBuffers, Table};

/// The number of tables that this reads of one process.
const MOST_TABLES: usize = 64;
/// The number of threads that this compares of one process.
const MOST_THREADS: usize = 32_768;

/// The sockets in the other tables of a process.
#[derive(Debug, Default)]
pub(super) struct Others {
    pub(super) tables: Vec<Table>,
    pub(super) sockets: Vec<(Table, Descriptor)>,
    /// Whether there may be more.
    pub(super) is_cut: bool,
}

impl FdScanner {
    /// Searches the places that an ordinary scan skips, in every process: those of the wanted user
    /// first, and the youngest first. True if this covered all of them.
    pub(super) fn scan_elsewhere(&self, wanted: &Wanted, buffers: &mut ReadBuffers) -> bool {
        let mut pids = self.index().pids();
        {
            let index = self.index();
            pids.sort_by_cached_key(|pid| {
                let owner = index.scanned(*pid).map(|known| known.stamp.owner);
                (owner != Some(wanted.uid), Reverse(*pid))
            });
        }
        let mut is_everywhere = true;
        for pid in pids {
            let began = Instant::now();
            if !lock(&self.budget).has_any(began) {
                return false;
            }
            is_everywhere &= self.scan_elsewhere_of(pid, buffers);
            lock(&self.budget).spend(began.elapsed());
        }
        is_everywhere
    }

    /// A process with a thread that has a socket in its own table, such as one that has started
    /// another process, which has the socket from there.
    pub(super) fn holder_with_threads(
        &self,
        pid: u32,
        inode: u32,
        buffers: &mut ReadBuffers,
    ) -> Option<Arc<Process>> {
        let began = Instant::now();
        if !self.proc.threads(pid).is_ok_and(|threads| threads > 1)
            || !lock(&self.budget).has_any(began)
        {
            return None;
        }
        self.scan_elsewhere_of(pid, buffers);
        lock(&self.budget).spend(began.elapsed());
        let index = self.index();
        let is_it = |holder: &Holder| holder.pid == pid;
        let is_held = index.holders(inode).iter().any(is_it);
        let known = index.scanned(pid).filter(|_| is_held);
        known.and_then(|known| known.process.clone())
    }

    /// The same for one process.
    fn scan_elsewhere_of(&self, pid: u32, buffers: &mut ReadBuffers) -> bool {
        let (nameless, is_hidden) = {
            let index = self.index();
            let Some(known) = index.scanned(pid) else {
                return true;
            };
            (known.nameless.clone(), known.is_hidden)
        };
        // It is already known that this process hides descriptors.
        if is_hidden {
            return true;
        }
        let threads = match self.proc.threads(pid) {
            Ok(threads) => threads,
            Err(error) => return is_gone(&error),
        };
        if threads <= 1 && nameless.is_empty() {
            return true;
        }
        let directory = match self.proc.process(pid) {
            Ok(directory) => directory,
            Err(error) => return is_gone(&error),
        };
        let mut found = match threads {
            0 | 1 => Others::default(),
            _ => thread_tables(pid, &directory, buffers),
        };
        let rings = nameless.into_iter();
        let rings = rings.filter(|number| Proc::is_ring(&directory, 0, *number));
        let ring = |descriptor| Table::Ring {
            thread: 0,
            descriptor,
        };
        found.tables.extend(rings.map(ring));
        if found.tables.is_empty() {
            return !found.is_cut;
        }
        let read = self.read_others(&directory, &found.tables, Part::Whole, buffers);
        let is_all = !found.is_cut && !read.is_cut;
        if read.sockets.is_empty() {
            return is_all;
        }
        let begun = self.begin_scan(pid, Part::End, buffers);
        let taken = begun.and_then(|scan| self.finish_scan(scan.with_others(read), buffers));
        is_all && !matches!(taken, Err(Miss::Failed(_)))
    }

    /// Reads the sockets of tables, and of the rings in the tables of threads. Skips tables that do
    /// not exist any more.
    pub(super) fn read_others(
        &self,
        directory: &OwnedFd,
        tables: &[Table],
        part: Part,
        buffers: &mut ReadBuffers,
    ) -> Others {
        let mut found = Others::default();
        for table in tables {
            let read = match *table {
                Table::Process => continue,
                Table::Thread(thread) => {
                    self.read_thread(directory, (thread, part), &mut found, buffers)
                }
                Table::Ring { thread, descriptor } => {
                    read_ring(directory, (thread, descriptor), &mut found, buffers)
                }
            };
            match read {
                Ok(()) if found.tables.contains(table) => {}
                Ok(()) => found.tables.push(*table),
                Err(error) => found.is_cut |= !is_gone(&error),
            }
        }
        found
    }

    fn read_thread(
        &self,
        directory: &OwnedFd,
        (thread, part): (u32, Part),
        found: &mut Others,
        buffers: &mut ReadBuffers,
    ) -> io::Result<()> {
        let table = Table::Thread(thread);
        let listed = self.proc.descriptors(directory, table, part, buffers)?;
        found.is_cut |= !listed.is_whole();
        let sockets = listed.sockets.into_iter().map(|socket| (table, socket));
        found.sockets.extend(sockets);
        found.tables.push(table);
        for descriptor in listed.nameless {
            if Proc::is_ring(directory, thread, descriptor) {
                read_ring(directory, (thread, descriptor), found, buffers)?;
            }
        }
        Ok(())
    }
}

/// The position of a thread's table among the known ones, as [`slice::binary_search`] returns it.
fn place(known: &[u32], thread: u32) -> io::Result<Result<usize, usize>> {
    let (mut start, mut end) = (0, known.len());
    while start < end {
        let middle = start.midpoint(end);
        match kcmp::descriptor_tables(known[middle], thread)? {
            Ordering::Equal => return Ok(Ok(middle)),
            Ordering::Less => start = middle + 1,
            Ordering::Greater => end = middle,
        }
    }
    Ok(Err(start))
}

/// The tables of threads that differ from that of the process, each with one thread that has it.
pub(super) fn thread_tables(pid: u32, directory: &OwnedFd, buffers: &mut ReadBuffers) -> Others {
    let mut found = Others::default();
    let mut threads = Vec::new();
    let listed = Proc::each_thread(directory, buffers, |thread| {
        threads.push(thread);
        threads.len() < MOST_THREADS
    });
    found.is_cut = threads.len() == MOST_THREADS || listed.is_err_and(|error| !is_gone(&error));
    // One thread for each table, in the kernel's order of tables.
    let mut known = vec![pid];
    for thread in threads {
        if thread == pid {
            continue;
        }
        match place(&known, thread) {
            Ok(Ok(_)) => continue,
            Ok(Err(place)) => known.insert(place, thread),
            // This thread, or the other one, has exited meanwhile.
            Err(error) if is_gone(&error) => {
                found.is_cut = true;
                continue;
            }
            // The comparison failed, so this reads the table.
            Err(_) => {}
        }
        if found.tables.len() == MOST_TABLES {
            found.is_cut = true;
            break;
        }
        found.tables.push(Table::Thread(thread));
    }
    found
}

fn read_ring(
    directory: &OwnedFd,
    (thread, descriptor): (u32, u32),
    found: &mut Others,
    buffers: &mut ReadBuffers,
) -> io::Result<()> {
    // The kernel does not show a ring while it is in use.
    const ATTEMPTS: usize = 3;
    let table = Table::Ring { thread, descriptor };
    for attempt in 1..=ATTEMPTS {
        if !Proc::is_ring(directory, thread, descriptor) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let info = Proc::info(directory, (thread, descriptor), buffers)?;
        let registered = io_uring::registered(info);
        if registered.is_all || attempt == ATTEMPTS {
            let sockets = registered.sockets.into_iter();
            found.sockets.extend(sockets.map(|socket| (table, socket)));
            found.is_cut |= !registered.is_all;
            return Ok(());
        }
    }
    Ok(())
}
