//! Confirmation by new lookups, for tables that do not identify sockets. Such a table cannot confirm an
//! owner by a lookup of one socket; it may need a list of all sockets.
//!
//! Packets between two answers with the same owners belong to these owners. If the second answer names
//! another owner, or none, the packets since the first have no owner, as for [confirmed](super::confirm)
//! flows. Nothing here visits all flows. A flow has one such lookup at a time, and the resolver limits
//! the cost of all of them.

mod anew;
mod tail;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use flowner_attribution::{
    Initiator, LookupRequest, Ownership, Process, Reason, Source, Token, Verdict,
};
use flowner_flows::{Flow, FlowId, Mark, Protocol};

use super::question::{MAX_AT_ONCE, MAX_DUE, can_be_confirmed, socket_protocol};
use super::uncertain::{Tail, Uncertain, without};
use super::{Effect, End, Ledger, Owners, credit, pack, query_of, waiters, wall_clock};
use crate::engine::traffic_history::{PacketOf, Second};
use crate::model::event::Event;
use crate::model::flow::FlowRecord;
use crate::model::principal::Owner;

/// How long an answer holds for a flow with further packets: at first, and at most.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LAST_WAIT: Duration = Duration::from_millis(500);
/// The same for connections: few change their owner, and most end before.
const FIRST_WAIT_OF_TCP: Duration = Duration::from_millis(100);
/// The silence after which a lookup confirms the packets before it.
const SILENCE: Duration = Duration::from_millis(50);
/// The number of slices since the last answer, and the first length of each. Beyond that number, a packet
/// joins the newest slice of its second. If that does not suffice, the ledger forgets the oldest slices,
/// which stay with the owners that they are credited to.
const MAX_SLICES: usize = 32;
const SLICE: Duration = Duration::from_millis(25);

/// When lookups last named the owners of a flow.
#[derive(Debug, Clone)]
pub(super) struct Again {
    /// Whether any lookup did.
    is_named: bool,
    /// The counters at that time, which surely belong to them. Before that, the first packet.
    sure: Mark,
    /// The number of the newest packet then.
    sure_number: u64,
    /// The slices since then, oldest first.
    unsure: VecDeque<Slice>,
    /// The packet time of the newest packet.
    last: Duration,
    /// The packet time of the last lookup, and how long its answer holds.
    asked_at: Duration,
    wait: Duration,
    asked: Option<Asked>,
    /// The packet time of the last answer that named them.
    answered_at: Duration,
    is_queued: bool,
    /// For a flow without a found socket: the packet time of the packet that started the new lookup.
    anew: Option<Duration>,
}

/// Some successive packets within one second.
#[derive(Debug, Clone)]
struct Slice {
    /// The packet times of the first one and the newest.
    from: Duration,
    to: Duration,
    /// What had been counted before it, and the number of the newest packet then.
    before: Mark,
    number: u64,
    counted: Second,
}

/// A pending new lookup.
#[derive(Debug, Clone)]
struct Asked {
    /// The ends without an answer yet.
    ends: [bool; 2],
    /// The earliest packet time at which the answers found the sockets of all other ends.
    seen_at: Option<Duration>,
}

impl Again {
    /// The state of a flow with one packet and without a known owner.
    pub(super) fn opened(flow: &Flow<Owners>, number: u64) -> Box<Self> {
        Box::new(Self {
            is_named: false,
            sure: flow.mark(),
            sure_number: number,
            unsure: VecDeque::new(),
            last: flow.last_seen(),
            asked_at: flow.last_seen(),
            wait: match flow.protocol() {
                Protocol::TCP => FIRST_WAIT_OF_TCP,
                _ => FIRST_WAIT,
            },
            asked: None,
            answered_at: Duration::ZERO,
            is_queued: false,
            anew: None,
        })
    }

