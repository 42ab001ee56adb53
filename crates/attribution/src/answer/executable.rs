//! The file that a process executes, and where it is.

use super::text::displayed;

/// The file that a process executes, from `/proc/PID/exe` (`proc_pid_exe(5)`): the file itself,
/// even if another one is at its path by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ExeFile {
    /// The device that it is on, as `st_dev` of stat(2).
    pub device: u64,
    /// Its inode on that device.
    pub inode: u64,
    /// The id of the user who owns the file; not of the user who runs it.
    pub owner: u32,
    /// Its type and permissions, as `st_mode` of stat(2).
    pub mode: u32,
}

impl ExeFile {
    /// A file with these values of stat(2).
    pub const fn new(device: u64, inode: u64, owner: u32, mode: u32) -> Self {
        Self {
            device,
            inode,
            owner,
            mode,
        }
    }

    /// Whether both are the same file. Its owner and permissions may differ, because they can change.
    pub const fn is_same(&self, other: &Self) -> bool {
        self.device == other.device && self.inode == other.inode
    }

    /// Whether only root may write to it. (This covers access control lists: they allow no more than
    /// the permissions of the group, acl(5).)
    pub const fn is_of_system(&self) -> bool {
        self.owner == 0 && self.mode & 0o022 == 0
    }
}

/// Whether the path that the kernel gives for an executable leads to that file *here*: in the mount
/// namespace and below the root directory of this process (`mount_namespaces(7)`, chroot(2)).
///
/// Linux only. On other systems, and in recordings, it is [`Unchecked`](Self::Unchecked).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum ExeState {
    /// The library did not compare it.
    #[default]
    Unchecked,
    /// The path leads to this file here.
    Here,
    /// The file was at this path, but another one has replaced it, as an upgrade does.
    Replaced,
    /// The file was at this path, but has been deleted.
    Deleted,
    /// The path leads to another file here, or to none: the process sees other mounts, has
    /// another root directory, or something was mounted over the file since.
    Elsewhere,
    /// It is in no directory (`memfd_create(2)`). The process that made it chose the path.
    Memory,
    /// The library could not compare it: the file system may take long to answer, or the process
    /// exited first.
    Unverified,
}

impl ExeState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Unchecked,
        Self::Here,
        Self::Replaced,
        Self::Deleted,
        Self::Elsewhere,
        Self::Memory,
        Self::Unverified,
    ];

    /// The name in lower case, as JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Here => "here",
            Self::Replaced => "replaced",
            Self::Deleted => "deleted",
            Self::Elsewhere => "elsewhere",
            Self::Memory => "memory",
            Self::Unverified => "unverified",
        }
    }

    /// Whether the path identifies the file: the file is there, or was until another one replaced it or
    /// it was deleted. True also for [`Unchecked`](Self::Unchecked), where the path is all that is
    /// known.
    pub const fn is_at_path(self) -> bool {
        match self {
            Self::Unchecked | Self::Here | Self::Replaced | Self::Deleted => true,
            Self::Elsewhere | Self::Memory | Self::Unverified => false,
        }
    }

    /// Words to show after the path, if the path alone would mislead.
    pub const fn remark(self) -> Option<&'static str> {
        match self {
            Self::Unchecked | Self::Here => None,
            Self::Replaced => Some("replaced since it started"),
            Self::Deleted => Some("deleted since it started"),
            Self::Elsewhere => Some("not the file that is at this path here"),
            Self::Memory => Some("in memory, not in a file"),
            Self::Unverified => Some("could not be compared with the file at this path"),
        }
    }
}

displayed!(ExeState, "state of an executable");

/// A file that the arguments of a process name, such as a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NamedFile {
    /// The id of the user who owns it.
    pub owner: u32,
    /// Its type and permissions, as `st_mode` of stat(2).
    pub mode: u32,
    /// Whether the path leads to the same file for the process and here.
    pub is_here: bool,
    /// Whether only root and the user of the process can have put another file at this path since
    /// the process started. That holds if root or that user owns each directory on the way and no
    /// one else may write to it, or if the directory has not changed since then.
    pub is_guarded: bool,
}

impl NamedFile {
    /// A file with these values of stat(2), which others may have put there since the process started.
    pub const fn new(owner: u32, mode: u32, is_here: bool) -> Self {
        Self {
            owner,
            mode,
            is_here,
            is_guarded: false,
        }
    }

    /// The same file, at a path where no other user can have replaced it since the process started.
    #[must_use]
    pub const fn guarded(self) -> Self {
        Self {
            is_guarded: true,
            ..self
        }
    }
}
