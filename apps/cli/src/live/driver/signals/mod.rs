//! What the system wants. A platform owes two functions: `watch()`, which passes on each
//! signal, and `suspend()`, which returns when the program goes on.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

use std::sync::{Arc, OnceLock};

pub(super) use platform::{suspend, watch};

/// Whether the end of the view was asked for, and the exit code; for those who look whenever they
/// have something else to do.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(Arc<OnceLock<u8>>);

impl Asked {
    /// The first one counts.
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has signals"))]
    fn end(&self, code: u8) {
        let _is_first = self.0.set(code);
    }

    pub(super) fn code(&self) -> Option<u8> {
        self.0.get().copied()
    }
}

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