    /// Call this when a lookup found an owner of a flow. Returns whether a lookup should follow when the
    /// flow is silent.
    pub(super) fn found(
        flow: &mut Flow<Owners>,
        number: u64,
        ownership: &Ownership,
        now: Duration,
    ) -> bool {
        let is_one = ownership.verdict.is_named()
            && !can_be_confirmed(ownership, flow.protocol())
            && flow.protocol().has_ports();
        if !is_one {
            return false;
        }
        let observed = ownership.evidence.observed_at.duration_since(UNIX_EPOCH);
        let observed = observed.unwrap_or_default();
        let (mark, is_udp) = (flow.mark(), flow.protocol() == Protocol::UDP);
        let mut again = match flow.data.again.take() {
            Some(again) => again,
            None => Self::opened(flow, number),
        };
        if !again.is_named {
            again.is_named = true;
            again.asked_at = again.last;
            // A packet during the lookup may already belong to another owner.
            if again.last <= observed {
                (again.sure, again.sure_number) = (mark, number);
                again.unsure.clear();
            }
        }
        again.answered_at = now;
        let is_to_be_asked = is_udp && !again.unsure.is_empty();
        flow.data.again = Some(again);
        is_to_be_asked
    }

    /// Whether an answer shows that a process holds the socket of a flow now, but another one may have
    /// held it before: later packets need a new lookup.
    pub(super) fn is_to_be_found_again(
        flow: &Flow<Owners>,
        end: End,
        ownership: &Ownership,
    ) -> bool {
        let owner = match end {
            End::Local => flow.data.local.as_deref(),
            End::Remote => flow.data.remote.as_deref(),
        };
        flow.protocol().has_ports()
            && !flow.state().has_ended()
            && ownership.verdict == Verdict::Unknown(Reason::Gone)
            && ownership.evidence.source != Source::None
            && flow.data.again.is_some()
            && owner.is_none_or(|owner| !owner.ownership.verdict.is_named())
            && flow.data.uncertain.is_none()
    }

    /// Whether a lookup is pending.
    pub(super) const fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether the sender of the packet with this number is as certain as it will be.
    pub(super) fn is_sure(&self, number: u64) -> bool {
        !self.is_named || self.unsure.is_empty() || number <= self.sure_number
    }

    /// Counts a packet, given the counters before it and its number.
    fn count(&mut self, packet: PacketOf, before: Mark, number: u64) {
        self.last = self.last.max(packet.time);
        let second = packet.time.as_secs();
        let is_full = self.unsure.len() >= MAX_SLICES;
        let answered_at = self.answered_at;
        let is_cut = |slice: &Slice| slice.from <= answered_at && packet.time > answered_at;
        match self.unsure.back_mut() {
            Some(slice)
                if slice.counted.is_at(second)
                    && !is_cut(slice)
                    && (is_full || packet.time.saturating_sub(slice.from) < SLICE) =>
            {
                slice.to = slice.to.max(packet.time);
                slice.counted.add(packet);
            }
            _ => {
                if is_full {
                    self.unsure.pop_front();
                }
                self.unsure.push_back(Slice {
                    from: packet.time,
                    to: packet.time,
                    before,
                    number: number - 1,
                    counted: Second::of(packet),
                });
            }
        }
    }

    /// Marks the packets until then as certain.
    fn confirm(&mut self, flow: Mark, number: u64, until: Duration) {
        while self.unsure.front().is_some_and(|slice| slice.to <= until) {
            self.unsure.pop_front();
        }
        let next = self.unsure.front();
        let (sure, sure_number) = next.map_or((flow, number), |next| (next.before, next.number));
        self.sure = sure;
        self.sure_number = sure_number;
    }
}

impl Ledger {
    /// Counts a packet for a flow, and starts a new lookup if the last one was long ago.
    pub(super) fn ask_again(&mut self, id: FlowId, newest: PacketOf, effects: &mut Vec<Effect>) {
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        let (is_udp, is_over) = (flow.protocol() == Protocol::UDP, flow.state().has_ended());
        let mark = flow.mark();
        let Some(again) = flow.data.again.as_deref_mut() else {
            return;
        };
        let before = without(mark, newest, again.last);
        again.count(newest, before, self.confirming.packets);
        // For the kernel, a connection that still carries data had not ended.
        let is_over = is_over && newest.counters.payload_bytes == 0;
        if !again.is_named || is_over {
            return;
        }
        if again.last.saturating_sub(again.asked_at) >= again.wait {
            self.ask_about(id, effects);
        } else if is_udp {
            self.ask_when_silent(id);
        }
    }

