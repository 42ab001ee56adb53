//! The link layer: where in a frame is the IP packet?

use etherparse::{EtherType, Ethernet2HeaderSlice, SingleVlanHeaderSlice, ether_type};

use super::DecodeError;
use super::span::Span;
use crate::link_type::LinkType;

/// What an IP packet must be, by the header before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

/// The IP packet in a frame.
pub(super) fn packet(link: LinkType, frame: Span<'_>) -> Result<(Version, Span<'_>), DecodeError> {
    match link {
        LinkType::Ethernet => ethernet(frame),
        LinkType::LinuxCooked => linux_cooked(frame),
        LinkType::LinuxCooked2 => linux_cooked2(frame),
        LinkType::RawIp => raw_ip(frame),
        LinkType::Ipv4 => Ok((Version::V4, frame)),
        LinkType::Ipv6 => Ok((Version::V6, frame)),
        LinkType::Null => null(frame),
        LinkType::Loop => bsd_loop(frame),
    }
}

fn ethernet(frame: Span<'_>) -> Result<(Version, Span<'_>), DecodeError> {
    let header =
        Ethernet2HeaderSlice::from_slice(frame.captured()).map_err(|_| frame.too_short())?;
    tagged(header.ether_type(), frame.skip(header.slice().len()))
}

/// What follows an ether type: any number of VLAN tags (IEEE 802.1Q), then IP.
fn tagged(
    mut ether_type: EtherType,
    mut rest: Span<'_>,
) -> Result<(Version, Span<'_>), DecodeError> {
    loop {
        match ether_type {
            ether_type::IPV4 => return Ok((Version::V4, rest)),
            ether_type::IPV6 => return Ok((Version::V6, rest)),
            ether_type::VLAN_TAGGED_FRAME
            | ether_type::PROVIDER_BRIDGING
            | ether_type::VLAN_DOUBLE_TAGGED_FRAME => {
                let tag = SingleVlanHeaderSlice::from_slice(rest.captured())
                    .map_err(|_| rest.too_short())?;
                ether_type = tag.ether_type();
                rest = rest.skip(tag.slice().len());
            }
            EtherType(other) => return Err(not_ip(other)),
        }
    }
}

/// Numbers below 0x0600 are lengths in Ethernet (IEEE 802.3, clause 3.2.6) and Linux's
/// own numbers in cooked captures.
fn not_ip(ether_type: u16) -> DecodeError {
    DecodeError::NotIp {
        ether_type: (ether_type >= 0x0600).then_some(ether_type),
    }
}

/// Packet type 2 bytes, device type 2, address length 2, address 8, protocol 2:
/// <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>
fn linux_cooked(frame: Span<'_>) -> Result<(Version, Span<'_>), DecodeError> {
    let (header, rest) = frame.split::<16>()?;
    let device_type = u16::from_be_bytes([header[2], header[3]]);
    cooked(
        device_type,
        u16::from_be_bytes([header[14], header[15]]),
        rest,
    )
}

/// Protocol 2 bytes, reserved 2, device index 4, device type 2, packet type 1, address
/// length 1, address 8:
/// <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>
fn linux_cooked2(frame: Span<'_>) -> Result<(Version, Span<'_>), DecodeError> {
    let (header, rest) = frame.split::<20>()?;
    let device_type = u16::from_be_bytes([header[8], header[9]]);
    cooked(
        device_type,
        u16::from_be_bytes([header[0], header[1]]),
        rest,
    )
}

/// The protocol of a cooked frame is an ether type, except on these devices.
fn cooked(
    device_type: u16,
    protocol: u16,
    rest: Span<'_>,
) -> Result<(Version, Span<'_>), DecodeError> {
    // Of linux/if_arp.h.
    const FRAME_RELAY: u16 = 770;
    const RADIOTAP: u16 = 803;
    const NETLINK: u16 = 824;
    match device_type {
        FRAME_RELAY | RADIOTAP | NETLINK => Err(DecodeError::NotIp { ether_type: None }),
        _ => tagged(EtherType(protocol), rest),
    }
}

fn raw_ip(frame: Span<'_>) -> Result<(Version, Span<'_>), DecodeError> {
    match frame.captured().first().map(|byte| byte >> 4) {
        Some(4) => Ok((Version::V4, frame)),
        Some(6) => Ok((Version::V6, frame)),
        Some(_) => Err(DecodeError::Malformed),
        None => Err(frame.too_short()),
    }
}

/// <https://www.tcpdump.org/linktypes/LINKTYPE_NULL.html>
fn null(frame: Span<'_>) -> Result<(Version, Span<'_>), DecodeError> {
    let (header, rest) = frame.split()?;
    // No family is above 255, so the order of the bytes shows itself.
    let family = u32::from_be_bytes(header).min(u32::from_le_bytes(header));
    address_family(family, rest)
}

/// <https://www.tcpdump.org/linktypes/LINKTYPE_LOOP.html>
fn bsd_loop(frame: Span<'_>) -> Result<(Version, Span<'_>), DecodeError> {
    let (header, rest) = frame.split()?;
    address_family(u32::from_be_bytes(header), rest)
}

/// `AF_INET` is 2 everywhere; `AF_INET6` is 10 on Linux, 24 on NetBSD, OpenBSD and with
/// Npcap, 28 on FreeBSD, 30 on macOS.
fn address_family(family: u32, rest: Span<'_>) -> Result<(Version, Span<'_>), DecodeError> {
    match family {
        2 => Ok((Version::V4, rest)),
        10 | 24 | 28 | 30 => Ok((Version::V6, rest)),
        _ => Err(DecodeError::NotIp { ether_type: None }),
    }
}
