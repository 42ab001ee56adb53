//! The sockets that opened, closed and changed between two lists.

use std::collections::HashMap;
use std::net::SocketAddr;

use flowner_attribution::{Protocol, Socket, Verdict};

/// A change of a socket between two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketChange<'a> {
    /// It is new.
    Opened(&'a Socket),
    /// It has another state or another owner now.
    Changed {
        /// The socket before the change.
        before: &'a Socket,
        /// The socket after the change.
        now: &'a Socket,
    },
    /// It is gone; the socket before that.
    Closed(&'a Socket),
}

impl<'a> SocketChange<'a> {
    /// The name in lower case, as JSON writes it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::Changed { .. } => "changed",
            Self::Closed(_) => "closed",
        }
    }

    /// The socket as it was last listed.
    pub const fn socket(&self) -> &'a Socket {
        match self {
            Self::Opened(socket) | Self::Closed(socket) => socket,
            Self::Changed { now, .. } => now,
        }
    }
}

/// The changes from one list to a later one: first the closed sockets, in the order of `before`,
/// then the opened or changed ones, in the order of `now`.
///
/// A socket is the same if its ends and its network namespace are the same. Of several equal ones,
/// such as those of pre-forked workers, this pairs those with the same owner and state first.
/// Neither list has a socket that existed only between them.
pub fn socket_changes<'a>(before: &'a [Socket], now: &'a [Socket]) -> Vec<SocketChange<'a>> {
    let mut gone = Unpaired::default();
    for socket in before {
        gone.add(socket);
    }
    let unknown: Vec<&Socket> = now
        .iter()
        .filter(|socket| !gone.take(socket, Socket::eq))
        .collect();
    let mut later = Vec::new();
    for socket in unknown {
        match gone.take_one(socket) {
            Some(before) => later.push(SocketChange::Changed {
                before,
                now: socket,
            }),
            None => later.push(SocketChange::Opened(socket)),
        }
    }
    let mut changes: Vec<_> = before
        .iter()
        .filter(|socket| gone.take(socket, |a, b| std::ptr::eq(a, b)))
        .map(SocketChange::Closed)
        .collect();
    changes.extend(later);
    changes
}

/// The identity of a socket at different times.
type Key = (
    Protocol,
    SocketAddr,
    Option<SocketAddr>,
    Option<u64>,
    Option<u64>,
);

fn key(socket: &Socket) -> Key {
    let network = socket.namespace.as_ref().map(|namespace| namespace.id);
    // Of sockets without ports, many have the same ends.
    let inode = socket.inode.filter(|_| !socket.protocol.has_ports());
    (socket.protocol, socket.local, socket.remote, network, inode)
}

/// Sockets of the earlier list without a counterpart in the later one.
#[derive(Default)]
struct Unpaired<'a>(HashMap<Key, Vec<&'a Socket>>);

impl<'a> Unpaired<'a> {
    fn add(&mut self, socket: &'a Socket) {
        self.0.entry(key(socket)).or_default().push(socket);
    }

    /// Takes one for which `same` holds. Returns whether there was one.
    fn take(&mut self, socket: &Socket, same: impl Fn(&Socket, &Socket) -> bool) -> bool {
        let Some(alike) = self.0.get_mut(&key(socket)) else {
            return false;
        };
        let place = alike.iter().position(|other| same(other, socket));
        place.map(|place| alike.remove(place)).is_some()
    }

    /// Takes one with the same ends, of the same owner if there is one.
    fn take_one(&mut self, socket: &Socket) -> Option<&'a Socket> {
        let alike = self.0.get_mut(&key(socket))?;
        let of_owner = |other: &&Socket| is_same_owner(&other.owner, &socket.owner);
        let place = alike.iter().position(of_owner).unwrap_or(0);
        (place < alike.len()).then(|| alike.remove(place))
    }
}

fn is_same_owner(one: &Verdict, other: &Verdict) -> bool {
    let ids = |verdict: &Verdict| -> Vec<_> {
        let processes = verdict.processes().iter();
        processes.map(|process| process.id()).collect()
    };
    ids(one) == ids(other)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flowner_attribution::{Process, Reason, SocketState};
    use proptest::prelude::*;

    use super::*;

    fn socket(port: u16, state: SocketState, pid: u32) -> Socket {
        let owner = match pid {
            0 => Verdict::Unknown(Reason::Gone),
            pid => Verdict::Process(Arc::new(Process::new(pid, "p"))),
        };
        {
            let mut socket = Socket::new(
                Protocol::Tcp,
                SocketAddr::from(([127, 0, 0, 1], port)),
                owner,
            );
            socket.state = Some(state);
            socket
        }
    }

    #[track_caller]
    fn check(before: &[Socket], now: &[Socket], expected: &[&str]) {
        let shown: Vec<String> = socket_changes(before, now)
            .iter()
            .map(|change| {
                let socket = change.socket();
                let pid = socket.owner.processes().first().map_or(0, |it| it.pid);
                format!("{} {} of {pid}", change.name(), socket.local.port())
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn opened_closed_and_changed_sockets() {
        use SocketState::{Established, Listen, TimeWait};

        let listener = socket(1, Listen, 7);
        let connection = socket(2, Established, 7);
        check(&[], &[], &[]);
        check(&[], std::slice::from_ref(&listener), &["opened 1 of 7"]);
        check(std::slice::from_ref(&listener), &[], &["closed 1 of 7"]);
        let waiting = socket(2, TimeWait, 0);
        check(
            &[listener.clone(), connection.clone()],
            &[listener.clone(), waiting],
            &["changed 2 of 0"],
        );
        check(
            std::slice::from_ref(&connection),
            std::slice::from_ref(&listener),
            &["closed 2 of 7", "opened 1 of 7"],
        );
        let same = [listener];
        check(&same, &same, &[]);
    }

    #[test]
    fn workers_are_distinguished() {
        let worker = |pid| socket(80, SocketState::Listen, pid);
        let before = [worker(1), worker(2), worker(3)];
        check(&before, &[worker(1), worker(3)], &["closed 80 of 2"]);
        check(&before[..2], &before, &["opened 80 of 3"]);
        // One worker replaces another.
        check(&before[..2], &[worker(1), worker(9)], &["changed 80 of 9"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(
            before in prop::collection::vec((0..4_u16, 0..3_u32), 0..12),
            now in prop::collection::vec((0..4_u16, 0..3_u32), 0..12),
        ) {
            let list = |all: &[(u16, u32)]| -> Vec<Socket> {
                let sockets = all.iter();
                sockets.map(|(port, pid)| socket(*port, SocketState::Listen, *pid)).collect()
            };
            let (before, now) = (list(&before), list(&now));
            let changes = socket_changes(&before, &now);
            let count = |name| changes.iter().filter(|it| it.name() == name).count();
            prop_assert_eq!(before.len() + count("opened"), now.len() + count("closed"));
            prop_assert!(socket_changes(&now, &now).is_empty());
        }
    }
}
