//! A socket, as a table lists it.

use std::net::SocketAddr;
use std::sync::Arc;

use super::ownership::Verdict;
use super::packet_socket::PacketSocket;
use super::process::NetworkNamespace;
use super::query;
use super::query::Protocol;
use super::socket_id::SocketId;
use super::text::displayed;
use super::wildcard;

/// One socket and who holds it.
///
/// What a table cannot know is `None`. [`new`](Self::new) sets protocol, local end and owner; the
/// other fields are public.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Socket {
    /// The transport protocol.
    pub protocol: Protocol,
    /// The local end; an unspecified address stands for all of them.
    pub local: SocketAddr,
    /// The remote end; `None` if the socket has none *or* the table cannot know it. (The portable table
    /// knows it on Linux only.)
    pub remote: Option<SocketAddr>,
    /// The state, where the table knows one.
    pub state: Option<SocketState>,
    /// Whether a socket bound to `[::]` refuses IPv4 (`IPV6_V6ONLY`, RFC 3493
    /// 5.3); `false` where the table cannot know.
    pub v6_only: bool,
    /// The index of the interface that it is bound to, by `SO_BINDTODEVICE` (socket(7)) or by a
    /// link-local address. It exchanges packets through no other interface. `None` if it is bound
    /// to none *or* the table cannot know.
    pub device: Option<u32>,
    /// What identifies this socket, even beside a later one with the same ends; `None` if the table
    /// cannot know.
    pub id: Option<SocketId>,
    /// The uid of the user who opened it. The native Linux table only, and not for a connection that
    /// its owner has closed.
    pub uid: Option<u32>,
    /// Its inode, as in `/proc/PID/fd`. The native Linux table only. A connection has none before a
    /// process accepts it and after its owner has closed it.
    pub inode: Option<u64>,
    /// The network namespace that it is in; `None` for the one that the table was opened in.
    pub namespace: Option<Arc<NetworkNamespace>>,
    /// The facts of a packet socket; `None` for all others.
    #[cfg_attr(feature = "serde", serde(default))]
    pub packet: Option<PacketSocket>,
    /// The owner of the socket.
    pub owner: Verdict,
}

impl Socket {
    /// A socket with these values; all else is unknown.
    pub const fn new(protocol: Protocol, local: SocketAddr, owner: Verdict) -> Self {
        Self {
            protocol,
            local,
            remote: None,
            state: None,
            v6_only: false,
            device: None,
            id: None,
            uid: None,
            inode: None,
            namespace: None,
            packet: None,
            owner,
        }
    }

    /// The protocol of a raw socket by its number in the IP header, such as 1 for ICMP, or 255 for
    /// a socket that only sends (raw(7)). `None` for all others.
    pub fn protocol_number(&self) -> Option<u8> {
        match self.protocol {
            Protocol::Raw => u8::try_from(self.local.port()).ok(),
            _ => None,
        }
    }

    /// The id of the echo requests that a ping socket sends; `None` for one that has sent none yet,
    /// and for all others.
    pub fn icmp_id(&self) -> Option<u16> {
        match self.protocol {
            Protocol::Icmp => Some(self.local.port()).filter(|id| *id != 0),
            _ => None,
        }
    }

    /// The local port, if its [protocol has ports](Protocol::has_ports).
    pub fn local_port(&self) -> Option<u16> {
        self.protocol.has_ports().then(|| self.local.port())
    }

    /// The scope of a link-local address or of a group that reaches no further (RFC 4007, 6): the
    /// index of an interface. `None` for all other addresses.
    pub fn scope(&self) -> Option<u32> {
        Some(query::scope(self.local)).filter(|scope| *scope != 0)
    }

    /// The kernel's number of the socket (`SO_COOKIE` of socket(7)), the same from its first
    /// packet to its end. The native Linux table only.
    pub fn cookie(&self) -> Option<u64> {
        self.id.map(|id| id.cookie)
    }

