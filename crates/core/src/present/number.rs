//! Sizes, rates and counts. A quantity has its number and its unit apart, so that lists can align
//! both.

use std::fmt;

use flowner_flows::Counters;
use serde::{Deserialize, Serialize};

/// The unit of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Rates in bits a second, amounts in bytes, as networks and files are sold.
    #[default]
    Bits,
    /// Rates and amounts in bytes.
    Bytes,
    /// Amounts in packets; rates in bits a second.
    Packets,
}

impl Unit {
    /// All units, in display order.
    pub const ALL: [Self; 3] = [Self::Bits, Self::Bytes, Self::Packets];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bits => "Bits",
            Self::Bytes => "Bytes",
            Self::Packets => "Packets",
        }
    }

    /// A rate, given in bytes a second.
    pub fn rate(self, bytes: u64) -> Quantity {
        match self {
            Self::Bits | Self::Packets => Quantity::new(bytes.saturating_mul(8), &BITS_A_SECOND),
            Self::Bytes => Quantity::new(bytes, &BYTES_A_SECOND),
        }
    }

    /// An amount.
    pub fn amount(self, counters: Counters) -> Quantity {
        match self {
            Self::Bits | Self::Bytes => Quantity::new(counters.bytes, &BYTES),
            Self::Packets => Quantity::new(counters.packets, &PACKETS),
        }
    }

    /// The number that [`amount`](Self::amount) shows, to compare.
    pub const fn measure(self, counters: Counters) -> u64 {
        match self {
            Self::Bits | Self::Bytes => counters.bytes,
            Self::Packets => counters.packets,
        }
    }
}

type Units = [&'static str; 7];

const BITS_A_SECOND: Units = [
    "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s", "Pbit/s", "Ebit/s",
];
const BYTES_A_SECOND: Units = ["B/s", "kB/s", "MB/s", "GB/s", "TB/s", "PB/s", "EB/s"];
const BYTES: Units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
const PACKETS: Units = ["pkt", "k pkt", "M pkt", "G pkt", "T pkt", "P pkt", "E pkt"];

/// A number with its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity {
    /// About three digits; empty for zero.
    pub number: String,
    /// Empty for zero.
    pub unit: &'static str,
}

impl Quantity {
    /// Rounded to three digits.
    fn new(value: u64, units: &Units) -> Self {
        let value = u128::from(value);
        let mut power = 0;
        let mut thousand = 1_u128;
        // 999.5 would round to 1000.
        while value * 2 >= 1_999 * thousand && power + 1 < units.len() {
            thousand *= 1_000;
            power += 1;
        }
        let rounded = |parts: u128| (value * parts + thousand / 2) / thousand;
        let number = match (power, rounded(100), rounded(10)) {
            (0, ..) => value.to_string(),
            (_, hundredths @ 0..1_000, _) => {
                format!("{}.{:02}", hundredths / 100, hundredths % 100)
            }
            (_, _, tenths @ 0..1_000) => format!("{}.{}", tenths / 10, tenths % 10),
            _ => rounded(1).to_string(),
        };
        Self {
            number,
            unit: units[power],
        }
    }

    /// Whether it is empty, for zero.
    pub fn is_nothing(&self) -> bool {
        self.number == "0"
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.unit)
    }
}

/// Bytes with a unit, to three digits: `999 B`, `1.23 kB`, `45.6 MB`.
pub fn bytes(count: u64) -> String {
    Quantity::new(count, &BYTES).to_string()
}

/// A number with its noun: `1 packet`, `2000 packets`.
pub fn count(number: u64, noun: &str) -> String {
    with_noun(number, &number.to_string(), noun)
}

/// The separator of thousands in [`grouped`] numbers.
pub const DIGIT_GROUPS: char = '\u{2009}';

/// A number with a gap between thousands, for proportional fonts: `1 234 567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(DIGIT_GROUPS);
        }
        text.push(digit);
    }
    text
}

/// As [`count`], with the number [`grouped`]: `1 packet`, `2 000 packets`.
pub fn counted(number: u64, noun: &str) -> String {
    with_noun(number, &grouped(number), noun)
}

fn with_noun(number: u64, text: &str, noun: &str) -> String {
    let plural = match noun {
        _ if number == 1 => "",
        noun if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{text} {noun}{plural}")
}

/// A share of a whole in per cent; only a whole is 100.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let thousandths = u128::from(part) * 1_000 / u128::from(whole);
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

/// A share of a whole, from 0 to 1.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "it is drawn"
)]
pub fn share(part: u64, whole: u64) -> f32 {
    if whole == 0 {
        0.0
    } else {
        (part as f64 / whole as f64) as f32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn byte_counts() {
        for (count, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (9_994, "9.99 kB"),
            (9_995, "10.0 kB"),
            (99_949, "99.9 kB"),
            (99_950, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(count), expected);
        }
    }

    #[track_caller]
    fn check_rate(unit: Unit, bytes: u64, expected: &str) {
        assert_eq!(unit.rate(bytes).to_string(), expected);
    }

    #[test]
    fn rates_have_the_unit_that_was_chosen() {
        check_rate(Unit::Bytes, 0, "0 B/s");
        check_rate(Unit::Bytes, 12_345, "12.3 kB/s");
        check_rate(Unit::Bits, 1_250_000, "10.0 Mbit/s");
        check_rate(Unit::Packets, 125, "1.00 kbit/s");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(grouped(100_000), "100\u{2009}000");
        assert_eq!(counted(1, "flow"), "1 flow");
        assert_eq!(counted(2_000, "flow"), "2\u{2009}000 flows");
        assert_eq!(count(2_000, "process"), "2000 processes");
    }

    #[test]
    fn only_a_whole_is_a_hundred_per_cent() {
        assert_eq!(percent(9_999, 10_000), "99.9 %");
        assert_eq!(percent(7, 7), "100.0 %");
        assert_eq!(percent(0, 0), "–");
    }

    proptest! {
        #[test]
        fn three_digits_are_enough(value: u64) {
            let quantity = Quantity::new(value, &BYTES);
            let digits = quantity.number.chars().filter(char::is_ascii_digit).count();
            prop_assert!(digits <= 3, "{quantity}");
            prop_assert!(value < 1_000 || digits == 3, "{quantity}");
        }
    }
}
