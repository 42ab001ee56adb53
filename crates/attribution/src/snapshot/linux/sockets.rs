//! Which sockets there are, and which of them a question is about.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::holders::{Kind, Wanted};
use super::message::{DiagSocket, Which};
use super::source::Sockets;
use crate::matching::{Ends, fitting};
use crate::query::normalize;
use crate::{Match, Protocol, Socket, SocketId, SocketQuery, SocketState, Verdict};

/// What a question is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Candidates {
    /// No socket fits.
    None,
    /// The very connection, but its owner has closed it; and what else may serve it.
    Closed(DiagSocket, Box<Candidates>),
    /// Sockets that fit equally well, at least one.
    Open(Match, Vec<DiagSocket>),
}

impl Candidates {
    /// The socket that is meant, if it is one, and the kernel tells it from others.
    pub(super) fn only(&self) -> Option<SocketId> {
        match self {
            Self::Closed(socket, _) => SocketId::new(0, socket.cookie),
            Self::Open(_, sockets) => match sockets[..] {
                [socket] => SocketId::new(0, socket.cookie),
                _ => None,
            },
            Self::None => None,
        }
    }
}

impl DiagSocket {
    /// Whether the kernel has made this connection and nobody has accepted it: it has no
    /// inode yet. In any other state, an inode of 0 means that its owner has closed it.
    pub(super) fn is_unaccepted(&self) -> bool {
        let is_early = matches!(
            self.state,
            Some(SocketState::SynReceived | SocketState::Established | SocketState::CloseWait)
        );
        self.inode == 0 && is_early
    }

    /// What is looked for to find its owner.
    pub(super) const fn wanted(&self) -> Wanted {
        let kind = match self.remote {
            Some(_) => Kind::Connection,
            None => Kind::Waiting,
        };
        Wanted {
            inode: self.inode,
            uid: self.uid,
            kind,
            first_is_enough: self.remote.is_some(),
        }
    }

    pub(super) fn ends(&self, protocol: Protocol) -> Ends {
        Ends {
            protocol,
            local: normalize(self.local),
            remote: self.remote.map(normalize),
            v6_only: self.v6_only,
        }
    }

    pub(super) fn with_owner(&self, protocol: Protocol, owner: Verdict) -> Socket {
        let ends = self.ends(protocol);
        Socket {
            protocol,
            local: ends.local,
            remote: ends.remote,
            state: self.state,
            v6_only: self.v6_only,
            device: self.device,
            id: None,
            namespace: None,
            owner,
        }
    }
}

/// Finds what a question is about in microseconds.
///
/// Connections that are bound to an interface escape it: the kernel finds them only for
/// packets of that interface.
pub(super) fn quick(sockets: &mut Sockets, query: &SocketQuery) -> io::Result<Candidates> {
    let any = match query.remote() {
        Some(remote) => sockets.exact(query.protocol(), query.local(), remote)?,
        None => None,
    };
    let is_any = any.is_some();
    // Where there is no connection, the kernel tells the listener that would take it.
    let found = any.filter(|found| found.remote.map(normalize) == query.remote());
    if let Some(found) = found.filter(|found| found.inode != 0) {
        return Ok(Candidates::Open(Match::FiveTuple, vec![found]));
    }
    if query.remote().is_some() && !is_any && sockets.tells_listeners() {
        return Ok(Candidates::None);
    }
    let waiting = waiting(sockets, query, any.as_ref())?;
    Ok(match found {
        Some(found) if !found.is_unaccepted() => Candidates::Closed(found, Box::new(waiting)),
        _ => waiting,
    })
}

/// The very connection that is asked for, if somebody has it.
pub(super) fn accepted(sockets: &mut Sockets, query: &SocketQuery) -> io::Result<Candidates> {
    let found = match query.remote() {
        Some(remote) => connection(sockets, query, remote)?,
        None => None,
    };
    Ok(match found {
        Some(found) if found.inode != 0 => Candidates::Open(Match::FiveTuple, vec![found]),
        _ => Candidates::None,
    })
}

/// Who would take a connection from anybody, in one question less than [`quick`] needs where
/// this one was made and not accepted yet.
pub(super) fn listener(sockets: &mut Sockets, query: &SocketQuery) -> io::Result<Candidates> {
    waiting(sockets, query, None)
}

