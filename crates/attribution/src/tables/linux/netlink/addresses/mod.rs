//! The addresses of a network namespace (rtnetlink(7)): those of its devices, and those that its
//! routes make its own.

mod local_routes;

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::exchange::{Answer, Location, Netlink, Part};
use super::frame;
#[cfg(any(test, feature = "fuzzing"))]
use super::frame::Frame;
use super::frame::{DUMP, Malformed};
use super::interfaces::Interfaces;
use crate::answer::surroundings::{Network, Place};

/// `NETLINK_ROUTE` is 0, which is not a valid protocol number here.
const ROUTE: Option<rustix::net::Protocol> = None;
/// `RTM_NEWADDR`, `RTM_DELADDR`, `RTM_GETADDR`.
const NEW: u16 = 20;
#[cfg(any(test, feature = "fuzzing"))]
const REMOVED: u16 = 21;
const GET: u16 = 22;
/// `RTMGRP_LINK`, for [`Interfaces`], `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`,
/// `RTMGRP_IPV6_IFADDR` and `RTMGRP_IPV6_ROUTE`.
const CHANGES: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
/// `struct ifaddrmsg`.
const BODY_LEN: usize = 8;
/// Attributes that are read.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const BROADCAST: u16 = 4;

/// The addresses of the namespace in which it was opened, kept current.
#[derive(Debug)]
pub(crate) struct Addresses {
    netlink: Netlink,
    location: Location,
    known: Place,
    /// Whether the kernel has reported a change that this has not read yet.
    is_stale: bool,
    failed: Option<Failed>,
    interfaces: Interfaces,
}

/// The state after a failed read.
#[derive(Debug)]
struct Failed {
    kind: io::ErrorKind,
    message: String,
    /// The time of the next attempt, and the wait after it if that fails, too.
    retry_at: Instant,
    then: Duration,
}

/// The first and the longest wait before another attempt to read addresses.
const FIRST_RETRY: Duration = Duration::from_millis(1);
const LAST_RETRY: Duration = Duration::from_secs(1);

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) network: Network,
    /// The broadcast address of the network.
    pub(crate) broadcast: Option<IpAddr>,
}

impl Addresses {
    pub(crate) fn open(location: Location) -> io::Result<Self> {
        let mut addresses = Self {
            netlink: Netlink::open(ROUTE, CHANGES, location)?.counting(local_routes::counts),
            location,
            known: Place::default(),
            is_stale: true,
            failed: None,
            interfaces: Interfaces::open(location)?,
        };
        addresses.refresh()?;
        Ok(addresses)
    }

    /// Whether packets to this address arrive here. Excludes loopback and multicast addresses,
    /// which every host has.
    ///
    /// # Errors
    /// As for [`place`](Self::place).
    pub(crate) fn contains(&mut self, ip: IpAddr) -> io::Result<bool> {
        Ok(self.place()?.has(ip))
    }

    /// All addresses and devices.
    ///
    /// # Errors
    /// If they changed and could not be read again: the known ones may be outdated.
    pub(crate) fn place(&mut self) -> io::Result<&Place> {
        self.refresh()?;
        Ok(&self.known)
    }

    /// As [`place`](Self::place), from the last successful read.
    pub(crate) const fn known(&self) -> &Place {
        &self.known
    }

    /// Reads all of them again if the kernel has reported a change. The known ones stay until that
    /// works; while it fails, this tries again less and less often.
    fn refresh(&mut self) -> io::Result<()> {
        self.is_stale |= self.netlink.take_news();
        if !self.is_stale {
            return Ok(());
        }
        let now = Instant::now();
        if let Some(failed) = &self.failed
            && now < failed.retry_at
        {
            return Err(failed.error());
        }
        let read = self.read();
        self.failed = read.as_ref().err().map(|error| {
            let then = self
                .failed
                .as_ref()
                .map_or(FIRST_RETRY, |failed| failed.then);
            tracing::debug!(%error, "the addresses of a network namespace were not read");
            Failed {
                kind: error.kind(),
                message: error.to_string(),
                retry_at: now + then,
                then: (2 * then).min(LAST_RETRY),
            }
        });
        read
    }

    fn read(&mut self) -> io::Result<()> {
        /// The addresses may change again during a read.
        const ATTEMPTS: usize = 5;
        for _ in 0..ATTEMPTS {
            self.known = self.read_once()?;
            self.is_stale = self.netlink.take_news();
            if !self.is_stale {
                break;
            }
        }
        Ok(())
    }

