//! What can go wrong when sockets are looked up.

use std::io;

use crate::Reason;

/// Why the owners of sockets could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No socket table knows this operating system.
    #[error(
        "the owners of sockets cannot be read on this operating system ({os}); \
         Linux, Windows, macOS, FreeBSD, OpenBSD and NetBSD are supported"
    )]
    Unsupported {
        /// The operating system, as Rust names it.
        os: &'static str,
    },
    /// The operating system did not hand out its list of sockets.
    #[error("reading the list of sockets failed: {message}")]
    Sockets {
        /// What the platform said.
        message: String,
    },
    /// The thread of the background service could not be started.
    #[error("the thread that looks up owners could not be started: {0}")]
    Thread(#[source] io::Error),
}

impl Error {
    /// What a flow is told that waits for an answer when this happens.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Unsupported { .. } => Reason::Unsupported,
            Self::Sockets { .. } | Self::Thread(_) => Reason::NotFound,
        }
    }
}
