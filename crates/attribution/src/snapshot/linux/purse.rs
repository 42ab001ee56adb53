//! Time that may be spent.

use std::time::{Duration, Instant};

/// So much at once, and a share of what passes.
#[derive(Debug)]
pub(super) struct Purse {
    size: Duration,
    /// One of so many parts of the time that passes is given back.
    share: u32,
    left: Duration,
    filled: Instant,
}

impl Purse {
    pub(super) const fn full(size: Duration, share: u32, now: Instant) -> Self {
        Self {
            size,
            share,
            left: size,
            filled: now,
        }
    }

    pub(super) fn has_any(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled);
        self.left = self.size.min(self.left + passed / self.share);
        self.filled = now;
        !self.left.is_zero()
    }

    pub(super) fn spend(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purse_is_filled_with_time() {
        const SIZE: Duration = Duration::from_millis(50);
        let start = Instant::now();
        let mut purse = Purse::full(SIZE, 4, start);
        purse.spend(SIZE * 2);
        assert!(!purse.has_any(start));
        assert!(purse.has_any(start + Duration::from_millis(4)));
        assert_eq!(purse.left, Duration::from_millis(1));
        assert!(purse.has_any(start + Duration::from_secs(10)));
        assert_eq!(purse.left, SIZE);
    }
}
