//! Decides when to warn of dropped packets: at once, then once a minute for as long as it
//! continues.

use std::time::{Duration, Instant};

use flowner_capture::Statistics;

/// The shortest time between two warnings.
const PAUSE: Duration = Duration::from_secs(60);

/// The drops that were reported.
#[derive(Debug, Default)]
pub(super) struct Drops {
    warned: Option<(Instant, u64)>,
}

impl Drops {
    /// The warning after a read of the kernel's counters.
    pub(super) fn warning(&mut self, statistics: Statistics, now: Instant) -> Option<String> {
        let dropped = statistics.dropped_by_kernel + statistics.dropped_by_interface;
        let before = self.warned.map_or(0, |(_, dropped)| dropped);
        let is_too_soon = |(at, _)| now.saturating_duration_since(at) < PAUSE;
        if dropped <= before || self.warned.is_some_and(is_too_soon) {
            return None;
        }
        self.warned = Some((now, dropped));
        Some(format!(
            "{} packets were dropped before they could be counted, {dropped} in all: the totals \
             are too low by them",
            dropped - before
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_reported_at_once_and_then_once_a_minute() {
        let mut drops = Drops::default();
        let start = Instant::now();
        let mut after = |seconds, dropped_by_kernel| {
            let mut statistics = Statistics::default();
            statistics.dropped_by_kernel = dropped_by_kernel;
            drops.warning(statistics, start + Duration::from_secs(seconds))
        };
        assert_eq!(after(0, 0), None);
        assert!(after(1, 10).unwrap().starts_with("10 packets"));
        assert_eq!(after(2, 30), None);
        let later = after(61, 35).unwrap();
        assert!(
            later.starts_with("25 packets") && later.contains("35 in all"),
            "{later}"
        );
        assert_eq!(after(130, 35), None);
        assert!(after(131, 36).is_some());
    }
}
