//! The target of a lookup: a port, an address, a connection, a program or a process.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use flowner_attribution::{
    Match, Ownership, Protocol, Snapshot, Socket, SocketQuery, device_index,
};

use crate::query::filter::{Filter, FilterError};
use crate::query::sockets::is_listening;

/// The target of a lookup of owners.
///
/// ```
/// use flowner_core::who::WhoTarget;
///
/// let ports = ["443", ":443", "*:443", "udp:53"];
/// let endpoints = ["127.0.0.1:80", "[::1]:80", "tcp [::1]:80"];
/// let connection = "tcp 10.0.0.2:45784 -> 93.184.216.34:443";
/// let others = ["10.0.0.9", "pid:4242", "program:firefox", "unit:sshd", connection];
/// for text in ports.into_iter().chain(endpoints).chain(others) {
///     let target: WhoTarget = text.parse()?;
/// }
/// # Ok::<(), flowner_core::who::WhoError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhoTarget {
    /// Every socket with this local port; for `icmp`, with this id of echo requests; for `raw`, for
    /// the protocol with this number.
    Port {
        /// `None` for all with ports.
        protocol: Option<Protocol>,
        /// Not 0.
        port: u16,
    },
    /// Every socket of a protocol: `icmp`, `sctp`, `raw`, `packet`. Raw sockets for ICMP count as
    /// `icmp`.
    Protocol(Protocol),
    /// Every socket that serves this local endpoint, including those on all addresses.
    Endpoint {
        /// `None` for all with ports.
        protocol: Option<Protocol>,
        /// The v4-mapped IPv6 form is IPv4 (RFC 4291, 2.5.5.2); the port is not 0.
        local: SocketAddr,
        /// The index of the packets' device, if given: only sockets that these reach.
        device: Option<u32>,
    },
    /// Every socket with this address at either end.
    Address(IpAddr),
    /// Every socket with this address at either end that is bound to the device, or has it as the
    /// scope of that address.
    AddressOn {
        /// The address.
        address: IpAddr,
        /// The index of the device.
        device: u32,
    },
    /// The socket of one connection.
    FiveTuple(SocketQuery),
    /// Every socket that a [filter](crate::filter) by owner selects: `pid:4242`, `program:firefox`,
    /// `user:ada`, `unit:sshd`.
    Owner(Filter),
}

impl WhoTarget {
    /// The query with one answer by the [matching rules](flowner_attribution#matching); `None` if
    /// the protocol or the address is open, so that there are several.
    pub fn query(&self) -> Option<SocketQuery> {
        match *self {
            Self::FiveTuple(query) => Some(query),
            Self::Endpoint {
                protocol: Some(protocol),
                local,
                device,
            } => Some(SocketQuery::new(protocol, local, None).on_device(device.unwrap_or(0))),
            Self::Endpoint { protocol: None, .. }
            | Self::Port { .. }
            | Self::Protocol(_)
            | Self::Address(_)
            | Self::AddressOn { .. }
            | Self::Owner(_) => None,
        }
    }

