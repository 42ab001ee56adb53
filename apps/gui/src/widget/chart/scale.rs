//! Round numbers for an axis.

/// The least of 1, 2, 3, 5 and 8 times a power of ten that is no less.
pub(super) fn round_up(value: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for factor in [1, 2, 3, 5, 8] {
            let Some(round) = power.checked_mul(factor) else {
                return value;
            };
            if round >= value {
                return round;
            }
        }
        let Some(next) = power.checked_mul(10) else {
            return value;
        };
        power = next;
    }
}

/// How many seconds apart marks of time are, so that there are no more than `most`.
pub(super) fn mark_every(seconds: u64, most: u64) -> u64 {
    const ROUND: [u64; 14] = [
        5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 86_400, 604_800,
    ];
    let fits = |every: &&u64| seconds / **every <= most;
    ROUND.iter().find(fits).copied().unwrap_or(2_592_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, expected) in [(0, 1), (1, 1), (4, 5), (9, 10), (81, 100), (1_234, 2_000)] {
            assert_eq!(round_up(value), expected);
        }
        assert_eq!(mark_every(300, 6), 60);
        assert_eq!(mark_every(u64::MAX, 6), 2_592_000);
    }

    proptest! {
        #[test]
        fn nothing_is_higher_than_its_axis(value: u64) {
            prop_assert!(round_up(value) >= value);
        }
    }
}
