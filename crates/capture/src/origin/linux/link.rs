//! What the kernel knows of a device (rtnetlink(7)): its index, its kind and its hardware
//! address, and that it changed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// `ARPHRD_ETHER`, `ARPHRD_LOOPBACK`.
const ETHERNET: u16 = 1;
pub(super) const LOOPBACK: u16 = 772;

/// `RTM_NEWLINK`, `RTM_GETLINK`, `NLMSG_ERROR`, `NLM_F_REQUEST`, `RTMGRP_LINK`.
const NEW: u16 = 16;
const GET: u16 = 18;
const ERROR: u16 = 2;
const REQUEST: u16 = 1;
const CHANGES: u32 = 1;
/// `struct nlmsghdr` and `struct ifinfomsg`.
const HEADER_LEN: usize = 16;
const BODY_LEN: usize = 16;
/// `IFLA_ADDRESS`, `IFLA_MASTER`, `IFLA_LINKINFO`, and `IFLA_INFO_SLAVE_KIND` in it.
const ADDRESS: u16 = 1;
const MASTER: u16 = 10;
const LINK_INFO: u16 = 18;
const PORT_KIND: u16 = 4;
/// What gives frames for its own address to this host, whichever port they arrive at.
const TAKES_FRAMES: [&[u8]; 3] = [b"bridge\0", b"bond\0", b"team\0"];
/// The kernel fills at most 32 KiB at a time (`netlink_recvmsg`).
const BUFFER: usize = 32 * 1024;
/// An answer that takes longer is none.
const ATTEMPTS: usize = 64;

type HardwareAddress = [u8; 6];

/// A device, as it was when the kernel was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    /// `ARPHRD_…`.
    pub(super) kind: u16,
    /// Of Ethernet alone.
    address: Option<HardwareAddress>,
    /// The index of the bridge that this device is a port of, or of its like.
    master: Option<u32>,
}

/// A device whose changes the kernel tells.
#[derive(Debug)]
pub(super) struct Watched {
    link: Link,
    /// Where this device is a port, that of the bridge: frames for it are for this host.
    master: Option<HardwareAddress>,
    /// What its addresses were, and until when at the latest.
    before: Option<([Option<HardwareAddress>; 2], Duration)>,
    netlink: Netlink,
    changes: OwnedFd,
}

impl Watched {
    pub(super) fn open(name: &str) -> io::Result<Self> {
        let changes = socket()?;
        rustix::net::bind(&changes, &SocketAddrNetlink::new(0, CHANGES))?;
        let mut netlink = Netlink {
            socket: socket()?,
            buffer: vec![0; BUFFER],
            sequence: 0,
        };
        let index = rustix::net::netdevice::name_to_index(&socket_of_names()?, name)?;
        let link = netlink.link(index)?;
        let master = master_address(&mut netlink, link);
        Ok(Self {
            link,
            master,
            before: None,
            netlink,
            changes,
        })
    }

    pub(super) const fn link(&self) -> Link {
        self.link
    }

    /// Readable when a device has changed.
    pub(super) fn notices(&self) -> BorrowedFd<'_> {
        self.changes.as_fd()
    }

    /// Whether a frame that arrived is for another host, as `eth_type_trans` tells it.
    pub(super) fn is_for_another(&mut self, frame: &[u8], time: Duration) -> bool {
        if self.link.kind != ETHERNET || self.link.address.is_none() {
            return false;
        }
        let Some(to) = frame.first_chunk().copied() else {
            return false;
        };
        if self.is_own(to, time) {
            return false;
        }
        // The address may have changed just now.
        self.catch_up();
        !self.is_own(to, time)
    }

    fn is_own(&self, to: HardwareAddress, time: Duration) -> bool {
        let is_group = to[0] & 1 != 0;
        let was_own = |(addresses, until): &([Option<HardwareAddress>; 2], Duration)| {
            time <= *until && addresses.contains(&Some(to))
        };
        is_group
            || self.addresses().contains(&Some(to))
            || self.before.as_ref().is_some_and(was_own)
    }

    const fn addresses(&self) -> [Option<HardwareAddress>; 2] {
        [self.link.address, self.master]
    }

    /// Reads the device again if the kernel told of a change. What was known stays where that
    /// fails.
    pub(super) fn catch_up(&mut self) {
        if !self.drain() {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        match self.netlink.link(self.link.index) {
            Ok(link) => {
                let before = self.addresses();
                self.link = link;
                self.master = master_address(&mut self.netlink, link);
                if self.addresses() != before {
                    self.before = Some((before, now.unwrap_or_default()));
                }
            }
            Err(error) => tracing::debug!(%error, "a device that changed was not read again"),
        }
    }

    /// Takes the notices; whether there was any, or some were lost.
    fn drain(&mut self) -> bool {
        let mut has_any = false;
        loop {
            let buffer = &mut self.netlink.buffer[..];
            match rustix::net::recv(&self.changes, buffer, RecvFlags::DONTWAIT) {
                Ok(_) | Err(Errno::NOBUFS) => has_any = true,
                Err(Errno::INTR) => {}
                Err(_) => return has_any,
            }
        }
    }
}

