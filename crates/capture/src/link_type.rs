//! What a frame begins with.

use std::fmt;
use std::str::FromStr;

use crate::dlt;

/// What the frames of a device or file begin with.
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
    /// BSD loopback: an address family in the byte order of the machine that
    /// captured. macOS, FreeBSD, Npcap's loopback adapter.
    Null,
    /// BSD loopback of OpenBSD: an address family in network byte order.
    Loop,
}

impl LinkType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ethernet,
        Self::LinuxCooked,
        Self::LinuxCooked2,
        Self::RawIp,
        Self::Ipv4,
        Self::Ipv6,
        Self::Null,
        Self::Loop,
    ];

    /// The link type with this number, where its frames can be decoded.
    ///
    /// Accepts the `LINKTYPE_` numbers of files and the `DLT_` numbers that libpcap
    /// gives on this operating system. They differ for raw IP, which is 101 in files,
    /// 14 on OpenBSD and 12 elsewhere, and for OpenBSD's loopback, which is 108 in
    /// files and 12 on OpenBSD (`pcap/dlt.h` of libpcap).
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Null),
            1 => Some(Self::Ethernet),
            101 => Some(Self::RawIp),
            108 => Some(Self::Loop),
            113 => Some(Self::LinuxCooked),
            228 => Some(Self::Ipv4),
            229 => Some(Self::Ipv6),
            276 => Some(Self::LinuxCooked2),
            other => match dlt::in_files(other) {
                Some(number) => Self::from_number(number),
                None => None,
            },
        }
    }

    /// The `LINKTYPE_` number by which files know it.
    pub const fn number(self) -> u32 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::RawIp => 101,
            Self::Loop => 108,
            Self::LinuxCooked => 113,
            Self::Ipv4 => 228,
            Self::Ipv6 => 229,
            Self::LinuxCooked2 => 276,
        }
    }

    /// The `DLT_` number by which libpcap knows it on this operating system.
    #[cfg(feature = "pcap")]
    pub(crate) fn dlt(self) -> i32 {
        let number = self.number().cast_signed();
        dlt::of_files(number).unwrap_or(number)
    }

    /// The name by which libpcap and Wireshark know it, such as `EN10MB`.
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

/// Text that is not the name of a [`LinkType`]; its message lists the names.
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
        check(101, Some(LinkType::RawIp));
        check(108, Some(LinkType::Loop));
        check(113, Some(LinkType::LinuxCooked));
        check(228, Some(LinkType::Ipv4));
        check(229, Some(LinkType::Ipv6));
        check(276, Some(LinkType::LinuxCooked2));
        // PPP, IEEE 802.11, and no number at all.
        check(9, None);
        check(105, None);
        check(-1, None);
    }

    #[test]
    fn every_name_is_read_again() {
        for link_type in LinkType::ALL {
            assert_eq!(link_type.to_string(), link_type.name());
            assert_eq!(link_type.to_string().parse(), Ok(link_type));
            assert_eq!(link_type.name().to_lowercase().parse(), Ok(link_type));
        }
        let error = "PPP".parse::<LinkType>().unwrap_err().to_string();
        assert!(error.starts_with("`PPP` is not a valid link type") && error.contains("EN10MB"));
    }

    #[test]
    fn numbers_are_those_of_files() {
        for link_type in LinkType::ALL {
            let number = i32::try_from(link_type.number()).unwrap();
            assert_eq!(LinkType::from_number(number), Some(link_type));
        }
    }
}
