//! The file that a process executes, and whether its path leads to that file here.
//!
//! `/proc/PID/exe` refers to the file itself, and as a link it gives a path. That path is only
//! text: a process in another mount namespace has `/usr/bin/curl`, too, and may have any file
//! there. So this compares device and inode with those of the file at the path here.
//!
//! The comparison never waits for a file system of a network or of a program, which may never
//! answer. For the file itself, it takes the kernel's cached attributes (`AT_STATX_DONT_SYNC`). It
//! follows a path only through cached directories (`RESOLVE_CACHED`), which those of an executing
//! file are, and then through disks of this host. If neither works, it compares the two mount
//! tables as text.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, MemfdFlags, Mode, OFlags, ResolveFlags, Statx, StatxFlags, makedev, memfd_create,
    openat, openat2, readlinkat, statx,
};
use rustix::io::Errno;

use super::guarded::Guard;
use super::mountinfo::Mount;
use super::proc::ReadBuffers;
use super::{mountinfo, proc};
use crate::answer::{ExeFile, ExeState, NamedFile};

/// The suffix that the kernel appends to the path of an unlinked file (`d_path` in `fs/d_path.c`).
const DELETED: &[u8] = b" (deleted)";
/// The number of bytes that this reads of a mount table; another user may have made it long.
const MAX_MOUNTS: usize = 1 << 20;

/// The type of a regular file, and the mask of file types (inode(7)).
const REGULAR: u32 = 0o100_000;
const TYPES: u32 = 0o170_000;

const FLAGS: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// The link and the file at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Executable {
    /// The path, perhaps with the suffix for an unlinked file.
    link: OsString,
    file: Option<Found>,
}

/// The kernel's cached attributes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    file: ExeFile,
    links: u32,
    /// The mount through which it was reached, in any mount namespace.
    mount: u64,
}

impl Found {
    fn of(directory: impl AsFd, name: &Path, flags: AtFlags) -> rustix::io::Result<Self> {
        let mask = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
        let flags = flags | AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
        Ok(Self::from(statx(directory, name, flags, mask)?))
    }
}

impl From<Statx> for Found {
    fn from(stat: Statx) -> Self {
        let device = makedev(stat.stx_dev_major, stat.stx_dev_minor);
        let mode = u32::from(stat.stx_mode);
        Self {
            file: ExeFile::new(device, stat.stx_ino, stat.stx_uid, mode),
            links: stat.stx_nlink,
            mount: stat.stx_mnt_id,
        }
    }
}

/// The location of an executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) path: PathBuf,
    pub(crate) is_deleted: bool,
    pub(crate) file: Option<ExeFile>,
    pub(crate) state: ExeState,
}

/// What exists at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lookup {
    Found(Found),
    /// To nothing.
    Nothing,
    /// Unknown, because the answer needs a request to the file system or a permission.
    Unknown,
}

/// Finds the locations of executables.
#[derive(Debug)]
pub(crate) struct Locator {
    /// The device of all files of `memfd_create(2)`: one mount within the kernel (`shm_mnt` in
    /// `mm/shmem.c`).
    memory: Option<u64>,
}

/// The executable of the process with this directory; `None` if the process has exited, has none,
/// or may not be inspected.
pub(crate) fn executable(process: &OwnedFd) -> Option<Executable> {
    let link = readlinkat(process, c"exe", Vec::new()).ok()?;
    let file = Found::of(process, Path::new("exe"), AtFlags::empty());
    Some(Executable {
        link: OsString::from_vec(link.into_bytes()),
        file: file.ok(),
    })
}

impl Locator {
    pub(crate) fn new() -> Self {
        let own = memfd_create("flowner", MemfdFlags::CLOEXEC);
        let own = own.and_then(|own| Found::of(&own, Path::new(""), AtFlags::EMPTY_PATH));
        Self {
            memory: own.ok().map(|own| own.file.device),
        }
    }

