//! The signals of the system. A platform owes two functions: `watch()`, which passes on each
//! signal, and `suspend()`, which returns when the program continues.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

use std::sync::{Arc, OnceLock};

pub(super) use platform::{suspend, watch};

/// Whether a signal has requested the end of the view, and the exit code; for threads that check
/// this between other work.
#[derive(Debug, Clone, Default)]
pub(super) struct EndRequest(Arc<OnceLock<u8>>);

impl EndRequest {
    /// The first one counts.
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has signals"))]
    fn end(&self, code: u8) {
        let _is_first = self.0.set(code);
    }

    pub(super) fn code(&self) -> Option<u8> {
        self.0.get().copied()
    }
}

/// The request of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has signals"))]
pub(super) enum Signal {
    /// End, with this exit code.
    End(u8),
    Suspend,
    /// The program was stopped, and continues.
    Continued,
}
