//! What the system wants. A platform owes two functions: `watch()`, which tells of each
//! signal, and `suspend()`, which returns when the program goes on.

#[cfg(not(unix))]
#[path = "other.rs"]
mod platform;
#[cfg(unix)]
#[path = "unix.rs"]
mod platform;

pub(super) use platform::{suspend, watch};

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has signals"))]
pub(super) enum Signal {
    /// End, with this exit code.
    End(u8),
    Suspend,
    /// The program was stopped, and goes on.
    Continued,
}
