//! Time that the capturing thread may spend on what is not counting.

use std::time::{Duration, Instant};

/// The part of its time that may be spent, and how much of that may be saved up: enough for a
/// burst, while a host on which it never ends pays no more than this.
const SHARE: u32 = 20;
const SAVED: Duration = Duration::from_millis(200);

/// Time that may be spent.
#[derive(Debug)]
pub(super) struct Budget {
    left: Duration,
    /// Until when that has grown.
    at: Instant,
}

impl Budget {
    pub(super) const fn full(now: Instant) -> Self {
        Self {
            left: SAVED,
            at: now,
        }
    }

    pub(super) fn has_any(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at);
        self.left = SAVED.min(self.left + passed / SHARE);
        self.at = self.at.max(now);
        !self.left.is_zero()
    }

    /// What was spent is paid back before anything is spent again.
    pub(super) fn spend(&mut self, time: Duration) {
        let debt = time.saturating_sub(self.left);
        self.left = self.left.saturating_sub(time);
        self.at += debt * SHARE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_is_paid_back() {
        let start = Instant::now();
        let mut budget = Budget::full(start);
        assert!(budget.has_any(start));
        budget.spend(Duration::from_millis(500));
        assert!(!budget.has_any(start + Duration::from_secs(5)));
        // 300 ms of debt, at a twentieth of the time.
        assert!(!budget.has_any(start + Duration::from_millis(5_999)));
        assert!(budget.has_any(start + Duration::from_millis(6_100)));
    }
}
