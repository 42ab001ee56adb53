//! Waiting for a device, and being woken.
//!
//! Each platform's file exports the same names:
//!
//! * `prepare(Vec<Capture<Active>>) -> Result<(Vec<Capture<Active>>, Waiter, Waker), String>`:
//!   captures of which `next_packet` gives `TimeoutExpired` when it has none, at once or
//!   after [`MILLISECONDS`];
//! * `Waiter::wait(&self, patience: Duration, teller: &Teller, ready: &mut Ready) -> bool`:
//!   after a `TimeoutExpired`, waits for what is left of that time, where it can no longer than
//!   `patience`, and says what may be read. Whether something has happened, so that the captures
//!   or the stopper are to be looked at again;
//! * `Waker::ring(&self)`: ends a wait, from any thread.

use std::time::Duration;

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

pub(crate) use platform::{Waiter, Waker, prepare};

/// What may be read without waiting.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Which of the captures.
    pub(crate) captures: Vec<bool>,
    /// What the teller waits for.
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

/// How long a device is waited for at a time. Waking up a few times a second costs
/// nothing.
pub(crate) const MILLISECONDS: i32 = 250;
pub(crate) const PATIENCE: Duration = Duration::from_millis(MILLISECONDS.unsigned_abs() as u64);
