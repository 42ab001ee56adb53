//! The bounds and times of the policy.

use std::time::Duration;

use super::freshness;
use crate::answer::Capabilities;

/// What the policy is allowed to spend, and when it tries again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyConfig {
    /// Waits before the second, third, ... attempt of a question that was not
    /// answered. An attempt is made only if packets arrived since the one before;
    /// past the end, the last wait is repeated. Empty: one attempt only. A lookup that
    /// [failed](crate::Reason::Failed) is repeated without a packet, once for each wait.
    pub retry_after: Vec<Duration>,
    /// After how many attempts an answer that could still get better (a process
    /// where only the user is known, a five-tuple where only the port matched) is
    /// taken as final.
    pub attempts_to_improve: usize,
    /// How long an answer from a fast lookup waits for the lookup that confirms it, so that
    /// one lookup serves many.
    pub confirm_after: Duration,
    /// Fast lookups at a connection of which only the listener was seen.
    pub max_fast_lookups: usize,
    /// Questions that may wait at a time. At the bound, the one that rests longest
    /// gives way; where none rests, new ones are refused.
    pub max_waiting: usize,
    /// Questions in one request; at least one.
    pub max_batch: usize,
    /// Answers kept for other flows of the same socket.
    pub max_cached: usize,
    /// How long such an answer is used.
    pub cache_age: Duration,
    /// Sockets of earlier looks that are remembered.
    pub max_history: usize,
    /// How long after it was last seen a socket is remembered.
    pub history_age: Duration,
    /// After a request that took *t*, the next one leaves no sooner than *t* times
    /// this later, so that a slow table never takes the whole of a core.
    pub rest_factor: u32,
    /// How long after a packet a lookup may end and name who sent it, where the table does not tell
    /// sockets apart and no lookup before it shows the same owner: another one may have had the
    /// port. Connections that are there still are no matter.
    pub sender_within: Duration,
    /// The same of who received a packet: those who serve keep their ports longer.
    pub receiver_within: Duration,
    /// The same of who received a packet, and was started well before it.
    pub old_receiver_within: Duration,
    /// As [`rest_factor`](Self::rest_factor), for questions that [may
    /// wait](super::Policy::lookup_again).
    pub again_rest_factor: u32,
    /// What the [table](crate::SocketTable::capabilities) can tell. With remote addresses, a better
    /// match than the local port may come. A [`Resolver`](crate::Resolver) asks its table for them.
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
            rest_factor: 4,
            sender_within: freshness::LIST_OF_SENDER,
            receiver_within: freshness::LIST_OF_RECEIVER,
            old_receiver_within: freshness::LIST_OF_OLD_RECEIVER,
            again_rest_factor: 16,
            capabilities: Capabilities::new(),
        }
    }
}

impl PolicyConfig {
    /// The wait after `attempts` attempts, or `None` where there is no retry.
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