    /// Whether it receives from any remote end: a TCP listener, or a datagram socket that is not
    /// connected. If the table does not know remote ends, every datagram socket counts.
    pub fn is_listener(&self) -> bool {
        match self.protocol {
            Protocol::Tcp => self.state == Some(SocketState::Listen),
            Protocol::Sctp | Protocol::Dccp if self.state.is_some() => {
                self.state == Some(SocketState::Listen)
            }
            Protocol::Packet => false,
            Protocol::Udp
            | Protocol::UdpLite
            | Protocol::Sctp
            | Protocol::Dccp
            | Protocol::Icmp
            | Protocol::Raw => self.remote.is_none(),
        }
    }

    /// Whether it has a connection: it has a remote end, or, where the table does not know that end,
    /// a state that only connections have.
    ///
    /// A TCP connection in [`TimeWait`](SocketState::TimeWait) has no socket any more: it counts only
    /// where the table gives its remote end.
    pub fn is_connection(&self) -> bool {
        use SocketState as S;
        let is_of_one = |state| !matches!(state, S::Listen | S::Bound | S::Closed | S::TimeWait);
        self.remote.is_some() || self.state.is_some_and(is_of_one)
    }

    /// Whether this socket receives packets to a local end, as far as port and address decide. It
    /// is bound to that address, to all addresses, or with `[::]` to those of both families, unless
    /// it [refuses IPv4](Self::v6_only).
    ///
    /// [`Snapshot::sockets_of`](crate::Snapshot::sockets_of) also compares remote ends, devices and
    /// network namespaces, and returns only the sockets that match best.
    ///
    /// ```
    /// use flowner_attribution::{Protocol, Reason, Socket, Verdict};
    ///
    /// let socket = |local: &str| {
    ///     let owner = Verdict::Unknown(Reason::NotFound);
    ///     Socket::new(Protocol::Tcp, local.parse().unwrap(), owner)
    /// };
    /// let end = "10.0.0.2:80".parse().unwrap();
    /// assert!(socket("10.0.0.2:80").covers(end) && socket("[::]:80").covers(end));
    /// assert!(!socket("10.0.0.3:80").covers(end) && !socket("[::]:81").covers(end));
    /// ```
    pub fn covers(&self, local: SocketAddr) -> bool {
        let (bound, local) = (query::normalize(self.local), query::normalize(local));
        bound.port() == local.port() && wildcard::covers(bound.ip(), self.v6_only, local.ip())
    }

    /// Whether the socket occupies its port: it listens, is bound, or receives datagrams. A TCP
    /// connection of a server has the port of its listener.
    pub(crate) fn occupies_port(&self) -> bool {
        use SocketState as S;
        match self.protocol {
            Protocol::Tcp => matches!(self.state, Some(S::Listen | S::Bound | S::Closed)),
            Protocol::Sctp | Protocol::Dccp => self.remote.is_none(),
            Protocol::Udp
            | Protocol::UdpLite
            | Protocol::Icmp
            | Protocol::Raw
            | Protocol::Packet => true,
        }
    }
}

/// States of a TCP socket (RFC 9293, 3.3.2), and one for which the RFC has no word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are those of RFC 9293")]
pub enum SocketState {
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
    Closed,
    /// Bound to an address and port, neither connected nor listening. Linux lists these since 6.8
    /// (`TCP_BOUND_INACTIVE`).
    Bound,
}

impl SocketState {
    /// Every state.
    pub const ALL: [Self; 12] = [
        Self::Listen,
        Self::SynSent,
        Self::SynReceived,
        Self::Established,
        Self::FinWait1,
        Self::FinWait2,
        Self::CloseWait,
        Self::Closing,
        Self::LastAck,
        Self::TimeWait,
        Self::Closed,
        Self::Bound,
    ];

    /// The name in lower case, as JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::SynSent => "syn-sent",
            Self::SynReceived => "syn-received",
            Self::Established => "established",
            Self::FinWait1 => "fin-wait-1",
            Self::FinWait2 => "fin-wait-2",
            Self::CloseWait => "close-wait",
            Self::Closing => "closing",
            Self::LastAck => "last-ack",
            Self::TimeWait => "time-wait",
            Self::Closed => "closed",
            Self::Bound => "bound",
        }
    }
}

displayed!(SocketState, "state of a socket");
