//! New lookups for flows with packets but without a found socket.
//!
//! An answer without a socket is no reason to cut the flow, because later packets may have no owner
//! either. So a new lookup starts as if the next packet had opened the flow, and the ledger cuts the flow
//! before that packet when an answer shows an open socket.

use std::collections::VecDeque;
use std::time::{Duration, UNIX_EPOCH};

use flowner_attribution::{LookupRequest, Ownership, Reason, Token};
use flowner_flows::{Flow, FlowId, Mark};

use super::{Again, MAX_SLICES, Slice};
use crate::engine::ledger::question::{opened_by, socket_protocol};
use crate::engine::ledger::uncertain::{Tail, without};
use crate::engine::ledger::{Effect, End, Ledger, Owners, credit, pack, query_of, wall_clock};
use crate::engine::traffic_history::PacketOf;
use crate::model::event::Event;
use crate::model::flow::FlowRecord;

impl Again {
    /// Counts from this packet on; the packet becomes a slice of its own.
    fn begin_anew(&mut self, newest: PacketOf, before: Mark, number: u64) {
        self.unsure.clear();
        (self.sure, self.sure_number) = (before, number - 1);
        self.answered_at = newest.time;
        self.anew = Some(newest.time);
        self.count(newest, before, number);
    }

    /// The counters since the new lookup, as those of the future flow: the packet that started the lookup
    /// is certain, the others are not yet.
    fn take_anew(&mut self) -> Option<(Tail, VecDeque<Slice>)> {
        let first = self.unsure.front()?;
        let (before, next) = (first.before, first.from);
        let tail = Tail {
            sure: before,
            sure_number: first.number,
            next,
            seconds: self.unsure.iter().map(|slice| slice.counted).collect(),
        };
        let mut rest = std::mem::take(&mut self.unsure);
        for slice in &mut rest {
            slice.before = less(slice.before, before);
        }
        rest.pop_front();
        Some((tail, rest))
    }

    /// The state of the flow that continues, whose owner is not known yet.
    fn of_rest(flow: &Flow<Owners>, number: u64, unsure: VecDeque<Slice>) -> Box<Self> {
        let mut again = Self::opened(flow, number);
        if let Some(next) = unsure.front() {
            (again.sure, again.sure_number) = (next.before, next.number);
        }
        again.unsure = unsure;
        again
    }
}

impl Ledger {
    /// Counts a packet for a flow for which no lookup before a given time found a socket, and starts a
    /// lookup if none was started since.
    pub(in crate::engine::ledger) fn count_anew(
        &mut self,
        id: FlowId,
        newest: PacketOf,
        until: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let number = self.confirming.packets;
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        let (mark, protocol) = (flow.mark(), socket_protocol(flow));
        let Some(again) = flow.data.again.as_deref_mut() else {
            return;
        };
        let before = without(mark, newest, again.last);
        let has_room = again.unsure.len() < MAX_SLICES;
        let is_asked = again.anew.is_some_and(|at| at > until) && has_room;
        if is_asked || newest.time <= until {
            again.count(newest, before, number);
            return;
        }
        again.begin_anew(newest, before, number);
        flow.data.waiting[End::Local as usize] = true;
        let query = query_of(flow, protocol, End::Local);
        let initiator = opened_by(flow, End::Local);
        let request = LookupRequest::new(query, wall_clock(newest.time), initiator);
        effects.push(Effect::Ask(pack(id, End::Local), request));
    }

    /// Takes an answer that may be to such a lookup. If it shows an open socket, the packets since the
    /// lookup become another flow. Returns the flow that the answer is about, or `None` if there is none
    /// any more.
    pub(in crate::engine::ledger) fn answered_anew(
        &mut self,
        waiter: Token,
        (id, end): (FlowId, End),
        ownership: &Ownership,
        last: bool,
        effects: &mut Vec<Effect>,
    ) -> Option<FlowId> {
        let (number, now) = (self.confirming.packets, self.table.now());
        let Some(flow) = self.table.flow_mut(id) else {
            return Some(id);
        };
        let uncertain = flow.data.uncertain.as_deref_mut();
        let asked_at = flow.data.again.as_ref().and_then(|again| again.anew);
        let Some((uncertain, asked_at)) = uncertain.filter(|it| it.is_not_found).zip(asked_at)
        else {
            return Some(id);
        };
        let reason = ownership.verdict.reason();
        let is_none = |reason: Reason| reason.is_of_no_open_socket() || reason == Reason::Failed;
        if reason.is_some_and(is_none) {
            uncertain.until = now;
            return Some(id);
        }
        let observed = ownership.evidence.observed_at.duration_since(UNIX_EPOCH);
        // The answer is to an earlier lookup, and not about the packets since then.
        if end != End::Local || observed.is_ok_and(|observed| observed < asked_at) {
            return None;
        }
        let (tail, unsure) = flow.data.again.as_deref_mut()?.take_anew()?;
        if !last {
            self.to_end.push(waiter);
        }
        // No answer to this lookup is about earlier packets.
        flow.data.waiting = [false; 2];
        let old_credit = flow.data.credit;
        let mut ended = std::mem::take(&mut self.just_ended);
        let rest = self.cut_live(id, &tail, &mut ended).unwrap_or(id);
        if let Some(flow) = self.table.flow_mut(rest) {
            flow.data = Owners::default();
            flow.data.again = Some(Again::of_rest(flow, number, unsure));
            flow.data.waiting[End::Local as usize] = true;
            let credit = credit(flow, &mut self.chronicle);
            flow.data.credit = credit;
            self.chronicle
                .move_seconds(&tail.seconds, old_credit, credit);
            self.chronicle.take_over(rest, &tail.seconds);
            if self.is_watched && rest != id {
                let record = FlowRecord::new(flow, now, None);
                effects.push(Effect::Tell(Box::new(Event::FlowOpened(record))));
            }
        }
        self.retire(&mut ended, effects);
        self.just_ended = ended;
        Some(rest)
    }
}

/// A mark of a flow as a mark of the flow that continues it.
fn less(mark: Mark, earlier: Mark) -> Mark {
    Mark {
        sent: mark.sent.saturating_sub(earlier.sent),
        received: mark.received.saturating_sub(earlier.received),
        last_seen: mark.last_seen,
    }
}
