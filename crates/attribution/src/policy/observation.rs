//! Evidence that an observer pushes, without a request to the table.

use std::time::SystemTime;

use crate::answer::{Ownership, SocketQuery};

/// The evidence of an observer about one end of a flow; see [`Observer`](crate::capture::Observer).
///
/// It is evidence for packets up to `at`, and not for later ones: the socket may have another owner
/// by then.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observation {
    /// The end that the evidence is about, with the other end of the flow. Without a
    /// [device](SocketQuery::on_device) it is about the flow on any device.
    pub query: SocketQuery,
    /// The processes, and how the observer found them; or [`Unknown`](crate::Verdict::Unknown) if
    /// it could not find them: then no request waits for it any more.
    pub owner: Ownership,
    /// Wall-clock time at which the lookup of the owner began. No part of the evidence is older.
    pub at: SystemTime,
    /// What the evidence is about.
    pub kind: ObservationKind,
}

/// What an [`Observation`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ObservationKind {
    /// The holder of the socket that has just sent the first packet of a flow.
    Sender,
}

impl Observation {
    /// An observation of the owner of an end by a lookup that began at wall-clock time `at`.
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
