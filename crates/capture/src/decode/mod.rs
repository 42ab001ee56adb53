//! From the bytes of a frame to [`Headers`]. Pure: no clock, no I/O, no C library.
//!
//! Layer by layer, each in its file: [`link`] finds the IP packet in the frame, [`ip`]
//! its addresses and upper layer, [`transport`] the ports, [`icmp`] what a message is about. Headers are read by
//! etherparse, where it knows them. Its lax packet slices are not used whole, because they look for
//! extension headers in the payload of later fragments, give up on a segment that is
//! cut inside its TCP options, and stop at three VLAN tags.

mod icmp;
mod ip;
mod link;
mod span;
mod transport;

use std::net::Ipv4Addr;

use crate::headers::Headers;
use crate::link_type::{LinkType, OtherLinkType};

use self::link::Version;
use self::span::Span;

/// The headers of a frame.
///
/// `frame` is what was captured of it, from its first byte; `wire_len` is its length
/// on the wire. A frame that was cut by the snap length is decoded as far as it goes:
/// cutting never changes a value, it only takes values away.
///
/// A length field of 0, as the kernel leaves it in packets that the network card is
/// to split (TCP segmentation offload), means all of the frame.
///
/// # Errors
///
/// Any bytes that are not an IP packet give a [`DecodeError`] with the reason. Never
/// panics.
///
/// # Example
///
/// ```
/// use flowner_capture::{LinkType, decode};
///
/// let packet = [
///     0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, // IPv4
///     0x9c, 0x40, 0, 53, 0, 12, 0, 0, // UDP, of whose 4 bytes none was captured
/// ];
/// let headers = decode(LinkType::RawIp, &packet, 32)?;
/// assert_eq!(headers.destination.to_string(), "192.0.2.2");
/// assert_eq!(headers.ports.map(|ports| ports.destination), Some(53));
/// assert_eq!(headers.payload_len, 4);
/// # Ok::<(), flowner_capture::DecodeError>(())
/// ```
pub fn decode(link: LinkType, frame: &[u8], wire_len: u32) -> Result<Headers, DecodeError> {
    let (version, packet) = link::packet(link, Span::new(frame, wire_len))?;
    match usual(version, packet, wire_len) {
        Some(headers) => Ok(headers),
        None => layers(version, packet, wire_len),
    }
}

/// The headers of TCP or UDP in IPv4, without IP options and not in fragments: nearly all packets
/// are of this kind. The result is that of [`layers`], in a fraction of the time.
#[inline]
fn usual(version: Version, packet: Span<'_>, wire_len: u32) -> Option<Headers> {
    let header: &[u8; 20] = packet.captured().first_chunk()?;
    let [
        0x45,
        _,
        l0,
        l1,
        _,
        _,
        f0,
        f1,
        _,
        protocol @ (6 | 17),
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = *header
    else {
        return None;
    };
    // More fragments, and where this one belongs.
    if version != Version::V4 || u16::from_be_bytes([f0, f1]) & 0x3fff != 0 {
        return None;
    }
    let packet = match u16::from_be_bytes([l0, l1]) {
        0 => packet,
        total if total < 20 => return None,
        total => packet.limit(total.into()),
    };
    let segment = transport::decode(protocol, packet.skip(20));
    Some(Headers {
        source: Ipv4Addr::new(s0, s1, s2, s3).into(),
        destination: Ipv4Addr::new(d0, d1, d2, d3).into(),
        protocol,
        ports: segment.ports,
        tcp: segment.tcp,
        icmp: None,
        fragment: None,
        wire_len,
        payload_len: segment.payload_len,
        payload_offset: segment.payload_offset,
    })
}

/// The headers of any packet.
#[inline(never)]
fn layers(version: Version, packet: Span<'_>, wire_len: u32) -> Result<Headers, DecodeError> {
    let packet = ip::decode(version, packet)?;
    let (segment, icmp) = match packet.fragment {
        Some(fragment) if fragment.offset > 0 => (transport::Segment::opaque(packet.payload), None),
        _ => (
            transport::decode(packet.protocol, packet.payload),
            icmp::decode(packet.protocol, packet.payload),
        ),
    };
    Ok(Headers {
        source: packet.source,
        destination: packet.destination,
        protocol: packet.protocol,
        ports: segment.ports,
        tcp: segment.tcp,
        icmp,
        fragment: packet.fragment,
        wire_len,
        payload_len: segment.payload_len,
        payload_offset: segment.payload_offset,
    })
}

/// Why a frame has no [`Headers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The frame carries another protocol: ARP, LLDP, spanning tree. This is no error of the frame.
    #[error("not an IP packet{}", ether_type_name(*ether_type))]
    NotIp {
        /// What it carries. `None` where the link type does not say by ether type:
        /// LLC, PPP, or another address family of BSD loopback.
        ether_type: Option<u16>,
    },
    /// Its content is encrypted: a frame of a wireless network.
    #[error("the frame is encrypted")]
    Encrypted,
    /// The decoder does not know this link type, or the link type that a header of the frame names.
    #[error("frames of link type {0} cannot be decoded")]
    LinkType(OtherLinkType),
    /// The snap length cut the frame before the end of its IP headers.
    #[error(
        "the frame was cut before the end of its IP headers; capture with a larger snap length"
    )]
    CutShort,
    /// The frame contradicts itself, so that no host would take it.
    #[error("the frame is malformed")]
    Malformed,
}

impl DecodeError {
    /// A stable name, for counters.
    pub fn kind(self) -> &'static str {
        match self {
            Self::NotIp { .. } => "not-ip",
            Self::Encrypted => "encrypted",
            Self::LinkType(other) => other.kind(),
            Self::CutShort => "cut-short",
            Self::Malformed => "malformed",
        }
    }
}

impl From<OtherLinkType> for DecodeError {
    fn from(other: OtherLinkType) -> Self {
        Self::LinkType(other)
    }
}

fn ether_type_name(ether_type: Option<u16>) -> String {
    ether_type.map_or_else(String::new, |number| format!(" (ether type {number:#06x})"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_usual_is_what_all_layers_give(
            mut packet in proptest::collection::vec(any::<u8>(), 0..70),
            is_usual: bool,
            (flags, protocol) in (any::<u8>(), proptest::sample::select(vec![1_u8, 6, 17, 50, 51])),
            total in prop_oneof![Just(0_u16), 0..100_u16, any::<u16>()],
            more in 0..2_000_u32,
        ) {
            if is_usual && packet.len() >= 10 {
                packet[0] = 0x45;
                packet[2..4].copy_from_slice(&total.to_be_bytes());
                (packet[6], packet[7]) = (flags & 0xc0, 0);
                packet[9] = protocol;
            }
            let wire_len = u32::try_from(packet.len()).unwrap() + more;
            let span = Span::new(&packet, wire_len);
            for version in [Version::V4, Version::V6] {
                if let Some(headers) = usual(version, span, wire_len) {
                    prop_assert_eq!(layers(version, span, wire_len), Ok(headers));
                }
            }
        }
    }
}
