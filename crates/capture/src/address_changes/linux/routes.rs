//! The routes that make addresses this host's own, though no device has them: `ip route add local
//! 203.0.113.0/24 dev lo`.
#![allow(
    unsafe_code,
    reason = "no crate in use sets this option of netlink sockets"
)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;

use super::{DUMP, HEADER_LEN, ip, u16_at};
use crate::OwnAddress;

/// `RTM_NEWROUTE`, `RTM_DELROUTE`, `RTM_GETROUTE`.
pub(super) const NEW: u16 = 24;
pub(super) const REMOVED: u16 = 25;
const GET: u16 = 26;
/// `AF_INET` and `AF_INET6`.
pub(super) const FAMILIES: [u8; 2] = [2, 10];
/// `struct rtmsg`: the places of the family, of the length of the destination, of the table and
/// of the type.
const BODY_LEN: usize = 12;
const FAMILY: usize = 0;
const LENGTH: usize = 1;
const TABLE: usize = 4;
const TYPE: usize = 7;
/// `RT_TABLE_LOCAL`, which the kernel looks into first, and `RTN_LOCAL`.
const LOCAL_TABLE: u8 = 255;
const LOCAL: u8 = 2;
/// `RTA_DST`.
const DESTINATION: u16 = 1;

/// Has the kernel list only what a request asks for (`NETLINK_GET_STRICT_CHK`, netlink(7)).
///
/// # Errors
/// Before Linux 4.20.
pub(super) fn strict(socket: OwnedFd) -> io::Result<OwnedFd> {
    let on: libc::c_int = 1;
    let value = std::ptr::from_ref(&on).cast();
    #[expect(clippy::cast_possible_truncation, reason = "it is 4")]
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    let (level, option) = (libc::SOL_NETLINK, libc::NETLINK_GET_STRICT_CHK);
    // SAFETY: `value` is of that many bytes, and what it points to lives as long as the call,
    // during which alone the kernel reads it.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, length) } {
        0 => Ok(socket),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether the kernel has no such family, or no such table.
pub(super) fn is_absent(error: &io::Error) -> bool {
    let absent = [Errno::NOENT, Errno::OPNOTSUPP, Errno::AFNOSUPPORT];
    Errno::from_io_error(error).is_some_and(|error| absent.contains(&error))
}

pub(super) fn request(family: u8, sequence: u32) -> [u8; HEADER_LEN + BODY_LEN] {
    let mut bytes = [0; HEADER_LEN + BODY_LEN];
    #[expect(clippy::cast_possible_truncation, reason = "it is 28")]
    let length = (HEADER_LEN + BODY_LEN) as u32;
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&GET.to_ne_bytes());
    bytes[6..8].copy_from_slice(&DUMP.to_ne_bytes());
    bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    let body = &mut bytes[HEADER_LEN..];
    (body[FAMILY], body[TABLE], body[TYPE]) = (family, LOCAL_TABLE, LOCAL);
    bytes
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
        // One for all addresses tells none.
        2 if prefix == 0 => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        10 if prefix == 0 => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        2 | 10 => None,
        _ => return None,
    };
    let mut rest = body.get(BODY_LEN..)?;
    while let Some(length) = u16_at(rest, 0).map(usize::from) {
        let Some(value) = rest.get(4..length) else {
            break;
        };
        if u16_at(rest, 2)? == DESTINATION {
            destination = ip(value);
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
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
