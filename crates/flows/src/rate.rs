//! The current rate of a flow.

use std::time::Duration;

use crate::clock::DISORDER;

/// Seconds over which a rate is taken.
const WINDOW: usize = 5;

/// Wire bytes a second, over the last five seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// From the local end.
    pub sent: u64,
    /// From the remote end.
    pub received: u64,
}

/// Bytes of the last five seconds of packet time, one bucket a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RollingRate {
    /// The bucket of second *s* is at index *s* modulo the window.
    buckets: [u64; WINDOW],
    newest: u64,
}

impl RollingRate {
    /// Counts bytes at a time. Ignores bytes from before the window; but if time went back by more
    /// than ten minutes, the window begins anew.
    pub fn add(&mut self, time: Duration, bytes: u32) {
        let second = time.as_secs();
        if self.newest.saturating_sub(second) > DISORDER.as_secs() {
            *self = Self::default();
        }
        self.forget_before(second);
        if self.newest - second < WINDOW as u64 {
            let bucket = &mut self.buckets[place(second)];
            *bucket = bucket.saturating_add(bytes.into());
        }
    }

    /// Bytes a second over the window that ends with `now`.
    pub fn rate(&self, now: Duration) -> u64 {
        let now = now.as_secs();
        if self.newest.saturating_sub(now) > DISORDER.as_secs() {
            return 0;
        }
        let first = now.saturating_sub(WINDOW as u64 - 1);
        let oldest = self.newest.saturating_sub(WINDOW as u64 - 1);
        let seconds = first.max(oldest)..=self.newest;
        let bytes = seconds.fold(0_u64, |sum, second| {
            sum.saturating_add(self.buckets[place(second)])
        });
        bytes / WINDOW as u64
    }

    /// Advances to `second`, if that is later.
    fn forget_before(&mut self, second: u64) {
        if second <= self.newest {
            return;
        }
        let passed = (second - self.newest).min(WINDOW as u64);
        for back in 0..passed {
            self.buckets[place(second - back)] = 0;
        }
        self.newest = second;
    }
}

fn place(second: u64) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "less than the window")]
    let place = (second % WINDOW as u64) as usize;
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(added: &[(u64, u32)], now: u64, expected: u64) {
        let mut rate = RollingRate::default();
        for &(second, bytes) in added {
            rate.add(Duration::from_secs(second), bytes);
        }
        assert_eq!(rate.rate(Duration::from_secs(now)), expected);
    }

    #[test]
    fn over_the_last_five_seconds() {
        check(&[], 100, 0);
        check(&[(100, 500)], 100, 100);
        check(&[(100, 500)], 104, 100);
        check(&[(100, 500)], 105, 0);
        check(&[(100, 500), (103, 500)], 105, 100);
        check(&[(100, 500), (1_000, 500)], 1_000, 100);
        // A time before the latest one counts if it is within the window.
        check(&[(100, 500), (97, 500)], 100, 200);
        check(&[(100, 500), (95, 500)], 100, 100);
        check(&[(u64::MAX, 500)], u64::MAX, 100);
        // A reader with a late clock gets what there is.
        check(&[(100, 500)], 10, 100);
        // A wrong time does not stop the measurement.
        check(&[(1_000_000, 500), (100, 250)], 100, 50);
        check(&[(1_000_000, 500)], 100, 0);
        check(&[(0, 500)], 0, 100);
    }
}
