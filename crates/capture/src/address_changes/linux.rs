//! Linux: the groups of rtnetlink(7) that hear of addresses.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};

/// `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR`.
const GROUPS: u32 = 0x10 | 0x100;
/// What does not fit is cut, which does not matter: it is not read.
const BUFFER: usize = 256;

#[derive(Debug)]
pub(super) struct Notices(OwnedFd);

impl Notices {
    pub(super) fn open() -> io::Result<Self> {
        // `NETLINK_ROUTE` is 0, which is no number of a protocol.
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self(socket))
    }

    pub(super) fn drain(&self) -> bool {
        let mut has_any = false;
        loop {
            let mut buffer = [0_u8; BUFFER];
            match rustix::net::recv(&self.0, &mut buffer[..], RecvFlags::DONTWAIT) {
                // Lost: there was no room for it.
                Ok(_) | Err(Errno::NOBUFS) => has_any = true,
                Err(Errno::INTR) => {}
                Err(_) => return has_any,
            }
        }
    }
}
