//! Whether flows still are whose they were: when that is asked again, and what becomes of a flow
//! whose owner has changed.
//!
//! What was counted until its owners were last confirmed stays theirs. What was counted since is
//! a flow of its own that names nobody, as nobody knows who sent it. What comes from then on is
//! another flow, whose owners are asked for anew. Where a flow is over before a confirmation that
//! was due could be made, what came since the last one names nobody, either. All of it is looked
//! at with packets of the flow itself, or a moment after its last one: no step here goes through
//! all flows.

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

/// How long a flow must have been silent for its next datagram, or the next data of a connection,
/// to be what anybody may have sent; and after how long a silence what was sent before it is confirmed.
const SILENCE: Duration = Duration::from_millis(10);
/// Flows of which so many are looked at with one packet: that is a matter of what is known already.
const MAX_LOOKED_AT: usize = 256;
/// How often a flow that is silent is looked at again, if a first time did not show whose it is:
/// its socket is gone, and which others were closed may be told late, or there was no time.
const MAX_LOOKS: u8 = 3;
/// How often the ledger checks, every 10 ms, whether another socket had the port of a flow: before the
/// owner was seen, or after the owner's socket was closed. The system reports closed sockets late on a
/// busy host.
const REPORT_CHECKS: u8 = 8;

/// Sockets that may have sent a part of a flow of another one.
#[derive(Debug, Clone, Copy)]
struct Rivals {
    /// By end, when the last of them was closed, at the latest.
    closed_by: [Option<Duration>; 2],
    /// Whether that may be all of it: they were there before its owner was seen.
    is_from_start: bool,
}

/// What the ledger keeps for all flows.
#[derive(Debug, Default)]
pub(super) struct Confirming {
    /// Packets so far: the number of the newest one.
    pub(super) packets: u64,
    /// Flows that are confirmed when they are silent then, soonest first.
    due: VecDeque<(Duration, FlowId)>,
    /// Those of which no single lookup tells whose they are, in that order, too.
    pub(super) due_again: VecDeque<(Duration, FlowId)>,
    /// Those of which a search shows whether others have their sockets, in that order, too.
    due_searched: VecDeque<(Duration, FlowId)>,
    closed: ClosedSockets,
    executed: ExecutedPrograms,
    pub(super) acceptors: Acceptors,
    /// Others were closed before that, nobody knows which.
    incomplete: Duration,
}

impl Confirming {
    /// When the socket of an owner was closed, at the latest.
    fn closed_by(&self, owner: Option<&Owner>) -> Option<Duration> {
        if self.closed.is_empty() {
            return None;
        }
        self.closed.closed_by(owner?.ownership.evidence.socket?)
    }

    /// Whether other sockets may have sent a part of a flow, which are known as they were closed.
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
        // A process that had the port before the owner was seen may have sent all of it.
        let before = others.map(|others| others.before);
        if confirmation.start.is_some() && before != [None; 2] {
            return Some(Rivals {
                closed_by: before,
                is_from_start: true,
            });
        }
        // One that had it after the owner's socket was closed, what came after that. (While that
        // is open, others on its port have other peers.)
        let since = confirmation.unsure_since?;
        let after = others.map(|others| others.after.filter(|at| *at >= since));
        (after != [None; 2]).then_some(Rivals {
            closed_by: after,
            is_from_start: false,
        })
    }

    /// Whether the sockets of all owners that are named are known to be closed.
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
    /// Whether who sent a packet of that number is as certain as it will be.
    pub(super) fn is_confirmed(&self, number: u64) -> bool {
        let confirmation = self.confirmation.as_ref();
        let again = self.again.as_ref().filter(|_| confirmation.is_none());
        confirmation.is_none_or(|it| it.is_sure() || number <= it.sure_number)
            && again.is_none_or(|it| it.is_sure(number))
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
            flow.data.uncertain = Some(Box::new(Uncertain::changed(until, last)));
            flow.data.confirmation = None;
        }
    }

    /// To be called when an owner was found, the first one of its end or a better one. Whether
    /// that is to be confirmed when the flow is silent: packets came after what the answer is
    /// about, or others may have had the port before, and no other packet may come.
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
        // What is known of one end says nothing of the other one, whose owner is found later.
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
    /// Writes down which sockets were closed.
    pub(crate) fn sockets_closed(&mut self, closed: &Closed) {
        self.confirming.closed.add(closed);
        let is_forgotten = self.confirming.executed.add(&closed.executed);
        if closed.is_incomplete || is_forgotten {
            self.confirming.incomplete = self.table.now();
        }
    }

    /// Sees whether a packet that was counted for a flow is a reason to ask whose it is now.
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
        // A connection that is over is nobody else's, whatever the kernel sends for it then. But
        // anybody can make up a segment that ends one for us and not for the kernel.
        confirmation.goes_on |= is_over && packet.payload_len > 0;
        if is_over && !confirmation.goes_on {
            return;
        }
        let is_incomplete = confirmation.asked < self.confirming.incomplete;
        let is_due = confirmation.is_due(protocol, packet.payload_len > 0);
        // Who may have closed the connection and opened another one. (What arrives may be out of order.)
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

    /// Asks whether flows that are silent now still are whose they were.
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
                // The system has reported by now what was closed before the owner was seen.
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
            // The same holds for what was closed after it, and nobody else had the port.
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

    /// Takes what a [`Claim`] was answered with, by end, at a wall-clock time.
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
        // Packets that came meanwhile are asked about with the next one.
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
                    // Nobody saw whether it was closed before this was sent.
                    Confirmed::Gone | Confirmed::Closed if may_be_next => true,
                    // The kernel does not say when a socket of another namespace is closed.
                    Confirmed::Gone if is_elsewhere(end) => claim.newest.is_some(),
                    // Nor that of one without a port: whoever sent this has another one.
                    Confirmed::Gone if claim.is_sent_without_port(flow, end) => true,
                    // Who sent this when the socket was closed is somebody else.
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
            // What was sent before that may be of those before, unless their socket was closed.
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
