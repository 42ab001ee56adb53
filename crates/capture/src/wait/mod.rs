//! Waits for a device, and wakes the waiting thread.
//!
//! Each platform's file exports the same names:
//!
//! * `prepare(Vec<Capture<Active>>) -> Result<(Vec<Capture<Active>>, Waiter, Waker), String>`:
//!   captures whose `next_packet` returns `TimeoutExpired` if it has no packet, at once or after
//!   [`MILLISECONDS`];
//! * `Waiter::wait(&self, patience: Duration, teller: &Teller, ready: &mut Ready) -> bool`: after a
//!   `TimeoutExpired`, waits for the rest of that time, at most for `patience` if it can, and
//!   reports what is readable. Returns whether something has happened, so that the caller should
//!   check the captures and the stopper again;
//! * `Waker::ring(&self)`: ends a wait, from any thread.

use std::time::Duration;

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

pub(crate) use platform::{Waiter, Waker, prepare};

/// What is readable without a wait.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Whether each capture is readable.
    pub(crate) captures: Vec<bool>,
    /// Whether the teller has notifications.
    pub(crate) notices: bool,
}

impl Ready {
    pub(crate) fn new(captures: usize) -> Self {
        Self {
            captures: vec![true; captures],
            notices: false,
        }
    }
}

/// The length of one wait for a device. Waking up a few times a second costs nothing.
pub(crate) const MILLISECONDS: i32 = 250;
pub(crate) const PATIENCE: Duration = Duration::from_millis(MILLISECONDS.unsigned_abs() as u64);
