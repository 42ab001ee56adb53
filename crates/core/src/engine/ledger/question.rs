//! The lookups for the ends of a flow.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use flowner_attribution::{
    self as attribution, Evidence, Initiator, LookupRequest, Match, Ownership, Reason, SocketQuery,
    Source, Token,
};
use flowner_flows::{Direction, Flow, FlowId, Protocol};

use super::{Effect, End, OwnerScope, Owners, wall_clock};
use crate::model::principal::Owner;

/// The number of flows that wait for a silence before the next lookup, and how many of these lookups
/// one packet starts.
pub(super) const MAX_DUE: usize = 8_192;
pub(super) const MAX_AT_ONCE: usize = 32;

/// Starts the lookups for a new flow, or records why there are none.
pub(super) fn ask(flow: &mut Flow<Owners>, asked: OwnerScope, effects: &mut Vec<Effect>) {
    let ends: &[End] = match flow.direction() {
        Direction::Loopback => &[End::Local, End::Remote],
        Direction::Forwarded if asked == OwnerScope::All => &[End::Local, End::Remote],
        Direction::Outgoing
        | Direction::Incoming
        | Direction::Forwarded
        | Direction::Multicast
        | Direction::Broadcast
        | Direction::Spoofed
        | Direction::Overheard
        | Direction::Unknown => &[End::Local],
    };
    let seen_at = wall_clock(flow.first_seen());
    let protocol = match (flow.protocol(), flow.direction()) {
        (_, Direction::Spoofed | Direction::Overheard) => Err(Reason::NotSentHere),
        (_, Direction::Forwarded) if asked != OwnerScope::All => Err(Reason::Forwarded),
        (protocol, _) => Ok(protocol_of_sockets(protocol)),
    };
    let protocol = match protocol {
        Ok(protocol) => protocol,
        Err(reason) => {
            for &end in ends {
                if end == End::Local || reason != Reason::Forwarded {
                    let nobody = Ownership::unknown(reason, seen_at, Source::None);
                    *flow.data.of(end) = Some(Box::new(Owner::nobody(nobody)));
                }
            }
            return;
        }
    };
    for &end in ends {
        flow.data.waiting[end as usize] = true;
        let question =
            LookupRequest::new(query_of(flow, protocol, end), seen_at, opened_by(flow, end));
        effects.push(Effect::Ask(pack(flow.id(), end), question));
    }
}

/// The query for one end of a flow.
pub(super) fn query_of(
    flow: &Flow<Owners>,
    protocol: attribution::Protocol,
    end: End,
) -> SocketQuery {
    let (local, remote) = match end {
        End::Local => (flow.local(), flow.remote()),
        End::Remote => (flow.remote(), flow.local()),
    };
    let (local, remote) = match protocol {
        attribution::Protocol::Raw => (with_number(flow, local), with_number(flow, remote)),
        _ => (local, remote),
    };
    let query = SocketQuery::new(protocol, local, Some(remote));
    // Packets of this host to its own link-local address appear on the loopback device, but reach the
    // sockets of the device that has the address.
    let seen_on = flow.device().map_or(0, NonZeroU32::get);
    let query = query.on_device(scope(local).unwrap_or(seen_on));
    // The initiator of a flow is also the sender of its packets after the owner has changed.
    let initiator = match protocol {
        attribution::Protocol::Raw => with_number(flow, flow.initiator()),
        _ => flow.initiator(),
    };
    if initiator == local {
        query.as_sender()
    } else {
        query
    }
}

/// One end of a flow, with the number of its protocol in place of a port.
fn with_number(flow: &Flow<Owners>, mut end: SocketAddr) -> SocketAddr {
    end.set_port(flow.protocol().0.into());
    end
}

/// The device of a link-local address.
fn scope(address: SocketAddr) -> Option<u32> {
    match address {
        SocketAddr::V6(v6) => Some(v6.scope_id()).filter(|scope| *scope != 0),
        SocketAddr::V4(_) => None,
    }
}

pub(super) fn opened_by(flow: &Flow<Owners>, end: End) -> Initiator {
    let address = match end {
        End::Local => flow.local(),
        End::Remote => flow.remote(),
    };
    let is_mid_stream = flow.protocol() == Protocol::TCP && !flow.initiator_certain();
    if is_mid_stream || flow.is_continued() {
        Initiator::Unknown
    } else if flow.initiator() == address {
        Initiator::Local
    } else {
        Initiator::Remote
    }
}

