//! The link type of a frame.

use std::fmt;
use std::str::FromStr;

use crate::dlt;

mod other_link_type;

pub use other_link_type::OtherLinkType;

/// The link type of the frames of a device or file.
///
/// Named and numbered as in <https://www.tcpdump.org/linktypes.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkType {
    /// Ethernet, with any number of 802.1Q and 802.1ad tags.
    Ethernet,
    /// Linux cooked capture, version 1 (`LINUX_SLL`): the device `any` of Linux,
    /// point-to-point devices.
    LinuxCooked,
    /// Linux cooked capture, version 2 (`LINUX_SLL2`).
    LinuxCooked2,
    /// IPv4 or IPv6, by the version in the IP header.
    RawIp,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
    /// BSD loopback: an address family in the byte order of the capturing machine. macOS, FreeBSD,
    /// Npcap's loopback adapter.
    Null,
    /// BSD loopback of OpenBSD: an address family in network byte order.
    Loop,
    /// The point-to-point protocol, usually after address and control fields of HDLC.
    Ppp,
    /// The same on serial lines, beside Cisco's HDLC on the same device.
    PppHdlc,
    /// Sessions of PPP over Ethernet, without the Ethernet header.
    PppEther,
    /// PPP as pppd of Linux logs it, with the direction in place of the address.
    PppPppd,
    /// PPP after one byte with the direction.
    PppWithDirection,
    /// Cisco's HDLC.
    CiscoHdlc,
    /// The same after one byte with the direction.
    CiscoHdlcWithDirection,
    /// Frame relay.
    FrameRelay,
    /// The same after one byte with the direction.
    FrameRelayWithDirection,
    /// Several lines of frame relay as one (FRF.16.1). The decoder does not reassemble frames that
    /// are split over lines.
    MultilinkFrameRelay,
    /// IP on a serial line, as the BSDs capture it.
    Slip,
    /// IEEE 802.2 on ATM (RFC 2684).
    AtmLlc,
    /// IP on ATM, with the header of IEEE 802.2 or without.
    AtmClip,
    /// Labels of MPLS.
    Mpls,
    /// IEEE 802.11 without radio metadata.
    Ieee80211,
    /// IEEE 802.11 after a radiotap header.
    Radiotap,
    /// IEEE 802.11 after a Prism header.
    Prism,
    /// IEEE 802.11 after an AVS header.
    Avs,
    /// Frames of another link type after a per-packet information header.
    Ppi,
    /// Logs of a packet filter of Linux.
    Nflog,
    /// Frames of any device of macOS, with metadata from its kernel.
    Pktap,
    /// Solaris's IP observability devices.
    Ipnet,
    /// IP over InfiniBand.
    IpOverInfiniband,
    /// ARCNET, as the BSDs capture it: each part of a packet.
    Arcnet,
    /// ARCNET, as Linux captures it: whole packets.
    ArcnetLinux,
    /// Packets that `IPsec` of the BSDs encrypts or has decrypted.
    Enc,
    /// Logs of a packet filter of the BSDs.
    Pflog,
    /// Ethernet of Juniper devices.
    JuniperEthernet,
}

impl LinkType {
    /// All of them.
    pub const ALL: [Self; 36] = [
        Self::Ethernet,
        Self::LinuxCooked,
        Self::LinuxCooked2,
        Self::RawIp,
        Self::Ipv4,
        Self::Ipv6,
        Self::Null,
        Self::Loop,
        Self::Ppp,
        Self::PppHdlc,
        Self::PppEther,
        Self::PppPppd,
        Self::PppWithDirection,
        Self::CiscoHdlc,
        Self::CiscoHdlcWithDirection,
        Self::FrameRelay,
        Self::FrameRelayWithDirection,
        Self::MultilinkFrameRelay,
        Self::Slip,
        Self::AtmLlc,
        Self::AtmClip,
        Self::Mpls,
        Self::Ieee80211,
        Self::Radiotap,
        Self::Prism,
        Self::Avs,
        Self::Ppi,
        Self::Nflog,
        Self::Pktap,
        Self::Ipnet,
        Self::IpOverInfiniband,
        Self::Arcnet,
        Self::ArcnetLinux,
        Self::Enc,
        Self::Pflog,
        Self::JuniperEthernet,
    ];

