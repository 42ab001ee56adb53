//! The query: which process owns this socket?

mod portless;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;
use std::str::FromStr;

use super::text::displayed;
use super::translated::TranslatedFrom;

/// A transport protocol of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Protocol {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
    /// Lightweight User Datagram Protocol (RFC 3828). The native Linux table only.
    UdpLite,
    /// Stream Control Transmission Protocol (RFC 9260). The native Linux table only.
    Sctp,
    /// Datagram Congestion Control Protocol (RFC 4340), which Linux has until 6.15. The native Linux
    /// table only.
    Dccp,
    /// ICMP over IPv4 and IPv6. Its sockets are those of icmp(7), which exchange only echo requests
    /// and replies ("ping sockets"). They have the id of the requests in place of a port. The
    /// native Linux table only.
    Icmp,
    /// Datagrams directly over IP (raw(7)). In place of a port, such a socket has the
    /// [number](SocketQuery::raw) of its protocol, such as 1 for ICMP. The native Linux table only.
    Raw,
    /// Frames of a device (packet(7)). Such a socket has no addresses and no port, but a device and
    /// [facts of its own](crate::PacketSocket). The native Linux table only.
    Packet,
}

impl Protocol {
    /// Every protocol, in the order in which snapshots list them.
    pub const ALL: [Self; 8] = [
        Self::Tcp,
        Self::Udp,
        Self::UdpLite,
        Self::Sctp,
        Self::Dccp,
        Self::Icmp,
        Self::Raw,
        Self::Packet,
    ];

    /// The name in lower case, as command lines and JSON write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::UdpLite => "udplite",
            Self::Sctp => "sctp",
            Self::Dccp => "dccp",
            Self::Icmp => "icmp",
            Self::Raw => "raw",
            Self::Packet => "packet",
        }
    }

    /// Whether its sockets have ports. In place of a port, ICMP has the id of echo requests, and a
    /// raw socket has the number of its protocol.
    pub const fn has_ports(self) -> bool {
        match self {
            Self::Tcp | Self::Udp | Self::UdpLite | Self::Sctp | Self::Dccp => true,
            Self::Icmp | Self::Raw | Self::Packet => false,
        }
    }

    /// Whether it is UDP or UDP-Lite.
    pub(crate) const fn is_datagram(self) -> bool {
        matches!(self, Self::Udp | Self::UdpLite)
    }

    /// The number in the IP header; `None` for raw and packet sockets, which have any.
    pub(crate) const fn ip_number(self, is_ipv4: bool) -> Option<u8> {
        match self {
            Self::Tcp => Some(6),
            Self::Udp => Some(17),
            Self::UdpLite => Some(136),
            Self::Sctp => Some(132),
            Self::Dccp => Some(33),
            Self::Icmp if is_ipv4 => Some(1),
            Self::Icmp => Some(58),
            Self::Raw | Self::Packet => None,
        }
    }
}

displayed!(Protocol, "protocol");

/// A query for one socket: its local end and, where it is known, its remote end.
///
/// A query normalises its addresses: it turns an IPv4 address that is written as an IPv6 one into
/// IPv4 (RFC 4291, 2.5.5.2).
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketQuery {
    protocol: Protocol,
    local: SocketAddr,
    remote: Option<SocketAddr>,
    device: Option<NonZeroU32>,
    is_sender: bool,
}

impl SocketQuery {
    /// Asks for the socket between `local` (this host's end) and `remote`.
    ///
    /// If there is no such TCP connection, the answer is about the listener that would accept it, as
    /// [`LocalEndpoint`](crate::Match::LocalEndpoint) or
    /// [`WildcardAddress`](crate::Match::WildcardAddress). Only
    /// [`FiveTuple`](crate::Match::FiveTuple) says that the connection exists.
    ///
    /// Without `remote`, this asks for any socket with that local end. `0.0.0.0` and `::` are ends
    /// like others. To find the users of a port on *any* address, ask for its
    /// [owners](crate::Attributor::port_owners).
    pub fn new(protocol: Protocol, local: SocketAddr, remote: Option<SocketAddr>) -> Self {
        Self {
            protocol,
            local: normalize(local),
            remote: remote.map(normalize),
            device: None,
            is_sender: false,
        }
    }

