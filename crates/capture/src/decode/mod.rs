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

use crate::headers::Headers;
use crate::link_type::{LinkType, OtherLinkType};

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
/// Any bytes that are not an IP packet, as a [`DecodeError`] that says why. Never
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
    /// The frame carries something else: ARP, LLDP, spanning tree. Nothing is wrong.
    #[error("not an IP packet{}", ether_type_name(*ether_type))]
    NotIp {
        /// What it carries. `None` where the link type does not say by ether type:
        /// LLC, PPP, or another address family of BSD loopback.
        ether_type: Option<u16>,
    },
    /// It carries what cannot be read without a key: a frame of a wireless network.
    #[error("the frame is encrypted")]
    Encrypted,
    /// The frames of this link type cannot be decoded, or those of a link type that the header
    /// of a frame names.
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
    /// A stable name, to count by.
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
