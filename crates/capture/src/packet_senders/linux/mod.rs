//! Linux: `packet_diag` (`linux/packet_diag.h`; `net/packet/diag.c` of the kernel).

#[path = "raw_sockets.rs"]
mod raw_sockets;

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::retry_on_intr;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use raw_sockets::RawSockets;

/// `SOCK_DIAG_BY_FAMILY`, `NLMSG_ERROR`, `NLMSG_DONE`, `NLM_F_REQUEST | NLM_F_DUMP`.
const BY_FAMILY: u16 = 20;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const DUMP: u16 = 0x301;
/// `AF_PACKET`.
const PACKET: u8 = 17;
/// `PACKET_SHOW_INFO | PACKET_SHOW_RING_CFG | PACKET_SHOW_FILTER`.
const SHOW: u32 = 0x01 | 0x04 | 0x20;
/// `struct nlmsghdr`, `struct packet_diag_req` and `struct packet_diag_msg`.
const HEADER_LEN: usize = 16;
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
/// The kernel fills at most 32 KiB at a time (`netlink_recvmsg`).
const BUFFER: usize = 32 * 1024;

#[derive(Debug)]
pub(super) struct Senders {
    socket: OwnedFd,
    raw: RawSockets,
    buffer: Vec<u8>,
    sequence: u32,
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
    const fn may_send(self) -> bool {
        match self.protocol {
            _ if self.sends_by_ring => true,
            0 => true,
            ALL | IPV4 | IPV6 => !self.has_filter && !self.receives_by_ring,
            _ => false,
        }
    }
}

impl Senders {
    pub(super) fn open() -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        Ok(Self {
            socket,
            raw: RawSockets::open(),
            buffer: vec![0; BUFFER],
            sequence: 0,
        })
    }

    pub(super) fn may_send_on(&mut self, device: Option<u32>) -> io::Result<bool> {
        self.sequence = self.sequence.wrapping_add(1);
        let kernel = SocketAddrNetlink::new(0, 0);
        let request = request(self.sequence);
        retry_on_intr(|| rustix::net::sendto(&self.socket, &request, SendFlags::empty(), &kernel))?;
        let mut may_send = false;
        loop {
            let (length, _) = retry_on_intr(|| {
                rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::empty())
            })?;
            // All of it is taken out of the socket, whatever is in it.
            let is_over = read(&self.buffer[..length], self.sequence, |socket| {
                let is_there = device.is_none_or(|device| [0, device].contains(&socket.device));
                may_send |= is_there && socket.may_send();
            })?;
            if is_over {
                return Ok(may_send || self.raw.any_sends(&mut self.buffer)?);
            }
        }
    }
}

fn request(sequence: u32) -> [u8; HEADER_LEN + REQUEST_LEN] {
    let mut bytes = [0; HEADER_LEN + REQUEST_LEN];
    #[expect(clippy::cast_possible_truncation, reason = "it is 36")]
    let length = (HEADER_LEN + REQUEST_LEN) as u32;
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&DUMP.to_ne_bytes());
    bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    bytes[HEADER_LEN] = PACKET;
    bytes[HEADER_LEN + 8..HEADER_LEN + 12].copy_from_slice(&SHOW.to_ne_bytes());
    bytes
}

/// The packet sockets in what was received at once; whether that was the end of the answer.
fn read(mut bytes: &[u8], sequence: u32, mut socket: impl FnMut(PacketSocket)) -> io::Result<bool> {
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    while !bytes.is_empty() {
        let length = u32_at(bytes, 0).ok_or_else(malformed)? as usize;
        let message = bytes.get(..length).filter(|_| length >= HEADER_LEN);
        let message = message.ok_or_else(malformed)?;
        if u32_at(message, 8) == Some(sequence) {
            let body = &message[HEADER_LEN..];
            match u16_at(message, 4).ok_or_else(malformed)? {
                DONE => return Ok(true),
                ERROR => {
                    let number = u32_at(body, 0).map_or(0, u32::cast_signed);
                    return Err(io::Error::from_raw_os_error(number.wrapping_neg()));
                }
                _ => socket(packet_socket(body).ok_or_else(malformed)?),
            }
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn packet_socket(body: &[u8]) -> Option<PacketSocket> {
    let mut socket = PacketSocket {
        protocol: u16_at(body, 2)?,
        ..PacketSocket::default()
    };
    let mut rest = body.get(BODY_LEN..)?;
    while let Some(length) = u16_at(rest, 0).map(usize::from) {
        let Some(value) = rest.get(4..length) else {
            break;
        };
        match u16_at(rest, 2)? {
            INFO => socket.device = u32_at(value, 0)?,
            RX_RING => socket.receives_by_ring = true,
            TX_RING => socket.sends_by_ring = true,
            FILTER => socket.has_filter = !value.is_empty(),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(socket)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let array = bytes.get(at..)?.first_chunk();
    array.copied().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let array = bytes.get(at..)?.first_chunk();
    array.copied().map(u32::from_ne_bytes)
}

/// Any bytes as a list of packet sockets: each takes a message of its own, and nothing is read
/// behind the end of the list.
///
/// # Panics
/// If that does not hold.
#[cfg(feature = "fuzzing")]
pub fn fuzzing(bytes: &[u8]) {
    let sequence = u32_at(bytes, 8).unwrap_or_default();
    let mut found = Vec::new();
    let is_over = read(bytes, sequence, |socket| found.push(socket));
    assert!(found.len() <= bytes.len() / (HEADER_LEN + BODY_LEN));
    if is_over.is_ok_and(|is_over| is_over) {
        let mut again = Vec::new();
        // What comes behind the end changes nothing.
        let longer = [bytes, &[0xff; HEADER_LEN]].concat();
        let is_over = read(&longer, sequence, |socket| again.push(socket));
        assert!(is_over.is_ok_and(|is_over| is_over));
        assert_eq!(again, found);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_may_send() {
        let socket = |protocol| PacketSocket {
            protocol,
            ..PacketSocket::default()
        };
        assert!(socket(0).may_send());
        assert!(socket(ALL).may_send());
        assert!(socket(IPV4).may_send());
        // wpa_supplicant's and lldpd's.
        assert!(!socket(0x888e).may_send());
        assert!(!socket(0x88cc).may_send());
        let listener = PacketSocket {
            has_filter: true,
            ..socket(ALL)
        };
        assert!(!listener.may_send());
        let tcpdump = PacketSocket {
            receives_by_ring: true,
            ..socket(ALL)
        };
        assert!(!tcpdump.may_send());
        let both = PacketSocket {
            sends_by_ring: true,
            ..tcpdump
        };
        assert!(both.may_send());
    }

    #[test]
    fn the_kernel_answers() {
        let mut senders = Senders::open().unwrap();
        for _ in 0..3 {
            // Nothing is bound to such a device; what is bound to none may be there.
            let on_any = senders.may_send_on(None).unwrap();
            assert!(on_any || !senders.may_send_on(Some(u32::MAX)).unwrap());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, 0, |_| {});
        }
    }
}