    /// The same query about a datagram that the local end sent.
    ///
    /// The kernel delivers a datagram to the socket that fits it best. But any socket with the port
    /// can send one, whatever it is bound or connected to (`IP_PKTINFO` of ip(7)). So the answer
    /// names the holders of all sockets that could have sent it.
    ///
    /// For a packet that a raw socket may have sent, no lookup names the sender, because other raw
    /// sockets may have closed since: [`Reason::PacketSocket`](crate::Reason::PacketSocket). Only
    /// the send watcher observes the process that ran when the packet was sent. This has no effect
    /// for TCP, SCTP, DCCP and packet sockets, nor without a remote end.
    #[must_use]
    pub fn as_sender(self) -> Self {
        let is_datagram =
            self.protocol.is_datagram() || matches!(self.protocol, Protocol::Icmp | Protocol::Raw);
        Self {
            is_sender: is_datagram && self.remote.is_some(),
            ..self
        }
    }

    /// Whether the query is about a datagram that the local end sent.
    pub const fn is_sender(&self) -> bool {
        self.is_sender
    }

    /// The same query about a datagram that the local end received, if this one is about a datagram
    /// that it sent, and the reverse.
    pub(crate) fn in_other_role(self) -> Self {
        if self.is_sender {
            Self {
                is_sender: false,
                ..self
            }
        } else {
            self.as_sender()
        }
    }

    /// The same query for packets of one network interface, by its index in the network namespace of
    /// the table; 0 for any. A socket that is bound to another interface does not match then.
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

    /// The transport protocol. Only sockets of this protocol match; for ICMP, raw sockets as well.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// This host's end, normalised.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The index of the interface of the packets, where it is known.
    pub fn device(&self) -> Option<u32> {
        self.device.map(NonZeroU32::get)
    }

    /// The device, or else the scope of an address at either end, which names a device, too.
    pub(crate) fn device_or_scope(&self) -> Option<u32> {
        let ends = [Some(self.local), self.remote];
        let scopes = || ends.into_iter().flatten().map(scope);
        self.device().or_else(|| scopes().find(|scope| *scope != 0))
    }

    /// The same query without the remote end.
    pub(crate) fn without_remote(self) -> Self {
        Self {
            remote: None,
            is_sender: false,
            ..self
        }
    }

    /// The same query for any device and any scope.
    pub(crate) fn without_device(self) -> Self {
        Self {
            local: unscoped(self.local),
            remote: self.remote.map(unscoped),
            device: None,
            ..self
        }
    }

    /// The same query by the original ends of the socket, for any device: the packet does not reach
    /// the socket through the device where it was captured.
    pub(crate) fn translated(self, from: TranslatedFrom) -> Self {
        Self {
            local: normalize(from.local),
            remote: Some(normalize(from.remote)),
            device: None,
            ..self
        }
    }

    /// The other end, normalised, where it is known.
    pub const fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }
}

impl Hash for SocketQuery {
    /// Hashes the query as one block. Several maps look up a query for each packet of a new flow,
    /// and a keyed hash costs one call for each part.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut block = Block::new();
        block.put(&[self.protocol as u8, self.is_sender.into()]);
        let device = self.device.map_or(0, NonZeroU32::get);
        block.put(&device.to_ne_bytes());
        block.put_end(self.local);
        if let Some(remote) = self.remote {
            block.put_end(remote);
        }
        state.write(block.bytes());
    }
}

/// The bytes of a query, hashed at once.
#[derive(Debug)]
struct Block {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl Block {
    /// The size of both ends with the scopes of their addresses, and of the other fields.
    const MAX: usize = 2 * 22 + 6;

