//! Errors of lookups.

use std::error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::reason::Reason;

/// Why the table could not read the owners of sockets.
///
/// Where the system refused or failed, [`source`](error::Error::source) is its [`io::Error`].
// Written by hand: a derive macro would add a fifth to the build time of this crate and its
// dependencies.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No socket table knows this operating system.
    Unsupported {
        /// The operating system, as Rust names it.
        os: &'static str,
    },
    /// The operating system did not list its sockets.
    Sockets {
        /// The request that failed: the system interface, the sockets, and the network namespace if
        /// it is another one.
        request: String,
        /// The error that the system returned.
        source: io::Error,
    },
    /// The table could not read a file with facts about sockets or processes.
    File {
        /// The file or directory.
        path: PathBuf,
        /// The error that the system returned.
        source: io::Error,
    },
    /// The system could not start the thread of the background resolver.
    Thread(io::Error),
}

impl Error {
    /// The reason in the answers of the queries that fail with this error.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Unsupported { .. } => Reason::Unsupported,
            Self::Sockets { .. } | Self::File { .. } | Self::Thread(_) => Reason::Failed,
        }
    }

    /// The error of the system, if the system returned one.
    pub const fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Unsupported { .. } => None,
            Self::Sockets { source, .. } | Self::File { source, .. } | Self::Thread(source) => {
                Some(source)
            }
        }
    }
}

/// The request that failed, the error, and what helps against it.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { os } => write!(
                f,
                "the owners of sockets cannot be read on this operating system ({os}); \
                 Linux, Windows, macOS, FreeBSD, OpenBSD and NetBSD are supported"
            ),
            Self::Sockets { request, source } => write!(f, "{request}: {source}{}", advice(source)),
            Self::File { path, source } => {
                write!(f, "{}: {source}{}", path.display(), advice(source))
            }
            Self::Thread(source) => write!(
                f,
                "the thread that looks up owners could not be started: {source}{}",
                thread_advice(source)
            ),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        let source = self.io_error()?;
        Some(source)
    }
}

/// `EMFILE` and `ENFILE`, which have no [`io::ErrorKind`]; the same number on every Unix.
#[cfg(unix)]
const TOO_MANY_FILES: [i32; 2] = [24, 23];
/// Other systems have no such limit.
#[cfg(not(unix))]
const TOO_MANY_FILES: [i32; 0] = [];

/// What helps against an error of the system, as the rest of a sentence. Empty if nothing is known
/// to help.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; run as administrator",
        io::ErrorKind::OutOfMemory => "; give this process or this host more memory",
        io::ErrorKind::NotFound => "; is it mounted?",
        _ => match error.raw_os_error() {
            Some(number) if TOO_MANY_FILES.contains(&number) => {
                "; allow more open files (`ulimit -n`)"
            }
            _ => "",
        },
    }
}

/// As [`advice`], for threads: the system says "try again" where a limit is reached.
fn thread_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::WouldBlock => {
            "; allow more processes (`ulimit -u`, or the limit of the cgroup)"
        }
        _ => advice(error),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn errors_name_the_request_and_keep_the_error_of_the_system() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let sockets = Error::Sockets {
            request: "sock_diag for udp 10.0.0.1:53".to_owned(),
            source: denied(),
        };
        let file = Error::File {
            path: PathBuf::from("/proc/net/tcp"),
            source: denied(),
        };
        for (error, what) in [(sockets, "udp 10.0.0.1:53"), (file, "/proc/net/tcp")] {
            let text = error.to_string();
            assert!(
                text.contains(what) && text.contains("administrator"),
                "{text}"
            );
            let source = error
                .source()
                .and_then(|source| source.downcast_ref::<io::Error>());
            assert_eq!(source.unwrap().kind(), io::ErrorKind::PermissionDenied);
            assert_eq!(error.reason(), Reason::Failed);
        }
    }
}
