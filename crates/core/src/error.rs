//! What can go wrong when a monitor is started.

use std::io;

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
    /// The capturing thread could not be started.
    #[error("the capturing thread could not be started: {0}")]
    Thread(#[source] io::Error),
}
