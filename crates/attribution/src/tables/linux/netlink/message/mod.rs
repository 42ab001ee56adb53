//! The messages of `sock_diag` (`sock_diag(7)`; `include/uapi/linux/inet_diag.h`), to and from
//! bytes. Pure: any input parses as messages or as malformed.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::frame::{
    DUMP, Frame, HEADER_LEN, Malformed, array_at, attributes, frames, header, u32_at,
};
use crate::answer::{PacketSocket, Protocol, SocketState};

/// `SOCK_DIAG_BY_FAMILY`: the type of requests and of the sockets in answers.
const BY_FAMILY: u16 = 20;
/// `TCPDIAG_GETSOCK`: the older type of requests, and of the sockets in its answers. It
/// is about both families at once (`inet_diag_dump_compat` in `net/ipv4/inet_diag.c`).
const TCP_OF_BOTH: u16 = 18;
/// `struct inet_diag_req`.
const TCP_REQUEST_LEN: usize = 60;
/// `struct inet_diag_req_v2` and `struct inet_diag_msg`.
const REQUEST_LEN: usize = 56;
pub(crate) const SOCKET_LEN: usize = 72;

/// Attributes that are read.
const SKV6ONLY: u16 = 11;
const CGROUP_ID: u16 = 21;

/// An address family, as sockets have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const fn of(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }

    /// `AF_INET`, `AF_INET6`.
    const fn number(self) -> u8 {
        match self {
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            2 => Some(Self::V4),
            10 => Some(Self::V6),
            _ => None,
        }
    }
}

/// A socket as the kernel lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DiagSocket {
    pub(crate) state: Option<SocketState>,
    pub(crate) local: SocketAddr,
    /// `None` if the socket is not connected.
    pub(crate) remote: Option<SocketAddr>,
    /// 0 if no file refers to the socket: not accepted yet, or closed by its owner.
    pub(crate) inode: u32,
    /// The user who opened it. Invalid if the inode is 0.
    pub(crate) uid: u32,
    /// The same from the first packet to the end of `TIME_WAIT`.
    pub(crate) cookie: u64,
    pub(crate) cgroup: Option<u64>,
    /// The connections of a listener that wait to be accepted (`sk_ack_backlog` in
    /// `inet_csk_diag_fill` of the kernel).
    pub(crate) unaccepted: Option<u32>,
    pub(crate) v6_only: bool,
    /// The index of the interface that it is bound to (`idiag_if`).
    pub(crate) device: Option<u32>,
    /// Only for a packet socket.
    pub(crate) packet: Option<PacketSocket>,
}

impl DiagSocket {
    /// A socket at a local end, with its inode and user, of which nothing else is known.
    pub(crate) const fn bare(local: SocketAddr, inode: u32, uid: u32) -> Self {
        Self {
            state: None,
            local,
            remote: None,
            inode,
            uid,
            cookie: 0,
            cgroup: None,
            unaccepted: None,
            v6_only: false,
            device: None,
            packet: None,
        }
    }
}

/// One message of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message {
    Socket(DiagSocket),
    /// The end of a dump.
    Done,
    /// An error number; 0 acknowledges.
    Error(i32),
    /// A type or family that was not requested.
    Other,
}

/// The sockets that a dump lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// All TCP sockets except listeners, which the kernel keeps elsewhere.
    Connections,
    /// All listeners.
    Listeners,
    /// Sockets that wait for peers on this local port: listeners, or datagram sockets of any kind.
    /// That is fast, because the kernel keeps them in short lists.
    Waiting(u16),
    /// TCP sockets that are bound and neither listen nor connect (`TCPF_BOUND_INACTIVE`). The
    /// kernel lists them since Linux 6.8, and walks its table of all ports for them.
    Bound,
    /// Sockets with this local port. The kernel walks its tables of connections and of all ports.
    OnPort(u16),
}

impl Which {
    /// Keeps the requested sockets of a whole list, which begins at `start`.
    pub(crate) fn keep(self, protocol: Protocol, start: usize, sockets: &mut Vec<DiagSocket>) {
        let listens = |socket: &DiagSocket| socket.state == Some(SocketState::Listen);
        let is_wanted = |socket: &DiagSocket| match self {
            Self::All => true,
            Self::Connections => !listens(socket),
            Self::Listeners => listens(socket),
            // These lists do not contain them.
            Self::Bound => false,
            Self::OnPort(port) => socket.local.port() == port,
            Self::Waiting(port) => {
                let waits = protocol != Protocol::Tcp || listens(socket);
                waits && socket.local.port() == port
            }
        };
        let mut place = 0;
        sockets.retain(|socket| {
            place += 1;
            place <= start || is_wanted(socket)
        });
    }

