//! The sockets that were closed recently, by identity and by port.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, UNIX_EPOCH};

use flowner_attribution::capture::{Closed, ClosedSocket};
use flowner_attribution::{SocketId, SocketQuery};

/// The number of closed sockets that are remembered.
const MAX: usize = 4_096;

/// Closed sockets, each with the latest possible wall-clock time of its end.
#[derive(Debug, Default)]
pub(super) struct ClosedSockets {
    sockets: HashMap<SocketId, Entry>,
    on_port: HashMap<u16, Vec<SocketId>>,
    /// The oldest first.
    order: VecDeque<SocketId>,
    added: u64,
}

#[derive(Debug)]
struct Entry {
    socket: ClosedSocket,
    /// Its position in the order of closing.
    number: u64,
}

impl Entry {
    fn at(&self) -> Duration {
        let at = self.socket.at.duration_since(UNIX_EPOCH);
        at.unwrap_or_default()
    }
}

/// The latest possible time at which another socket was closed that may have served the same packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Others {
    /// Among the sockets that were closed before this one, or while it is open.
    pub(super) before: Option<Duration>,
    /// Among the sockets that were closed after it.
    pub(super) after: Option<Duration>,
}

impl ClosedSockets {
    pub(super) fn add(&mut self, closed: &Closed) {
        for &socket in &closed.sockets {
            self.added += 1;
            let number = self.added;
            let entry = Entry { socket, number };
            if self.sockets.insert(socket.id, entry).is_none() {
                self.order.push_back(socket.id);
                if let Some(port) = socket.port() {
                    self.on_port.entry(port).or_default().push(socket.id);
                }
            }
            if self.order.len() > MAX {
                self.forget_oldest();
            }
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.order.pop_front();
        let Some(entry) = oldest.and_then(|oldest| self.sockets.remove(&oldest)) else {
            return;
        };
        let Some(port) = entry.socket.port() else {
            return;
        };
        if let Some(on_port) = self.on_port.get_mut(&port) {
            on_port.retain(|id| *id != entry.socket.id);
            if on_port.is_empty() {
                self.on_port.remove(&port);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// The latest possible time at which a socket was closed.
    pub(super) fn closed_by(&self, socket: SocketId) -> Option<Duration> {
        self.sockets.get(&socket.of_any_other()).map(Entry::at)
    }

    /// The other sockets that may have served the packets of a lookup and were open after a time.
    pub(super) fn others(&self, socket: SocketId, query: &SocketQuery, since: Duration) -> Others {
        let mut others = Others::default();
        let socket = socket.of_any_other();
        let on_port = self.on_port.get(&query.local().port());
        let own = self.sockets.get(&socket).map(|own| own.number);
        let is_other = |id: &&SocketId| id.namespace == socket.namespace && **id != socket;
        for id in on_port.into_iter().flatten().filter(is_other) {
            let Some(other) = self.sockets.get(id) else {
                continue;
            };
            if other.at() < since || !other.socket.may_have_served(query) {
                continue;
            }
            let last = if own.is_some_and(|own| own < other.number) {
                &mut others.after
            } else {
                &mut others.before
            };
            *last = (*last).max(Some(other.at()));
        }
        others
    }
}

#[cfg(test)]
mod tests {
    use flowner_attribution::SocketNamespace;

    use super::*;

    fn closed(id: u64, local: &str, at: u64) -> Closed {
        let (id, at) = (SocketId::own(id).unwrap(), Duration::from_secs(at));
        let socket = ClosedSocket::new(id, UNIX_EPOCH + at);
        let mut closed = Closed::default();
        closed
            .sockets
            .push(socket.with_ends(local.parse().unwrap(), None));
        closed
    }

    #[test]
    fn another_one_on_the_same_end_is_found() {
        let mut sockets = ClosedSockets::default();
        sockets.add(&closed(1, "10.0.0.1:53", 5));
        sockets.add(&closed(2, "0.0.0.0:53", 6));
        sockets.add(&closed(3, "10.0.0.2:53", 7));
        sockets.add(&closed(4, "10.0.0.1:54", 8));
        let query = SocketQuery::udp(
            "10.0.0.1:53".parse().unwrap(),
            "10.0.0.9:9".parse().unwrap(),
        );
        let others = |of: u64, since| {
            let of = SocketId::own(of).unwrap();
            let others = sockets.others(of, &query, Duration::from_secs(since));
            [others.before, others.after].map(|at| at.map(|at| at.as_secs()))
        };
        assert_eq!(others(1, 0), [None, Some(6)]);
        assert_eq!(others(2, 0), [Some(5), None]);
        assert_eq!(others(2, 6), [None, None]);
        assert_eq!(others(9, 0), [Some(6), None]);
        assert_eq!(others(9, 7), [None, None]);
    }

    #[test]
    fn sockets_of_other_namespaces_are_told_apart_from_our_own() {
        let mut sockets = ClosedSockets::default();
        let mut elsewhere = closed(1, "10.0.0.1:53", 5);
        elsewhere.sockets[0].id = SocketId::new(SocketNamespace::AnyOther, 1).unwrap();
        sockets.add(&elsewhere);
        let query = SocketQuery::udp(
            "10.0.0.1:53".parse().unwrap(),
            "10.0.0.9:9".parse().unwrap(),
        );
        let at = Some(Duration::from_secs(5));
        for (namespace, cookie, closed_by, before) in [
            (SocketNamespace::Own, 1, None, None),
            (SocketNamespace::Other(7), 1, at, None),
            (SocketNamespace::Own, 2, None, None),
            (SocketNamespace::Other(7), 2, None, at),
        ] {
            let id = SocketId::new(namespace, cookie).unwrap();
            assert_eq!(sockets.closed_by(id), closed_by, "{id:?}");
            let others = sockets.others(id, &query, Duration::ZERO);
            assert_eq!(others.before, before, "{id:?}");
        }
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut sockets = ClosedSockets::default();
        for id in 1..=2 * MAX as u64 {
            sockets.add(&closed(id, "10.0.0.1:53", id));
        }
        assert_eq!(sockets.sockets.len(), MAX);
        assert_eq!(sockets.order.len(), MAX);
        assert_eq!(sockets.on_port[&53].len(), MAX);
        let (old, new) = (SocketId::own(1), SocketId::own(2 * MAX as u64));
        assert_eq!(sockets.closed_by(old.unwrap()), None);
        assert!(sockets.closed_by(new.unwrap()).is_some());
    }
}
