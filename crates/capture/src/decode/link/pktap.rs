//! Packets of any device of macOS, with the facts that its kernel adds to them:
//! <https://www.tcpdump.org/linktypes/LINKTYPE_PKTAP.html>.

use super::{Layer, NOT_IP, Step};
use crate::decode::DecodeError;
use crate::decode::span::Span;
use crate::link_type::LinkType;

/// Length 4 bytes, type 4 (1 where a packet follows), link type 4, all little-endian; then the
/// name of the device, flags and the process.
pub(super) fn pktap(frame: Span<'_>) -> Step<'_> {
    let (header, _) = frame.split::<12>()?;
    let word = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let (len, kind, link_type) = (word(0) as usize, word(4), word(8));
    if len < header.len() {
        return Err(DecodeError::Malformed);
    }
    if kind != 1 {
        return Err(NOT_IP);
    }
    let link_type = LinkType::of_file(link_type)?;
    Ok((Layer::Frame(link_type), frame.skip(len)))
}
