//! ARCNET.

use super::{Layer, NOT_IP, Step, Version};
use crate::decode::DecodeError;
use crate::decode::span::Span;

/// Types of frames: IP as RFC 1051 has it, and as RFC 1201 does.
const IP_OLD: u8 = 240;
const IP: u8 = 212;
const IPV6: u8 = 196;

/// Source 1 byte, destination 1, type 1: as the BSDs capture it.
pub(super) fn bsd(frame: Span<'_>) -> Step<'_> {
    let ([_, _, kind], rest) = frame.split()?;
    packet(kind, rest, true)
}

/// The same with an offset of 2 bytes before the type: as Linux captures it, each packet whole.
pub(super) fn linux(frame: Span<'_>) -> Step<'_> {
    let ([_, _, _, _, kind], rest) = frame.split()?;
    packet(kind, rest, false)
}

/// RFC 1201 has a split flag 1 byte and a sequence number 2 before each part of a packet; a flag
/// of 255 is padding, with another header behind it.
fn packet(kind: u8, rest: Span<'_>, is_split: bool) -> Result<(Layer, Span<'_>), DecodeError> {
    const PADDING: u8 = 0xff;
    if kind == IP_OLD {
        return Ok((Layer::Ip(Version::V4), rest));
    }
    let version = match kind {
        IP => Version::V4,
        IPV6 => Version::V6,
        _ => return Err(NOT_IP),
    };
    let ([flag, _, _], mut behind) = rest.split()?;
    let mut flag = flag;
    if is_split && flag == PADDING {
        let ([_, second, _, _], rest) = behind.split()?;
        (flag, behind) = (second, rest);
    }
    // The first part of several has an odd flag, and those that follow an even one.
    if is_split && flag != 0 && flag & 1 == 0 {
        return Err(NOT_IP);
    }
    Ok((Layer::Ip(version), behind))
}
