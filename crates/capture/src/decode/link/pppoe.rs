//! PPP over Ethernet (RFC 2516).

use super::{Layer, NOT_IP, Step};
use crate::decode::span::Span;

/// Version and type 1 byte, code 1, session 2, length 2. Code 0 is a session; frames with other
/// codes search for one.
pub(super) fn session(frame: Span<'_>) -> Step<'_> {
    let ([_, code, _, _, l0, l1], rest) = frame.split()?;
    if code != 0 {
        return Err(NOT_IP);
    }
    let len = u16::from_be_bytes([l0, l1]);
    Ok((Layer::Ppp, rest.limit(len.into())))
}
