//! Why a process could not be looked at.

use std::io;

use rustix::io::Errno;

/// Why a process could not be looked at.
#[derive(Debug)]
pub(super) enum Miss {
    Gone,
    /// It is still there: this process may open no more files, or there is no memory.
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

/// Whether an error says that a process or thread has ended.
pub(super) fn is_gone(error: &io::Error) -> bool {
    let is_no_process = error.raw_os_error() == Some(Errno::SRCH.raw_os_error());
    is_no_process || error.kind() == io::ErrorKind::NotFound
}
