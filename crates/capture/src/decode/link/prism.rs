//! Headers with a radio's facts about a frame, as two older drivers write them.

use super::ieee80211::Padding;
use super::{Layer, Step};
use crate::decode::DecodeError;
use crate::decode::span::Span;

/// <https://www.tcpdump.org/linktypes/LINKTYPE_IEEE802_11_PRISM.html>: a message that always has
/// the same length. Some devices of this type write the other header.
pub(super) fn prism(frame: Span<'_>) -> Step<'_> {
    const LEN: usize = 144;
    let ([kind @ .., _], _) = frame.split::<4>()?;
    if kind == AVS {
        return avs(frame);
    }
    let (_, rest) = frame.split::<LEN>()?;
    Ok((Layer::Ieee80211(Padding::None), rest))
}

/// The first bytes of the AVS header, before its version.
const AVS: [u8; 3] = [0x80, 0x21, 0x10];

/// <https://www.tcpdump.org/linktypes/LINKTYPE_IEEE802_11_AVS.html>: version 4 bytes, length 4,
/// both in network byte order.
pub(super) fn avs(frame: Span<'_>) -> Step<'_> {
    let ([_, _, _, _, l0, l1, l2, l3], _) = frame.split()?;
    let len = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
    if len < 8 {
        return Err(DecodeError::Malformed);
    }
    Ok((Layer::Ieee80211(Padding::None), frame.skip(len)))
}
