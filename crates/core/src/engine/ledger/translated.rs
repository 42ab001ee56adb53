//! Flows whose ends this host translates (NAT): where a capture shows their packets on both sides, one flow
//! counts them.
//!
//! An answer says which ends the socket of a flow has. If there is a flow with these ends, it counts
//! the packets of both, and the translated flow ends with what it has counted alone.

use flowner_attribution::{Ownership, Token};
use flowner_flows::{Ended, Flow, FlowId};

use super::{Effect, End, Ledger, Owners, credit, unpack, waiters};
use crate::engine::traffic_history::PacketOf;
use crate::model::principal::Owner;

impl Ledger {
    /// Writes down who owns one end of a flow. Better answers replace worse ones;
    /// all bytes of the flow move with them.
    pub(crate) fn answer(
        &mut self,
        waiter: Token,
        owner: impl Into<Owner>,
        last: bool,
        effects: &mut Vec<Effect>,
    ) {
        let owner = owner.into();
        let translated = self.note_translation(waiter, &owner.ownership);
        self.write_answer(waiter, owner, last, effects);
        if let Some(id) = translated {
            self.join(id, effects);
        }
    }

    /// Notes whether this host translates the ends of a flow, according to an answer that is about
    /// to be written down. Returns the flow if another one may count its packets.
    pub(super) fn note_translation(
        &mut self,
        waiter: Token,
        ownership: &Ownership,
    ) -> Option<FlowId> {
        self.counted_once.as_ref()?;
        let (id, end) = unpack(waiter);
        let original = ownership.evidence.translated_from.as_deref();
        let flow = self.table.flow(id)?;
        let is_about_it = flow.data.waiting[end as usize];
        // Who finds nobody may not know either.
        if !is_about_it || original.is_none() && !ownership.verdict.is_named() {
            return None;
        }
        let original = original.map(|from| (from.local, from.remote));
        // Only the end with a translated socket says so.
        if original.is_none() && self.told_by(id) != Some(end) {
            return None;
        }
        self.table.set_translation(id, end == End::Local, original);
        original.map(|_| id)
    }

    /// Whose end has a translated socket, by the answers so far.
    fn told_by(&self, id: FlowId) -> Option<End> {
        let flow = self.table.flow(id)?;
        [End::Local, End::Remote].into_iter().find(|end| {
            let told = flow.data.told(*end);
            told.is_some_and(|told| told.evidence.translated_from.is_some())
        })
    }

    /// Lets the flow before translation count the packets of a translated one, if it is there.
    pub(super) fn join(&mut self, id: FlowId, effects: &mut Vec<Effect>) {
        let Some(before) = self.table.flow(id).map(|flow| flow.data.credit) else {
            return;
        };
        let mut ended = std::mem::take(&mut self.just_ended);
        let moved = self.table.join(id, &mut ended);
        if let Some(moved) = moved {
            self.chronicle
                .take_away(id, before, [moved.sent, moved.received]);
        }
        for Ended { flow, .. } in &mut ended {
            // What it has left was counted before anything could change.
            flow.data.again = None;
            flow.data.confirmation = None;
            flow.data.recorded = None;
            flow.data.uncertain = None;
            // The thread that writes down answers tells nobody that they are not needed any more.
            self.to_end.extend(waiters(flow));
        }
        self.retire(&mut ended, effects);
        self.just_ended = ended;
    }

    /// The same, of a flow that has counted a packet.
    pub(super) fn join_if_translated(&mut self, id: FlowId, effects: &mut Vec<Effect>) {
        if self.table.flow(id).is_some_and(Flow::is_translated) {
            self.join(id, effects);
        }
    }

    /// Of a new flow: lets it count the packets of the flow with its ends after translation.
    pub(super) fn join_translated(&mut self, original: FlowId, effects: &mut Vec<Effect>) {
        if let Some(id) = self.table.translated_flow(original) {
            self.join(id, effects);
        }
    }

    /// Credits packets that a flow counts after all, while these have ended.
    pub(super) fn credit_kept(&mut self, ended: &mut [Ended<Owners>]) {
        for kept in self.table.take_kept() {
            let is_it = |ended: &&mut Ended<Owners>| ended.flow.id() == kept.id;
            let (flow, is_over): (&mut Flow<Owners>, bool) =
                if let Some(ended) = ended.iter_mut().find(is_it) {
                    (&mut ended.flow, true)
                } else if let Some(flow) = self.table.flow_mut(kept.id) {
                    (flow, false)
                } else {
                    continue;
                };
            flow.data.credit = credit(flow, &mut self.chronicle);
            let packets = PacketOf {
                time: kept.at,
                is_local: kept.is_local,
                counters: kept.counters,
            };
            // Of a flow that opens with them, nobody was asked yet.
            self.chronicle
                .count(kept.id, flow.data.credit, is_over, packets);
        }
    }
}
