//! The questions that wait, and when each is due.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use super::{PolicyConfig, Question, Waiter};
use crate::{Ownership, SocketQuery};

/// One question with everyone who waits for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) query: SocketQuery,
    pub(super) waiting: Vec<Waiting>,
    /// Looks that were made for it.
    pub(super) attempts: usize,
    turn: Turn,
    last_attempt: Option<Instant>,
    packets_since: bool,
}

/// One who waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) waiter: Waiter,
    pub(super) question: Question,
    /// Number of the newest request when it asked: an answer to that one or an
    /// earlier one is too old for it.
    pub(super) asked_after: u64,
    /// The best answer so far.
    pub(super) best: Option<Ownership>,
    /// The flow is over; the next answer is the last.
    pub(super) ended: bool,
}

impl Waiting {
    /// Whether it asked before that request left, or evidence from before does.
    pub(super) fn is_served_by(&self, request: u64) -> bool {
        self.asked_after < request || !self.question.may_be_new_socket()
    }
}

/// Where a question stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It will be asked at this time.
    Due(Instant),
    /// It was asked, at this time, and no packet came since.
    Resting(Instant),
    /// It is being asked.
    Asked,
}

impl Pending {
    pub(super) fn is_under_way(&self) -> bool {
        self.turn == Turn::Asked
    }

    /// The entry of one who is known to wait here.
    pub(super) fn waiting_mut(&mut self, waiter: Waiter) -> &mut Waiting {
        #[expect(
            clippy::expect_used,
            reason = "callers come through `PendingSet::of_waiter`, which found it"
        )]
        self.waiting
            .iter_mut()
            .find(|waiting| waiting.waiter == waiter)
            .expect("a waiter is listed with its question")
    }
}

/// All questions that wait.
#[derive(Debug, Default)]
pub(super) struct PendingSet {
    /// Ordered, so that the questions of one local end are neighbours.
    questions: BTreeMap<SocketQuery, Pending>,
    waiters: HashMap<Waiter, SocketQuery>,
    due: BTreeSet<(Instant, SocketQuery)>,
    resting: BTreeSet<(Instant, SocketQuery)>,
}

impl PendingSet {
    pub(super) fn waiters(&self) -> usize {
        self.waiters.len()
    }

    pub(super) fn all_waiters(&self) -> Vec<Waiter> {
        let mut all: Vec<Waiter> = self.waiters.keys().copied().collect();
        all.sort_unstable();
        all
    }

    pub(super) fn of_waiter(&mut self, waiter: Waiter) -> Option<&mut Pending> {
        self.questions.get_mut(self.waiters.get(&waiter)?)
    }

    pub(super) fn of_query(&mut self, query: &SocketQuery) -> Option<&mut Pending> {
        self.questions.get_mut(query)
    }

    /// Adds one who waits; the question is due now unless it is under way.
    pub(super) fn add(&mut self, waiting: Waiting, now: Instant) {
        let query = waiting.question.query;
        self.waiters.insert(waiting.waiter, query);
        match self.questions.get_mut(&query) {
            Some(pending) => pending.waiting.push(waiting),
            None => {
                self.questions.insert(
                    query,
                    Pending {
                        query,
                        waiting: vec![waiting],
                        attempts: 0,
                        turn: Turn::Due(now),
                        last_attempt: None,
                        packets_since: false,
                    },
                );
            }
        }
        if self.questions[&query].turn != Turn::Asked {
            self.turn(&query, Turn::Due(now));
        }
    }

    pub(super) fn remove_waiter(&mut self, waiter: Waiter) -> Option<Waiting> {
        let query = self.waiters.remove(&waiter)?;
        let pending = self.questions.get_mut(&query)?;
        let place = pending.waiting.iter().position(|w| w.waiter == waiter)?;
        let waiting = pending.waiting.swap_remove(place);
        if pending.waiting.is_empty() {
            self.turn(&query, Turn::Asked);
            self.questions.remove(&query);
        }
        Some(waiting)
    }

    pub(super) fn packet_seen(&mut self, waiter: Waiter, now: Instant, config: &PolicyConfig) {
        let Some(pending) = self.of_waiter(waiter) else {
            return;
        };
        pending.packets_since = true;
        if let Turn::Resting(since) = pending.turn {
            let Some(wait) = config.wait_after(pending.attempts) else {
                return;
            };
            let query = pending.query;
            self.turn(&query, Turn::Due(now.max(since + wait)));
        }
    }

