//! Linux: the groups of rtnetlink(7) for addresses, and for the routes that make addresses this
//! host's own.

mod routes;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::OwnAddress;
use crate::netlink::{self, Netlink, attributes, u32_at};

/// `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_IFADDR` and `RTMGRP_IPV6_ROUTE`.
const GROUPS: u32 = 0x10 | 0x40 | 0x100 | 0x400;
/// The number of addresses that one call reports; others only appear in a list.
const MOST: usize = 256;

/// `RTM_NEWADDR`, `RTM_DELADDR`, `RTM_GETADDR`.
const NEW: u16 = 20;
const REMOVED: u16 = 21;
const GET: u16 = 22;
/// `struct ifaddrmsg`.
const BODY_LEN: usize = 8;
/// `IFA_ADDRESS`, `IFA_LOCAL`, `IFA_BROADCAST`.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const BROADCAST: u16 = 4;

#[derive(Debug)]
pub(super) struct Notices {
    changes: netlink::Notices,
    addresses: Netlink,
    /// `None` if the kernel would list the routes of all tables.
    routes: Option<Netlink>,
}

impl Notices {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            changes: netlink::Notices::open(GROUPS)?,
            addresses: Netlink::open(None)?,
            routes: Netlink::open(None).and_then(Netlink::strict).ok(),
        })
    }

    pub(super) fn list(&mut self) -> io::Result<Vec<OwnAddress>> {
        netlink::whole_list(|own| Ok(self.list_into(own)? && self.list_routes_into(own)?))
    }

    /// False if the addresses changed meanwhile.
    fn list_into(&mut self, own: &mut Vec<OwnAddress>) -> io::Result<bool> {
        // Of all families and devices.
        self.addresses.list(GET, &[0; BODY_LEN], |kind, body| {
            own.extend(listed(kind, body));
            Ok(())
        })
    }

    /// As [`list_into`](Self::list_into), for addresses from routes.
    fn list_routes_into(&mut self, own: &mut Vec<OwnAddress>) -> io::Result<bool> {
        let Some(routes) = &mut self.routes else {
            return Ok(true);
        };
        let mut is_whole = true;
        for family in routes::FAMILIES {
            let listed = routes.list(routes::GET, &routes::request(family), |kind, body| {
                own.extend(listed(kind, body));
                Ok(())
            });
            match listed {
                Ok(listed) => is_whole &= listed,
                Err(error) if routes::is_absent(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(is_whole)
    }

    pub(super) fn drain(&mut self) -> Option<Vec<OwnAddress>> {
        let mut changed: Option<Vec<OwnAddress>> = None;
        self.changes.drain(|received| match received {
            Some(bytes) if !messages(bytes).any(is_news) => {}
            received => {
                let changed = changed.get_or_insert_default();
                let room = MOST.saturating_sub(changed.len());
                changed.extend(received.into_iter().flat_map(notices).take(room));
            }
        });
        changed
    }
}

/// The types of messages, with the bytes after their headers, up to the first malformed one.
fn messages(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    netlink::messages(bytes).map_while(|message| message.ok().map(|it| (it.kind, it.body)))
}

/// Whether a notification is about an own address. Most routes are not, and a router has many that
/// change.
fn is_news((kind, body): (u16, &[u8])) -> bool {
    match kind {
        routes::NEW | routes::REMOVED => routes::is_local(body),
        _ => true,
    }
}

/// The addresses in the notifications of one datagram.
fn notices(bytes: &[u8]) -> impl Iterator<Item = OwnAddress> {
    messages(bytes).filter_map(|(kind, body)| match kind {
        NEW | REMOVED => address(body),
        routes::NEW | routes::REMOVED => routes::network(body),
        _ => None,
    })
}

/// The address in a message of a list.
fn listed(kind: u16, body: &[u8]) -> Option<OwnAddress> {
    match kind {
        NEW => address(body),
        routes::NEW => routes::network(body),
        _ => None,
    }
}

/// `None` for addresses of other families.
fn address(body: &[u8]) -> Option<OwnAddress> {
    let device = u32_at(body, 4)?;
    let (mut own, mut other, mut broadcast) = (None, None, None);
    for (attribute, value) in attributes(body.get(BODY_LEN..)?) {
        match attribute {
            LOCAL => own = ip(value),
            // If there is a local address, this is that of the peer.
            ADDRESS => other = ip(value),
            BROADCAST => broadcast = ip(value),
            _ => {}
        }
    }
    let ip = own.or(other)?;
    Some(OwnAddress {
        ip,
        broadcast: broadcast.or_else(|| broadcast_of(other.unwrap_or(ip), *body.get(1)?)),
        device,
        network: None,
    })
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

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        16 => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
        _ => None,
    }
}

/// Parses any bytes as notifications and as a list: each address needs its own message, a
/// notification of an address counts as a change, and a list has the addresses of notifications
/// with the same messages.
///
/// # Panics
///
/// If that does not hold.
#[cfg(feature = "fuzzing")]
pub fn fuzzing(bytes: &[u8]) {
    use crate::netlink::Expected;

    let notified: Vec<OwnAddress> = notices(bytes).collect();
    assert!(notified.len() <= bytes.len() / netlink::HEADER_LEN);
    assert!(notified.is_empty() || messages(bytes).any(is_news));
    for own in &notified {
        let has = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => ip.is_unspecified() || holds(bytes, &ip.octets()),
            IpAddr::V6(ip) => ip.is_unspecified() || holds(bytes, &ip.octets()),
        };
        assert!(has(own.ip));
        assert!(own.broadcast.is_none_or(|ip| has(ip) || is_last(bytes, ip)));
    }
    let sequence = u32_at(bytes, 8).unwrap_or_default();
    let mut all = Vec::new();
    let _malformed_or_not = netlink::read(bytes, sequence, Expected::List, |kind, body| {
        all.extend(listed(kind, body));
        Ok(())
    });
    assert!(all.len() <= notified.len());
    assert!(all.iter().all(|own| notified.contains(own)));
}

/// Whether an address is the last one of a network of some address in these bytes.
#[cfg(feature = "fuzzing")]
fn is_last(bytes: &[u8], ip: IpAddr) -> bool {
    let IpAddr::V4(last) = ip else {
        return false;
    };
    bytes.windows(4).any(|window| {
        let own = u32::from_be_bytes([window[0], window[1], window[2], window[3]]);
        // All host bits are set, from the first one that differs.
        let differs = own ^ last.to_bits();
        let hosts = u32::MAX.checked_shr(differs.leading_zeros()).unwrap_or(0);
        last.to_bits() & hosts == hosts
    })
}

#[cfg(feature = "fuzzing")]
fn holds(bytes: &[u8], value: &[u8]) -> bool {
    bytes.windows(value.len()).any(|window| window == value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use flowner_testing::namespace::{ip, is_run_inside};

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

    /// Runs in its own network namespace.
    #[test]
    fn own_addresses_from_routes_are_listed() {
        if is_run_inside(std::thread::current().name().unwrap()) {
            return;
        }
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
            // Other routes cause no notification.
            ip(&format!("{family} route add {net}/{prefix} dev lo"));
            assert_eq!(notices.drain(), None);
        }
    }

    #[test]
    fn the_last_address_of_a_network_is_its_broadcast_address() {
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
            assert!(notices(&bytes).count() <= bytes.len());
            let _ = (listed(NEW, &bytes), listed(routes::NEW, &bytes));
        }
    }
}
