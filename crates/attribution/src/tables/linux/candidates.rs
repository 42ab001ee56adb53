//! The sockets that match a query best.

use super::netlink::conntrack::Fit;
use super::netlink::message::DiagSocket;
use crate::answer::devices::Reach;
use crate::answer::matching::fitting_in_use;
use crate::answer::{Match, Protocol, SocketQuery};

/// The sockets that match a query best.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Candidates {
    /// No socket matches.
    None,
    /// Exactly this connection, but its owner has closed it.
    Closed(DiagSocket),
    /// Sockets that match equally well, at least one.
    Open(Match, Vec<DiagSocket>),
}

impl Candidates {
    /// How closely the open sockets match.
    pub(crate) const fn matched(&self) -> Option<Match> {
        match self {
            Self::Open(matched, _) => Some(*matched),
            Self::None | Self::Closed(_) => None,
        }
    }

    /// How the lookup found them. This decides whether the packets may belong to another socket if
    /// this host translates addresses.
    pub(crate) const fn fit(&self, protocol: Protocol) -> Fit {
        match self {
            Self::Open(Match::FiveTuple, _) | Self::Closed(_)
                if matches!(protocol, Protocol::Tcp) =>
            {
                Fit::Connection
            }
            Self::Open(..) | Self::Closed(_) => Fit::Port,
            Self::None => Fit::Nothing,
        }
    }
}

/// The sockets of a protocol's list that match best.
pub(crate) fn chosen_of(
    protocol: Protocol,
    query: &SocketQuery,
    reach: &Reach,
    found: Vec<DiagSocket>,
) -> Candidates {
    let ends = |socket: &DiagSocket| socket.ends(protocol);
    let best = fitting_in_use(query, reach, found, ends, |socket| socket.state);
    let Some((matched, fitting)) = best else {
        return Candidates::None;
    };
    let is_open = |socket: &DiagSocket| socket.inode != 0;
    let (open, closed): (Vec<_>, Vec<_>) = fitting.into_iter().partition(is_open);
    match closed.first() {
        Some(closed) if open.is_empty() => Candidates::Closed(*closed),
        _ => Candidates::Open(matched, open),
    }
}
