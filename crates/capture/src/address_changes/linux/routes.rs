//! The routes that make addresses this host's own, though no device has them: `ip route add local
//! 203.0.113.0/24 dev lo`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::io::Errno;

use super::ip;
use crate::OwnAddress;
use crate::netlink::attributes;

/// `RTM_NEWROUTE`, `RTM_DELROUTE`, `RTM_GETROUTE`.
pub(super) const NEW: u16 = 24;
pub(super) const REMOVED: u16 = 25;
pub(super) const GET: u16 = 26;
/// `AF_INET` and `AF_INET6`.
pub(super) const FAMILIES: [u8; 2] = [2, 10];
/// `struct rtmsg`: the offsets of the family, of the length of the destination, of the table and of
/// the type.
const BODY_LEN: usize = 12;
const FAMILY: usize = 0;
const LENGTH: usize = 1;
const TABLE: usize = 4;
const TYPE: usize = 7;
/// `RT_TABLE_LOCAL`, which the kernel searches first, and `RTN_LOCAL`.
const LOCAL_TABLE: u8 = 255;
const LOCAL: u8 = 2;
/// `RTA_DST`.
const DESTINATION: u16 = 1;

/// Whether the kernel has no such family, or no such table.
pub(super) fn is_absent(error: &io::Error) -> bool {
    let absent = [Errno::NOENT, Errno::OPNOTSUPP, Errno::AFNOSUPPORT];
    Errno::from_io_error(error).is_some_and(|error| absent.contains(&error))
}

/// The body of a request for the routes of a family that make addresses own ones.
pub(super) fn request(family: u8) -> [u8; BODY_LEN] {
    let mut body = [0; BODY_LEN];
    (body[FAMILY], body[TABLE], body[TYPE]) = (family, LOCAL_TABLE, LOCAL);
    body
}

/// Whether a route makes addresses own ones.
pub(super) fn is_local(body: &[u8]) -> bool {
    body.get(TABLE) == Some(&LOCAL_TABLE) && body.get(TYPE) == Some(&LOCAL)
}

/// The addresses that a route makes own ones; `None` for a route of another kind, and for those of
/// link-local addresses, which devices have.
pub(super) fn network(body: &[u8]) -> Option<OwnAddress> {
    if !is_local(body) {
        return None;
    }
    let prefix = *body.get(LENGTH)?;
    let mut destination = match *body.get(FAMILY)? {
        // A route for all addresses has no destination.
        2 if prefix == 0 => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        10 if prefix == 0 => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        2 | 10 => None,
        _ => return None,
    };
    for (attribute, value) in attributes(body.get(BODY_LEN..)?) {
        if attribute == DESTINATION {
            destination = ip(value);
        }
    }
    let is_of_devices = |ip: &IpAddr| match ip {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
    };
    Some(OwnAddress {
        ip: destination.filter(|ip| !is_of_devices(ip))?,
        broadcast: None,
        device: 0,
        network: Some(prefix),
    })
}
