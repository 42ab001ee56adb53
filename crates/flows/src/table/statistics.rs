//! What a table has counted.

use super::FlowTable;
use crate::Counters;

/// What a table has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TableStatistics {
    /// Packets that were counted.
    pub packets: u64,
    /// Packets that were not counted: they were counted before or are counted afterwards, when they are
    /// captured on another device of their way ([`FlowTable::set_topology`](super::FlowTable::set_topology)).
    pub seen_again: Counters,
    /// Flows that were opened.
    pub opened: u64,
    /// Flows that left after their connection was closed.
    pub closed: u64,
    /// Flows that left after silence.
    pub expired: u64,
    /// Flows that left because the table was full.
    pub evicted: u64,
    /// Flows that left because another took their place.
    pub replaced: u64,
    /// Flows that were cut off because their owner changed.
    pub cut: u64,
    /// Packets whose time was before the latest one.
    pub backwards: u64,
}

impl<T> FlowTable<T> {
    /// What the table has done so far.
    pub const fn statistics(&self) -> TableStatistics {
        self.statistics
    }
}
