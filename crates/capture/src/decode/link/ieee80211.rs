//! Wireless networks (IEEE 802.11).

use super::{Layer, NOT_IP, Step};
use crate::decode::DecodeError;
use crate::decode::span::Span;

/// Whether zeros fill up the header to a multiple of four bytes, as some devices do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Padding {
    None,
    ToWords,
}

/// Masks of the first byte of frame control: version, type, and the kind of data.
const VERSION_AND_TYPE: u8 = 0x0f;
const DATA: u8 = 0x08;
const WITHOUT_DATA: u8 = 0x40;
const QUALITY: u8 = 0x80;
/// Masks of its second byte.
const TO_DS: u8 = 0x01;
const FROM_DS: u8 = 0x02;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;
/// A bit in the first byte of `QoS` control: the frame carries several packets (A-MSDU).
const AGGREGATE: u8 = 0x80;

/// The header of a frame (IEEE 802.11, clause 9.2.4): frame control 2 bytes, duration 2, three
/// addresses, sequence 2; a fourth address between access points, `QoS` control 2, HT control 4.
/// LLC follows in data frames, if nothing encrypts it.
pub(super) fn ieee80211(padding: Padding, frame: Span<'_>) -> Step<'_> {
    let (header, rest) = frame.split::<24>()?;
    let [kind, flags, ..] = header;
    if kind & VERSION_AND_TYPE != DATA || kind & WITHOUT_DATA != 0 {
        return Err(NOT_IP);
    }
    if flags & PROTECTED != 0 {
        return Err(DecodeError::Encrypted);
    }
    // A later fragment.
    if header[22] & 0x0f != 0 {
        return Err(NOT_IP);
    }
    let (mut rest, mut len) = (rest, header.len());
    if flags & (TO_DS | FROM_DS) == TO_DS | FROM_DS {
        (rest, len) = (rest.split::<6>()?.1, len + 6);
    }
    let mut is_aggregate = false;
    if kind & QUALITY != 0 {
        let ([quality, _], behind) = rest.split()?;
        is_aggregate = quality & AGGREGATE != 0;
        (rest, len) = (behind, len + 2);
        if flags & ORDER != 0 {
            (rest, len) = (rest.split::<4>()?.1, len + 4);
        }
    }
    if padding == Padding::ToWords {
        rest = rest.skip(len.next_multiple_of(4) - len);
    }
    if is_aggregate {
        return first_of_several(rest);
    }
    Ok((Layer::Llc, rest))
}

/// The first packet of an aggregate: two addresses, and its length. The following packets go to the
/// same station and mostly belong to the same flow; the frame counts once.
fn first_of_several(rest: Span<'_>) -> Step<'_> {
    let (header, rest) = rest.split::<14>()?;
    let len = u16::from_be_bytes([header[12], header[13]]);
    Ok((Layer::Llc, rest.limit(len.into())))
}
