//! The transport layer: ports, TCP's flags, and how much data there is.
//!
//! This does not use etherparse, which needs a whole header: in a cut frame, the ports are there
//! long before the last TCP option.

use etherparse::{IpNumber, ip_number};

use super::span::Span;
use crate::headers::{Ports, Tcp, TcpFlags};

/// The fields of a packet's transport protocol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) ports: Option<Ports>,
    pub(super) tcp: Option<Tcp>,
    pub(super) payload_len: u32,
    /// The position in the frame where that begins; 0 if unknown.
    pub(super) payload_offset: u32,
}

impl Segment {
    /// The result for a protocol without ports, or for a later fragment: all of it is data.
    pub(super) const fn opaque(payload: Span<'_>) -> Self {
        Self {
            ports: None,
            tcp: None,
            payload_len: payload.wire_len(),
            payload_offset: payload.offset(),
        }
    }
}

/// The segment that the first or only fragment of a packet carries.
pub(super) fn decode(protocol: u8, segment: Span<'_>) -> Segment {
    match IpNumber(protocol) {
        ip_number::TCP => tcp(segment),
        // RFC 768, RFC 3828.
        ip_number::UDP | ip_number::UDP_LITE => with_header(segment, Some(8)),
        // The common header (RFC 9260, section 3.1); chunks follow.
        ip_number::SCTP => with_header(segment, Some(12)),
        // The data offset is in words (RFC 4340, section 5.1).
        ip_number::DCCP => with_header(segment, byte(segment, 4).map(|words| u32::from(words) * 4)),
        _ => Segment::opaque(segment),
    }
}

/// The minimum length of a TCP header (RFC 9293, section 3.1).
const TCP_MIN_LEN: u32 = 20;

fn tcp(segment: Span<'_>) -> Segment {
    let header_len = byte(segment, 12).map(|byte| u32::from(byte >> 4) * 4);
    let sound_len = header_len.filter(|len| (TCP_MIN_LEN..=segment.wire_len()).contains(len));
    Segment {
        tcp: sound_len.and_then(|_| tcp_fields(segment)),
        ..with_header(segment, sound_len)
    }
}

fn tcp_fields(segment: Span<'_>) -> Option<Tcp> {
    let header: &[u8; 14] = segment.captured().first_chunk()?;
    let word = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    Some(Tcp {
        sequence: word(4),
        acknowledgment: word(8),
        flags: TcpFlags(header[13]),
    })
}

/// A segment that begins with its ports; `None` stands for a header of unknown length.
fn with_header(segment: Span<'_>, header_len: Option<u32>) -> Segment {
    let payload = header_len.map(|len| segment.skip(len as usize));
    Segment {
        ports: ports(segment),
        tcp: None,
        payload_len: payload.map_or(0, Span::wire_len),
        payload_offset: payload.map_or(0, Span::offset),
    }
}

pub(super) fn ports(segment: Span<'_>) -> Option<Ports> {
    let [a, b, c, d] = *segment.captured().first_chunk()?;
    Some(Ports {
        source: u16::from_be_bytes([a, b]),
        destination: u16::from_be_bytes([c, d]),
    })
}

fn byte(segment: Span<'_>, at: usize) -> Option<u8> {
    segment.captured().get(at).copied()
}
