//! The Community ID of a flow, by which other network monitors identify it, too.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flowner_flows::Protocol;

/// A Community ID, version 1 (github.com/corelight/community-id-spec): a hash of the protocol and
/// both ends, equal in Zeek, Suricata and others with the same seed.
///
/// It is written as `1:` and 28 characters of base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommunityId([u8; 20]);

/// The parts of a flow from which the id is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tuple {
    pub(crate) protocol: Protocol,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    /// The type and code of a message from the source, for ICMP.
    pub(crate) icmp: Option<(u8, u8)>,
    pub(crate) seed: u16,
}

impl CommunityId {
    /// The id of a flow between two ends of TCP, UDP or SCTP, or of another protocol except ICMP,
    /// for which ports do not count. `seed` is a number that all monitors of a network share,
    /// usually 0.
    pub fn new(protocol: Protocol, one: SocketAddr, other: SocketAddr, seed: u16) -> Self {
        let ends = [one, other].map(|end| (end.ip(), end.port()));
        Self::of_ends(protocol, ends, has_ports(protocol), false, seed)
    }

    /// The id of ICMP or ICMPv6 messages: of a request and its reply, or of a message of another
    /// type from `source`.
    pub fn of_icmp(
        protocol: Protocol,
        source: IpAddr,
        destination: IpAddr,
        (kind, code): (u8, u8),
        seed: u16,
    ) -> Self {
        let pairs: &[(u8, u8)] = if protocol == Protocol::ICMP {
            &ICMP_PAIRS
        } else {
            &ICMPV6_PAIRS
        };
        let reply = pairs.iter().find_map(|&(request, reply)| match kind {
            kind if kind == request => Some(reply),
            kind if kind == reply => Some(request),
            _ => None,
        });
        let other = reply.unwrap_or(code);
        let ends = [(source, kind.into()), (destination, other.into())];
        Self::of_ends(protocol, ends, true, reply.is_none(), seed)
    }

    fn of_ends(
        protocol: Protocol,
        [source, destination]: [(IpAddr, u16); 2],
        has_ports: bool,
        is_one_way: bool,
        seed: u16,
    ) -> Self {
        // IPv4 addresses compare as their bytes do, and both ends are of one family.
        let is_ordered = is_one_way || source <= destination;
        let ends = if is_ordered {
            [source, destination]
        } else {
            [destination, source]
        };
        let mut hash = sha1_smol::Sha1::new();
        hash.update(&seed.to_be_bytes());
        for (address, _) in ends {
            match address {
                IpAddr::V4(address) => hash.update(&address.octets()),
                IpAddr::V6(address) => hash.update(&address.octets()),
            }
        }
        hash.update(&[protocol.0, 0]);
        if has_ports {
            for (_, port) in ends {
                hash.update(&port.to_be_bytes());
            }
        }
        Self(hash.digest().bytes())
    }
}

impl Tuple {
    /// `None` if a packet was cut before the parts of the id.
    pub(crate) fn id(self) -> Option<CommunityId> {
        let Self {
            protocol,
            source,
            destination,
            icmp,
            seed,
        } = self;
        match protocol {
            Protocol::ICMP | Protocol::ICMPV6 => {
                let (source, destination) = (source.ip(), destination.ip());
                icmp.map(|icmp| CommunityId::of_icmp(protocol, source, destination, icmp, seed))
            }
            _ if has_ports(protocol) && source.port() == 0 && destination.port() == 0 => None,
            _ => Some(CommunityId::new(protocol, source, destination, seed)),
        }
    }
}

/// Whether ports count. For other protocols they do not.
const fn has_ports(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::TCP | Protocol::UDP | Protocol::SCTP)
}

/// The types of requests and their replies: echo, router solicitation, timestamp, information,
/// address mask.
const ICMP_PAIRS: [(u8, u8); 5] = [(8, 0), (10, 9), (13, 14), (15, 16), (17, 18)];

/// The same for ICMPv6: echo, listener query, router and neighbor solicitation, node information,
/// home agent discovery.
const ICMPV6_PAIRS: [(u8, u8); 6] = [
    (128, 129),
    (130, 131),
    (133, 134),
    (135, 136),
    (139, 140),
    (144, 145),
];

impl fmt::Display for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1:{}", STANDARD.encode(self.0))
    }
}

/// The error for text that is not a [`CommunityId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid Community ID; expected 1: and 28 characters of base64")]
pub struct ParseCommunityIdError(String);

