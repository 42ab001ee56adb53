//! IEEE 802.2: logical link control, and the subnetwork access protocol (SNAP) in it.

use super::{Layer, NOT_IP, Step, Version};
use crate::decode::span::Span;

/// Service access points (IEEE 802.2; RFC 1042): of SNAP, and of IP.
const SNAP: u8 = 0xaa;
const IP: u8 = 0x06;
/// Unnumbered information: the control field of all frames that carry a packet.
const UNNUMBERED: u8 = 0x03;

pub(super) fn llc(frame: Span<'_>) -> Step<'_> {
    if frame.wire_len() < 3 {
        // The frame is too short to carry a packet, like a frame of zeros.
        return Err(NOT_IP);
    }
    let (header, rest) = frame.split::<3>()?;
    match header {
        [SNAP, SNAP, UNNUMBERED] => snap(rest),
        [IP, IP, UNNUMBERED] => Ok((Layer::Ip(Version::V4), rest)),
        _ => Err(NOT_IP),
    }
}

/// An organization in three bytes, and the number that it gave to the protocol.
pub(super) fn snap(frame: Span<'_>) -> Step<'_> {
    let ([o0, o1, o2, p0, p1], rest) = frame.split()?;
    let protocol = u16::from_be_bytes([p0, p1]);
    match ([o0, o1, o2], protocol) {
        // The number is an ether type, as it is in bridge tunnels (IEEE 802.1H).
        ([0, 0, 0 | 0xf8], protocol) => Ok((Layer::EtherType(protocol), rest)),
        // A bridged frame with or without its check sequence (RFC 2427, section 5).
        ([0, 0x80, 0xc2], 1 | 7) => Ok((Layer::Ethernet, rest)),
        _ => Err(NOT_IP),
    }
}

/// IP on ATM, with the header or without: <https://www.tcpdump.org/linktypes.html> on
/// `LINKTYPE_ATM_CLIP`. No IP packet begins with the bytes of the header.
pub(super) fn or_ip(frame: Span<'_>) -> Layer {
    match frame.captured().first() {
        Some(&SNAP) => Layer::Llc,
        _ => Layer::AnyIp,
    }
}
