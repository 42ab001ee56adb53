//! Cuts off the last part of a flow whose owner the ledger had no time to confirm before the flow
//! or the capture ended.

use flowner_attribution::{Ownership, Reason, Source};
use flowner_flows::{Ended, Flow, FlowId};

use super::Confirmation;
use crate::engine::ledger::naming;
use crate::engine::ledger::question::can_be_confirmed;
use crate::engine::ledger::uncertain::{Tail, continue_as};
use crate::engine::ledger::{Effect, Ledger, Owners, credit, waiters, wall_clock};
use crate::model::event::Event;
use crate::model::flow::FlowRecord;
use crate::model::principal::Owner;

impl Ledger {
    /// Cuts an ended flow where its owners were last confirmed, if a later confirmation was due and
    /// there was no time for it. Returns the part until then, if there is any; `ended` keeps the
    /// rest, which has no owner.
    pub(in crate::engine::ledger) fn cut_unanswered(
        &mut self,
        ended: &mut Ended<Owners>,
        effects: &mut Vec<Effect>,
    ) -> Option<Ended<Owners>> {
        let flow = &mut ended.flow;
        let executed = self.confirming.tail_of_another_program(flow);
        let is_executed = executed != [false; 2];
        let is_unsure =
            |it: &mut Box<Confirmation>| (it.is_unanswered || is_executed) && !it.is_held();
        let confirmation = flow.data.confirmation.take_if(is_unsure)?;
        let is_unanswered = confirmation.is_unanswered;
        let tail = confirmation.into_unheld_tail(self.table.now());
        let lost = ends_to_confirm(flow);
        let lost = [0, 1].map(|end| (is_unanswered || executed[end]) && lost[end]);
        let reason = if is_executed {
            Reason::Changed
        } else {
            Reason::Failed
        };
        self.cut_end(ended, tail, (lost, reason), effects)
    }

    /// Call this when the capture has ended and no answer comes any more. It cuts a live flow as
    /// [`cut_unanswered`](Self::cut_unanswered) cuts an ended one.
    pub(in crate::engine::ledger) fn cut_live_unanswered(
        &mut self,
        id: FlowId,
        effects: &mut Vec<Effect>,
    ) {
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        let is_unsure = |it: &mut Box<Confirmation>| it.is_unanswered && !it.is_held();
        let Some(confirmation) = flow.data.confirmation.take_if(is_unsure) else {
            return;
        };
        let lost = ends_to_confirm(flow);
        effects.extend(waiters(flow).map(Effect::End));
        flow.data.waiting = [false; 2];
        let tail = confirmation.into_unheld_tail(self.table.now());
        self.cut_tail((id, tail), (lost, Reason::Failed), None, effects);
    }

    /// Cuts an ended flow before a part whose sender is unknown. Returns the part until then, if
    /// there is any; `ended` keeps the rest, without those owners.
    pub(in crate::engine::ledger) fn cut_end(
        &mut self,
        ended: &mut Ended<Owners>,
        tail: Tail,
        (lost, reason): ([bool; 2], Reason),
        effects: &mut Vec<Effect>,
    ) -> Option<Ended<Owners>> {
        let Tail {
            sure,
            sure_number,
            next,
            seconds,
        } = tail;
        let flow = &mut ended.flow;
        let (id, old_credit) = (flow.id(), flow.data.credit);
        let is_told = flow.data.is_told;
        let mut owners = [flow.data.local.clone(), flow.data.remote.clone()];
        let now = self.table.now();
        let of_rest = naming::of_connection(&ended.flow);
        let part = self.table.cut_ended(ended, &sure, next);
        let mut part = part.map(|part| vec![part]).unwrap_or_default();
        if part.is_empty() {
            // The whole flow is uncertain.
            effects.extend(waiters(&ended.flow).map(Effect::End));
            self.chronicle.settle(id);
        } else {
            self.chronicle.forget(id, &seconds);
            continue_as(&mut part, sure_number + 1, ended.flow.id());
        }
        for (owner, is_lost) in owners.iter_mut().zip(lost) {
            if is_lost {
                let seen_at = wall_clock(now);
                let nobody = Ownership::unknown(reason, seen_at, Source::None);
                *owner = Some(Box::new(Owner::nobody(nobody)));
            }
        }
        let [local, remote] = owners;
        let flow = &mut ended.flow;
        flow.data = Owners {
            local,
            remote,
            is_told: is_told && part.is_empty(),
            naming: if part.is_empty() {
                naming::of_whole(flow)
            } else {
                of_rest
            },
            ..Owners::default()
        };
        flow.data.credit = credit(flow, &mut self.chronicle);
        let credit = flow.data.credit;
        self.chronicle.move_seconds(&seconds, old_credit, credit);
        if self.is_watched && !part.is_empty() {
            let record = FlowRecord::new(flow, now, None);
            effects.push(Effect::Tell(Box::new(Event::FlowOpened(record))));
        }
        part.pop()
    }
}

/// The ends whose owners can be confirmed.
fn ends_to_confirm(flow: &Flow<Owners>) -> [bool; 2] {
    let protocol = flow.protocol();
    let can_be = |owner: &Owner| can_be_confirmed(&owner.ownership, protocol);
    [&flow.data.local, &flow.data.remote].map(|owner| owner.as_deref().is_some_and(can_be))
}
