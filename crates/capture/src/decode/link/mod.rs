//! The link layer: finds the IP packet in a frame.
//!
//! Headers follow each other in many orders: a VLAN tag before a `PPPoE` session, MPLS below PPP.
//! So the module of each header only returns which [`Layer`] follows and where it begins, and
//! [`packet`] goes from one to the next.

mod arcnet;
mod ethernet;
mod frame_relay;
mod ieee80211;
mod infiniband;
mod ipnet;
mod juniper;
mod linux_cooked;
mod llc;
mod loopback;
mod mpls;
mod nflog;
mod pflog;
mod pktap;
mod ppi;
mod ppp;
mod pppoe;
mod prism;
mod radiotap;

use super::DecodeError;
use super::span::Span;
use crate::link_type::LinkType;

/// The version that an IP packet must have, by the header before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

/// The layer that begins at a position in a frame, by the header before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    /// A packet of this version.
    Ip(Version),
    /// A packet whose first four bits are its version.
    AnyIp,
    /// A frame of a device with this link type.
    Frame(LinkType),
    /// Addresses and an ether type.
    Ethernet,
    /// The protocol of this ether type.
    EtherType(u16),
    /// IEEE 802.2.
    Llc,
    /// The header of a `PPPoE` session.
    Pppoe,
    /// The protocol field of PPP, perhaps with address and control before it.
    Ppp,
    /// Address, control and ether type of Cisco.
    CiscoHdlc,
    /// A frame relay address.
    FrameRelay,
    /// A label stack.
    Mpls,
    /// A frame of a wireless network.
    Ieee80211(ieee80211::Padding),
}

/// The next layer and where it begins, or why there is no IP packet.
///
/// A layer that follows at the same position is always closer to IP, and every other layer takes
/// bytes. So the loop ends.
type Step<'a> = Result<(Layer, Span<'a>), DecodeError>;

/// The IP packet in a frame.
pub(super) fn packet(link: LinkType, frame: Span<'_>) -> Result<(Version, Span<'_>), DecodeError> {
    match usual(link, frame) {
        Some(found) => Ok(found),
        None => layers(link, frame),
    }
}

/// The IP packet right after the header of Ethernet or of a cooked capture, which nearly all frames
/// have. The result is that of [`layers`], without going from one layer to the next.
#[inline]
fn usual(link: LinkType, frame: Span<'_>) -> Option<(Version, Span<'_>)> {
    let (ether_type, len) = match (link, frame.captured()) {
        (LinkType::Ethernet, [_, _, _, _, _, _, _, _, _, _, _, _, t0, t1, ..]) => ([*t0, *t1], 14),
        (LinkType::LinuxCooked, [_, _, d0, d1, _, _, _, _, _, _, _, _, _, _, t0, t1, ..])
            if !linux_cooked::has_own_header([*d0, *d1]) =>
        {
            ([*t0, *t1], 16)
        }
        (
            LinkType::LinuxCooked2,
            [
                t0,
                t1,
                _,
                _,
                _,
                _,
                _,
                _,
                d0,
                d1,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                ..,
            ],
        ) if !linux_cooked::has_own_header([*d0, *d1]) => ([*t0, *t1], 20),
        _ => return None,
    };
    match ether_type {
        [0x08, 0x00] => Some((Version::V4, frame.skip(len))),
        [0x86, 0xdd] => Some((Version::V6, frame.skip(len))),
        _ => None,
    }
}

#[inline(never)]
fn layers(link: LinkType, frame: Span<'_>) -> Result<(Version, Span<'_>), DecodeError> {
    let (mut layer, mut rest) = (Layer::Frame(link), frame);
    loop {
        (layer, rest) = match layer {
            Layer::Ip(version) => return Ok((version, rest)),
            Layer::AnyIp => any_ip(rest)?,
            Layer::Frame(link) => begin(link, rest)?,
            Layer::Ethernet => ethernet::ethernet(rest)?,
            Layer::EtherType(number) => ethernet::ether_type(number, rest)?,
            Layer::Llc => llc::llc(rest)?,
            Layer::Pppoe => pppoe::session(rest)?,
            Layer::Ppp => ppp::ppp(rest)?,
            Layer::CiscoHdlc => ppp::cisco(rest)?,
            Layer::FrameRelay => frame_relay::frame_relay(rest)?,
            Layer::Mpls => mpls::labels(rest)?,
            Layer::Ieee80211(padding) => ieee80211::ieee80211(padding, rest)?,
        };
    }
}

