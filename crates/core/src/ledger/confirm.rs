//! Whether flows still are whose they were: when that is asked again, and what becomes of a flow
//! whose owner has changed.
//!
//! What was counted until its owners were last confirmed stays theirs. What was counted since is
//! a flow of its own that names nobody, as nobody knows who sent it. What comes from then on is
//! another flow, whose owners are asked for anew. Where a flow is over before a confirmation that
//! was due could be made, what came since the last one names nobody, either. All of it is looked at with packets of the flow
//! itself, or a moment after its last one: no step here goes through all flows.

mod unanswered;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowner_attribution::{
    self as attribution, Closed, Confirmed, Ownership, Process, Reason, SocketId, SocketQuery,
    Source,
};
use flowner_flows::{Counters, Ended, Flow, FlowId, Mark, Packet, Protocol};

use super::again::Again;
use super::{Effect, End, Ledger, Owners, credit, query_of, waiters, wall_clock};
use crate::events::Event;
use crate::history::{Chronicle, PacketOf, Second};
use crate::program::Owner;
use crate::record::FlowRecord;

/// How long a flow must have been silent for its next datagram to be one that anybody may have
/// sent; and after how long a silence what was sent before it is confirmed.
const SILENCE: Duration = Duration::from_millis(10);
/// How long a confirmation is good for a flow whose packets go on, at first and in the end: new
/// connections change hands most, such as from a server to the process that it starts for them.
/// What is over sooner is not worth a confirmation.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LAST_WAIT: Duration = Duration::from_millis(100);
/// Flows that wait for their silence, and how many of them are looked at with one packet.
const MAX_DUE: usize = 8_192;
const MAX_AT_ONCE: usize = 32;
/// Sockets that are remembered as closed.
const MAX_CLOSED: usize = 4_096;
/// Seconds of which is remembered what was counted in them without a confirmation; what is older
/// stays where it was credited.
const MAX_SECONDS: usize = 128;

/// What is known of when the owners of a flow were confirmed.
#[derive(Debug, Clone)]
pub(super) struct Confirmation {
    /// What had been counted then: surely theirs.
    sure: Mark,
    /// The number of the newest packet then.
    sure_number: u64,
    /// Packet time of the first packet since.
    unsure_since: Option<Duration>,
    /// What was counted since, by second.
    unsure: Vec<Second>,
    /// Packet times of the newest packet, and of the one before.
    last: Duration,
    before: Duration,
    /// Packet time at which it was asked last, and how long that is good for.
    asked: Duration,
    wait: Duration,
    is_queued: bool,
    /// Whether a confirmation said that they are the same.
    is_confirmed: bool,
    /// Whether it was asked since, and there was no time to find it out.
    is_unanswered: bool,
}

/// What is known of a flow that belongs to nobody, as its owners have changed.
#[derive(Debug, Clone)]
pub(super) struct Uncertain {
    /// What was sent after that is of those who have its socket now.
    until: Duration,
    /// Packet time of its newest packet.
    last: Duration,
}

/// What is asked about a flow, in an [`Effect::Confirm`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim {
    flow: FlowId,
    /// Of each end whose owner can be confirmed, what was asked, and who was named for it.
    pub(crate) ends: [Option<(SocketQuery, Ownership)>; 2],
    /// Wall-clock time of the newest packet: what is told must not be older.
    pub(crate) since: SystemTime,
    mark: Mark,
    number: u64,
    /// The packet with which it is asked, if its socket may be another one than that of those
    /// before.
    newest: Option<PacketOf>,
}

/// What the books keep for all flows.
#[derive(Debug, Default)]
pub(super) struct Confirming {
    /// Packets so far: the number of the newest one.
    pub(super) packets: u64,
    /// Flows that are confirmed when they are silent then, soonest first.
    due: VecDeque<(Duration, FlowId)>,
    /// Sockets that were closed, and when they were at the latest; in that order, too.
    closed: HashMap<SocketId, Duration>,
    order: VecDeque<SocketId>,
    /// Others were closed before that, nobody knows which.
    incomplete: Duration,
}