    /// The location of a process's executable.
    pub(crate) fn locate(
        &self,
        process: &OwnedFd,
        executable: Executable,
        buffers: &mut ReadBuffers,
    ) -> Located {
        let Executable { link, file } = executable;
        let Some(file) = file else {
            let (path, is_deleted) = without_marker(&link);
            return Located {
                path: path.unwrap_or(link).into(),
                is_deleted,
                file: None,
                state: ExeState::Unverified,
            };
        };
        let located = |path: OsString, is_deleted, state| Located {
            path: path.into(),
            is_deleted,
            file: Some(file.file),
            state,
        };
        let (stripped, _) = without_marker(&link);
        if self.memory == Some(file.file.device) {
            return located(stripped.unwrap_or(link), false, ExeState::Memory);
        }
        let here = look_up_here(process, Path::new(&link), buffers);
        if matches!(here, Lookup::Found(here) if here.file.is_same(&file.file)) {
            return located(link, false, ExeState::Here);
        }
        if let Some(path) = stripped
            && is_unlinked(process, &link, &file)
        {
            let state = state_of_unlinked(process, &path, &file, buffers);
            return located(path, true, state);
        }
        let state = match here {
            Lookup::Unknown => state_by_mounts(process, Path::new(&link), &file, false, buffers),
            Lookup::Found(_) | Lookup::Nothing => ExeState::Elsewhere,
        };
        located(link, false, state)
    }
}

/// The file at a path that a process names, as the process itself has it. `None` if it is no
/// regular file, if the answer needs a request to the file system, or if the user may not reach it:
/// the user who chooses the path must learn nothing through the rights of this process.
pub(super) fn named_file(
    process: &OwnedFd,
    guard: Guard,
    path: &Path,
    buffers: &mut ReadBuffers,
) -> Option<NamedFile> {
    let root = openat(process, c"root", FLAGS | OFlags::DIRECTORY, Mode::empty()).ok()?;
    let inner = path.strip_prefix("/").ok()?;
    let own = Found::of(CWD, Path::new("/"), AtFlags::empty()).ok()?;
    let named = Found::of(&root, Path::new(""), AtFlags::EMPTY_PATH).ok()?;
    // An entry may have left the cache since, so this asks a disk of this host for it.
    let here = look_up_here(process, path, buffers);
    let is_same_root = own.mount == named.mount && own.file.is_same(&named.file);
    let (theirs, is_here) = if is_same_root {
        match here {
            Lookup::Found(here) => (here, true),
            Lookup::Nothing | Lookup::Unknown => return None,
        }
    } else {
        match (look_up(&root, inner, ResolveFlags::IN_ROOT), here) {
            (Lookup::Found(theirs), Lookup::Found(here)) => {
                (theirs, here.file.is_same(&theirs.file))
            }
            (Lookup::Found(theirs), Lookup::Nothing) => (theirs, false),
            _ => return None,
        }
    };
    if is_here && !may_reach(guard.user, path, &theirs) {
        return None;
    }
    let ExeFile { owner, mode, .. } = theirs.file;
    if mode & TYPES != REGULAR {
        return None;
    }
    let file = NamedFile::new(owner, mode, is_here);
    let is_guarded = guard.holds(&root, path)
        && (is_same_root
            || openat(CWD, "/", FLAGS, Mode::empty()).is_ok_and(|own| guard.holds(own, path)));
    Some(if is_guarded { file.guarded() } else { file })
}

/// Whether an absolute path leads a process to its own working directory. This only uses a path
/// that is cached as a whole, so it never waits.
pub(super) fn is_working_directory(process: &OwnedFd, path: &Path) -> bool {
    let root = openat(process, c"root", FLAGS | OFlags::DIRECTORY, Mode::empty());
    let (Ok(root), Ok(inner)) = (root, path.strip_prefix("/")) else {
        return false;
    };
    let now = Found::of(process, Path::new("cwd"), AtFlags::empty());
    match (look_up(&root, inner, ResolveFlags::IN_ROOT), now) {
        (Lookup::Found(told), Ok(now)) => told.mount == now.mount && told.file.is_same(&now.file),
        _ => false,
    }
}

