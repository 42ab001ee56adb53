//! Confirms that flows still belong to their owners, and handles a flow whose owner has changed.
//!
//! Packets until the last confirmation stay with the confirmed owners. The ledger cuts the packets
//! since then off as a flow of their own without an owner, because nobody knows who sent them.
//! Later packets are another flow, and the ledger looks up its owners anew. If a flow ends before a
//! confirmation that was due, its packets since the last confirmation have no owner either. A
//! packet of the flow itself, or a timer a moment after its last packet, starts every step: no step
//! here visits all flows.

mod change;
mod claim;
mod confirmation;
mod executed;
mod held;
mod held_marks;
mod seconds;
mod unanswered;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use flowner_attribution::capture::{Closed, Confirmed};
use flowner_attribution::{self as attribution, Ownership, Process};
use flowner_flows::{Flow, FlowId, Packet, Protocol, Update};

use super::acceptors::{self, Acceptors};
use super::again::Again;
use super::closed::{ClosedSockets, Others};
use super::question::{MAX_AT_ONCE, MAX_DUE, can_be_confirmed};
use super::uncertain::Uncertain;
use super::{Effect, End, Ledger, Owners, query_of};
use crate::engine::traffic_history::{PacketOf, TrafficHistory};
use crate::model::principal::Owner;
pub(crate) use claim::Claim;
use claim::{claim, is_too_late};
pub(super) use confirmation::Confirmation;
use executed::ExecutedPrograms;
pub(super) use seconds::count_by_second;

/// After a silence of this length, any process may have sent the next datagram of a flow, or the
/// next data of a connection. After the same silence, the ledger confirms what was sent before it.
const SILENCE: Duration = Duration::from_millis(10);
/// The number of flows to visit with one packet. A visit costs little: the ledger has its facts.
const MAX_LOOKED_AT: usize = 256;
/// How often the ledger confirms a silent flow, if the first time did not show its owner: its
/// socket is gone and the system may report other closed sockets late, or there was no time.
const MAX_LOOKS: u8 = 3;
/// How often the ledger checks, every 10 ms, whether another socket had the port of a flow: before
/// the system showed the owner, or after the owner's socket was closed. A busy host reports closed
/// sockets late.
const REPORT_CHECKS: u8 = 8;

/// Other sockets than the owner's that may have sent a part of a flow.
#[derive(Debug, Clone, Copy)]
struct Rivals {
    /// By end, the latest possible time at which the last of them was closed.
    closed_by: [Option<Duration>; 2],
    /// Whether they may have sent the whole flow, because they existed before the owner was found.
    is_from_start: bool,
}

/// The state that confirmations share across all flows.
#[derive(Debug, Default)]
pub(super) struct Confirming {
    /// The number of packets so far, which is the number of the newest one.
    pub(super) packets: u64,
    /// Flows that the ledger confirms at a time if they are silent by then, the earliest first.
    due: VecDeque<(Duration, FlowId)>,
    /// Flows whose owner no single lookup proves, in the same order.
    pub(super) due_again: VecDeque<(Duration, FlowId)>,
    /// Flows whose sockets other processes may hold, which a search shows, in the same order.
    due_searched: VecDeque<(Duration, FlowId)>,
    closed: ClosedSockets,
    executed: ExecutedPrograms,
    pub(super) acceptors: Acceptors,
    /// Before this time, further sockets were closed, and the ledger does not know which.
    incomplete: Duration,
}

impl Confirming {
    /// The latest possible time at which the socket of an owner was closed.
    fn closed_by(&self, owner: Option<&Owner>) -> Option<Duration> {
        if self.closed.is_empty() {
            return None;
        }
        self.closed.closed_by(owner?.ownership.evidence.socket?)
    }

    /// The closed sockets that may have sent a part of a flow instead of its owner's socket.
    fn others_of(&self, flow: &Flow<Owners>) -> Option<Rivals> {
        let confirmation = flow.data.confirmation.as_deref()?;
        if self.closed.is_empty() || flow.protocol() != Protocol::UDP {
            return None;
        }
        let others = [End::Local, End::Remote].map(|end| {
            let owner = [&flow.data.local, &flow.data.remote][end as usize].as_deref();
            let socket = owner.and_then(|owner| owner.ownership.evidence.socket);
            let query = query_of(flow, attribution::Protocol::Udp, end);
            let since = flow.first_seen();
            socket.map_or_else(Others::default, |socket| {
                self.closed.others(socket, &query, since)
            })
        });
        // A process that had the port before the owner was found may have sent the whole flow.
        let before = others.map(|others| others.before);
        if confirmation.start.is_some() && before != [None; 2] {
            return Some(Rivals {
                closed_by: before,
                is_from_start: true,
            });
        }
        // A process that had the port after the owner's socket was closed may have sent what came
        // after that. (While that socket is open, others on its port have other peers.)
        let since = confirmation.unsure_since?;
        let after = others.map(|others| others.after.filter(|at| *at >= since));
        (after != [None; 2]).then_some(Rivals {
            closed_by: after,
            is_from_start: false,
        })
    }