    /// The link type with this number, if the decoder knows it.
    ///
    /// Accepts the `LINKTYPE_` numbers of files and the `DLT_` numbers of libpcap on this operating
    /// system. They differ for raw IP, which is 101 in files, 14 on OpenBSD and 12 elsewhere, and
    /// for OpenBSD's loopback, which is 108 in files and 12 on OpenBSD (`pcap/dlt.h` of libpcap).
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Null),
            1 => Some(Self::Ethernet),
            8 => Some(Self::Slip),
            9 => Some(Self::Ppp),
            50 => Some(Self::PppHdlc),
            51 => Some(Self::PppEther),
            100 => Some(Self::AtmLlc),
            101 => Some(Self::RawIp),
            104 => Some(Self::CiscoHdlc),
            105 => Some(Self::Ieee80211),
            106 => Some(Self::AtmClip),
            107 => Some(Self::FrameRelay),
            108 => Some(Self::Loop),
            113 => Some(Self::LinuxCooked),
            119 => Some(Self::Prism),
            127 => Some(Self::Radiotap),
            163 => Some(Self::Avs),
            166 => Some(Self::PppPppd),
            182 => Some(Self::MultilinkFrameRelay),
            192 => Some(Self::Ppi),
            204 => Some(Self::PppWithDirection),
            205 => Some(Self::CiscoHdlcWithDirection),
            206 => Some(Self::FrameRelayWithDirection),
            219 => Some(Self::Mpls),
            226 => Some(Self::Ipnet),
            228 => Some(Self::Ipv4),
            229 => Some(Self::Ipv6),
            239 => Some(Self::Nflog),
            242 => Some(Self::IpOverInfiniband),
            258 => Some(Self::Pktap),
            276 => Some(Self::LinuxCooked2),
            7 => Some(Self::Arcnet),
            129 => Some(Self::ArcnetLinux),
            109 => Some(Self::Enc),
            117 => Some(Self::Pflog),
            178 => Some(Self::JuniperEthernet),
            other => match dlt::in_files(other) {
                Some(number) => Self::from_number(number),
                None => None,
            },
        }
    }

    /// The link type with this `LINKTYPE_` number of files.
    ///
    /// # Errors
    /// The link type, if the decoder does not know it.
    pub const fn of_file(number: u32) -> Result<Self, OtherLinkType> {
        // BSD's own numbers of raw IP, which some programs write.
        let number = if number == 14 { 12 } else { number };
        match Self::from_number(number.cast_signed()) {
            Some(link_type) => Ok(link_type),
            None => Err(OtherLinkType(number)),
        }
    }

    /// The `LINKTYPE_` number in files.
    pub const fn number(self) -> u32 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::Slip => 8,
            Self::Ppp => 9,
            Self::PppHdlc => 50,
            Self::PppEther => 51,
            Self::AtmLlc => 100,
            Self::RawIp => 101,
            Self::CiscoHdlc => 104,
            Self::Ieee80211 => 105,
            Self::AtmClip => 106,
            Self::FrameRelay => 107,
            Self::Loop => 108,
            Self::LinuxCooked => 113,
            Self::Prism => 119,
            Self::Radiotap => 127,
            Self::Avs => 163,
            Self::PppPppd => 166,
            Self::MultilinkFrameRelay => 182,
            Self::Ppi => 192,
            Self::PppWithDirection => 204,
            Self::CiscoHdlcWithDirection => 205,
            Self::FrameRelayWithDirection => 206,
            Self::Mpls => 219,
            Self::Ipnet => 226,
            Self::Ipv4 => 228,
            Self::Ipv6 => 229,
            Self::Nflog => 239,
            Self::IpOverInfiniband => 242,
            Self::Pktap => 258,
            Self::LinuxCooked2 => 276,
            Self::Arcnet => 7,
            Self::ArcnetLinux => 129,
            Self::Enc => 109,
            Self::Pflog => 117,
            Self::JuniperEthernet => 178,
        }
    }

    /// The `DLT_` number in libpcap on this operating system.
    #[cfg(feature = "pcap")]
    pub(crate) fn dlt(self) -> i32 {
        let number = self.number().cast_signed();
        dlt::of_files(number).unwrap_or(number)
    }

    /// The name in libpcap and Wireshark, such as `EN10MB`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ethernet => "EN10MB",
            Self::LinuxCooked => "LINUX_SLL",
            Self::LinuxCooked2 => "LINUX_SLL2",
            Self::RawIp => "RAW",
            Self::Ipv4 => "IPV4",
            Self::Ipv6 => "IPV6",
            Self::Null => "NULL",
            Self::Loop => "LOOP",
            Self::Ppp => "PPP",
            Self::PppHdlc => "PPP_SERIAL",
            Self::PppEther => "PPP_ETHER",
            Self::PppPppd => "PPP_PPPD",
            Self::PppWithDirection => "PPP_WITH_DIR",
            Self::CiscoHdlc => "C_HDLC",
            Self::CiscoHdlcWithDirection => "C_HDLC_WITH_DIR",
            Self::FrameRelay => "FRELAY",
            Self::FrameRelayWithDirection => "FRELAY_WITH_DIR",
            Self::MultilinkFrameRelay => "MFR",
            Self::Slip => "SLIP",
            Self::AtmLlc => "ATM_RFC1483",
            Self::AtmClip => "ATM_CLIP",
            Self::Mpls => "MPLS",
            Self::Ieee80211 => "IEEE802_11",
            Self::Radiotap => "IEEE802_11_RADIO",
            Self::Prism => "PRISM_HEADER",
            Self::Avs => "IEEE802_11_RADIO_AVS",
            Self::Ppi => "PPI",
            Self::Nflog => "NFLOG",
            Self::Pktap => "PKTAP",
            Self::Ipnet => "IPNET",
            Self::IpOverInfiniband => "IPOIB",
            Self::Arcnet => "ARCNET",
            Self::ArcnetLinux => "ARCNET_LINUX",
            Self::Enc => "ENC",
            Self::Pflog => "PFLOG",
            Self::JuniperEthernet => "JUNIPER_ETHER",
        }
    }
}

