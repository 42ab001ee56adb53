//! Durations, and times in the time zone of this host.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The time zone of this host, read once.
static ZONE: OnceLock<TimeZone> = OnceLock::new();

fn zone() -> &'static TimeZone {
    ZONE.get_or_init(TimeZone::system)
}

/// Reads the time zone of this host, unless it is known already. Otherwise, the first formatted
/// time reads it. `TZ` may name a file, which a program should open before it raises its
/// privileges.
pub fn load_time_zone() {
    zone();
}

/// A length of time: `12 ms`, `3.4 s`, `2 min 5 s`, `3 h 12 min`, `4 d 3 h`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{}.{} s", seconds, time.subsec_millis() / 100),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// The time since a moment, as [`duration`]; empty for a moment in the future.
pub fn since(then: SystemTime, now: SystemTime) -> String {
    duration(now.duration_since(then).unwrap_or(Duration::ZERO))
}

/// A local time of day, from the time since the Unix epoch: `09:30:01`.
pub fn clock(time: Duration) -> String {
    written(time, zone(), "%H:%M:%S")
}

/// A local date and time of day, with the name of the time zone, from the time since the Unix
/// epoch: `2026-01-15 09:30:01 CET`.
pub fn date(time: Duration) -> String {
    written(time, zone(), "%Y-%m-%d %H:%M:%S %Z")
}

/// As [`date`], of a wall-clock time.
pub fn date_of(time: SystemTime) -> String {
    date(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// A local date and time of day, to a millisecond: `2026-01-15 09:30:01.250`.
pub fn date_time(time: SystemTime) -> String {
    let time = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    written(time, zone(), "%Y-%m-%d %H:%M:%S%.3f")
}

/// A time in a format of strftime(3). A damaged file can have times without a date.
fn written(time: Duration, zone: &TimeZone, how: &str) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let nanoseconds = i32::try_from(time.subsec_nanos()).unwrap_or_default();
    let time = seconds.and_then(|seconds| Timestamp::new(seconds, nanoseconds).ok());
    time.map_or_else(
        || "(no date)".to_owned(),
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

    #[test]
    fn durations() {
        for (millis, expected) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (59_999, "59.9 s"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h 0 min"),
            (400_000_000, "4 d 15 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn what_is_to_come_is_not_long_ago() {
        let then = UNIX_EPOCH + Duration::from_secs(5);
        assert_eq!(since(UNIX_EPOCH, then), "5.0 s");
        assert_eq!(since(then, UNIX_EPOCH), "0 ms");
    }

    #[test]
    fn times_are_those_of_the_place() {
        let check = |seconds: u64, zone: &TimeZone, expected: &str| {
            let time = Duration::from_secs(seconds);
            assert_eq!(written(time, zone, "%Y-%m-%d %H:%M:%S %Z"), expected);
        };
        // Of POSIX (section 8.3), so that no database of zones is needed.
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        check(1_768_467_600, &TimeZone::UTC, "2026-01-15 09:00:00 UTC");
        check(1_768_467_600, &berlin, "2026-01-15 10:00:00 CET");
        check(1_784_106_000, &berlin, "2026-07-15 11:00:00 CEST");
        check(951_782_400, &TimeZone::UTC, "2000-02-29 00:00:00 UTC");
        check(u64::MAX, &TimeZone::UTC, "(no date)");
        let time = Duration::from_millis(951_782_400_250);
        assert_eq!(written(time, &TimeZone::UTC, "%S%.3f"), "00.250");
    }
}
