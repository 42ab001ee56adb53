//! The flows of a report in the chosen order.

use std::borrow::Cow;

use flowner_core::{FlowRecord, Report, sort_flows};

use crate::args::FlowArgs;

/// The flows in the chosen order; a report has them by first packet.
pub(super) fn sorted_flows<'a>(report: &'a Report, args: &FlowArgs) -> Cow<'a, [FlowRecord]> {
    let limit = args.limit.unwrap_or(usize::MAX);
    match args.sort {
        None => Cow::Borrowed(&report.flows[..limit.min(report.flows.len())]),
        Some(sort) => {
            let mut flows = report.flows.clone();
            sort_flows(&mut flows, sort);
            flows.truncate(limit);
            Cow::Owned(flows)
        }
    }
}
