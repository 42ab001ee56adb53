//! The addresses of a network namespace (rtnetlink(7)).

use std::io;
use std::net::IpAddr;

use super::frame::{self, DUMP, Frame, Malformed};
use super::interfaces::Interfaces;
use super::netlink::Netlink;
use crate::snapshot::surroundings::{Network, Place};

/// `NETLINK_ROUTE` is 0, which is no number of a protocol.
const ROUTE: Option<rustix::net::Protocol> = None;
/// `RTM_NEWADDR`, `RTM_DELADDR`, `RTM_GETADDR`.
const NEW: u16 = 20;
const REMOVED: u16 = 21;
const GET: u16 = 22;
/// `RTMGRP_LINK`, for [`Interfaces`], `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR`.
const CHANGES: u32 = 0x1 | 0x10 | 0x100;
/// `struct ifaddrmsg`.
const BODY_LEN: usize = 8;
/// Attributes that are read.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const BROADCAST: u16 = 4;

/// The addresses of the namespace in which it was opened, kept current.
#[derive(Debug)]
pub(super) struct Addresses {
    netlink: Netlink,
    known: Place,
    is_stale: bool,
    interfaces: Interfaces,
}

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) network: Network,
    /// That of all hosts in the network.
    pub(super) broadcast: Option<IpAddr>,
}

impl Addresses {
    pub(super) fn open() -> io::Result<Self> {
        let mut addresses = Self {
            netlink: Netlink::open(ROUTE, CHANGES)?,
            known: Place::default(),
            is_stale: false,
            interfaces: Interfaces::open()?,
        };
        addresses.read()?;
        Ok(addresses)
    }

    /// Whether packets to this address arrive here, but for loopback and multicast
    /// ones: those do everywhere.
    pub(super) fn contains(&mut self, ip: IpAddr) -> bool {
        self.refresh();
        self.known.ips.contains(&ip)
    }

    /// All addresses and devices.
    pub(super) fn place(&mut self) -> &Place {
        self.refresh();
        &self.known
    }

    /// As [`place`](Self::place), as they were when something was asked last.
    pub(super) const fn known(&self) -> &Place {
        &self.known
    }

    /// Reads all of them again if the kernel told of a change.
    fn refresh(&mut self) {
        if (self.netlink.drain() || self.is_stale)
            && let Err(error) = self.read()
        {
            tracing::debug!(%error, "the addresses of a network namespace were not read again");
        }
    }

    fn read(&mut self) -> io::Result<()> {
        /// They may change again while they are read.
        const ATTEMPTS: usize = 5;
        self.known.devices = self.interfaces.read()?;
        for _ in 0..ATTEMPTS {
            let is_current = self.read_once().inspect_err(|_| _ = self.netlink.drain())?;
            if is_current {
                break;
            }
        }
        Ok(())
    }

    /// False if one was taken away meanwhile: that comes between.
    fn read_once(&mut self) -> io::Result<bool> {
        let sequence = self.netlink.next_sequence();
        self.netlink
            .send(&request(GET, DUMP, sequence, &[0; BODY_LEN]))?;
        self.is_stale = false;
        self.known.ips.clear();
        self.known.networks.clear();
        let mut is_current = true;
        loop {
            for message in messages(self.netlink.receive()?) {
                match message.map_err(|Malformed| io::ErrorKind::InvalidData)? {
                    Message::Address(address) => {
                        self.known.ips.insert(address.network.ip);
                        self.known.ips.extend(address.broadcast);
                        self.known.networks.push(address.network);
                    }
                    Message::Removed => is_current = false,
                    Message::Other => {}
                    Message::Error(number) => {
                        return Err(io::Error::from_raw_os_error(number.wrapping_neg()));
                    }
                    Message::Done => return Ok(is_current),
                }
            }
        }
    }
}

/// One message of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    Address(Address),
    /// An address was taken away.
    Removed,
    Done,
    Error(i32),
    Other,
}

fn request(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = frame::header(body.len(), kind, flags, sequence).to_vec();
    bytes.extend(body);
    bytes
}

/// The messages in what was received at once.
pub(super) fn messages(bytes: &[u8]) -> impl Iterator<Item = Result<Message, Malformed>> {
    frame::frames(bytes).map(|frame| {
        Ok(match frame? {
            Frame::Done => Message::Done,
            Frame::Error(number) => Message::Error(number),
            Frame::Other(NEW, body) => address(body)?.map_or(Message::Other, Message::Address),
            Frame::Other(REMOVED, _) => Message::Removed,
            Frame::Other(..) => Message::Other,
        })
    })
}

/// `None` for a family that is neither IPv4 nor IPv6.
fn address(body: &[u8]) -> Result<Option<Address>, Malformed> {
    let prefix = *body.get(1).ok_or(Malformed)?;
    let interface = frame::u32_at(body, 4)?;
    let (mut peer, mut local, mut broadcast) = (None, None, None);
    for attribute in frame::attributes(body.get(BODY_LEN..).ok_or(Malformed)?) {
        match attribute? {
            (ADDRESS, value) => peer = ip(value),
            (LOCAL, value) => local = ip(value),
            (BROADCAST, value) => broadcast = ip(value),
            _ => {}
        }
    }
    // On links with two ends, the first attribute is the other one's.
    Ok(local.or(peer).map(|ip| Address {
        network: Network {
            ip,
            prefix,
            interface,
        },
        broadcast,
    }))
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(value).map(IpAddr::from);
    v4.or_else(|_| v6()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn this_host_has_its_loopback_addresses() {
        let mut addresses = Addresses::open().unwrap();
        assert!(addresses.contains("127.0.0.1".parse().unwrap()));
        assert!(!addresses.contains("192.0.2.1".parse().unwrap()));
        assert!(addresses.place().devices.link(1).is_some());
        assert!(!addresses.known().devices.leads_away(1));
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes
    }

    proptest! {
        #[test]
        fn what_the_kernel_writes_is_read(
            (ip, peer, broadcast) in any::<([u8; 4], Option<[u8; 4]>, [u8; 4])>(),
            (prefix, interface) in any::<(u8, u32)>(),
        ) {
            let mut body = vec![2, prefix, 0, 0];
            body.extend(interface.to_ne_bytes());
            body.extend(attribute(ADDRESS, &peer.unwrap_or(ip)));
            body.extend(attribute(LOCAL, &ip));
            body.extend(attribute(BROADCAST, &broadcast));
            let mut bytes = frame::header(body.len(), NEW, 0, 1).to_vec();
            bytes.extend(body);
            let expected = Address {
                network: Network { ip: ip.into(), prefix, interface },
                broadcast: Some(broadcast.into()),
            };
            let read: Vec<_> = messages(&bytes).collect();
            prop_assert_eq!(read, [Ok(Message::Address(expected))]);
        }

        #[test]
        fn any_bytes_are_survived(bytes in any::<Vec<u8>>(), body in any::<Vec<u8>>()) {
            messages(&bytes).for_each(drop);
            let mut framed = frame::header(body.len(), NEW, 0, 1).to_vec();
            framed.extend(&body);
            messages(&framed).for_each(drop);
        }
    }
}
