//! Whose socket is asked for: that of a port, an address, a connection, a program or
//! a process.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use flowner_attribution::{
    Match, Ownership, Protocol, Snapshot, Socket, SocketQuery, Source, device_index,
};

use crate::filter::{Filter, FilterError};
use crate::sockets::is_listening;

/// What somebody wants to know the owner of.
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
    /// Every socket with this local port.
    Port {
        /// `None` for both.
        protocol: Option<Protocol>,
        /// Not 0.
        port: u16,
    },
    /// Every socket that serves this local endpoint, those on all addresses
    /// included.
    Endpoint {
        /// `None` for both.
        protocol: Option<Protocol>,
        /// With v4-mapped IPv6 as IPv4 (RFC 4291, 2.5.5.2); the port is not 0.
        local: SocketAddr,
        /// The index of the device that packets are of, where it is given: only sockets that
        /// they reach.
        device: Option<u32>,
    },
    /// Every socket with this address at either end.
    Address(IpAddr),
    /// Every socket with this address at either end that is bound to a device, or has it as
    /// the scope of that address.
    AddressOn {
        /// The address.
        address: IpAddr,
        /// The index of the device.
        device: u32,
    },
    /// The socket of one connection.
    FiveTuple(SocketQuery),
    /// Every socket that a [filter](crate::filter) by owner chooses: `pid:4242`,
    /// `program:firefox`, `user:ada`, `unit:sshd`.
    Owner(Filter),
}

impl WhoTarget {
    /// The question that has one answer by the
    /// [matching rules](flowner_attribution#matching); `None` where the protocol or
    /// the address is left open, so that there are several.
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
            | Self::Address(_)
            | Self::AddressOn { .. }
            | Self::Owner(_) => None,
        }
    }

    /// The sockets of a snapshot that are meant, in its order.
    ///
    /// Those of an endpoint are the ones that [`Snapshot::sockets_of`] answers with for each
    /// protocol: the snapshot knows which addresses are this host's own, and which are those of
    /// other network namespaces. A TCP connection is only that of a socket with both of its ends,
    /// where the table tells remote ends: a listener is none.
    pub fn sockets_in<'a>(&self, snapshot: &'a Snapshot) -> Vec<&'a Socket> {
        match *self {
            Self::Endpoint {
                protocol,
                local,
                device,
            } => {
                // What a raw socket has in place of a port is only meant by who says so.
                let all = Protocol::ALL.into_iter();
                let all = all.filter(|each| match protocol {
                    Some(protocol) => *each == protocol,
                    None => *each != Protocol::Raw,
                });
                let found = all.flat_map(|protocol| {
                    let query = SocketQuery::new(protocol, local, None);
                    snapshot.sockets_of(&query.on_device(device.unwrap_or(0)))
                });
                found.collect()
            }
            Self::FiveTuple(query) => {
                let tells_remotes = snapshot.source() != Source::Portable;
                let needs_remote = query.protocol() == Protocol::Tcp && tells_remotes;
                let mut found = snapshot.sockets_of(&query);
                found.retain(|socket| !needs_remote || socket.remote.is_some());
                found
            }
            Self::Port { .. } | Self::Address(_) | Self::AddressOn { .. } | Self::Owner(_) => {
                let all = snapshot.sockets().iter();
                all.filter(|socket| self.names(socket)).collect()
            }
        }
    }

    /// Whether a socket is meant, which it says by itself.
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
                    None => socket.protocol != Protocol::Raw,
                };
                is_of && socket.local.port() == port
            }
            Self::Endpoint { .. } | Self::FiveTuple(_) => false,
        }
    }

    /// Whether a snapshot has what somebody who waits for the target waits for: at a port or
    /// endpoint, a socket that takes what comes; anywhere else, any that is meant.
    pub fn is_awaited_in(&self, snapshot: &Snapshot) -> bool {
        let is_place = matches!(self, Self::Port { .. } | Self::Endpoint { .. });
        let found = self.sockets_in(snapshot).into_iter();
        found
            .filter(|socket| is_listening(socket) || !is_place)
            .count()
            > 0
    }

    /// Whether an answer to the [`query`](Self::query) tells only who listens at the local end
    /// of a TCP connection: there may be no such connection. One that nobody has accepted yet is
    /// its listener's, too, and is among the [sockets](Self::sockets_in) of a snapshot.
    pub fn is_only_listener(&self, answer: &Ownership) -> bool {
        let Self::FiveTuple(query) = self else {
            return false;
        };
        let evidence = &answer.evidence;
        query.protocol() == Protocol::Tcp
            && evidence.source != Source::Portable
            && evidence
                .matched
                .is_some_and(|matched| matched != Match::FiveTuple)
    }
}

