//! What can go wrong when a monitor is started, or records.

use std::io;
use std::path::PathBuf;

/// Why a monitor could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device or file could not be opened, or devices could not be listed.
    #[error(transparent)]
    Capture(#[from] flowner_capture::Error),
    /// Owners cannot be looked up. Capturing alone works: turn
    /// [`owners`](crate::Config::owners) off.
    #[error(transparent)]
    Attribution(#[from] flowner_attribution::Error),
    /// There is no device to capture from.
    #[error("no network device was found to capture from; name one, or read a file")]
    NoDevice,
    /// There is a file where one is to be written.
    #[error("{path} exists already; name another file, or let it be overwritten", path = path.display())]
    Exists {
        /// Its path.
        path: PathBuf,
    },
    /// A file is to be written in a folder that is not there.
    #[error("{path} cannot be written: there is no such folder; make it first", path = path.display())]
    NoFolder {
        /// The path of the file.
        path: PathBuf,
    },
    /// What is recorded cannot be written, or not on: the disk may be full. What was written
    /// before can be read.
    #[error("{path} cannot be written: {source}", path = path.display())]
    Unwritable {
        /// Its path, or standard output.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file that is recorded to was removed meanwhile; one that was moved is no error.
    #[error("{path} was removed while it was written", path = path.display())]
    Removed {
        /// Its path.
        path: PathBuf,
    },
    /// Recording ended where it should not.
    #[error("{0}")]
    Recording(String),
    /// The capturing thread could not be started, or the one that records.
    #[error(
        "the capturing thread could not be started: {0}; allow more processes (`ulimit -u`, or \
         the limit of the cgroup)"
    )]
    Thread(#[source] io::Error),
}
