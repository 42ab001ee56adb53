//! Frame relay, and several lines of it as one.

use etherparse::ether_type;

use super::{Layer, NOT_IP, Step, Version, llc};
use crate::decode::span::Span;

/// The value of the control field for unnumbered information.
const UNNUMBERED: u8 = 0x03;
/// Network layer protocols (ISO/IEC TR 9577; RFC 2427).
const PADDING: u8 = 0x00;
const SNAP: u8 = 0x80;
const IPV6: u8 = 0x8e;
const IPV4: u8 = 0xcc;
const PPP: u8 = 0xcf;

/// An address of two to four bytes (Q.922), then a control field and the protocol (RFC 2427),
/// or an ether type, as Cisco has it.
pub(super) fn frame_relay(frame: Span<'_>) -> Step<'_> {
    let mut rest = frame;
    let mut is_last = false;
    for number in 0..4 {
        let ([byte], behind) = rest.split()?;
        rest = behind;
        // The lowest bit is set in the last byte of an address, which is never the first one.
        is_last = byte & 1 != 0;
        if is_last {
            if number == 0 {
                return Err(NOT_IP);
            }
            break;
        }
    }
    if !is_last {
        return Err(NOT_IP);
    }
    let ([first, second], behind) = rest.split()?;
    match (first, second) {
        (UNNUMBERED, PADDING) => {
            let ([protocol], behind) = behind.split()?;
            network_protocol(protocol, behind)
        }
        (UNNUMBERED, protocol) => network_protocol(protocol, behind),
        _ => match u16::from_be_bytes([first, second]) {
            number if number == ether_type::IPV4.0 || number == ether_type::IPV6.0 => {
                Ok((Layer::EtherType(number), behind))
            }
            _ => Err(NOT_IP),
        },
    }
}

fn network_protocol(protocol: u8, rest: Span<'_>) -> Step<'_> {
    match protocol {
        IPV4 => Ok((Layer::Ip(Version::V4), rest)),
        IPV6 => Ok((Layer::Ip(Version::V6), rest)),
        SNAP => llc::snap(rest),
        PPP => Ok((Layer::Ppp, rest)),
        _ => Err(NOT_IP),
    }
}

/// Two bytes before each fragment of a frame (FRF.16.1): whether it is the first and the last,
/// whether it is for the bundle itself, and a sequence number. Only whole frames are decoded.
pub(super) fn multilink(frame: Span<'_>) -> Step<'_> {
    const BEGINS: u8 = 0x80;
    const ENDS: u8 = 0x40;
    const CONTROL: u8 = 0x20;
    let ([flags, _], rest) = frame.split()?;
    match flags & (BEGINS | ENDS | CONTROL) {
        0xc0 => Ok((Layer::FrameRelay, rest)),
        _ => Err(NOT_IP),
    }
}
