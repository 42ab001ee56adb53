//! Stops a waiting thread from another one.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A request that wakes the thread that waits.
#[derive(Debug, Default)]
pub(super) struct Stop {
    is_requested: Mutex<bool>,
    requested: Condvar,
}

impl Stop {
    pub(super) fn request(&self) {
        let mut is_requested = self
            .is_requested
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *is_requested = true;
        self.requested.notify_all();
    }

    pub(super) fn is_requested_within(&self, timeout: Duration) -> bool {
        let is_requested = self
            .is_requested
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.is_zero() || *is_requested {
            return *is_requested;
        }
        let waited = self
            .requested
            .wait_timeout_while(is_requested, timeout, |is_requested| !*is_requested);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
