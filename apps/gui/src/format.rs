//! Numbers, times and names as text. A quantity is a number and a unit apart, so that
//! both can stand in line.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowner_core::flows::Counters;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::shown::DIGIT_GROUPS;

/// In what traffic is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Rates in bits a second, amounts in bytes: as networks and files are sold.
    #[default]
    Bits,
    /// Rates and amounts in bytes.
    Bytes,
    /// Amounts in packets; rates in bits a second.
    Packets,
}

impl Unit {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Bits, Self::Bytes, Self::Packets];

    /// What it is called.
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

    /// What [`amount`](Self::amount) shows, as a number to compare.
    pub const fn measure(self, counters: Counters) -> u64 {
        match self {
            Self::Bits | Self::Bytes => counters.bytes,
            Self::Packets => counters.packets,
        }
    }
}

const BITS_A_SECOND: [&str; 5] = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];
const BYTES_A_SECOND: [&str; 5] = ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"];
const BYTES: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
const PACKETS: [&str; 5] = ["pkt", "k pkt", "M pkt", "G pkt", "T pkt"];

/// A number with its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity {
    /// Three digits or so; empty for nothing.
    pub number: String,
    /// Empty for nothing.
    pub unit: &'static str,
}

impl Quantity {
    fn new(value: u64, units: &[&'static str; 5]) -> Self {
        if value < 1_000 {
            return Self {
                number: value.to_string(),
                unit: units[0],
            };
        }
        let mut power = 0;
        let mut thousand = 1_u64;
        while value / thousand >= 1_000 && power + 1 < units.len() {
            thousand *= 1_000;
            power += 1;
        }
        let hundredths = u128::from(value) * 100 / u128::from(thousand);
        let (whole, rest) = (hundredths / 100, hundredths % 100);
        let number = match whole {
            0..10 => format!("{whole}.{rest:02}"),
            10..100 => format!("{whole}.{}", rest / 10),
            _ => whole.to_string(),
        };
        Self {
            number,
            unit: units[power],
        }
    }

    /// Whether it says that there is nothing.
    pub fn is_nothing(&self) -> bool {
        self.number == "0"
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.number, self.unit)
    }
}

/// A number with its thousands apart.
pub fn count(number: u64) -> String {
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

/// So many of something: `1 packet`, `1 234 packets`.
pub fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(number))
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

/// A time span, as short as it can be told: `850 ms`, `12 s`, `3 min`, `2 h 05`, `4 d`.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h {:02}", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A time of day where this host is, from the time since the Unix epoch.
pub fn clock(time: Duration) -> String {
    told(time, &TimeZone::system(), "%H:%M:%S")
}

/// A date and time of day where this host is, with the name of its time zone.
pub fn date(time: Duration) -> String {
    told(time, &TimeZone::system(), "%Y-%m-%d %H:%M:%S %Z")
}

/// A wall-clock time, as [`date`].
pub fn date_of(time: SystemTime) -> String {
    date(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// A time as strftime(3) has it. A damaged file can tell times for which there is no date.
fn told(time: Duration, zone: &TimeZone, how: &str) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(
        || "?".to_owned(),
        |time| {
            time.to_zoned_datetime(zone.clone())
                .strftime(how)
                .to_string()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_rate(unit: Unit, bytes: u64, expected: &str) {
        assert_eq!(unit.rate(bytes).to_string(), expected);
    }

    #[test]
    fn quantities_have_three_digits() {
        check_rate(Unit::Bytes, 0, "0 B/s");
        check_rate(Unit::Bytes, 999, "999 B/s");
        check_rate(Unit::Bytes, 1_000, "1.00 kB/s");
        check_rate(Unit::Bytes, 12_345, "12.3 kB/s");
        check_rate(Unit::Bytes, 999_999, "999 kB/s");
        check_rate(Unit::Bits, 1_250_000, "10.0 Mbit/s");
        check_rate(Unit::Bytes, u64::MAX, "18446744 TB/s");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(count(100_000), "100\u{2009}000");
        assert_eq!(counted(1, "flow"), "1 flow");
        assert_eq!(counted(2_000, "flow"), "2\u{2009}000 flows");
    }

    #[test]
    fn only_a_whole_is_a_hundred_per_cent() {
        assert_eq!(percent(9_999, 10_000), "99.9 %");
        assert_eq!(percent(7, 7), "100.0 %");
        assert_eq!(percent(0, 0), "–");
    }

    #[test]
    fn spans_and_dates() {
        let check = |seconds: u64, expected: &str| {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        };
        check(59, "59 s");
        check(3_599, "59 min");
        check(7_500, "2 h 05");
        check(400_000, "4 d");
    }

    #[test]
    fn times_are_those_of_the_place() {
        let check = |seconds: u64, zone: &TimeZone, expected: &str| {
            let time = Duration::from_secs(seconds);
            assert_eq!(told(time, zone, "%Y-%m-%d %H:%M:%S %Z"), expected);
        };
        // Of POSIX (section 8.3), so that no database of zones is needed.
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        check(1_768_467_600, &TimeZone::UTC, "2026-01-15 09:00:00 UTC");
        check(1_768_467_600, &berlin, "2026-01-15 10:00:00 CET");
        check(1_784_106_000, &berlin, "2026-07-15 11:00:00 CEST");
        check(951_782_400, &TimeZone::UTC, "2000-02-29 00:00:00 UTC");
        check(u64::MAX, &TimeZone::UTC, "?");
    }
}