impl Confirmation {
    /// Of a flow whose owner was just found by evidence from a wall-clock time.
    fn new(flow: &Flow<Owners>, number: u64, observed: Duration) -> Self {
        let last = flow.last_seen();
        // What came while somebody looked may be another one's already.
        let is_sure = last <= observed;
        Self {
            sure: if is_sure {
                flow.mark()
            } else {
                Mark::default()
            },
            sure_number: if is_sure { number } else { 0 },
            unsure_since: (!is_sure).then(|| flow.first_seen()),
            unsure: Vec::new(),
            last,
            before: last,
            asked: if is_sure { last } else { Duration::ZERO },
            wait: FIRST_WAIT,
            is_queued: false,
            is_confirmed: false,
            is_unanswered: false,
        }
    }

    fn count(&mut self, packet: PacketOf) {
        self.before = self.last;
        self.last = self.last.max(packet.time);
        self.unsure_since.get_or_insert(packet.time);
        let second = packet.time.as_secs();
        match self.unsure.last_mut() {
            Some(last) if last.is_at(second) => last.add(packet),
            _ => {
                if self.unsure.len() >= MAX_SECONDS {
                    self.unsure.remove(0);
                }
                self.unsure.push(Second::of(packet));
            }
        }
    }

    /// Whether the newest packet is a reason to ask.
    fn is_due(&self, protocol: Protocol) -> bool {
        let after_silence = self.last.saturating_sub(self.before) >= SILENCE;
        (protocol != Protocol::TCP && after_silence)
            || self.last.saturating_sub(self.asked) >= self.wait
    }

    /// Whether what was sent before a silence is confirmed without another packet. Most
    /// connections are over soon.
    fn is_worth_it(&self, protocol: Protocol) -> bool {
        protocol != Protocol::TCP || self.is_confirmed
    }

    fn ask(&mut self) {
        self.wait = LAST_WAIT.min(self.wait * 2);
        self.asked = self.last;
    }

    fn is_sure(&self) -> bool {
        self.unsure_since.is_none()
    }
}

impl Confirming {
    /// When the socket of an owner was closed, at the latest.
    fn closed_by(&self, owner: Option<&Owner>) -> Option<Duration> {
        if self.closed.is_empty() {
            return None;
        }
        let socket = owner?.ownership.evidence.socket?;
        self.closed.get(&socket).copied()
    }

    fn has_closed(&self, owners: &Owners, before: Duration) -> bool {
        let ends = [&owners.local, &owners.remote];
        let mut closed = ends
            .into_iter()
            .filter_map(|one| self.closed_by(one.as_deref()));
        closed.any(|at| at < before)
    }
}

impl Owners {
    /// Whether who sent a packet of that number is as certain as it will be.
    pub(super) fn is_confirmed(&self, number: u64) -> bool {
        let confirmation = self.confirmation.as_ref();
        confirmation.is_none_or(|it| it.is_sure() || number <= it.sure_number)
    }

    /// Whether a new answer is about somebody else than those who were confirmed: it says whose
    /// the flow is by now.
    pub(super) fn contradicts(&self, new: &Ownership, old: &Ownership) -> bool {
        let confirmation = self.confirmation.as_ref();
        let (new, old) = (new.verdict.processes(), old.verdict.processes());
        let is_old = |one: &Arc<Process>| old.iter().any(|old| old.id() == one.id());
        confirmation.is_some_and(|it| it.is_confirmed) && !old.is_empty() && !new.iter().any(is_old)
    }

    /// To be called when an answer is about a socket that is there by now and was not before:
    /// what is sent after that is asked about anew.
    pub(super) fn find_again(flow: &mut Flow<Self>, ownership: &Ownership) {
        let observed = ownership.evidence.observed_at.duration_since(UNIX_EPOCH);
        let until = observed.unwrap_or_default();
        if flow.data.uncertain.is_none() {
            let last = flow.last_seen();
            flow.data.uncertain = Some(Box::new(Uncertain { until, last }));
            flow.data.confirmation = None;
        }
    }

