//! What is known of a process, read once from `/proc/PID`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::{CStr, OsStr, OsString};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::readlinkat;

use super::control_group;
use super::proc::{self, Scratch};
use super::stat::{self, Stat};
use crate::{Process, User};

/// Bytes of arguments that are kept of a process.
const MAX_ARGUMENTS: usize = 16 * 1024;
/// Bytes of any other file that are read.
const MAX_TEXT: usize = 64 * 1024;

/// Reads facts of processes.
#[derive(Debug)]
pub(super) struct Facts {
    boot: SystemTime,
    ticks_per_second: u64,
    users: Mutex<Users>,
}

/// The process that a process or thread belongs to.
pub(super) fn leader(process: &OwnedFd, scratch: &mut Scratch) -> Option<u32> {
    stat::thread_group(&text(process, c"status", scratch)?)
}

/// What `/proc/PID/stat` tells of the process whose folder this is.
pub(super) fn stat_of(process: &OwnedFd, scratch: &mut Scratch) -> Option<Stat> {
    stat::stat(&text(process, c"stat", scratch)?)
}

impl Facts {
    pub(super) fn new() -> Self {
        Self {
            boot: boot_time(),
            ticks_per_second: rustix::param::clock_ticks_per_second().max(1),
            users: Mutex::default(),
        }
    }

    /// The facts of the process whose folder and `stat` these are, as far as they can
    /// be read; `None` if it is gone.
    ///
    /// The folder ends with the process, so all are of the same one, also if its pid
    /// is given to another meanwhile. If it executes something else meanwhile, they
    /// are read again.
    pub(super) fn read(
        &self,
        process: &OwnedFd,
        pid: u32,
        owner: u32,
        mut stat: Stat,
        scratch: &mut Scratch,
    ) -> Option<Process> {
        const ATTEMPTS: usize = 3;
        let mut path = executable(process);
        for _ in 1..ATTEMPTS {
            let facts = self.read_once(process, pid, owner, stat, path.clone(), scratch);
            let after = executable(process);
            // Of one that has just exited, the executable cannot be read any more.
            if after == path || after.is_none() {
                return Some(facts);
            }
            path = after;
            stat = stat_of(process, scratch)?;
        }
        Some(self.read_once(process, pid, owner, stat, path, scratch))
    }

    fn read_once(
        &self,
        process: &OwnedFd,
        pid: u32,
        owner: u32,
        stat: Stat,
        path: Option<OsString>,
        scratch: &mut Scratch,
    ) -> Process {
        let arguments = proc::read_record(process, c"cmdline", MAX_ARGUMENTS, scratch);
        let arguments = arguments.ok().map(split_arguments);
        // Also where the folder of descriptors is root's, because the process may not be
        // dumped, this one is its own user's (`task_dump_owner` in `fs/proc/base.c`).
        let uid = match owner {
            0 => rustix::fs::fstat(process).map(|stat| stat.st_uid).ok(),
            uid => Some(uid),
        };
        let group = text(process, c"cgroup", scratch);
        let unit = group.as_deref().and_then(control_group::unit);
        let uid = match (uid, group) {
            // Of one that has exited it is root's too, and nothing can be read there.
            (Some(0), None) => {
                text(process, c"status", scratch).and_then(|text| stat::effective_uid(&text))
            }
            (uid, _) => uid,
        };
        let (path, path_deleted) = path.map_or((None, false), split_deleted);
        Process {
            pid,
            started: Some(self.wall_clock(stat.started)),
            parent: Some(stat.parent),
            name: full_name(stat.name, path.as_deref(), arguments.as_deref()),
            path,
            path_deleted,
            arguments,
            user: uid.map(|uid| self.user(uid)),
            unit,
        }
    }

    /// A user with the name that `/etc/passwd` gives.
    pub(super) fn user(&self, uid: u32) -> User {
        let name = self.users().names.get(&uid).cloned();
        let name = name.or_else(|| {
            let (changed, names) = read_users(self.users().changed)?;
            let mut users = self.users();
            *users = Users { names, changed };
            users.names.get(&uid).cloned()
        });
        User { id: uid, name }
    }

