//! BSD loopback, and SLIP as BSD captures it.

use super::{Layer, NOT_IP, Step, Version};
use crate::decode::span::Span;

/// <https://www.tcpdump.org/linktypes/LINKTYPE_NULL.html>
///
/// Some devices with this link type deliver PPP, or an ether type in place of the family.
pub(super) fn null(frame: Span<'_>) -> Step<'_> {
    let (header, rest) = frame.split()?;
    if let [0xff, 0x03, _, _] = header {
        return Ok((Layer::Ppp, frame));
    }
    // No family is above 255, so the value shows its byte order.
    let family = u32::from_be_bytes(header).min(u32::from_le_bytes(header));
    match u16::try_from(family) {
        Ok(ether_type @ 0x0600..) => Ok((Layer::EtherType(ether_type), rest)),
        _ => address_family(family, rest),
    }
}

/// <https://www.tcpdump.org/linktypes/LINKTYPE_LOOP.html>
pub(super) fn bsd_loop(frame: Span<'_>) -> Step<'_> {
    let (header, rest) = frame.split()?;
    address_family(u32::from_be_bytes(header), rest)
}

/// `AF_INET` is 2 everywhere; `AF_INET6` is 10 on Linux, 24 on NetBSD, OpenBSD and with
/// Npcap, 28 on FreeBSD, 30 on macOS.
pub(super) fn address_family(family: u32, rest: Span<'_>) -> Step<'_> {
    match family {
        2 => Ok((Layer::Ip(Version::V4), rest)),
        10 | 24 | 28 | 30 => Ok((Layer::Ip(Version::V6), rest)),
        _ => Err(NOT_IP),
    }
}

/// A packet that `IPsec` of the BSDs has in clear text: an address family in the byte order of the
/// machine, then 8 bytes about the encryption (`print-enc.c` of tcpdump).
pub(super) fn enc(frame: Span<'_>) -> Step<'_> {
    let (family, rest) = frame.split::<4>()?;
    let (_, rest) = rest.split::<8>()?;
    let family = u32::from_be_bytes(family).min(u32::from_le_bytes(family));
    address_family(family, rest)
}

/// One byte for the direction and 15 for the compressed header (RFC 1144). The system has rebuilt
/// the packet after them from that header: <https://www.tcpdump.org/linktypes/LINKTYPE_SLIP.html>
pub(super) fn slip(frame: Span<'_>) -> Step<'_> {
    let (_, rest) = frame.split::<16>()?;
    Ok((Layer::AnyIp, rest))
}