    /// To be called when an owner was found. Whether that is to be confirmed when the flow is
    /// silent: packets came after what the answer is about, and no other may come.
    pub(super) fn found(
        flow: &mut Flow<Self>,
        number: u64,
        ownership: &Ownership,
        chronicle: &Chronicle,
    ) -> bool {
        if flow.data.again.is_none() {
            flow.data.again = Again::new(flow, ownership);
        }
        if !can_be_confirmed(ownership, flow.protocol()) || flow.data.confirmation.is_some() {
            return false;
        }
        let observed = ownership.evidence.observed_at.duration_since(UNIX_EPOCH);
        let observed = observed.unwrap_or_default();
        let mut confirmation = Confirmation::new(flow, number, observed);
        if !confirmation.is_sure() {
            confirmation.unsure = chronicle.remembered(flow.id());
        }
        let is_to_be = !confirmation.is_sure() && confirmation.is_worth_it(flow.protocol());
        flow.data.confirmation = Some(Box::new(confirmation));
        is_to_be
    }
}

impl Ledger {
    /// Writes down which sockets were closed.
    pub(crate) fn sockets_closed(&mut self, closed: &Closed) {
        let since_epoch = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let confirming = &mut self.confirming;
        for (socket, at) in &closed.sockets {
            if confirming
                .closed
                .insert(*socket, since_epoch(*at))
                .is_none()
            {
                confirming.order.push_back(*socket);
            }
            if confirming.order.len() > MAX_CLOSED
                && let Some(oldest) = confirming.order.pop_front()
            {
                confirming.closed.remove(&oldest);
            }
        }
        if closed.is_incomplete {
            confirming.incomplete = self.table.now();
        }
    }

    /// Sees whether a packet that was counted for a flow is a reason to ask whose it is now.
    pub(super) fn watch(
        &mut self,
        id: FlowId,
        is_local: bool,
        packet: &Packet,
        effects: &mut Vec<Effect>,
    ) {
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        let (protocol, is_over) = (flow.protocol(), flow.state().is_over());
        let is_closed = self.confirming.has_closed(&flow.data, packet.time);
        let Some(confirmation) = flow.data.confirmation.as_deref_mut() else {
            return;
        };
        let newest = PacketOf::new(packet, is_local);
        confirmation.count(newest);
        // A connection that is over is nobody else's, whatever comes late.
        if is_over {
            return;
        }
        let is_incomplete = confirmation.asked < self.confirming.incomplete;
        let is_asked = is_closed || is_incomplete || confirmation.is_due(protocol);
        if is_asked {
            confirmation.ask();
        } else if confirmation.is_worth_it(protocol)
            && !confirmation.is_queued
            && self.confirming.due.len() < MAX_DUE
        {
            confirmation.is_queued = true;
            self.confirming.due.push_back((packet.time + SILENCE, id));
        }
        if is_asked {
            let claim = claim(flow, self.confirming.packets, Some(newest));
            effects.extend(claim.map(|claim| Effect::Confirm(Box::new(claim))));
        }
    }

    /// Confirms a flow when it is silent, if there is room for another one.
    pub(super) fn confirm_later(&mut self, id: FlowId) {
        let due = self.table.now() + SILENCE;
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        if let Some(confirmation) = flow.data.confirmation.as_deref_mut()
            && !confirmation.is_queued
            && self.confirming.due.len() < MAX_DUE
        {
            confirmation.is_queued = true;
            self.confirming.due.push_back((due, id));
        }
    }

