//! The purpose of a search, and the gaps that it left.

use super::wanted::Wanted;

/// The purpose of a search.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aim<'a> {
    /// A list of all sockets: the search reads everything, however long it takes.
    All,
    /// One socket: the search does slow parts within a time budget.
    One(&'a Wanted),
}

/// The reasons why a search was not complete.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gaps {
    /// A process exited before the search read it: its descriptors may have moved to another
    /// process.
    pub(super) vanished: bool,
    /// The search had no time for a part.
    pub(super) unread: bool,
    /// A read failed: out of memory, or too many open files.
    pub(super) failed: bool,
}

impl Gaps {
    pub(super) const fn are_none(self) -> bool {
        !self.vanished && !self.unread && !self.failed
    }
}
