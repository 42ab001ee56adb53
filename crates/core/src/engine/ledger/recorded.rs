//! Recording packets with their owners, and reading the owners of a recording.

use std::sync::Arc;
use std::time::Duration;

use flowner_attribution::{Ownership, Process, Reason, Source, Verdict};
use flowner_flows::{Direction, EndReason, Flow, FlowId, Mark, Packet, Protocol};

use super::confirm::count_by_second;
use super::question::{can_be_confirmed, is_unproven};
use super::uncertain::Tail;
use super::{Effect, End, Ledger, Owners, credit, naming};
use crate::engine::traffic_history::{Credit, PacketOf, Second};
use crate::model::community_id::Tuple;
use crate::model::event::Event;
use crate::model::flow::FlowRecord;
use crate::model::packet_ref::{PacketEnd, PacketRef, ResolvedOwner};
use crate::model::principal::Owner;
use crate::model::selection::Selection;

/// The state of a flow whose owners come from a recording.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    /// The counters and the number of the last packet for which the recording has all owners.
    sure: Mark,
    sure_number: u64,
    /// The packet time of the first packet since then, and the counters since then by second.
    unsure_since: Option<Duration>,
    unsure: Vec<Second>,
}

impl Recorded {
    /// The state right after a packet whose owners the recording has, with the counters of the flow.
    const fn new(sure: Mark, sure_number: u64) -> Self {
        Self {
            sure,
            sure_number,
            unsure_since: None,
            unsure: Vec::new(),
        }
    }

    /// Counts a packet of a flow that has owners from a recording.
    pub(super) fn count(flow: &mut Flow<Owners>, packet: PacketOf) {
        if let Some(it) = flow.data.recorded.as_deref_mut() {
            it.unsure_since.get_or_insert(packet.time);
            count_by_second(&mut it.unsure, packet);
        }
    }
}

