//! Connections whose ends the next one has by now.

use super::judge::Waiting;
use super::{Initiator, Key, LookupRequest, Policy};
use crate::answer::{Evidence, Match, Ownership, Protocol, Reason, Verdict};

impl<K: Key> Policy<K> {
    /// Ends the questions that a new flow with the same ends shows to be about a socket that
    /// is gone.
    pub(super) fn end_replaced(&mut self, question: &LookupRequest) {
        let same_ends = self.pending.same_ends(&question.query);
        let replaced = same_ends.filter(|older| question.replaces(&older.question));
        let replaced: Vec<(K, Option<Ownership>)> = replaced
            .map(|older| (older.waiter, older.doubted_for(question)))
            .collect();
        for (waiter, doubted) in replaced {
            if let Some(nobody) = doubted {
                self.pending.improve(waiter, nobody);
            }
            self.finish_with(waiter, Reason::Gone);
        }
    }
}

impl<K> Waiting<K> {
    /// What is said in place of the best answer, where the socket that was found may be that of a
    /// later connection with the same ends.
    fn doubted_for(&self, later: &LookupRequest) -> Option<Ownership> {
        let Ownership { verdict, evidence } = self.best.as_ref()?;
        // A listener serves both.
        let is_its_own = evidence.matched == Some(Match::FiveTuple)
            || self.question.initiator == Initiator::Local;
        let is_in_doubt = self.question.query.protocol() == Protocol::Tcp
            && is_its_own
            && !matches!(verdict, Verdict::Unknown(_))
            && evidence.found_by.unwrap_or(evidence.observed_at) >= later.seen_at;
        let Evidence {
            observed_at,
            source,
            ..
        } = *evidence;
        is_in_doubt.then(|| Ownership::unknown(Reason::Changed, observed_at, source))
    }
}