/// Whether an answer places an end neither on this host nor in a container.
pub(super) fn is_nowhere(direction: Direction, ownership: &Ownership) -> bool {
    direction == Direction::Forwarded
        && ownership.evidence.namespace.is_none()
        && ownership.evidence.matched.is_none()
        && (ownership.verdict.reason()).is_some_and(Reason::is_of_no_open_socket)
}

/// The token that identifies the lookup for an end of a flow.
pub(super) fn pack(id: FlowId, end: End) -> Token {
    Token(id.as_u64() << 1 | end as u64)
}

/// Undoes [`pack`].
pub(super) fn unpack(waiter: Token) -> (FlowId, End) {
    let end = if waiter.0 & 1 == 0 {
        End::Local
    } else {
        End::Remote
    };
    (FlowId::from_u64(waiter.0 >> 1), end)
}

/// Whether one lookup of its socket finds the current owner of a flow. The socket of a connection may
/// be its listener.
pub(super) fn can_be_confirmed(ownership: &Ownership, protocol: Protocol) -> bool {
    let is_connection = protocol == Protocol::TCP && ownership.evidence.source.identifies_sockets();
    let has_socket = ownership.evidence.socket.is_some() || is_connection;
    ownership.verdict.is_named() && (has_socket || is_portless(ownership, protocol))
}

/// Whether another process may send packets of the same flow, because no socket has its ends alone.
pub(super) fn is_portless(ownership: &Ownership, protocol: Protocol) -> bool {
    let Evidence {
        matched, source, ..
    } = &ownership.evidence;
    let is_echo = matches!(protocol, Protocol::ICMP | Protocol::ICMPV6);
    let is_any = matches!(matched, Some(Match::Protocol | Match::PacketSocket));
    *source == Source::SockDiag && (is_echo || is_any)
}

/// The protocol of the sockets of a flow.
pub(super) const fn socket_protocol(flow: &Flow<Owners>) -> attribution::Protocol {
    protocol_of_sockets(flow.protocol())
}

const fn protocol_of_sockets(protocol: Protocol) -> attribution::Protocol {
    match protocol {
        Protocol::TCP => attribution::Protocol::Tcp,
        Protocol::UDP => attribution::Protocol::Udp,
        Protocol::UDP_LITE => attribution::Protocol::UdpLite,
        Protocol::SCTP => attribution::Protocol::Sctp,
        Protocol::DCCP => attribution::Protocol::Dccp,
        Protocol::ICMP | Protocol::ICMPV6 => attribution::Protocol::Icmp,
        _ => attribution::Protocol::Raw,
    }
}

/// The ends of a flow whose owners come from a table that does not identify sockets: another process
/// may have sent the packets after the last answer.
pub(super) fn unproven_ends(flow: &Flow<Owners>) -> [bool; 2] {
    [&flow.data.local, &flow.data.remote].map(|owner| {
        let owner = owner.as_deref();
        owner.is_some_and(|owner| is_unproven(&owner.ownership))
    })
}

pub(super) fn is_unproven(ownership: &Ownership) -> bool {
    ownership.verdict.is_named() && !ownership.evidence.source.identifies_sockets()
}

/// Whether two answers about datagrams are about different sockets. (A connection gets a socket
/// of its own from the listener that was found before.)
pub(super) fn is_another_socket(new: &Ownership, old: &Ownership, protocol: Protocol) -> bool {
    let sockets = new.evidence.socket.zip(old.evidence.socket);
    protocol != Protocol::TCP
        && old.verdict.is_named()
        && sockets.is_some_and(|(new, old)| new != old)
}

/// Whether a lookup found a datagram socket after an earlier one found none: the earlier packets were of
/// another socket, or of none.
pub(super) fn is_later_socket(new: &Ownership, old: &Ownership, protocol: Protocol) -> bool {
    let was_nobody = (old.verdict.reason()).is_some_and(Reason::is_of_no_open_socket);
    // The table may find the socket of a network namespace late. A table without single lookups may
    // find any socket late.
    let is_of_now = new.evidence.socket.is_some() && new.evidence.namespace.is_none();
    protocol != Protocol::TCP && was_nobody && is_of_now && new.verdict.is_named()
}