impl Ledger {
    /// The owners of the flow of a packet, and whether the flow passes the filter; `None` if the flow is
    /// not listed any more.
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
        let confirmation = flow.data.confirmation.as_deref();
        let is_unanswered = confirmation.is_some_and(|it| it.is_unanswered_at(of.number));
        let protocol = flow.protocol();
        let owner_of = |owner: Owner| {
            // A packet that waits for a proof no longer gets no owner. The same holds if there was no
            // time for a confirmation that was due: the process may have exited before.
            let is_unproven = (is_in_tail && is_unproven(&owner.ownership))
                || (is_unanswered && can_be_confirmed(&owner.ownership, protocol));
            if is_unproven {
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
            community: community(flow),
            name: naming::of_address(flow),
        })
    }

    /// The flow of a packet, and why it ended.
    pub(super) fn flow_with(&self, of: PacketRef) -> Option<(&Flow<Owners>, Option<EndReason>)> {
        let (mut flow, mut ended) = self.listed(of.flow)?;
        // Packets after a cut are in the next flow.
        while let Some((from, next)) = flow.data.next.as_deref()
            && of.number >= *from
        {
            (flow, ended) = self.listed(*next)?;
        }
        Some((flow, ended))
    }

    /// The end of the newest packet that is on the capturing host; `None` if both may be there, or
    /// neither is. If the addresses of that host are unknown, the initiator counts as that end, as in
    /// [`Flow::local`].
    pub(crate) fn end_on_host(&self, of: PacketRef) -> Option<PacketEnd> {
        let flow = self.table.flow(of.flow)?;
        match flow.direction() {
            Direction::Loopback
            | Direction::Forwarded
            | Direction::Spoofed
            | Direction::Overheard => None,
            Direction::Outgoing
            | Direction::Incoming
            | Direction::Multicast
            | Direction::Broadcast
            | Direction::Unknown => Some(if flow.is_from_local(of.from_initiator) {
                PacketEnd::Source
            } else {
                PacketEnd::Destination
            }),
        }
    }

    /// Records the owners of a packet's source and destination from a recording, as far as it has them.
    /// `of` and `packet`: the newest one.
    ///
    /// A better description of the same owner replaces a worse one for the whole flow. If the recording
    /// has another owner than before, or an unknown one from here on, this cuts the flow before this
    /// packet, as the capture did when the owner changed. Packets between the two without an owner in
    /// the recording belong to neither. Datagrams before the first recorded owner have none either;
    /// all segments of a connection are of one socket.
    pub(crate) fn recorded(
        &mut self,
        of: PacketRef,
        packet: &Packet,
        owners: [Option<Owner>; 2],
        effects: &mut Vec<Effect>,
    ) {
        if owners.iter().all(Option::is_none) {
            return;
        }
        let Some(flow) = self.table.flow_mut(of.flow) else {
            return;
        };
        let is_from_local = flow.is_from_local(of.from_initiator);
        let newest = PacketOf::new(packet, is_from_local);
        let mut new = owners;
        if !is_from_local {
            new.reverse();
        }
        let old = [flow.data.local.as_deref(), flow.data.remote.as_deref()];
        let is_another = |(new, old): (&Option<Owner>, Option<&Owner>)| {
            let both = new.as_ref().zip(old);
            both.is_some_and(|(new, old)| !is_same_owner(&new.ownership, &old.ownership))
        };
        let another: Vec<bool> = new.iter().zip(old).map(is_another).collect();
        if another.contains(&true) {
            let id = self.cut_unsure(of, &another, effects);
            let of = PacketRef { flow: id, ..of };
            self.cut_recorded(of, newest, new, effects);
            return;
        }
        // The earlier owner of the port is unknown. A connection has one socket.
        if flow.data.recorded.is_none() && flow.protocol() != Protocol::TCP {
            self.cut_recorded(of, newest, new, effects);
            return;
        }
        let is_told_of_all = [End::Local, End::Remote]
            .iter()
            .zip(&new)
            .all(|(end, new)| new.is_some() || flow.data.told(*end).is_none());
        let mut has_improved = false;
        for (end, new) in [End::Local, End::Remote].into_iter().zip(new) {
            let Some(new) = new else {
                continue;
            };
            let old = flow.data.told(end);
            if old.is_none_or(|old| new.ownership.is_better_than(old)) {
                *flow.data.of(end) = Some(Box::new(new));
                has_improved = true;
            }
        }
        if is_told_of_all || flow.data.recorded.is_none() {
            let recorded = Recorded::new(flow.mark(), of.number);
            flow.data.recorded = Some(Box::new(recorded));
        }
        if has_improved {
            let credit = credit(flow, &mut self.chronicle);
            let before = std::mem::replace(&mut flow.data.credit, credit);
            if credit != before {
                self.chronicle.move_credit(of.flow, before, credit);
            }
        }
    }

    /// Cuts off the packets between two recorded owners as a flow without an owner, because they may
    /// belong to either: the packets after the last one with owners, up to the newest one, which becomes
    /// a flow as well. Returns the flow that continues.
    fn cut_unsure(&mut self, of: PacketRef, another: &[bool], effects: &mut Vec<Effect>) -> FlowId {
        let now = self.table.now();
        let Some(flow) = self.table.flow_mut(of.flow) else {
            return of.flow;
        };
        let is_known = |end: &End| {
            flow.data
                .told(*end)
                .is_some_and(|told| told.verdict.reason().is_none())
        };
        let ends = [End::Local, End::Remote].iter().zip(another);
        let mut changed = ends.filter(|(_, is_another)| **is_another);
        // A flow without an owner stays without one.
        if !changed.any(|(end, _)| is_known(end)) {
            return of.flow;
        }
        let Some(recorded) = flow.data.recorded.take() else {
            return of.flow;
        };
        // The recording has the owner of the newest packet.
        let is_alone = recorded.sure_number + 1 >= of.number
            || flow.mark().total().packets <= recorded.sure.total().packets + 1;
        if is_alone {
            return of.flow;
        }
        let old_credit = flow.data.credit;
        let mut ends = [flow.data.local.clone(), flow.data.remote.clone()];
        for (end, is_another) in ends.iter_mut().zip(another) {
            if *is_another && let Some(owner) = end {
                let observed_at = owner.ownership.evidence.observed_at;
                let nobody = Ownership::unknown(Reason::Changed, observed_at, Source::Recorded);
                **owner = Owner::nobody(nobody);
            }
        }
        let tail = Tail {
            sure: recorded.sure,
            sure_number: recorded.sure_number,
            next: recorded.unsure_since.unwrap_or(now),
            seconds: recorded.unsure,
        };
        self.go_on(of.flow, &tail, ends, old_credit, effects)
    }

    /// Cuts a flow before its newest packet, which the recording has with other owners.
    fn cut_recorded(
        &mut self,
        of: PacketRef,
        newest: PacketOf,
        new: [Option<Owner>; 2],
        effects: &mut Vec<Effect>,
    ) {
        let Some(flow) = self.table.flow(of.flow) else {
            return;
        };
        let old_credit = flow.data.credit;
        let tail = Tail::of_newest(flow.mark(), newest, self.previous, of.number);
        // An end without an owner in this packet keeps its owner.
        let old = [flow.data.local.clone(), flow.data.remote.clone()];
        let ends = new.into_iter().zip(old);
        let mut ends = ends.map(|(new, old)| new.map(Box::new).or(old));
        let ends = [ends.next().flatten(), ends.next().flatten()];
        let id = self.go_on(of.flow, &tail, ends, old_credit, effects);
        if let Some(flow) = self.table.flow_mut(id) {
            let recorded = Recorded::new(flow.mark(), of.number);
            flow.data.recorded = Some(Box::new(recorded));
        }
    }

    /// Cuts a flow before its last part, which has these owners. Returns the flow that continues.
    fn go_on(
        &mut self,
        id: FlowId,
        tail: &Tail,
        [local, remote]: [Option<Box<Owner>>; 2],
        old_credit: Credit,
        effects: &mut Vec<Effect>,
    ) -> FlowId {
        let now = self.table.now();
        let mut ended = std::mem::take(&mut self.just_ended);
        let rest = self.cut_live(id, tail, &mut ended);
        if let Some(flow) = self.table.flow_mut(rest.unwrap_or(id)) {
            flow.data = Owners {
                local,
                remote,
                naming: std::mem::take(&mut flow.data.naming),
                ..Owners::default()
            };
            let credit = credit(flow, &mut self.chronicle);
            flow.data.credit = credit;
            self.chronicle
                .move_seconds(&tail.seconds, old_credit, credit);
            if self.is_watched && rest.is_some() {
                let record = FlowRecord::new(flow, now, None);
                effects.push(Effect::Tell(Box::new(Event::FlowOpened(record))));
            }
        }
        self.retire(&mut ended, effects);
        self.just_ended = ended;
        rest.unwrap_or(id)
    }
}

