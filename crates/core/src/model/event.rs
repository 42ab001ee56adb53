//! The events of a running monitor.

use std::sync::Arc;

use super::flow::FlowRecord;
use super::program::Program;
use super::report::EndState;

/// An event.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The first packet of a flow was counted.
    FlowOpened(FlowRecord),
    /// A process is named for one end of a flow for the first time.
    OwnerResolved(FlowRecord),
    /// A closer match replaced the owner of one end of a flow.
    OwnerUpgraded(FlowRecord),
    /// A flow has ended and its owners are settled. Flows that are open when the monitor stops are
    /// only in its last report.
    FlowClosed(FlowRecord),
    /// A program is named for the first time since the monitor started.
    ProgramFirstSeen(Arc<Program>),
    /// No more packets will come: the input ended, failed, or was stopped. Pending owners may still
    /// be reported afterwards.
    InputEnded(EndState),
    /// A problem, after which the monitor continues.
    Warning(String),
    /// The reader was too slow: this many events were dropped before this one.
    Missed(u64),
}
