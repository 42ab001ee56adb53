//! Packet time, adapted to measure silence.

use std::time::Duration;

/// How far packets may be out of order. A time further back means that the clock was set back, that
/// the next of several files begins, or that an earlier time was wrong. Then the order of packets
/// means nothing.
pub(crate) const DISORDER: Duration = Duration::from_secs(600);

/// The largest step that counts, 136 years, so that no number of wrong times can overflow a
/// [`Duration`].
const LONGEST_STEP: Duration = Duration::from_secs(u32::MAX as u64);

/// How much packet time has passed. It never goes back, and continues after packet times that did.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    latest: Duration,
    passed: Duration,
}

impl Clock {
    /// Advances to a packet time. Returns whether that is before the latest one.
    pub(crate) fn advance(&mut self, time: Duration) -> bool {
        let Some(step) = time.checked_sub(self.latest) else {
            if self.latest.saturating_sub(time) > DISORDER {
                self.latest = time;
            }
            return true;
        };
        self.passed = self.passed.saturating_add(step.min(LONGEST_STEP));
        self.latest = time;
        false
    }

    /// The current packet time.
    pub(crate) const fn now(&self) -> Duration {
        self.latest
    }

    /// The time that has passed, since an arbitrary moment.
    pub(crate) const fn passed(&self) -> Duration {
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packet times in seconds, and how much time passes from the first to the last.
    #[track_caller]
    fn check(times: &[u64], expected: u64) {
        let mut clock = Clock::default();
        clock.advance(Duration::from_secs(times[0]));
        let start = clock.passed();
        for &time in &times[1..] {
            clock.advance(Duration::from_secs(time));
        }
        let passed = clock.passed().saturating_sub(start);
        assert_eq!(passed, Duration::from_secs(expected));
    }

    #[test]
    fn passes_and_never_goes_back() {
        check(&[100, 103], 3);
        // Out of order: the clock has already counted the later ones.
        check(&[100, 103, 101, 104], 4);
        check(&[1_000, 400, 1_001], 1);
        // Set back by an hour: the clock continues from there.
        check(&[10_000, 6_400, 6_405], 5);
        // One wrong time passes in full, but does not stop the clock.
        check(&[100, 1_000_000, 101, 104], 999_903);
        check(&[0, u64::MAX, 0, 7], u64::from(u32::MAX) + 7);
    }
}
