//! Which program a process executes, and since when.
//!
//! What is read of a process says what it executes now. A packet from before may be of the program that
//! it executed then. So each process has a time from which on it surely executed what it executes now
//! (`Process::program_seen`): what it sent before belongs to no program.
//!
//! Where the kernel [reports](super::Executions) who executes programs, that time is exact. It makes the
//! report when all that can be read of the process is of the new program already; so a process may
//! seem to execute a program that is yet to begin. Such a one has run no instruction of its own
//! ([`has_begun`]).
//!
//! Where the kernel does not report them, a program that is seen for the first time may have been
//! executed a moment ago, unless it has opened its sockets itself ([`has_opened`]).

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::SystemTime;

use super::FdScanner;
use super::index::Scanned;
use super::miss::Miss;
use super::scan::unread;
use crate::answer::Process;
use crate::tables::linux::netlink::executions::{Executions, Monotonic};
use crate::tables::linux::procfs::facts;
use crate::tables::linux::procfs::proc::{Proc, ReadBuffers};
use crate::tables::linux::procfs::stat::Stat;

/// How often facts are read until all of them are of the same program.
const ATTEMPTS: usize = 3;
/// How many descriptors of a process are read to see whether its program has opened them.
const MAX_OPENED: usize = 8;

impl FdScanner {
    /// What the kernel reports of executed programs, where it does.
    pub(crate) const fn executions(&self) -> Option<&Arc<Executions>> {
        self.executions.as_ref()
    }

    /// Whether a process executes another program than the one that is known of it.
    pub(super) fn executes_another(&self, pid: u32) -> bool {
        let executable = self.proc.executable(pid);
        let known = self.index().scanned(pid).map(|known| known.executable);
        if executable.is_some() && Some(executable) != known {
            return true;
        }
        let Some(known) = self.index().program(pid) else {
            return false;
        };
        let now = Monotonic::now();
        let reported = self
            .executions
            .as_ref()
            .map(|executions| executions.of(pid));
        match reported.and_then(|reported| reported.is_after(known.at)) {
            Some(has_executed) => return has_executed && executable.is_some(),
            None if executable.is_none() => return false,
            None => {}
        }
        // The same interpreter may interpret something else.
        let image = self.proc.image(pid);
        self.index().program_is_same(pid, image, now);
        image != known.image
    }

    /// Whether one of these processes is known to have executed a program since its last scan.
    pub(crate) fn has_any_executed(&self, processes: &[Arc<Process>]) -> bool {
        let Some(executions) = &self.executions else {
            return false;
        };
        let index = self.index();
        let known = |process: &Arc<Process>| Some((process.pid, index.program(process.pid)?.at));
        let known: Vec<_> = processes.iter().filter_map(known).collect();
        drop(index);
        executions.is_any_after(&known)
    }

    /// The facts of the process with this directory, and when its program was seen: what was known, if
    /// it executes the same, or what is read now.
    pub(super) fn program_of(
        &self,
        (pid, directory): (u32, &OwnedFd),
        scanned: &Scanned,
        mut stat: Stat,
        buffers: &mut ReadBuffers,
    ) -> Result<(Arc<Process>, Monotonic), Miss> {
        let owner = scanned.stamp.owner;
        let mut at = Monotonic::now();
        let mut image = Proc::image_in(directory);
        let known = self.index().process_as(pid, scanned, image);
        if let Some(known) = known
            && self.is_known_since(pid, scanned) != Some(true)
        {
            return Ok((known, at));
        }
        let mut is_steady = false;
        let mut attempts = 0..ATTEMPTS;
        let (mut process, has_begun) = loop {
            let process = self.facts.read(directory, pid, owner, stat, buffers);
            let process = process.ok_or_else(|| unread(&self.proc, pid))?;
            let has_begun = !process.has_executed || has_begun(directory, buffers);
            let (read_at, after) = (Monotonic::now(), Proc::image_in(directory));
            // Of one that has just exited, it cannot be read any more.
            is_steady |= after == image || after.is_none();
            if is_steady || attempts.next().is_none() {
                break (process, has_begun);
            }
            (image, at) = (after, read_at);
            let next = facts::stat_of(directory, buffers);
            stat = next.ok_or_else(|| unread(&self.proc, pid))?;
        };
        process.image = image;
        process.program_seen = if is_steady {
            self.seen(
                (pid, directory),
                scanned,
                (&process, has_begun),
                at,
                buffers,
            )
        } else {
            Some(SystemTime::now())
        };
        Ok((Arc::new(process), at))
    }

