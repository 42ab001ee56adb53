//! The routes that make addresses a network namespace's own, though no device has them (`ip route
//! add local 203.0.113.0/24 dev lo`, `AnyIP`), and the routes of broadcast addresses.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::answer::surroundings::{Network, Place};
use crate::tables::linux::netlink::exchange::{Answer, Location, Netlink, Part};
use crate::tables::linux::netlink::frame::{DUMP, Malformed, attributes, u32_at};

/// `RTM_NEWROUTE`, `RTM_DELROUTE`, `RTM_GETROUTE`.
const NEW: u16 = 24;
const REMOVED: u16 = 25;
const GET: u16 = 26;
/// `struct rtmsg`: the offsets of the family, of the length of the destination, of the table and of
/// the type.
const BODY_LEN: usize = 12;
const FAMILY: usize = 0;
const LENGTH: usize = 1;
const TABLE: usize = 4;
const TYPE: usize = 7;
/// `AF_INET` and `AF_INET6`.
const FAMILIES: [u8; 2] = [2, 10];
/// `RT_TABLE_LOCAL`, which the kernel searches first, `RTN_LOCAL` and `RTN_BROADCAST`.
const LOCAL_TABLE: u8 = 255;
const LOCAL: u8 = 2;
const BROADCAST: u8 = 3;
/// `RTA_DST`, `RTA_OIF`.
const DESTINATION: u16 = 1;
const DEVICE: u16 = 4;

/// Whether a notification affects this module: of routes, only local and broadcast ones do. A
/// router has many others, and they change all the time.
pub(super) fn counts(kind: u16, body: &[u8]) -> bool {
    !matches!(kind, NEW | REMOVED)
        || body
            .get(TYPE)
            .is_none_or(|kind| [LOCAL, BROADCAST].contains(kind))
}

/// Adds the own addresses and the broadcast addresses of the local table.
///
/// Only for a strict connection: before Linux 4.20 the kernel lists the routes of all tables or
/// none.
pub(super) fn add(
    netlink: &mut Netlink,
    location: Location,
    (known, broadcasts): (&mut Place, &mut HashSet<Ipv4Addr>),
) -> io::Result<()> {
    let kinds = FAMILIES.map(|family| (family, LOCAL));
    // IPv6 has no broadcast, only multicast.
    for (family, kind) in kinds.into_iter().chain([(FAMILIES[0], BROADCAST)]) {
        let mut found = Vec::new();
        let dumped = netlink.ask(
            Answer::Dump,
            |sequence| request((family, kind), sequence),
            |part| {
                match part {
                    Part::Begin => found.clear(),
                    Part::Message(NEW, body) => found.extend(network(body, kind)?),
                    Part::Message(..) => {}
                }
                Ok(())
            },
        );
        match dumped {
            // A kernel without this family, or without that table, refuses the request.
            Err(error) if is_absent(&error) => {}
            dumped => dumped?,
        }
        for network in found {
            if kind == BROADCAST {
                known.ips.insert(network.ip);
                broadcasts.extend(super::v4(network.ip).filter(|_| is_single(&network)));
            } else if is_single(&network) {
                known.ips.insert(network.ip);
            } else if network.prefix > 0 || location == Location::Own {
                // A namespace that accepts every packet that reaches it does not have all
                // addresses.
                known.local_networks.push(network);
            }
        }
    }
    Ok(())
}

fn is_absent(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let absent = [Errno::NOENT, Errno::OPNOTSUPP, Errno::AFNOSUPPORT];
    Errno::from_io_error(error).is_some_and(|error| absent.contains(&error))
}

const fn is_single(network: &Network) -> bool {
    match network.ip {
        IpAddr::V4(_) => network.prefix == 32,
        IpAddr::V6(_) => network.prefix == 128,
    }
}

fn request((family, kind): (u8, u8), sequence: u32) -> Vec<u8> {
    let mut body = [0; BODY_LEN];
    body[FAMILY] = family;
    body[TABLE] = LOCAL_TABLE;
    body[TYPE] = kind;
    super::request(GET, DUMP, sequence, &body)
}

/// The addresses of a route of this kind; `None` for a route of another kind.
pub(super) fn network(body: &[u8], kind: u8) -> Result<Option<Network>, Malformed> {
    let byte = |at: usize| body.get(at).copied().ok_or(Malformed);
    let (mut ip, mut interface) = (None, 0);
    for attribute in attributes(body.get(BODY_LEN..).ok_or(Malformed)?) {
        match attribute? {
            (DESTINATION, value) => ip = super::ip(value),
            (DEVICE, value) => interface = u32_at(value, 0)?,
            _ => {}
        }
    }
    let any: Option<IpAddr> = match byte(FAMILY)? {
        2 => Some(Ipv4Addr::UNSPECIFIED.into()),
        10 => Some(Ipv6Addr::UNSPECIFIED.into()),
        _ => None,
    };
    let prefix = byte(LENGTH)?;
    // A route for all addresses has no destination.
    let ip = ip.or_else(|| any.filter(|_| prefix == 0));
    let is_it = byte(TABLE)? == LOCAL_TABLE && byte(TYPE)? == kind;
    Ok(ip.filter(|_| is_it).map(|ip| Network {
        ip,
        prefix,
        interface,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes
    }

    proptest! {
        #[test]
        fn what_the_kernel_writes_is_read(
            ip: [u8; 4],
            prefix in 1..=32_u8,
            interface: u32,
            (table, kind) in any::<(u8, u8)>(),
        ) {
            for (table, kind) in [(LOCAL_TABLE, LOCAL), (table, kind)] {
                let mut body = vec![2, prefix, 0, 0, table, 2, 254, kind, 0, 0, 0, 0];
                prop_assert_eq!(counts(NEW, &body), [LOCAL, BROADCAST].contains(&kind));
                prop_assert!(counts(20, &body));
                body.extend(attribute(DESTINATION, &ip));
                body.extend(attribute(DEVICE, &interface.to_ne_bytes()));
                let is_local = (table, kind) == (LOCAL_TABLE, LOCAL);
                let expected = Network { ip: ip.into(), prefix, interface };
                prop_assert_eq!(network(&body, LOCAL), Ok(is_local.then_some(expected)));
            }
        }

        #[test]
        fn any_bytes_are_survived(body in any::<Vec<u8>>(), kind: u16) {
            network(&body, LOCAL).ok();
            counts(kind, &body);
        }
    }
}
