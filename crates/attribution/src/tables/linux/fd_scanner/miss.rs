//! The reasons why a scan of a process failed.

use std::io;

use rustix::io::Errno;

/// Why a scan of a process failed.
#[derive(Debug)]
pub(super) enum Miss {
    Gone,
    /// The process still exists, but this one may open no more files, or is out of memory.
    Failed(io::Error),
}

impl From<io::Error> for Miss {
    fn from(error: io::Error) -> Self {
        if is_gone(&error) {
            Self::Gone
        } else {
            Self::Failed(error)
        }
    }
}

/// Whether an error means that a process or thread has exited.
pub(super) fn is_gone(error: &io::Error) -> bool {
    let is_no_process = error.raw_os_error() == Some(Errno::SRCH.raw_os_error());
    is_no_process || error.kind() == io::ErrorKind::NotFound
}
