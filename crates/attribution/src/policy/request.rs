//! What is asked and answered, and which answers hold for a request.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::SystemTime;

use crate::answer::{Match, Ownership, ProcessId, Protocol, Reason, Snapshot, SocketQuery};

/// What the caller knows a lookup by, and gets back with each answer: any type of its own, such
/// as the number of a flow, a `(port, protocol)`, or [`Token`].
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
    /// Wall-clock time of the flow's first packet.
    pub seen_at: SystemTime,
    /// How the flow began.
    pub initiator: Initiator,
}

/// How a flow began, which tells whether older answers can hold for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// last one; or [`Gone`](crate::Reason::Gone) after
    /// [`NotFound`](crate::Reason::NotFound), where a socket was found that may be another's.
    pub ownership: Ownership,
    /// Nothing more will come for this waiter.
    pub last: bool,
}

impl LookupRequest {
    /// A question about a flow that began in this way, with the wall-clock time of its first
    /// packet.
    pub const fn new(query: SocketQuery, seen_at: SystemTime, initiator: Initiator) -> Self {
        Self {
            query,
            seen_at,
            initiator,
        }
    }

    /// Whether `older`, which still waits, asked for a socket that this flow shows
    /// to be gone: the same ends, but a new flow.
    pub(super) fn replaces(&self, older: &Self) -> bool {
        let may_be_new_socket = match (self.initiator, self.query.protocol()) {
            (Initiator::Local, _) | (Initiator::Remote, Protocol::Tcp) => true,
            (Initiator::Remote | Initiator::Unknown, _) => false,
        };
        // Both ends of a flow from a socket to itself ask at the same time.
        self.query == older.query && self.seen_at != older.seen_at && may_be_new_socket
    }

    /// Whether there was a socket at this end, also if none is found: it sent what opens a
    /// connection, or a datagram. A table that does not tell remote ends may find that of a
    /// datagram late.
    pub(super) fn had_socket(&self, table_tells_remotes: bool) -> bool {
        self.initiator == Initiator::Local
            && (self.query.protocol() == Protocol::Tcp || table_tells_remotes)
    }

    /// What to ask earlier looks for, if a socket that was there before this flow
    /// can be its own.
    pub(super) fn socket_before(&self) -> Option<SocketQuery> {
        let query = &self.query;
        match (query.protocol(), self.initiator) {
            // A new connection has a new socket.
            (Protocol::Tcp, Initiator::Local) => None,
            // Its own is new too, but it belongs to the listener that was there.
            (Protocol::Tcp, Initiator::Remote) => Some(query.without_remote()),
            _ => Some(*query),
        }
    }

    /// Whether only the socket of its own connection can be the one of this flow.
    ///
    /// A segment that opens nothing, for a connection that nobody saw open, is no evidence that
    /// there is such a connection: anybody can send it to a listener's port, and the kernel only
    /// refuses it. (A connection that the listener's process has not accepted yet is one with
    /// both ends.) Where remote ends are not known, only a socket that has some connection can
    /// be it.
    pub(super) fn needs_its_connection(&self) -> bool {
        self.query.protocol() == Protocol::Tcp
            && self.initiator == Initiator::Unknown
            && self.query.remote().is_some()
    }

    /// Whether the socket of `answer` can be the one of this flow, given what was known
    /// `before` the flow and up to which match another flow contests it.
    pub(super) fn accepts(
        &self,
        answer: &Ownership,
        before: Before<'_>,
        contested: Option<Match>,
        table_tells_remotes: bool,
    ) -> bool {
        let Some(matched @ (Match::LocalEndpoint | Match::WildcardAddress)) =
            answer.evidence.matched
        else {
            return true;
        };
        let contested = contested.is_some_and(|up_to| matched <= up_to);
        match (self.query.protocol(), self.initiator) {
            (Protocol::Tcp, Initiator::Local) => {
                // A listener is not the socket of a connection that this end initiator,
                // and neither is a connection that was there already.
                let is_told_apart = table_tells_remotes && self.query.remote().is_some();
                matched == Match::LocalEndpoint
                    && !is_told_apart
                    && !contested
                    && before.shows_new(answer)
            }
            (Protocol::Tcp, _) => {
                !(contested || (table_tells_remotes && self.needs_its_connection()))
            }
            // Looks around the packet that say the same prove that it was so.
            _ => {
                let is_same = |before: &Ownership| before.verdict == answer.verdict;
                !contested || before.named.is_some_and(is_same)
            }
        }
    }
}

/// What was known of a local end before a flow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before<'a> {
    /// Whether all sockets were read before. Where they were not, any socket that is found
    /// later may have been there.
    pub(super) is_known: bool,
    /// The processes that had a socket there, if any was found.
    pub(super) named: Option<&'a Ownership>,
}

impl Before<'_> {
    /// Whether the socket of `answer` was not there before.
    fn shows_new(self, answer: &Ownership) -> bool {
        self.is_known
            && self
                .named
                .is_none_or(|before| names_somebody_else(answer, before))
    }
}

fn names_somebody_else(answer: &Ownership, before: &Ownership) -> bool {
    let ids = |ownership: &Ownership| -> Vec<ProcessId> {
        let processes = ownership.verdict.processes().iter();
        processes.map(|process| process.id()).collect()
    };
    let known = ids(before);
    before.evidence.matched != Some(Match::LocalEndpoint)
        || ids(answer).iter().any(|id| !known.contains(id))
}
