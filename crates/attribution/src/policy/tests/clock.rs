//! A clock that only tests move.

use std::time::{Duration, Instant, SystemTime};

/// Both clocks of the policy, as time since the test began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
    pub(super) elapsed: Duration,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            elapsed: Duration::ZERO,
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.start + self.elapsed
    }

    pub(super) fn wall(&self) -> SystemTime {
        wall(self.elapsed)
    }

    /// The time of an instant from the policy, since the test began.
    pub(super) fn at(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.start)
    }
}

/// The wall clock at `elapsed` after the beginning of the test.
pub(super) fn wall(elapsed: Duration) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) + elapsed
}

pub(super) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
