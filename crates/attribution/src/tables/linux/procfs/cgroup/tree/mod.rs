//! The cgroups of version 2, by the ids that `sock_diag` gives.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::{CWD, FileType, FsWord, Mode, OFlags, RawDir, fstat, fstatfs, openat};

use crate::answer::Unit;
use crate::policy::freshness::NO_CGROUP;
use crate::tables::linux::containers::Containers;
use crate::tables::linux::procfs::mountinfo::{Mount, mounts};
use crate::tables::linux::procfs::proc;
use crate::tables::linux::procfs::proc::{Proc, ReadBuffers};

/// `CGROUP2_SUPER_MAGIC` (`include/uapi/linux/magic.h`).
const MAGIC: FsWord = 0x6367_7270;
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// The number of cgroups that are known, and that one walk reads.
const MAX_GROUPS: usize = 16 * 1024;
/// The depth of nested cgroups: more than service managers and containers make.
const MAX_DEPTH: usize = 32;
/// The number of bytes that this reads of a mount table.
const MAX_MOUNTS: usize = 4 * 1024 * 1024;

/// The paths of cgroups, from their file system.
///
/// The id of a cgroup is the inode number of its directory, which has 64 bits and is never reused
/// (`cgroup_id` in `include/linux/cgroup.h`). On 32-bit kernels the inode number is only half of
/// it, so the search finds no cgroup.
#[derive(Debug)]
pub(crate) struct Cgroups {
    directory: OwnedFd,
    /// The path of that directory.
    root: Arc<str>,
    /// Removed cgroups too: sockets may outlive them.
    known: HashMap<u64, Arc<str>>,
    walked: Option<Instant>,
}

impl Cgroups {
    /// Finds where the file system of version 2 is mounted; `None` if it is not.
    pub(crate) fn open(proc: &Proc, buffers: &mut ReadBuffers) -> Option<Self> {
        let text = proc::read(proc.root(), c"self/mountinfo", MAX_MOUNTS, buffers).ok()?;
        let text = String::from_utf8_lossy(text);
        let of_groups = mounts(&text).filter(|mount| mount.file_system == "cgroup2");
        let mut mounts: Vec<Mount<'_>> = of_groups.collect();
        // Mounts that show the largest part of it come first.
        mounts.sort_by_key(|mount| mount.root.len());
        mounts.iter().find_map(Self::open_at)
    }

    fn open_at(mount: &Mount<'_>) -> Option<Self> {
        let directory = openat(CWD, &*mount.point, DIRECTORY, Mode::empty()).ok()?;
        // Another file system may be mounted over it.
        let is_of_groups = fstatfs(&directory).ok()?.f_type == MAGIC;
        is_of_groups.then(|| Self {
            directory,
            root: mount.root.as_ref().into(),
            known: HashMap::new(),
            walked: None,
        })
    }

    /// The path of a cgroup, in the form of `/proc/PID/cgroup`. This may read all cgroups, but at
    /// most once a second.
    pub(crate) fn path(&mut self, id: u64, now: Instant) -> Option<Arc<str>> {
        if !self.known.contains_key(&id) && self.may_walk(now) {
            self.walked = Some(now);
            self.walk();
        }
        self.known.get(&id).cloned()
    }

    /// The unit of a cgroup.
    pub(crate) fn unit(&mut self, id: u64, now: Instant) -> Option<Unit> {
        let path = self.path(id, now)?;
        let unit = super::unit_of(&path)?;
        Some(Containers::of_system().with_details(unit, &path))
    }

    fn may_walk(&self, now: Instant) -> bool {
        self.walked
            .is_none_or(|walked| now.saturating_duration_since(walked) >= NO_CGROUP)
    }

    fn walk(&mut self) {
        let mut found = HashMap::new();
        if let Ok(stat) = fstat(&self.directory) {
            found.insert(stat.st_ino, Arc::clone(&self.root));
        }
        let mut buffer = vec![MaybeUninit::uninit(); 32 * 1024];
        let mut waiting = vec![(Arc::clone(&self.root), 0)];
        while let Some((path, depth)) = waiting.pop() {
            let Some(directory) = self.open_group(&path) else {
                continue;
            };
            for_each_directory(&directory, &mut buffer, |id, name| {
                if found.len() >= MAX_GROUPS {
                    return;
                }
                let known = self.known.get(&id).cloned();
                let parent = path.trim_end_matches('/');
                let path = known.unwrap_or_else(|| format!("{parent}/{name}").into());
                found.insert(id, Arc::clone(&path));
                if depth < MAX_DEPTH {
                    waiting.push((path, depth + 1));
                }
            });
        }
        tracing::trace!(groups = found.len(), "read the cgroups");
        if self.known.len() + found.len() > MAX_GROUPS {
            self.known.clear();
        }
        self.known.extend(found);
    }

    fn open_group(&self, path: &str) -> Option<OwnedFd> {
        let below = path.strip_prefix(&*self.root)?.trim_start_matches('/');
        let name = if below.is_empty() { "." } else { below };
        openat(&self.directory, name, DIRECTORY, Mode::empty()).ok()
    }
}

/// Calls `take` for every directory in a directory, with its inode number.
fn for_each_directory(
    directory: &OwnedFd,
    buffer: &mut [MaybeUninit<u8>],
    mut take: impl FnMut(u64, &str),
) {
    let mut entries = RawDir::new(directory, buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name: Option<&str> = CStr::to_str(entry.file_name()).ok();
        if let Some(name) = name.filter(|name| !matches!(*name, "." | ".."))
            && entry.file_type() == FileType::Directory
        {
            take(entry.ino(), name);
        }
    }
}
