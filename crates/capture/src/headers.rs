//! The decoded headers of a packet.

use std::fmt;
use std::net::IpAddr;

/// The headers of one IP packet.
///
/// Addresses are those of the outermost IP header, as on the wire: the decoder does not unwrap
/// tunnels, and v4-mapped IPv6 addresses stay IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Headers {
    /// The sender of the packet.
    pub source: IpAddr,
    /// The receiver of the packet. If an IPv6 routing header leads a packet with ports on from there, its
    /// last destination, which is the peer of the sending socket.
    pub destination: IpAddr,
    /// The IANA protocol number of the upper layer: 6 is TCP, 17 UDP. This is the protocol after
    /// IPv6 extension headers or an authentication header, not that header.
    pub protocol: u8,
    /// The ports of TCP, UDP, UDP-Lite, SCTP and DCCP. `None` if the protocol has none or the
    /// packet does not contain them: a later fragment, a cut frame.
    pub ports: Option<Ports>,
    /// Only for TCP. `None` if the segment is cut before its flags, or its header contradicts
    /// itself.
    pub tcp: Option<Tcp>,
    /// Only for ICMP and ICMPv6. `None` if the message is cut before its code.
    pub icmp: Option<Icmp>,
    /// Set if the packet is one fragment of a larger one.
    pub fragment: Option<Fragment>,
    /// The length of the whole frame on the wire, including the link header, however many bytes
    /// were captured.
    pub wire_len: u32,
    /// The length of the transport protocol's payload in this packet, by the lengths in its
    /// headers, however many bytes were captured; never more than the frame had room for. For a
    /// protocol without ports, everything after the IP headers. 0 if the frame was cut before its
    /// length could be known.
    pub payload_len: u32,
    /// The offset of that payload from the first byte of the frame; 0 if the frame was cut before
    /// it could be known.
    pub payload_offset: u32,
}

impl Headers {
    /// The captured part of the transport protocol's payload. `frame` is the decoded frame.
    ///
    /// ```
    /// # use flowner_capture::{LinkType, decode};
    /// let packet = [
    ///     0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, // IPv4
    ///     0x9c, 0x40, 0, 53, 0, 12, 0, 0, // UDP
    ///     b'd', b'n', b's', // and one more byte, which was not captured
    /// ];
    /// let headers = decode(LinkType::RawIp, &packet, 32)?;
    /// assert_eq!((headers.payload_offset, headers.payload_len), (28, 4));
    /// assert_eq!(headers.payload(&packet), b"dns");
    /// # Ok::<(), flowner_capture::DecodeError>(())
    /// ```
    pub fn payload(self, frame: &[u8]) -> &[u8] {
        let begin = usize::try_from(self.payload_offset).unwrap_or(usize::MAX);
        let len = usize::try_from(self.payload_len).unwrap_or(usize::MAX);
        let rest = frame.get(begin..).unwrap_or_default();
        rest.get(..len).unwrap_or(rest)
    }
}

/// A pair of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ports {
    /// The port of the sender.
    pub source: u16,
    /// The port of the receiver.
    pub destination: u16,
}

/// The fields of a TCP header (RFC 9293, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tcp {
    /// The control bits.
    pub flags: TcpFlags,
    /// The sequence number of the first byte, or of the SYN.
    pub sequence: u32,
    /// The next sequence number that the sender expects, if [`TcpFlags::ack`] is set.
    pub acknowledgment: u32,
}

/// The fields of an ICMP message (RFC 792, RFC 4443).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Icmp {
    /// The type, such as 8 for an echo request in ICMP, and 128 in ICMPv6.
    pub kind: u8,
    /// The code, which refines the type.
    pub code: u8,
    /// The identifier of a request and its reply (echo, timestamp), which the requesting end
    /// chooses. `None` in other messages, or if it was cut.
    pub identifier: Option<u16>,
    /// The packet that an error is about. `None` in other messages, or if it was cut.
    pub quoted: Option<Quoted>,
}

/// The packet that an ICMP error is about, as far as the error quotes it. The sender of the error
/// can quote a packet that was never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quoted {
    /// Its sender.
    pub source: IpAddr,
    /// Its receiver.
    pub destination: IpAddr,
    /// The IANA protocol number of its upper layer.
    pub protocol: u8,
    /// Its ports, if its protocol has any.
    pub ports: Option<Ports>,
    /// The identifier of an ICMP request (or of a reply, about which errors are rare).
    pub identifier: Option<u16>,
    /// The sequence number of a TCP segment.
    pub sequence: Option<u32>,
}

/// The control bits of a TCP header, as they are on the wire: FIN is the lowest bit.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// The sender will send no more.
    pub const fn fin(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// The sender opens the connection.
    pub const fn syn(self) -> bool {
        self.0 & 0x02 != 0
    }

    /// The sender refuses or aborts the connection.
    pub const fn rst(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// The sender has nothing more to send for now.
    pub const fn psh(self) -> bool {
        self.0 & 0x08 != 0
    }

    /// The acknowledgment number is valid.
    pub const fn ack(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// The urgent pointer is valid.
    pub const fn urg(self) -> bool {
        self.0 & 0x20 != 0
    }
}

impl fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
        let names = NAMES.iter().enumerate();
        let set = names.filter_map(|(bit, name)| (self.0 >> bit & 1 == 1).then_some(*name));
        write!(f, "TcpFlags({})", set.collect::<Vec<_>>().join("|"))
    }
}

/// The position of a fragment in its packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fragment {
    /// The same in all fragments of a packet; 16 bits in IPv4.
    pub id: u32,
    /// The offset of its data in the whole packet, in bytes. Only the fragment at 0 contains ports.
    pub offset: u32,
    /// Whether more fragments follow this one.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_named() {
        let check = |bits: u8, expected: &str| {
            assert_eq!(format!("{:?}", TcpFlags(bits)), expected);
        };
        check(0, "TcpFlags()");
        check(0x02, "TcpFlags(SYN)");
        check(0x12, "TcpFlags(SYN|ACK)");
        check(0xff, "TcpFlags(FIN|SYN|RST|PSH|ACK|URG|ECE|CWR)");
    }

    #[test]
    fn each_flag_is_one_bit() {
        let bits = |flags: TcpFlags| {
            [
                flags.fin(),
                flags.syn(),
                flags.rst(),
                flags.psh(),
                flags.ack(),
                flags.urg(),
            ]
        };
        for bit in 0..8 {
            let expected: [bool; 6] = std::array::from_fn(|i| i == bit);
            assert_eq!(bits(TcpFlags(1 << bit)), expected);
        }
    }
}
