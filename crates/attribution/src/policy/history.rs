//! Sockets that earlier looks saw, so that a flow whose socket is closed by now
//! can still be answered.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use crate::matching::merge;
use crate::{Evidence, Match, Ownership, Protocol, Snapshot, Socket, SocketQuery, Source, Verdict};

/// The part of a socket's life that is proven: it existed from the end of the
/// first look that saw it to the beginning of the last one, and every look between
/// saw it with the same owner.
#[derive(Debug)]
struct Life {
    from: SystemTime,
    to: SystemTime,
    /// Number of that last look.
    last_look: u64,
    owner: Verdict,
    source: Source,
    v6_only: bool,
}

type Key = (Protocol, SocketAddr, Option<SocketAddr>);

#[derive(Debug)]
pub(super) struct History {
    lives: HashMap<Key, Life>,
    max: usize,
    age: Duration,
    looks: u64,
    /// Sockets that were not remembered because the bound was reached.
    pub(super) refused: u64,
}

impl History {
    pub(super) fn new(max: usize, age: Duration) -> Self {
        Self {
            lives: HashMap::new(),
            max,
            age,
            looks: 0,
            refused: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lives.len()
    }

    pub(super) fn clear(&mut self) {
        self.lives.clear();
    }

    /// Remembers what a look saw, and forgets what is too old.
    pub(super) fn record(&mut self, snapshot: &Snapshot) {
        self.looks += 1;
        let oldest = snapshot.started_at().checked_sub(self.age);
        self.lives
            .retain(|_, life| oldest.is_none_or(|oldest| life.to >= oldest));
        let same = |a: &Socket, b: &Socket| key(a) == key(b);
        for sockets in snapshot.sockets().chunk_by(same) {
            let owner = merge(
                &sockets
                    .iter()
                    .map(|socket| &socket.owner)
                    .collect::<Vec<_>>(),
            );
            self.seen(&sockets[0], owner, snapshot);
        }
    }

    fn seen(&mut self, socket: &Socket, owner: Verdict, snapshot: &Snapshot) {
        let key = key(socket);
        if let Some(life) = self.lives.get_mut(&key)
            && life.owner == owner
            && life.last_look + 1 == self.looks
        {
            life.to = snapshot.started_at();
            life.last_look = self.looks;
            return;
        }
        if !owner.is_named() {
            self.lives.remove(&key);
            return;
        }
        if self.lives.len() >= self.max && !self.lives.contains_key(&key) {
            self.refused += 1;
            return;
        }
        let life = Life {
            from: snapshot.finished_at(),
            to: snapshot.started_at(),
            last_look: self.looks,
            owner,
            source: snapshot.source(),
            v6_only: socket.v6_only,
        };
        self.lives.insert(key, life);
    }

    /// The owner of the socket that was alive at `seen_at`, the wall-clock time
    /// of a packet.
    pub(super) fn find(&self, query: &SocketQuery, seen_at: SystemTime) -> Option<Ownership> {
        let life = keys(query)
            .into_iter()
            .flatten()
            .filter_map(|key| Some((self.lives.get(&key)?, key)))
            .filter(|(life, key)| !(life.v6_only && crosses_family(query, key)))
            .map(|(life, _)| life)
            .next()?;
        (life.from <= seen_at && seen_at <= life.to).then(|| Ownership {
            verdict: life.owner.clone(),
            evidence: Evidence {
                matched: Some(Match::History),
                observed_at: life.to,
                source: life.source,
                namespace: None,
                socket: None,
            },
        })
    }
}

fn key(socket: &Socket) -> Key {
    (socket.protocol, socket.local, socket.remote)
}

fn crosses_family(query: &SocketQuery, key: &Key) -> bool {
    key.1.is_ipv4() != query.local().is_ipv4()
}

/// The keys under which a socket for `query` would stand, most specific first.
fn keys(query: &SocketQuery) -> [Option<Key>; 4] {
    let (protocol, local) = (query.protocol(), query.local());
    let on = |ip: IpAddr| (protocol, SocketAddr::new(ip, local.port()), None);
    let any_v4 = on(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let any_v6 = on(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    [
        query.remote().map(|remote| (protocol, local, Some(remote))),
        Some((protocol, local, None)),
        local.is_ipv4().then_some(any_v4),
        Some(any_v6),
    ]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Process, Reason};

    fn wall(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn named(pid: u32) -> Verdict {
        Verdict::Process(Arc::new(Process::new(pid, "p")))
    }

    fn socket(local: &str, owner: Verdict) -> Socket {
        Socket {
            protocol: Protocol::Udp,
            local: local.parse().unwrap(),
            remote: None,
            state: None,
            v6_only: false,
            device: None,
            id: None,
            namespace: None,
            owner,
        }
    }

    /// A look that begins then and takes a second.
    fn look(history: &mut History, at: u64, sockets: &[Socket]) {
        let (from, to) = (wall(at), wall(at + 1));
        history.record(&Snapshot::new(Source::Scripted, from, to, sockets.to_vec()));
    }

    fn history() -> History {
        History::new(10, Duration::from_secs(100))
    }

    #[track_caller]
    fn check(history: &History, local: &str, seen_at: u64, expected: Option<u32>) {
        let query = SocketQuery::new(Protocol::Udp, local.parse().unwrap(), None);
        let found = history.find(&query, wall(seen_at));
        let pid = found.map(|ownership| {
            assert_eq!(ownership.evidence.matched, Some(Match::History));
            ownership.verdict.processes()[0].pid
        });
        assert_eq!(pid, expected, "{local} at {seen_at}");
    }

    const HERE: &str = "10.0.0.2:53";

    #[test]
    fn a_life_is_proven_between_two_looks() {
        let mut history = history();
        let sockets = [socket(HERE, named(7))];
        look(&mut history, 10, &sockets);
        check(&history, HERE, 10, None);
        look(&mut history, 20, &sockets);
        look(&mut history, 30, &[]);
        for (seen_at, expected) in [(10, None), (11, Some(7)), (20, Some(7)), (21, None)] {
            check(&history, HERE, seen_at, expected);
        }
    }

    #[test]
    fn a_look_without_the_socket_ends_its_life() {
        let mut history = history();
        let sockets = [socket(HERE, named(7))];
        look(&mut history, 10, &sockets);
        look(&mut history, 20, &[]);
        look(&mut history, 30, &sockets);
        check(&history, HERE, 15, None);
        look(&mut history, 40, &sockets);
        check(&history, HERE, 35, Some(7));
    }

    #[test]
    fn another_owner_is_another_life() {
        let mut history = history();
        for (at, pid) in [(10, 7), (20, 7), (30, 8), (40, 8)] {
            look(&mut history, at, &[socket(HERE, named(pid))]);
        }
        for (seen_at, expected) in [(15, None), (25, None), (35, Some(8))] {
            check(&history, HERE, seen_at, expected);
        }
        // One who may not be named ends it as well.
        let hidden = Verdict::Unknown(Reason::Denied);
        look(&mut history, 50, &[socket(HERE, hidden)]);
        check(&history, HERE, 35, None);
    }

    #[test]
    fn sockets_on_all_addresses_are_found_by_family() {
        let any = |v6_only| Socket {
            v6_only,
            ..socket("[::]:53", named(6))
        };
        for v6_only in [false, true] {
            let mut history = history();
            for at in [10, 20] {
                look(&mut history, at, &[any(v6_only)]);
            }
            check(&history, "[fe80::1]:53", 15, Some(6));
            check(&history, HERE, 15, (!v6_only).then_some(6));
            for at in [30, 40] {
                look(
                    &mut history,
                    at,
                    &[any(v6_only), socket("0.0.0.0:53", named(4))],
                );
            }
            check(&history, HERE, 35, Some(4));
            check(&history, "[fe80::1]:53", 35, Some(6));
        }
    }

    #[test]
    fn what_is_too_old_or_too_much_is_dropped() {
        let mut history = History::new(2, Duration::from_secs(100));
        let sockets = ["10.0.0.2:1", "10.0.0.2:2", "10.0.0.2:3"];
        let sockets = sockets.map(|local| socket(local, named(7)));
        look(&mut history, 10, &sockets);
        assert_eq!((history.len(), history.refused), (2, 1));
        // The old ones make room before the new ones come.
        look(&mut history, 111, &sockets[2..]);
        assert_eq!((history.len(), history.refused), (1, 1));
    }
}
