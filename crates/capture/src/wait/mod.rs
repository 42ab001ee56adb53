//! Waiting for a device, and being woken.
//!
//! Each platform's file exports the same names:
//!
//! * `prepare(Capture<Active>) -> Result<(Capture<Active>, Waiter, Bell), String>`: a
//!   capture of which `next_packet` gives `TimeoutExpired` when it has none, at once or
//!   after [`MILLISECONDS`];
//! * `Waiter::wait(&self, patience: Duration) -> bool`: after a `TimeoutExpired`, waits for
//!   what is left of that time, where it can no longer than `patience`. Whether something has
//!   happened, so that the capture or the stopper is to be looked at again;
//! * `Bell::ring(&self)`: ends a wait, from any thread.

use std::time::Duration;

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "libpcap.rs")]
mod current;

pub(crate) use current::{Bell, Waiter, prepare};

/// How long a device is waited for at a time. Waking up a few times a second costs
/// nothing.
pub(crate) const MILLISECONDS: i32 = 250;
pub(crate) const PATIENCE: Duration = Duration::from_millis(MILLISECONDS.unsigned_abs() as u64);