    /// When a flow is to be confirmed next without a packet, in packet time.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.confirming.due.front().map(|(due, _)| *due)
    }

    /// Asks whether flows that are silent now still are whose they were.
    pub(crate) fn confirm_due(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        for _ in 0..MAX_AT_ONCE {
            let Some(&(due, id)) = self.confirming.due.front() else {
                return;
            };
            if due > now {
                return;
            }
            self.confirming.due.pop_front();
            let Some(flow) = self.table.flow_mut(id) else {
                continue;
            };
            let is_over = flow.state().is_over();
            let Some(confirmation) = flow.data.confirmation.as_deref_mut() else {
                continue;
            };
            confirmation.is_queued = false;
            if is_over || confirmation.is_sure() {
                continue;
            }
            if confirmation.last + SILENCE > now {
                confirmation.is_queued = true;
                self.confirming.due.push_back((now + SILENCE, id));
                continue;
            }
            confirmation.ask();
            let claim = claim(flow, self.confirming.packets, None);
            effects.extend(claim.map(|claim| Effect::Confirm(Box::new(claim))));
        }
    }

    /// Takes what a [`Claim`] was answered with, by end, at a wall-clock time.
    pub(crate) fn confirmed(
        &mut self,
        claim: &Claim,
        answers: [Confirmed; 2],
        at: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let Some(flow) = self.table.flow_mut(claim.flow) else {
            return;
        };
        if answers.contains(&Confirmed::Unanswered)
            && let Some(confirmation) = &mut flow.data.confirmation
        {
            confirmation.is_unanswered = true;
        }
        // Packets that came meanwhile are asked about with the next one.
        if flow.mark() != claim.mark || flow.data.confirmation.is_none() {
            return;
        }
        let is_after_close = |end: End| {
            let owner = [&flow.data.local, &flow.data.remote][end as usize].as_deref();
            let closed = self.confirming.closed_by(owner).zip(claim.newest);
            closed.is_some_and(|(at, newest)| at < newest.time)
        };
        let ends = [End::Local, End::Remote];
        let is_asked = |end: End| claim.ends[end as usize].is_some();
        let is_elsewhere = |end: End| {
            let asked = claim.ends[end as usize].as_ref();
            asked.is_some_and(|(_, known)| known.evidence.namespace.is_some())
        };
        let has_changed = |end: End| {
            is_asked(end)
                && match answers[end as usize] {
                    Confirmed::Same => false,
                    Confirmed::Changed => true,
                    // The kernel does not say when a socket of another namespace is closed.
                    Confirmed::Gone if is_elsewhere(end) => claim.newest.is_some(),
                    // Who sent this when the socket was closed is somebody else.
                    _ => is_after_close(end),
                }
        };
        let changed = ends.map(has_changed);
        if changed != [false; 2] {
            // What was sent before that may be of those before, unless their socket was closed.
            let until = |end: End| {
                let owner = [&flow.data.local, &flow.data.remote][end as usize].as_deref();
                let closed = self.confirming.closed_by(owner).unwrap_or(at).min(at);
                changed[end as usize].then_some(closed)
            };
            let until = ends.into_iter().filter_map(until).max().unwrap_or(at);
            self.change(claim, changed, until, effects);
            return;
        }
        let is_same = |end: End| !is_asked(end) || answers[end as usize] == Confirmed::Same;
        if ends.into_iter().all(is_same)
            && let Some(confirmation) = &mut flow.data.confirmation
        {
            confirmation.is_confirmed = true;
            confirmation.is_unanswered = false;
            confirmation.sure = claim.mark;
            confirmation.sure_number = claim.number;
            confirmation.unsure_since = None;
            confirmation.unsure.clear();
        }
    }

    /// Ends a flow of which owners have changed with what surely was theirs. The rest names
    /// nobody, until a packet comes that was sent after `until`.
    fn change(
        &mut self,
        claim: &Claim,
        changed: [bool; 2],
        until: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let now = self.table.now();
        let Some(flow) = self.table.flow_mut(claim.flow) else {
            return;
        };
        let Some(confirmation) = flow.data.confirmation.take() else {
            return;
        };
        let Confirmation {
            sure,
            sure_number,
            unsure_since,
            unsure,
            before,
            last,
            ..
        } = *confirmation;
        let old_credit = flow.data.credit;
        let mut owners = [flow.data.local.clone(), flow.data.remote.clone()];
        let mut ended = std::mem::take(&mut self.just_ended);
        let mut id = claim.flow;
        let next = unsure_since.unwrap_or(now);
        if let Some(rest) = self.table.cut(id, &sure, next, &mut ended) {
            self.chronicle.forget(id, &unsure);
            continue_as(&mut ended, sure_number + 1, rest);
            id = rest;
        } else if let Some(flow) = self.table.flow_mut(id) {
            // All of it is uncertain.
            effects.extend(waiters(flow).map(Effect::End));
            self.chronicle.settle(id);
        }
        for (owner, changed) in owners.iter_mut().zip(changed) {
            if changed {
                let seen_at = wall_clock(now);
                let nobody = Ownership::unknown(Reason::Changed, seen_at, Source::None);
                *owner = Some(Box::new(nobody.into()));
            }
        }
        if let Some(flow) = self.table.flow_mut(id) {
            let [local, remote] = owners;
            flow.data = Owners {
                local,
                remote,
                uncertain: Some(Box::new(Uncertain {
                    until,
                    last: claim.newest.map_or(last, |_| before),
                })),
                ..Owners::default()
            };
            let credit = credit(flow, &mut self.chronicle);
            flow.data.credit = credit;
            self.chronicle.move_seconds(&unsure, old_credit, credit);
            if self.is_watched && id != claim.flow {
                let record = FlowRecord::new(flow, now, None);
                effects.push(Effect::Tell(Box::new(Event::FlowOpened(record))));
            }
        }
        self.retire(&mut ended, effects);
        self.just_ended = ended;
        if let Some(newest) = claim.newest {
            self.resume(id, newest, effects);
        }
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
        let mark = without(flow.mark(), newest, last);
        let old_credit = flow.data.credit;
        let mut ended = std::mem::take(&mut self.just_ended);
        let mut rest = id;
        if let Some(cut) = self.table.cut(id, &mark, newest.time, &mut ended) {
            continue_as(&mut ended, self.confirming.packets, cut);
            rest = cut;
        } else if let Some(flow) = self.table.flow_mut(id) {
            flow.data = Owners::default();
        }
        self.retire(&mut ended, effects);
        self.just_ended = ended;
        self.opened(rest, effects);
        let flow = self.table.flow(rest);
        let credit = flow.map_or(old_credit, |flow| flow.data.credit);
        let seconds = [Second::of(newest)];
        self.chronicle.move_seconds(&seconds, old_credit, credit);
        self.chronicle.remember(rest, newest);
    }
}

