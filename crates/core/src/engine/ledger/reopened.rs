//! Connections that are followed at once by another connection between the same ends.
//!
//! An answer about a connection may be about the socket of the next one: at the time of the lookup, the
//! next SYN may have been sent but not read. So the ledger withdraws such an answer when it counts the
//! next connection, unless the end has proved that its own socket still existed: it sent a segment of
//! this connection after the lookup found the socket, and no other socket can have these ends while that
//! one exists.

use std::time::{Duration, UNIX_EPOCH};

use flowner_attribution::{Initiator, Match, Ownership, Reason, Source, Verdict};
use flowner_flows::{Change, Ended, Flow, FlowId, Packet, Protocol, TcpFlags, Update};

use super::question::opened_by;
use super::{End, Ledger, Owners, credit, is_settled};
use crate::engine::traffic_history::TrafficHistory;
use crate::model::principal::{Owner, Principal};

/// How long after a lookup found a socket its SYN may be captured. The system holds a SYN back while it
/// resolves the address of a neighbour. If a rule dropped the SYN before the capture, the system sends it
/// again after 1 s and after 3 s.
const SYN_WITHIN: Duration = Duration::from_secs(4);

/// The evidence in the segments of a connection about the sockets of its ends, and the next connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Reopened {
    /// By end, the packet time of its last segment without RST, in nanoseconds: its socket existed then.
    alive: [u64; 2],
    /// By end, whether it has sent RST since then: its socket is gone.
    has_reset: [bool; 2],
    /// The packet time of the first segment of the next connection between the same ends.
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
    /// Records a segment that was counted for a connection, and the connections that it just ended.
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

    /// Withdraws the owner of the connection that a new one between the same ends has just ended, if it
    /// may be the owner of the new one.
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

/// Withdraws the owners of a connection that may be those of the next one.
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

/// Withdraws the owner in a new answer if it may be that of the next connection between the same ends.
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

/// Whether the next connection may withdraw the owners of this one.
pub(super) fn is_unproven(flow: &Flow<Owners>) -> bool {
    let is_unproven = |end: End| {
        let told = flow.data.told(end);
        told.is_some_and(|told| {
            is_of_its_own(flow, end, told) && flow.data.reopened.alive(end) < found_by(told)
        })
    };
    flow.protocol() == Protocol::TCP && [End::Local, End::Remote].into_iter().any(is_unproven)
}

/// Whether the socket of an answer may be that of the next connection, which the ledger has counted.
fn may_be_next(flow: &Flow<Owners>, end: End, ownership: &Ownership) -> bool {
    let Some(next) = flow.data.reopened.next.as_deref() else {
        return false;
    };
    let found_by = found_by(ownership);
    is_of_its_own(flow, end, ownership)
        && flow.data.reopened.alive(end) < found_by
        && next.saturating_sub(found_by) <= SYN_WITHIN
}

/// Whether the end had no socket any more when the lookup found one: that socket is of a connection
/// whose SYN was not read yet.
fn was_gone(flow: &Flow<Owners>, end: End, ownership: &Ownership) -> bool {
    let observed_at = ownership.evidence.observed_at.duration_since(UNIX_EPOCH);
    flow.data.reopened.has_reset[end as usize]
        && is_of_its_own(flow, end, ownership)
        && observed_at.is_ok_and(|observed| flow.last_seen() <= observed)
}

/// Whether an answer is about a socket that no other connection uses, and comes from a lookup.
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
