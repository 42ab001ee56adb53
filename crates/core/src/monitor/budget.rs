//! Limits the time that the capture thread spends on work other than counting.

use std::time::{Duration, Instant};

/// The share of its time that this work may take, and the largest burst: enough for a sudden need,
/// while a host with constant need pays no more than the share.
const SHARE: u32 = 20;
const SAVED: Duration = Duration::from_millis(200);

/// A time budget.
#[derive(Debug)]
pub(super) struct Budget {
    left: Duration,
    /// The time up to which the budget has grown.
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

    /// Overspending becomes a debt.
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
    fn overspending_becomes_a_debt() {
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
