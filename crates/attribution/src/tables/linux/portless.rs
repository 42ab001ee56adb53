//! The sockets that a query is about, for protocols whose sockets the kernel only lists.

use std::io;

use super::candidates::{Candidates, chosen_of};
use super::netlink::message::{DiagSocket, Which};
use super::source::Sockets;
use crate::answer::devices::Reach;
use crate::answer::{Protocol, SocketQuery};

/// `IPPROTO_RAW`: raw sockets that only send (raw(7)).
const SENDS_ONLY: u16 = 255;

/// The sockets that a query is about.
pub(super) fn find(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
) -> io::Result<Candidates> {
    let protocol = query.protocol();
    if protocol == Protocol::Raw {
        let raw = raw(sockets, query)?;
        return Ok(chosen_of(protocol, query, reach, raw));
    }
    let mut own = Vec::new();
    sockets.list(protocol, Which::OnPort(query.local().port()), &mut own)?;
    let found = chosen_of(protocol, query, reach, own);
    if protocol != Protocol::Icmp || found != Candidates::None {
        return Ok(found);
    }
    let raw = raw(sockets, query)?;
    Ok(chosen_of(Protocol::Raw, query, reach, raw))
}

/// The raw sockets that may send or receive the packets of a query.
pub(super) fn raw(sockets: &mut Sockets, query: &SocketQuery) -> io::Result<Vec<DiagSocket>> {
    let mut raw = Vec::new();
    sockets.list(Protocol::Raw, Which::All, &mut raw)?;
    let number = query.of_raw_sockets().map(|query| query.local().port());
    raw.retain(|one| {
        let own = one.local.port();
        Some(own) == number || own == SENDS_ONLY
    });
    Ok(raw)
}

/// All sockets with the port of a query, or with the value in its place.
pub(super) fn listed(sockets: &mut Sockets, query: &SocketQuery) -> io::Result<Vec<DiagSocket>> {
    let mut found = Vec::new();
    let which = Which::OnPort(query.local().port());
    sockets.list(query.protocol(), which, &mut found)?;
    Ok(found)
}

/// Whether a socket that a lookup found still has an owner.
pub(super) fn is_open(sockets: &mut Sockets, protocol: Protocol, found: &DiagSocket) -> bool {
    let which = Which::OnPort(found.local.port());
    let mut is_listed = |protocol| {
        let mut now = Vec::new();
        let listed = sockets.list(protocol, which, &mut now);
        listed.is_ok() && now.iter().any(|now| now.inode == found.inode)
    };
    // A raw socket may exchange ICMP messages with an id.
    is_listed(protocol) || (protocol == Protocol::Icmp && is_listed(Protocol::Raw))
}
