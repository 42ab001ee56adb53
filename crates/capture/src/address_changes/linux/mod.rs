//! Linux: the groups of rtnetlink(7) that hear of addresses, and of the routes that make addresses
//! this host's own.

#[path = "routes.rs"]
mod routes;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::OwnAddress;

/// `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_IFADDR` and `RTMGRP_IPV6_ROUTE`.
const GROUPS: u32 = 0x10 | 0x40 | 0x100 | 0x400;
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
    /// As `socket`; `None` where the kernel would list the routes of all tables.
    routes: Option<OwnedFd>,
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
            routes: socket().and_then(routes::strict).ok(),
            buffer: vec![0; BUFFER],
            sequence: 0,
        })
    }

    pub(super) fn list(&mut self) -> io::Result<Vec<OwnAddress>> {
        for _ in 0..ATTEMPTS {
            let mut addresses = Vec::new();
            if self.list_into(&mut addresses)? && self.list_routes_into(&mut addresses)? {
                return Ok(addresses);
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    /// False if they changed meanwhile.
    fn list_into(&mut self, addresses: &mut Vec<OwnAddress>) -> io::Result<bool> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(self.sequence);
        let (socket, buffer) = (&self.socket, &mut self.buffer);
        ask(socket, &request, self.sequence, buffer, addresses)
    }

    /// As [`list_into`](Self::list_into), what routes make own addresses.
    fn list_routes_into(&mut self, addresses: &mut Vec<OwnAddress>) -> io::Result<bool> {
        let Some(socket) = &self.routes else {
            return Ok(true);
        };
        let mut is_whole = true;
        for family in routes::FAMILIES {
            self.sequence = self.sequence.wrapping_add(1);
            let request = routes::request(family, self.sequence);
            match ask(socket, &request, self.sequence, &mut self.buffer, addresses) {
                Ok(asked) => is_whole &= asked,
                Err(error) if routes::is_absent(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(is_whole)
    }

    pub(super) fn drain(&mut self) -> Option<Vec<OwnAddress>> {
        let mut changed: Option<Vec<OwnAddress>> = None;
        loop {
            let buffer = &mut self.buffer[..];
            match rustix::net::recv(&self.changes, buffer, RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    let bytes = &self.buffer[..length];
                    if !messages(bytes).any(is_news) {
                        continue;
                    }
                    let changed = changed.get_or_insert_default();
                    let room = MOST.saturating_sub(changed.len());
                    changed.extend(notices(bytes).take(room));
                }
                // Lost: there was no room for it.
                Err(Errno::NOBUFS) => _ = changed.get_or_insert_default(),
                Err(Errno::INTR) => {}
                Err(_) => return changed,
            }
        }
    }
}

/// Asks for a list, and reads what is in it. False if that changed meanwhile.
fn ask(
    socket: &OwnedFd,
    request: &[u8],
    sequence: u32,
    buffer: &mut [u8],
    addresses: &mut Vec<OwnAddress>,
) -> io::Result<bool> {
    let kernel = SocketAddrNetlink::new(0, 0);
    retry_on_intr(|| rustix::net::sendto(socket, request, SendFlags::empty(), &kernel))?;
    let mut is_whole = true;
    loop {
        let receive = || rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty());
        let (length, _) = retry_on_intr(receive)?;
        if read(&buffer[..length], sequence, &mut is_whole, addresses)? {
            return Ok(is_whole);
        }
    }
}

/// The messages that were received at once, up to where they make no sense.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = u32_at(bytes, 0)? as usize;
        let message = bytes.get(..length).filter(|_| length >= HEADER_LEN)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// Whether a notice is of an own address. Most routes are not, and a router has many that change.
fn is_news(message: &[u8]) -> bool {
    match u16_at(message, 4) {
        Some(routes::NEW | routes::REMOVED) => routes::is_local(&message[HEADER_LEN..]),
        _ => true,
    }
}

/// The addresses in notices that were received at once.
fn notices(bytes: &[u8]) -> impl Iterator<Item = OwnAddress> {
    messages(bytes).filter_map(|message| match u16_at(message, 4) {
        Some(NEW | REMOVED) => address(&message[HEADER_LEN..]),
        Some(routes::NEW | routes::REMOVED) => routes::network(&message[HEADER_LEN..]),
        _ => None,
    })
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
                routes::NEW => addresses.extend(routes::network(body)),
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
    let ip = own.or(other)?;
    Some(OwnAddress {
        ip,
        broadcast: broadcast.or_else(|| broadcast_of(other.unwrap_or(ip), *body.get(1)?)),
        device,
        network: None,
    })
}

/// The last address of a network, which is for all hosts in it whether or not an address tells
/// so: the kernel makes a route for it (`fib_add_ifaddr` in `net/ipv4/fib_frontend.c`).
fn broadcast_of(ip: IpAddr, prefix: u8) -> Option<IpAddr> {
    let IpAddr::V4(ip) = ip else {
        return None;
    };
    let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    let is_wide = hosts > 1 && !ip.is_loopback();
    is_wide.then(|| Ipv4Addr::from_bits(ip.to_bits() | hosts).into())
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

/// Any bytes as notices, and as a list: each address takes a message of its own, a notice of an
/// address is news, and what is listed of whole messages is what notices of them tell.
///
/// # Panics
/// If that does not hold.
#[cfg(feature = "fuzzing")]
pub fn fuzzing(bytes: &[u8]) {
    let told: Vec<OwnAddress> = notices(bytes).collect();
    assert!(told.len() <= bytes.len() / HEADER_LEN);
    assert!(told.is_empty() || messages(bytes).any(is_news));
    for own in &told {
        let has = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => ip.is_unspecified() || holds(bytes, &ip.octets()),
            IpAddr::V6(ip) => ip.is_unspecified() || holds(bytes, &ip.octets()),
        };
        assert!(has(own.ip) && own.broadcast.is_none_or(has));
    }
    let sequence = u32_at(bytes, 8).unwrap_or_default();
    let (mut listed, mut is_whole) = (Vec::new(), true);
    let _malformed_or_not = read(bytes, sequence, &mut is_whole, &mut listed);
    assert!(listed.len() <= told.len());
    assert!(listed.iter().all(|own| told.contains(own)));
}

#[cfg(feature = "fuzzing")]
fn holds(bytes: &[u8], value: &[u8]) -> bool {
    bytes.windows(value.len()).any(|window| window == value)
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

    /// In a network namespace of its own.
    #[test]
    fn what_a_route_makes_own_is_listed() {
        use std::process::Command;
        const INSIDE: &str = "FLOWNER_TEST_INSIDE";
        if std::env::var_os(INSIDE).is_none() {
            let may = Command::new("unshare").args(["--net", "true"]).status();
            if !may.is_ok_and(|status| status.success()) {
                flowner_testing::skipped!("no privilege to make a network namespace");
                return;
            }
            let name = std::thread::current().name().unwrap().to_owned();
            let mut command = Command::new("unshare");
            command.arg("--net").arg(std::env::current_exe().unwrap());
            let status = command.args(["--exact", &name]).env(INSIDE, "1").status();
            assert!(status.unwrap().success());
            return;
        }
        let ip = |line: &str| {
            let status = Command::new("ip").args(line.split(' ')).status();
            assert!(status.unwrap().success(), "ip {line}");
        };
        ip("link set lo up");
        let mut notices = Notices::open().unwrap();
        notices.drain();
        for (family, net, prefix) in [("-4", "203.0.113.0", 24), ("-6", "2001:db8:77::", 48)] {
            ip(&format!("{family} route add local {net}/{prefix} dev lo"));
            let is_it = |own: &OwnAddress| {
                own.ip == net.parse::<IpAddr>().unwrap() && own.network == Some(prefix)
            };
            assert!(notices.drain().unwrap().iter().any(is_it));
            assert!(notices.list().unwrap().iter().any(is_it));
            ip(&format!("{family} route del local {net}/{prefix} dev lo"));
            assert!(notices.drain().is_some());
            assert!(!notices.list().unwrap().iter().any(is_it));
            // Other routes are no news.
            ip(&format!("{family} route add {net}/{prefix} dev lo"));
            assert_eq!(notices.drain(), None);
        }
    }

    #[test]
    fn the_last_address_of_a_network_is_for_all() {
        let of = |ip: &str, prefix| broadcast_of(ip.parse().unwrap(), prefix);
        let is = |ip: &str| Some(ip.parse().unwrap());
        assert_eq!(of("10.1.2.3", 24), is("10.1.2.255"));
        assert_eq!(of("10.1.2.3", 30), is("10.1.2.3"));
        assert_eq!(of("10.1.2.1", 30), is("10.1.2.3"));
        assert_eq!(of("10.1.2.3", 0), is("255.255.255.255"));
        for prefix in [31, 32, 33, 255] {
            assert_eq!(of("10.1.2.3", prefix), None);
        }
        assert_eq!(of("127.0.0.1", 8), None);
        assert_eq!(of("2001:db8::1", 64), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, 0, &mut true, &mut Vec::new());
            assert!(notices(&bytes).count() <= bytes.len());
        }
    }
}