    /// Whether the system has reported that the sockets of all named owners are closed.
    fn is_told_of_all(&self, owners: &Owners) -> bool {
        let ends = [owners.local.as_deref(), owners.remote.as_deref()];
        let mut named = ends.into_iter().flatten();
        named.all(|owner| {
            let is_named = owner.ownership.verdict.is_named();
            !is_named || self.closed_by(Some(owner)).is_some()
        })
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
    /// Whether the owner of the packet with this number is as certain as it will ever be.
    pub(super) fn is_confirmed(&self, number: u64) -> bool {
        let confirmation = self.confirmation.as_ref();
        let again = self.again.as_ref().filter(|_| confirmation.is_none());
        confirmation.is_none_or(|it| it.is_sure() || number <= it.sure_number)
            && again.is_none_or(|it| it.is_sure(number))
    }

    /// Whether a new answer names none of the confirmed processes. Then it names the owner of the
    /// later packets.
    pub(super) fn contradicts(&self, new: &Ownership, old: &Ownership) -> bool {
        let confirmation = self.confirmation.as_ref();
        let (new, old) = (new.verdict.processes(), old.verdict.processes());
        let is_old = |one: &Arc<Process>| old.iter().any(|old| old.id() == one.id());
        confirmation.is_some_and(|it| it.is_confirmed) && !old.is_empty() && !new.iter().any(is_old)
    }

    /// Call this when an answer is about a socket that exists now and did not exist before. The
    /// ledger looks up the owner of later packets anew.
    pub(super) fn find_again(flow: &mut Flow<Self>, ownership: &Ownership) {
        let observed = ownership.evidence.observed_at.duration_since(UNIX_EPOCH);
        let until = observed.unwrap_or_default();
        if flow.data.uncertain.is_none() {
            let last = flow.last_seen();
            flow.data.uncertain = Some(Box::new(Uncertain::changed(until, last)));
            flow.data.confirmation = None;
        }
    }

    /// Call this when a lookup found an owner of an end, the first one or a better one. Returns
    /// whether the ledger must confirm the owner once the flow is silent: packets came after the
    /// evidence, or other sockets may have had the port before, and perhaps no other packet comes.
    pub(super) fn found(
        flow: &mut Flow<Self>,
        number: u64,
        (ownership, is_first): (&Ownership, bool),
        (chronicle, now): (&TrafficHistory, Duration),
    ) -> bool {
        if Again::found(flow, number, ownership, now) {
            return true;
        }
        let is_datagram = flow.protocol() == Protocol::UDP;
        let known = flow.data.confirmation.as_deref();
        // A confirmation of one end proves nothing about the other end, whose owner is found later.
        let is_known = known.is_some() && !(is_datagram && is_first);
        if !can_be_confirmed(ownership, flow.protocol()) || is_known {
            return false;
        }
        let (id, is_queued) = (flow.id(), known.is_some_and(|known| known.is_queued));
        let observed = ownership.evidence.observed_at.duration_since(UNIX_EPOCH);
        let observed = observed.unwrap_or_default();
        if let Some(known) = flow.data.confirmation.as_deref_mut()
            && known.sure.last_seen <= observed
        {
            known.start = Some(chronicle.remembered(id));
            known.checks = REPORT_CHECKS;
            return true;
        }
        let mut confirmation = Confirmation::new(flow, number, observed);
        confirmation.is_queued = is_queued;
        let all = chronicle.remembered(id);
        if !confirmation.is_sure() {
            confirmation.unsure.clone_from(&all);
        }
        if is_datagram {
            confirmation.start = Some(all.clone());
            confirmation.checks = REPORT_CHECKS;
        }
        confirmation.unsearched = Some(all);
        let is_unsure = !confirmation.is_sure() && confirmation.is_worth_it(flow.protocol());
        let is_to_be = is_unsure || is_datagram;
        flow.data.confirmation = Some(Box::new(confirmation));
        is_to_be
    }
}

impl Ledger {
    /// Stores which sockets were closed.
    pub(crate) fn sockets_closed(&mut self, closed: &Closed) {
        self.confirming.closed.add(closed);
        let is_forgotten = self.confirming.executed.add(&closed.executed);
        if closed.is_incomplete || is_forgotten {
            self.confirming.incomplete = self.table.now();
        }
    }

