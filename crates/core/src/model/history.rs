//! The traffic of each principal over time: bounded series, in packet time. Pure.
//!
//! The history credits every byte of every flow to the same principals as the breakdown by program,
//! at the second of its packet. When an owner becomes known later, the flow's earlier bytes move to
//! it, at their own seconds. So at each point in time the sum of all principals'
//! [counted](Traffic::counted) bytes equals the captured bytes.

pub(crate) mod tier;

use std::sync::Arc;
use std::time::Duration;

use flowner_flows::Counters;

use tier::{TIERS, Tier};

use crate::model::principal::Principal;
use crate::model::totals::less;

/// The traffic of one principal in some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// The traffic that it sent.
    pub sent: Counters,
    /// The traffic that it received.
    pub received: Counters,
    /// The part of it from principals of this host, which also counts as sent by those.
    pub received_here: Counters,
}

impl Traffic {
    /// The traffic that the principal sent and received.
    pub fn total(&self) -> Counters {
        self.sent + self.received
    }

    /// The principal's part of the captured traffic, in which each byte counts once.
    pub fn counted(&self) -> Counters {
        self.sent + less(self.received, self.received_here)
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.received_here += other.received_here;
    }
}

/// The series of all principals. A clone shares their common parts.
#[derive(Debug, Clone)]
pub struct History {
    pub(crate) tiers: [Tier; TIERS.len()],
    pub(crate) principals: Arc<Vec<Principal>>,
}

/// A part of a [`History`], in steps of one length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Series {
    /// Packet time at which the first step begins, since the Unix epoch.
    pub start: Duration,
    /// How long a step is.
    pub step: Duration,
    /// How many steps there are.
    pub len: usize,
    /// The traffic of each principal, most bytes first.
    pub lines: Vec<Line>,
}

/// The traffic of one principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `None` for all principals that found no room in a full history.
    pub principal: Option<Principal>,
    /// By step.
    pub traffic: Vec<Traffic>,
    /// The sum of all steps.
    pub total: Traffic,
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            tiers: TIERS.map(|(step, slots)| Tier::new(step, slots)),
            principals: Arc::default(),
        }
    }

    /// The traffic from one packet time to another, in the shortest steps that reach back that far
    /// and do not exceed `most`: seconds, ten seconds, minutes or hours.
    ///
    /// The first step contains `from`, and the last one ends at `to`.
    pub fn series(&self, from: Duration, to: Duration, most: usize) -> Series {
        let [.., last] = &self.tiers;
        let fits = |tier: &&Tier| tier.reaches(from) && tier.steps(from, to) <= most as u64;
        let tier = self.tiers.iter().find(fits).unwrap_or(last);
        let slots = tier.range(from, to);
        let mut lines: Vec<Option<Line>> = Vec::new();
        for (place, slot) in slots.iter().enumerate() {
            for (index, traffic) in slot.shares() {
                let index = index.min(self.principals.len());
                if lines.len() <= index {
                    lines.resize(index + 1, None);
                }
                let line = lines[index].get_or_insert_with(|| Line {
                    principal: self.principals.get(index).cloned(),
                    traffic: vec![Traffic::default(); slots.len()],
                    total: Traffic::default(),
                });
                line.traffic[place].add(traffic);
                line.total.add(traffic);
            }
        }
        let mut lines: Vec<Line> = lines.into_iter().flatten().collect();
        lines.retain(|line| line.total.total().packets > 0);
        lines.sort_by(|a, b| {
            let size = |line: &Line| line.total.total().bytes;
            size(b)
                .cmp(&size(a))
                .then_with(|| a.principal.cmp(&b.principal))
        });
        Series {
            start: tier.start_of(from),
            step: tier.step(),
            len: slots.len(),
            lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_history_is_empty_steps() {
        let history = History::new();
        let series = history.series(Duration::from_secs(5), Duration::from_secs(9), 100);
        assert_eq!(series.lines, []);
        assert_eq!((series.len, series.step), (4, Duration::from_secs(1)));
    }

    #[test]
    fn long_times_have_long_steps() {
        let history = History::new();
        let step = |seconds: u64, most: usize| {
            let from = Duration::from_secs(10_000_000);
            let to = from + Duration::from_secs(seconds);
            history.series(from, to, most).step.as_secs()
        };
        assert_eq!(step(60, 300), 1);
        assert_eq!(step(600, 300), 10);
        assert_eq!(step(7_200, 300), 60);
        assert_eq!(step(86_400, 300), 3_600);
    }
}
