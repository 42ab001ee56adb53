//! One socket, as a table tells it.

use std::net::SocketAddr;
use std::sync::Arc;

use super::ownership::{SocketId, Verdict};
use super::process::NetworkNamespace;
use super::query::Protocol;

/// One socket and who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// The transport protocol.
    pub protocol: Protocol,
    /// The local end; an unspecified address stands for all of them.
    pub local: SocketAddr,
    /// The remote end; `None` where the socket has none *or* the table cannot
    /// know it (the portable table never does).
    pub remote: Option<SocketAddr>,
    /// The state, where the table knows one.
    pub state: Option<SocketState>,
    /// Whether a socket bound to `[::]` refuses IPv4 (`IPV6_V6ONLY`, RFC 3493
    /// 5.3); `false` where the table cannot know.
    pub v6_only: bool,
    /// The interface that it is bound to, by its index: with `SO_BINDTODEVICE` (socket(7)), or
    /// by a link-local address. It exchanges packets through no other. `None` where it is bound
    /// to none *or* the table cannot know.
    pub device: Option<u32>,
    /// What tells this socket from every other, also from the next one with the same ends;
    /// `None` where the table cannot know.
    pub id: Option<SocketId>,
    /// The network namespace that it is in, if it is not the one that was asked in.
    pub namespace: Option<Arc<NetworkNamespace>>,
    /// Who holds it.
    pub owner: Verdict,
}

/// States of a TCP socket (RFC 9293, 3.3.2), and one that the RFC has no word for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    /// It has an address, for which nobody else gets that port, and is neither connected nor
    /// listening. Linux tells these since 6.8 (`TCP_BOUND_INACTIVE`).
    Bound,
}

impl SocketState {
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
