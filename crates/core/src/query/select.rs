//! A part of a report.

use crate::model::report::Report;
use crate::model::selection::Selection;
use crate::query::filter::Filter;

/// The same report with the flows that pass a filter only, and with totals of
/// those. Flows that are not listed any more are in the totals, if the filter is the
/// monitor's ([`Config::filter`](crate::Config::filter)) or lets everything pass; else they
/// are left out and counted as [`unsearched`](Report::unsearched).
#[must_use]
pub fn select(report: &Report, filter: &Filter) -> Report {
    report.chosen_by(&Selection::from(filter))
}
