//! Packets that are recorded with their owners, and owners that a recording tells.

use flowner_attribution::{Ownership, Reason, Source};
use flowner_flows::{EndReason, Flow};

use super::question::is_unproven;
use super::{Ledger, Owners, credit};
use crate::model::flow::FlowRecord;
use crate::model::packet_ref::{PacketEnd, PacketRef, ResolvedOwner};
use crate::model::principal::Owner;
use crate::model::selection::Selection;

impl Ledger {
    /// What is known of the flow of a packet, and whether it is wanted; `None` where
    /// it is not listed any more.
    pub(crate) fn known(&self, of: PacketRef, wanted: &Selection) -> Option<ResolvedOwner> {
        let (flow, ended) = self.flow_with(of)?;
        let Owners { local, remote, .. } = &flow.data;
        let is_from_local = of.from_initiator == (flow.local() == flow.initiator());
        let ends = if is_from_local {
            [local, remote]
        } else {
            [remote, local]
        };
        let record = || FlowRecord::new(flow, self.table.now(), ended);
        let again = flow.data.again.as_deref();
        let is_in_tail = again.is_some_and(|it| it.is_in_tail(of.number, flow.protocol()));
        let owner_of = |owner: Owner| {
            // Whoever waits for a proof no longer gets no name.
            if is_in_tail && is_unproven(&owner.ownership) {
                let seen_at = owner.ownership.evidence.observed_at;
                Owner::nobody(Ownership::unknown(Reason::Failed, seen_at, Source::None))
            } else {
                owner
            }
        };
        Some(ResolvedOwner {
            owners: ends.map(|owner| owner.as_deref().cloned().map(owner_of)),
            is_settled: !flow.data.is_waiting()
                && (ended.is_some() || flow.data.is_confirmed(of.number)),
            is_wanted: wanted.is_everything() || wanted.matches(&record()),
        })
    }

    /// The flow of a packet, and why it is over.
    pub(super) fn flow_with(&self, of: PacketRef) -> Option<(&Flow<Owners>, Option<EndReason>)> {
        let (mut flow, mut ended) = self.listed(of.flow)?;
        // What came after a flow was cut off is in the next one.
        while let Some((from, next)) = flow.data.next.as_deref()
            && of.number >= *from
        {
            (flow, ended) = self.listed(*next)?;
        }
        Some((flow, ended))
    }

    /// Writes down who owned one end of a packet when it was recorded. Better answers replace
    /// worse ones.
    pub(crate) fn recorded(&mut self, of: PacketRef, end: PacketEnd, owner: Owner) {
        let Some(flow) = self.table.flow_mut(of.flow) else {
            return;
        };
        let is_source = end == PacketEnd::Source;
        let from_local = of.from_initiator == (flow.local() == flow.initiator());
        let place = if is_source == from_local {
            &mut flow.data.local
        } else {
            &mut flow.data.remote
        };
        let improved = place
            .as_ref()
            .is_none_or(|old| owner.ownership.is_better_than(&old.ownership));
        if improved {
            *place = Some(Box::new(owner));
            let credit = credit(flow, &mut self.chronicle);
            let before = std::mem::replace(&mut flow.data.credit, credit);
            if credit != before {
                self.chronicle.move_credit(of.flow, before, credit);
            }
        }
    }
}
