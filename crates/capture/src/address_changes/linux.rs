//! Linux: the groups of rtnetlink(7) that hear of addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::OwnAddress;

/// `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR`.
const GROUPS: u32 = 0x10 | 0x100;
/// Addresses that are told of at once; the others are only listed.
const MOST: usize = 256;
/// The kernel fills at most 32 KiB at a time (`netlink_recvmsg`).
const BUFFER: usize = 32 * 1024;
/// Addresses may change while they are listed.
const ATTEMPTS: usize = 5;

/// `RTM_NEWADDR`, `RTM_DELADDR`, `RTM_GETADDR`, `NLMSG_ERROR`, `NLMSG_DONE`, `NLM_F_REQUEST | NLM_F_DUMP`,
/// `NLM_F_DUMP_INTR`.
const NEW: u16 = 20;
const REMOVED: u16 = 21;
const GET: u16 = 22;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const DUMP: u16 = 0x301;
const INTERRUPTED: u16 = 0x10;
/// `struct nlmsghdr` and `struct ifaddrmsg`.
const HEADER_LEN: usize = 16;
const BODY_LEN: usize = 8;
/// `IFA_ADDRESS`, `IFA_LOCAL`, `IFA_BROADCAST`.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const BROADCAST: u16 = 4;

#[derive(Debug)]
pub(super) struct Notices {
    changes: OwnedFd,
    /// For questions, so that their answers are not taken for notices.
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Notices {
    pub(super) fn open() -> io::Result<Self> {
        let changes = socket()?;
        rustix::net::bind(&changes, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self {
            changes,
            socket: socket()?,
            buffer: vec![0; BUFFER],
            sequence: 0,
        })
    }

    pub(super) fn list(&mut self) -> io::Result<Vec<OwnAddress>> {
        for _ in 0..ATTEMPTS {
            let mut addresses = Vec::new();
            if self.list_into(&mut addresses)? {
                return Ok(addresses);
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    /// False if they changed meanwhile.
    fn list_into(&mut self, addresses: &mut Vec<OwnAddress>) -> io::Result<bool> {
        self.sequence = self.sequence.wrapping_add(1);
        let kernel = SocketAddrNetlink::new(0, 0);
        let request = request(self.sequence);
        retry_on_intr(|| rustix::net::sendto(&self.socket, &request, SendFlags::empty(), &kernel))?;
        let mut is_whole = true;
        loop {
            let (length, _) = retry_on_intr(|| {
                rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::empty())
            })?;
            let bytes = &self.buffer[..length];
            if read(bytes, self.sequence, &mut is_whole, addresses)? {
                return Ok(is_whole);
            }
        }
    }

    pub(super) fn drain(&mut self) -> Option<Vec<OwnAddress>> {
        let mut changed: Option<Vec<OwnAddress>> = None;
        loop {
            let buffer = &mut self.buffer[..];
            match rustix::net::recv(&self.changes, buffer, RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    let changed = changed.get_or_insert_default();
                    let room = MOST.saturating_sub(changed.len());
                    changed.extend(notices(&self.buffer[..length]).take(room));
                }
                // Lost: there was no room for it.
                Err(Errno::NOBUFS) => _ = changed.get_or_insert_default(),
                Err(Errno::INTR) => {}
                Err(_) => return changed,
            }
        }
    }
}

/// The addresses in notices that were received at once, up to where they make no sense.
fn notices(mut bytes: &[u8]) -> impl Iterator<Item = OwnAddress> {
    let messages = std::iter::from_fn(move || {
        let length = u32_at(bytes, 0)? as usize;
        let message = bytes.get(..length).filter(|_| length >= HEADER_LEN)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    });
    let is_address = |message: &&[u8]| matches!(u16_at(message, 4), Some(NEW | REMOVED));
    messages
        .filter(is_address)
        .filter_map(|message| address(&message[HEADER_LEN..]))
}

fn socket() -> io::Result<OwnedFd> {
    // `NETLINK_ROUTE` is 0, which is no number of a protocol.
    Ok(rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

fn request(sequence: u32) -> [u8; HEADER_LEN + BODY_LEN] {
    let mut bytes = [0; HEADER_LEN + BODY_LEN];
    #[expect(clippy::cast_possible_truncation, reason = "it is 24")]
    let length = (HEADER_LEN + BODY_LEN) as u32;
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&GET.to_ne_bytes());
    bytes[6..8].copy_from_slice(&DUMP.to_ne_bytes());
    bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    bytes
}

/// The addresses in what was received at once; whether that was the end of the answer.
fn read(
    mut bytes: &[u8],
    sequence: u32,
    is_whole: &mut bool,
    addresses: &mut Vec<OwnAddress>,
) -> io::Result<bool> {
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    while !bytes.is_empty() {
        let length = u32_at(bytes, 0).ok_or_else(malformed)? as usize;
        let message = bytes.get(..length).filter(|_| length >= HEADER_LEN);
        let message = message.ok_or_else(malformed)?;
        if u32_at(message, 8) == Some(sequence) {
            let flags = u16_at(message, 6).ok_or_else(malformed)?;
            *is_whole &= flags & INTERRUPTED == 0;
            let body = &message[HEADER_LEN..];
            match u16_at(message, 4).ok_or_else(malformed)? {
                DONE => return Ok(true),
                ERROR => {
                    let number = u32_at(body, 0).map_or(0, u32::cast_signed);
                    return Err(io::Error::from_raw_os_error(number.wrapping_neg()));
                }
                NEW => addresses.extend(address(body)),
                _ => {}
            }
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// `None` for addresses of other families.
fn address(body: &[u8]) -> Option<OwnAddress> {
    let device = u32_at(body, 4)?;
    let (mut own, mut other, mut broadcast) = (None, None, None);
    let mut rest = body.get(BODY_LEN..)?;
    while let Some(length) = u16_at(rest, 0).map(usize::from) {
        let Some(value) = rest.get(4..length) else {
            break;
        };
        match u16_at(rest, 2)? {
            LOCAL => own = ip(value),
            // Where there is a local one, that of the other end.
            ADDRESS => other = ip(value),
            BROADCAST => broadcast = ip(value),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(OwnAddress {
        ip: own.or(other)?,
        broadcast,
        device,
    })
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        16 => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
        _ => None,
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let array = bytes.get(at..)?.first_chunk();
    array.copied().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let array = bytes.get(at..)?.first_chunk();
    array.copied().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_addresses_are_those_of_the_devices() {
        let mut listed: Vec<_> = Notices::open().unwrap().list().unwrap();
        listed.retain(|address| address.ip.is_loopback());
        let devices = crate::devices().unwrap();
        let loopback = devices.iter().find(|device| device.is_loopback()).unwrap();
        for address in listed {
            assert_eq!(Some(address.device), loopback.index());
            assert!(loopback.addresses.iter().any(|own| own.ip == address.ip));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, 0, &mut true, &mut Vec::new());
            assert!(notices(&bytes).count() <= bytes.len());
        }
    }
}
