//! What is asked and answered: plain data.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::SystemTime;

use crate::answer::{Ownership, Reason, Snapshot, SocketQuery};

/// What the caller knows a lookup by, and gets back with each answer: a type of its own that can be
/// copied, such as the number of a flow, a `(port, protocol)`, or [`Token`]. One that cannot, such as
/// a `String`, stays with the caller, in a map from numbers.
///
/// One key is one lookup: a second one by the same key replaces the first, which gets no answer
/// any more.
pub trait Key: Copy + Eq + Hash + fmt::Debug + Send + 'static {}

impl<T: Copy + Eq + Hash + fmt::Debug + Send + 'static> Key for T {}

/// A [`Key`] that is a number, for callers that have no key of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// A question about one end of one flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LookupRequest {
    /// The socket.
    pub query: SocketQuery,
    /// Wall-clock time of the flow's first packet: when the *kernel* saw it, not when the program read
    /// it. An owner is named only by evidence from this time on. With a later time, evidence that
    /// was gathered as the packet left counts as older than the packet, and short flows stay
    /// without an owner.
    ///
    /// libpcap gives this time with each packet. A socket of one's own gives it with the option
    /// `SO_TIMESTAMPNS` (socket(7)). Where a program asks about a port without a packet, it is
    /// [`SystemTime::now`].
    pub seen_at: SystemTime,
    /// How the flow began.
    pub initiator: Initiator,
}

/// How a flow began, which tells whether older answers can hold for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Initiator {
    /// This end sent the first packet of a new flow: perhaps from a new socket.
    Local,
    /// The other end did. A TCP connection gets a new socket; a datagram is served
    /// by the socket that was there.
    Remote,
    /// The flow is older than the capture.
    Unknown,
}

/// What [`Policy::lookup`](super::Policy::lookup) says at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// An answer that is known already; no event follows.
    Ready(Ownership),
    /// What a fast lookup told. Events follow, with better answers if there are any.
    Provisional(Ownership),
    /// Events follow.
    Pending,
    /// Too many questions wait; no event follows.
    QueueFull,
}

impl Lookup {
    /// The owner, as far as it was told at once.
    pub fn ownership(self) -> Option<Ownership> {
        match self {
            Self::Ready(ownership) | Self::Provisional(ownership) => Some(ownership),
            Self::Pending | Self::QueueFull => None,
        }
    }
}

/// What to ask the socket table now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// To be given back with the answer.
    pub id: RequestId,
    /// The questions, each once.
    pub queries: Vec<SocketQuery>,
}

/// Names a [`Request`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub(super) u64);

/// What the socket table said.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Facts {
    /// All sockets: serves every question that waits.
    Snapshot(Arc<Snapshot>),
    /// An answer for each query of the request, in its order, or the reason why its lookup
    /// failed.
    Answers(Vec<Result<Ownership, Reason>>),
    /// Nothing could be read, for this reason.
    Failed(Reason),
}

/// News for one waiter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event<K = Token> {
    /// Whom it is for: what was given with the question.
    pub key: K,
    /// The answer, better than any that this waiter got before unless it is the
    /// last one, which is [`Changed`](crate::Reason::Changed) where the next connection with the
    /// same ends may have had the socket; or [`Gone`](crate::Reason::Gone) after
    /// [`NotFound`](crate::Reason::NotFound), where a socket was found that may be another's.
    pub ownership: Ownership,
    /// Nothing more will come for this waiter.
    pub last: bool,
}

impl LookupRequest {
    /// A question about a flow that began in this way, with the wall-clock time at which the kernel
    /// saw its first packet; see [`seen_at`](Self::seen_at).
    pub const fn new(query: SocketQuery, seen_at: SystemTime, initiator: Initiator) -> Self {
        Self {
            query,
            seen_at,
            initiator,
        }
    }
}