/// Whether a user may search all directories on the way to a file, by their modes: those of the
/// path, and those of link targets in it. A directory that only a group may search counts as
/// closed.
fn may_reach(user: u32, path: &Path, file: &Found) -> bool {
    const SEARCHED_BY_OWNER: u32 = 0o100;
    const SEARCHED_BY_OTHERS: u32 = 0o001;
    let may_search = |directory: &Path| match look_up(CWD, directory, ResolveFlags::empty()) {
        Lookup::Found(Found { file, .. }) if file.owner == user => {
            file.mode & SEARCHED_BY_OWNER != 0
        }
        Lookup::Found(Found { file, .. }) => file.mode & SEARCHED_BY_OTHERS != 0,
        Lookup::Nothing | Lookup::Unknown => false,
    };
    if user == 0 {
        return true;
    }
    let resolve = ResolveFlags::CACHED;
    let Ok(opened) = openat2(CWD, path, FLAGS, Mode::empty(), resolve) else {
        return false;
    };
    let same = Found::of(&opened, Path::new(""), AtFlags::EMPTY_PATH);
    if !same.is_ok_and(|same| same.file.is_same(&file.file)) {
        return false;
    }
    // The path of the file without links.
    let link = format!("/proc/self/fd/{}", opened.as_raw_fd());
    let Ok(real) = readlinkat(CWD, link, Vec::new()) else {
        return false;
    };
    let real = PathBuf::from(OsString::from_vec(real.into_bytes()));
    let mut directories = path.ancestors().chain(real.ancestors());
    directories.all(|at| at == path || at == real || may_search(at))
}

/// The path without the suffix, if it has one.
fn without_marker(link: &OsStr) -> (Option<OsString>, bool) {
    let path = link.as_bytes().strip_suffix(DELETED);
    let path = path.map(|path| OsStr::from_bytes(path).to_owned());
    let is_marked = path.is_some();
    (path, is_marked)
}

/// Whether the suffix is one, rather than part of the name: `app (deleted)` is a valid name, too.
fn is_unlinked(process: &OwnedFd, link: &OsStr, file: &Found) -> bool {
    if file.links == 0 {
        return true;
    }
    // The file may have another hard link. If that had this name, the process itself would find it
    // there, because the path of an executing file is in the cache.
    let root = openat(process, c"root", FLAGS | OFlags::DIRECTORY, Mode::empty());
    let inner = Path::new(link).strip_prefix("/");
    let (Ok(root), Ok(inner)) = (root, inner) else {
        return true;
    };
    let theirs = look_up(&root, inner, ResolveFlags::IN_ROOT);
    !matches!(theirs, Lookup::Found(theirs) if theirs.file.is_same(&file.file))
}

/// For an unlinked file: whether it was at this path here.
fn state_of_unlinked(
    process: &OwnedFd,
    path: &OsStr,
    file: &Found,
    buffers: &mut ReadBuffers,
) -> ExeState {
    let path = Path::new(path);
    // The kernel keeps its directory as long as the file executes.
    let parent = path
        .parent()
        .map(|parent| look_up(CWD, parent, ResolveFlags::empty()));
    let was_here = match parent {
        // The kernel made the path from this mount.
        Some(Lookup::Found(parent)) if parent.mount == file.mount => true,
        Some(Lookup::Nothing) | None => false,
        _ => state_by_mounts(process, path, file, true, buffers) == ExeState::Here,
    };
    if !was_here {
        return ExeState::Elsewhere;
    }
    match look_up_here(process, path, buffers) {
        // In a directory where every user may make files, the next one with this name can belong to
        // any of them.
        Lookup::Found(now) if now.file.owner == file.file.owner => ExeState::Replaced,
        Lookup::Found(_) => ExeState::Elsewhere,
        Lookup::Nothing => ExeState::Deleted,
        Lookup::Unknown => ExeState::Unverified,
    }
}

/// Whether a path leads to the process's file here, by the two mount tables alone: to the same
/// place on the same file system, through mounts that nothing hides.
fn state_by_mounts(
    process: &OwnedFd,
    path: &Path,
    file: &Found,
    is_unlinked: bool,
    buffers: &mut ReadBuffers,
) -> ExeState {
    let Some(path) = path.to_str() else {
        return ExeState::Unverified;
    };
    let (Some(theirs), Some(ours)) = (
        read_mounts(process, Mounts::Theirs, buffers),
        read_mounts(process, Mounts::Ours, buffers),
    ) else {
        return ExeState::Unverified;
    };
    let (theirs, ours) = (mounts(&theirs), mounts(&ours));
    // The kernel gives the mounts relative to the process's own root directory, but not the path.
    if !is_path_of_its_own(process, path, file, is_unlinked) {
        return ExeState::Unverified;
    }
    let own = theirs
        .iter()
        .find(|mount| u64::from(mount.id) == file.mount);
    let Some((own, inner)) = own.and_then(|own| Some((own, mountinfo::inner(own, path)?))) else {
        return ExeState::Unverified;
    };
    let Some(here) = mountinfo::covering(&ours, path) else {
        return ExeState::Unverified;
    };
    if here.device != own.device {
        return ExeState::Elsewhere;
    }
    match mountinfo::inner(here, path) {
        Some(inner_here) if inner_here == inner => ExeState::Here,
        // It may be a link to the same file.
        _ => ExeState::Unverified,
    }
}

