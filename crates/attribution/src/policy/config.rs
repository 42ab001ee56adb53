//! The bounds and times of the policy.

use std::time::Duration;

use super::freshness;
use crate::answer::Capabilities;

/// How much work the policy may do, and when it retries.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyConfig {
    /// Waits before the second, third, ... lookup of a query without an answer. The policy only
    /// retries if a packet arrived since the last attempt. After the end of the list, it repeats
    /// the last wait. Empty: one attempt only. The policy repeats a lookup that
    /// [failed](crate::Reason::Failed) without a packet, once for each wait.
    pub retry_after: Vec<Duration>,
    /// After this many attempts, the policy takes an answer as final that could still improve: one
    /// that knows only the user of the process, or one that matched only the port of a five-tuple.
    pub attempts_to_improve: usize,
    /// How long the policy waits before it confirms the answer of a fast lookup, so that one lookup
    /// confirms many answers.
    pub confirm_after: Duration,
    /// Fast lookups for a connection of which a lookup has found only the listener.
    pub max_fast_lookups: usize,
    /// Queries that may wait at a time. At the bound, the policy drops the one that rests longest.
    /// If none rests, it refuses new ones.
    pub max_waiting: usize,
    /// Queries in one request to the table; at least one.
    pub max_batch: usize,
    /// Answers that the cache keeps for other flows of the same socket.
    pub max_cached: usize,
    /// How long the policy uses such an answer.
    pub cache_age: Duration,
    /// Sockets of earlier snapshots that the history keeps.
    pub max_history: usize,
    /// How long the history keeps a socket after the last snapshot that had it.
    pub history_age: Duration,
    /// After a request that took *t*, the policy waits *t* times this before the next one, so that
    /// a slow table never occupies a whole core.
    pub pause_factor: u32,
    /// How long after a packet a lookup may end and still name its sender. This applies if the
    /// table does not identify sockets and no earlier lookup found the same owner, because another
    /// process may have had the port. It does not apply to connections that still exist.
    pub sender_within: Duration,
    /// The same for the receiver of a packet: a server keeps its port longer.
    pub receiver_within: Duration,
    /// The same for a receiver that started well before the packet.
    pub old_receiver_within: Duration,
    /// As [`pause_factor`](Self::pause_factor), for queries that [may
    /// wait](super::Policy::lookup_again).
    pub recheck_pause_factor: u32,
    /// What the [table](crate::SocketTable::capabilities) knows. If it knows remote addresses, the
    /// policy may get a closer match than the local port. A [`Resolver`](crate::Resolver) takes
    /// this from its table.
    pub capabilities: Capabilities,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            retry_after: [20, 100, 500, 1_500, 5_000, 15_000, 60_000]
                .map(Duration::from_millis)
                .to_vec(),
            attempts_to_improve: 5,
            confirm_after: freshness::UNCONFIRMED,
            max_fast_lookups: 8,
            max_waiting: 65_536,
            max_batch: 1_024,
            max_cached: 4_096,
            cache_age: freshness::CACHED_ANSWER,
            max_history: 32_768,
            history_age: freshness::HISTORY_ENTRY,
            pause_factor: 4,
            sender_within: freshness::LIST_OF_SENDER,
            receiver_within: freshness::LIST_OF_RECEIVER,
            old_receiver_within: freshness::LIST_OF_OLD_RECEIVER,
            recheck_pause_factor: 16,
            capabilities: Capabilities::new(),
        }
    }
}

impl PolicyConfig {
    /// The wait after `attempts` attempts; `None` if the policy does not retry.
    pub(super) fn wait_after(&self, attempts: usize) -> Option<Duration> {
        let last = self.retry_after.len().checked_sub(1)?;
        Some(self.retry_after[attempts.saturating_sub(1).min(last)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(retry_after: &[u64], expected: [Option<u64>; 4]) {
        let config = PolicyConfig {
            retry_after: retry_after
                .iter()
                .copied()
                .map(Duration::from_millis)
                .collect(),
            ..PolicyConfig::default()
        };
        let waits = [1, 2, 3, 100].map(|attempts| config.wait_after(attempts));
        assert_eq!(waits, expected.map(|wait| wait.map(Duration::from_millis)));
    }

    #[test]
    fn waits() {
        check(&[], [None; 4]);
        check(&[5], [Some(5); 4]);
        check(&[20, 100], [Some(20), Some(100), Some(100), Some(100)]);
    }
}
