//! The messages of `sctp_diag` where they differ from the rest of `sock_diag` (`net/sctp/diag.c`).
//! Pure.
//!
//! An endpoint or an association has several addresses at each end (RFC 9260, 6.4), and exchanges
//! packets between any two of them. So the parser returns a socket for each pair.

use std::net::{IpAddr, SocketAddr};

use super::frame::{Malformed, array_at, attributes};
use super::message::{DiagSocket, SOCKET_LEN};
use crate::answer::SocketState;

/// `INET_DIAG_LOCALS` and `INET_DIAG_PEERS`: lists of `struct sockaddr_storage`.
const LOCALS: u16 = 12;
const PEERS: u16 = 13;
const ADDRESS_LEN: usize = 128;

/// The number of addresses that this parses for an end. More do not occur in practice.
pub(crate) const MAX_ADDRESSES: usize = 16;

/// The sockets of a message, given the first pair of ends: one for each pair.
pub(crate) fn each(first: DiagSocket, body: &[u8]) -> Result<Vec<DiagSocket>, Malformed> {
    let (mut locals, mut peers) = (Vec::new(), Vec::new());
    for attribute in attributes(body.get(SOCKET_LEN..).ok_or(Malformed)?) {
        match attribute? {
            (LOCALS, value) => addresses(value, &mut locals)?,
            (PEERS, value) => addresses(value, &mut peers)?,
            _ => {}
        }
    }
    let state = match first.remote {
        // The state of the association, in place of that of the socket.
        Some(_) => association_state(body[1]),
        None => first.state,
    };
    // The device of an association comes from its route: the association is not bound to it.
    let device = first.device.filter(|_| first.remote.is_none());
    Ok(pairs(
        DiagSocket {
            state,
            device,
            ..first
        },
        &locals,
        &peers,
    ))
}

/// A socket for each pair of these addresses, with the ports of the first.
pub(crate) fn pairs(first: DiagSocket, locals: &[IpAddr], peers: &[IpAddr]) -> Vec<DiagSocket> {
    let (own_local, own_remote) = (first.local.ip(), first.remote.map(|end| end.ip()));
    let locals = if locals.is_empty() {
        &[own_local]
    } else {
        locals
    };
    let peers: Vec<Option<IpAddr>> = match first.remote {
        None => vec![None],
        Some(_) if peers.is_empty() => vec![own_remote],
        Some(_) => peers.iter().copied().map(Some).collect(),
    };
    let mut all = Vec::with_capacity(locals.len() * peers.len());
    for local in locals {
        for peer in &peers {
            let is_same_family = peer.is_none_or(|peer| peer.is_ipv4() == local.is_ipv4());
            if !is_same_family {
                continue;
            }
            let remote = peer.zip(first.remote);
            all.push(DiagSocket {
                local: SocketAddr::new(*local, first.local.port()),
                remote: remote.map(|(peer, end)| SocketAddr::new(peer, end.port())),
                ..first
            });
        }
    }
    all
}

fn addresses(bytes: &[u8], all: &mut Vec<IpAddr>) -> Result<(), Malformed> {
    for one in bytes.chunks_exact(ADDRESS_LEN).take(MAX_ADDRESSES) {
        match u16::from_ne_bytes(array_at(one, 0)?) {
            2 => all.push(array_at::<4>(one, 4)?.into()),
            10 => {
                let ip = IpAddr::from(array_at::<16>(one, 8)?);
                all.push(ip.to_canonical());
            }
            _ => {}
        }
    }
    Ok(())
}

