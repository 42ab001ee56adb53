//! A selection of a report.

use crate::model::report::Report;
use crate::model::selection::Selection;
use crate::query::filter::Filter;

/// The same report with only the flows that pass a filter, and with their totals. Flows that are
/// not listed any more are in the totals if the filter is the monitor's
/// ([`Config::filter`](crate::Config::filter)) or selects everything; otherwise they are left out
/// and count as [`unsearched`](Report::unsearched).
#[must_use]
pub fn select(report: &Report, filter: &Filter) -> Report {
    report.chosen_by(&Selection::from(filter))
}
