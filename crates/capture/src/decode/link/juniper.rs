//! Devices of Juniper: <https://www.tcpdump.org/linktypes.html>, `print-juniper.c` of tcpdump.

use super::{Layer, NOT_IP, Step};
use crate::decode::span::Span;

/// A magic number 3 bytes and flags 1; if a flag is set, a length 2 bytes, and an extension of this
/// length. Then a frame of Ethernet, unless another flag shows that its header is missing.
pub(super) fn ethernet(frame: Span<'_>) -> Step<'_> {
    const MAGIC: [u8; 3] = *b"MGC";
    const WITHOUT_HEADER: u8 = 0x02;
    const HAS_MORE: u8 = 0x80;
    let ([m0, m1, m2, flags], rest) = frame.split()?;
    if [m0, m1, m2] != MAGIC || flags & WITHOUT_HEADER != 0 {
        return Err(NOT_IP);
    }
    if flags & HAS_MORE == 0 {
        return Ok((Layer::Ethernet, rest));
    }
    let (len, rest) = rest.split()?;
    Ok((Layer::Ethernet, rest.skip(u16::from_be_bytes(len).into())))
}
