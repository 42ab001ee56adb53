//! Stops a source from another thread.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::wait::Waker;

/// Stops a [`Source`](crate::Source) from any thread. Repeated calls are harmless.
#[derive(Clone)]
pub struct Stopper(Arc<Stop>);

struct Stop {
    is_requested: AtomicBool,
    /// Wakes the thread that waits for a device.
    bell: Option<Waker>,
}

impl Stopper {
    pub(crate) fn new(bell: Option<Waker>) -> Self {
        Self(Arc::new(Stop {
            is_requested: AtomicBool::new(false),
            bell,
        }))
    }

    /// Makes [`Source::next`](crate::Source::next) return [`Next::Stopped`](crate::Next::Stopped)
    /// after the packets that a device has captured before (on systems other than Linux, some of
    /// those may be lost). A file stops at once.
    ///
    /// A `next` that waits for a device returns at once on Linux and Windows, and within a quarter
    /// of a second elsewhere. One that waits for a pipe or standard input returns when data or the
    /// end arrives there.
    pub fn stop(&self) {
        self.0.is_requested.store(true, Ordering::Release);
        if let Some(bell) = &self.0.bell {
            bell.ring();
        }
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.0.is_requested.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper")
            .field("is_requested", &self.is_requested())
            .finish_non_exhaustive()
    }
}
