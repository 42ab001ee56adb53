//! The claim about the owners of a flow that a confirmation checks.

use std::time::{Duration, SystemTime};

use flowner_attribution::capture::Confirmed;
use flowner_attribution::{Ownership, SocketQuery};
use flowner_flows::{Flow, FlowId, Mark};

use super::SILENCE;
use crate::engine::ledger::question::{can_be_confirmed, is_portless, socket_protocol};
use crate::engine::ledger::{End, Owners, query_of, wall_clock};
use crate::engine::traffic_history::PacketOf;

/// A claim about the owners of a flow, in an [`Effect::Confirm`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim {
    pub(super) flow: FlowId,
    /// For each end whose owner can be confirmed: the query, and the owner so far.
    pub(crate) ends: [Option<(SocketQuery, Ownership)>; 2],
    /// The wall-clock time of the newest packet: the answer must not be older.
    pub(crate) since: SystemTime,
    pub(super) mark: Mark,
    pub(super) number: u64,
    /// The packet that started the confirmation, if it may have come from another socket than the
    /// packets before.
    pub(super) newest: Option<PacketOf>,
}

impl Claim {
    /// Whether a packet without a port from this end started the confirmation. If the owner's
    /// socket is gone by now, another socket sent that packet.
    pub(super) fn is_sent_without_port(&self, flow: &Flow<Owners>, end: End) -> bool {
        let asked = self.ends[end as usize].as_ref();
        let is_sent = |newest: PacketOf| newest.is_local == (end == End::Local);
        asked.is_some_and(|(_, known)| is_portless(known, flow.protocol()))
            && self.newest.is_some_and(is_sent)
    }
}

impl Claim {
    /// Improves the answers with the times of the packets. If an end has sent all along, a socket
    /// without a port that is gone by now was closed after the newest packet: another process does
    /// not start and send so soon.
    pub(super) fn after_packets(
        &self,
        flow: &Flow<Owners>,
        mut answers: [Confirmed; 2],
    ) -> [Confirmed; 2] {
        let Some(confirmation) = flow.data.confirmation.as_deref() else {
            return answers;
        };
        for end in [End::Local, End::Remote] {
            let answer = &mut answers[end as usize];
            let has_sent_on = !confirmation.was_silent[end as usize];
            if *answer == Confirmed::Gone && has_sent_on && self.is_sent_without_port(flow, end) {
                *answer = Confirmed::Same;
            }
        }
        answers
    }
}

/// The claim about a flow; `None` if no owner can be confirmed.
pub(super) fn claim(flow: &Flow<Owners>, number: u64, newest: Option<PacketOf>) -> Option<Claim> {
    let ends = [End::Local, End::Remote].map(|end| {
        let owner = match end {
            End::Local => flow.data.local.as_deref(),
            End::Remote => flow.data.remote.as_deref(),
        };
        let is_known = can_be_confirmed(&owner?.ownership, flow.protocol());
        let protocol = socket_protocol(flow);
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

/// Whether a lookup came long after the packet that started it, and the socket was closed by then.
/// The owner may have passed the socket on before that packet, to any process.
pub(super) fn is_too_late(
    flow: &Flow<Owners>,
    claim: &Claim,
    answers: [Confirmed; 2],
    at: Duration,
) -> bool {
    let is_late = |newest: PacketOf| at.saturating_sub(newest.time) >= SILENCE;
    let mut ends = claim.ends.iter().zip(answers);
    claim.newest.is_some_and(is_late)
        && !flow.state().has_ended()
        && ends.any(|(asked, answer)| {
            asked.is_some() && matches!(answer, Confirmed::Gone | Confirmed::Closed)
        })
}
