//! The IP layer: addresses, fragment, and what the packet carries.

use std::net::{IpAddr, Ipv6Addr};

use etherparse::err::{LenError, ip_auth, ipv4, ipv6};
use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice, ip_number,
};

use super::DecodeError;
use super::link::Version;
use super::span::Span;
use crate::headers::Fragment;

/// A packet without its IP headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) protocol: u8,
    pub(super) fragment: Option<Fragment>,
    pub(super) payload: Span<'a>,
}

pub(super) fn decode(version: Version, packet: Span<'_>) -> Result<Packet<'_>, DecodeError> {
    match version {
        Version::V4 => v4(packet),
        Version::V6 => v6(packet),
    }
}

fn v4(packet: Span<'_>) -> Result<Packet<'_>, DecodeError> {
    let header = Ipv4HeaderSlice::from_slice(packet.captured()).map_err(|error| match error {
        ipv4::HeaderSliceError::Len(_) => packet.too_short(),
        ipv4::HeaderSliceError::Content(_) => DecodeError::Malformed,
    })?;
    let header_len = header.slice().len();
    let packet = match header.total_len() {
        // The kernel leaves the length to the network card (segmentation offload): the whole frame
        // counts.
        0 => packet,
        total if usize::from(total) < header_len => return Err(DecodeError::Malformed),
        total => packet.limit(total.into()),
    };
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        id: header.identification().into(),
        offset: header.fragments_offset().byte_offset().into(),
        more: header.more_fragments(),
    });
    let payload = packet.skip(header_len);
    let (protocol, payload) = match header.protocol() {
        ip_number::AUTH if is_first(fragment) => authentication(payload)?,
        protocol => (protocol, payload),
    };
    Ok(Packet {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol: protocol.0,
        fragment,
        payload,
    })
}

fn v6(packet: Span<'_>) -> Result<Packet<'_>, DecodeError> {
    let header = Ipv6HeaderSlice::from_slice(packet.captured()).map_err(|error| match error {
        ipv6::HeaderSliceError::Len(_) => packet.too_short(),
        ipv6::HeaderSliceError::Content(_) => DecodeError::Malformed,
    })?;
    let payload = packet.skip(header.slice().len());
    let payload = match (header.payload_length(), header.next_header()) {
        // A jumbogram (RFC 2675), or the kernel leaves the length to the network card: the whole
        // frame counts.
        (0, next) if next != ip_number::IPV6_NO_NEXT_HEADER => payload,
        (len, _) => payload.limit(len.into()),
    };
    let upper = extensions(header.next_header(), payload)?;
    Ok(Packet {
        source: header.source_addr().into(),
        destination: destination(&header, &upper).into(),
        protocol: upper.protocol.0,
        fragment: upper.fragment,
        payload: upper.payload,
    })
}

/// The peer of the sending socket, if the packet is of a protocol with ports. A tunnel has only a
/// next stop.
fn destination(header: &Ipv6HeaderSlice<'_>, upper: &Upper<'_>) -> Ipv6Addr {
    let has_ports = matches!(
        upper.protocol,
        ip_number::TCP | ip_number::UDP | ip_number::UDP_LITE | ip_number::SCTP | ip_number::DCCP
    );
    let last = upper.last.filter(|_| has_ports);
    last.unwrap_or(header.destination_addr())
}

struct Upper<'a> {
    /// The last destination of a routing header.
    last: Option<Ipv6Addr>,
    protocol: IpNumber,
    fragment: Option<Fragment>,
    payload: Span<'a>,
}

/// Walks IPv6 extension headers (RFC 8200, section 4) up to the upper layer.
///
/// Ends at a later fragment: data follows there, and the fragment header names its protocol.
fn extensions(first: IpNumber, payload: Span<'_>) -> Result<Upper<'_>, DecodeError> {
    let mut upper = Upper {
        last: None,
        protocol: first,
        fragment: None,
        payload,
    };
    let mut is_first_header = true;
    while is_first(upper.fragment) {
        (upper.protocol, upper.payload) = match upper.protocol {
            ip_number::IPV6_HOP_BY_HOP if !is_first_header => return Err(DecodeError::Malformed),
            ip_number::IPV6_HOP_BY_HOP | ip_number::IPV6_DEST_OPTIONS => options(upper.payload)?,
            ip_number::IPV6_ROUTE => {
                upper.last = upper.last.or(last_destination(upper.payload));
                options(upper.payload)?
            }
            ip_number::AUTH => authentication(upper.payload)?,
            ip_number::IPV6_FRAG => {
                let (next, rest, fragment) = fragment(upper.payload)?;
                upper.fragment = upper.fragment.or(fragment);
                (next, rest)
            }
            _ => break,
        };
        is_first_header = false;
    }
    Ok(upper)
}

fn options(payload: Span<'_>) -> Result<(IpNumber, Span<'_>), DecodeError> {
    let header = Ipv6RawExtHeaderSlice::from_slice(payload.captured())
        .map_err(|_: LenError| payload.too_short())?;
    Ok((header.next_header(), payload.skip(header.slice().len())))
}

/// The last destination of a packet that is still on its way through those of a routing header. It
/// is the peer of the sending socket, and the check sums of TCP and UDP cover it in place of the
/// destination in the IP header (RFC 8200, section 8.1).
fn last_destination(payload: Span<'_>) -> Option<Ipv6Addr> {
    /// The bytes of the part before the addresses, and of each address.
    const FIXED: usize = 8;
    const ADDRESS: usize = 16;
    /// RFC 5095 (deprecated), RFC 6275, RFC 8754.
    const SOURCE_ROUTE: u8 = 0;
    const MOBILE: u8 = 2;
    const SEGMENTS: u8 = 4;

    let header = Ipv6RawExtHeaderSlice::from_slice(payload.captured()).ok()?;
    let bytes = header.slice();
    let (kind, left) = (*bytes.get(2)?, usize::from(*bytes.get(3)?));
    let count = (bytes.len() - FIXED) / ADDRESS;
    if left == 0 || left > count {
        return None;
    }
    let last = match kind {
        SOURCE_ROUTE => count - 1,
        // The segments are in reverse order.
        MOBILE | SEGMENTS => 0,
        _ => return None,
    };
    let address = bytes
        .get(FIXED + last * ADDRESS..)?
        .first_chunk::<ADDRESS>()?;
    Some(Ipv6Addr::from(*address))
}

fn authentication(payload: Span<'_>) -> Result<(IpNumber, Span<'_>), DecodeError> {
    let header =
        IpAuthHeaderSlice::from_slice(payload.captured()).map_err(|error| match error {
            ip_auth::HeaderSliceError::Len(_) => payload.too_short(),
            ip_auth::HeaderSliceError::Content(_) => DecodeError::Malformed,
        })?;
    Ok((header.next_header(), payload.skip(header.slice().len())))
}

type FragmentHeader<'a> = (IpNumber, Span<'a>, Option<Fragment>);

/// The fragment is `None` where the header stands before a whole packet (RFC 6946).
fn fragment(payload: Span<'_>) -> Result<FragmentHeader<'_>, DecodeError> {
    let header = Ipv6FragmentHeaderSlice::from_slice(payload.captured())
        .map_err(|_: LenError| payload.too_short())?;
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        id: header.identification(),
        offset: header.fragment_offset().byte_offset().into(),
        more: header.more_fragments(),
    });
    let rest = payload.skip(header.slice().len());
    Ok((header.next_header(), rest, fragment))
}

/// Whether this fragment begins the data of a packet.
fn is_first(fragment: Option<Fragment>) -> bool {
    fragment.is_none_or(|fragment| fragment.offset == 0)
}
