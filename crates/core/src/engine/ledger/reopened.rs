//! Connections between ends that another connection had right after them.
//!
//! An answer about a connection may be about the socket of the next one: when the lookup was made,
//! the next SYN may have been sent, and not read yet. So such an answer is taken back once the next
//! connection is seen, unless the end has proved that its own socket was still there: it sent a
//! segment of this connection after the socket was found, and no other socket can have these ends as
//! long as that one is there.

use std::time::{Duration, UNIX_EPOCH};

use flowner_attribution::{Initiator, Match, Ownership, Reason, Source, Verdict};
use flowner_flows::{Change, Ended, Flow, FlowId, Packet, Protocol, TcpFlags, Update};

use super::question::opened_by;
use super::{End, Ledger, Owners, credit, is_settled};
use crate::engine::traffic_history::TrafficHistory;
use crate::model::principal::{Owner, Principal};

/// How long after a socket was found the SYN of its connection may be seen. The system keeps a SYN
/// back while it looks for the address of a neighbour, and sends one again after 1 s and after 3 s
/// that a rule has dropped before it could be captured.
const SYN_WITHIN: Duration = Duration::from_secs(4);

/// What the segments of a connection tell about the sockets of its ends, and which connection is
/// the next one.
#[derive(Debug, Clone, Default)]
pub(super) struct Reopened {
    /// By end, the packet time of its last segment that resets nothing, in nanoseconds: its socket
    /// was there then.
    alive: [u64; 2],
    /// By end, whether it has sent a reset since: its socket is gone.
    has_reset: [bool; 2],
    /// Packet time of the first segment of the next connection between the same ends.
    next: Option<Box<Duration>>,
}

impl Reopened {
    fn alive(&self, end: End) -> Duration {
        Duration::from_nanos(self.alive[end as usize])
    }

    fn sent(&mut self, end: End, time: Duration, is_reset: bool) {
        self.has_reset[end as usize] = is_reset;
        if !is_reset {
            let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            let alive = &mut self.alive[end as usize];
            *alive = time.max(*alive);
        }
    }
}

impl Ledger {
    /// Takes note of a segment that was counted for a connection, and of the connections that have
    /// just ended with it.
    pub(super) fn note_segment(
        &mut self,
        update: Update,
        packet: &Packet,
        ended: &mut [Ended<Owners>],
    ) {
        let Some(tcp) = packet.tcp else {
            return;
        };
        self.replaced(update, ended);
        if let Some(flow) = self.table.flow_mut(update.id) {
            let end = if flow.is_from_local(update.from_initiator) {
                End::Local
            } else {
                End::Remote
            };
            let is_reset = tcp.flags.contains(TcpFlags::RST);
            let was_settled = is_settled(flow, false);
            flow.data.reopened.sent(end, packet.time, is_reset);
            if !was_settled && is_settled(flow, false) {
                self.chronicle.settle(update.id);
            }
        }
    }

    /// Takes back who was named for the connection between the ends of a new one, which has just
    /// ended, where that may be the owner of the new one.
    fn replaced(&mut self, update: Update, ended: &mut [Ended<Owners>]) {
        if update.change != Change::Opened || ended.is_empty() {
            return;
        }
        let Some((key, opened)) = self.opening(update.id) else {
            return;
        };
        for Ended { flow, .. } in ended {
            if flow.key() == key {
                flow.data.reopened.next = Some(Box::new(opened));
                take_back_both(flow, &mut self.chronicle);
            }
        }
    }

    fn opening(&self, id: FlowId) -> Option<(flowner_flows::FlowKey, Duration)> {
        let flow = self.table.flow(id)?;
        (flow.protocol() == Protocol::TCP).then(|| (flow.key(), flow.first_seen()))
    }
}

/// Takes back who was named for the ends of a connection, where it may be the next one's owner.
fn take_back_both(flow: &mut Flow<Owners>, chronicle: &mut TrafficHistory) {
    let mut is_taken = false;
    for end in [End::Local, End::Remote] {
        let told = flow.data.told(end);
        if told.is_some_and(|told| may_be_next(flow, end, told)) {
            let observed_at = told.map_or(UNIX_EPOCH, |told| told.evidence.observed_at);
            let nobody = Ownership::unknown(Reason::Changed, observed_at, Source::None);
            *flow.data.of(end) = Some(Box::new(Owner::nobody(nobody)));
            is_taken = true;
        }
    }
    if is_taken {
        let credit = credit(flow, chronicle);
        let before = std::mem::replace(&mut flow.data.credit, credit);
        chronicle.move_credit(flow.id(), before, credit);
    }
}

/// Takes back whom a new answer names, where that may be the owner of the next connection between
/// the same ends.
pub(super) fn take_back(
    flow: &Flow<Owners>,
    end: End,
    ownership: &mut Ownership,
    principal: &mut Principal,
) {
    let reason = if may_be_next(flow, end, ownership) {
        Reason::Changed
    } else if was_gone(flow, end, ownership) {
        Reason::Gone
    } else {
        return;
    };
    let observed_at = ownership.evidence.observed_at;
    *ownership = Ownership::unknown(reason, observed_at, Source::None);
    *principal = Principal::Unattributed;
}

/// Whether those who are named for a connection may be taken back when the next one is seen.
pub(super) fn is_unproven(flow: &Flow<Owners>) -> bool {
    let is_unproven = |end: End| {
        let told = flow.data.told(end);
        told.is_some_and(|told| {
            is_of_its_own(flow, end, told) && flow.data.reopened.alive(end) < found_by(told)
        })
    };
    flow.protocol() == Protocol::TCP && [End::Local, End::Remote].into_iter().any(is_unproven)
}

/// Whether the socket of an answer may be that of the next connection, which was seen by now.
fn may_be_next(flow: &Flow<Owners>, end: End, ownership: &Ownership) -> bool {
    let Some(next) = flow.data.reopened.next.as_deref() else {
        return false;
    };
    let found_by = found_by(ownership);
    is_of_its_own(flow, end, ownership)
        && flow.data.reopened.alive(end) < found_by
        && next.saturating_sub(found_by) <= SYN_WITHIN
}

/// Whether the end had no socket any more when one was found: that is of a connection whose SYN
/// was not read yet.
fn was_gone(flow: &Flow<Owners>, end: End, ownership: &Ownership) -> bool {
    let observed_at = ownership.evidence.observed_at.duration_since(UNIX_EPOCH);
    flow.data.reopened.has_reset[end as usize]
        && is_of_its_own(flow, end, ownership)
        && observed_at.is_ok_and(|observed| flow.last_seen() <= observed)
}

/// Whether an answer says who has a socket that no other connection uses, as a lookup found it.
fn is_of_its_own(flow: &Flow<Owners>, end: End, ownership: &Ownership) -> bool {
    // A listener serves the next connection, too.
    let is_own = ownership.evidence.matched == Some(Match::FiveTuple)
        || opened_by(flow, end) == Initiator::Local;
    flow.protocol() == Protocol::TCP
        && is_own
        && ownership.evidence.source != Source::Recorded
        && !matches!(ownership.verdict, Verdict::Unknown(_))
}

fn found_by(ownership: &Ownership) -> Duration {
    let evidence = &ownership.evidence;
    let found_by = evidence.found_by.unwrap_or(evidence.observed_at);
    let found_by = found_by.duration_since(UNIX_EPOCH);
    found_by.unwrap_or_default()
}

#[cfg(test)]
mod tests;
