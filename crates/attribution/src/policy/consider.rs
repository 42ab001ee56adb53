//! What the answer of a socket table means for those who wait.

use std::sync::Arc;
use std::time::Instant;

use super::answer::{Answer, Listed};
use super::judge::may_match_closer;
use super::pending::{Observed, later};
use super::{Event, Facts, Initiator, Key, LookupRequest, Policy, RequestId};
use crate::answer::{Ownership, Protocol, Reason, Snapshot, SocketQuery, Verdict};

/// Lookups after which nobody is expected any more to have seen who sent what no socket has the ends
/// of.
const ATTEMPTS_FOR_SENDER: usize = 2;

impl<K: Key> Policy<K> {
    /// Takes a snapshot that no request asked for. Where the table does not know remote ends,
    /// one from before the first flow tells new sockets from those that were there.
    pub fn observe_snapshot(&mut self, snapshot: Arc<Snapshot>) {
        self.history.record(&snapshot);
        self.last_look = Some(snapshot);
    }

    /// As [`end_all`](Self::end_all), with requests that are over soon.
    pub(crate) fn end_in_small_parts(&mut self) {
        /// Questions in a request.
        const FEW: usize = 32;
        self.config.max_batch = self.config.max_batch.min(FEW);
        self.end_all();
    }

    /// Takes the answer to the request under way; any other is ignored.
    pub fn handle_answer(&mut self, id: RequestId, facts: Facts, now: Instant) {
        let Some(request) = self.in_flight.take_if(|request| request.id == id) else {
            return;
        };
        let took = now.saturating_duration_since(request.left);
        let rest = took.saturating_mul(self.config.rest_factor);
        self.rest_until = Some(later(now, rest));
        let rest = took.saturating_mul(self.config.again_rest_factor);
        self.long_rest_until = Some(later(now, rest));
        match facts {
            Facts::Snapshot(look) => self.handle_look(look, id, now),
            Facts::Answers(answers) => {
                let mut answers = answers.into_iter();
                for query in &request.queries {
                    // A table that says too little has not looked for it.
                    let answer = answers.next().unwrap_or(Err(Reason::Failed));
                    let answer = answer.map_or_else(Answer::Failed, Answer::Found);
                    self.consider(query, &answer, id, now);
                }
            }
            Facts::Failed(reason) => {
                for query in &request.queries {
                    self.consider(query, &Answer::Failed(reason), id, now);
                }
            }
        }
        for query in &request.queries {
            self.pending.landed(query, now, &self.config);
        }
    }

    fn handle_look(&mut self, look: Arc<Snapshot>, id: RequestId, now: Instant) {
        let was_set_back = |last: &Arc<Snapshot>| look.started_at() < last.finished_at();
        if self.last_look.as_ref().is_some_and(was_set_back) {
            self.history.clear();
            self.cache.clear();
            self.pending.observed = Observed::default();
        }
        self.history.record(&look);
        self.cache.revalidate(&look);
        for query in self.pending.served_by(id.0) {
            let answer = Answer::of_look(&look, &query, self.config.capabilities.remote_addresses);
            self.consider(&query, &answer, id, now);
        }
        self.last_look = Some(look);
    }

    /// Gives an answer to everyone who asked before the request left; the evidence
    /// is older than the questions of the others.
    fn consider(&mut self, query: &SocketQuery, answer: &Answer, id: RequestId, now: Instant) {
        let Some(pending) = self.pending.of_query(query) else {
            return;
        };
        let waiters = pending.served_by(id.0);
        if waiters.is_empty() {
            return;
        }
        pending.attempts += 1;
        match answer {
            Answer::Found(found) | Answer::Listed(Listed { any: found, .. })
                if found.verdict.is_named() =>
            {
                let for_endpoint = self.is_bound_to_endpoint(query.protocol());
                let since = found.evidence.observed_at;
                self.cache.learn(query, found, since, for_endpoint, now);
            }
            Answer::Found(_) | Answer::Listed(_) => self.cache.forget(query),
            Answer::Failed(_) => {}
        }
        for waiter in waiters {
            self.answer(waiter, answer, now);
        }
        self.pending.retry(query, now, &self.config);
    }

    fn answer(&mut self, waiter: K, answer: &Answer, now: Instant) {
        let Some((pending, waiting)) = self.pending.of_waiter(waiter) else {
            return;
        };
        let tells_remotes = self.config.capabilities.remote_addresses;
        let contested = self.pending.contested(waiting, tells_remotes);
        let mut offered = waiting.judge(answer, contested, &self.history, &self.config);
        let is_miss = offered.verdict.reason().is_some_and(Reason::may_pass);
        if offered.verdict.is_named() {
            let LookupRequest { query, seen_at, .. } = &waiting.question;
            let for_endpoint = self.is_bound_to_endpoint(query.protocol());
            self.cache
                .learn(query, &offered, *seen_at, for_endpoint, now);
        } else if is_miss && let Some(found) = waiting.recall(&self.history, contested) {
            self.statistics.from_history += 1;
            offered = found;
        }
        let may_improve = pending.attempts < self.config.attempts_to_improve;
        let is_settled = |answer: &Ownership| {
            answer.verdict.is_named()
                && !(may_improve && may_match_closer(answer, &pending.query, &self.config))
        };
        // Who saw it sent may still say so.
        let may_be_observed = waiting.question.initiator == Initiator::Local
            && pending.attempts < ATTEMPTS_FOR_SENDER
            && offered.verdict == Verdict::Unknown(Reason::PacketSocket);
        let is_final = waiting.ended
            || (contested.is_some() && !matches!(answer, Answer::Failed(_)))
            || waiting.best.as_ref().is_some_and(is_settled)
            || match offered.verdict {
                Verdict::Process(_) | Verdict::Shared(_) => is_settled(&offered),
                Verdict::Partial { .. } => !may_improve,
                Verdict::Unknown(reason) => !reason.may_pass() && !may_be_observed,
            };
        let best = waiting.best.as_ref();
        // That somebody has the port by now, where nobody had: who asked may begin anew.
        let is_late = matches!(answer, Answer::Listed(_))
            && offered.verdict == Verdict::Unknown(Reason::Gone)
            && best.is_some_and(|best| best.verdict == Verdict::Unknown(Reason::NotFound));
        let improves = is_late || best.is_none_or(|best| offered.is_better_than(best));
        if improves {
            self.pending.improve(waiter, offered.clone());
        }
        if is_final {
            self.finish(waiter);
        } else if improves {
            self.events.push_back(Event {
                key: waiter,
                ownership: offered,
                last: false,
            });
        }
    }

    /// Whether answers for this protocol hold for a local end, whatever the remote.
    fn is_bound_to_endpoint(&self, protocol: Protocol) -> bool {
        protocol != Protocol::Tcp || !self.config.capabilities.remote_addresses
    }
}