/// Whether it can be asked again who owns a socket. Of a connection the listener may be known.
pub(super) fn can_be_confirmed(ownership: &Ownership, protocol: Protocol) -> bool {
    let has_socket = ownership.evidence.socket.is_some() || protocol == Protocol::TCP;
    ownership.verdict.is_named() && has_socket
}

/// What is to be asked about a flow; `None` where no owner can be confirmed.
fn claim(flow: &Flow<Owners>, number: u64, newest: Option<PacketOf>) -> Option<Claim> {
    let ends = [End::Local, End::Remote].map(|end| {
        let owner = match end {
            End::Local => flow.data.local.as_deref(),
            End::Remote => flow.data.remote.as_deref(),
        };
        let is_known = can_be_confirmed(&owner?.ownership, flow.protocol());
        let protocol = socket_protocol(flow)?;
        let query = is_known.then(|| query_of(flow, protocol, end))?;
        Some((query, owner?.ownership.clone()))
    });
    ends.iter().any(Option::is_some).then(|| Claim {
        flow: flow.id(),
        ends,
        since: wall_clock(flow.last_seen()),
        mark: flow.mark(),
        number,
        newest,
    })
}

/// The protocol of the sockets of a flow, if it has any.
pub(super) fn socket_protocol(flow: &Flow<Owners>) -> Option<attribution::Protocol> {
    match flow.protocol() {
        Protocol::TCP => Some(attribution::Protocol::Tcp),
        Protocol::UDP => Some(attribution::Protocol::Udp),
        _ => None,
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

#[cfg(test)]
mod tests;
