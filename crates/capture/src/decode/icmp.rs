//! ICMP: the kind of a message, its id, and the packet that an error is about.

use etherparse::{IpNumber, ip_number};

use super::ip;
use super::link::Version;
use super::span::Span;
use super::transport;
use crate::headers::{Icmp, Quoted};

/// The header before what a message carries (RFC 792, RFC 4443, section 2.1).
const HEADER_LEN: usize = 8;

/// The message that a packet carries, if its protocol is ICMP.
#[inline]
pub(super) fn decode(protocol: u8, message: Span<'_>) -> Option<Icmp> {
    match IpNumber(protocol) {
        ip_number::ICMP => message_of(Version::V4, message),
        ip_number::IPV6_ICMP => message_of(Version::V6, message),
        _ => None,
    }
}

/// A separate function, so that other packets do not pay for it.
#[inline(never)]
fn message_of(version: Version, message: Span<'_>) -> Option<Icmp> {
    let [kind, code] = *message.captured().first_chunk()?;
    let quoted = match (version, kind) {
        // Destination unreachable, time exceeded, parameter problem; and packet too big in IPv6.
        (Version::V4, 3 | 11 | 12) | (Version::V6, 1..=4) => quoted(version, message),
        _ => None,
    };
    let identifier = identifier(version, message.captured());
    Some(Icmp {
        kind,
        code,
        identifier,
        quoted,
    })
}

/// The identifier of a message that is a request or a reply.
fn identifier(version: Version, message: &[u8]) -> Option<u16> {
    match (version, message.first()?) {
        // Echo; timestamp, information and address mask (RFC 792, RFC 950); extended echo (RFC 8335).
        (Version::V4, 0 | 8 | 13..=18 | 42 | 43) | (Version::V6, 128 | 129 | 160 | 161) => {
            let field = message.get(4..6)?;
            Some(u16::from_be_bytes([field[0], field[1]]))
        }
        _ => None,
    }
}

/// The packet after the header of an error, which the sender quotes as far as it has room. It is of
/// no use without the fields that identify its flow.
fn quoted(version: Version, message: Span<'_>) -> Option<Quoted> {
    let bytes = message.captured().get(HEADER_LEN..)?;
    // The quoted lengths are those of the whole packet.
    let packet = ip::decode(version, Span::new(bytes, u32::MAX)).ok()?;
    if packet.fragment.is_some_and(|fragment| fragment.offset > 0) {
        return None;
    }
    let segment = packet.payload.captured();
    let protocol = IpNumber(packet.protocol);
    let has_ports = matches!(
        protocol,
        ip_number::TCP | ip_number::UDP | ip_number::UDP_LITE | ip_number::SCTP | ip_number::DCCP
    );
    let ports = transport::ports(packet.payload).filter(|_| has_ports);
    let sequence = segment.get(4..8).and_then(|field| {
        let field = field.try_into().ok()?;
        (protocol == ip_number::TCP).then(|| u32::from_be_bytes(field))
    });
    let is_enough =
        ports.is_some() == has_ports && sequence.is_some() == (protocol == ip_number::TCP);
    let is_icmp = matches!(protocol, ip_number::ICMP | ip_number::IPV6_ICMP);
    is_enough.then_some(Quoted {
        identifier: identifier(version, segment).filter(|_| is_icmp),
        source: packet.source,
        destination: packet.destination,
        protocol: packet.protocol,
        ports,
        sequence,
    })
}
