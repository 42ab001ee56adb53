//! Ethernet II, IEEE 802.3 and VLAN tags.

use etherparse::{EtherType, Ethernet2HeaderSlice, SingleVlanHeaderSlice, ether_type};

use super::{Layer, NOT_IP, Step, Version};
use crate::decode::DecodeError;
use crate::decode::span::Span;

/// VLAN tags before and beside IEEE 802.1ad.
const QINQ_9200: u16 = 0x9200;
const QINQ_9300: u16 = 0x9300;
const MPLS: u16 = 0x8847;
/// MPLS with a label that the upstream router chose (RFC 5332).
const MPLS_UPSTREAM: u16 = 0x8848;
/// RFC 2516.
const PPPOE_SESSION: u16 = 0x8864;
const PPP: u16 = 0x880b;
/// A frame of a customer in that of a provider (IEEE 802.1ah), behind a tag of 4 bytes.
const PROVIDER_BACKBONE: u16 = 0x88e7;
/// Frames of Ethernet in something else, such as GRE.
const BRIDGED: u16 = 0x6558;
/// IEEE 802.2 in frames of more than 1,500 bytes.
const JUMBO_LLC: u16 = 0x8870;

/// Numbers up to this one are lengths (IEEE 802.3, clause 3.2.6). Numbers above it and below
/// `FIRST_TYPE` are neither lengths nor types.
const LONGEST: u16 = 1_500;
const FIRST_TYPE: u16 = 0x0600;

pub(super) fn ethernet(frame: Span<'_>) -> Step<'_> {
    let header =
        Ethernet2HeaderSlice::from_slice(frame.captured()).map_err(|_| frame.too_short())?;
    type_or_length(header.ether_type(), frame.skip(header.slice().len()))
}

fn type_or_length(EtherType(number): EtherType, rest: Span<'_>) -> Step<'_> {
    if number <= LONGEST {
        // The bytes after it are padding.
        return Ok((Layer::Llc, rest.limit(number.into())));
    }
    ether_type(number, rest)
}

/// The layer after an ether type.
pub(super) fn ether_type(number: u16, rest: Span<'_>) -> Step<'_> {
    match EtherType(number) {
        ether_type::IPV4 => Ok((Layer::Ip(Version::V4), rest)),
        ether_type::IPV6 => Ok((Layer::Ip(Version::V6), rest)),
        number if is_vlan(number) => {
            let tag =
                SingleVlanHeaderSlice::from_slice(rest.captured()).map_err(|_| rest.too_short())?;
            type_or_length(tag.ether_type(), rest.skip(tag.slice().len()))
        }
        EtherType(MPLS | MPLS_UPSTREAM) => Ok((Layer::Mpls, rest)),
        EtherType(PPPOE_SESSION) => Ok((Layer::Pppoe, rest)),
        EtherType(PPP) => Ok((Layer::Ppp, rest)),
        EtherType(BRIDGED) => Ok((Layer::Ethernet, rest)),
        EtherType(PROVIDER_BACKBONE) => Ok((Layer::Ethernet, rest.split::<4>()?.1)),
        EtherType(JUMBO_LLC) => Ok((Layer::Llc, rest)),
        EtherType(..FIRST_TYPE) => Err(NOT_IP),
        EtherType(other) => Err(DecodeError::NotIp {
            ether_type: Some(other),
        }),
    }
}

/// Any number of tags may follow each other (IEEE 802.1Q).
fn is_vlan(number: EtherType) -> bool {
    matches!(
        number,
        ether_type::VLAN_TAGGED_FRAME
            | ether_type::PROVIDER_BRIDGING
            | ether_type::VLAN_DOUBLE_TAGGED_FRAME
            | EtherType(QINQ_9200 | QINQ_9300)
    )
}

/// Whether this is a frame of Ethernet with an IP packet, as far as its headers show: its sender is
/// one station, and the packet has the version that the type names and fits into the frame.
///
/// # Errors
/// If the captured part is too short to decide.
pub(super) fn surely_carries_ip(frame: Span<'_>) -> Result<bool, DecodeError> {
    let (addresses, rest) = frame.split::<12>()?;
    if addresses[6] & 1 != 0 || addresses[6..] == [0; 6] {
        return Ok(false);
    }
    let (number, mut rest) = rest.split::<2>()?;
    let mut number = u16::from_be_bytes(number);
    while is_vlan(EtherType(number)) {
        let (tag, below) = rest.split::<4>()?;
        (number, rest) = (u16::from_be_bytes([tag[2], tag[3]]), below);
    }
    let fits = |len: u32| len <= rest.wire_len();
    match EtherType(number) {
        ether_type::IPV4 => {
            let ([version, _, l0, l1], _) = rest.split::<4>()?;
            let len = u32::from(u16::from_be_bytes([l0, l1]));
            Ok((0x45..=0x4f).contains(&version) && len >= 20 && fits(len))
        }
        ether_type::IPV6 => {
            let ([version, _, _, _, l0, l1], _) = rest.split::<6>()?;
            let len = u32::from(u16::from_be_bytes([l0, l1]));
            Ok(version >> 4 == 6 && fits(40 + len))
        }
        _ => Ok(false),
    }
}
