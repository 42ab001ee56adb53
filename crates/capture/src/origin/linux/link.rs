//! The kernel's facts about a device (rtnetlink(7)): its index, its kind and its hardware address,
//! with notifications of changes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::netlink::{Malformed, Netlink, Notices, attributes, u16_at, u32_at};

/// `ARPHRD_ETHER`, `ARPHRD_LOOPBACK`.
const ETHERNET: u16 = 1;
pub(super) const LOOPBACK: u16 = 772;

/// `RTM_NEWLINK`, `RTM_GETLINK`, `RTMGRP_LINK`.
const NEW: u16 = 16;
const GET: u16 = 18;
const CHANGES: u32 = 1;
/// `struct ifinfomsg`.
const BODY_LEN: usize = 16;
/// `IFLA_ADDRESS`, `IFLA_MASTER`, `IFLA_LINKINFO`, and `IFLA_INFO_SLAVE_KIND` in it.
const ADDRESS: u16 = 1;
const MASTER: u16 = 10;
const LINK_INFO: u16 = 18;
const PORT_KIND: u16 = 4;
/// Devices that accept frames for their own address on any port.
const TAKES_FRAMES: [&[u8]; 3] = [b"bridge\0", b"bond\0", b"team\0"];

type HardwareAddress = [u8; 6];

/// A device at the time of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    /// `ARPHRD_…`.
    pub(super) kind: u16,
    /// Only for Ethernet.
    address: Option<HardwareAddress>,
    /// The index of the bridge or similar device that this one is a port of.
    master: Option<u32>,
}

/// A device with notifications of its changes.
#[derive(Debug)]
pub(super) struct Watched {
    link: Link,
    /// If this device is a port, the address of the bridge: frames for it are for this host.
    master: Option<HardwareAddress>,
    /// Its earlier addresses, and until when at the latest they applied.
    before: Option<([Option<HardwareAddress>; 2], Duration)>,
    netlink: Netlink,
    changes: Notices,
}

impl Watched {
    pub(super) fn open(name: &str) -> io::Result<Self> {
        let changes = Notices::open(CHANGES)?;
        let mut netlink = Netlink::open(None)?;
        let index = rustix::net::netdevice::name_to_index(&socket_of_names()?, name)?;
        let link = ask(&mut netlink, index)?;
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

    /// Whether an arrived frame is for another host, by the rule of `eth_type_trans`.
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

    /// Reads the device again after a notification. If that fails, the known facts stay.
    pub(super) fn catch_up(&mut self) {
        if !self.drain() {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        match ask(&mut self.netlink, self.link.index) {
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

    /// Takes the notifications. Returns whether there were any, or some were lost.
    fn drain(&mut self) -> bool {
        let mut has_any = false;
        self.changes.drain(|_| has_any = true);
        has_any
    }
}

fn master_address(netlink: &mut Netlink, link: Link) -> Option<HardwareAddress> {
    ask(netlink, link.master?).ok()?.address
}

/// Any socket of the network namespace: the request has the same answer.
fn socket_of_names() -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Requests the device with this index.
fn ask(netlink: &mut Netlink, index: u32) -> io::Result<Link> {
    netlink.one(GET, &request(index), answer)
}

/// The body of a request for a device.
fn request(index: u32) -> [u8; BODY_LEN] {
    let mut body = [0; BODY_LEN];
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    body
}

/// The device in a message.
fn answer(kind: u16, body: &[u8]) -> Result<Link, Malformed> {
    let link = (kind == NEW).then(|| link(body)).flatten();
    link.ok_or(Malformed)
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

/// Parses any bytes as an answer: a device must be contained in the message with the requested
/// number.
#[cfg(feature = "fuzzing")]
pub(super) fn fuzzing(bytes: &[u8]) {
    use crate::netlink::{Expected, read};

    let sequence = u32_at(bytes, 8).unwrap_or_default();
    let mut found = None;
    let answered = read(bytes, sequence, Expected::One, |kind, body| {
        found = Some(answer(kind, body)?);
        Ok(())
    });
    if let Some(found) = found {
        assert!(answered.is_ok_and(|progress| progress.is_over));
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
    fn the_loopback_device_is_found() {
        let watched = Watched::open("lo").unwrap();
        assert_eq!(watched.link().kind, LOOPBACK);
        assert_eq!(watched.link().address, None);
        assert!(Watched::open("no-such-device").is_err());
    }

    /// The kernel's message about an Ethernet device.
    fn message(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; BODY_LEN];
        bytes[2..][..2].copy_from_slice(&ETHERNET.to_ne_bytes());
        bytes[4..][..4].copy_from_slice(&7_u32.to_ne_bytes());
        for (kind, value) in attributes {
            let length = u16::try_from(4 + value.len()).unwrap();
            bytes.extend(length.to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn a_port_of_a_bridge_has_its_address() {
        let master = 9_u32.to_ne_bytes();
        let info = [11, 0, 4, 0, b'b', b'r', b'i', b'd', b'g', b'e', 0, 0];
        let address = [2, 0, 0, 0, 0, 1];
        let all: [(u16, &[u8]); 3] = [(ADDRESS, &address), (MASTER, &master), (LINK_INFO, &info)];
        let bytes = message(&all);
        let expected = Link {
            index: 7,
            kind: ETHERNET,
            address: Some([2, 0, 0, 0, 0, 1]),
            master: Some(9),
        };
        assert_eq!(answer(NEW, &bytes), Ok(expected));
        assert_eq!(answer(GET, &bytes), Err(Malformed));
        assert_eq!(answer(NEW, &bytes[..7]), Err(Malformed));
        // A master that accepts no frames for its ports.
        let other = answer(NEW, &message(&all[..2])).unwrap();
        assert_eq!(other.master, None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = answer(NEW, &bytes);
        }
    }
}