/// The first layer of a frame of this link type.
fn begin(link: LinkType, frame: Span<'_>) -> Step<'_> {
    match link {
        LinkType::Ethernet => Ok((Layer::Ethernet, frame)),
        LinkType::LinuxCooked => linux_cooked::first(frame),
        LinkType::LinuxCooked2 => linux_cooked::second(frame),
        LinkType::RawIp => Ok((Layer::AnyIp, frame)),
        LinkType::Ipv4 => Ok((Layer::Ip(Version::V4), frame)),
        LinkType::Ipv6 => Ok((Layer::Ip(Version::V6), frame)),
        LinkType::Null => loopback::null(frame),
        LinkType::Loop => loopback::bsd_loop(frame),
        LinkType::Ppp | LinkType::PppHdlc => Ok((ppp::hdlc(frame), frame)),
        LinkType::PppEther => Ok((Layer::Pppoe, frame)),
        LinkType::PppPppd => ppp::pppd(frame),
        LinkType::PppWithDirection => {
            let frame = frame.skip_one()?;
            Ok((ppp::hdlc(frame), frame))
        }
        LinkType::CiscoHdlc => Ok((Layer::CiscoHdlc, frame)),
        LinkType::CiscoHdlcWithDirection => Ok((Layer::CiscoHdlc, frame.skip_one()?)),
        LinkType::FrameRelay => Ok((Layer::FrameRelay, frame)),
        LinkType::FrameRelayWithDirection => Ok((Layer::FrameRelay, frame.skip_one()?)),
        LinkType::MultilinkFrameRelay => frame_relay::multilink(frame),
        LinkType::Slip => loopback::slip(frame),
        LinkType::AtmLlc => Ok((Layer::Llc, frame)),
        LinkType::AtmClip => Ok((llc::or_ip(frame), frame)),
        LinkType::Mpls => Ok((Layer::Mpls, frame)),
        LinkType::Ieee80211 => Ok((Layer::Ieee80211(ieee80211::Padding::None), frame)),
        LinkType::Radiotap => radiotap::radiotap(frame),
        LinkType::Prism => prism::prism(frame),
        LinkType::Avs => prism::avs(frame),
        LinkType::Ppi => ppi::ppi(frame),
        LinkType::Nflog => nflog::nflog(frame),
        LinkType::Pktap => pktap::pktap(frame),
        LinkType::Ipnet => ipnet::ipnet(frame),
        LinkType::IpOverInfiniband => infiniband::ip_over_infiniband(frame),
        LinkType::Arcnet => arcnet::bsd(frame),
        LinkType::ArcnetLinux => arcnet::linux(frame),
        LinkType::Enc => loopback::enc(frame),
        LinkType::Pflog => pflog::pflog(frame),
        LinkType::JuniperEthernet => juniper::ethernet(frame),
    }
}

fn any_ip(packet: Span<'_>) -> Step<'_> {
    match packet.captured().first().map(|byte| byte >> 4) {
        Some(4) => Ok((Layer::Ip(Version::V4), packet)),
        Some(6) => Ok((Layer::Ip(Version::V6), packet)),
        Some(_) => Err(DecodeError::Malformed),
        None => Err(packet.too_short()),
    }
}

/// The error for another protocol than IP, if no ether type names it.
const NOT_IP: DecodeError = DecodeError::NotIp { ether_type: None };

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_usual_is_what_all_layers_give(
            mut frame in proptest::collection::vec(any::<u8>(), 14..40),
            device in proptest::sample::select(vec![0_u16, 1, 512, 770, 772, 801, 802, 803, 824]),
            is_v6: bool,
            wire_len: u32,
        ) {
            let ether_type = if is_v6 { [0x86, 0xdd] } else { [0x08, 0x00] };
            for (link, at, device_at) in [
                (LinkType::Ethernet, 12, 2),
                (LinkType::LinuxCooked, 14, 2),
                (LinkType::LinuxCooked2, 0, 8),
            ] {
                frame.resize(frame.len().max(20), 0);
                frame[device_at..device_at + 2].copy_from_slice(&device.to_be_bytes());
                frame[at..at + 2].copy_from_slice(&ether_type);
                let span = Span::new(&frame, wire_len);
                let place = |(version, rest): (Version, Span<'_>)| {
                    (version, rest.offset(), rest.wire_len(), rest.captured().len())
                };
                if let Some(found) = usual(link, span) {
                    prop_assert_eq!(layers(link, span).map(place), Ok(place(found)));
                } else {
                    prop_assert!(link != LinkType::Ethernet && device >= 770 && device != 772);
                }
            }
        }
    }
}
