//! Counts and reports wanted flows without a line.

use flowner_core::flows::Counters;
use flowner_core::present;
use flowner_core::{FlowRecord, Group, Report, Totals};

use super::order::sorted_flows;
use crate::args::{By, FlowArgs};

/// Wanted flows without a line.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// There are more than are kept.
    pub(super) no_place: Totals,
    /// `--limit` excludes them.
    beyond_limit: Totals,
    /// Rows beyond the limit, and the noun for one.
    rows: usize,
    noun: &'static str,
}

impl LeftOut {
    pub(super) fn of(report: &Report, by: By, args: &FlowArgs) -> Self {
        let limit = args.limit.unwrap_or(usize::MAX);
        match by {
            By::Flow => Self::of_flows(report, args, limit),
            By::Program => Self::of_groups(&report.programs(), limit, "program"),
            By::Process => Self::of_groups(&report.processes(), limit, "process"),
            By::Host => Self::of_groups(&report.hosts(), limit, "host"),
            By::Name => Self::of_groups(&report.names(), limit, "name"),
            By::Domain => Self::of_groups(&report.domains(), limit, "domain"),
            By::Country => Self::of_groups(&report.countries(), limit, "country"),
            By::Network => Self::of_groups(&report.networks(), limit, "network"),
            By::Service => Self::of_groups(&report.services(), limit, "service"),
            By::Protocol => Self::of_groups(&report.protocols(), limit, "protocol"),
            By::Unit => Self::of_groups(&report.units(), limit, "unit"),
            By::Container => Self::of_groups(&report.containers(), limit, "container"),
            By::Pod => Self::of_groups(&report.pods(), limit, "pod"),
        }
    }

    fn of_flows(report: &Report, args: &FlowArgs, limit: usize) -> Self {
        // During a capture, each ended flow had its line at its end.
        if report.input.is_live {
            return Self::default();
        }
        let rows = report.flows.len().saturating_sub(limit);
        let mut beyond_limit = Totals::default();
        if rows > 0 {
            // In any order: all that are kept except those within the limit.
            let sum = |flows: &[FlowRecord]| flows.iter().map(FlowRecord::total).sum::<Counters>();
            let (all, shown) = (sum(&report.flows), sum(&sorted_flows(report, args)));
            beyond_limit = Totals {
                flows: rows as u64,
                sent: Counters {
                    packets: all.packets.saturating_sub(shown.packets),
                    bytes: all.bytes.saturating_sub(shown.bytes),
                    payload_bytes: all.payload_bytes.saturating_sub(shown.payload_bytes),
                },
                ..Totals::default()
            };
        }
        Self {
            no_place: report.unlisted(),
            beyond_limit,
            rows,
            noun: "flow",
        }
    }

    fn of_groups<K>(groups: &[Group<K>], limit: usize, noun: &'static str) -> Self {
        let beyond = &groups[limit.min(groups.len())..];
        let mut beyond_limit = Totals::default();
        for group in beyond {
            beyond_limit.add(&group.totals);
        }
        Self {
            no_place: Totals::default(),
            beyond_limit,
            rows: beyond.len(),
            noun,
        }
    }

    /// A sentence for each reason, if there is something to say.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let size = |totals: &Totals| present::bytes(totals.total().bytes);
        let (no_place, beyond) = (&self.no_place, &self.beyond_limit);
        let no_place = (no_place.flows > 0).then(|| {
            format!(
                "not listed: {} more, {}, for which there is no place; --filter lists those that \
                 pass, --by adds all of them up",
                present::count(no_place.flows, "flow"),
                size(no_place)
            )
        });
        let beyond = (self.rows > 0).then(|| {
            format!(
                "not listed: {}, {}, beyond --limit",
                rows(self.rows, self.noun),
                size(beyond)
            )
        });
        no_place.into_iter().chain(beyond)
    }

    /// All of it.
    pub(super) fn all(&self) -> Totals {
        let mut all = self.no_place;
        all.add(&self.beyond_limit);
        all
    }
}

/// `1 more flow`, `2 more processes`.
fn rows(count: usize, noun: &str) -> String {
    match (count, noun) {
        (1, noun) => format!("1 more {noun}"),
        (_, "process") => format!("{count} more processes"),
        (_, "country") => format!("{count} more countries"),
        _ => format!("{count} more {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_out_flows_are_reported_once_for_each_reason() {
        let totals = |flows, bytes| Totals {
            flows,
            sent: Counters {
                packets: flows,
                bytes,
                payload_bytes: 0,
            },
            ..Totals::default()
        };
        let nothing: Vec<_> = LeftOut::default().lines().collect();
        assert_eq!(nothing, [""; 0]);
        let both = LeftOut {
            no_place: totals(1, 54),
            beyond_limit: totals(5, 2_000),
            rows: 2,
            noun: "process",
        };
        let lines: Vec<_> = both.lines().collect();
        assert_eq!(
            lines,
            [
                "not listed: 1 flow more, 54 B, for which there is no place; --filter lists those \
                 that pass, --by adds all of them up",
                "not listed: 2 more processes, 2.00 kB, beyond --limit",
            ]
        );
        assert_eq!((both.all().flows, both.all().total().bytes), (6, 2_054));
    }
}