    const fn new() -> Self {
        Self {
            bytes: [0; Self::MAX],
            len: 0,
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }

    /// Appends an end. The two address families differ in length.
    fn put_end(&mut self, end: SocketAddr) {
        match end {
            SocketAddr::V4(v4) => self.put(&v4.ip().octets()),
            SocketAddr::V6(v6) => {
                self.put(&v6.ip().octets());
                self.put(&v6.scope_id().to_ne_bytes());
            }
        }
        self.put(&end.port().to_ne_bytes());
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl fmt::Display for SocketQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.protocol, self.local)?;
        if let Some(remote) = self.remote {
            write!(f, " -> {remote}")?;
        }
        if let Some(device) = self.device {
            write!(f, " on device {device}")?;
        }
        f.write_str(if self.is_sender { AS_SENDER } else { "" })
    }
}

/// The suffix of a query [about a sender](SocketQuery::as_sender).
const AS_SENDER: &str = " as sender";

/// The error for text that is not a valid [`SocketQuery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseQueryError(String);

impl fmt::Display for ParseQueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.0;
        write!(
            f,
            "`{text}` is not a socket; expected `tcp LOCAL [-> REMOTE] [on device INDEX] [as sender]`"
        )
    }
}

impl std::error::Error for ParseQueryError {}

/// Reads the text that `Display` writes: `udp [fe80::1%2]:68 -> [fe80::2%2]:67 on device 2`.
impl FromStr for SocketQuery {
    type Err = ParseQueryError;

    fn from_str(text: &str) -> Result<Self, ParseQueryError> {
        let whole = text;
        let error = || ParseQueryError(whole.to_owned());
        let (text, is_sender) = match text.strip_suffix(AS_SENDER) {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (ends, device) = match text.split_once(" on device ") {
            Some((ends, device)) => (ends, device.parse().map_err(|_| error())?),
            None => (text, 0),
        };
        let (protocol, ends) = ends.split_once(' ').ok_or_else(error)?;
        let protocol = protocol.parse().map_err(|_| error())?;
        let end = |text: &str| text.parse::<SocketAddr>().map_err(|_| error());
        let (local, remote) = match ends.split_once(" -> ") {
            Some((local, remote)) => (local, Some(end(remote)?)),
            None => (ends, None),
        };
        let query = Self::new(protocol, end(local)?, remote);
        let query = query.on_device(device);
        let query = if is_sender { query.as_sender() } else { query };
        (query.is_sender == is_sender)
            .then_some(query)
            .ok_or_else(error)
    }
}

/// As the text that `Display` writes.
#[cfg(feature = "serde")]
impl serde::Serialize for SocketQuery {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for SocketQuery {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Turns a v4-mapped IPv6 address (RFC 4291, 2.5.5.2) into the IPv4 address that the packet
/// carries. It drops the flow label, which packets and socket lists give differently. It keeps the
/// scope where the scope is part of the address (RFC 4007, 6): for a link-local address, and for a
/// group that reaches no further than an interface or a link. (`flowner-flows` has another form,
/// for packets, without the scope.)
pub(crate) fn normalize(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let ip = v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4);
            match (ip, address) {
                (IpAddr::V6(ip), SocketAddr::V6(given)) if has_scope(ip) => {
                    SocketAddrV6::new(ip, given.port(), 0, given.scope_id()).into()
                }
                _ => SocketAddr::new(ip, address.port()),
            }
        }
    }
}

/// Whether the same address on another link is a different address. The kernel binds a socket with
/// such an address to the device that its scope names (`__ipv6_addr_needs_scope_id` in
/// `include/net/ipv6.h`).
const fn has_scope(ip: Ipv6Addr) -> bool {
    const INTERFACE_LOCAL: u16 = 1;
    const LINK_LOCAL: u16 = 2;
    let reach = ip.segments()[0] & 0xf;
    let is_near = reach == INTERFACE_LOCAL || reach == LINK_LOCAL;
    ip.is_unicast_link_local() || (ip.is_multicast() && is_near)
}

/// The scope of an address; 0 where it has none.
pub(crate) const fn scope(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(v6) => v6.scope_id(),
    }
}

/// The address without its scope, as packets carry it.
pub(crate) const fn unscoped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => SocketAddr::V6(SocketAddrV6::new(*v6.ip(), v6.port(), 0, 0)),
    }
}