    /// A bit for each state (`idiag_states`).
    const fn states(self, protocol: Protocol) -> u32 {
        const LISTEN: u32 = 1 << 10;
        const BOUND: u32 = 1 << 13;
        match (self, protocol) {
            (Self::Waiting(_) | Self::Listeners, Protocol::Tcp) => LISTEN,
            (Self::Connections, _) => ALL_STATES & !LISTEN,
            (Self::Bound, Protocol::Tcp) => BOUND,
            (Self::OnPort(_), Protocol::Tcp) => ALL_STATES | BOUND,
            _ => ALL_STATES,
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::All | Self::Connections | Self::Listeners | Self::Bound => 0,
            Self::Waiting(port) | Self::OnPort(port) => port,
        }
    }
}

/// The states of `include/net/tcp_states.h`, except that of sockets that are only bound: the kernel
/// keeps these in another, large table.
const ALL_STATES: u32 = 0x1FFE;

/// A request for many TCP sockets of both families: the kernel walks its large table of
/// connections once.
pub(crate) fn dump_tcp(which: Which, sequence: u32) -> TcpRequest {
    dump_tcp_with(0, which, sequence)
}

/// Such a request, header and all.
pub(crate) type TcpRequest = [u8; HEADER_LEN + TCP_REQUEST_LEN];

/// The same, with what the kernel says besides, by its bits (`idiag_ext`).
pub(crate) fn dump_tcp_with(extensions: u8, which: Which, sequence: u32) -> TcpRequest {
    let mut bytes = [0; HEADER_LEN + TCP_REQUEST_LEN];
    let header = header(TCP_REQUEST_LEN, TCP_OF_BOTH, DUMP, sequence);
    bytes[..HEADER_LEN].copy_from_slice(&header);
    let body = &mut bytes[HEADER_LEN..];
    // Family, lengths and extensions; the ends with the local port; the states.
    body[0] = Family::V4.number();
    body[3] = extensions;
    body[4..6].copy_from_slice(&which.port().to_be_bytes());
    body[52..56].copy_from_slice(&which.states(Protocol::Tcp).to_ne_bytes());
    bytes
}

/// A request with its header.
pub(crate) type Request = [u8; HEADER_LEN + REQUEST_LEN];

/// A request for many sockets of a family.
pub(crate) fn dump(protocol: Protocol, family: Family, which: Which, sequence: u32) -> Request {
    let any: IpAddr = match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    let ends = (SocketAddr::new(any, which.port()), SocketAddr::new(any, 0));
    let states = which.states(protocol);
    request(protocol, family, DUMP, states, ends, sequence)
}

/// A request for one socket.
///
/// The kernel searches for the receiver of a datagram as if one arrived, so for UDP source and
/// destination change places (`udp_dump_one` in `net/ipv4/udp_diag.c`).
pub(crate) fn exact(
    interface: u32,
    protocol: Protocol,
    local: SocketAddr,
    remote: SocketAddr,
    sequence: u32,
) -> Request {
    let ends = match protocol {
        Protocol::Udp | Protocol::UdpLite => (remote, local),
        _ => (local, remote),
    };
    let mut bytes = request(protocol, Family::of(local), 0, ALL_STATES, ends, sequence);
    // After the ends (`idiag_if`), before the cookie.
    let place = bytes.len() - 12;
    bytes[place..place + 4].copy_from_slice(&interface.to_ne_bytes());
    bytes
}

fn request(
    protocol: Protocol,
    family: Family,
    flags: u16,
    states: u32,
    (source, destination): (SocketAddr, SocketAddr),
    sequence: u32,
) -> Request {
    let protocol = match protocol {
        // `IPPROTO_RAW`: sockets of every protocol (`net/ipv4/raw_diag.c`).
        Protocol::Raw | Protocol::Packet => 255,
        other => other.ip_number(true).unwrap_or_default(),
    };
    let mut bytes = [0; HEADER_LEN + REQUEST_LEN];
    let mut length = 0;
    let mut put = |part: &[u8]| {
        bytes[length..][..part.len()].copy_from_slice(part);
        length += part.len();
    };
    put(&header(REQUEST_LEN, BY_FAMILY, flags, sequence));
    put(&[family.number(), protocol, 0, 0]);
    put(&states.to_ne_bytes());
    put(&source.port().to_be_bytes());
    put(&destination.port().to_be_bytes());
    put(&address_bytes(source.ip()));
    put(&address_bytes(destination.ip()));
    // Any interface, no cookie (`INET_DIAG_NOCOOKIE`).
    put(&0_u32.to_ne_bytes());
    put(&[0xff; 8]);
    bytes
}

