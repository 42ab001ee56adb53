//! Bytes of a frame: Ethernet, IP and transport headers. What the transport carries is left out, as a
//! short snap length does, but for what names somebody.

use std::net::{IpAddr, SocketAddr};

use super::cast::{ICMP, TCP, UDP};

/// The most that any of these frames has: Ethernet, IPv6, TCP, and a message that names somebody.
pub(super) const MAX_LEN: usize = 14 + 40 + 20 + MAX_MESSAGE;
/// The most bytes of such a message.
pub(super) const MAX_MESSAGE: usize = 128;

/// Control bits of TCP (RFC 9293, 3.1).
pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const ACK: u8 = 0x10;
const PSH: u8 = 0x08;
/// On a segment that carries data.
pub(super) const DATA: u8 = ACK | PSH;

/// The contents of a frame.
#[derive(Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) protocol: u8,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    /// TCP flags.
    pub(super) flags: u8,
    pub(super) sequence: u32,
    /// Bytes above the transport header.
    pub(super) payload: u32,
    /// The first of them, as far as they are captured.
    pub(super) message: &'a [u8],
}

/// Writes what is captured; returns its length and the length of the whole frame.
pub(super) fn write(content: &Content<'_>, into: &mut [u8; MAX_LEN]) -> (usize, u32) {
    let transport: &[u8] = &match content.protocol {
        TCP => tcp(content).to_vec(),
        UDP => udp(content).to_vec(),
        ICMP => icmp(content).to_vec(),
        other => unreachable!("no actor speaks protocol {other}"),
    };
    let above_ip = u32::try_from(transport.len()).unwrap_or(0) + content.payload;
    let ip = match (content.source.ip(), content.destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut header = vec![0x45, 0];
            header.extend(length(above_ip + 20));
            header.extend([0, 0, 0x40, 0, 64, content.protocol, 0, 0]);
            header.extend(source.octets());
            header.extend(destination.octets());
            header
        }
        (source, destination) => {
            let mut header = vec![0x60, 0, 0, 0];
            header.extend(length(above_ip));
            header.extend([content.protocol, 64]);
            header.extend(octets(source));
            header.extend(octets(destination));
            header
        }
    };
    let kind: [u8; 2] = if content.source.is_ipv4() {
        [0x08, 0x00]
    } else {
        [0x86, 0xdd]
    };
    let ethernet = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]].concat();
    let headers = [&ethernet, kind.as_slice(), &ip, transport].concat();
    let bytes = [&headers, content.message].concat();
    into[..bytes.len()].copy_from_slice(&bytes);
    let headers = u32::try_from(headers.len()).unwrap_or(0);
    (bytes.len(), headers + content.payload)
}

fn tcp(content: &Content<'_>) -> [u8; 20] {
    let mut header = [0; 20];
    header[..2].copy_from_slice(&content.source.port().to_be_bytes());
    header[2..4].copy_from_slice(&content.destination.port().to_be_bytes());
    header[4..8].copy_from_slice(&content.sequence.to_be_bytes());
    header[12] = 5 << 4;
    header[13] = content.flags;
    header
}

fn udp(content: &Content<'_>) -> [u8; 8] {
    let mut header = [0; 8];
    header[..2].copy_from_slice(&content.source.port().to_be_bytes());
    header[2..4].copy_from_slice(&content.destination.port().to_be_bytes());
    header[4..6].copy_from_slice(&length(content.payload + 8));
    header
}

/// An echo request.
fn icmp(_content: &Content<'_>) -> [u8; 8] {
    [8, 0, 0, 0, 0, 1, 0, 1]
}

fn length(bytes: u32) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}