/// `enum sctp_state` (`include/net/sctp/constants.h`), in the words of TCP.
pub(crate) const fn association_state(number: u8) -> Option<SocketState> {
    Some(match number {
        0 => SocketState::Closed,
        // COOKIE-WAIT and COOKIE-ECHOED.
        1 | 2 => SocketState::SynSent,
        3 => SocketState::Established,
        // SHUTDOWN-PENDING, -SENT, -RECEIVED, -ACK-SENT.
        4 => SocketState::FinWait1,
        5 => SocketState::FinWait2,
        6 => SocketState::CloseWait,
        7 => SocketState::LastAck,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message;
    use super::*;

    /// `struct sockaddr_storage` with an address of IPv4.
    fn storage(ip: [u8; 4], port: u16) -> Vec<u8> {
        let mut bytes = vec![0; ADDRESS_LEN];
        bytes[..2].copy_from_slice(&2_u16.to_ne_bytes());
        bytes[2..4].copy_from_slice(&port.to_be_bytes());
        bytes[4..8].copy_from_slice(&ip);
        bytes
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat()
    }

    /// An association between two addresses and two others, as `inet_sctp_diag_fill` writes it.
    fn association() -> Vec<u8> {
        let mut body = vec![0; SOCKET_LEN];
        (body[0], body[1]) = (2, 3);
        body[4..6].copy_from_slice(&9_000_u16.to_be_bytes());
        body[6..8].copy_from_slice(&60_000_u16.to_be_bytes());
        body[8..12].copy_from_slice(&[10, 0, 0, 1]);
        body[24..28].copy_from_slice(&[10, 0, 0, 2]);
        // From the route.
        body[40..44].copy_from_slice(&3_u32.to_ne_bytes());
        body[44] = 9;
        body[64..68].copy_from_slice(&1_000_u32.to_ne_bytes());
        body[68..72].copy_from_slice(&23_232_u32.to_ne_bytes());
        let locals = [storage([10, 0, 0, 1], 9_000), storage([10, 1, 0, 1], 9_000)].concat();
        let peers = [
            storage([10, 0, 0, 2], 60_000),
            storage([10, 1, 0, 2], 60_000),
        ]
        .concat();
        body.extend(attribute(LOCALS, &locals));
        body.extend(attribute(PEERS, &peers));
        body
    }

    #[test]
    fn an_association_is_a_socket_for_each_pair_of_addresses() {
        let body = association();
        let first = message::of(20, &body).unwrap().unwrap();
        let all = each(first, &body).unwrap();
        let ends: Vec<String> = all
            .iter()
            .map(|one| format!("{} {}", one.local, one.remote.unwrap()))
            .collect();
        assert_eq!(
            ends,
            [
                "10.0.0.1:9000 10.0.0.2:60000",
                "10.0.0.1:9000 10.1.0.2:60000",
                "10.1.0.1:9000 10.0.0.2:60000",
                "10.1.0.1:9000 10.1.0.2:60000",
            ]
        );
        for one in all {
            assert_eq!(one.state, Some(SocketState::Established));
            assert_eq!((one.inode, one.uid, one.device), (23_232, 1_000, None));
        }
    }

    #[test]
    fn a_listener_has_its_own_device_and_no_peer() {
        let mut body = association();
        body.truncate(SOCKET_LEN);
        body[1] = 10;
        body[6..8].fill(0);
        body[24..28].fill(0);
        body.extend(attribute(LOCALS, &storage([10, 0, 0, 1], 9_000)));
        let first = message::of(20, &body).unwrap().unwrap();
        let all = each(first, &body).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].state, Some(SocketState::Listen));
        assert_eq!((all[0].remote, all[0].device), (None, Some(3)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(
            head in prop::collection::vec(any::<u8>(), SOCKET_LEN),
            rest in prop::collection::vec(any::<u8>(), 0..300),
            kind in prop_oneof![Just(LOCALS), Just(PEERS)],
        ) {
            let mut body = head;
            body[0] = 2;
            body.extend(attribute(kind, &rest));
            let first = message::of(20, &body).unwrap().unwrap();
            let all = each(first, &body).unwrap();
            prop_assert!(all.len() <= MAX_ADDRESSES * MAX_ADDRESSES);
        }
    }
}