/// The input of a flow's Community ID.
pub(super) fn community(flow: &Flow<Owners>) -> Tuple {
    let first = flow.first_message();
    let (source, destination) = match first {
        Some(first) if !first.from_initiator => (flow.responder(), flow.initiator()),
        _ => (flow.initiator(), flow.responder()),
    };
    Tuple {
        protocol: flow.protocol(),
        source,
        destination,
        icmp: first.map(|first| (first.kind, first.code)),
        seed: flow.community_seed(),
    }
}

/// Whether the recorded owner of a packet may be that of the packets before, perhaps described better.
/// A poorer description is of another owner, because a live capture never forgets facts about an owner.
fn is_same_owner(new: &Ownership, old: &Ownership) -> bool {
    if new.verdict == old.verdict {
        return true;
    }
    match (&new.verdict, &old.verdict) {
        (Verdict::Unknown(_), Verdict::Unknown(_)) => true,
        (Verdict::Unknown(_), _) | (_, Verdict::Unknown(_)) => false,
        (
            Verdict::Partial { user, unit },
            Verdict::Partial {
                user: old_user,
                unit: old_unit,
            },
        ) => agree(user.as_ref(), old_user.as_ref()) && agree(unit.as_ref(), old_unit.as_ref()),
        (_, Verdict::Partial { user, unit }) => new.verdict.processes().iter().all(|process| {
            agree(process.user.as_ref(), user.as_ref())
                && agree(process.unit.as_ref(), unit.as_ref())
        }),
        _ => {
            let (new, old) = (new.verdict.processes(), old.verdict.processes());
            let is_in = |one: &Arc<Process>, all: &[Arc<Process>]| {
                all.iter().any(|other| is_same_process(one, other))
            };
            new.len() == old.len()
                && new.iter().all(|one| is_in(one, old))
                && old.iter().all(|one| is_in(one, new))
        }
    }
}

/// Whether two descriptions, each as far as it goes, may be of the same process that executes the
/// same program.
fn is_same_process(one: &Process, other: &Process) -> bool {
    let is_named_alike = one.name == other.name;
    let is_told_apart = (one.started.is_some() && other.started.is_some())
        || (one.path.is_some() && other.path.is_some());
    one.pid == other.pid
        && agree(one.started, other.started)
        && agree(one.path.as_ref(), other.path.as_ref())
        && (is_told_apart || is_named_alike)
}

/// Whether two values are the same, as far as both are known.
fn agree<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}

#[cfg(test)]
mod tests;
