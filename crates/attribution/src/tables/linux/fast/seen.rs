//! Remembers the observed senders of packets that several processes may send. Pure.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::answer::{Ownership, ProcessId, SocketQuery, Verdict};

/// The number of flows for which this remembers the last sender.
const MAX_SEEN: usize = 4_096;

/// The observed senders of packets without ports, or of frames, which another process may send as
/// well. All lookups share it.
#[derive(Debug, Default)]
pub(crate) struct SeenSenders {
    /// By the ends of the flow, whatever the device.
    flows: HashMap<SocketQuery, (SystemTime, Vec<ProcessId>)>,
}

impl SeenSenders {
    pub(super) fn note(&mut self, query: &SocketQuery, owner: &Verdict, at: SystemTime) {
        if self.flows.len() >= MAX_SEEN {
            self.flows.clear();
        }
        let processes = owner.processes().iter().map(|process| process.id());
        let seen = (at, processes.collect());
        self.flows.insert(query.without_device().as_sender(), seen);
    }

    /// Whether the named processes were observed sending at that time or later, and no others were.
    pub(super) fn shows(&self, query: &SocketQuery, known: &Ownership, since: SystemTime) -> bool {
        let seen = self.flows.get(&query.without_device().as_sender());
        let named = known.verdict.processes();
        let is_named = |id: &ProcessId| named.iter().any(|named| named.id() == *id);
        seen.is_some_and(|(at, seen)| *at >= since && !seen.is_empty() && seen.iter().all(is_named))
    }

    /// Whether an observation after an answer shows another sender than the answer names; or may
    /// show one, if several processes may send the same.
    pub(super) fn contradicts(
        &self,
        query: &SocketQuery,
        known: &Ownership,
        is_told_apart: bool,
    ) -> bool {
        let Some((at, seen)) = self.flows.get(&query.without_device().as_sender()) else {
            return false;
        };
        let named = known.verdict.processes();
        let is_named = |id: &ProcessId| named.iter().any(|named| named.id() == *id);
        let is_later = *at > known.evidence.observed_at;
        let fits = if is_told_apart {
            seen.iter().any(is_named)
        } else {
            seen.iter().all(is_named)
        };
        is_later && !fits
    }
}

/// Between calls the guarded data is consistent, even after a panic elsewhere.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::answer::{Evidence, Match, Process, Source};

    #[test]
    fn another_sender_contradicts() {
        let second = |at| UNIX_EPOCH + Duration::from_secs(at);
        let process = |pid| Arc::new(Process::new(pid, "one"));
        let owner = |pid| Verdict::Process(process(pid));
        let evidence = Evidence::new(Some(Match::Protocol), second(10), Source::SockDiag);
        let known = Ownership::new(owner(1), evidence);
        let (local, remote) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let query = SocketQuery::icmp_echo(7, local, remote).as_sender();
        let other = SocketQuery::icmp_echo(8, local, remote).as_sender();
        let mut seen = SeenSenders::default();
        let is_contradicted = |seen: &SeenSenders| {
            [true, false].map(|is_told_apart| seen.contradicts(&query, &known, is_told_apart))
        };
        assert_eq!(is_contradicted(&seen), [false, false]);
        seen.note(&other, &owner(2), second(11));
        seen.note(&query.on_device(3), &owner(2), second(9));
        assert_eq!(is_contradicted(&seen), [false, false]);
        seen.note(&query.on_device(3), &owner(1), second(11));
        assert_eq!(is_contradicted(&seen), [false, false]);
        seen.note(
            &query,
            &Verdict::Shared(vec![process(1), process(2)]),
            second(12),
        );
        assert_eq!(is_contradicted(&seen), [false, true]);
        seen.note(&query, &owner(2), second(13));
        assert_eq!(is_contradicted(&seen), [true, true]);
        assert!(!seen.shows(&query, &known, second(12)));
        seen.note(&query, &owner(1), second(14));
        let shows = |query, since| seen.shows(query, &known, second(since));
        assert_eq!(
            [13, 14, 15].map(|at| shows(&query, at)),
            [true, true, false]
        );
        assert!(!shows(&other, 13));
    }
}
