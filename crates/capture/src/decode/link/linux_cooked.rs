//! Linux cooked captures: the device `any`, and devices without a header of their own.

use super::{Layer, NOT_IP, Step};
use crate::decode::span::Span;
use crate::link_type::LinkType;

/// Packet type 2 bytes, device type 2, address length 2, address 8, protocol 2:
/// <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>
pub(super) fn first(frame: Span<'_>) -> Step<'_> {
    let (header, rest) = frame.split::<16>()?;
    let device_type = u16::from_be_bytes([header[2], header[3]]);
    let protocol = u16::from_be_bytes([header[14], header[15]]);
    cooked(device_type, protocol, rest)
}

/// Protocol 2 bytes, reserved 2, device index 4, device type 2, packet type 1, address
/// length 1, address 8:
/// <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>
pub(super) fn second(frame: Span<'_>) -> Step<'_> {
    let (header, rest) = frame.split::<20>()?;
    let device_type = u16::from_be_bytes([header[8], header[9]]);
    let protocol = u16::from_be_bytes([header[0], header[1]]);
    cooked(device_type, protocol, rest)
}

/// Whether frames of this device type have a header of their own, so that the protocol field means
/// nothing.
pub(super) const fn has_own_header(device_type: [u8; 2]) -> bool {
    matches!(
        u16::from_be_bytes(device_type),
        FRAME_RELAY | IEEE80211 | PRISM | RADIOTAP | NETLINK
    )
}

// Constants of linux/if_arp.h.
const FRAME_RELAY: u16 = 770;
const IEEE80211: u16 = 801;
const PRISM: u16 = 802;
const RADIOTAP: u16 = 803;
const NETLINK: u16 = 824;

/// The protocol of a cooked frame is an ether type, a number of Linux's own, or nothing on some
/// devices, whose frames follow with a header of their own.
fn cooked(device_type: u16, protocol: u16, rest: Span<'_>) -> Step<'_> {
    // The value of `ETH_P_802_2` in linux/if_ether.h.
    const LLC: u16 = 4;
    match (device_type, protocol) {
        (FRAME_RELAY, _) => Ok((Layer::FrameRelay, rest)),
        (IEEE80211, _) => Ok((Layer::Frame(LinkType::Ieee80211), rest)),
        (PRISM, _) => Ok((Layer::Frame(LinkType::Prism), rest)),
        (RADIOTAP, _) => Ok((Layer::Frame(LinkType::Radiotap), rest)),
        (NETLINK, _) => Err(NOT_IP),
        (_, LLC) => Ok((Layer::Llc, rest)),
        (_, ether_type) => Ok((Layer::EtherType(ether_type), rest)),
    }
}
