//! Packet sockets in the kernel's list (`include/uapi/linux/packet_diag.h`; `net/packet/diag.c`).
//! Pure: any input parses as a socket or as malformed.

use std::net::{Ipv4Addr, SocketAddr};

use super::frame::{DUMP, HEADER_LEN, Malformed, array_at, attributes, header, u16_at, u32_at};
use super::message::DiagSocket;
use crate::answer::{PacketKind, PacketSocket};

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `AF_PACKET`.
const FAMILY: u8 = 17;
/// `PACKET_SHOW_INFO | PACKET_SHOW_RING_CFG | PACKET_SHOW_FANOUT | PACKET_SHOW_FILTER`.
const SHOW: u32 = 0x01 | 0x04 | 0x08 | 0x20;
/// `struct packet_diag_req` and `struct packet_diag_msg`.
const REQUEST_LEN: usize = 20;
const SOCKET_LEN: usize = 16;
/// `PACKET_DIAG_INFO`, `_RX_RING`, `_TX_RING`, `_FANOUT`, `_UID`, `_FILTER`.
const INFO: u16 = 0;
const RX_RING: u16 = 2;
const TX_RING: u16 = 3;
const FANOUT: u16 = 4;
const UID: u16 = 5;
const FILTER: u16 = 7;
/// `SOCK_DGRAM`.
const DATAGRAM: u8 = 2;

/// A request for all packet sockets.
pub(crate) fn dump(sequence: u32) -> [u8; HEADER_LEN + REQUEST_LEN] {
    let mut bytes = [0; HEADER_LEN + REQUEST_LEN];
    bytes[..HEADER_LEN].copy_from_slice(&header(REQUEST_LEN, BY_FAMILY, DUMP, sequence));
    let body = &mut bytes[HEADER_LEN..];
    body[0] = FAMILY;
    body[8..12].copy_from_slice(&SHOW.to_ne_bytes());
    bytes
}

/// The socket in a message of this type; `None` for another type.
pub(crate) fn of(kind: u16, body: &[u8]) -> Result<Option<DiagSocket>, Malformed> {
    if kind != BY_FAMILY || *body.first().ok_or(Malformed)? != FAMILY {
        return Ok(None);
    }
    let cookie = u64::from(u32_at(body, 8)?) | u64::from(u32_at(body, 12)?) << 32;
    let mut facts = PacketSocket {
        has_filter: Some(false),
        receives_by_ring: Some(false),
        sends_by_ring: Some(false),
        ..PacketSocket::new(socket_kind(body[1]), u16_at(body, 2)?)
    };
    let (mut device, mut uid) = (None, 0);
    for attribute in attributes(body.get(SOCKET_LEN..).ok_or(Malformed)?) {
        match attribute? {
            (INFO, value) => device = Some(u32_at(value, 0)?).filter(|index| *index != 0),
            (RX_RING, _) => facts.receives_by_ring = Some(true),
            (TX_RING, _) => facts.sends_by_ring = Some(true),
            // The number of the group, and in the upper half its mode.
            (FANOUT, value) => {
                let group = u32_at(value, 0)? & 0xffff;
                facts.fanout_group = u16::try_from(group).ok();
            }
            (UID, value) => uid = u32::from_ne_bytes(array_at(value, 0)?),
            (FILTER, value) => facts.has_filter = Some(!value.is_empty()),
            _ => {}
        }
    }
    Ok(Some(DiagSocket {
        cookie,
        ..socket(facts, device, (u32_at(body, 4)?, uid))
    }))
}

/// The kind by the number of its type.
pub(crate) const fn socket_kind(number: u8) -> PacketKind {
    if number == DATAGRAM {
        PacketKind::Datagram
    } else {
        PacketKind::Frame
    }
}

/// A packet socket, with its device, inode and user.
pub(crate) fn socket(
    facts: PacketSocket,
    device: Option<u32>,
    (inode, uid): (u32, u32),
) -> DiagSocket {
    DiagSocket {
        packet: Some(facts),
        device,
        ..DiagSocket::bare(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), inode, uid)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An attribute, padded to whole words.
    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// As the kernel writes the socket of tcpdump (Linux 6.18, little endian).
    #[test]
    #[cfg(target_endian = "little")]
    fn a_capture_socket_of_the_kernels_list_is_parsed() {
        let mut body = vec![17, 3, 3, 0, 0x39, 0x30, 0, 0, 0x07, 0, 0, 0, 0x01, 0, 0, 0];
        let info = [5_u32, 2, 0, 0, 0, 1].map(u32::to_ne_bytes).concat();
        body.extend(attribute(INFO, &info));
        body.extend(attribute(UID, &1_000_u32.to_ne_bytes()));
        body.extend(attribute(RX_RING, &[0; 28]));
        body.extend(attribute(FANOUT, &0x0002_1234_u32.to_ne_bytes()));
        body.extend(attribute(FILTER, &[6, 0, 0, 0, 0, 0, 4, 0]));
        let found = of(BY_FAMILY, &body).unwrap().unwrap();
        assert_eq!(
            (found.inode, found.uid, found.device),
            (12_345, 1_000, Some(5))
        );
        assert_eq!(found.cookie, 7 | 1 << 32);
        let facts = found.packet.unwrap();
        assert_eq!(facts.kind, PacketKind::Frame);
        assert_eq!(facts.ether_type, 3);
        assert_eq!(facts.fanout_group, Some(0x1234));
        assert_eq!(facts.has_filter, Some(true));
        assert_eq!(facts.receives_by_ring, Some(true));
        assert_eq!(facts.sends_by_ring, Some(false));
        assert!(!facts.may_send_ip());
        for len in 0..SOCKET_LEN {
            assert_eq!(of(BY_FAMILY, &body[..len]), Err(Malformed));
        }
        body[0] = 2;
        assert_eq!(of(BY_FAMILY, &body), Ok(None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(mut bytes in prop::collection::vec(any::<u8>(), 1..120)) {
            bytes[0] = FAMILY;
            let _ = of(BY_FAMILY, &bytes);
        }
    }
}