    /// Plans a lookup for the time when a flow is silent, if there is room for another one.
    pub(super) fn ask_when_silent(&mut self, id: FlowId) {
        let due = self.table.now() + SILENCE;
        let is_queued = |flow: &mut Flow<Owners>| {
            let again = flow.data.again.as_deref_mut().filter(|it| it.is_named);
            again.is_none_or(|again| std::mem::replace(&mut again.is_queued, true))
        };
        let has_room = self.confirming.due_again.len() < MAX_DUE;
        if has_room && !self.table.flow_mut(id).is_none_or(is_queued) {
            self.confirming.due_again.push_back((due, id));
        }
    }

    /// Starts the lookups for flows that are silent now.
    pub(super) fn ask_due(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        for _ in 0..MAX_AT_ONCE {
            match self.confirming.due_again.front() {
                Some(&(due, id)) if due <= now => {
                    self.confirming.due_again.pop_front();
                    self.ask_if_silent(id, now, effects);
                }
                _ => return,
            }
        }
    }

    /// Starts the planned lookup of a flow, or postpones it if the flow is not silent.
    fn ask_if_silent(&mut self, id: FlowId, now: Duration, effects: &mut Vec<Effect>) {
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        let is_over = flow.state().has_ended();
        let Some(again) = flow.data.again.as_deref_mut() else {
            return;
        };
        again.is_queued = false;
        if is_over || again.unsure.is_empty() {
            return;
        }
        // The pending lookup may be about earlier packets.
        if again.last + SILENCE > now || again.asked.is_some() {
            self.ask_when_silent(id);
        } else {
            self.ask_about(id, effects);
        }
    }

    /// Looks up the current owners of the named ends of a flow, unless a lookup is pending.
    fn ask_about(&mut self, id: FlowId, effects: &mut Vec<Effect>) {
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        let protocol = socket_protocol(flow);
        let Some(mut again) = flow.data.again.take() else {
            return;
        };
        let seen_at = wall_clock(again.last);
        let mut ends = [false; 2];
        for end in [End::Local, End::Remote] {
            let transport = flow.protocol();
            let owner = flow.data.of(end).as_deref();
            let is_asked = owner.is_some_and(|Owner { ownership, .. }| {
                ownership.verdict.is_named() && !can_be_confirmed(ownership, transport)
            });
            let is_asked = is_asked && again.asked.is_none() && !flow.data.waiting[end as usize];
            if is_asked {
                ends[end as usize] = true;
                flow.data.waiting[end as usize] = true;
                let question =
                    LookupRequest::new(query_of(flow, protocol, end), seen_at, Initiator::Unknown);
                effects.push(Effect::AskAgain(pack(id, end), question));
            }
        }
        if ends != [false; 2] {
            again.asked_at = again.last;
            again.wait = LAST_WAIT.min(again.wait * 2);
            again.asked = Some(Asked {
                ends,
                seen_at: None,
            });
        }
        flow.data.again = Some(again);
    }

