//! What a search is for, and what was missed.

use super::wanted::Wanted;

/// What a search is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aim<'a> {
    /// A list of all: everything is read, whatever it takes.
    All,
    /// One socket: what takes long is done within a budget.
    One(&'a Wanted),
}

/// What kept a search from being complete.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gaps {
    /// A process ended before it was looked at: what it had may be another's by now.
    pub(super) vanished: bool,
    /// Something was not read for want of time.
    pub(super) unread: bool,
    /// Something could not be read: there is no memory, or no more files may be opened.
    pub(super) failed: bool,
}

impl Gaps {
    pub(super) const fn are_none(self) -> bool {
        !self.vanished && !self.unread && !self.failed
    }
}
