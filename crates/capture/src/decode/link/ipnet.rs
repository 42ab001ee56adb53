//! Solaris's IP observability devices:
//! <https://www.tcpdump.org/linktypes/LINKTYPE_IPNET.html>.

use super::{Layer, NOT_IP, Step, Version};
use crate::decode::span::Span;

/// Version 1 byte, address family 1, direction 2, length 4, device 4, group 4, zones 8.
pub(super) fn ipnet(frame: Span<'_>) -> Step<'_> {
    let (header, rest) = frame.split::<24>()?;
    // `AF_INET` and `AF_INET6` of Solaris.
    match header[1] {
        2 => Ok((Layer::Ip(Version::V4), rest)),
        26 => Ok((Layer::Ip(Version::V6), rest)),
        _ => Err(NOT_IP),
    }
}