    /// The target's sockets in a snapshot, in its order.
    ///
    /// For an endpoint, these are the sockets of [`Snapshot::sockets_of`] for each protocol: the
    /// snapshot knows which addresses belong to this host, and which to other network namespaces. A
    /// listener has no TCP connection: only a socket with both ends counts or, if the table does
    /// not know remote ends, one with a connection at the local end.
    pub fn sockets_in<'a>(&self, snapshot: &'a Snapshot) -> Vec<&'a Socket> {
        match *self {
            Self::Endpoint {
                protocol,
                local,
                device,
            } => {
                // Other protocols have something else in place of a port, so they count only if
                // they are named.
                let all = Protocol::ALL.into_iter();
                let all = all.filter(|each| match protocol {
                    Some(protocol) => *each == protocol,
                    None => each.has_ports(),
                });
                let found = all.flat_map(|protocol| {
                    let query = SocketQuery::new(protocol, local, None);
                    snapshot.sockets_of(&query.on_device(device.unwrap_or(0)))
                });
                found.collect()
            }
            Self::FiveTuple(query) => {
                let is_connection = query.protocol() == Protocol::Tcp;
                let mut found = snapshot.sockets_of(&query);
                found.retain(|socket| !is_connection || socket.is_connection());
                found
            }
            Self::Port { .. }
            | Self::Protocol(_)
            | Self::Address(_)
            | Self::AddressOn { .. }
            | Self::Owner(_) => {
                let all = snapshot.sockets().iter();
                all.filter(|socket| self.names(socket)).collect()
            }
        }
    }

    /// Whether a socket is a target by itself.
    fn names(&self, socket: &Socket) -> bool {
        match *self {
            Self::Owner(ref filter) => filter.matches(socket),
            Self::Address(address) => {
                let is_remote = socket.remote.is_some_and(|remote| remote.ip() == address);
                is_remote || socket.local.ip() == address
            }
            Self::AddressOn { address, device } => {
                let has_it = |end: SocketAddr| end.ip() == address;
                let is_there = has_it(socket.local) || socket.remote.is_some_and(has_it);
                is_there && socket.device == Some(device)
            }
            Self::Port { protocol, port } => {
                let is_of = match protocol {
                    Some(protocol) => protocol == socket.protocol,
                    None => socket.protocol.has_ports(),
                };
                is_of && socket.local.port() == port
            }
            Self::Protocol(protocol) => {
                /// The numbers of ICMP, of IPv4 and IPv6.
                const ICMP: [u8; 2] = [1, 58];
                let is_icmp = || {
                    socket
                        .protocol_number()
                        .is_some_and(|it| ICMP.contains(&it))
                };
                socket.protocol == protocol || (protocol == Protocol::Icmp && is_icmp())
            }
            Self::Endpoint { .. } | Self::FiveTuple(_) => false,
        }
    }

    /// Whether a snapshot ends a wait for the target: for a port or an endpoint, it has a receiving socket
    /// there; for any other target, it has any matching socket.
    pub fn is_satisfied_by(&self, snapshot: &Snapshot) -> bool {
        let is_place = matches!(self, Self::Port { .. } | Self::Endpoint { .. });
        let found = self.sockets_in(snapshot).into_iter();
        found
            .filter(|socket| is_listening(socket) || !is_place)
            .count()
            > 0
    }

    /// Whether an answer to the [`query`](Self::query) may be about the listener at the local end of
    /// a TCP connection, so that there may be no such connection. If there is one, it is among the
    /// [sockets](Self::sockets_in) of a snapshot, also if no process has accepted it yet.
    pub fn is_only_listener(&self, answer: &Ownership) -> bool {
        let Self::FiveTuple(query) = self else {
            return false;
        };
        let evidence = &answer.evidence;
        query.protocol() == Protocol::Tcp
            && evidence
                .matched
                .is_some_and(|matched| matched != Match::FiveTuple)
    }
}

/// The error for text that is not a [`WhoTarget`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhoError {
    /// The text is empty, or only a protocol.
    #[error("no port or address is given; expected {EXPECTED}")]
    Empty,
    /// A number that is not a valid port.
    #[error("`{0}` is not a valid port: ports are 1 to 65535")]
    Port(String),
    /// An address without a port, where a connection needs one.
    #[error("`{0}` has no port; expected one behind it, as in 127.0.0.1:80 or [::1]:80")]
    NoPort(IpAddr),
    /// A port without an address, where a connection needs both.
    #[error(
        "`{0}` has no address; each end of a connection has one, as in tcp 10.0.0.2:45784 93.184.216.34:443"
    )]
    NoAddress(String),
    /// An invalid filter by owner.
    #[error("{}", .0.render())]
    Filter(#[from] FilterError),
    /// Neither a port nor an address; names are not resolved.
    #[error("`{0}` is neither a port nor a numeric address with a port; expected {EXPECTED}")]
    Address(String),
    /// A scope that names no device.
    #[error("there is no network device `{0}` here; `flowner devices` lists them")]
    Device(String),
    /// Devices that differ.
    #[error("the two ends are on different devices: {0}")]
    Devices(String),
    /// Two ends without a protocol.
    #[error("between two ends, tcp or udp is missing; expected `tcp LOCAL REMOTE`")]
    NoProtocol,
    /// More than two ends.
    #[error("`{0}` is too much: a connection has two ends; expected {EXPECTED}")]
    TooMany(String),
}

const EXPECTED: &str = "a port (443, udp:53, sctp/5000), a protocol (icmp, raw, packet), an address (10.0.0.9), a local address with a port \
     (127.0.0.1:80, [::1]:80, [fe80::1%eth0]:80), a connection (tcp 10.0.0.2:45784 93.184.216.34:443) or an owner \
     (pid:4242, program:firefox, user:ada, unit:sshd)";

/// Keys of the filter language for owners.
const OWNERS: [&str; 4] = ["pid", "program", "user", "unit"];

impl FromStr for WhoTarget {
    type Err = WhoError;

