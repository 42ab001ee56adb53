//! Applies the answer of a socket table to the requests that wait.

use std::sync::Arc;
use std::time::Instant;

use super::answer::{Answer, Listed};
use super::judge::may_match_closer;
use super::pending::{Observed, later};
use super::{Event, Initiator, Key, LookupRequest, Policy, TableAnswer, TableRequestId};
use crate::answer::{Ownership, Protocol, Reason, Snapshot, SocketQuery, Verdict};

/// The number of lookups after which no observation of the sender is expected any more, for packets
/// whose ends no socket has.
const ATTEMPTS_FOR_SENDER: usize = 2;

impl<K: Key> Policy<K> {
    /// Takes a snapshot that no request caused. If the table does not know remote ends, a snapshot
    /// from before the first flow distinguishes new sockets from older ones.
    pub fn observe_snapshot(&mut self, snapshot: Arc<Snapshot>) {
        self.history.record(&snapshot);
        self.last_snapshot = Some(snapshot);
    }

    /// As [`end_all`](Self::end_all), with small requests that complete soon.
    pub(crate) fn end_in_small_parts(&mut self) {
        /// Queries in a request.
        const FEW: usize = 32;
        self.config.max_batch = self.config.max_batch.min(FEW);
        self.end_all();
    }

    /// Takes the answer to the request under way, and ignores any other.
    pub fn handle_answer(&mut self, id: TableRequestId, facts: TableAnswer, now: Instant) {
        let Some(request) = self.in_flight.take_if(|request| request.id == id) else {
            return;
        };
        let took = now.saturating_duration_since(request.left);
        let rest = took.saturating_mul(self.config.pause_factor);
        self.rest_until = Some(later(now, rest));
        let rest = took.saturating_mul(self.config.recheck_pause_factor);
        self.long_rest_until = Some(later(now, rest));
        match facts {
            TableAnswer::Snapshot(snapshot) => self.handle_snapshot(snapshot, id, now),
            TableAnswer::Answers(answers) => {
                let mut answers = answers.into_iter();
                for query in &request.queries {
                    // The table returned too few answers, so this lookup failed.
                    let answer = answers.next().unwrap_or(Err(Reason::Failed));
                    let answer = answer.map_or_else(Answer::Failed, Answer::Found);
                    self.consider(query, &answer, id, now);
                }
            }
            TableAnswer::Failed(reason) => {
                for query in &request.queries {
                    self.consider(query, &Answer::Failed(reason), id, now);
                }
            }
        }
        for query in &request.queries {
            self.pending.landed(query, now, &self.config);
        }
    }

    fn handle_snapshot(&mut self, snapshot: Arc<Snapshot>, id: TableRequestId, now: Instant) {
        let was_set_back = |last: &Arc<Snapshot>| snapshot.started_at() < last.finished_at();
        if self.last_snapshot.as_ref().is_some_and(was_set_back) {
            self.history.clear();
            self.cache.clear();
            self.pending.observed = Observed::default();
        }
        self.history.record(&snapshot);
        self.cache.revalidate(&snapshot);
        for query in self.pending.served_by(id.0) {
            let answer =
                Answer::of_snapshot(&snapshot, &query, self.config.capabilities.remote_addresses);
            self.consider(&query, &answer, id, now);
        }
        self.last_snapshot = Some(snapshot);
    }

    /// Passes an answer to the requests that were there before the table request left. For later
    /// ones, the evidence is too old.
    fn consider(&mut self, query: &SocketQuery, answer: &Answer, id: TableRequestId, now: Instant) {
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
            let LookupRequest {
                query, packet_time, ..
            } = &waiting.question;
            let for_endpoint = self.is_bound_to_endpoint(query.protocol());
            self.cache
                .learn(query, &offered, *packet_time, for_endpoint, now);
        } else if is_miss && let Some(found) = waiting.recall(&self.history, contested) {
            self.statistics.from_history += 1;
            offered = found;
        }
        let may_improve = pending.attempts < self.config.attempts_to_improve;
        let is_settled = |answer: &Ownership| {
            answer.verdict.is_named()
                && !(may_improve && may_match_closer(answer, &pending.query, &self.config))
        };
        // A late observation may still name the sender.
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
        // A process holds a port now that no process held before: the caller may begin anew.
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

    /// Whether an answer for this protocol holds for a local end, whatever the remote end.
    fn is_bound_to_endpoint(&self, protocol: Protocol) -> bool {
        protocol != Protocol::Tcp || !self.config.capabilities.remote_addresses
    }
}
