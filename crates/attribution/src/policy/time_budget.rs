//! A budget of time.

use std::time::{Duration, Instant};

/// A burst, refilled by a share of the time that passes. Time spent beyond the balance becomes a
/// debt in full: one lookup of a process with very many descriptors may cost more than the balance,
/// and a user may cause such lookups again and again.
#[derive(Debug)]
pub(crate) struct TimeBudget {
    size: Duration,
    /// The budget regains one part in `share` of the time that passes.
    share: u32,
    left: Duration,
    owed: Duration,
    filled: Instant,
}

impl TimeBudget {
    pub(crate) const fn full(size: Duration, share: u32, now: Instant) -> Self {
        Self {
            size,
            share,
            left: size,
            owed: Duration::ZERO,
            filled: now,
        }
    }

    pub(crate) fn has_any(&mut self, now: Instant) -> bool {
        let given = now.saturating_duration_since(self.filled) / self.share;
        self.left = self.size.min(self.left + given.saturating_sub(self.owed));
        self.owed = self.owed.saturating_sub(given);
        self.filled = now;
        !self.left.is_zero()
    }

    /// How long it takes until there is any, if no more is spent.
    pub(crate) fn any_within(&mut self, now: Instant) -> Duration {
        if self.has_any(now) {
            return Duration::ZERO;
        }
        // More than the debt, by the least that counts.
        (self.owed + Duration::from_micros(1)) * self.share
    }

    pub(crate) fn spend(&mut self, time: Duration) {
        let beyond = time.saturating_sub(self.left);
        self.owed += beyond;
        self.left = self.left.saturating_sub(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_filled_with_time() {
        const SIZE: Duration = Duration::from_millis(50);
        let start = Instant::now();
        let mut budget = TimeBudget::full(SIZE, 4, start);
        budget.spend(SIZE + Duration::from_millis(1));
        assert!(!budget.has_any(start));
        assert!(!budget.has_any(start + Duration::from_millis(4)));
        let wait = budget.any_within(start + Duration::from_millis(4));
        assert_eq!(wait, Duration::from_micros(4));
        assert!(budget.has_any(start + Duration::from_millis(8)));
        assert_eq!(budget.left, Duration::from_millis(1));
        assert!(budget.has_any(start + Duration::from_secs(10)));
        assert_eq!(budget.left, SIZE);
    }

    #[test]
    fn spending_stays_within_the_share_however_often_it_is_requested() {
        const STEP: Duration = Duration::from_micros(100);
        const STEPS: u32 = 100_000;
        let start = Instant::now();
        let mut budget = TimeBudget::full(Duration::from_millis(20), 8, start);
        let mut spent = Duration::ZERO;
        for step in 0..STEPS {
            if budget.has_any(start + STEP * step) {
                budget.spend(STEP / 2);
                spent += STEP / 2;
            }
        }
        let given = Duration::from_millis(20) + STEP * STEPS / 8;
        assert!(spent <= given + STEP, "{spent:?} of {given:?}");
        assert!(spent + STEP >= given, "{spent:?} of {given:?}");
    }

    #[test]
    fn debts_are_paid() {
        const TIME: Duration = Duration::from_secs(100);
        let start = Instant::now();
        let mut budget = TimeBudget::full(Duration::from_millis(20), 8, start);
        let (mut now, mut spent) = (start, Duration::ZERO);
        while now < start + TIME {
            now += Duration::from_micros(500);
            if budget.has_any(now) {
                // Far more than the balance.
                budget.spend(Duration::from_millis(300));
                spent += Duration::from_millis(300);
                now += Duration::from_millis(300);
            }
        }
        let share = spent.as_secs_f64() / now.duration_since(start).as_secs_f64();
        assert!((0.11..0.13).contains(&share), "{share}");
    }
}
