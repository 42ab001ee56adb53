//! Multiprotocol label switching.

use super::{Layer, NOT_IP, Step, Version, ethernet};
use crate::decode::DecodeError;
use crate::decode::span::Span;

/// A stack of labels of four bytes each (RFC 3032). No field names the next protocol. Only its
/// first four bits show it (RFC 4928): a version of IP, or a control word of a pseudo-wire.
pub(super) fn labels(frame: Span<'_>) -> Step<'_> {
    let mut rest = frame;
    loop {
        let ([_, _, last, _], behind) = rest.split()?;
        rest = behind;
        if last & 1 != 0 {
            break;
        }
    }
    match rest.captured().first().map(|byte| byte >> 4) {
        Some(4) => Ok((Layer::Ip(Version::V4), rest)),
        Some(6) => Ok((Layer::Ip(Version::V6), rest)),
        // The associated channel of a pseudo-wire (RFC 5586).
        Some(1) => Err(NOT_IP),
        Some(0) => pseudo_wire(rest),
        Some(_) if ethernet::surely_carries_ip(rest)? => Ok((Layer::Ethernet, rest)),
        Some(_) => Err(NOT_IP),
        None => Err(rest.too_short()),
    }
}

/// Ethernet with the control word (RFC 4448, section 4.6), or without it and to an address that
/// begins with 0. Only the ends of the pseudo-wire know which.
fn pseudo_wire(rest: Span<'_>) -> Result<(Layer, Span<'_>), DecodeError> {
    let (_control, behind) = rest.split::<4>()?;
    if ethernet::surely_carries_ip(behind)? {
        return Ok((Layer::Ethernet, behind));
    }
    if ethernet::surely_carries_ip(rest)? {
        return Ok((Layer::Ethernet, rest));
    }
    Err(NOT_IP)
}
