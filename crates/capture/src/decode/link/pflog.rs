//! Packets that a packet filter of the BSDs logs:
//! <https://www.tcpdump.org/linktypes/LINKTYPE_PFLOG.html>.

use super::{NOT_IP, Step, loopback};
use crate::decode::span::Span;

/// The length of the header, which is padded to whole words; then the address family; then fields
/// that differ by system.
pub(super) fn pflog(frame: Span<'_>) -> Step<'_> {
    /// The length of the shortest known header.
    const SHORTEST: u8 = 45;
    let ([len, family], _) = frame.split()?;
    if len < SHORTEST {
        return Err(NOT_IP);
    }
    let len = usize::from(len).next_multiple_of(4);
    loopback::address_family(family.into(), frame.skip(len))
}
