//! How much of the past the chart shows.

use std::time::Duration;

use crate::feed::Picture;
use crate::widget::chart::Range;

/// How much of the past the chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Span {
    #[default]
    FiveMinutes,
    QuarterHour,
    Hour,
    All,
}

impl Span {
    pub(super) const ALL: [Self; 4] = [Self::FiveMinutes, Self::QuarterHour, Self::Hour, Self::All];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5 min",
            Self::QuarterHour => "15 min",
            Self::Hour => "1 h",
            Self::All => "All",
        }
    }

    /// The packet times between which a report is shown.
    pub(super) fn range(self, picture: &Picture) -> Range {
        let report = &picture.report;
        let first = report.span.map_or(report.now, |(first, _)| first);
        let last = if report.input.is_live {
            report.now
        } else {
            report.span.map_or(report.now, |(_, last)| last)
        };
        let long = match self {
            Self::FiveMinutes => Duration::from_secs(300),
            Self::QuarterHour => Duration::from_secs(900),
            Self::Hour => Duration::from_secs(3_600),
            Self::All => (last.saturating_sub(first)).max(Duration::from_secs(60)),
        };
        // The second that has just begun is not over yet.
        let end = last + Duration::from_secs(u64::from(!report.input.is_live));
        (end.saturating_sub(long), end)
    }
}
