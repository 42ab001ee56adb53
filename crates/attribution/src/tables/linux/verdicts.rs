//! Makes answers from sockets and their holders.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::candidates::Candidates;
use super::fd_scanner::FdScanner;
use super::netlink::message::DiagSocket;
use crate::answer::devices::{Arrival, Reach, Ways};
use crate::answer::matching::distinct;
use crate::answer::{
    Evidence, Match, NetworkNamespace, Ownership, Process, Reason, Socket, SocketQuery,
    SocketState, Source, Verdict, matching,
};

/// The owner, and the sockets that prove it.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) verdict: Verdict,
    pub(crate) matched: Option<Match>,
    /// The socket, if exactly one matches.
    pub(crate) socket: Option<DiagSocket>,
}

impl Resolved {
    fn unowned(reason: Reason) -> Self {
        Self {
            verdict: Verdict::Unknown(reason),
            matched: None,
            socket: None,
        }
    }
}

/// The answer, of a namespace if not of our own: where no socket fits, it is of none. The sockets
/// were read between those two times.
pub(crate) fn ownership(
    resolved: Resolved,
    (observed_at, found_by): (SystemTime, SystemTime),
    namespace: Option<&Arc<NetworkNamespace>>,
) -> Ownership {
    let Resolved {
        verdict,
        matched,
        socket,
    } = resolved;
    let namespace = namespace.filter(|_| matched.is_some());
    Ownership {
        verdict,
        evidence: Evidence {
            matched,
            observed_at,
            source: Source::SockDiag,
            namespace: namespace.map(Arc::clone),
            socket: socket.and_then(|socket| socket.id(namespace)),
            found_by: Some(found_by),
            translated_from: None,
        },
    }
}

/// The answer from two namespaces with the same address, if nothing shows which one the query is
/// about: the holders of all sockets that match, however closely.
pub(crate) fn either(one: Ownership, other: Ownership) -> Ownership {
    match (one.evidence.matched, other.evidence.matched) {
        (_, None) => one,
        (None, _) => other,
        (ours, theirs) => Ownership {
            verdict: matching::merge(&[&one.verdict, &other.verdict]),
            evidence: Evidence {
                // So that it replaces an answer that knew only the closer one.
                matched: ours.max(theirs),
                namespace: None,
                socket: None,
                found_by: one.evidence.found_by.max(other.evidence.found_by),
                ..one.evidence
            },
        },
    }
}

/// The answer from the matching sockets. `holders_of` gives the holders of each, and whether the
/// search for them read everything.
pub(crate) fn resolve(
    scanner: &FdScanner,
    candidates: Candidates,
    mut holders_of: impl FnMut(&DiagSocket) -> (Vec<Arc<Process>>, bool),
) -> Resolved {
    match candidates {
        Candidates::None => Resolved::unowned(Reason::NotFound),
        // The current listener may not be the one that accepted it.
        Candidates::Closed(socket) => Resolved {
            verdict: closed(scanner, &socket),
            matched: Some(Match::FiveTuple),
            socket: Some(socket),
        },
        Candidates::Open(matched, sockets) => {
            let mut owners = Vec::with_capacity(1);
            for socket in &sockets {
                let (found, is_all) = holders_of(socket);
                scanner.remember(socket.cookie, &found);
                owners.push(verdict(scanner, found, socket, is_all));
            }
            let owners: Vec<&Verdict> = owners.iter().collect();
            Resolved {
                verdict: matching::merge(&owners),
                matched: Some(matched),
                socket: match sockets[..] {
                    [only] => Some(only),
                    _ => None,
                },
            }
        }
    }
}

/// The last owner of a connection that its owner has closed.
pub(crate) fn closed(scanner: &FdScanner, socket: &DiagSocket) -> Verdict {
    let remembered = scanner.remembered(socket.cookie);
    match named(remembered) {
        Some(named) => named,
        None => Verdict::Unknown(Reason::Gone),
    }
}