    fn from_str(text: &str) -> Result<Self, WhoError> {
        let text = text.trim();
        if let Some((key, _)) = text.split_once(':')
            && OWNERS.iter().any(|owner| key.eq_ignore_ascii_case(owner))
        {
            return Ok(Self::Owner(Filter::parse(text)?));
        }
        let (protocol, ends) = split_protocol(text);
        let ends = ends.replace("->", " ");
        let ends: Vec<&str> = ends.split_whitespace().filter(|end| *end != "-").collect();
        if let (None, [end]) = (protocol, &*ends) {
            let (end, device) = split_device(end)?;
            if let Some(address) = ip(&end) {
                let address = address.to_canonical();
                return Ok(match device {
                    Some(device) => Self::AddressOn { address, device },
                    None => Self::Address(address),
                });
            }
        }
        match (protocol, &*ends) {
            (Some(protocol), []) if text.eq_ignore_ascii_case(protocol.name()) => {
                Ok(Self::Protocol(protocol))
            }
            (_, []) => Err(WhoError::Empty),
            (protocol, [end]) => Ok(match end.parse()? {
                End::Port(port) => Self::Port { protocol, port },
                End::Address(local, device) => Self::Endpoint {
                    protocol,
                    local,
                    device,
                },
            }),
            (None, [_, _]) => Err(WhoError::NoProtocol),
            (Some(protocol), [local, remote]) => {
                let ((remote, far), (local, near)) = (address(remote)?, address(local)?);
                if near.is_some_and(|near| far.is_some_and(|far| far != near)) {
                    return Err(WhoError::Devices(text.to_owned()));
                }
                let query = SocketQuery::new(protocol, local, Some(remote));
                let device = near
                    .or(far)
                    .filter(|_| !has_scope(local) && !has_scope(remote));
                Ok(Self::FiveTuple(query.on_device(device.unwrap_or(0))))
            }
            (_, [_, _, more, ..]) => Err(WhoError::TooMany((*more).to_owned())),
        }
    }
}

/// `tcp:443`, `tcp/443` and `tcp 443` to protocol and rest.
fn split_protocol(text: &str) -> (Option<Protocol>, &str) {
    let end = text.find(|c: char| c == ':' || c == '/' || c.is_whitespace());
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let mut all = Protocol::ALL.into_iter();
    match all.find(|protocol| protocol.name().eq_ignore_ascii_case(name)) {
        Some(protocol) => (
            Some(protocol),
            rest.strip_prefix([':', '/']).unwrap_or(rest),
        ),
        None => (None, text),
    }
}

/// One end, in any of its forms.
enum End {
    Port(u16),
    /// With the index of the given device.
    Address(SocketAddr, Option<u32>),
}

impl FromStr for End {
    type Err = WhoError;

    fn from_str(text: &str) -> Result<Self, WhoError> {
        if let Some(number) = number(text) {
            return match number.parse() {
                Ok(0) | Err(_) => Err(WhoError::Port(number.to_owned())),
                Ok(port) => Ok(Self::Port(port)),
            };
        }
        let (address, device) = address(text)?;
        Ok(Self::Address(
            address,
            device.filter(|_| !has_scope(address)),
        ))
    }
}

/// The digits of a port without an address: `443`, `:443`, `*:443`.
fn number(text: &str) -> Option<&str> {
    let number = text.strip_prefix('*').unwrap_or(text);
    let number = number.strip_prefix(':').unwrap_or(number);
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty();
    is_number.then_some(number)
}

/// An address without a port, in brackets or not.
fn ip(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// An end and its device, which is the scope of a link-local address.
fn address(text: &str) -> Result<(SocketAddr, Option<u32>), WhoError> {
    let (bare, device) = split_device(text)?;
    if let Some(ip) = ip(&bare) {
        return Err(WhoError::NoPort(ip));
    }
    if number(text).is_some() {
        return Err(WhoError::NoAddress(text.to_owned()));
    }
    let address = match bare.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => return Err(WhoError::Port("0".to_owned())),
        Ok(address) => SocketAddr::new(address.ip().to_canonical(), address.port()),
        // An address, and a number that is too large.
        Err(_) => match bare.rsplit_once(':') {
            Some((before, port)) if ip(before).is_some() && number(port) == Some(port) => {
                return Err(WhoError::Port(port.to_owned()));
            }
            _ => return Err(WhoError::Address(text.to_owned())),
        },
    };
    let address = match (address, device) {
        (SocketAddr::V6(v6), Some(device)) => {
            let scoped = SocketAddrV6::new(*v6.ip(), v6.port(), 0, device).into();
            // Only an address that reaches no further than a link keeps it.
            SocketQuery::new(Protocol::Tcp, scoped, None).local()
        }
        _ => address,
    };
    Ok((address, device))
}

/// The text without `%eth0` or `%2`, in any position (`[fe80::1%eth0]:53`, and in the form of `ss`,
/// `[fe80::1]%eth0:53` and `0.0.0.0%eth0:68`), and the index of that device.
fn split_device(text: &str) -> Result<(String, Option<u32>), WhoError> {
    let Some((before, rest)) = text.split_once('%') else {
        return Ok((text.to_owned(), None));
    };
    let end = rest.find([']', ':']).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    let number = name.parse::<u32>().ok().filter(|index| *index != 0);
    let device = number.or_else(|| device_index(name));
    let device = device.ok_or_else(|| WhoError::Device(name.to_owned()))?;
    Ok((format!("{before}{after}"), Some(device)))
}

const fn has_scope(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(v6) if v6.scope_id() != 0)
}

#[cfg(test)]
mod tests;
