//! The last part of a flow, since the last answer that named its owners.

use flowner_attribution::Reason;
use flowner_flows::{Ended, Flow, Protocol};

use super::{Again, Slice};
use crate::engine::ledger::question::unproven_ends;
use crate::engine::ledger::uncertain::Tail;
use crate::engine::ledger::{Effect, Ledger, Owners, waiters};

impl Again {
    /// The first slice that another process may have sent since the last answer: all datagrams, and the
    /// data of a connection after the answer. (The kernel sends the segments without data that end a
    /// connection.)
    fn tail_at(&self, protocol: Protocol) -> Option<usize> {
        if !self.is_named || self.unsure.is_empty() {
            return None;
        }
        let is_late = |slice: &Slice| slice.from > self.answered_at && slice.counted.has_data();
        match protocol {
            Protocol::TCP => self.unsure.iter().position(is_late),
            _ => Some(0),
        }
    }

    /// Whether another process may have sent the packet with this number since the last answer.
    pub(in crate::engine::ledger) fn is_in_tail(&self, number: u64, protocol: Protocol) -> bool {
        let first = self.tail_at(protocol).and_then(|at| self.unsure.get(at));
        first.is_some_and(|first| number > first.number)
    }

    /// Removes the slices that another process may have sent since the last answer, and returns them.
    fn take_tail(&mut self, protocol: Protocol) -> Option<Tail> {
        let tail = self.unsure.split_off(self.tail_at(protocol)?);
        let Slice {
            from,
            before,
            number,
            ..
        } = *tail.front()?;
        Some(Tail {
            sure: before,
            sure_number: number,
            next: from,
            seconds: tail.iter().map(|slice| slice.counted).collect(),
        })
    }
}

impl Ledger {
    /// Cuts an ended flow where its owners were last confirmed or named, if another process may have sent
    /// the rest. Returns the parts until then; `ended` keeps the rest.
    pub(in crate::engine::ledger) fn cut_sure_parts(
        &mut self,
        ended: &mut Ended<Owners>,
        effects: &mut Vec<Effect>,
    ) -> impl Iterator<Item = Ended<Owners>> + use<> {
        let unanswered = self.cut_unanswered(ended, effects);
        let unconfirmed = self.cut_unconfirmed(ended, effects);
        [unanswered, unconfirmed].into_iter().flatten()
    }

    /// Cuts an ended flow where its owners were last named, if the table does not show whether another
    /// process sent the rest. Returns the part until then; `ended` keeps the rest, which names no process.
    fn cut_unconfirmed(
        &mut self,
        ended: &mut Ended<Owners>,
        effects: &mut Vec<Effect>,
    ) -> Option<Ended<Owners>> {
        let flow = &mut ended.flow;
        let lost = unproven_ends(flow);
        if lost == [false; 2] {
            return None;
        }
        let protocol = flow.protocol();
        let tail = flow.data.again.as_deref_mut()?.take_tail(protocol)?;
        flow.data.again = None;
        effects.extend(waiters(flow).map(Effect::End));
        flow.data.waiting = [false; 2];
        self.chronicle.settle(flow.id());
        self.cut_end(ended, tail, (lost, Reason::Failed), effects)
    }

    /// Cuts live flows as [`cut_unconfirmed`](Self::cut_unconfirmed) and
    /// [`cut_unanswered`](Self::cut_unanswered) cut ended ones. Call this when the capture has ended and
    /// no answer comes any more. It visits all flows.
    pub(crate) fn end_unconfirmed(&mut self, effects: &mut Vec<Effect>) {
        let is_of_another =
            |flow: &Flow<Owners>| self.confirming.tail_of_another_program(flow) != [false; 2];
        let is_unanswered = |flow: &Flow<Owners>| {
            let confirmation = flow.data.confirmation.as_deref();
            confirmation.is_some_and(|it| it.is_unanswered)
        };
        let may_have_tail = |flow: &&Flow<Owners>| {
            flow.data.again.is_some() || is_unanswered(flow) || is_of_another(flow)
        };
        let all: Vec<_> = self
            .table
            .iter()
            .filter(may_have_tail)
            .map(Flow::id)
            .collect();
        for id in all {
            self.cut_tail_of_another_program(id, effects);
            self.cut_live_unanswered(id, effects);
            let Some(flow) = self.table.flow_mut(id) else {
                continue;
            };
            let (protocol, lost) = (flow.protocol(), unproven_ends(flow));
            if lost == [false; 2] {
                continue;
            }
            let again = flow.data.again.as_deref_mut();
            if let Some(tail) = again.and_then(|again| again.take_tail(protocol)) {
                flow.data.again = None;
                flow.data.waiting = [false; 2];
                self.chronicle.settle(id);
                self.cut_tail((id, tail), (lost, Reason::Failed), None, effects);
            }
        }
    }
}
