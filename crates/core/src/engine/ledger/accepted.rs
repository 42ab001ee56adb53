//! Learns from connections whether the processes that accept them keep them, and withdraws owners that
//! passed a connection on; see [`acceptors`](super::acceptors).

use std::time::Duration;

use flowner_attribution::{Match, Ownership, Process, Reason, Source, Verdict};
use flowner_flows::{Flow, Mark, Packet};

use super::acceptors::{accepting_end, address_of};
use super::confirm::Confirming;
use super::{End, Ledger, Owners, credit};
use crate::engine::traffic_history::TrafficHistory;
use crate::model::principal::Principal;

/// How many packets of one connection cause a check of whether it was passed on.
const MAX_ANSWERS: u8 = 4;

impl Confirming {
    /// Whether a packet carries data from the end that accepted the connection, and a lookup should show
    /// which process has it now.
    pub(super) fn is_answer_in_doubt(
        &self,
        flow: &Flow<Owners>,
        is_local: bool,
        packet: &Packet,
    ) -> bool {
        let Some(end) = accepting_end(flow).filter(|end| is_local == (*end == End::Local)) else {
            return false;
        };
        let owner = [&flow.data.local, &flow.data.remote][end as usize].as_deref();
        let is_seen = owner.is_some_and(|it| it.ownership.verdict.is_named());
        let confirmation = flow.data.confirmation.as_deref();
        let is_new = confirmation.is_some_and(|it| it.answers < MAX_ANSWERS);
        is_seen
            && is_new
            && self
                .acceptors
                .are_in_doubt(address_of(flow, end), packet.time)
    }

    /// Learns from a connection that the named processes do not have it any more.
    pub(super) fn learn_of_change(&mut self, flow: &Flow<Owners>, end: End, now: Duration) {
        let owner = [&flow.data.local, &flow.data.remote][end as usize].as_deref();
        let named = owner.map_or(&[][..], |owner| owner.ownership.verdict.processes());
        let named = named.iter().map(AsRef::as_ref);
        self.acceptors.passed_on(address_of(flow, end), named, now);
    }

    /// Learns from a connection that the named processes still had it after a mark.
    pub(super) fn learn_of_confirmation(&mut self, flow: &mut Flow<Owners>, mark: &Mark) {
        let Some(end) = accepting_end(flow) else {
            return;
        };
        let has_answered = match end {
            End::Local => mark.sent.payload_bytes > 0,
            End::Remote => mark.received.payload_bytes > 0,
        };
        let address = address_of(flow, end);
        if let Some(confirmation) = flow.data.confirmation.as_deref_mut()
            && has_answered
            && !std::mem::replace(&mut confirmation.is_kept, true)
        {
            self.acceptors.kept(address);
        }
    }

    /// Learns from a connection of which no lookup showed which process has it.
    pub(super) fn learn_of_nothing(&mut self, flow: &Flow<Owners>) {
        if let Some(end) = accepting_end(flow) {
            self.acceptors.unclear(address_of(flow, end));
        }
    }

    /// Learns from an answer that names other processes than an earlier one.
    pub(super) fn learn_of_answer(
        &mut self,
        flow: &Flow<Owners>,
        end: End,
        (old, new): (&Ownership, &Ownership),
        now: Duration,
    ) {
        if accepting_end(flow) != Some(end) || new.evidence.matched != Some(Match::FiveTuple) {
            return;
        }
        let (old, new) = (old.verdict.processes(), new.verdict.processes());
        let is_old = |process: &Process| old.iter().any(|old| old.id() == process.id());
        if new.iter().all(|process| is_old(process)) {
            return;
        }
        let old = old.iter().map(AsRef::as_ref);
        self.acceptors.passed_on(address_of(flow, end), old, now);
    }

    /// Withdraws the owner of the end that accepted a connection, if that process passes connections on
    /// and nothing shows that it kept this one.
    pub(super) fn take_back(
        &self,
        flow: &Flow<Owners>,
        end: End,
        ownership: &mut Ownership,
        principal: &mut Principal,
        now: Duration,
    ) {
        let named = ownership.verdict.processes();
        if named.is_empty() || accepting_end(flow) != Some(end) {
            return;
        }
        let address = address_of(flow, end);
        let is_passer = |process: &Process| self.acceptors.is_passer(address, process, now);
        if named.iter().all(|process| is_passer(process)) {
            let seen_at = ownership.evidence.observed_at;
            *ownership = Ownership::unknown(Reason::Changed, seen_at, Source::None);
            *principal = Principal::Unattributed;
        }
    }
}

/// Whether a later lookup may show that the named processes of an end passed the connection on.
pub(super) fn may_be_taken_back(flow: &Flow<Owners>) -> bool {
    let is_kept = flow.data.confirmation.as_deref().map(|it| it.is_kept);
    is_kept.map_or(flow.data.is_unconfirmed, |is_kept| !is_kept)
        && accepting_end(flow).is_some_and(|end| flow.data.told(end).is_some())
}

/// As [`take_back`](Confirming::take_back), for a recorded answer, when the connection has ended.
pub(super) fn take_back(
    flow: &mut Flow<Owners>,
    confirming: &mut Confirming,
    chronicle: &mut TrafficHistory,
    now: Duration,
) {
    if let Some(confirmation) = flow.data.confirmation.as_deref() {
        flow.data.is_unconfirmed = !confirmation.is_kept;
    }
    let Some(end) = accepting_end(flow).filter(|_| flow.data.is_unconfirmed) else {
        return;
    };
    let Some(mut owner) = flow.data.of(end).take() else {
        return;
    };
    confirming.take_back(flow, end, &mut owner.ownership, &mut owner.principal, now);
    let is_taken = matches!(owner.ownership.verdict, Verdict::Unknown(_));
    *flow.data.of(end) = Some(owner);
    if is_taken {
        let credit = credit(flow, chronicle);
        let before = std::mem::replace(&mut flow.data.credit, credit);
        chronicle.move_credit(flow.id(), before, credit);
    } else {
        let address = address_of(flow, end);
        confirming.acceptors.was_unconfirmed(address, flow.id());
    }
}

impl Ledger {
    /// Withdraws the owners of ended connections whose ends turned out later to pass connections on.
    pub(super) fn take_back_earlier(&mut self) {
        if self.confirming.acceptors.doubted.is_empty() {
            return;
        }
        let now = self.table.now();
        for id in std::mem::take(&mut self.confirming.acceptors.doubted) {
            let flow = match self.table.flow_mut(id) {
                Some(live) => Some(live),
                None => self.ended.get_mut(id).map(|(ended, _)| ended),
            };
            if let Some(flow) = flow {
                take_back(flow, &mut self.confirming, &mut self.chronicle, now);
            }
        }
    }
}