    /// Whether a process that was scanned before has executed a program since, if the kernel reports
    /// that.
    fn is_known_since(&self, pid: u32, scanned: &Scanned) -> Option<bool> {
        let reported = self.executions.as_ref()?.of(pid);
        let index = self.index();
        reported.is_after(index.process_before(pid, scanned)?.program_at)
    }

    /// From when on a process surely executed the program that was read since `at`: `None` if always.
    fn seen(
        &self,
        (pid, directory): (u32, &OwnedFd),
        scanned: &Scanned,
        (process, has_begun): (&Process, bool),
        at: Monotonic,
        buffers: &mut ReadBuffers,
    ) -> Option<SystemTime> {
        let Some(executions) = &self.executions else {
            return self.seen_unreported(directory, pid, scanned, process, buffers);
        };
        executed_at(executions, pid, has_begun, at)
    }

    /// The same where the kernel reports no executions.
    fn seen_unreported(
        &self,
        directory: &OwnedFd,
        pid: u32,
        scanned: &Scanned,
        process: &Process,
        buffers: &mut ReadBuffers,
    ) -> Option<SystemTime> {
        let index = self.index();
        let before = index.process_before(pid, scanned);
        let before = before.map(|before| (before.executable, before.process.clone()));
        drop(index);
        let is_first_look = !self.is_refreshed();
        match before {
            // The same program, of which something else has changed.
            Some((executable, Some(before)))
                if executable == scanned.executable && before.image == process.image =>
            {
                before.program_seen
            }
            _ if !process.has_executed || is_first_look => None,
            _ if has_opened(directory, scanned, buffers) => None,
            _ => Some(SystemTime::now()),
        }
    }
}

/// What the kernel reports of executed programs, where it does.
pub(super) fn reports(proc: &Proc) -> Option<Arc<Executions>> {
    let opened = Executions::open(proc).inspect_err(|error| {
        tracing::debug!(%error, "the kernel reports no executed programs");
    });
    opened.ok().map(Arc::new)
}

/// From when on a process has executed the program that was read of it since `at`.
fn executed_at(
    executions: &Executions,
    pid: u32,
    has_begun: bool,
    at: Monotonic,
) -> Option<SystemTime> {
    let reported = executions.of(pid);
    let last = reported.last;
    // It is about to execute a program, or has done so since.
    if !has_begun || last.is_some_and(|last| last > at) {
        return Some(SystemTime::now());
    }
    last.max(reported.lost_until).map(Monotonic::wall_clock)
}

/// Whether the program of a process has run instructions of its own: the kernel maps pages of files only
/// when these read them (`load_elf_binary` in `fs/binfmt_elf.c` writes all that it touches), and a
/// process that waits for anything does so in its program.
fn has_begun(directory: &OwnedFd, buffers: &mut ReadBuffers) -> bool {
    facts::shared_pages(directory, buffers).is_some_and(|pages| pages > 0)
        || facts::is_sleeping(directory, buffers)
}

/// Whether the program of a process has opened its sockets itself: execve(2) closes those that are
/// marked so.
fn has_opened(directory: &OwnedFd, scanned: &Scanned, buffers: &mut ReadBuffers) -> bool {
    let sockets = &scanned.sockets;
    let mut all = sockets.iter().take(MAX_OPENED);
    scanned.elsewhere.is_empty()
        && sockets.len() <= MAX_OPENED
        && all.all(|socket| facts::is_closed_on_execution(directory, socket.number, buffers))
}

#[cfg(test)]
mod tests;
