//! The ledger at one point in time, to be read without holding it.

use std::collections::BTreeMap;
use std::time::Duration;

use flowner_flows::chunked::View;
use flowner_flows::{Counters, Flow, TableStatistics, TableView};

use super::ended::EndedFlow;
use super::{Ledger, Owners};
use crate::engine::traffic_history::HistoryView;
use crate::model::flow::FlowRecord;
use crate::model::report::DeviceTotals;
use crate::model::retired::RetiredView;

/// The content of the ledger. While a view exists, the thread that writes copies what it changes, a
/// few flows at a time.
#[derive(Debug)]
pub(crate) struct LedgerView {
    table: TableView<Owners>,
    ended: View<Option<EndedFlow>>,
    pub(crate) history: HistoryView,
    pub(crate) retired: RetiredView,
    undecodable: BTreeMap<&'static str, Counters>,
    /// The number of comments that claim an impossible owner.
    pub(crate) refused_claims: u64,
    /// The counters of each device.
    pub(crate) devices: Vec<DeviceTotals>,
    /// The counters of the flow table.
    pub(crate) statistics: TableStatistics,
    /// The current packet time.
    pub(crate) now: Duration,
    /// The earliest and the latest packet time.
    pub(crate) span: Option<(Duration, Duration)>,
}

impl Ledger {
    /// A view of the ledger; for a device, at a time of the wall clock. This changes nothing in the
    /// ledger: no time passes, and no flow ends. It shares all flows and copies none.
    pub(crate) fn view(&mut self, at: Option<Duration>) -> LedgerView {
        LedgerView {
            table: self.table.view(),
            ended: self.ended.view(),
            history: self.chronicle.view(),
            retired: self.retired.view(),
            undecodable: self.undecodable.clone(),
            refused_claims: self.refused_claims,
            devices: self.devices.totals(),
            statistics: self.table.statistics(),
            now: at.map_or_else(|| self.table.now(), |at| self.table.now_at(at)),
            span: self.span,
        }
    }
}

impl LedgerView {
    /// All listed flows, by first packet, then in the order of opening.
    pub(crate) fn flows(&self) -> Vec<FlowRecord> {
        records(self.table.iter(), self.ended.iter().flatten(), self.now)
    }

    /// The frames that could not be decoded, by the name of the reason.
    pub(crate) fn undecodable_by_kind(&self) -> Vec<(&'static str, Counters)> {
        let kinds = self.undecodable.iter();
        kinds.map(|(kind, counters)| (*kind, *counters)).collect()
    }
}

fn records<'a>(
    live: impl Iterator<Item = &'a Flow<Owners>>,
    ended: impl Iterator<Item = &'a EndedFlow>,
    now: Duration,
) -> Vec<FlowRecord> {
    let live = live.map(|flow| (flow, None));
    let ended = ended.map(|(flow, reason)| (flow, Some(*reason)));
    let mut flows: Vec<_> = live.chain(ended).collect();
    // Before there are records, which are large. No two have the same name.
    flows.sort_unstable_by_key(|(flow, _)| (flow.first_seen(), flow.id()));
    let records = flows.into_iter();
    records
        .map(|(flow, ended)| FlowRecord::new(flow, now, ended))
        .collect()
}

#[cfg(test)]
impl Ledger {
    /// As [`LedgerView::flows`].
    pub(crate) fn flows(&self) -> Vec<FlowRecord> {
        records(self.table.iter(), self.ended.iter(), self.table.now())
    }
}
