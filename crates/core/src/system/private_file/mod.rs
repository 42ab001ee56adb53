//! Files that nobody but their user may read: recordings, exports.
//!
//! On Unix they have the mode 0600, and no link that stands where one is to be made is followed:
//! in a directory that others may write to, such as `/tmp`, somebody may have made one there
//! before.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;

use crate::system::privileges::without_capabilities;

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and none is made.
    Keep,
    /// Another one takes its place, also that of a link, which is not followed. What is no file,
    /// such as a device or a pipe, is written to, if it is the user's or root's, or the null device.
    Replace,
}

/// Makes a file to be written, with [no capability in effect](without_capabilities), whichever
/// thread does.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where one is there that is to stay, and what the system says.
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