impl FromStr for CommunityId {
    type Err = ParseCommunityIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.strip_prefix("1:").and_then(|text| {
            let bytes = STANDARD.decode(text).ok()?;
            <[u8; 20]>::try_from(bytes).ok()
        });
        bytes
            .map(Self)
            .ok_or_else(|| ParseCommunityIdError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(address: &str, port: u16) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), port)
    }

    /// Two ends, and the ids with the seeds 0 and 1.
    type Vector = (
        &'static str,
        u16,
        &'static str,
        u16,
        &'static str,
        &'static str,
    );

    #[track_caller]
    fn check(protocol: Protocol, (one, p, other, q, expected, seeded): Vector) {
        for (seed, expected) in [(0, expected), (1, seeded)] {
            let id = if matches!(protocol, Protocol::ICMP | Protocol::ICMPV6) {
                let kind = (u8::try_from(p).unwrap(), u8::try_from(q).unwrap());
                let (one, other) = (end(one, 0).ip(), end(other, 0).ip());
                CommunityId::of_icmp(protocol, one, other, kind, seed)
            } else {
                CommunityId::new(protocol, end(one, p), end(other, q), seed)
            };
            assert_eq!(
                id.to_string(),
                expected,
                "{one} {p} {other} {q} seed {seed}"
            );
            assert_eq!(expected.parse(), Ok(id));
        }
    }

    /// The vectors that the specification publishes, and those of its reference implementation.
    #[test]
    fn published_vectors() {
        let (a, b) = (
            "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
            "1:3V71V58M3Ksw/yuFALMcW0LAHvc=",
        );
        check(
            Protocol::TCP,
            ("128.232.110.120", 34_855, "66.35.250.204", 80, a, b),
        );
        check(
            Protocol::TCP,
            ("66.35.250.204", 80, "128.232.110.120", 34_855, a, b),
        );
        let (a, b) = (
            "1:SXBGMX1lBOwhhoDrZynfROxnhnM=",
            "1:HmBRGR+fUyXF4t8WEtal7Y0gEAo=",
        );
        check(Protocol::TCP, ("10.0.0.1", 10, "10.0.0.2", 11_569, a, b));
        let (a, b) = (
            "1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
            "1:Q9We8WO3piVF8yEQBNJF4uiSVrI=",
        );
        check(Protocol::UDP, ("192.168.1.52", 54_585, "8.8.8.8", 53, a, b));
        check(Protocol::UDP, ("8.8.8.8", 53, "192.168.1.52", 54_585, a, b));
        let (a, b) = (
            "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ=",
            "1:Y1/0jQg6e+I3ZwZZ9LP65DNbTXU=",
        );
        check(
            Protocol::SCTP,
            ("192.168.170.8", 7, "192.168.170.56", 80, a, b),
        );
        check(
            Protocol::SCTP,
            ("192.168.170.56", 80, "192.168.170.8", 7, a, b),
        );
        // A protocol without ports.
        let (a, b) = (
            "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4=",
            "1:BK3BVW3U2eemuwVQVN3zd/GULno=",
        );
        check(Protocol(46), ("10.1.24.4", 0, "10.1.12.1", 0, a, b));
        check(Protocol(46), ("10.1.12.1", 0, "10.1.24.4", 0, a, b));
    }

    #[test]
    fn published_vectors_of_icmp() {
        let (one, other) = ("192.168.0.89", "192.168.0.1");
        let (a, b) = (
            "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=",
            "1:03g6IloqVBdcZlPyX8r0hgoE7kA=",
        );
        check(Protocol::ICMP, (one, 8, other, 0, a, b));
        check(Protocol::ICMP, (other, 0, one, 8, a, b));
        // The code of a reply does not distinguish messages.
        check(Protocol::ICMP, (other, 0, one, 20, a, b));
        let (a, b) = (
            "1:3o2RFccXzUgjl7zDpqmY7yJi8rI=",
            "1:lCXHHxavE1Vq3oX9NH5ladQg02o=",
        );
        check(Protocol::ICMP, (one, 20, other, 0, a, b));
        let (a, b) = (
            "1:tz/fHIDUHs19NkixVVoOZywde+I=",
            "1:Ie3wmFyxiEyikbsbcO03d2nh+PM=",
        );
        check(Protocol::ICMP, (one, 20, other, 1, a, b));

        let (one, other) = ("fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea");
        let (a, b) = (
            "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=",
            "1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY=",
        );
        check(Protocol::ICMPV6, (one, 135, other, 0, a, b));
        check(Protocol::ICMPV6, (other, 136, one, 0, a, b));
        let (one, other) = (
            "3ffe:507:0:1:260:97ff:fe07:69ea",
            "3ffe:507:0:1:200:86ff:fe05:80da",
        );
        let (a, b) = (
            "1:NdobDX8PQNJbAyfkWxhtL2Pqp5w=",
            "1:OlOWx9psIbBFi7lOCw/4MhlKR9M=",
        );
        check(Protocol::ICMPV6, (one, 3, other, 0, a, b));
        let (a, b) = (
            "1:/OGBt9BN1ofenrmSPWYicpij2Vc=",
            "1:Ij4ZxnC87/MXzhOjvH2vHu7LRmE=",
        );
        check(Protocol::ICMPV6, (other, 3, one, 0, a, b));
    }

    #[test]
    fn a_cut_packet_has_no_id() {
        let tuple = Tuple {
            protocol: Protocol::UDP,
            source: end("10.0.0.1", 0),
            destination: end("10.0.0.2", 0),
            icmp: None,
            seed: 0,
        };
        assert_eq!(tuple.id(), None);
        let protocol = Protocol::ICMP;
        assert_eq!(Tuple { protocol, ..tuple }.id(), None);
        let protocol = Protocol::GRE;
        assert!(Tuple { protocol, ..tuple }.id().is_some());
    }

    #[test]
    fn other_text_is_an_error() {
        for text in [
            "",
            "1:",
            "1:AAAA",
            "2:LQU9qZlK+B5F3KDmev6m5PMibrg=",
            "LQU9qZlK+B5F3KDmev6m5PMibrg=",
        ] {
            assert!(text.parse::<CommunityId>().is_err(), "{text}");
        }
    }
}
