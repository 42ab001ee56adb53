//! Detects jumps of the wall clock. Pure.

use std::time::Duration;

/// A smaller step is a normal adjustment.
const NOTABLE: Duration = Duration::from_secs(5);

/// Compares the wall clock with a monotonic one.
#[derive(Debug, Default)]
pub(super) struct Jumps {
    last: Option<(Duration, Duration)>,
}

impl Jumps {
    /// The warning about the time since the last call: `wall` since the Unix epoch, `steady` since
    /// any point in time.
    pub(super) fn observe(&mut self, wall: Duration, steady: Duration) -> Option<String> {
        let (last_wall, last_steady) = self.last.replace((wall, steady))?;
        let expected = last_wall.saturating_add(steady.saturating_sub(last_steady));
        let jump = wall.abs_diff(expected);
        if jump < NOTABLE {
            return None;
        }
        let jump = jump.as_secs();
        Some(if wall > expected {
            format!(
                "the clock is {jump} s ahead of what has passed: it was set, or this machine \
                 slept; flows that were silent meanwhile may be over"
            )
        } else {
            format!(
                "the clock was set back by {jump} s: flows that are open are shown with times \
                 from before"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn observe(jumps: &mut Jumps, wall: u64, steady: u64) -> Option<String> {
        jumps.observe(Duration::from_secs(wall), Duration::from_secs(steady))
    }

    #[test]
    fn jumps_are_reported_once_in_both_directions() {
        let mut jumps = Jumps::default();
        assert_eq!(observe(&mut jumps, 1_000, 1), None);
        assert_eq!(observe(&mut jumps, 1_002, 2), None);
        let slept = observe(&mut jumps, 4_603, 3).unwrap();
        assert!(slept.contains("3600 s ahead"), "{slept}");
        assert_eq!(observe(&mut jumps, 4_604, 4), None);
        let back = observe(&mut jumps, 1_005, 5).unwrap();
        assert!(back.contains("set back by 3600 s"), "{back}");
        assert_eq!(observe(&mut jumps, 1_006, 6), None);
    }

    proptest! {
        /// However long the time between two calls, a correct clock causes no warning.
        #[test]
        fn a_right_clock_says_nothing(steps in prop::collection::vec(0..100_000_u64, 0..20)) {
            let (mut jumps, mut time) = (Jumps::default(), 0);
            for step in steps {
                time += step;
                prop_assert_eq!(observe(&mut jumps, 1_700_000_000 + time, time), None);
            }
        }
    }
}
