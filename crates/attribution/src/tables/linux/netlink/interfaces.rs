//! The devices of a network namespace, and how they are stacked (rtnetlink(7)).

use std::collections::HashMap;
use std::io;

use super::exchange::{Answer, Location, Netlink, Part};
use super::frame;
use super::frame::{DUMP, HEADER_LEN, Malformed, attributes, u32_at};
use crate::answer::devices::{Accepts, Devices, Link, LinkKind};

/// `RTM_NEWLINK`, `RTM_GETLINK`.
const NEW: u16 = 16;
const GET: u16 = 18;

/// `struct ifinfomsg`.
const BODY_LEN: usize = 16;
/// `IFLA_LINK`, `IFLA_MASTER`, `IFLA_LINKINFO` with `IFLA_INFO_KIND` in it,
/// `IFLA_LINK_NETNSID` (`include/uapi/linux/if_link.h`).
const LOWER: u16 = 5;
const MASTER: u16 = 10;
const INFO: u16 = 18;
const INFO_KIND: u16 = 1;
const LOWER_NAMESPACE: u16 = 37;

/// The devices of the namespace in which it was opened.
#[derive(Debug)]
pub(crate) struct Interfaces {
    netlink: Netlink,
    accepts: Accepts,
}

impl Interfaces {
    /// Opens the connection.
    pub(crate) fn open(location: Location) -> io::Result<Self> {
        Ok(Self {
            netlink: Netlink::open(None, 0, location)?,
            accepts: accepts(),
        })
    }

    /// Reads all of them.
    pub(crate) fn read(&mut self) -> io::Result<Devices> {
        let mut links = HashMap::new();
        self.netlink.ask(Answer::Dump, request, |part| {
            match part {
                Part::Begin => links.clear(),
                Part::Message(NEW, body) => links.extend([link(body)?]),
                Part::Message(..) => {}
            }
            Ok(())
        })?;
        Ok(Devices::new(links, self.accepts))
    }
}

fn request(sequence: u32) -> [u8; HEADER_LEN + BODY_LEN] {
    let mut bytes = [0; HEADER_LEN + BODY_LEN];
    let header = frame::header(BODY_LEN, GET, DUMP, sequence);
    bytes[..HEADER_LEN].copy_from_slice(&header);
    bytes
}

/// Whether sockets without a device receive packets that arrive through a VRF, in the network
/// namespace of this thread.
fn accepts() -> Accepts {
    let read = |protocol: &str| {
        // The file shows the network namespace of the process that reads it (`net/sysctl_net.c`).
        let path = format!("/proc/sys/net/ipv4/{protocol}_l3mdev_accept");
        let text = std::fs::read_to_string(path).ok()?;
        Some(text.trim() != "0")
    };
    Accepts {
        tcp: read("tcp"),
        udp: read("udp"),
        raw: read("raw"),
    }
}

/// The index of a device, and its relevant facts.
pub(crate) fn link(body: &[u8]) -> Result<(u32, Link), Malformed> {
    let device = u32_at(body, 4)?;
    let mut link = Link::default();
    for attribute in attributes(body.get(BODY_LEN..).ok_or(Malformed)?) {
        match attribute? {
            (LOWER, value) => link.lower = Some(u32_at(value, 0)?).filter(|index| *index != 0),
            (MASTER, value) => link.master = Some(u32_at(value, 0)?).filter(|index| *index != 0),
            (LOWER_NAMESPACE, _) => link.is_lower_elsewhere = true,
            (INFO, info) => link.kind = kind(info)?,
            _ => {}
        }
    }
    Ok((device, link))
}

fn kind(info: &[u8]) -> Result<LinkKind, Malformed> {
    for attribute in attributes(info) {
        if let (INFO_KIND, kind) = attribute? {
            return Ok(match kind {
                b"bridge\0" => LinkKind::Bridge,
                b"veth\0" => LinkKind::Veth,
                b"vrf\0" => LinkKind::Vrf,
                _ => LinkKind::Other,
            });
        }
    }
    Ok(LinkKind::Other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn this_host_has_a_loopback_device() {
        let mut interfaces = Interfaces::open(Location::Own).unwrap();
        assert_eq!(interfaces.read().unwrap().link(1), Some(&Link::default()));
    }

    proptest! {
        #[test]
        fn what_the_kernel_writes_is_read(
            device: u32,
            (lower, master) in any::<(Option<u32>, Option<u32>)>(),
            is_lower_elsewhere: bool,
            kind in 0..4_usize,
        ) {
            let (name, kind) = [
                ("bridge", LinkKind::Bridge),
                ("veth", LinkKind::Veth),
                ("vrf", LinkKind::Vrf),
                ("dummy", LinkKind::Other),
            ][kind];
            let mut body = vec![0; BODY_LEN];
            body[4..8].copy_from_slice(&device.to_ne_bytes());
            // Its name comes first.
            body.extend(attribute(3, b"eth0\0"));
            body.extend(lower.iter().flat_map(|lower| attribute(LOWER, &lower.to_ne_bytes())));
            body.extend(master.iter().flat_map(|master| attribute(MASTER, &master.to_ne_bytes())));
            let name = [name.as_bytes(), &[0]].concat();
            body.extend(attribute(INFO, &attribute(INFO_KIND, &name)));
            if is_lower_elsewhere {
                body.extend(attribute(LOWER_NAMESPACE, &[0; 4]));
            }
            let lower = lower.filter(|index| *index != 0);
            let master = master.filter(|index| *index != 0);
            let expected = Link { master, lower, is_lower_elsewhere, kind };
            prop_assert_eq!(link(&body), Ok((device, expected)));
        }

        #[test]
        fn any_bytes_are_survived(body in any::<Vec<u8>>()) {
            link(&body).ok();
        }
    }
}
