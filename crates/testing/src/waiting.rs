//! Waiting for a condition, with a deadline that holds on a busy machine as well.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a test waits before it fails.
const DEADLINE: Duration = Duration::from_secs(60);
/// The time between two checks.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until a condition holds.
///
/// # Panics
///
/// If it does not hold within a minute; the message names `what` the test waited for.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}

/// Waits until there is a value.
///
/// # Panics
///
/// If there is none within a minute; the message names `what` the test waited for.
#[track_caller]
pub fn wait_for<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for: {what}");
        sleep(PAUSE);
    }
}
