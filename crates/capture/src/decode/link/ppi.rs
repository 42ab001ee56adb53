//! The per-packet information header (PPI) of CACE Technologies.

use super::{Layer, Step};
use crate::decode::DecodeError;
use crate::decode::span::Span;
use crate::link_type::LinkType;

/// Version 1 byte, flags 1, length 2, link type 4, all little-endian; then fields, and a frame
/// of that link type.
pub(super) fn ppi(frame: Span<'_>) -> Step<'_> {
    let ([_, _, l0, l1, t0, t1, t2, t3], _) = frame.split()?;
    let len = usize::from(u16::from_le_bytes([l0, l1]));
    if len < 8 {
        return Err(DecodeError::Malformed);
    }
    let link_type = LinkType::of_file(u32::from_le_bytes([t0, t1, t2, t3]))?;
    Ok((Layer::Frame(link_type), frame.skip(len)))
}
