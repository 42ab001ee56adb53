//! What happens while a monitor runs.

use std::sync::Arc;

use super::flow::FlowRecord;
use super::program::Program;
use super::report::EndState;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A flow's first packet was seen.
    FlowOpened(FlowRecord),
    /// A process is named for one end of a flow for the first time.
    OwnerResolved(FlowRecord),
    /// A closer match replaced the owner of one end of a flow.
    OwnerUpgraded(FlowRecord),
    /// A flow is over and its owners are settled. Flows that are open when the
    /// monitor stops are in its last report only.
    FlowClosed(FlowRecord),
    /// A program is named for the first time since the monitor started.
    ProgramFirstSeen(Arc<Program>),
    /// No more packets will come: the input ended, failed, or was stopped. Owners that are
    /// still looked for may be told after it.
    InputEnded(EndState),
    /// Something is not as it should be, but the monitor goes on.
    Warning(String),
    /// The reader was too slow: so many events were dropped before this one.
    Missed(u64),
}