/// The name.
impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// By its [name](LinkType::name), in upper or lower case.
impl FromStr for LinkType {
    type Err = ParseLinkTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| ParseLinkTypeError(text.to_owned()))
    }
}

/// The error for text that is not the name of a [`LinkType`]; its message lists the names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid link type; expected one of {names}", names = LinkType::ALL.map(LinkType::name).join(", "))]
pub struct ParseLinkTypeError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let check = |number: i32, expected: Option<LinkType>| {
            assert_eq!(LinkType::from_number(number), expected, "{number}");
        };
        check(0, Some(LinkType::Null));
        check(1, Some(LinkType::Ethernet));
        check(8, Some(LinkType::Slip));
        check(9, Some(LinkType::Ppp));
        check(50, Some(LinkType::PppHdlc));
        check(51, Some(LinkType::PppEther));
        check(100, Some(LinkType::AtmLlc));
        check(101, Some(LinkType::RawIp));
        check(104, Some(LinkType::CiscoHdlc));
        check(105, Some(LinkType::Ieee80211));
        check(106, Some(LinkType::AtmClip));
        check(107, Some(LinkType::FrameRelay));
        check(108, Some(LinkType::Loop));
        check(113, Some(LinkType::LinuxCooked));
        check(119, Some(LinkType::Prism));
        check(127, Some(LinkType::Radiotap));
        check(163, Some(LinkType::Avs));
        check(166, Some(LinkType::PppPppd));
        check(182, Some(LinkType::MultilinkFrameRelay));
        check(192, Some(LinkType::Ppi));
        check(204, Some(LinkType::PppWithDirection));
        check(205, Some(LinkType::CiscoHdlcWithDirection));
        check(206, Some(LinkType::FrameRelayWithDirection));
        check(219, Some(LinkType::Mpls));
        check(226, Some(LinkType::Ipnet));
        check(228, Some(LinkType::Ipv4));
        check(229, Some(LinkType::Ipv6));
        check(239, Some(LinkType::Nflog));
        check(242, Some(LinkType::IpOverInfiniband));
        check(258, Some(LinkType::Pktap));
        check(276, Some(LinkType::LinuxCooked2));
        check(7, Some(LinkType::Arcnet));
        check(129, Some(LinkType::ArcnetLinux));
        check(109, Some(LinkType::Enc));
        check(117, Some(LinkType::Pflog));
        check(178, Some(LinkType::JuniperEthernet));
        // FDDI, USB, and no number at all.
        check(10, None);
        check(189, None);
        check(-1, None);
    }

    #[test]
    fn every_name_is_read_again() {
        for link_type in LinkType::ALL {
            assert_eq!(link_type.to_string(), link_type.name());
            assert_eq!(link_type.to_string().parse(), Ok(link_type));
            assert_eq!(link_type.name().to_lowercase().parse(), Ok(link_type));
        }
        let error = "FDDI".parse::<LinkType>().unwrap_err().to_string();
        assert!(error.starts_with("`FDDI` is not a valid link type") && error.contains("EN10MB"));
    }

    #[test]
    fn numbers_are_those_of_files() {
        for link_type in LinkType::ALL {
            let number = i32::try_from(link_type.number()).unwrap();
            assert_eq!(LinkType::from_number(number), Some(link_type));
        }
    }
}
