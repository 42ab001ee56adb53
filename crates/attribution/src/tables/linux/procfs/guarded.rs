//! Whether another user can have replaced the file at a path since a process started.
//!
//! A user who may write to a directory decides where its names lead. So each directory on the way
//! counts, including those of links.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{
    AtFlags, Mode, OFlags, ResolveFlags, Statx, StatxFlags, openat2, readlinkat, statx,
};

use crate::policy::freshness::SAME_START;

/// The number of links that this follows, which is that of the kernel (`MAXSYMLINKS` in
/// `include/linux/namei.h`).
const MAX_LINKS: usize = 40;
/// The number of path components that this follows, including those of links.
const MAX_PARTS: usize = 512;

/// The user who may own the file at a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    /// The user of the process.
    pub(super) user: u32,
    /// When the process started.
    pub(super) started: SystemTime,
}

impl Guard {
    /// Whether no one but root and the user can have changed, since the process started, where an
    /// absolute path leads below this root directory. `false` also if this cannot be known without
    /// a request to a file system that may not answer.
    pub(super) fn holds(self, root: impl AsFd, path: &Path) -> bool {
        self.walk(root.as_fd().try_clone_to_owned(), path)
            .unwrap_or(false)
    }

    fn walk(self, root: std::io::Result<OwnedFd>, path: &Path) -> rustix::io::Result<bool> {
        let Ok(root) = root else {
            return Ok(false);
        };
        let mut rest: Vec<Part> = Vec::new();
        push(&mut rest, path);
        // The directories down to the current one; the first one has no parent.
        let mut way: Vec<OwnedFd> = Vec::new();
        let (mut links, mut parts) = (0, 0);
        while let Some(part) = rest.pop() {
            parts += 1;
            if parts > MAX_PARTS {
                return Ok(false);
            }
            let name = match part {
                Part::Root => {
                    way.clear();
                    continue;
                }
                Part::Parent => {
                    way.pop();
                    continue;
                }
                Part::Name(name) => name,
            };
            let directory = way.last().unwrap_or(&root);
            let next = open(directory, Path::new(&name))?;
            let found = stat(&next)?;
            if !self.is_kept(&stat(directory)?, &found) {
                return Ok(false);
            }
            if is_link(&found) {
                links += 1;
                if links > MAX_LINKS {
                    return Ok(false);
                }
                let target = readlinkat(&next, "", Vec::new())?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                push(&mut rest, &target);
            } else {
                way.push(next);
            }
        }
        Ok(true)
    }

    /// Whether only root and the user can have given this name in a directory to another file since
    /// the process started.
    fn is_kept(self, directory: &Statx, named: &Statx) -> bool {
        const OTHERS_WRITE: u16 = 0o022;
        const STICKY: u16 = 0o1000;
        let is_trusted = |owner: u32| owner == 0 || owner == self.user;
        let is_closed = directory.stx_mode & OTHERS_WRITE == 0;
        // In a sticky directory, no user can replace the file of another user.
        let is_sticky = directory.stx_mode & STICKY != 0 && is_trusted(named.stx_uid);
        is_trusted(directory.stx_uid) && (is_closed || is_sticky)
            || changed(directory).is_some_and(|changed| changed + SAME_START < self.started)
    }
}

enum Part {
    Root,
    Parent,
    Name(OsString),
}

/// Pushes the components of a path, so that the first one is on top.
fn push(rest: &mut Vec<Part>, path: &Path) {
    let parts = path.components().rev();
    rest.extend(parts.filter_map(|part| match part {
        Component::RootDir => Some(Part::Root),
        Component::ParentDir => Some(Part::Parent),
        Component::Normal(name) => Some(Part::Name(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    }));
}

/// Opens only cached entries, so this never waits: the kernel has just followed the whole path.
fn open(directory: impl AsFd, name: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::CACHED | ResolveFlags::NO_MAGICLINKS;
    openat2(directory, name, flags, Mode::empty(), resolve)
}

fn stat(file: impl AsFd) -> rustix::io::Result<Statx> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
    statx(file, "", flags, StatxFlags::BASIC_STATS)
}

fn is_link(stat: &Statx) -> bool {
    const TYPES: u16 = 0o170_000;
    const LINK: u16 = 0o120_000;
    stat.stx_mode & TYPES == LINK
}

/// The last change of a name in a directory, of its owner or of its permissions.
fn changed(directory: &Statx) -> Option<SystemTime> {
    let seconds = u64::try_from(directory.stx_ctime.tv_sec).ok()?;
    Some(UNIX_EPOCH + Duration::new(seconds, directory.stx_ctime.tv_nsec))
}