/// Text that is no [`WhoTarget`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhoError {
    /// Nothing is written, or only a protocol.
    #[error("no port or address is given; expected {EXPECTED}")]
    Empty,
    /// A number that is no port.
    #[error("`{0}` is no port: ports are 1 to 65535")]
    Port(String),
    /// An address without a port, where a connection needs one.
    #[error("`{0}` has no port; expected one behind it, as in 127.0.0.1:80 or [::1]:80")]
    NoPort(IpAddr),
    /// A filter by owner that is none.
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

const EXPECTED: &str = "a port (443, udp:53), an address (10.0.0.9), a local address with a port \
     (127.0.0.1:80, [::1]:80, [fe80::1%eth0]:80), a connection (tcp 10.0.0.2:45784 93.184.216.34:443) or an owner \
     (pid:4242, program:firefox, user:ada, unit:sshd)";

/// Keys of the filter language that tell owners.
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
            if let Ok(address) = end.parse::<IpAddr>() {
                let address = address.to_canonical();
                return Ok(match device {
                    Some(device) => Self::AddressOn { address, device },
                    None => Self::Address(address),
                });
            }
        }
        match (protocol, &*ends) {
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

/// `tcp:443` and `tcp 443` to protocol and rest.
fn split_protocol(text: &str) -> (Option<Protocol>, &str) {
    let end = text.find(|c: char| c == ':' || c.is_whitespace());
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let mut all = Protocol::ALL.into_iter();
    match all.find(|protocol| protocol.name().eq_ignore_ascii_case(name)) {
        Some(protocol) => (Some(protocol), rest.strip_prefix(':').unwrap_or(rest)),
        None => (None, text),
    }
}

/// One end, as it may be written.
enum End {
    Port(u16),
    /// With the index of the device that is given.
    Address(SocketAddr, Option<u32>),
}

impl FromStr for End {
    type Err = WhoError;

    fn from_str(text: &str) -> Result<Self, WhoError> {
        let number = text.strip_prefix('*').unwrap_or(text);
        let number = number.strip_prefix(':').unwrap_or(number);
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty();
        if is_number {
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

/// An end, and the device that is given with it; which is the scope of a link-local address.
fn address(text: &str) -> Result<(SocketAddr, Option<u32>), WhoError> {
    let (bare, device) = split_device(text)?;
    if let Ok(ip) = bare.parse() {
        return Err(WhoError::NoPort(ip));
    }
    let address = match bare.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => return Err(WhoError::Port("0".to_owned())),
        Ok(address) => SocketAddr::new(address.ip().to_canonical(), address.port()),
        Err(_) => return Err(WhoError::Address(text.to_owned())),
    };
    let address = match (address, device) {
        (SocketAddr::V6(v6), Some(device)) if v6.ip().is_unicast_link_local() => {
            SocketAddrV6::new(*v6.ip(), v6.port(), 0, device).into()
        }
        _ => address,
    };
    Ok((address, device))
}

/// The text without `%eth0` or `%2`, wherever that stands (`[fe80::1%eth0]:53`, and as `ss`
/// writes it, `[fe80::1]%eth0:53` and `0.0.0.0%eth0:68`), and the index of that device.
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
mod tests {
    use super::*;
    use flowner_attribution::{NetworkNamespace, Reason, SocketState, Verdict};
    use proptest::prelude::*;

    /// A target in short.
    fn show(text: &str) -> String {
        let protocol = |p: Option<Protocol>| p.map_or("any", Protocol::name);
        match text.parse() {
            Ok(WhoTarget::Port { protocol: p, port }) => format!("{} port {port}", protocol(p)),
            Ok(WhoTarget::Endpoint {
                protocol: p,
                local,
                device,
            }) => match device {
                Some(device) => format!("{} {local} on {device}", protocol(p)),
                None => format!("{} {local}", protocol(p)),
            },
            Ok(WhoTarget::FiveTuple(query)) => query.to_string(),
            Ok(WhoTarget::Address(address)) => format!("at {address}"),
            Ok(WhoTarget::AddressOn { address, device }) => format!("at {address} on {device}"),
            Ok(WhoTarget::Owner(filter)) => format!("owner {filter}"),
            Err(error) => format!("{error:?}"),
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(show(text), expected, "{text}");
    }

    #[test]
    fn ports_and_endpoints() {
        check("443", "any port 443");
        check(":443", "any port 443");
        check("*:443", "any port 443");
        check("udp:53", "udp port 53");
        check(" UDP 53 ", "udp port 53");
        check("tcp::80", "tcp port 80");
        check("127.0.0.1:80", "any 127.0.0.1:80");
        check("[::1]:80", "any [::1]:80");
        check("tcp:[::1]:80", "tcp [::1]:80");
        check("[::ffff:10.0.0.1]:80", "any 10.0.0.1:80");
        check("[fe80::1%3]:80", "any [fe80::1%3]:80");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn devices_have_names_and_numbers() {
        check("[fe80::1%lo]:80", "any [fe80::1%1]:80");
        check("[fe80::1]%lo:80", "any [fe80::1%1]:80");
        check("udp:0.0.0.0%lo:68", "udp 0.0.0.0:68 on 1");
        check("fe80::1%lo", "at fe80::1 on 1");
        check("[fe80::1%none]:80", "Device(\"none\")");
        check("[fe80::1%]:80", "Device(\"\")");
        check("[fe80::1%0]:80", "Device(\"0\")");
        let connection = "udp [fe80::1%7]:1 -> [fe80::2%7]:2";
        check(connection, connection);
        check(
            "udp [fe80::1%7]:1 -> [fe80::2%8]:2",
            &format!(
                "{:?}",
                WhoError::Devices("udp [fe80::1%7]:1 -> [fe80::2%8]:2".to_owned())
            ),
        );
        check(
            "udp 10.0.0.1%7:1 -> 10.0.0.2:2",
            "udp 10.0.0.1:1 -> 10.0.0.2:2 on device 7",
        );
    }

    #[test]
    fn a_scope_leaves_out_other_devices() {
        for (device, expected) in [(2, true), (3, false)] {
            let socket = Socket {
                device: Some(device),
                ..socket(Protocol::Tcp, &format!("[fe80::1%{device}]:80"), None)
            };
            for (target, remote) in [
                ("[fe80::1%2]:80", None),
                ("fe80::1%2", None),
                ("tcp [fe80::1%2]:80 [fe80::9%2]:1", Some("[fe80::9]:1")),
            ] {
                let socket = Socket {
                    remote: remote.map(|remote| remote.parse().unwrap()),
                    ..socket.clone()
                };
                let target: WhoTarget = target.parse().unwrap();
                assert_eq!(has(&target, &socket), expected, "{target:?} {device}");
            }
        }
    }

    #[test]
    fn connections() {
        let expected = "tcp 10.0.0.2:45784 -> 93.184.216.34:443";
        check("tcp 10.0.0.2:45784 93.184.216.34:443", expected);
        check("tcp 10.0.0.2:45784 -> 93.184.216.34:443", expected);
        check("tcp 10.0.0.2:45784->93.184.216.34:443", expected);
        check("tcp:10.0.0.2:45784 - 93.184.216.34:443", expected);
        check("udp [::1]:1 [::2]:2", "udp [::1]:1 -> [::2]:2");
    }

    #[test]
    fn addresses_and_owners() {
        check("127.0.0.1", "at 127.0.0.1");
        check("::1", "at ::1");
        check("::ffff:10.0.0.1", "at 10.0.0.1");
        check("pid:4242", "owner pid:4242");
        check("Program:firefox", "owner program:firefox");
        check("user:ada", "owner user:ada");
        let error = "pid:x".parse::<WhoTarget>().unwrap_err().to_string();
        assert!(
            error.contains("no process id") && error.contains('^'),
            "{error}"
        );
    }

    #[test]
    fn errors_say_what_is_wrong() {
        check("", "Empty");
        check("tcp", "Empty");
        check("tcp -> ", "Empty");
        check("0", "Port(\"0\")");
        check("65536", "Port(\"65536\")");
        check("127.0.0.1:0", "Port(\"0\")");
        check("tcp 127.0.0.1", "NoPort(127.0.0.1)");
        check("*", "Address(\"*\")");
        check(":", "Address(\":\")");
        check("localhost:80", "Address(\"localhost:80\")");
        check("-5", "Address(\"-5\")");
        check("1.1.1.1:1 2.2.2.2:2", "NoProtocol");
        check("tcp 443 2.2.2.2:2", "Address(\"443\")");
        check("tcp 1.1.1.1:1 2.2.2.2:2 x", "TooMany(\"x\")");
        let message = "https".parse::<WhoTarget>().unwrap_err().to_string();
        assert!(
            message.contains("expected a port (443, udp:53)"),
            "{message}"
        );
    }

    fn socket(protocol: Protocol, local: &str, remote: Option<&str>) -> Socket {
        Socket {
            protocol,
            local: local.parse().unwrap(),
            remote: remote.map(|remote| remote.parse().unwrap()),
            state: None,
            v6_only: false,
            device: None,
            id: None,
            namespace: None,
            owner: Verdict::Unknown(Reason::Gone),
        }
    }

    fn snapshot(sockets: &[Socket]) -> Snapshot {
        let now = std::time::SystemTime::UNIX_EPOCH;
        Snapshot::new(Source::Scripted, now, now, sockets.to_vec())
    }

    fn has(target: &WhoTarget, socket: &Socket) -> bool {
        !target
            .sockets_in(&snapshot(std::slice::from_ref(socket)))
            .is_empty()
    }

    #[track_caller]
    fn check_matches(target: &str, local: &str, remote: Option<&str>, expected: bool) {
        let target: WhoTarget = target.parse().unwrap();
        let socket = socket(Protocol::Tcp, local, remote);
        assert_eq!(has(&target, &socket), expected, "{target:?} {socket:?}");
    }

    #[test]
    fn sockets_are_matched() {
        check_matches("80", "10.0.0.1:80", None, true);
        check_matches("80", "10.0.0.1:81", Some("10.0.0.2:80"), false);
        check_matches("tcp:80", "10.0.0.1:80", None, true);
        check_matches("udp:80", "10.0.0.1:80", None, false);
        check_matches("10.0.0.1:80", "10.0.0.1:80", Some("10.0.0.2:9"), true);
        check_matches("10.0.0.1:80", "10.0.0.2:80", None, false);
        check_matches("10.0.0.1:80", "0.0.0.0:80", None, true);
        check_matches("10.0.0.1:80", "[::]:80", None, true);
        check_matches("[::1]:80", "[::]:80", None, true);
        check_matches("[::1]:80", "0.0.0.0:80", None, false);
        check_matches("0.0.0.0:80", "10.0.0.1:80", None, false);
        let tuple = "tcp 10.0.0.1:80 10.0.0.2:9";
        check_matches(tuple, "10.0.0.1:80", Some("10.0.0.2:9"), true);
        check_matches(tuple, "10.0.0.1:80", Some("10.0.0.2:8"), false);
        check_matches(tuple, "10.0.0.1:80", None, false);
        check_matches("udp 10.0.0.1:80 10.0.0.2:9", "10.0.0.1:80", None, false);
        check_matches("10.0.0.2", "10.0.0.1:80", Some("10.0.0.2:8"), true);
        check_matches("10.0.0.3", "10.0.0.1:80", Some("10.0.0.2:8"), false);
        let v6_only = Socket {
            v6_only: true,
            ..socket(Protocol::Tcp, "[::]:80", None)
        };
        let target: WhoTarget = "10.0.0.1:80".parse().unwrap();
        assert!(!has(&target, &v6_only));
    }

    #[test]
    fn who_waits_for_a_port_waits_for_a_listener() {
        let with = |state| Socket {
            state,
            ..socket(Protocol::Tcp, "10.0.0.1:80", None)
        };
        let awaits = |target: &WhoTarget, socket| target.is_awaited_in(&snapshot(&[socket]));
        let port: WhoTarget = "80".parse().unwrap();
        assert!(awaits(&port, with(Some(SocketState::Listen))));
        assert!(!awaits(&port, with(Some(SocketState::Established))));
        assert!(awaits(&port, with(None)));
        let address: WhoTarget = "10.0.0.1".parse().unwrap();
        assert!(awaits(&address, with(Some(SocketState::Established))));
    }

    #[test]
    fn other_networks_have_addresses_of_their_own() {
        for (target, local, expected) in [
            ("80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:80", false),
            ("127.0.0.1:80", "0.0.0.0:80", false),
            ("10.0.0.2:80", "10.0.0.2:80", true),
        ] {
            let elsewhere = Socket {
                namespace: Some(std::sync::Arc::new(NetworkNamespace { id: 1, name: None })),
                ..socket(Protocol::Tcp, local, None)
            };
            let target: WhoTarget = target.parse().unwrap();
            assert_eq!(has(&target, &elsewhere), expected, "{target:?} {local}");
        }
    }

    #[test]
    fn only_a_question_with_one_answer_is_asked() {
        let query = |text: &str| text.parse::<WhoTarget>().unwrap().query();
        let shown = |text| query(text).map(|query| query.to_string());
        assert_eq!(shown("443"), None);
        assert_eq!(shown("tcp:443"), None);
        assert_eq!(shown("127.0.0.1:80"), None);
        assert_eq!(shown("tcp 127.0.0.1:80").unwrap(), "tcp 127.0.0.1:80");
        let tuple = "udp 1.1.1.1:1 -> 2.2.2.2:2";
        assert_eq!(shown(tuple).unwrap(), tuple);
    }

    fn any_socket() -> impl Strategy<Value = Socket> {
        const ENDS: [&str; 6] = [
            "0.0.0.0:7",
            "[::]:7",
            "10.0.0.1:7",
            "127.0.0.1:7",
            "[::1]:7",
            "10.0.0.2:8",
        ];
        let end = || proptest::sample::select(&ENDS[..]);
        let protocol = proptest::sample::select(&Protocol::ALL[..]);
        let remote = proptest::option::of(end());
        let id = proptest::option::of(0_u64..2);
        (protocol, end(), remote, proptest::option::of(1_u32..3), id).prop_map(
            |(protocol, local, remote, device, id)| Socket {
                device,
                namespace: id.map(|id| std::sync::Arc::new(NetworkNamespace { id, name: None })),
                ..socket(protocol, local, remote)
            },
        )
    }

    proptest! {
        #[test]
        fn an_endpoint_is_that_of_each_protocol(
            sockets in prop::collection::vec(any_socket(), 0..12),
            end in proptest::sample::select(&["8.8.8.8:7", "10.0.0.1:7", "127.0.0.1%1:7", "[::1]:7", "0.0.0.0:7"][..]),
        ) {
            let snapshot = snapshot(&sockets);
            let found = |text: &str| -> Vec<Socket> {
                let target: WhoTarget = text.parse().unwrap();
                target.sockets_in(&snapshot).into_iter().cloned().collect()
            };
            let each = ["tcp", "udp", "udplite"];
            let each = each.map(|protocol| found(&format!("{protocol} {end}")));
            prop_assert_eq!(found(end), each.concat());
            for protocol in ["tcp", "udp", "udplite", "raw"] {
                let text = format!("{protocol} {end}");
                let target: WhoTarget = text.parse().unwrap();
                let answer = snapshot.find(&target.query().unwrap());
                prop_assert_eq!(answer.evidence.matched.is_some(), !found(&text).is_empty());
            }
        }

        #[test]
        fn nothing_panics(text in ".*") {
            let _ = text.parse::<WhoTarget>();
        }

        #[test]
        fn a_question_is_read_as_it_is_written(local: SocketAddr, remote: SocketAddr, tcp: bool) {
            prop_assume!(local.port() > 0 && remote.port() > 0);
            let protocol = if tcp { Protocol::Tcp } else { Protocol::Udp };
            let query = SocketQuery::new(protocol, local, Some(remote));
            prop_assert_eq!(query.to_string().parse(), Ok(WhoTarget::FiveTuple(query)));
        }
    }
}
