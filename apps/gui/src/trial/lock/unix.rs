//! By `flock(2)`: held as long as a descriptor of the open file is there.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

pub(in crate::trial) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

pub(in crate::trial) fn open_if_free(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    // A file system without locks tells nothing, and nothing is taken for a failure.
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(file)
}