/// A normalised address of a socket. If the address needs a scope and has none, the device that the
/// socket is bound to becomes its scope.
pub(crate) fn scoped(address: SocketAddr, device: Option<u32>) -> SocketAddr {
    match (address, device) {
        (SocketAddr::V6(v6), Some(device)) if has_scope(*v6.ip()) && v6.scope_id() == 0 => {
            SocketAddrV6::new(*v6.ip(), v6.port(), 0, device).into()
        }
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_query_is_read_as_it_is_written(
            (local, remote) in proptest::arbitrary::any::<(SocketAddr, Option<SocketAddr>)>(),
            (is_link_local, scope, device) in proptest::arbitrary::any::<(bool, u32, u32)>(),
            place in 0..Protocol::ALL.len(),
        ) {
            let local = match local {
                SocketAddr::V6(v6) if is_link_local => {
                    let ip = "fe80::1".parse().unwrap();
                    SocketAddrV6::new(ip, v6.port(), 0, scope).into()
                }
                _ => local,
            };
            let query = SocketQuery::new(Protocol::ALL[place], local, remote).on_device(device);
            for query in [query, query.as_sender()] {
                proptest::prop_assert_eq!(query.to_string().parse(), Ok(query));
            }
        }

        /// All of these differ: ends of both families, with and without a remote end.
        #[test]
        fn equal_queries_alone_have_the_same_block(
            ends in proptest::arbitrary::any::<[(SocketAddr, Option<SocketAddr>, bool); 2]>(),
            devices in proptest::arbitrary::any::<[u8; 2]>(),
        ) {
            let [one, other] = [0, 1].map(|place| {
                let (local, remote, is_sender) = ends[place];
                let query = SocketQuery::new(Protocol::Udp, local, remote);
                let query = query.on_device((devices[place] % 2).into());
                if is_sender { query.as_sender() } else { query }
            });
            let swapped = one.remote.map(|remote| SocketQuery::new(Protocol::Udp, remote, Some(one.local)));
            let block = |query: &SocketQuery| {
                let mut written = Written::default();
                query.hash(&mut written);
                written.0
            };
            for other in [Some(other), swapped, Some(one.without_remote()), Some(one)] {
                let Some(other) = other else { continue };
                proptest::prop_assert_eq!(one == other, block(&one) == block(&other));
            }
        }

        #[test]
        fn any_text_is_a_query_or_none(text in ".*") {
            text.parse::<SocketQuery>().ok();
        }
    }

    /// Records the bytes that a hasher receives.
    #[derive(Default)]
    struct Written(Vec<u8>);

    impl Hasher for Written {
        fn finish(&self) -> u64 {
            0
        }

        fn write(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }

    #[track_caller]
    fn check(input: &str, expected: &str) {
        let address: SocketAddr = input.parse().unwrap();
        assert_eq!(normalize(address).to_string(), expected);
    }

    #[test]
    fn a_scope_stands_for_a_device() {
        let query = SocketQuery::udp(
            "[fe80::1%3]:1".parse().unwrap(),
            "[fe80::2%3]:2".parse().unwrap(),
        );
        assert_eq!(query.device_or_scope(), Some(3));
        assert_eq!(query.on_device(4).device_or_scope(), Some(4));
        let bare = query.on_device(4).without_device();
        assert_eq!(bare.device_or_scope(), None);
        assert_eq!(bare.to_string(), "udp [fe80::1]:1 -> [fe80::2]:2");
        let local = bare.local();
        assert_eq!(scoped(local, Some(3)), query.local());
        assert_eq!(scoped(local, None), local);
    }

    #[test]
    fn addresses_are_normalised() {
        check("10.0.0.1:80", "10.0.0.1:80");
        check("[::ffff:10.0.0.1]:80", "10.0.0.1:80");
        check("[::1]:80", "[::1]:80");
        check("[fe80::1%3]:80", "[fe80::1%3]:80");
        check("[2001:db8::1%3]:80", "[2001:db8::1]:80");
        // Groups that reach no further than an interface or a link, temporary ones included.
        check("[ff01::1%3]:80", "[ff01::1%3]:80");
        check("[ff02::123%3]:80", "[ff02::123%3]:80");
        check("[ff12::123%3]:80", "[ff12::123%3]:80");
        check("[ff05::123%3]:80", "[ff05::123]:80");
        check("[ff0e::123%3]:80", "[ff0e::123]:80");
        // Compatible addresses are not mapped ones.
        check("[::10.0.0.1]:80", "[::a00:1]:80");
        check("[::]:80", "[::]:80");
    }
}
