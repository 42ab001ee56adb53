//! Evidence that somebody pushes, in place of a table that was asked.

use std::time::SystemTime;

use crate::answer::{Ownership, SocketQuery};

/// What a source of evidence saw by itself of one end of a flow; see
/// [`Observer`](crate::capture::Observer).
///
/// It is evidence for packets that were seen no later than `at`, and says nothing of later ones: the
/// socket may have another owner by then.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observation {
    /// The end that the evidence is about, with the other end of the flow. Without a
    /// [device](SocketQuery::on_device) it is about the flow on any.
    pub query: SocketQuery,
    /// The processes, and how they were found; or [`Unknown`](crate::Verdict::Unknown), where the
    /// source looked and cannot tell: then nobody waits for it any more.
    pub owner: Ownership,
    /// Wall-clock time from which the owner was looked up: no part of the evidence is older.
    pub at: SystemTime,
    /// What was seen.
    pub kind: ObservationKind,
}

/// What an [`Observation`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ObservationKind {
    /// Who holds the socket that has just sent the first packet of a flow.
    Sender,
}

impl Observation {
    /// An observation of the owner of an end, whose lookup began at that wall-clock time.
    pub const fn new(
        query: SocketQuery,
        owner: Ownership,
        at: SystemTime,
        kind: ObservationKind,
    ) -> Self {
        Self {
            query,
            owner,
            at,
            kind,
        }
    }
}
