//! Files that nobody but their user may read: recordings, exports.
//!
//! On Unix they have the mode 0600, and no link that stands where one is to be made is followed:
//! in a directory that others may write to, such as `/tmp`, somebody may have made one there
//! before.

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
    /// such as a device or a pipe, is written to, if it is the user's or root's.
    Replace,
}

/// Makes a file to be written, with [no capability in effect](without_capabilities), whichever
/// thread does.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where one is there that is to stay, and what the system says.
pub fn create(path: &Path, existing: Existing) -> io::Result<File> {
    without_capabilities(|| match existing {
        Existing::Keep => platform::create_new(path),
        Existing::Replace => platform::replace(path),
    })
}
