//! Flows that belong to nobody, as their owners have changed, until it is known to whom.

use std::time::Duration;

use flowner_flows::{Counters, Ended, FlowId, Mark};

use super::{Effect, Ledger, Owners};
use crate::engine::traffic_history::{PacketOf, Second};

/// What is known of a flow that belongs to nobody, as its owners have changed.
#[derive(Debug, Clone)]
pub(super) struct Uncertain {
    /// What was sent after that is of those who have its socket now.
    pub(super) until: Duration,
    /// Packet time of its newest packet.
    pub(super) last: Duration,
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
        let rest = self.table.cut(id, &tail.sure, tail.next, ended);
        if let Some(rest) = rest {
            self.chronicle.forget(id, &tail.seconds);
            continue_as(ended, tail.sure_number + 1, rest);
        } else {
            self.chronicle.settle(id);
        }
        rest
    }

    /// Lets a flow whose owners have changed go on as another one with a packet that was counted
    /// for it, if that is surely of those who have its socket now.
    pub(super) fn resume(&mut self, id: FlowId, newest: PacketOf, effects: &mut Vec<Effect>) {
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        let Some(uncertain) = flow.data.uncertain.as_deref_mut() else {
            return;
        };
        if newest.time <= uncertain.until {
            uncertain.last = uncertain.last.max(newest.time);
            return;
        }
        let last = uncertain.last;
        let tail = Tail::of_newest(flow.mark(), newest, last, self.confirming.packets);
        let old_credit = flow.data.credit;
        let mut ended = std::mem::take(&mut self.just_ended);
        let mut rest = id;
        if let Some(cut) = self.cut_live(id, &tail, &mut ended) {
            rest = cut;
        } else if let Some(flow) = self.table.flow_mut(id) {
            flow.data = Owners::default();
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
