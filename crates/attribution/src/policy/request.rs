//! Requests and answers: plain data.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::SystemTime;

use crate::answer::{Ownership, Reason, Snapshot, SocketQuery};

/// Identifies a lookup for the caller, who gets it back with each answer: any type that can be
/// copied, such as the number of a flow, a `(port, protocol)`, or [`Token`]. A caller keeps a type
/// that cannot be copied, such as a `String`, in a map from numbers.
///
/// One key stands for one lookup: a second one with the same key replaces the first, which gets no
/// answer any more.
pub trait Key: Copy + Eq + Hash + fmt::Debug + Send + 'static {}

impl<T: Copy + Eq + Hash + fmt::Debug + Send + 'static> Key for T {}

/// A [`Key`] that is a number, for callers that have no key of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// A request for the owner of one end of one flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LookupRequest {
    /// The socket.
    pub query: SocketQuery,
    /// Wall-clock time of the flow's first packet: when the *kernel* received or sent it, not when
    /// the program read it. Only evidence from this time on names an owner. A later time would make
    /// evidence from the moment of the packet count as too old, and short flows would stay without
    /// an owner.
    ///
    /// libpcap gives this time with each packet. A program's own socket gives it with the option
    /// `SO_TIMESTAMPNS` (socket(7)). A program that asks about a port without a packet passes
    /// [`SystemTime::now`].
    pub packet_time: SystemTime,
    /// How the flow began.
    pub initiator: Initiator,
}

/// How a flow began. This decides whether older answers can hold for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Initiator {
    /// This end sent the first packet of a new flow: perhaps from a new socket.
    Local,
    /// The other end did. A TCP connection gets a new socket; an existing socket receives a
    /// datagram.
    Remote,
    /// The flow is older than the capture.
    Unknown,
}

/// The immediate result of [`Policy::lookup`](super::Policy::lookup).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// An answer that the policy has already; no event follows.
    Ready(Ownership),
    /// The answer of a fast lookup. Events follow, with better answers if there are any.
    Provisional(Ownership),
    /// Events follow.
    Pending,
    /// Too many requests wait; no event follows.
    QueueFull,
}

impl Lookup {
    /// The owner, if the result has one.
    pub fn ownership(self) -> Option<Ownership> {
        match self {
            Self::Ready(ownership) | Self::Provisional(ownership) => Some(ownership),
            Self::Pending | Self::QueueFull => None,
        }
    }
}

/// A request to the socket table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableRequest {
    /// The caller returns this with the answer.
    pub id: TableRequestId,
    /// The queries, each once.
    pub queries: Vec<SocketQuery>,
}

/// Names a [`TableRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableRequestId(pub(super) u64);

/// The answer of the socket table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TableAnswer {
    /// All sockets: this serves every waiting request.
    Snapshot(Arc<Snapshot>),
    /// An answer for each query of the request, in its order, or the reason why its lookup
    /// failed.
    Answers(Vec<Result<Ownership, Reason>>),
    /// The table could read nothing, for this reason.
    Failed(Reason),
}

/// An answer for one waiter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event<K = Token> {
    /// The key of the lookup.
    pub key: K,
    /// The answer, better than any earlier one for this key unless it is the last one. The last one
    /// may be [`Changed`](crate::Reason::Changed) if the next connection with the same ends may
    /// have had the socket, or [`Gone`](crate::Reason::Gone) after
    /// [`NotFound`](crate::Reason::NotFound) if a lookup found a socket that may belong to another
    /// flow.
    pub ownership: Ownership,
    /// No more answers follow for this key.
    pub last: bool,
}

impl LookupRequest {
    /// A request about a flow that began in this way, with the wall-clock time of its first packet
    /// according to the kernel; see [`packet_time`](Self::packet_time).
    pub const fn new(query: SocketQuery, packet_time: SystemTime, initiator: Initiator) -> Self {
        Self {
            query,
            packet_time,
            initiator,
        }
    }
}