pub(crate) fn verdict(
    scanner: &FdScanner,
    processes: Vec<Arc<Process>>,
    socket: &DiagSocket,
    is_all: bool,
) -> Verdict {
    if let Some(named) = named(processes) {
        return named;
    }
    // The holder may be among the processes that could not be read.
    if scanner.is_search_failed(socket.inode) {
        return Verdict::Unknown(Reason::Failed);
    }
    // Sockets of the kernel itself belong to root.
    if is_all && socket.uid == 0 && scanner.is_nobodys(socket.inode) {
        return Verdict::Unknown(Reason::Kernel);
    }
    let user = scanner.facts().user(socket.uid);
    // Its cgroup may give the unit.
    if user.is_none() && socket.cgroup.is_none() {
        return Verdict::Unknown(Reason::Denied);
    }
    Verdict::Partial { user, unit: None }
}

fn named(processes: Vec<Arc<Process>>) -> Option<Verdict> {
    let mut processes = distinct(processes);
    match processes.len() {
        0 => None,
        1 => Some(Verdict::Process(processes.swap_remove(0))),
        _ => Some(Verdict::Shared(processes)),
    }
}

/// A connection that waits to be accepted belongs to its listener. The kernel may give the number
/// of waiting connections of each listener.
pub(crate) fn infer_unaccepted(sockets: &mut [Socket], unaccepted: &[Option<u32>]) {
    let may_wait = |socket: &Socket| {
        let is_early = matches!(
            socket.state,
            Some(SocketState::SynReceived | SocketState::Established | SocketState::CloseWait)
        );
        is_early && socket.owner == Verdict::Unknown(Reason::Gone)
    };
    if !sockets.iter().any(may_wait) {
        return;
    }
    let place = |socket: &Socket| {
        let namespace = socket.namespace.as_ref().map(|namespace| namespace.id);
        (namespace, socket.local.port())
    };
    let mut listeners: HashMap<_, Vec<(Socket, bool)>> = HashMap::new();
    for (socket, unaccepted) in sockets.iter().zip(unaccepted) {
        if socket.state == Some(SocketState::Listen) {
            let on_port = listeners.entry(place(socket)).or_default();
            // If that is unspecified, the request is for the same one.
            let socket = Socket {
                namespace: None,
                ..socket.clone()
            };
            on_port.push((socket, *unaccepted != Some(0)));
        }
    }
    for waiting in sockets.iter_mut().filter(|socket| may_wait(socket)) {
        let query = SocketQuery::new(waiting.protocol, waiting.local, None);
        // It is bound to the device of its arrival if its listener is.
        let device = waiting.device;
        let ways = device.map_or_else(|| Ways::Any(Vec::new()), |it| Ways::One(Arrival::on(it)));
        let reach = Reach::new(ways);
        let fits = |one: &&(Socket, bool)| {
            matching::best(&query, &reach, std::slice::from_ref(&one.0)).is_some()
        };
        let on_port = listeners.get(&place(waiting)).into_iter().flatten();
        let fitting: Vec<_> = on_port.filter(fits).collect();
        // It is not in the queue yet, and began a moment ago.
        if waiting.state == Some(SocketState::SynReceived) {
            let listeners: Vec<_> = fitting.into_iter().map(|(one, _)| one.clone()).collect();
            if let Some(finding) = matching::best(&query, &reach, &listeners) {
                waiting.owner = finding.verdict;
            }
            continue;
        }
        let is_queued = fitting.iter().any(|(_, has_queue)| *has_queue);
        let of_those = fitting
            .iter()
            .filter(|(_, has_queue)| *has_queue || !is_queued);
        let owners: Vec<_> = of_those.map(|(listener, _)| &listener.owner).collect();
        if !owners.is_empty() {
            waiting.owner = matching::merge(&owners);
        }
    }
}