    /// Checks whether a counted packet of a flow is a reason to confirm the owners of the flow.
    pub(super) fn watch(
        &mut self,
        update: Update,
        is_local: bool,
        packet: &Packet,
        effects: &mut Vec<Effect>,
    ) {
        let id = update.id;
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        let (protocol, is_over) = (flow.protocol(), flow.state().has_ended());
        let is_closed = self.confirming.has_closed(&flow.data, packet.time);
        let is_executed = self.confirming.executed_at(flow) != [None; 2];
        let is_answer =
            packet.payload_len > 0 && self.confirming.is_answer_in_doubt(flow, is_local, packet);
        let Some(confirmation) = flow.data.confirmation.as_deref_mut() else {
            return;
        };
        let newest = PacketOf::new(packet, is_local);
        confirmation.count(newest);
        // No other process gets a connection that has ended, whatever the kernel still sends for
        // it. But anybody can forge a segment that ends a connection for us and not for the kernel.
        confirmation.goes_on |= is_over && packet.payload_len > 0;
        if is_over && !confirmation.goes_on {
            return;
        }
        let is_incomplete = confirmation.asked < self.confirming.incomplete;
        let is_due = confirmation.is_due(protocol, packet.payload_len > 0);
        // The local end may have closed the connection and opened another one. (Incoming segments
        // may be out of order.)
        let is_skip = is_local && update.is_skip;
        if is_skip {
            confirmation.may_be_next = true;
            confirmation.is_unanswered = true;
        }
        let is_asked = is_closed || is_executed || is_incomplete || is_answer || is_due || is_skip;
        confirmation.answers += u8::from(is_answer);
        if is_asked {
            confirmation.ask();
        } else if (confirmation.is_worth_it(protocol) || packet.payload_len > 0)
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

    /// Queues a flow for a confirmation when it is silent, if the queue has room.
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

    /// The packet time at which the next confirmation without a packet is due.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let Confirming {
            due,
            due_again,
            due_searched,
            ..
        } = &self.confirming;
        let all = [due, due_again, due_searched].into_iter();
        let first = all.filter_map(VecDeque::front);
        first.map(|(due, _)| *due).min()
    }

    /// Confirms the owners of flows that are silent now.
    pub(crate) fn confirm_due(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.confirm_silent(now, effects);
        self.confirm_searched(now, effects);
        self.ask_due(now, effects);
    }

    fn confirm_silent(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let mut asked = 0;
        for _ in 0..MAX_LOOKED_AT {
            let Some(&(due, id)) = self.confirming.due.front() else {
                return;
            };
            if due > now || asked >= MAX_AT_ONCE {
                return;
            }
            self.confirming.due.pop_front();
            let Some(flow) = self.table.flow_mut(id) else {
                continue;
            };
            let is_over = flow.state().has_ended();
            let Some(confirmation) = flow.data.confirmation.as_deref_mut() else {
                continue;
            };
            confirmation.is_queued = false;
            let is_silent = confirmation.last + SILENCE <= now;
            let rivals = self.confirming.others_of(flow);
            if let Some(rivals) = rivals {
                self.change_for(id, None, rivals, effects);
                continue;
            }
            let is_told_of_all = self.confirming.is_told_of_all(&flow.data);
            let is_executed = self.confirming.executed_at(flow) != [None; 2];
            let protocol = flow.protocol();
            let Some(confirmation) = flow.data.confirmation.as_deref_mut() else {
                continue;
            };
            if !is_executed && !confirmation.is_worth_it(protocol) {
                continue;
            }
            confirmation.checks = confirmation.checks.saturating_sub(1);
            let is_start_sure = confirmation.checks == 0;
            if is_start_sure {
                // The system has now reported sockets that closed before the owner was found.
                confirmation.start = None;
            }
            let is_over = is_over && !confirmation.goes_on;
            let is_done = is_over || confirmation.is_held();
            if is_done && is_start_sure {
                continue;
            }
            if is_done || !is_silent {
                confirmation.is_queued = true;
                self.confirming.due.push_back((now + SILENCE, id));
                continue;
            }
            confirmation.looks += 1;
            // It has also reported those that closed later, and no other had the port.
            if confirmation.looks > 1 && is_told_of_all {
                if confirmation.looks < REPORT_CHECKS && protocol == Protocol::UDP {
                    confirmation.is_queued = true;
                    self.confirming.due.push_back((now + SILENCE, id));
                }
                continue;
            }
            confirmation.ask();
            asked += 1;
            let claim = claim(flow, self.confirming.packets, None);
            effects.extend(claim.map(|claim| Effect::Confirm(Box::new(claim))));
        }
    }

