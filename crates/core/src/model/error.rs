//! The errors of starting a monitor, and of recording.

use std::io;
use std::path::PathBuf;

/// Why a monitor could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device or file could not be opened, or the devices could not be listed.
    #[error(transparent)]
    Capture(#[from] flowner_capture::Error),
    /// Lookups of owners are not possible. Capturing alone works: turn
    /// [`owners`](crate::Config::owners) off.
    #[error(transparent)]
    Attribution(#[from] flowner_attribution::Error),
    /// There is no device to capture from.
    #[error("no network device was found to capture from; name one, or read a file")]
    NoDevice,
    /// The output file exists already.
    #[error("{path} exists already; name another file, or let it be overwritten", path = path.display())]
    Exists {
        /// Its path.
        path: PathBuf,
    },
    /// The directory of the output file does not exist.
    #[error("{path} cannot be written: there is no such folder; make it first", path = path.display())]
    NoFolder {
        /// The path of the file.
        path: PathBuf,
    },
    /// The output cannot be written, or not to its end: the disk may be full. The part that was
    /// written before is readable.
    #[error("{path} cannot be written: {source}", path = path.display())]
    Unwritable {
        /// Its path, or standard output.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The output file was removed meanwhile; moving it is no error.
    #[error("{path} was removed while it was written", path = path.display())]
    Removed {
        /// Its path.
        path: PathBuf,
    },
    /// Recording ended unexpectedly.
    #[error("{0}")]
    Recording(String),
    /// The capture thread or the recording thread could not be started.
    #[error(
        "the capturing thread could not be started: {0}; allow more processes (`ulimit -u`, or \
         the limit of the cgroup)"
    )]
    Thread(#[source] io::Error),
}
