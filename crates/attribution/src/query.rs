//! The question: which process owns this socket?

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;

/// A transport protocol whose sockets have owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Protocol {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
    /// Lightweight User Datagram Protocol (RFC 3828). The native Linux table only.
    UdpLite,
    /// Datagrams right over IP (raw(7)): the number of the protocol, such as 1 for ICMP,
    /// stands where others have the port. The native Linux table only.
    Raw,
}

impl Protocol {
    /// Every protocol, in the order in which snapshots list them.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::Udp, Self::UdpLite, Self::Raw];

    /// The name in lower case, as command lines and JSON write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::UdpLite => "udplite",
            Self::Raw => "raw",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One question: the local end of a socket and, where known, its remote end.
///
/// Addresses are normalised when the query is made (RFC 4291, 2.5.5.2), so that
/// nothing behind it has to think of IPv4 addresses in IPv6 clothes.
///
/// ```
/// use flowner_attribution::SocketQuery;
///
/// let query = SocketQuery::tcp(
///     "[::ffff:10.0.0.2]:45784".parse()?,
///     "93.184.216.34:443".parse()?,
/// );
/// assert_eq!(query.to_string(), "tcp 10.0.0.2:45784 -> 93.184.216.34:443");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketQuery {
    protocol: Protocol,
    local: SocketAddr,
    remote: Option<SocketAddr>,
    device: Option<NonZeroU32>,
}

impl SocketQuery {
    /// Asks for the socket between `local` (this host's end) and `remote`.
    ///
    /// Without `remote` the question is for whatever socket has that local end. `0.0.0.0`
    /// and `::` are ends like others: whoever uses a port on *some* address is in
    /// [`Attributor::snapshot`](crate::Attributor::snapshot).
    pub fn new(protocol: Protocol, local: SocketAddr, remote: Option<SocketAddr>) -> Self {
        Self {
            protocol,
            local: normalize(local),
            remote: remote.map(normalize),
            device: None,
        }
    }

    /// The same question for packets that were seen on a network interface, by its index in
    /// the network namespace that is asked in; 0 for any. A socket that is bound to another
    /// interface is no answer then.
    #[must_use]
    pub fn on_device(self, index: u32) -> Self {
        Self {
            device: NonZeroU32::new(index),
            ..self
        }
    }

    /// Asks for the TCP connection between `local` and `remote`.
    pub fn tcp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self::new(Protocol::Tcp, local, Some(remote))
    }

    /// Asks for the UDP socket that exchanges datagrams between `local` and `remote`.
    pub fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self::new(Protocol::Udp, local, Some(remote))
    }

    /// The transport protocol; it never crosses: a UDP socket is no answer for TCP.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// This host's end, normalised.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The index of the interface on which packets were seen, where it is known.
    pub fn device(&self) -> Option<u32> {
        self.device.map(NonZeroU32::get)
    }

    /// The other end, normalised, where it is known.
    pub const fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }
}

impl fmt::Display for SocketQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.protocol, self.local)?;
        match self.remote {
            Some(remote) => write!(f, " -> {remote}"),
            None => Ok(()),
        }
    }
}

/// Turns a v4-mapped IPv6 address (RFC 4291, 2.5.5.2) into the IPv4 address that
/// is on the wire, and drops the flow label, which no packet and no socket list give alike.
/// The scope stays where it is part of the address: that of a link-local one (RFC 4007, 6).
pub(crate) fn normalize(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let ip = v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4);
            match (ip, address) {
                (IpAddr::V6(ip), SocketAddr::V6(given)) if ip.is_unicast_link_local() => {
                    SocketAddrV6::new(ip, given.port(), 0, given.scope_id()).into()
                }
                _ => SocketAddr::new(ip, address.port()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        let address: SocketAddr = input.parse().unwrap();
        assert_eq!(normalize(address).to_string(), expected);
    }

    #[test]
    fn addresses_are_normalised() {
        check("10.0.0.1:80", "10.0.0.1:80");
        check("[::ffff:10.0.0.1]:80", "10.0.0.1:80");
        check("[::1]:80", "[::1]:80");
        check("[fe80::1%3]:80", "[fe80::1%3]:80");
        check("[2001:db8::1%3]:80", "[2001:db8::1]:80");
        // Compatible addresses are not mapped ones.
        check("[::10.0.0.1]:80", "[::a00:1]:80");
        check("[::]:80", "[::]:80");
    }
}
