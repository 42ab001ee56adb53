//! The point-to-point protocol, and Cisco's that shares its lines.

use super::{Layer, NOT_IP, Step, Version};
use crate::decode::DecodeError;
use crate::decode::span::Span;

/// Address and control of RFC 1662; peers may agree to leave them out.
const ALL_STATIONS: u8 = 0xff;
const UNNUMBERED: u8 = 0x03;
/// Addresses of Cisco HDLC: one station, all of them.
const CISCO: [u8; 2] = [0x0f, 0x8f];

/// Protocol numbers of <https://www.iana.org/assignments/ppp-numbers>.
const IPV4: u16 = 0x0021;
const IPV6: u16 = 0x0057;
const BRIDGED: u16 = 0x0031;
const MULTILINK: u16 = 0x003d;
const MPLS: u16 = 0x0281;
const MPLS_MULTICAST: u16 = 0x0283;

/// PPP in the framing of HDLC, or Cisco's protocol, which has another address:
/// <https://www.tcpdump.org/linktypes/LINKTYPE_PPP_HDLC.html>
pub(super) fn hdlc(frame: Span<'_>) -> Layer {
    match frame.captured().first() {
        Some(address) if CISCO.contains(address) => Layer::CiscoHdlc,
        _ => Layer::Ppp,
    }
}

/// PPP as Linux's pppd logs it: the direction in place of the address, then the control field.
pub(super) fn pppd(frame: Span<'_>) -> Step<'_> {
    let rest = frame.skip_one()?;
    match rest.captured().first() {
        Some(&UNNUMBERED) => Ok((Layer::Ppp, rest.skip(1))),
        _ => Ok((Layer::Ppp, rest)),
    }
}

pub(super) fn ppp(frame: Span<'_>) -> Step<'_> {
    let frame = match *frame.captured() {
        // No protocol has this number.
        [ALL_STATIONS, ..] => frame.split::<2>()?.1,
        _ => frame,
    };
    let (protocol, rest) = protocol(frame)?;
    match protocol {
        IPV4 => Ok((Layer::Ip(Version::V4), rest)),
        IPV6 => Ok((Layer::Ip(Version::V6), rest)),
        MPLS | MPLS_MULTICAST => Ok((Layer::Mpls, rest)),
        BRIDGED => bridged(rest),
        MULTILINK => multilink(rest),
        _ => Err(NOT_IP),
    }
}

type Protocol<'a> = (u16, Span<'a>);

/// One byte where peers agreed to leave out the first, which is then 0: the last byte of every
/// number is odd, and no other (RFC 1661, section 2).
fn protocol(frame: Span<'_>) -> Result<Protocol<'_>, DecodeError> {
    let ([first], rest) = frame.split()?;
    if first & 1 != 0 {
        return Ok((first.into(), rest));
    }
    let ([second], rest) = rest.split()?;
    Ok((u16::from_be_bytes([first, second]), rest))
}

/// A bridged frame of another network (RFC 3518, section 4.2): flags 1 byte, kind 1, and the number
/// of a network 4 if a flag is set.
fn bridged(frame: Span<'_>) -> Step<'_> {
    const HAS_NUMBER: u8 = 0x40;
    const ETHERNET: u8 = 1;
    match frame.split()? {
        ([flags, ETHERNET], rest) if flags & HAS_NUMBER == 0 => Ok((Layer::Ethernet, rest)),
        ([_, ETHERNET], rest) => Ok((Layer::Ethernet, rest.split::<4>()?.1)),
        _ => Err(NOT_IP),
    }
}

/// A packet that was not split over several links (RFC 1990, section 3), with a sequence
/// number of the usual length.
fn multilink(frame: Span<'_>) -> Step<'_> {
    const BEGINS_AND_ENDS: u8 = 0b1100_0000;
    let (header, rest) = frame.split::<4>()?;
    match header {
        [BEGINS_AND_ENDS, ..] => Ok((Layer::Ppp, rest)),
        _ => Err(NOT_IP),
    }
}

/// Address and control, then an ether type:
/// <https://www.tcpdump.org/linktypes/LINKTYPE_C_HDLC.html>
pub(super) fn cisco(frame: Span<'_>) -> Step<'_> {
    let ([_, _, t0, t1], rest) = frame.split()?;
    Ok((Layer::EtherType(u16::from_be_bytes([t0, t1])), rest))
}
