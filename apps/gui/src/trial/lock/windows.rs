//! By sharing modes: a file that is open may be renamed, and not be opened by others.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;

/// `FILE_SHARE_DELETE`: it may be renamed and removed while it is open (`CreateFileW`).
const SHARE_DELETE: u32 = 4;

pub(in crate::trial) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .share_mode(SHARE_DELETE)
        .open(path)
}

pub(in crate::trial) fn open_if_free(path: &Path) -> Option<File> {
    let mut options = OpenOptions::new();
    options.read(true).share_mode(SHARE_DELETE).open(path).ok()
}