    /// Marks the questions that are due as asked. One whose flow was silent since
    /// its last attempt rests instead.
    pub(super) fn take_due(&mut self, now: Instant, max: usize) -> Vec<SocketQuery> {
        let mut taken = Vec::new();
        while taken.len() < max {
            let Some(&(due, query)) = self.due.first() else {
                break;
            };
            if due > now {
                break;
            }
            let Some(pending) = self.questions.get_mut(&query) else {
                self.due.pop_first();
                continue;
            };
            let silent_since = pending.last_attempt.filter(|_| !pending.packets_since);
            if let Some(last) = silent_since {
                self.turn(&query, Turn::Resting(last));
                continue;
            }
            pending.packets_since = false;
            pending.last_attempt = Some(now);
            self.turn(&query, Turn::Asked);
            taken.push(query);
        }
        taken
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Puts an answered question that somebody still waits for on the list again.
    pub(super) fn retry(&mut self, query: &SocketQuery, now: Instant, config: &PolicyConfig) {
        let Some(pending) = self.questions.get_mut(query) else {
            return;
        };
        pending.last_attempt = Some(now);
        let turn = match config.wait_after(pending.attempts) {
            Some(wait) => Turn::Due(now + wait),
            None => Turn::Resting(now),
        };
        self.turn(query, turn);
    }

    /// A question of request number `request`, which is over: those who asked
    /// while it was under way make it due again.
    pub(super) fn landed(
        &mut self,
        query: &SocketQuery,
        request: u64,
        now: Instant,
        config: &PolicyConfig,
    ) {
        let Some(pending) = self.questions.get_mut(query) else {
            return;
        };
        let newcomers = pending
            .waiting
            .iter()
            .any(|waiting| waiting.best.is_none() && !waiting.is_served_by(request));
        if newcomers {
            pending.last_attempt = None;
            self.turn(query, Turn::Due(now));
        } else if pending.turn == Turn::Asked {
            self.retry(query, now, config);
        }
    }

    /// The questions that the answer to a request serves.
    pub(super) fn served_by(&self, request: u64) -> Vec<SocketQuery> {
        let served = |pending: &&Pending| pending.waiting.iter().any(|w| w.is_served_by(request));
        self.questions
            .values()
            .filter(served)
            .map(|pending| pending.query)
            .collect()
    }

    /// Those who wait for a socket at the local end of `query` and fulfil `wanted`.
    pub(super) fn at_local_end(
        &self,
        query: &SocketQuery,
        wanted: impl Fn(&Pending, &Waiting) -> bool,
    ) -> Vec<Waiter> {
        let lowest = SocketQuery::new(query.protocol(), query.local(), None);
        self.questions
            .range(lowest..)
            .map(|(_, pending)| pending)
            .take_while(|pending| {
                pending.query.protocol() == query.protocol()
                    && pending.query.local() == query.local()
            })
            .flat_map(|pending| {
                pending
                    .waiting
                    .iter()
                    .map(move |waiting| (pending, waiting))
            })
            .filter(|(pending, waiting)| wanted(pending, waiting))
            .map(|(_, waiting)| waiting.waiter)
            .collect()
    }

    /// Those who wait for the question that rests longest.
    pub(super) fn longest_resting(&self) -> Vec<Waiter> {
        let oldest = self.resting.first();
        let pending = oldest.and_then(|(_, query)| self.questions.get(query));
        pending.map_or_else(Vec::new, |pending| {
            pending
                .waiting
                .iter()
                .map(|waiting| waiting.waiter)
                .collect()
        })
    }

    /// Moves a question between the lists.
    fn turn(&mut self, query: &SocketQuery, turn: Turn) {
        let Some(pending) = self.questions.get_mut(query) else {
            return;
        };
        match pending.turn {
            Turn::Due(at) => self.due.remove(&(at, *query)),
            Turn::Resting(since) => self.resting.remove(&(since, *query)),
            Turn::Asked => false,
        };
        match turn {
            Turn::Due(at) => self.due.insert((at, *query)),
            Turn::Resting(since) => self.resting.insert((since, *query)),
            Turn::Asked => false,
        };
        pending.turn = turn;
    }
}
