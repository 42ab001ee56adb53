//! When to ask, what to keep, when to try again: a state machine without threads,
//! clock or system calls.
//!
//! The driver ([`Service`](crate::Service), or a test) brings the time and does
//! the asking:
//!
//! 1. [`lookup`](Policy::lookup) whenever a flow opens,
//!    [`packet_seen`](Policy::packet_seen) while its owner is not settled,
//!    [`end`](Policy::end) when it is over;
//! 2. [`poll_request`](Policy::poll_request): what to ask the socket table now;
//!    its result goes to [`handle_answer`](Policy::handle_answer);
//! 3. [`poll_event`](Policy::poll_event) until it is empty: the answers;
//! 4. [`poll_timeout`](Policy::poll_timeout): when to come back if nothing happens.
//!
//! Two clocks are at work. `Instant`s order what the policy does. Wall-clock times
//! relate packets to what earlier looks saw, and are used for nothing else.

mod cache;
mod config;
mod history;
mod pending;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

pub use config::PolicyConfig;

use crate::{Ownership, Protocol, Reason, Snapshot, SocketQuery, Source, Verdict};
use cache::Cache;
use history::History;
use pending::{PendingSet, Waiting};

/// Whom an answer is for: a number that the caller chooses and gets back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Waiter(pub u64);

/// A question about one end of one flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The socket.
    pub query: SocketQuery,
    /// Wall-clock time of the flow's first packet.
    pub seen_at: SystemTime,
    /// How the flow began.
    pub opened: Opened,
}

/// How a flow began, which tells whether older answers can hold for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opened {
    /// This end sent the first packet of a new flow: perhaps from a new socket.
    ByUs,
    /// The other end did. A TCP connection gets a new socket; a datagram is served
    /// by the socket that was there.
    ByPeer,
    /// The flow is older than the capture.
    Earlier,
}

impl Question {
    /// Whether the socket may be younger than everything that is known.
    fn may_be_new_socket(&self) -> bool {
        match (self.opened, self.query.protocol()) {
            (Opened::ByUs, _) | (Opened::ByPeer, Protocol::Tcp) => true,
            (Opened::ByPeer, Protocol::Udp) | (Opened::Earlier, _) => false,
        }
    }
}

/// What [`Policy::lookup`] says at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// An answer that is known already; no event follows.
    Known(Ownership),
    /// Events follow.
    Waiting,
    /// Too many questions wait; no event follows.
    Refused,
}

/// What to ask the socket table now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// To be given back with the answer.
    pub id: RequestId,
    /// The questions, each once.
    pub queries: Vec<SocketQuery>,
}

/// Names a [`Request`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(u64);

/// What the socket table said.
#[derive(Debug, Clone)]
pub enum Facts {
    /// All sockets: serves every question that waits.
    Snapshot(Arc<Snapshot>),
    /// An answer for each query of the request, in its order.
    Answers(Vec<Ownership>),
    /// It could not be read, for this reason.
    Failed(Reason),
}

/// News for one waiter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whom it is for.
    pub waiter: Waiter,
    /// The answer, better than any that this waiter got before unless it is the
    /// last one.
    pub ownership: Ownership,
    /// Nothing more will come for this waiter.
    pub last: bool,
}

/// What the policy did so far, and how full it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PolicyStatistics {
    /// Questions asked.
    pub questions: u64,
    /// Of those, answered at once from an earlier answer.
    pub from_cache: u64,
    /// Answered by what an earlier look saw.
    pub from_history: u64,
    /// Requests to the socket table.
    pub requests: u64,
    /// Questions that the bound on waiting ones refused or dropped.
    pub overflow: u64,
    /// Kept answers and remembered sockets that their bounds dropped or refused.
    pub forgotten: u64,
    /// Questions that wait now.
    pub waiting: usize,
    /// Answers kept now.
    pub cached: usize,
    /// Sockets remembered now.
    pub remembered: usize,
}

/// The state machine. See the [module](self) for how it is driven.
#[derive(Debug)]
pub struct Policy {
    config: PolicyConfig,
    pending: PendingSet,
    cache: Cache,
    history: History,
    events: VecDeque<Event>,
    in_flight: Option<InFlight>,
    rest_until: Option<Instant>,
    statistics: PolicyStatistics,
}

#[derive(Debug)]
struct InFlight {
    id: RequestId,
    queries: Vec<SocketQuery>,
    left: Instant,
}

impl Policy {
    /// A policy that knows nothing yet.
    pub fn new(config: PolicyConfig) -> Self {
        Self {
            pending: PendingSet::default(),
            cache: Cache::new(config.max_cached, config.cache_age),
            history: History::new(config.max_history, config.history_age),
            events: VecDeque::new(),
            in_flight: None,
            rest_until: None,
            statistics: PolicyStatistics::default(),
            config,
        }
    }

