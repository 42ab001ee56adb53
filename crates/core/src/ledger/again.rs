//! Flows whose owners cannot be confirmed, as the table does not tell sockets apart: whose they
//! are is asked anew when a datagram comes after a silence. If that is somebody else, what was
//! counted since then is another flow.

use std::sync::Arc;
use std::time::Duration;

use flowner_attribution::{Opened, Ownership, Process, Question, Reason, Verdict, Waiter};
use flowner_flows::{Flow, FlowId, Mark, Protocol};

use super::confirm::{can_be_confirmed, continue_as, socket_protocol, without};
use super::{Effect, End, Ledger, Owners, pack, query_of, wall_clock};
use crate::history::{PacketOf, Second};

/// After so long, a port may have changed hands. To ask costs a whole snapshot, perhaps.
const SILENCE: Duration = Duration::from_millis(250);
/// Seconds of which is remembered what was counted in them until the answer comes.
const MAX_SECONDS: usize = 128;

/// What is known of a flow whose owners cannot be confirmed.
#[derive(Debug, Clone)]
pub(super) struct Again {
    /// Packet time of the newest packet.
    last: Duration,
    asked: Option<Asked>,
}

/// That it was asked anew.
#[derive(Debug, Clone)]
struct Asked {
    /// Of which ends.
    ends: [bool; 2],
    /// What had been counted before the silence, and the number of the first packet after it.
    sure: Mark,
    number: u64,
    /// Packet time of that one, and what was counted since, by second.
    since: Duration,
    unsure: Vec<Second>,
}

impl Asked {
    fn count(&mut self, packet: PacketOf) {
        let is_full = self.unsure.len() >= MAX_SECONDS;
        match self.unsure.last_mut() {
            Some(last) if last.is_at(packet.time.as_secs()) => last.add(packet),
            _ if is_full => {}
            _ => self.unsure.push(Second::of(packet)),
        }
    }
}

impl Again {
    /// For a flow of which an owner was named.
    pub(super) fn new(flow: &Flow<Owners>, ownership: &Ownership) -> Option<Box<Self>> {
        let is_one = flow.protocol() == Protocol::UDP
            && ownership.verdict.is_named()
            && !can_be_confirmed(ownership, flow.protocol());
        is_one.then(|| {
            Box::new(Self {
                last: flow.last_seen(),
                asked: None,
            })
        })
    }
}

impl Ledger {
    /// Asks anew whose a flow is, if a packet that was counted for it came after a silence.
    pub(super) fn ask_again(&mut self, id: FlowId, newest: PacketOf, effects: &mut Vec<Effect>) {
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        let Some(mut again) = flow.data.again.take() else {
            return;
        };
        let before = again.last;
        again.last = before.max(newest.time);
        if let Some(asked) = &mut again.asked {
            asked.count(newest);
        } else if newest.time.saturating_sub(before) >= SILENCE
            && let Some(protocol) = socket_protocol(flow)
        {
            let ends = [End::Local, End::Remote].map(|end| {
                let owner = flow.data.of(end).as_deref();
                let is_asked = owner.is_some_and(|owner| {
                    let Ownership { verdict, .. } = &owner.ownership;
                    verdict.is_named() && !can_be_confirmed(&owner.ownership, Protocol::UDP)
                });
                is_asked && !flow.data.waiting[end as usize]
            });
            for end in [End::Local, End::Remote] {
                if ends[end as usize] {
                    flow.data.waiting[end as usize] = true;
                    let question = Question {
                        query: query_of(flow, protocol, end),
                        seen_at: wall_clock(newest.time),
                        opened: Opened::Earlier,
                    };
                    effects.push(Effect::Ask(pack(id, end), question));
                }
            }
            if ends != [false; 2] {
                let mut asked = Asked {
                    ends,
                    sure: without(flow.mark(), newest, before),
                    number: self.confirming.packets,
                    since: newest.time,
                    unsure: Vec::new(),
                };
                asked.count(newest);
                again.asked = Some(asked);
            }
        }
        flow.data.again = Some(again);
    }

    /// Takes an answer that may be for such a question; whether it is.
    pub(super) fn answered_again(
        &mut self,
        waiter: Waiter,
        (id, end): (FlowId, End),
        ownership: &Ownership,
        last: bool,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(flow) = self.table.flow_mut(id) else {
            return false;
        };
        let Some(again) = flow.data.again.as_deref_mut() else {
            return false;
        };
        let Some(asked) = again.asked.as_mut().filter(|it| it.ends[end as usize]) else {
            return false;
        };
        let old = match end {
            End::Local => flow.data.local.as_deref(),
            End::Remote => flow.data.remote.as_deref(),
        };
        let is_same = old.is_some_and(|old| names_the_same(ownership, &old.ownership));
        let is_failure = ownership.verdict == Verdict::Unknown(Reason::Failed);
        if is_same || is_failure {
            flow.data.waiting[end as usize] &= !last;
            if is_same || last {
                asked.ends[end as usize] = false;
                if asked.ends == [false; 2] {
                    again.asked = None;
                }
                if !last {
                    flow.data.waiting[end as usize] = false;
                    effects.push(Effect::End(waiter));
                }
            }
            if !flow.data.is_waiting() {
                self.chronicle.settle(id);
            }
            return true;
        }
        let Some(asked) = again.asked.take() else {
            return false;
        };
        let old_credit = flow.data.credit;
        let mut ended = std::mem::take(&mut self.just_ended);
        let rest = self.table.cut(id, &asked.sure, asked.since, &mut ended);
        if let Some(rest) = rest {
            self.chronicle.forget(id, &asked.unsure);
            continue_as(&mut ended, asked.number, rest);
        }
        self.retire(&mut ended, effects);
        self.just_ended = ended;
        if let Some(rest) = rest {
            self.opened(rest, effects);
            let flow = self.table.flow(rest);
            let credit = flow.map_or(old_credit, |flow| flow.data.credit);
            self.chronicle
                .move_seconds(&asked.unsure, old_credit, credit);
            self.chronicle.remember_seconds(rest, asked.unsure);
        }
        true
    }
}

fn names_the_same(new: &Ownership, old: &Ownership) -> bool {
    let (new, old) = (new.verdict.processes(), old.verdict.processes());
    let is_same = |(a, b): (&Arc<Process>, &Arc<Process>)| a.is_same_program(b);
    new.len() == old.len() && new.iter().zip(old).all(is_same)
}