    /// Takes the answers to a [`Claim`], by end, which were found at a wall-clock time.
    pub(crate) fn confirmed(
        &mut self,
        claim: &Claim,
        answers: [Confirmed; 2],
        at: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let now = self.table.now();
        let Some(flow) = self.table.flow_mut(claim.flow) else {
            return;
        };
        let answers = claim.after_packets(flow, answers);
        if (answers.contains(&Confirmed::Unanswered) || is_too_late(flow, claim, answers, at))
            && let Some(confirmation) = &mut flow.data.confirmation
            && !confirmation.held.is_newest(&claim.mark)
        {
            confirmation.is_unanswered = true;
        }
        // The next packet confirms the packets that came meanwhile.
        if flow.mark() != claim.mark || flow.data.confirmation.is_none() {
            return;
        }
        let may_be_next = (flow.data.confirmation.as_deref()).is_some_and(|it| it.may_be_next);
        let is_after_close = |end: End| {
            let owner = [&flow.data.local, &flow.data.remote][end as usize].as_deref();
            let closed = self.confirming.closed_by(owner).zip(claim.newest);
            closed.is_some_and(|(at, newest)| at < newest.time)
        };
        let executed = self.confirming.executed_at(flow);
        let ends = [End::Local, End::Remote];
        let is_asked = |end: End| claim.ends[end as usize].is_some();
        let is_elsewhere = |end: End| {
            let asked = claim.ends[end as usize].as_ref();
            asked.is_some_and(|(_, known)| known.evidence.namespace.is_some())
        };
        let has_changed = |end: End| {
            is_asked(end)
                && match answers[end as usize] {
                    Confirmed::Same | Confirmed::Held { .. } => false,
                    Confirmed::Changed | Confirmed::Shared => true,
                    // Nothing shows whether the socket was closed before this packet was sent.
                    Confirmed::Gone | Confirmed::Closed if may_be_next => true,
                    // The kernel does not report when a socket of another namespace is closed.
                    Confirmed::Gone if is_elsewhere(end) => claim.newest.is_some(),
                    // Nor when a socket without a port is: another socket sent this packet.
                    Confirmed::Gone if claim.is_sent_without_port(flow, end) => true,
                    // Another process sent what came after the socket was closed.
                    _ => is_after_close(end),
                }
        };
        let changed = ends.map(has_changed);
        let is_held_until_then = |end: End| {
            !changed[end as usize]
                || executed[end as usize].is_some()
                || is_after_close(end)
                || answers[end as usize] != Confirmed::Changed
        };
        let is_shared = answers.contains(&Confirmed::Shared);
        let is_held_until_then = !is_shared && ends.into_iter().all(is_held_until_then);
        if let Some(end) = acceptors::accepting_end(flow)
            && changed[end as usize]
        {
            self.confirming.learn_of_change(flow, end, now);
        }
        if changed != [false; 2] {
            let first_seen = flow.first_seen();
            if let Some(confirmation) = flow.data.confirmation.as_deref_mut()
                && is_shared
            {
                confirmation.be_shared(first_seen);
            }
            // Until then the earlier owners may have sent, unless their socket was closed before.
            let until = |end: End| {
                let owner = [&flow.data.local, &flow.data.remote][end as usize].as_deref();
                let closed = self.confirming.closed_by(owner).unwrap_or(at).min(at);
                changed[end as usize].then_some(closed)
            };
            let until = ends.into_iter().filter_map(until).max().unwrap_or(at);
            let changed = (changed, is_held_until_then);
            self.change((claim.flow, claim.newest), changed, until, effects);
            return;
        }
        if let Some(rivals) = self.confirming.others_of(flow) {
            self.change_for(claim.flow, claim.newest, rivals, effects);
            return;
        }
        if self.are_still(claim, answers) {
            return;
        }
        let Some(flow) = self.table.flow_mut(claim.flow) else {
            return;
        };
        let accepting = acceptors::accepting_end(flow);
        let is_unclear = |answer| matches!(answer, Confirmed::Closed | Confirmed::Unknown);
        if accepting.is_some_and(|end| is_unclear(answers[end as usize])) {
            self.confirming.learn_of_nothing(flow);
        }
        let held =
            (flow.data.confirmation.as_deref()).is_some_and(|it| it.held.is_newest(&claim.mark));
        if held && answers.contains(&Confirmed::Unanswered) {
            self.confirm_when_searched(claim.flow, false);
            return;
        }
        let is_again = |confirmation: &Confirmation| confirmation.looks < MAX_LOOKS;
        if claim.newest.is_none()
            && flow.protocol() == Protocol::UDP
            && flow.data.confirmation.as_deref().is_some_and(is_again)
        {
            self.confirm_later(claim.flow);
        }
    }
}

#[cfg(test)]
mod tests;
