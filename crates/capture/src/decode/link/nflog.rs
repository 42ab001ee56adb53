//! Packets that a packet filter of Linux logs:
//! <https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html>.

use super::{Layer, NOT_IP, Step, Version};
use crate::decode::DecodeError;
use crate::decode::span::Span;

/// Protocol families of `linux/netfilter.h`.
const IPV4: u8 = 2;
const NETDEV: u8 = 5;
const BRIDGE: u8 = 7;
const IPV6: u8 = 10;

/// Attributes of `linux/netfilter/nfnetlink_log.h`.
const PACKET_HEADER: u16 = 1;
const PAYLOAD: u16 = 9;
/// Bits of a type that are flags (`NLA_TYPE_MASK`).
const TYPE: u16 = 0x3fff;

/// Family 1 byte, version 1, group 2; then attributes, one of which is the packet.
pub(super) fn nflog(frame: Span<'_>) -> Step<'_> {
    let ([family, version, _, _], mut rest) = frame.split()?;
    if version != 0 {
        return Err(NOT_IP);
    }
    let mut order = None;
    let mut ether_type = None;
    loop {
        let ([l0, l1, t0, t1], value) = rest.split()?;
        // The host wrote them in its own byte order. Apart from the flags, no type is above 255, so
        // the first one shows the order.
        let number = *order.get_or_insert(if matches!(t1, 0 | 0x40 | 0x80 | 0xc0) {
            u16::from_le_bytes
        } else {
            u16::from_be_bytes
        });
        let (len, kind) = (usize::from(number([l0, l1])), number([t0, t1]) & TYPE);
        let Some(value_len) = len.checked_sub(4) else {
            return Err(DecodeError::Malformed);
        };
        match kind {
            PAYLOAD => {
                let value_len = u32::try_from(value_len).unwrap_or(u32::MAX);
                return Ok((network(family, ether_type)?, value.limit(value_len)));
            }
            PACKET_HEADER => {
                // In network byte order.
                let ([e0, e1], _) = value.split()?;
                ether_type = Some(u16::from_be_bytes([e0, e1]));
            }
            _ => {}
        }
        rest = value.skip(value_len.next_multiple_of(4));
    }
}

fn network(family: u8, ether_type: Option<u16>) -> Result<Layer, DecodeError> {
    match (family, ether_type) {
        (IPV4, _) => Ok(Layer::Ip(Version::V4)),
        (IPV6, _) => Ok(Layer::Ip(Version::V6)),
        (NETDEV | BRIDGE, Some(number)) => Ok(Layer::EtherType(number)),
        _ => Err(NOT_IP),
    }
}
