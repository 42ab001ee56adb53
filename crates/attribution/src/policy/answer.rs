//! What a socket table says to one question.

use std::time::SystemTime;

use crate::answer::{Ownership, Protocol, Reason, Snapshot, SocketQuery};

/// What a list of sockets says to one question.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, for a moment"
)]
pub(super) enum Answer {
    Found(Ownership),
    Listed(Listed),
    Failed(Reason),
}

/// What a list without remote ends says, of a table that cannot tell sockets apart either.
pub(super) struct Listed {
    pub(super) any: Ownership,
    /// What those sockets say that have a connection, for TCP.
    pub(super) connected: Option<Ownership>,
    /// What any socket and those say that listen, for TCP: the holder of a connection that was
    /// accepted may have it from who listens.
    pub(super) accepted: Option<Ownership>,
    /// Wall-clock time after the list was read.
    pub(super) finished_at: SystemTime,
}

impl Answer {
    /// What a list of all sockets says.
    pub(super) fn of_look(
        look: &Snapshot,
        query: &SocketQuery,
        has_remote_addresses: bool,
    ) -> Self {
        let any = look.find(query);
        if has_remote_addresses {
            return Self::Found(any);
        }
        let is_connection = query.protocol() == Protocol::Tcp;
        Self::Listed(Listed {
            connected: is_connection.then(|| look.find_connected(query)),
            accepted: is_connection.then(|| look.find_accepted(query)),
            any,
            finished_at: look.finished_at(),
        })
    }
}
