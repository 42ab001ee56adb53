//! What is known of a process, read once from `/proc/PID`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags, openat, readlinkat};

use super::stat;
use crate::process::split_deleted;
use crate::{Process, User};

/// Bytes of arguments that are kept of a process.
const MAX_ARGUMENTS: u64 = 16 * 1024;

/// Reads facts of processes.
#[derive(Debug)]
pub(super) struct Facts {
    boot: SystemTime,
    ticks_per_second: u64,
    users: Users,
}

/// Opens the folder of a process. It stands for that process also when its pid is
/// reused: then nothing can be read through it any more.
pub(super) fn open_process(proc: &OwnedFd, pid: u32) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(proc, pid.to_string(), flags, Mode::empty())?)
}

/// The newest id of a process or thread.
pub(super) fn newest_pid(proc: &OwnedFd) -> Option<u32> {
    stat::newest_pid(&read(proc, "loadavg").ok()?)
}

/// The process that a process or thread belongs to.
pub(super) fn leader(proc: &OwnedFd, id: u32) -> Option<u32> {
    let folder = open_process(proc, id).ok()?;
    stat::thread_group(&read(&folder, "status").ok()?)
}

/// Clock ticks from boot to the start of the process whose folder this is.
pub(super) fn started(folder: &OwnedFd) -> Option<u64> {
    Some(stat::stat(&read(folder, "stat").ok()?)?.started)
}

impl Facts {
    pub(super) fn new(proc: &OwnedFd) -> io::Result<Self> {
        let boot = stat::boot_time(&read(proc, "stat")?)
            .ok_or_else(|| io::Error::other("/proc/stat does not tell the boot time"))?;
        Ok(Self {
            boot: UNIX_EPOCH + Duration::from_secs(boot),
            ticks_per_second: rustix::param::clock_ticks_per_second().max(1),
            users: Users::default(),
        })
    }

    /// The facts of the process with this pid and start; `None` if it is gone.
    ///
    /// All are read through one folder, which ends with the process, and the start is
    /// compared last: what was read before is of that process.
    pub(super) fn read(&mut self, proc: &OwnedFd, pid: u32, started: u64) -> Option<Process> {
        let folder = open_process(proc, pid).ok()?;
        let path = readlinkat(&folder, "exe", Vec::new()).ok();
        let path = path.map(|path| path.to_string_lossy().into_owned());
        let arguments = read_bytes(&folder, "cmdline", MAX_ARGUMENTS).ok();
        let status = read(&folder, "status").ok();
        let cgroup = read(&folder, "cgroup").ok();
        let stat = stat::stat(&read(&folder, "stat").ok()?)?;
        if stat.started != started {
            return None;
        }
        let (path, path_deleted) = match path.as_deref().map(split_deleted) {
            Some((path, deleted)) => (Some(path.to_owned()), deleted),
            None => (None, false),
        };
        let uid = status.as_deref().and_then(stat::effective_uid);
        let arguments = arguments.map(|bytes| split_arguments(&bytes));
        Some(Process {
            pid,
            started: Some(self.wall_clock(started)),
            parent: Some(stat.parent),
            name: full_name(stat.name, path.as_deref(), arguments.as_deref()),
            path,
            path_deleted,
            arguments,
            user: uid.map(|uid| self.user(uid)),
            unit: cgroup.as_deref().and_then(stat::unit),
        })
    }

    /// A user with the name that `/etc/passwd` gives.
    pub(super) fn user(&mut self, uid: u32) -> User {
        User {
            id: uid,
            name: self.users.name(uid),
        }
    }

    fn wall_clock(&self, ticks: u64) -> SystemTime {
        let seconds = ticks / self.ticks_per_second;
        let rest = ticks % self.ticks_per_second * 1_000_000_000 / self.ticks_per_second;
        self.boot + Duration::from_secs(seconds) + Duration::from_nanos(rest)
    }
}

/// The kernel cuts names at 15 bytes; where the file or the first argument goes on
/// from there, that is the name.
fn full_name(
    cut: String,
    path: Option<&std::path::Path>,
    arguments: Option<&[OsString]>,
) -> String {
    const CUT_LENGTH: usize = 15;
    if cut.len() < CUT_LENGTH {
        return cut;
    }
    let first = arguments.and_then(|arguments| arguments.first());
    let first = first.map(std::path::Path::new);
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

fn read(folder: &OwnedFd, name: &str) -> io::Result<String> {
    let bytes = read_bytes(folder, name, u64::MAX)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read_bytes(folder: &OwnedFd, name: &str, max: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(folder.as_fd(), name, flags, Mode::empty())?;
    let mut bytes = Vec::new();
    fs::File::from(file).take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Names of users, from `/etc/passwd` (passwd(5)), read again when it changed.
#[derive(Debug, Default)]
struct Users {
    names: HashMap<u32, String>,
    changed: Option<SystemTime>,
}

impl Users {
    fn name(&mut self, uid: u32) -> Option<String> {
        const PATH: &str = "/etc/passwd";
        if !self.names.contains_key(&uid) {
            let changed = fs::metadata(PATH).and_then(|file| file.modified()).ok();
            if changed != self.changed {
                self.changed = changed;
                self.names = fs::read(PATH).map_or_else(|_| HashMap::new(), |text| names(&text));
            }
        }
        self.names.get(&uid).cloned()
    }
}

fn names(passwd: &[u8]) -> HashMap<u32, String> {
    let text = std::ffi::OsStr::from_bytes(passwd).to_string_lossy();
    let user = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        Some((fields.nth(1)?.parse().ok()?, name))
    };
    text.lines().filter_map(user).collect()
}
