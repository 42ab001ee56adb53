//! Flows whose owner has changed, until the new owner is known.

use std::time::Duration;

use flowner_attribution::{Ownership, Reason, Verdict};
use flowner_flows::{Counters, Ended, Flow, FlowId, Mark};

use super::{Effect, End, Ledger, Owners, naming};
use crate::engine::traffic_history::{PacketOf, Second};

/// The state of a flow whose owner has changed and whose new owner is unknown.
#[derive(Debug, Clone)]
pub(super) struct Uncertain {
    /// Packets after this time belong to the current holders of the socket.
    pub(super) until: Duration,
    /// The packet time of its newest packet.
    pub(super) last: Duration,
    /// No lookup found a socket: later packets are another flow only if an answer shows a socket.
    pub(super) is_not_found: bool,
}

impl Uncertain {
    /// The state of a flow whose socket, or its holder, has changed.
    pub(super) const fn changed(until: Duration, last: Duration) -> Self {
        Self {
            until,
            last,
            is_not_found: false,
        }
    }

    /// The state of a flow for which no lookup found a socket.
    pub(super) const fn not_found(until: Duration, last: Duration) -> Self {
        Self {
            until,
            last,
            is_not_found: true,
        }
    }
}

/// Call this with an answer about a live flow: if it names no current holder of the socket, later packets
/// belong to another owner.
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

/// The last part of a flow, whose sender is unknown because no lookup confirmed the owners since.
#[derive(Debug)]
pub(super) struct Tail {
    /// The counters before it, and the number of the newest packet then.
    pub(super) sure: Mark,
    pub(super) sure_number: u64,
    /// The packet time of its first packet.
    pub(super) next: Duration,
    /// Its counters by second.
    pub(super) seconds: Vec<Second>,
}

impl Tail {
    /// The newest packet alone, given its number and the packet time of the one before.
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
    /// Cuts a live flow before its last part. The first part ends and keeps its owner; a later answer
    /// about it moves no packet of the rest. Returns the id of the rest, or `None` if nothing came before.
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

    /// Continues a flow whose owners have changed as another flow, from a packet that surely belongs to
    /// the current holders of its socket. If no lookup found a socket, it [looks up](Self::count_anew)
    /// first whether there is one now.
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

/// Whether only the end on this host was looked up, and has no owner. Otherwise the owner of the other
/// end must be found or confirmed as well, with a flow of its own.
fn is_asked_about_anew(owners: &Owners) -> bool {
    let is_named = |end| owners.told(end).is_some_and(|told| told.verdict.is_named());
    let is_remote = owners.remote.is_some() || owners.waiting[End::Remote as usize];
    owners.again.is_some() && !is_remote && !is_named(End::Local)
}

/// Records in a cut flow the flow to which its packets from this number on belong.
pub(super) fn continue_as(ended: &mut [Ended<Owners>], from: u64, rest: FlowId) {
    if let Some(part) = ended.last_mut() {
        part.flow.data.next = Some(Box::new((from, rest)));
    }
}

/// A mark before the newest packet of a flow, with the packet time of the one before.
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