    /// Asks for `waiter`: answers at once where evidence newer than the flow's first
    /// packet is there already, else puts the question on the list, due now.
    ///
    /// Older evidence never answers, however likely: the port may have changed
    /// hands. For the same reason a question from a flow that may be new ends
    /// older questions for the same socket address.
    pub fn lookup(&mut self, waiter: Waiter, question: Question, now: Instant) -> Lookup {
        self.statistics.questions += 1;
        self.pending.remove_waiter(waiter);
        if question.may_be_new_socket() {
            self.supersede(&question);
        }
        if let Some(known) = self.cache.find(&question, now) {
            self.statistics.from_cache += 1;
            return Lookup::Known(known.clone());
        }
        if self.pending.waiters() >= self.config.max_waiting && !self.make_room() {
            self.statistics.overflow += 1;
            return Lookup::Refused;
        }
        let waiting = Waiting {
            waiter,
            question,
            asked_after: self.statistics.requests,
            best: None,
            ended: false,
        };
        self.pending.add(waiting, now);
        Lookup::Waiting
    }

    /// Tells that a packet of an unsettled flow arrived, without which there is
    /// no retry.
    pub fn packet_seen(&mut self, waiter: Waiter, now: Instant) {
        self.pending.packet_seen(waiter, now, &self.config);
    }

    /// Tells that the flow is over: what is known then is final. The last event
    /// follows at once, or with the first answer where there was none yet.
    pub fn end(&mut self, waiter: Waiter) {
        let Some(pending) = self.pending.of_waiter(waiter) else {
            return;
        };
        let under_way = pending.is_under_way();
        let waiting = pending.waiting_mut(waiter);
        waiting.ended = true;
        if waiting.best.is_some() && !under_way {
            self.finish(waiter);
        }
    }

    /// As [`end`](Self::end), for every flow that waits.
    pub fn end_all(&mut self) {
        for waiter in self.pending.all_waiters() {
            self.end(waiter);
        }
    }

    /// What to ask now, if anything is due and no request is under way.
    pub fn poll_request(&mut self, now: Instant) -> Option<Request> {
        if self.in_flight.is_some() || self.rest_until.is_some_and(|until| now < until) {
            return None;
        }
        let queries = self.pending.take_due(now, self.config.max_batch);
        if queries.is_empty() {
            return None;
        }
        self.statistics.requests += 1;
        let id = RequestId(self.statistics.requests);
        self.in_flight = Some(InFlight {
            id,
            queries: queries.clone(),
            left: now,
        });
        Some(Request { id, queries })
    }

    /// Takes the answer to the request under way; any other is ignored.
    pub fn handle_answer(&mut self, id: RequestId, facts: Facts, now: Instant) {
        let Some(request) = self.in_flight.take_if(|request| request.id == id) else {
            return;
        };
        let took = now.saturating_duration_since(request.left);
        self.rest_until = Some(now + took * self.config.rest_factor);
        match facts {
            Facts::Snapshot(snapshot) => self.handle_snapshot(&request, &snapshot, now),
            Facts::Answers(answers) => {
                for (query, answer) in request.queries.iter().zip(answers) {
                    self.consider(query, &answer, id, now);
                }
            }
            Facts::Failed(reason) => {
                let answer = Ownership::unknown(reason, SystemTime::UNIX_EPOCH, Source::None);
                for query in &request.queries {
                    self.consider(query, &answer, id, now);
                }
            }
        }
        for query in &request.queries {
            self.pending.landed(query, id.0, now, &self.config);
        }
    }