fn address_bytes(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V6(v6) => v6.octets(),
        IpAddr::V4(v4) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&v4.octets());
            bytes
        }
    }
}

/// The messages in one datagram.
pub(crate) fn messages(bytes: &[u8]) -> impl Iterator<Item = Result<Message, Malformed>> {
    frames(bytes).map(|frame| {
        Ok(match frame? {
            Frame::Done => Message::Done,
            Frame::Error(number) => Message::Error(number),
            Frame::Other(kind, body) => of(kind, body)?.map_or(Message::Other, Message::Socket),
            Frame::Nothing | Frame::Lost => Message::Other,
        })
    })
}

/// The socket in a message of this type; `None` for another type, or for a family that was not
/// requested.
pub(crate) fn of(kind: u16, body: &[u8]) -> Result<Option<DiagSocket>, Malformed> {
    match kind {
        BY_FAMILY | TCP_OF_BOTH => socket(body),
        _ => Ok(None),
    }
}

/// `None` for a family that was not requested.
fn socket(body: &[u8]) -> Result<Option<DiagSocket>, Malformed> {
    let Some(family) = Family::from_number(*body.first().ok_or(Malformed)?) else {
        return Ok(None);
    };
    let end = |port_at: usize, address_at: usize| -> Result<SocketAddr, Malformed> {
        let port = u16::from_be_bytes(array_at(body, port_at)?);
        let ip = match family {
            Family::V4 => IpAddr::from(array_at::<4>(body, address_at)?),
            Family::V6 => IpAddr::from(array_at::<16>(body, address_at)?),
        };
        Ok(SocketAddr::new(ip, port))
    };
    let (local, remote) = (end(4, 8)?, end(6, 24)?);
    let cookie = u64::from(u32_at(body, 44)?) | u64::from(u32_at(body, 48)?) << 32;
    let attributes = body.get(SOCKET_LEN..).ok_or(Malformed)?;
    let state = state(body[1]);
    let mut socket = DiagSocket {
        state,
        local,
        remote: peer(state, remote),
        inode: u32_at(body, 68)?,
        uid: u32_at(body, 64)?,
        cookie,
        cgroup: None,
        unaccepted: match state {
            Some(SocketState::Listen) => Some(u32_at(body, 56)?),
            _ => None,
        },
        v6_only: false,
        device: Some(u32_at(body, 40)?).filter(|index| *index != 0),
        packet: None,
    };
    read_attributes(attributes, &mut socket)?;
    Ok(Some(socket))
}

/// The remote end of a socket in a state, if it has one. A raw socket may be connected to an
/// address without a port (`__ip4_datagram_connect` in `net/ipv4/datagram.c`); a TCP socket
/// whose connection failed may keep the address.
pub(crate) fn peer(state: Option<SocketState>, remote: SocketAddr) -> Option<SocketAddr> {
    let is_connected = state == Some(SocketState::Established) && !remote.ip().is_unspecified();
    (remote.port() != 0 || is_connected).then_some(remote)
}

fn read_attributes(bytes: &[u8], socket: &mut DiagSocket) -> Result<(), Malformed> {
    for attribute in attributes(bytes) {
        match attribute? {
            (SKV6ONLY, value) => {
                socket.v6_only = value.first().is_some_and(|byte| *byte != 0);
            }
            (CGROUP_ID, value) => {
                socket.cgroup = Some(u64::from_ne_bytes(array_at(value, 0)?));
            }
            _ => {}
        }
    }
    Ok(())
}

/// `include/net/tcp_states.h`; UDP sockets are established or closed.
pub(crate) const fn state(number: u8) -> Option<SocketState> {
    Some(match number {
        1 => SocketState::Established,
        2 => SocketState::SynSent,
        // 12 is a request that has no socket yet (`TCP_NEW_SYN_RECV`).
        3 | 12 => SocketState::SynReceived,
        4 => SocketState::FinWait1,
        5 => SocketState::FinWait2,
        6 => SocketState::TimeWait,
        7 => SocketState::Closed,
        8 => SocketState::CloseWait,
        9 => SocketState::LastAck,
        10 => SocketState::Listen,
        11 => SocketState::Closing,
        13 => SocketState::Bound,
        _ => return None,
    })
}