    fn users(&self) -> std::sync::MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time now, as start times are told.
    pub(super) fn now(&self) -> SystemTime {
        self.boot + since_boot()
    }

    /// When something happened, from clock ticks since boot.
    pub(super) fn wall_clock(&self, ticks: u64) -> SystemTime {
        let seconds = ticks / self.ticks_per_second;
        let rest = ticks % self.ticks_per_second * 1_000_000_000 / self.ticks_per_second;
        self.boot + Duration::from_secs(seconds) + Duration::from_nanos(rest)
    }
}

/// When this host was started, as precisely as start times are told: so that it is the
/// same whenever it is asked for, if the clock was not set.
fn boot_time() -> SystemTime {
    const PRECISION: u128 = 10_000_000;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let boot = now.saturating_sub(since_boot()).as_nanos();
    let rounded = (boot + PRECISION / 2) / PRECISION * PRECISION;
    UNIX_EPOCH + Duration::from_nanos(u64::try_from(rounded).unwrap_or_default())
}

fn since_boot() -> Duration {
    let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(since_boot).unwrap_or_default()
}

fn executable(process: &OwnedFd) -> Option<OsString> {
    let path = readlinkat(process, c"exe", Vec::new()).ok()?;
    Some(OsString::from_vec(path.into_bytes()))
}

/// Names in it may be of any bytes; those that are not UTF-8 are replaced.
fn text<'a>(process: &OwnedFd, name: &CStr, scratch: &'a mut Scratch) -> Option<Cow<'a, str>> {
    let bytes = proc::read_record(process, name, MAX_TEXT, scratch).ok()?;
    Some(String::from_utf8_lossy(bytes))
}

/// Splits off the marker of a file that was unlinked (`proc_pid_exe(5)`).
fn split_deleted(path: OsString) -> (Option<PathBuf>, bool) {
    let kept = path.as_bytes().strip_suffix(b" (deleted)");
    let kept = kept.map(|bytes| PathBuf::from(OsStr::from_bytes(bytes)));
    let is_deleted = kept.is_some();
    (Some(kept.unwrap_or_else(|| path.into())), is_deleted)
}

/// The kernel cuts names at 15 bytes; where the file or the first argument goes on
/// from there, that is the name.
fn full_name(cut: String, path: Option<&Path>, arguments: Option<&[OsString]>) -> String {
    const CUT_LENGTH: usize = 15;
    if cut.len() < CUT_LENGTH {
        return cut;
    }
    let first = arguments.and_then(|arguments| arguments.first());
    let first = first.map(Path::new);
    let longer = [path, first]
        .into_iter()
        .flatten()
        .filter_map(|path| path.file_name()?.to_str())
        .find(|name| name.starts_with(&cut))
        .map(str::to_owned);
    longer.unwrap_or(cut)
}

/// Arguments end with a zero each.
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

/// Names of users, from `/etc/passwd` (passwd(5)), read again when it changed.
#[derive(Debug, Default)]
struct Users {
    names: HashMap<u32, String>,
    changed: Option<SystemTime>,
}

/// The names, unless they are those of that time.
fn read_users(known: Option<SystemTime>) -> Option<(Option<SystemTime>, HashMap<u32, String>)> {
    const PATH: &str = "/etc/passwd";
    let changed = fs::metadata(PATH).and_then(|file| file.modified()).ok();
    if changed.is_none() || changed == known {
        return None;
    }
    Some((changed, names(&fs::read(PATH).ok()?)))
}

fn names(passwd: &[u8]) -> HashMap<u32, String> {
    let text = OsStr::from_bytes(passwd).to_string_lossy();
    let user = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        Some((fields.nth(1)?.parse().ok()?, name))
    };
    text.lines().filter_map(user).collect()
}