    /// The next answer for somebody.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`poll_request`](Self::poll_request) may next have something, if no
    /// call changes that. `None` while a request is under way or nothing waits.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.in_flight.is_some() {
            return None;
        }
        let due = self.pending.next_due()?;
        Some(self.rest_until.map_or(due, |until| until.max(due)))
    }

    /// Whether somebody waits for an answer that is due or under way.
    pub fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.pending.next_due().is_none()
    }

    /// Counters and fill levels.
    pub fn statistics(&self) -> PolicyStatistics {
        PolicyStatistics {
            forgotten: self.cache.evicted + self.history.refused,
            waiting: self.pending.waiters(),
            cached: self.cache.len(),
            remembered: self.history.len(),
            ..self.statistics
        }
    }

    fn handle_snapshot(&mut self, request: &InFlight, snapshot: &Snapshot, now: Instant) {
        self.history.record(snapshot);
        self.cache.revalidate(snapshot);
        for query in self.pending.served_by(request.id.0) {
            self.consider(&query, &snapshot.find(&query), request.id, now);
        }
    }

    /// Gives an answer to everyone who asked before the request left; the evidence
    /// is older than the questions of the others.
    fn consider(&mut self, query: &SocketQuery, answer: &Ownership, id: RequestId, now: Instant) {
        let Some(pending) = self.pending.of_query(query) else {
            return;
        };
        let waiters: Vec<Waiter> = pending
            .waiting
            .iter()
            .filter(|waiting| waiting.is_served_by(id.0))
            .map(|waiting| waiting.waiter)
            .collect();
        if waiters.is_empty() {
            return;
        }
        pending.attempts += 1;
        let attempts = pending.attempts;
        if answer.verdict.is_named() {
            let for_endpoint = self.is_bound_to_endpoint(query.protocol());
            self.cache.learn(query, answer, for_endpoint, now);
        } else {
            self.cache.forget(query);
        }
        for waiter in waiters {
            self.answer(waiter, answer, attempts);
        }
        self.pending.retry(query, now, &self.config);
    }

    fn answer(&mut self, waiter: Waiter, answer: &Ownership, attempts: usize) {
        let improving = attempts < self.config.attempts_to_improve;
        let is_final = match &answer.verdict {
            Verdict::Process(_) | Verdict::Shared(_) => {
                !(improving && self.may_match_closer(answer, waiter))
            }
            Verdict::Partial { .. } => !improving,
            Verdict::Unknown(Reason::NotFound | Reason::Gone) => false,
            Verdict::Unknown(_) => true,
        };
        let remembered = self.remembered(waiter, answer);
        let is_final = is_final || remembered.is_some();
        let Some(pending) = self.pending.of_waiter(waiter) else {
            return;
        };
        let waiting = pending.waiting_mut(waiter);
        let offered = remembered.as_ref().unwrap_or(answer);
        let improves = match &waiting.best {
            Some(best) => offered.is_better_than(best),
            None => true,
        };
        if improves {
            waiting.best = Some(offered.clone());
        }
        if is_final || waiting.ended {
            self.finish(waiter);
        } else if improves {
            self.events.push_back(Event {
                waiter,
                ownership: offered.clone(),
                last: false,
            });
        }
    }

    /// What an earlier look knows about a socket that is not there any more.
    fn remembered(&mut self, waiter: Waiter, answer: &Ownership) -> Option<Ownership> {
        if !matches!(
            answer.verdict,
            Verdict::Unknown(Reason::NotFound | Reason::Gone)
        ) {
            return None;
        }
        let question = self.pending.of_waiter(waiter)?.waiting_mut(waiter).question;
        let found = self.history.find(&question.query, question.seen_at)?;
        self.statistics.from_history += 1;
        Some(found)
    }

    /// Whether a table that knows remote ends may still find the connection's own
    /// socket, as when a listener's connection was not accepted yet.
    fn may_match_closer(&mut self, answer: &Ownership, waiter: Waiter) -> bool {
        let is_connection = self.pending.of_waiter(waiter).is_some_and(|pending| {
            pending.query.protocol() == Protocol::Tcp && pending.query.remote().is_some()
        });
        is_connection
            && self.config.table_tells_remotes
            && answer.evidence.matched != Some(crate::Match::FiveTuple)
    }

    /// Whether answers for this protocol hold for a local end, whatever the remote.
    fn is_bound_to_endpoint(&self, protocol: Protocol) -> bool {
        protocol == Protocol::Udp || !self.config.table_tells_remotes
    }

    /// Ends older questions that a new flow makes unanswerable: the socket they
    /// asked for is gone, and a look from now on would find its successor.
    fn supersede(&mut self, question: &Question) {
        let of_endpoint = self.is_bound_to_endpoint(question.query.protocol());
        let stale = self.pending.at_local_end(&question.query, |pending, old| {
            let same_tuple = pending.query == question.query;
            let same_port_reused = of_endpoint
                && question.opened == Opened::ByUs
                && match question.query.protocol() {
                    // Each connection that this end opens has a socket of its own.
                    Protocol::Tcp => old.question.opened == Opened::ByUs,
                    // One UDP socket talks to many, but then it would have been found.
                    Protocol::Udp => pending.attempts > 0,
                };
            same_tuple || same_port_reused
        });
        for waiter in stale {
            self.finish_with(waiter, Reason::Gone);
        }
    }

    /// Drops the question that rests longest. False where none rests.
    fn make_room(&mut self) -> bool {
        let resting = self.pending.longest_resting();
        for waiter in &resting {
            self.statistics.overflow += 1;
            self.finish(*waiter);
        }
        !resting.is_empty()
    }

    fn finish(&mut self, waiter: Waiter) {
        self.finish_with(waiter, Reason::NotFound);
    }

    /// Sends the last event: the best answer there was, or `otherwise`.
    fn finish_with(&mut self, waiter: Waiter, otherwise: Reason) {
        let Some(waiting) = self.pending.remove_waiter(waiter) else {
            return;
        };
        let ownership = waiting.best.unwrap_or_else(|| {
            Ownership::unknown(otherwise, waiting.question.seen_at, Source::None)
        });
        self.events.push_back(Event {
            waiter,
            ownership,
            last: true,
        });
    }
}
