//! Flows that belong to nobody, as their owners have changed, until it is known to whom.

use std::time::Duration;

use flowner_attribution::{Ownership, Reason, Verdict};
use flowner_flows::{Counters, Ended, Flow, FlowId, Mark};

use super::{Effect, End, Ledger, Owners, naming};
use crate::engine::traffic_history::{PacketOf, Second};

/// What is known of a flow that belongs to nobody, as its owners have changed.
#[derive(Debug, Clone)]
pub(super) struct Uncertain {
    /// What was sent after that is of those who have its socket now.
    pub(super) until: Duration,
    /// Packet time of its newest packet.
    pub(super) last: Duration,
    /// No socket was found: what is sent after that is another flow only if an answer shows one.
    pub(super) is_not_found: bool,
}

impl Uncertain {
    /// Of a flow whose socket, or who holds it, has changed.
    pub(super) const fn changed(until: Duration, last: Duration) -> Self {
        Self {
            until,
            last,
            is_not_found: false,
        }
    }

    /// Of a flow of which no socket was found.
    pub(super) const fn not_found(until: Duration, last: Duration) -> Self {
        Self {
            until,
            last,
            is_not_found: true,
        }
    }
}

/// To be called with an answer about a live flow: if it names nobody who has the socket by now, what comes
/// later is another's.
pub(super) fn take_answer(
    flow: &mut Flow<Owners>,
    ownership: &Ownership,
    is_to_be_found_again: bool,
    now: Duration,
) {
    if is_to_be_found_again {
        let not_found = Uncertain::not_found(now, flow.last_seen());
        flow.data.uncertain = Some(Box::new(not_found));
    }
    let is_changed = ownership.verdict == Verdict::Unknown(Reason::Changed);
    if is_changed && flow.data.uncertain.is_none() {
        flow.data.uncertain = Some(Box::new(Uncertain::changed(now, flow.last_seen())));
        flow.data.confirmation = None;
    }
}

/// The last part of a flow, if its owners were not confirmed since, so that its sender is unknown.
#[derive(Debug)]
pub(super) struct Tail {
    /// What had been counted before it, and the number of the newest packet then.
    pub(super) sure: Mark,
    pub(super) sure_number: u64,
    /// Packet time of its first packet.
    pub(super) next: Duration,
    /// What it is, by second.
    pub(super) seconds: Vec<Second>,
}

impl Tail {
    /// The newest packet alone, the number of which is given, with the packet time of the one
    /// before.
    pub(super) fn of_newest(mark: Mark, newest: PacketOf, before: Duration, number: u64) -> Self {
        Self {
            sure: without(mark, newest, before),
            sure_number: number - 1,
            next: newest.time,
            seconds: vec![Second::of(newest)],
        }
    }
}

impl Ledger {
    /// Cuts a live flow before its last part. What came until then is over, and keeps to whom it was
    /// credited; a later answer about it moves no packet of the rest. The id of the rest, or `None`
    /// where nothing came before.
    pub(super) fn cut_live(
        &mut self,
        id: FlowId,
        tail: &Tail,
        ended: &mut Vec<Ended<Owners>>,
    ) -> Option<FlowId> {
        let naming = self.table.flow(id).map(naming::of_connection);
        let rest = self.table.cut(id, &tail.sure, tail.next, ended);
        if let Some(flow) = self.table.flow_mut(rest.unwrap_or(id)) {
            flow.data.naming = match rest {
                Some(_) => naming.unwrap_or_default(),
                None => naming::of_whole(flow),
            };
        }
        if let Some(rest) = rest {
            self.chronicle.forget(id, &tail.seconds);
            continue_as(ended, tail.sure_number + 1, rest);
        } else {
            self.chronicle.settle(id);
        }
        rest
    }

    /// Lets a flow whose owners have changed go on as another one with a packet that was counted
    /// for it, if that is surely of those who have its socket now. If no socket was found, it is first
    /// [asked](Self::count_anew) whether there is one now.
    pub(super) fn resume(&mut self, id: FlowId, newest: PacketOf, effects: &mut Vec<Effect>) {
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        let Some(uncertain) = flow.data.uncertain.as_deref_mut() else {
            return;
        };
        let (until, last) = (uncertain.until, uncertain.last);
        uncertain.last = last.max(newest.time);
        if uncertain.is_not_found && is_asked_about_anew(&flow.data) {
            self.count_anew(id, newest, until, effects);
            return;
        }
        if newest.time <= until {
            return;
        }
        let tail = Tail::of_newest(flow.mark(), newest, last, self.confirming.packets);
        let old_credit = flow.data.credit;
        let mut ended = std::mem::take(&mut self.just_ended);
        let mut rest = id;
        if let Some(cut) = self.cut_live(id, &tail, &mut ended) {
            rest = cut;
        } else if let Some(flow) = self.table.flow_mut(id) {
            flow.data = Owners {
                naming: std::mem::take(&mut flow.data.naming),
                ..Owners::default()
            };
        }
        self.retire(&mut ended, effects);
        self.just_ended = ended;
        self.opened(rest, effects);
        let flow = self.table.flow(rest);
        let credit = flow.map_or(old_credit, |flow| flow.data.credit);
        self.chronicle
            .move_seconds(&tail.seconds, old_credit, credit);
        self.chronicle.remember(rest, newest);
    }
}

/// Whether only the end of this host was asked about, and nobody was named: else the owner of the
/// other end is to be found or confirmed as well, with a flow of its own.
fn is_asked_about_anew(owners: &Owners) -> bool {
    let is_named = |end| owners.told(end).is_some_and(|told| told.verdict.is_named());
    let is_remote = owners.remote.is_some() || owners.waiting[End::Remote as usize];
    owners.again.is_some() && !is_remote && !is_named(End::Local)
}

/// Tells a flow that was cut off where its packets from that number on belong.
pub(super) fn continue_as(ended: &mut [Ended<Owners>], from: u64, rest: FlowId) {
    if let Some(part) = ended.last_mut() {
        part.flow.data.next = Some(Box::new((from, rest)));
    }
}

/// A mark before its newest packet, with the packet time of the one before.
pub(super) fn without(mark: Mark, newest: PacketOf, before: Duration) -> Mark {
    let minus = |counters: Counters, is_its: bool| {
        if is_its {
            counters.saturating_sub(newest.counters)
        } else {
            counters
        }
    };
    Mark {
        sent: minus(mark.sent, newest.is_local),
        received: minus(mark.received, !newest.is_local),
        last_seen: before,
    }
}
