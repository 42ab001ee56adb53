//! The facts about a process, read once from `/proc/PID`.

use std::borrow::Cow;
use std::ffi::{CStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::executable::{Executable, Locator, executable};
use super::proc::ReadBuffers;
use super::stat::{CUT_LENGTH, Stat};
use super::{cgroup, proc, stat};
use crate::answer::{ExeState, Process, User};
use crate::tables::linux::containers::Containers;
use crate::tables::linux::user_names::UserNames;

/// The number of bytes that this keeps of a process's arguments.
const MAX_ARGUMENTS: usize = 16 * 1024;
/// The number of bytes that this reads of any other file.
const MAX_TEXT: usize = 64 * 1024;

/// Reads facts of processes.
#[derive(Debug)]
pub(crate) struct Facts {
    boot: SystemTime,
    ticks_per_second: u64,
    names: Arc<UserNames>,
    containers: Arc<Containers>,
    locator: Locator,
    /// The id that stands here for users without one.
    unmapped: Option<u32>,
}

/// The process that a process or thread belongs to.
pub(crate) fn leader(process: &OwnedFd, buffers: &mut ReadBuffers) -> Option<u32> {
    stat::thread_group(&text(process, c"status", buffers)?)
}

/// The contents of `/proc/PID/stat`, of the process with this directory.
pub(crate) fn stat_of(process: &OwnedFd, buffers: &mut ReadBuffers) -> Option<Stat> {
    stat::stat(proc::read_record(process, c"stat", MAX_TEXT, buffers).ok()?)
}

/// How many pages of files the process or thread with this directory has mapped and read.
pub(crate) fn shared_pages(process: &OwnedFd, buffers: &mut ReadBuffers) -> Option<u64> {
    stat::shared_pages(&text(process, c"statm", buffers)?)
}

/// Whether the process or thread with this directory waits in a way that signals interrupt.
pub(crate) fn is_sleeping(process: &OwnedFd, buffers: &mut ReadBuffers) -> bool {
    let stat = proc::read_record(process, c"stat", MAX_TEXT, buffers);
    stat.is_ok_and(stat::is_sleeping)
}

/// Whether execve(2) closes a descriptor of the process with this directory.
pub(crate) fn is_closed_on_execution(
    process: &OwnedFd,
    descriptor: u32,
    buffers: &mut ReadBuffers,
) -> bool {
    const OF_PROCESS: u32 = 0;
    let info = proc::Proc::info(process, (OF_PROCESS, descriptor), buffers);
    info.is_ok_and(stat::is_closed_on_execution)
}

impl Facts {
    pub(crate) fn new() -> Self {
        Self {
            boot: boot_time(),
            ticks_per_second: rustix::param::clock_ticks_per_second().max(1),
            names: UserNames::of_system(),
            containers: Containers::of_system(),
            locator: Locator::new(),
            unmapped: unmapped_user(),
        }
    }

    /// The facts about the process with this directory and `stat`, as far as this process may read
    /// them, except for its image; `None` if it has exited.
    ///
    /// The directory disappears with the process, so all facts are about the same one, even if the
    /// system reuses its pid meanwhile. If the process executes another program meanwhile, this
    /// reads them again.
    pub(crate) fn read(
        &self,
        process: &OwnedFd,
        pid: u32,
        owner: u32,
        mut stat: Stat,
        buffers: &mut ReadBuffers,
    ) -> Option<Process> {
        const ATTEMPTS: usize = 3;
        let mut executed = executable(process);
        for _ in 1..ATTEMPTS {
            let facts = self.read_once(process, pid, owner, stat, executed.clone(), buffers);
            let after = executable(process);
            // The executable of a process that has just exited cannot be read any more.
            if after == executed || after.is_none() {
                return Some(facts);
            }
            executed = after;
            stat = stat_of(process, buffers)?;
        }
        Some(self.read_once(process, pid, owner, stat, executed, buffers))
    }

    fn read_once(
        &self,
        process: &OwnedFd,
        pid: u32,
        owner: u32,
        stat: Stat,
        executable: Option<Executable>,
        buffers: &mut ReadBuffers,
    ) -> Process {
        let arguments = proc::read_record(process, c"cmdline", MAX_ARGUMENTS, buffers);
        let arguments = arguments.ok().map(split_arguments);
        // If the process may not be dumped, root owns its directory of descriptors, but this one
        // still belongs to its own user (`task_dump_owner` in `fs/proc/base.c`).
        let uid = match owner {
            0 => rustix::fs::fstat(process).map(|stat| stat.st_uid).ok(),
            uid => Some(uid),
        };
        let group = text(process, c"cgroup", buffers);
        let unit = group.as_deref().and_then(|group| {
            let unit = cgroup::unit(group)?;
            Some(self.containers.with_details(unit, group))
        });
        let uid = match (uid, group) {
            // For a process that has exited it belongs to root, too, and nothing in it can be read.
            (Some(0), None) => {
                text(process, c"status", buffers).and_then(|text| stat::effective_uid(&text))
            }
            (uid, _) => uid,
        };
        let located = executable.map(|it| self.locator.locate(process, it, buffers));
        let state = located.as_ref().map(|located| located.state);
        let has_executed = stat.has_executed;
        let is_deleted = located.as_ref().is_some_and(|located| located.is_deleted);
        let file = located.as_ref().and_then(|located| located.file);
        let path = located.map(|located| located.path);
        Process {
            pid,
            started: Some(self.wall_clock(stat.started)),
            parent: Some(stat.parent),
            name: full_name(stat, path.as_deref(), arguments.as_deref()),
            path,
            path_deleted: is_deleted,
            exe_file: file,
            exe_state: state.unwrap_or(ExeState::Unchecked),
            arguments,
            user: uid.and_then(|uid| self.user(uid)),
            unit,
            image: None,
            has_executed,
            program_seen: None,
        }
    }

    /// A user, with the name if it is known; `None` for users without an id in the user namespace
    /// of this process.
    pub(crate) fn user(&self, uid: u32) -> Option<User> {
        let is_mapped = self.unmapped != Some(uid);
        is_mapped.then(|| User::new(uid, self.names.known(uid)))
    }

    pub(crate) const fn containers(&self) -> &Arc<Containers> {
        &self.containers
    }

    pub(crate) const fn names(&self) -> &Arc<UserNames> {
        &self.names
    }

    /// The current time, by the clock of start times.
    pub(crate) fn now(&self) -> SystemTime {
        self.boot + since_boot()
    }

    /// The wall-clock time of an event, from clock ticks since boot.
    pub(crate) fn wall_clock(&self, ticks: u64) -> SystemTime {
        let seconds = ticks / self.ticks_per_second;
        let rest = ticks % self.ticks_per_second * 1_000_000_000 / self.ticks_per_second;
        self.boot + Duration::from_secs(seconds) + Duration::from_nanos(rest)
    }
}

/// The id that stands for all users without one in the user namespace of this process
/// (`/proc/sys/kernel/overflowuid` in `user_namespaces(7)`). `None` if all have one.
fn unmapped_user() -> Option<u32> {
    const DEFAULT: u32 = 65_534;
    let map = std::fs::read_to_string("/proc/self/uid_map").ok()?;
    let count = |line: &str| line.split_whitespace().nth(2)?.parse::<u32>().ok();
    if map.lines().filter_map(count).any(|count| count == u32::MAX) {
        return None;
    }
    let text = std::fs::read_to_string("/proc/sys/kernel/overflowuid").ok();
    let id = text.and_then(|text| text.trim().parse().ok());
    Some(id.unwrap_or(DEFAULT))
}

/// The boot time of this host, as precise as the kernel's start times, so that it stays the same
/// for as long as the clock is not set. It is rounded down, as the kernel rounds start times, so
/// that no process starts after its first packet.
fn boot_time() -> SystemTime {
    const PRECISION: u128 = 10_000_000;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let boot = now.saturating_sub(since_boot()).as_nanos();
    let rounded = boot / PRECISION * PRECISION;
    UNIX_EPOCH + Duration::from_nanos(u64::try_from(rounded).unwrap_or_default())
}

fn since_boot() -> Duration {
    let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(since_boot).unwrap_or_default()
}

/// Names in it may have any bytes; this replaces those that are not UTF-8.
fn text<'a>(process: &OwnedFd, name: &CStr, buffers: &'a mut ReadBuffers) -> Option<Cow<'a, str>> {
    let bytes = proc::read_record(process, name, MAX_TEXT, buffers).ok()?;
    Some(String::from_utf8_lossy(bytes))
}

/// The full name. The kernel cuts names at 15 bytes, even within a character. If the file or the
/// first argument continues from there, that is the name.
fn full_name(stat: Stat, path: Option<&Path>, arguments: Option<&[OsString]>) -> String {
    let cut = &stat.raw_name;
    if cut.len() < CUT_LENGTH {
        return stat.name;
    }
    let first = arguments.and_then(|arguments| arguments.first());
    let first = first.map(Path::new);
    let longer = [path, first]
        .into_iter()
        .flatten()
        .filter_map(|path| Some(path.file_name()?.as_bytes()))
        .find(|name| name.starts_with(cut));
    longer.map_or(stat.name, |name| String::from_utf8_lossy(name).into_owned())
}

/// A zero byte ends each argument.
fn split_arguments(bytes: &[u8]) -> Vec<OsString> {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    let arguments = bytes.split(|byte| *byte == 0);
    arguments
        .map(|argument| OsString::from_vec(argument.to_vec()))
        .collect()
}
