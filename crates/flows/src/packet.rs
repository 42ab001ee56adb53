//! The facts about a packet that the table counts.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// The headers of one packet, as far as flows need them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Capture time, since the Unix epoch.
    pub time: Duration,
    /// The sender; port 0 where the protocol has no ports.
    ///
    /// For ICMP requests and replies such as echo, the id takes the port of the requesting end. So
    /// each id is a flow of its own.
    pub source: SocketAddr,
    /// The receiver; in place of a port, the same as for [`source`](Self::source).
    pub destination: SocketAddr,
    /// The protocol above IP.
    pub protocol: Protocol,
    /// Bytes of the frame on the wire.
    pub wire_len: u32,
    /// Bytes above the transport header.
    pub payload_len: u32,
    /// Set for TCP, unless this is a later fragment. Of no effect for others.
    pub tcp: Option<Tcp>,
    /// Set for ICMP and ICMPv6, unless this is a later fragment. Of no effect for others.
    pub icmp: Option<Icmp>,
    /// Set for fragments, the first included.
    pub fragment: Option<Fragment>,
    /// The packet's origin, according to the capturing system.
    pub origin: Origin,
    /// The index of this host's device on which it was captured, if known.
    pub device: Option<NonZeroU32>,
}

/// Where a packet came from, according to the system that captured it and not to the packet's
/// addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Origin {
    /// The capturing host sent it, for itself or for another host.
    Sent,
    /// It arrived at the capturing host, which accepts it: for the host's own hardware address, for
    /// a group, or for all.
    Received,
    /// It arrived in a frame for another host, and was captured only because the device accepts all
    /// frames.
    OtherHost,
    /// It was captured on a loopback device, where each sent packet also arrives.
    Loopback,
    /// The capturing system does not report it. This holds for most files and on most platforms.
    #[default]
    Unknown,
}

impl Packet {
    /// The ICMP message of an ICMP packet.
    pub(crate) fn icmp_message(&self) -> Option<Icmp> {
        let is_icmp = matches!(self.protocol, Protocol::ICMP | Protocol::ICMPV6);
        self.icmp.filter(|_| is_icmp)
    }

    /// The TCP header of a TCP packet.
    pub(crate) fn tcp_header(&self) -> Option<Tcp> {
        self.tcp.filter(|_| self.protocol == Protocol::TCP)
    }
}

/// The parts of a TCP header that flows need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tcp {
    /// The control bits.
    pub flags: TcpFlags,
    /// The sequence number.
    pub sequence: u32,
    /// The next sequence number that the sender expects, if [`TcpFlags::ACK`] is set.
    pub acknowledgment: u32,
}

impl Tcp {
    /// A header that acknowledges nothing.
    pub const fn new(flags: TcpFlags, sequence: u32) -> Self {
        Self {
            flags,
            sequence,
            acknowledgment: 0,
        }
    }
}

/// The parts of a fragment's header that flows need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// The identification that the fragments of one packet share.
    pub id: u32,
    /// The offset of this fragment in the packet, in bytes.
    pub offset: u32,
    /// Whether more fragments follow.
    pub more: bool,
}

/// The parts of an ICMP or ICMPv6 message that flows need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmp {
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// The identifier of a request and its reply.
    pub identifier: Option<u16>,
    /// The packet that an error is about.
    pub about: Option<About>,
}

impl Icmp {
    /// A message that is about no packet.
    pub const fn new(kind: u8, code: u8) -> Self {
        Self {
            kind,
            code,
            identifier: None,
            about: None,
        }
    }
}

/// A packet that an error quotes. The sender of the error can write anything here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Its sender; port 0 where the protocol has no ports.
    pub source: SocketAddr,
    /// Its receiver.
    pub destination: SocketAddr,
    /// The protocol above IP.
    pub protocol: Protocol,
    /// The sequence number of a TCP segment.
    pub sequence: Option<u32>,
}

/// The first message of a flow of ICMP messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstMessage {
    /// Its type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// Whether the initiator sent it.
    pub from_initiator: bool,
}

/// The control bits of a TCP header, as in its 14th byte (RFC 9293, 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// The acknowledgment number is valid.
    pub const ACK: Self = Self(0x10);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// A packet that opens a connection: SYN without ACK.
    pub const fn opens(self) -> bool {
        self.contains(Self::SYN) && !self.contains(Self::ACK)
    }

    /// The answer to one that opens: SYN with ACK.
    pub const fn accepts(self) -> bool {
        self.contains(Self::SYN) && self.contains(Self::ACK)
    }
}

impl std::ops::BitOr for TcpFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A protocol above IP, by its IANA number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Protocol(pub u8);

impl Protocol {
    /// Internet Control Message Protocol.
    pub const ICMP: Self = Self(1);
    /// Internet Group Management Protocol.
    pub const IGMP: Self = Self(2);
    /// Transmission Control Protocol.
    pub const TCP: Self = Self(6);
    /// User Datagram Protocol.
    pub const UDP: Self = Self(17);
    /// Datagram Congestion Control Protocol.
    pub const DCCP: Self = Self(33);
    /// Generic Routing Encapsulation.
    pub const GRE: Self = Self(47);
    /// Encapsulating Security Payload.
    pub const ESP: Self = Self(50);
    /// Authentication Header.
    pub const AH: Self = Self(51);
    /// Internet Control Message Protocol for IPv6.
    pub const ICMPV6: Self = Self(58);
    /// Open Shortest Path First.
    pub const OSPF: Self = Self(89);
    /// Stream Control Transmission Protocol.
    pub const SCTP: Self = Self(132);
    /// Lightweight User Datagram Protocol.
    pub const UDP_LITE: Self = Self(136);

    const NAMES: [(Self, &'static str); 12] = [
        (Self::ICMP, "icmp"),
        (Self::IGMP, "igmp"),
        (Self::TCP, "tcp"),
        (Self::UDP, "udp"),
        (Self::DCCP, "dccp"),
        (Self::GRE, "gre"),
        (Self::ESP, "esp"),
        (Self::AH, "ah"),
        (Self::ICMPV6, "icmpv6"),
        (Self::OSPF, "ospf"),
        (Self::SCTP, "sctp"),
        (Self::UDP_LITE, "udplite"),
    ];

    /// Whether its packets carry ports.
    pub const fn has_ports(self) -> bool {
        matches!(
            self,
            Self::TCP | Self::UDP | Self::DCCP | Self::SCTP | Self::UDP_LITE
        )
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(protocol, _)| protocol == self) {
            Some((_, name)) => f.pad(name),
            None => self.0.fmt(f),
        }
    }
}

/// The error for text that is not the name or number of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownProtocol;

impl fmt::Display for UnknownProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the name or number of a protocol above IP")
    }
}

impl std::error::Error for UnknownProtocol {}

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::NAMES
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(text));
        match named {
            Some((protocol, _)) => Ok(*protocol),
            None => text.parse().map(Self).map_err(|_| UnknownProtocol),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_have_names_or_numbers() {
        for number in 0..=u8::MAX {
            let protocol = Protocol(number);
            assert_eq!(protocol.to_string().parse(), Ok(protocol));
        }
        assert_eq!("TCP".parse(), Ok(Protocol::TCP));
        assert_eq!("256".parse::<Protocol>(), Err(UnknownProtocol));
    }
}
