//! The header with a radio's facts about a frame: <https://www.radiotap.org>.

use super::ieee80211::Padding;
use super::{Layer, NOT_IP, Step};
use crate::decode::DecodeError;
use crate::decode::span::Span;

/// Fields by their bits; each begins at a multiple of its size.
const TIME: u32 = 1;
const FLAGS: u32 = 1 << 1;
/// Another word of bits follows.
const MORE: u32 = 1 << 31;
/// Bits of the field `FLAGS`.
const HAS_CHECK_SEQUENCE: u8 = 0x10;
const IS_PADDED: u8 = 0x20;

/// Version 1 byte, padding 1, length 2, and words of 4 that say which fields follow; all
/// little-endian.
pub(super) fn radiotap(frame: Span<'_>) -> Step<'_> {
    let ([version, _, l0, l1, w0, w1, w2, w3], fields) = frame.split()?;
    let len = usize::from(u16::from_le_bytes([l0, l1]));
    if version != 0 {
        return Err(NOT_IP);
    }
    if len < 8 {
        return Err(DecodeError::Malformed);
    }
    let first = u32::from_le_bytes([w0, w1, w2, w3]);
    let flags = if first & FLAGS == 0 {
        0
    } else {
        flags(first, fields)?
    };
    let padding = if flags & IS_PADDED == 0 {
        Padding::None
    } else {
        Padding::ToWords
    };
    let rest = frame.skip(len);
    let rest = if flags & HAS_CHECK_SEQUENCE == 0 {
        rest
    } else {
        rest.limit(rest.wire_len().saturating_sub(4))
    };
    Ok((Layer::Ieee80211(padding), rest))
}

/// The field `FLAGS`, in the bytes after the first word.
fn flags(first: u32, fields: Span<'_>) -> Result<u8, DecodeError> {
    let (mut word, mut rest, mut at) = (first, fields, 8_usize);
    while word & MORE != 0 {
        let (bytes, behind) = rest.split()?;
        word = u32::from_le_bytes(bytes);
        (rest, at) = (behind, at + 4);
    }
    if first & TIME != 0 {
        rest = rest.skip(at.next_multiple_of(8) - at + 8);
    }
    let ([flags], _) = rest.split()?;
    Ok(flags)
}
