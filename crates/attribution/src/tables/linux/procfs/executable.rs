//! Which file a process executes, and whether its path leads to that file here.
//!
//! `/proc/PID/exe` leads to the file itself, and as a link it gives a path. That path is text:
//! a process in a mount namespace of its own has `/usr/bin/curl`, too, and may have any file
//! there. So device and inode are compared with those of what the path leads to here.
//!
//! The comparison never waits for a file system of a network or of a program, which may never answer.
//! For the file itself, it takes what the kernel has (`AT_STATX_DONT_SYNC`). It follows a path only
//! through cached directories (`RESOLVE_CACHED`), as those of a file that is executed are, and then
//! through disks of this host. If neither works, it compares the two lists of mounts as text.

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

/// What the kernel appends to the path of a file that was unlinked (`d_path` in `fs/d_path.c`).
const DELETED: &[u8] = b" (deleted)";
/// Bytes of a list of mounts that are read; others may have made it long.
const MAX_MOUNTS: usize = 1 << 20;

/// The type of a regular file, and the bits that tell types (inode(7)).
const REGULAR: u32 = 0o100_000;
const TYPES: u32 = 0o170_000;

const FLAGS: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// The link and the file, as they are at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Executable {
    /// The path, perhaps with what says that it was unlinked.
    link: OsString,
    file: Option<Found>,
}

/// Facts about a file that the kernel has without asking the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    file: ExeFile,
    links: u32,
    /// The mount that it was reached through; of any mount namespace.
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

/// Where an executable is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) path: PathBuf,
    pub(crate) is_deleted: bool,
    pub(crate) file: Option<ExeFile>,
    pub(crate) state: ExeState,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lookup {
    Found(Found),
    /// To nothing.
    Nothing,
    /// Not without asking a file system, or not allowed.
    Unknown,
}

/// Finds out where executables are.
#[derive(Debug)]
pub(crate) struct Locator {
    /// The device of all files of `memfd_create(2)`: one mount within the kernel (`shm_mnt` in
    /// `mm/shmem.c`).
    memory: Option<u64>,
}

/// The executable of the process whose directory this is; `None` if it is gone, has none, or may
/// not be inspected.
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

    /// Where the executable of a process is.
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

/// What is at a path that a process of a user names, for the process itself; `None` where there is
/// no regular file, or the file system would have to be asked, or that user may not reach it: whoever
/// chooses the path is to learn nothing by the rights of this process.
pub(super) fn named_file(
    process: &OwnedFd,
    guard: Guard,
    path: &Path,
    buffers: &mut ReadBuffers,
) -> Option<NamedFile> {
    let root = openat(process, c"root", FLAGS | OFlags::DIRECTORY, Mode::empty()).ok()?;
    let inner = path.strip_prefix("/").ok()?;
    let own = Found::of(CWD, Path::new("/"), AtFlags::empty()).ok()?;
    let seen = Found::of(&root, Path::new(""), AtFlags::EMPTY_PATH).ok()?;
    // What was read once may have left the cache since; a disk of this host is asked for it.
    let here = look_up_here(process, path, buffers);
    let is_same_root = own.mount == seen.mount && own.file.is_same(&seen.file);
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

/// Whether an absolute path leads a process to its own working directory. Only if all of the path is
/// cached, so this never waits.
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
/// path, and those of where links in it lead. What only a group may search counts as closed.
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
    // Where it is without links.
    let link = format!("/proc/self/fd/{}", opened.as_raw_fd());
    let Ok(real) = readlinkat(CWD, link, Vec::new()) else {
        return false;
    };
    let real = PathBuf::from(OsString::from_vec(real.into_bytes()));
    let mut directories = path.ancestors().chain(real.ancestors());
    directories.all(|at| at == path || at == real || may_search(at))
}

/// The path without the marker, if it ends with that.
fn without_marker(link: &OsStr) -> (Option<OsString>, bool) {
    let path = link.as_bytes().strip_suffix(DELETED);
    let path = path.map(|path| OsStr::from_bytes(path).to_owned());
    let is_marked = path.is_some();
    (path, is_marked)
}

/// Whether the marker is one, and not a part of the name: `app (deleted)` is a name, too.
fn is_unlinked(process: &OwnedFd, link: &OsStr, file: &Found) -> bool {
    if file.links == 0 {
        return true;
    }
    // It may have another hard link. If it were called so, the process itself would find it
    // under this name: what is executed is in the cache.
    let root = openat(process, c"root", FLAGS | OFlags::DIRECTORY, Mode::empty());
    let inner = Path::new(link).strip_prefix("/");
    let (Ok(root), Ok(inner)) = (root, inner) else {
        return true;
    };
    let theirs = look_up(&root, inner, ResolveFlags::IN_ROOT);
    !matches!(theirs, Lookup::Found(theirs) if theirs.file.is_same(&file.file))
}

/// Of a file that was unlinked: whether it was at this path here.
fn state_of_unlinked(
    process: &OwnedFd,
    path: &OsStr,
    file: &Found,
    buffers: &mut ReadBuffers,
) -> ExeState {
    let path = Path::new(path);
    // The directory that it was in is kept as long as it is executed.
    let parent = path
        .parent()
        .map(|parent| look_up(CWD, parent, ResolveFlags::empty()));
    let was_here = match parent {
        // The kernel made the path of this very mount.
        Some(Lookup::Found(parent)) if parent.mount == file.mount => true,
        Some(Lookup::Nothing) | None => false,
        _ => state_by_mounts(process, path, file, true, buffers) == ExeState::Here,
    };
    if !was_here {
        return ExeState::Elsewhere;
    }
    match look_up_here(process, path, buffers) {
        // Where everybody may make files, the next one of this name can be anybody's.
        Lookup::Found(now) if now.file.owner == file.file.owner => ExeState::Replaced,
        Lookup::Found(_) => ExeState::Elsewhere,
        Lookup::Nothing => ExeState::Deleted,
        Lookup::Unknown => ExeState::Unverified,
    }
}

/// Whether a path leads here to where the process has the file, by the lists of mounts alone: on
/// the same file system to the same place, through mounts that nothing hides.
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
    // The kernel gives its mounts from its own root directory, but not the path.
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

/// Whether the path of a file is the one under which the process itself has it: not so below
/// another root directory. Of a file that was unlinked, this is asked of its directory.
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

fn read_mounts(process: &OwnedFd, whose: Mounts, buffers: &mut ReadBuffers) -> Option<Vec<u8>> {
    let name = match whose {
        Mounts::Theirs => c"mountinfo",
        Mounts::Ours => c"../self/mountinfo",
    };
    let bytes = proc::read(process, name, MAX_MOUNTS, buffers).ok()?;
    (bytes.len() < MAX_MOUNTS).then(|| bytes.to_vec())
}

/// Lines that are no text are of no mount that a path of text leads through.
fn mounts(bytes: &[u8]) -> Vec<Mount<'_>> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.filter_map(|line| std::str::from_utf8(line).ok());
    lines.flat_map(mountinfo::mounts).collect()
}

/// Whether a path leads through nothing but file systems that this host itself has: those of
/// networks, and those that programs make, may never answer.
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

/// What a path leads to here: from the cache, and if that does not have it, from a disk of this
/// host.
fn look_up_here(process: &OwnedFd, path: &Path, buffers: &mut ReadBuffers) -> Lookup {
    match look_up(CWD, path, ResolveFlags::empty()) {
        Lookup::Unknown if is_on_disk(process, path, buffers) => {
            // A link may lead to what is on no disk.
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