    fn read_once(&mut self) -> io::Result<Place> {
        let devices = self.interfaces.read()?;
        let (mut known, mut broadcasts) = (Place::default(), HashSet::new());
        self.netlink.ask(
            Answer::Dump,
            |sequence| request(GET, DUMP, sequence, &[0; BODY_LEN]),
            |part| {
                match part {
                    Part::Begin => (known, broadcasts) = Default::default(),
                    Part::Message(NEW, body) => add(&mut known, &mut broadcasts, address(body)?),
                    Part::Message(..) => {}
                }
                Ok(())
            },
        )?;
        if self.netlink.is_strict() {
            // If the kernel lists the routes, only these count.
            broadcasts.clear();
            local_routes::add(
                &mut self.netlink,
                self.location,
                (&mut known, &mut broadcasts),
            )?;
        }
        known.devices = Arc::new(devices.with_broadcasts(broadcasts));
        Ok(known)
    }
}

fn add(known: &mut Place, broadcasts: &mut HashSet<Ipv4Addr>, address: Option<Address>) {
    if let Some(Address { network, broadcast }) = address {
        known.ips.insert(network.ip);
        known.ips.extend(broadcast);
        broadcasts.extend(broadcast.and_then(v4));
        broadcasts.extend(first_of(network).filter(|first| IpAddr::V4(*first) != network.ip));
        known.networks.push(network);
    }
}

impl Failed {
    fn error(&self) -> io::Error {
        io::Error::new(self.kind, self.message.clone())
    }
}

/// One message of an answer.
#[cfg(any(test, feature = "fuzzing"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message {
    Address(Address),
    /// A device lost an address.
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
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn messages(bytes: &[u8]) -> impl Iterator<Item = Result<Message, Malformed>> {
    frame::frames(bytes).map(|frame| {
        Ok(match frame? {
            Frame::Done => Message::Done,
            Frame::Error(number) => Message::Error(number),
            Frame::Other(NEW, body) => address(body)?.map_or(Message::Other, Message::Address),
            Frame::Other(REMOVED, _) => Message::Removed,
            Frame::Other(..) | Frame::Nothing | Frame::Lost => Message::Other,
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
    let broadcast = broadcast.or_else(|| broadcast_of(peer.or(local)?, prefix));
    // On point-to-point links, the first attribute is the address of the peer.
    Ok(local.or(peer).map(|ip| Address {
        network: Network {
            ip,
            prefix,
            interface,
        },
        broadcast,
    }))
}

/// The last address of a network, which is its broadcast address whether or not an address says so:
/// the kernel makes a route for it (`fib_add_ifaddr` in `net/ipv4/fib_frontend.c`).
fn broadcast_of(ip: IpAddr, prefix: u8) -> Option<IpAddr> {
    let IpAddr::V4(ip) = ip else {
        return None;
    };
    let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    let is_wide = hosts > 1 && !ip.is_loopback();
    is_wide.then(|| Ipv4Addr::from_bits(ip.to_bits() | hosts).into())
}

/// The first address of a network: before Linux 5.14, the kernel makes a broadcast route for it,
/// too. Only kernels before 4.20 need this.
fn first_of(network: Network) -> Option<Ipv4Addr> {
    let hosts = u32::MAX.checked_shr(network.prefix.into()).unwrap_or(0);
    let first = |ip: Ipv4Addr| Ipv4Addr::from_bits(ip.to_bits() & !hosts);
    v4(network.ip).filter(|_| hosts > 1).map(first)
}

const fn v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
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
        let mut addresses = Addresses::open(Location::Own).unwrap();
        assert!(addresses.contains("127.0.0.1".parse().unwrap()).unwrap());
        assert!(!addresses.contains("192.0.2.1".parse().unwrap()).unwrap());
        assert!(addresses.place().unwrap().devices.link(1).is_some());
        assert!(!addresses.known().devices.leads_away(1));
    }

    #[test]
    fn the_last_address_of_a_network_is_its_broadcast_address() {
        let of = |ip: &str, prefix| broadcast_of(ip.parse().unwrap(), prefix);
        assert_eq!(of("10.1.2.3", 24), Some([10, 1, 2, 255].into()));
        assert_eq!(of("10.1.2.3", 31), None);
        assert_eq!(of("10.1.2.3", 255), None);
        assert_eq!(of("2001:db8::1", 64), None);
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
