//! Flows whose first packet a program of this host may have forged, with the addresses and ports of
//! another program's socket; and segments of connections that may not exist.

use flowner_attribution::{Initiator, LookupRequest, Match, Ownership, Reason, Token, Verdict};
use flowner_flows::{Flow, FlowId, Protocol};

use super::question::{opened_by, query_of, socket_protocol};
use super::{Effect, End, Ledger, Owners, pack, unpack, wall_clock};
use crate::engine::traffic_history::PacketOf;
use crate::model::principal::Principal;

/// Which sockets with the ends of a flow's first packet are no evidence that they sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Doubt {
    #[default]
    None,
    UnconnectedSocket,
    AnySocket,
}

impl Ledger {
    /// Records that the apparent sender of the first packet of a new flow may not have sent it.
    pub(crate) fn doubt(&mut self, waiter: Token, doubt: Doubt) {
        let (id, end) = unpack(waiter);
        if let Some(flow) = self.table.flow_mut(id) {
            flow.data.doubt[end as usize] = doubt;
        }
    }
}

impl Ledger {
    /// Looks up an end again whose owner was withdrawn, at the first segment that it sends.
    pub(super) fn ask_when_sent(
        &mut self,
        id: FlowId,
        packet: PacketOf,
        effects: &mut Vec<Effect>,
    ) {
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        let end = if packet.is_local {
            End::Local
        } else {
            End::Remote
        };
        if !flow.data.asks_when_sent[end as usize] || !has_answered(flow, end) {
            return;
        }
        flow.data.asks_when_sent[end as usize] = false;
        let protocol = socket_protocol(flow);
        if !flow.data.waiting[end as usize] {
            flow.data.waiting[end as usize] = true;
            let question = LookupRequest::new(
                query_of(flow, protocol, end),
                wall_clock(packet.time),
                Initiator::Unknown,
            );
            effects.push(Effect::Ask(pack(id, end), question));
        }
    }
}

/// Withdraws the owner of one end of a connection if the opening was not captured, only the port names
/// the owner, and this end has sent nothing but a refusal. There may be no such connection: any host
/// can send a segment to a port.
pub(super) fn take_back_stray(
    flow: &mut Flow<Owners>,
    end: End,
    ownership: &mut Ownership,
    principal: &mut Principal,
) {
    let is_by_port = matches!(
        ownership.evidence.matched,
        Some(Match::LocalEndpoint | Match::WildcardAddress)
    );
    let is_known = !matches!(ownership.verdict, Verdict::Unknown(_));
    if flow.protocol() == Protocol::TCP
        && is_by_port
        && is_known
        && opened_by(flow, end) == Initiator::Unknown
        && !has_answered(flow, end)
    {
        ownership.verdict = Verdict::Unknown(Reason::NotFound);
        ownership.evidence.matched = None;
        *principal = Principal::Unattributed;
        flow.data.asks_when_sent[end as usize] = true;
    }
}

/// Whether an end has sent a segment that the kernel sends only for an existing connection. A segment
/// that refuses another one ends the flow.
fn has_answered(flow: &Flow<Owners>, end: End) -> bool {
    let mark = flow.mark();
    let sent = match end {
        End::Local => mark.sent,
        End::Remote => mark.received,
    };
    sent.packets > 0 && !flow.state().has_ended()
}

/// Withdraws the owner of an end in doubt, unless there is enough evidence: its socket is connected to the
/// other end, and no other socket of this host only sends frames.
pub(super) fn take_back(
    flow: &Flow<Owners>,
    end: End,
    ownership: &mut Ownership,
    principal: &mut Principal,
) {
    // Or the send watcher found the process of such a socket running when it sent the packet.
    let matched = ownership.evidence.matched;
    let is_seen = matches!(matched, Some(Match::PacketSocket | Match::Protocol));
    let is_guess = match flow.data.doubt[end as usize] {
        Doubt::None => false,
        Doubt::UnconnectedSocket => !is_seen && matched != Some(Match::FiveTuple),
        Doubt::AnySocket => !is_seen,
    };
    let is_known = !matches!(ownership.verdict, Verdict::Unknown(_));
    // No socket is known to have sent such a datagram.
    let is_gone = ownership.verdict == Verdict::Unknown(Reason::Gone);
    let is_gone = is_gone && flow.protocol() == Protocol::UDP;
    if is_guess && (is_known || is_gone) {
        ownership.verdict = Verdict::Unknown(Reason::PacketSocket);
        ownership.evidence.matched = None;
        *principal = Principal::Unattributed;
    }
}