/// As [`quick`]; where that finds nothing, looks for connections that are bound to one
/// of these interfaces, or for any on the port if the remote end is not known.
pub(super) fn thorough(
    sockets: &mut Sockets,
    query: &SocketQuery,
    interfaces: impl FnOnce() -> Vec<u32>,
) -> io::Result<Candidates> {
    let found = quick(sockets, query)?;
    match query.remote() {
        _ if found != Candidates::None => Ok(found),
        None => listed(sockets, query, Which::OnPort(query.local().port())),
        // Of other protocols, all sockets were listed.
        Some(_) if query.protocol() != Protocol::Tcp => Ok(found),
        Some(remote) => {
            for interface in interfaces() {
                let found = sockets.exact_on(interface, Protocol::Tcp, query.local(), remote)?;
                let found = found.filter(|found| found.remote.map(normalize) == Some(remote));
                match found {
                    Some(found) if found.inode != 0 => {
                        return Ok(Candidates::Open(Match::FiveTuple, vec![found]));
                    }
                    _ => {}
                }
            }
            Ok(Candidates::None)
        }
    }
}

/// The datagram socket that would get what the remote end sends, if anybody has it.
pub(super) fn nearest(
    sockets: &mut Sockets,
    query: &SocketQuery,
) -> io::Result<Option<DiagSocket>> {
    match query.remote() {
        Some(remote) => {
            let found = sockets.exact(query.protocol(), query.local(), remote)?;
            Ok(found.filter(|found| found.inode != 0))
        }
        None => Ok(None),
    }
}

/// Whether a socket that was found has an owner still.
pub(super) fn is_open(sockets: &mut Sockets, protocol: Protocol, found: &DiagSocket) -> bool {
    let is_it = |now: &DiagSocket| now.inode == found.inode;
    if let Some(remote) = found.remote {
        let now = sockets.exact(protocol, found.local, remote);
        return now.is_ok_and(|now| now.as_ref().is_some_and(is_it));
    }
    let mut now = Vec::new();
    let which = Which::Waiting(found.local.port());
    let listed = sockets.list(protocol, which, &mut now);
    listed.is_ok() && now.iter().any(is_it)
}

/// As [`is_open`], of a socket that was found for a question: sooner told.
pub(super) fn is_open_for(sockets: &mut Sockets, query: &SocketQuery, found: &DiagSocket) -> bool {
    if found.remote.is_none()
        && let Some(remote) = query.remote()
    {
        let now = sockets.exact(query.protocol(), query.local(), remote);
        return now.is_ok_and(|now| now.is_some_and(|now| now.inode == found.inode));
    }
    is_open(sockets, query.protocol(), found)
}

/// The socket that is connected from one end to the other.
fn connection(
    sockets: &mut Sockets,
    query: &SocketQuery,
    remote: SocketAddr,
) -> io::Result<Option<DiagSocket>> {
    let found = sockets.exact(query.protocol(), query.local(), remote)?;
    // Where there is none, the kernel tells the listener that would take it.
    Ok(found.filter(|found| found.remote.map(normalize) == Some(remote)))
}

/// All that may serve it: of a group, the kernel tells one only, `any`.
fn waiting(
    sockets: &mut Sockets,
    query: &SocketQuery,
    any: Option<&DiagSocket>,
) -> io::Result<Candidates> {
    let waits = |found: &DiagSocket| found.remote.is_none();
    let mut witness = any.copied().filter(waits);
    if witness.is_none() && query.protocol() == Protocol::Tcp {
        // Who would take a connection from nobody.
        let nobody = match query.local() {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        witness = sockets.exact(query.protocol(), query.local(), nobody)?;
    }
    let port = query.local().port();
    let found = sockets.waiting(query.protocol(), port, witness.as_ref())?;
    Ok(chosen(query, found))
}

fn listed(sockets: &mut Sockets, query: &SocketQuery, which: Which) -> io::Result<Candidates> {
    let mut found = Vec::new();
    sockets.list(query.protocol(), which, &mut found)?;
    Ok(chosen(query, found))
}

/// Those of a list that fit best.
fn chosen(query: &SocketQuery, found: Vec<DiagSocket>) -> Candidates {
    let ends = |socket: &DiagSocket| socket.ends(query.protocol());
    let is_idle = |socket: &DiagSocket| socket.state == Some(SocketState::Bound);
    let (idle, used): (Vec<_>, Vec<_>) = found.into_iter().partition(is_idle);
    let best = fitting(query, used, ends).or_else(|| {
        // Nobody's packets are its own.
        let idle = query.remote().is_none().then_some(idle)?;
        fitting(query, idle, ends)
    });
    let Some((matched, fitting)) = best else {
        return Candidates::None;
    };
    let is_open = |socket: &DiagSocket| socket.inode != 0;
    let (open, closed): (Vec<_>, Vec<_>) = fitting.into_iter().partition(is_open);
    match closed.first() {
        Some(closed) if open.is_empty() => Candidates::Closed(*closed, Box::new(Candidates::None)),
        _ => Candidates::Open(matched, open),
    }
}