    /// Takes an answer that may be to such a lookup. Returns whether it is.
    pub(super) fn answered_again(
        &mut self,
        waiter: Token,
        (id, end): (FlowId, End),
        ownership: &Ownership,
        last: bool,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let (number, now) = (self.confirming.packets, self.table.now());
        let (flow, is_live) = match self.table.flow_mut(id) {
            Some(flow) => (flow, true),
            None => match self.ended.get_mut(id) {
                Some((flow, _)) => (flow, false),
                None => return false,
            },
        };
        let (mark, is_connection) = (flow.mark(), flow.protocol() == Protocol::TCP);
        let asked = flow
            .data
            .again
            .as_deref_mut()
            .and_then(|it| it.asked.as_mut());
        let Some(asked) = asked.filter(|it| it.ends[end as usize]) else {
            return false;
        };
        let old = match end {
            End::Local => flow.data.local.as_deref(),
            End::Remote => flow.data.remote.as_deref(),
        };
        let is_same = old.is_some_and(|old| names_no_other(ownership, &old.ownership));
        let is_failure = ownership.verdict == Verdict::Unknown(Reason::Failed);
        // The socket of a connection closes at its end: that is no change of owner.
        let is_nobody = matches!(ownership.verdict, Verdict::Unknown(_));
        let is_open = is_failure || (is_nobody && is_connection);
        if is_live && !is_same && !is_open {
            let mut changed = [false; 2];
            changed[end as usize] = true;
            self.lose(id, changed, effects);
            return true;
        }
        if is_failure && !last {
            return true;
        }
        asked.ends[end as usize] = false;
        let observed = ownership.evidence.observed_at.duration_since(UNIX_EPOCH);
        let observed = observed.unwrap_or_default();
        asked.seen_at = Some(asked.seen_at.map_or(observed, |other| other.min(observed)));
        let is_done = asked.ends == [false; 2];
        flow.data.waiting[end as usize] = false;
        if !last {
            self.to_end.push(waiter);
        }
        if !flow.data.is_waiting() {
            self.chronicle.settle(id);
        }
        let again = flow.data.again.as_deref_mut();
        if let Some(again) = again
            && (is_done || !is_same)
            && let Some(asked) = again.asked.take()
        {
            // If one end is uncertain, the packets are.
            if is_same {
                again.answered_at = now;
                again.confirm(mark, number, asked.seen_at.unwrap_or_default());
            } else {
                for (end, is_asked) in [End::Local, End::Remote].into_iter().zip(asked.ends) {
                    if is_asked {
                        flow.data.waiting[end as usize] = false;
                        self.to_end.push(pack(id, end));
                    }
                }
            }
        }
        true
    }

    /// Ends a flow whose owners have changed, with the packets that surely belonged to them. The rest has
    /// no owner, and later packets need a new lookup.
    fn lose(&mut self, id: FlowId, changed: [bool; 2], effects: &mut Vec<Effect>) {
        let now = self.table.now();
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        let Some(again) = flow.data.again.take() else {
            return;
        };
        let last = again.last;
        self.to_end.extend(waiters(flow));
        flow.data.waiting = [false; 2];
        self.chronicle.settle(id);
        let uncertain = Some(Box::new(Uncertain::changed(now, last)));
        let Some(next) = again.unsure.front().map(|slice| slice.from) else {
            flow.data.uncertain = uncertain;
            return;
        };
        let tail = Tail {
            sure: again.sure,
            sure_number: again.sure_number,
            next,
            seconds: again.unsure.iter().map(|slice| slice.counted).collect(),
        };
        self.cut_tail((id, tail), (changed, Reason::Changed), uncertain, effects);
    }

    /// Cuts a live flow before its tail, which loses the owners of the `lost` ends for this reason.
    pub(super) fn cut_tail(
        &mut self,
        (id, tail): (FlowId, Tail),
        (lost, reason): ([bool; 2], Reason),
        uncertain: Option<Box<Uncertain>>,
        effects: &mut Vec<Effect>,
    ) {
        let now = self.table.now();
        let Some(flow) = self.table.flow(id) else {
            return;
        };
        let old_credit = flow.data.credit;
        let mut owners = [flow.data.local.clone(), flow.data.remote.clone()];
        for (owner, is_lost) in owners.iter_mut().zip(lost) {
            if is_lost {
                let nobody = Ownership::unknown(reason, wall_clock(now), Source::None);
                *owner = Some(Box::new(Owner::nobody(nobody)));
            }
        }
        let mut ended = std::mem::take(&mut self.just_ended);
        let rest = self.cut_live(id, &tail, &mut ended);
        if let Some(flow) = self.table.flow_mut(rest.unwrap_or(id)) {
            let [local, remote] = owners;
            flow.data = Owners {
                local,
                remote,
                uncertain,
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
    }
}

/// Whether an answer names an owner, and none that was not named before.
fn names_no_other(new: &Ownership, old: &Ownership) -> bool {
    let (new, old) = (new.verdict.processes(), old.verdict.processes());
    let is_same = |new: &Arc<Process>| old.iter().any(|old| new.is_same_program(old));
    !new.is_empty() && new.iter().all(is_same)
}

#[cfg(test)]
mod tests;
