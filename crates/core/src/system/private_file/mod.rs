//! Files that only their user may read: recordings, exports.
//!
//! On Unix they have the mode 0600, and flowner follows no link in their place: in a directory that
//! others may write to, such as `/tmp`, another user may have made a link beforehand.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;

use crate::system::privileges::without_capabilities;

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

/// What happens to an existing file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and the call fails.
    Keep,
    /// A new file replaces it. A link is replaced, too, and not followed. If the existing one is not
    /// a file, such as a device or a pipe, flowner writes to it, provided that the user or root owns
    /// it, or that it is the null device.
    Replace,
}

/// Creates a file for writing, with [no capability in effect](without_capabilities), on any thread.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if the file exists and must stay, and the errors of the system.
pub fn create(path: &Path, existing: Existing) -> io::Result<File> {
    let Some(name) = path.file_name() else {
        return Err(io::ErrorKind::IsADirectory.into());
    };
    Directory::of(path)?.create(name, existing)
}

/// A directory in which files are made, which stays the same one wherever its path leads by then:
/// who may rename it cannot lead files elsewhere. On Windows, it is its path alone.
#[derive(Debug)]
pub struct Directory(platform::Directory);

impl Directory {
    /// Opens the directory of a file, with [no capability in effect](without_capabilities).
    ///
    /// # Errors
    /// What the system says.
    pub fn of(path: &Path) -> io::Result<Self> {
        let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        without_capabilities(|| platform::Directory::open(parent)).map(Self)
    }

    /// As [`create`], by the name in this directory.
    ///
    /// # Errors
    /// As for [`create`].
    pub fn create(&self, name: &OsStr, existing: Existing) -> io::Result<File> {
        without_capabilities(|| match existing {
            Existing::Keep => self.0.create_new(name),
            Existing::Replace => self.0.replace(name),
        })
    }

    /// Whether something has this name, also a link that leads nowhere.
    pub fn has(&self, name: &OsStr) -> bool {
        without_capabilities(|| self.0.has(name))
    }

    /// Removes a file by its name.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        without_capabilities(|| self.0.remove(name))
    }
}
