//! Connections whose ends a newer connection has taken over.

use super::judge::Waiting;
use super::{Initiator, Key, LookupRequest, Policy};
use crate::answer::{Evidence, Match, Ownership, Protocol, Reason, Verdict};

impl<K: Key> Policy<K> {
    /// Ends the requests whose socket is gone, as a new flow with the same ends shows.
    pub(super) fn end_replaced(&mut self, question: &LookupRequest) {
        let same_ends = self.pending.same_ends(&question.query);
        let replaced = same_ends.filter(|older| question.replaces(&older.question));
        let replaced: Vec<(K, Option<Ownership>)> = replaced
            .map(|older| (older.waiter, older.doubted_for(question)))
            .collect();
        for (waiter, doubted) in replaced {
            if let Some(unowned) = doubted {
                self.pending.improve(waiter, unowned);
            }
            self.finish_with(waiter, Reason::Gone);
        }
    }
}

impl<K> Waiting<K> {
    /// The answer that replaces the best one, if the socket that a lookup found may belong to a
    /// later connection with the same ends.
    fn doubted_for(&self, later: &LookupRequest) -> Option<Ownership> {
        let Ownership { verdict, evidence } = self.best.as_ref()?;
        // A listener serves both connections.
        let is_its_own = evidence.matched == Some(Match::FiveTuple)
            || self.question.initiator == Initiator::Local;
        let is_in_doubt = self.question.query.protocol() == Protocol::Tcp
            && is_its_own
            && !matches!(verdict, Verdict::Unknown(_))
            && evidence.found_by.unwrap_or(evidence.observed_at) >= later.packet_time;
        let Evidence {
            observed_at,
            source,
            ..
        } = *evidence;
        is_in_doubt.then(|| Ownership::unknown(Reason::Changed, observed_at, source))
    }
}
