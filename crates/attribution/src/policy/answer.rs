//! The answer of a socket table to one query.

use std::time::SystemTime;

use crate::answer::{Ownership, Protocol, Reason, Snapshot, SocketQuery};

/// The answer of a list of sockets to one query.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, for a moment"
)]
pub(super) enum Answer {
    Found(Ownership),
    Listed(Listed),
    Failed(Reason),
}

/// The answer of a list without remote ends, from a table that does not identify sockets either.
pub(super) struct Listed {
    pub(super) any: Ownership,
    /// For TCP, the answer from sockets that have a connection.
    pub(super) connected: Option<Ownership>,
    /// For TCP, the answer from all sockets including listeners: the process that holds an accepted
    /// connection may have received it from the process that listens.
    pub(super) accepted: Option<Ownership>,
    /// Wall-clock time after the table read the list.
    pub(super) finished_at: SystemTime,
}

impl Answer {
    /// The answer of a snapshot.
    pub(super) fn of_snapshot(
        snapshot: &Snapshot,
        query: &SocketQuery,
        has_remote_addresses: bool,
    ) -> Self {
        let any = snapshot.find(query);
        if has_remote_addresses {
            return Self::Found(any);
        }
        let is_connection = query.protocol() == Protocol::Tcp;
        Self::Listed(Listed {
            connected: is_connection.then(|| snapshot.find_connected(query)),
            accepted: is_connection.then(|| snapshot.find_accepted(query)),
            any,
            finished_at: snapshot.finished_at(),
        })
    }
}