fn master_address(netlink: &mut Netlink, link: Link) -> Option<HardwareAddress> {
    netlink.link(link.master?).ok()?.address
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

/// Any socket of the network namespace: what is asked for is the same.
fn socket_of_names() -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

#[derive(Debug)]
struct Netlink {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Netlink {
    fn link(&mut self, index: u32) -> io::Result<Link> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(index, self.sequence);
        let kernel = SocketAddrNetlink::new(0, 0);
        retry_on_intr(|| rustix::net::sendto(&self.socket, &request, SendFlags::empty(), &kernel))?;
        for _ in 0..ATTEMPTS {
            let (length, _) = retry_on_intr(|| {
                rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::empty())
            })?;
            if let Some(answer) = answer(&self.buffer[..length], self.sequence) {
                return answer;
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

fn request(index: u32, sequence: u32) -> [u8; HEADER_LEN + BODY_LEN] {
    let mut bytes = [0; HEADER_LEN + BODY_LEN];
    #[expect(clippy::cast_possible_truncation, reason = "it is 32")]
    let length = (HEADER_LEN + BODY_LEN) as u32;
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&GET.to_ne_bytes());
    bytes[6..8].copy_from_slice(&REQUEST.to_ne_bytes());
    bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    bytes[HEADER_LEN + 4..HEADER_LEN + 8].copy_from_slice(&index.to_ne_bytes());
    bytes
}

/// The answer to the request with this number, from what was received at once; `None` where it
/// is not among it. Any bytes whatsoever are read.
fn answer(mut bytes: &[u8], sequence: u32) -> Option<io::Result<Link>> {
    loop {
        let length = u32_at(bytes, 0)? as usize;
        let message = bytes.get(..length).filter(|_| length >= HEADER_LEN)?;
        if u32_at(message, 8)? == sequence {
            let body = &message[HEADER_LEN..];
            let kind = u16_at(message, 4)?;
            let malformed = || io::ErrorKind::InvalidData.into();
            match kind {
                NEW => return Some(link(body).ok_or_else(malformed)),
                ERROR => {
                    let number = u32_at(body, 0).map_or(0, u32::cast_signed);
                    return Some(Err(io::Error::from_raw_os_error(number.wrapping_neg())));
                }
                _ => {}
            }
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}

fn link(body: &[u8]) -> Option<Link> {
    let kind = u16_at(body, 2)?;
    let mut link = Link {
        index: u32_at(body, 4)?,
        kind,
        address: None,
        master: None,
    };
    let mut takes_frames = false;
    for (attribute, value) in attributes(body.get(BODY_LEN..)?) {
        match attribute {
            ADDRESS if kind == ETHERNET => link.address = value.try_into().ok(),
            MASTER => link.master = u32_at(value, 0),
            LINK_INFO => {
                let mut kinds = attributes(value).filter(|(inner, _)| *inner == PORT_KIND);
                takes_frames = kinds.any(|(_, kind)| TAKES_FRAMES.contains(&kind));
            }
            _ => {}
        }
    }
    link.master = link.master.filter(|_| takes_frames);
    Some(link)
}

/// Types and values, up to where they make no sense.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let attribute = (u16_at(rest, 2)?, rest.get(4..length)?);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(attribute)
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let array = bytes.get(at..)?.first_chunk();
    array.copied().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let array = bytes.get(at..)?.first_chunk();
    array.copied().map(u32::from_ne_bytes)
}

/// Any bytes as an answer: a device that is found stands in them, in the message with the number
/// that was asked for.
#[cfg(feature = "fuzzing")]
pub(super) fn fuzzing(bytes: &[u8]) {
    let sequence = u32_at(bytes, 8).unwrap_or_default();
    if let Some(Ok(found)) = answer(bytes, sequence) {
        let has = |value: &[u8]| bytes.windows(value.len()).any(|window| window == value);
        assert!(has(&found.index.to_ne_bytes()) && has(&found.kind.to_ne_bytes()));
        assert!(found.address.is_none_or(|address| has(&address)));
        assert!(found.address.is_none() || found.kind == ETHERNET);
        assert!(found.master.is_none_or(|master| has(&master.to_ne_bytes())));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_loopback_device_is_one() {
        let watched = Watched::open("lo").unwrap();
        assert_eq!(watched.link().kind, LOOPBACK);
        assert_eq!(watched.link().address, None);
        assert!(Watched::open("no-such-device").is_err());
    }

    /// A message of the kernel that tells of an Ethernet device.
    fn message(sequence: u32, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN + BODY_LEN];
        bytes[4..6].copy_from_slice(&NEW.to_ne_bytes());
        bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        bytes[HEADER_LEN + 2..][..2].copy_from_slice(&ETHERNET.to_ne_bytes());
        bytes[HEADER_LEN + 4..][..4].copy_from_slice(&7_u32.to_ne_bytes());
        for (kind, value) in attributes {
            let length = u16::try_from(4 + value.len()).unwrap();
            bytes.extend(length.to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        bytes
    }

    #[test]
    fn the_answer_is_the_one_to_the_question() {
        let master = 9_u32.to_ne_bytes();
        let mut bytes = message(3, &[]);
        let info = [11, 0, 4, 0, b'b', b'r', b'i', b'd', b'g', b'e', 0, 0];
        let address = [2, 0, 0, 0, 0, 1];
        let all: [(u16, &[u8]); 3] = [(ADDRESS, &address), (MASTER, &master), (LINK_INFO, &info)];
        bytes.extend(message(4, &all));
        let link = answer(&bytes, 4).unwrap().unwrap();
        let expected = Link {
            index: 7,
            kind: ETHERNET,
            address: Some([2, 0, 0, 0, 0, 1]),
            master: Some(9),
        };
        assert_eq!(link, expected);
        assert!(answer(&bytes, 5).is_none());
        assert!(answer(&bytes[..20], 3).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = answer(&bytes, 0);
        }
    }
}
