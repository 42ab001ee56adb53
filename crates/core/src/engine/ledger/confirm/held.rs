//! Confirmations that named processes still have a socket, while other processes may have it as
//! well. If a later search finds no others, the packets until such a confirmation belong to the
//! named ones.

use std::time::{Duration, UNIX_EPOCH};

use flowner_attribution::capture::Confirmed;
use flowner_flows::{Flow, FlowId};

use super::claim::{Claim, claim};
use super::confirmation::Confirmation;
use super::held_marks::Held;
use crate::engine::ledger::question::{MAX_AT_ONCE, MAX_DUE};
use crate::engine::ledger::uncertain::Tail;
use crate::engine::ledger::{Effect, Ledger, Owners};

/// The time until the ledger confirms a silent flow again. Usually a search has ended by then.
const SEARCHED: Duration = Duration::from_millis(110);
/// How often the ledger does so: on a busy host, searches take their time.
const MAX_ASKED: u8 = 30;

impl Confirmation {
    /// Call this when the named processes still have the socket after the newest counted packet.
    /// `alone_at`: the wall-clock time until which it is known that no other process has it.
    pub(super) fn be_held(&mut self, claim: &Claim, alone_at: Duration) {
        self.is_confirmed = true;
        self.is_unanswered = false;
        self.may_be_next = false;
        self.was_silent = [false; 2];
        let is_alone = |held: &mut Box<Held>| held.at < alone_at;
        let searched = match self.held.last.take_if(is_alone) {
            Some(last) => {
                self.held.first = None;
                Some(last)
            }
            None => self.held.first.take_if(is_alone),
        };
        if let Some(held) = searched {
            (self.sure, self.sure_number) = (held.mark, held.number);
            (self.unsure_since, self.unsure) = (held.since, held.seconds);
            self.unsearched = None;
            self.held.first = self.held.last.take();
        }
        if self.is_sure() || self.held.is_newest(&claim.mark) {
            return;
        }
        let now = Some(Box::new(Held {
            at: claim.since.duration_since(UNIX_EPOCH).unwrap_or_default(),
            mark: claim.mark,
            number: claim.number,
            since: None,
            seconds: Vec::new(),
        }));
        if self.held.first.is_none() {
            self.held.first = now;
        } else {
            self.held.last = now;
        }
    }

    /// Call this when other processes have the socket as well, and had it when the owner was named.
    pub(super) fn be_shared(&mut self, first_seen: Duration) {
        self.held.clear();
        if let Some(all) = self.unsearched.take() {
            self.be_unsure(first_seen, all);
        }
    }

    /// The part since the named processes were last known to have the socket, if it does not matter
    /// whether other processes had it as well.
    pub(in crate::engine::ledger) fn into_unheld_tail(mut self, next: Duration) -> Tail {
        match self.held.last.take().or(self.held.first.take()) {
            Some(held) => Tail {
                sure: held.mark,
                sure_number: held.number,
                next: held.since.unwrap_or(next),
                seconds: held.seconds,
            },
            None => self.into_tail(next),
        }
    }

    /// Whether the named processes were known to have the socket after the newest packet.
    pub(super) fn is_held(&self) -> bool {
        let newest = self.held.newest();
        self.is_sure() || newest.is_some_and(|held| held.since.is_none())
    }

    /// The number of the newest packet when they were last known to have it.
    pub(super) fn held_number(&self) -> u64 {
        let newest = self.held.newest();
        newest.map_or(self.sure_number, |held| held.number)
    }
}

impl Ledger {
    /// Takes answers that the named processes still have their sockets. Returns false if they do
    /// not.
    pub(super) fn are_still(&mut self, claim: &Claim, answers: [Confirmed; 2]) -> bool {
        let Some(flow) = self.table.flow_mut(claim.flow) else {
            return false;
        };
        let Some(confirmation) = flow.data.confirmation.as_deref_mut() else {
            return false;
        };
        let asked = claim.ends.iter().zip(answers);
        let asked = asked.filter(|(asked, _)| asked.is_some());
        let alone_at = asked.map(|(_, answer)| match answer {
            Confirmed::Same => Some(Duration::MAX),
            Confirmed::Held { alone_at } => {
                Some(alone_at.duration_since(UNIX_EPOCH).unwrap_or_default())
            }
            _ => None,
        });
        // `None` is less than every other value.
        let Some(alone_at) = alone_at.reduce(Option::min).flatten() else {
            return false;
        };
        if alone_at == Duration::MAX {
            confirmation.be_sure(claim.mark, claim.number);
        } else {
            confirmation.be_held(claim, alone_at);
        }
        let is_sure = confirmation.is_sure();
        self.confirming.learn_of_confirmation(flow, &claim.mark);
        if !is_sure {
            self.confirm_when_searched(claim.flow, true);
        }
        true
    }

    /// Queues a silent flow for another confirmation after the next search, if the queue has room.
    /// `is_answered`: whether this confirmation had the time to find out anything.
    pub(super) fn confirm_when_searched(&mut self, id: FlowId, is_answered: bool) {
        let due = self.table.now() + SEARCHED;
        let has_room = self.confirming.due_searched.len() < MAX_DUE;
        let Some(flow) = self.table.flow_mut(id).filter(|_| has_room) else {
            return;
        };
        if let Some(confirmation) = flow.data.confirmation.as_deref_mut()
            && !confirmation.held.is_queued
            && confirmation.held.asked < MAX_ASKED
        {
            confirmation.held.is_queued = true;
            confirmation.held.asked += u8::from(is_answered);
            self.confirming.due_searched.push_back((due, id));
        }
    }

    /// Confirms silent flows whose sockets other processes may have.
    pub(super) fn confirm_searched(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        for _ in 0..MAX_AT_ONCE {
            let first = self.confirming.due_searched.front();
            let Some(&(_, id)) = first.filter(|(due, _)| *due <= now) else {
                return;
            };
            self.confirming.due_searched.pop_front();
            let is_asked = self.table.flow_mut(id).is_some_and(is_to_be_asked);
            let flow = self.table.flow(id).filter(|_| is_asked);
            let claim = flow.and_then(|flow| claim(flow, self.confirming.packets, None));
            effects.extend(claim.map(|claim| Effect::Confirm(Box::new(claim))));
        }
    }
}

/// Whether to confirm a queued flow now. If packets came since it was queued, they do so.
fn is_to_be_asked(flow: &mut Flow<Owners>) -> bool {
    let (mark, is_over) = (flow.mark(), flow.state().has_ended());
    let Some(confirmation) = flow.data.confirmation.as_deref_mut() else {
        return false;
    };
    confirmation.held.is_queued = false;
    !is_over && !confirmation.is_sure() && confirmation.held.is_newest(&mark)
}
