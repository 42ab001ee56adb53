//! Linux: `packet_diag` (`linux/packet_diag.h`; `net/packet/diag.c` of the kernel).

mod raw_sockets;

use std::io;

use rustix::net::netlink::SOCK_DIAG;

use super::FrameSenders;
use crate::netlink::{Malformed, Netlink, attributes, u16_at, u32_at};
use raw_sockets::RawSockets;

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `AF_PACKET`.
const PACKET: u8 = 17;
/// `PACKET_SHOW_INFO | PACKET_SHOW_RING_CFG | PACKET_SHOW_FILTER`.
const SHOW: u32 = 0x01 | 0x04 | 0x20;
/// `struct packet_diag_req` and `struct packet_diag_msg`.
const REQUEST_LEN: usize = 20;
const BODY_LEN: usize = 16;
/// `PACKET_DIAG_INFO`, `_RX_RING`, `_TX_RING`, `_FILTER`.
const INFO: u16 = 0;
const RX_RING: u16 = 2;
const TX_RING: u16 = 3;
const FILTER: u16 = 7;
/// `ETH_P_ALL`, `ETH_P_IP`, `ETH_P_IPV6`.
const ALL: u16 = 3;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

#[derive(Debug)]
pub(super) struct Senders {
    netlink: Netlink,
    raw: RawSockets,
}

/// A packet socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct PacketSocket {
    protocol: u16,
    /// The index of the device that it is bound to, 0 for all.
    device: u32,
    has_filter: bool,
    receives_by_ring: bool,
    sends_by_ring: bool,
}

impl PacketSocket {
    const fn senders(self) -> FrameSenders {
        match self.protocol {
            _ if self.sends_by_ring => FrameSenders::OnlySend,
            0 => FrameSenders::OnlySend,
            ALL | IPV4 | IPV6 if !self.has_filter && !self.receives_by_ring => {
                FrameSenders::AlsoReceive
            }
            _ => FrameSenders::None,
        }
    }
}

impl Senders {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            netlink: Netlink::open(Some(SOCK_DIAG))?,
            raw: RawSockets::open(),
        })
    }

    pub(super) fn may_send_on(&mut self, device: Option<u32>) -> io::Result<FrameSenders> {
        let mut senders = self.raw.senders()?;
        if senders == FrameSenders::OnlySend {
            return Ok(senders);
        }
        // A socket that opens or closes meanwhile may be on the list or not.
        let _is_whole = self.netlink.list(BY_FAMILY, &request(), |_, body| {
            let socket = packet_socket(body).ok_or(Malformed)?;
            let is_there = device.is_none_or(|device| [0, device].contains(&socket.device));
            if is_there {
                senders = senders.max(socket.senders());
            }
            Ok(())
        })?;
        Ok(senders)
    }
}

/// The body of a request for all packet sockets.
fn request() -> [u8; REQUEST_LEN] {
    let mut body = [0; REQUEST_LEN];
    body[0] = PACKET;
    body[8..12].copy_from_slice(&SHOW.to_ne_bytes());
    body
}

fn packet_socket(body: &[u8]) -> Option<PacketSocket> {
    let mut socket = PacketSocket {
        protocol: u16_at(body, 2)?,
        ..PacketSocket::default()
    };
    for (attribute, value) in attributes(body.get(BODY_LEN..)?) {
        match attribute {
            INFO => socket.device = u32_at(value, 0)?,
            RX_RING => socket.receives_by_ring = true,
            TX_RING => socket.sends_by_ring = true,
            FILTER => socket.has_filter = !value.is_empty(),
            _ => {}
        }
    }
    Some(socket)
}

/// Parses any bytes as a list of packet sockets: each needs its own message, and the parser reads
/// nothing after the end of the list.
///
/// # Panics
///
/// If that does not hold.
#[cfg(feature = "fuzzing")]
pub fn fuzzing(bytes: &[u8]) {
    use crate::netlink::{Expected, HEADER_LEN, read};

    let sequence = u32_at(bytes, 8).unwrap_or_default();
    let list = |bytes: &[u8]| {
        let mut found = Vec::new();
        let progress = read(bytes, sequence, Expected::List, |_, body| {
            found.push(packet_socket(body).ok_or(Malformed)?);
            Ok(())
        });
        (found, progress.is_ok_and(|progress| progress.is_over))
    };
    let (found, is_over) = list(bytes);
    assert!(found.len() <= bytes.len() / (HEADER_LEN + BODY_LEN));
    if is_over {
        // Bytes after the end change nothing.
        assert_eq!(list(&[bytes, &[0xff; HEADER_LEN]].concat()), (found, true));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sockets_that_may_send() {
        let socket = |protocol| PacketSocket {
            protocol,
            ..PacketSocket::default()
        };
        assert_eq!(socket(0).senders(), FrameSenders::OnlySend);
        assert_eq!(socket(ALL).senders(), FrameSenders::AlsoReceive);
        assert_eq!(socket(IPV4).senders(), FrameSenders::AlsoReceive);
        // The protocols of wpa_supplicant and lldpd.
        assert_eq!(socket(0x888e).senders(), FrameSenders::None);
        assert_eq!(socket(0x88cc).senders(), FrameSenders::None);
        let listener = PacketSocket {
            has_filter: true,
            ..socket(ALL)
        };
        assert_eq!(listener.senders(), FrameSenders::None);
        let tcpdump = PacketSocket {
            receives_by_ring: true,
            ..socket(ALL)
        };
        assert_eq!(tcpdump.senders(), FrameSenders::None);
        let both = PacketSocket {
            sends_by_ring: true,
            ..tcpdump
        };
        assert_eq!(both.senders(), FrameSenders::OnlySend);
    }

    #[test]
    fn the_kernel_answers() {
        let mut senders = Senders::open().unwrap();
        for _ in 0..3 {
            // No socket is bound to such a device, but an unbound socket may exist.
            let on_any = senders.may_send_on(None).unwrap();
            assert!(on_any >= senders.may_send_on(Some(u32::MAX)).unwrap());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = packet_socket(&bytes);
        }
    }
}