/// Whether the path of a file is the one that the process itself has for it. This does not hold
/// below another root directory. For an unlinked file, this checks its directory.
fn is_path_of_its_own(process: &OwnedFd, path: &str, file: &Found, is_unlinked: bool) -> bool {
    let root = openat(process, c"root", FLAGS | OFlags::DIRECTORY, Mode::empty());
    let inner = Path::new(path).strip_prefix("/");
    let (Ok(root), Ok(inner)) = (root, inner) else {
        return false;
    };
    let on_mount = |path: Option<&Path>| {
        let found = look_up(&root, path?, ResolveFlags::IN_ROOT);
        match found {
            Lookup::Found(found) if found.mount == file.mount => Some(found),
            _ => None,
        }
    };
    let is_it = |found: Found| found.file.is_same(&file.file);
    let parent = inner.parent().map(|parent| match parent.as_os_str() {
        empty if empty.is_empty() => Path::new("."),
        _ => parent,
    });
    on_mount(Some(inner)).is_some_and(is_it) || is_unlinked && on_mount(parent).is_some()
}

#[derive(Debug, Clone, Copy)]
enum Mounts {
    Ours,
    Theirs,
}

fn read_mounts(
    process: &OwnedFd,
    namespace_of: Mounts,
    buffers: &mut ReadBuffers,
) -> Option<Vec<u8>> {
    let name = match namespace_of {
        Mounts::Theirs => c"mountinfo",
        Mounts::Ours => c"../self/mountinfo",
    };
    let bytes = proc::read(process, name, MAX_MOUNTS, buffers).ok()?;
    (bytes.len() < MAX_MOUNTS).then(|| bytes.to_vec())
}

/// Skips lines that are not UTF-8, because no path in UTF-8 leads through their mounts.
fn mounts(bytes: &[u8]) -> Vec<Mount<'_>> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.filter_map(|line| std::str::from_utf8(line).ok());
    lines.flat_map(mountinfo::mounts).collect()
}

/// Whether a path leads only through file systems on this host's disks: those on a network and
/// those that programs serve may never answer.
fn is_on_disk(process: &OwnedFd, path: &Path, buffers: &mut ReadBuffers) -> bool {
    const LOCAL: [&str; 16] = [
        "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "iso9660",
        "overlay", "ramfs", "rootfs", "squashfs", "tmpfs", "xfs", "zfs",
    ];
    let Some(ours) = read_mounts(process, Mounts::Ours, buffers) else {
        return false;
    };
    let path = path.to_string_lossy();
    let ours = mounts(&ours);
    let mut above = ours
        .iter()
        .filter(|mount| mountinfo::inner(mount, &path).is_some());
    above.all(|mount| LOCAL.contains(&mount.file_system))
}

/// The file at a path here: from the cache or, if that does not have it, from a disk of this host.
fn look_up_here(process: &OwnedFd, path: &Path, buffers: &mut ReadBuffers) -> Lookup {
    match look_up(CWD, path, ResolveFlags::empty()) {
        Lookup::Unknown if is_on_disk(process, path, buffers) => {
            // A link may lead away from the disk.
            found(openat2(
                CWD,
                path,
                FLAGS,
                Mode::empty(),
                ResolveFlags::NO_SYMLINKS,
            ))
        }
        other => other,
    }
}

fn look_up(directory: impl AsFd, path: &Path, flags: ResolveFlags) -> Lookup {
    let resolve = ResolveFlags::CACHED | flags;
    found(openat2(directory, path, FLAGS, Mode::empty(), resolve))
}

fn found(file: rustix::io::Result<OwnedFd>) -> Lookup {
    let found = file.and_then(|file| Found::of(&file, Path::new(""), AtFlags::EMPTY_PATH));
    match found {
        Ok(found) => Lookup::Found(found),
        Err(Errno::NOENT | Errno::NOTDIR) => Lookup::Nothing,
        // Before Linux 5.12 there are no such lookups, and some sandboxes refuse them.
        Err(_) => Lookup::Unknown,
    }
}
