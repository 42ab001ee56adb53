//! Sockets of earlier snapshots. They answer for flows whose socket has closed since.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::answer::devices::Devices;
use crate::answer::matching::{Ends, merge};
use crate::answer::query::unscoped;
use crate::answer::{
    Evidence, Match, Ownership, Process, Protocol, Snapshot, Socket, SocketId, SocketQuery, Source,
    Verdict, matching, wildcard,
};

/// The proven part of a socket's life. The socket existed from the end of the first snapshot with
/// it to the beginning of the last one, and every snapshot in between had it with the same owner.
#[derive(Debug)]
struct Life {
    from: SystemTime,
    to: SystemTime,
    /// The number of the last snapshot with the socket.
    last_snapshot: u64,
    owner: Verdict,
    source: Source,
    ends: Ends,
    id: Option<SocketId>,
}

/// Protocol and ends without scopes. Sockets that differ only in their device share a key.
type Key = (Protocol, SocketAddr, Option<SocketAddr>);

#[derive(Debug)]
pub(super) struct History {
    lives: HashMap<Key, Vec<Life>>,
    count: usize,
    /// As the last snapshot had them.
    devices: Arc<Devices>,
    max: usize,
    age: Duration,
    snapshots: u64,
    /// Sockets that the history refused at its bound.
    pub(super) refused: u64,
}

impl History {
    pub(super) fn new(max: usize, age: Duration) -> Self {
        Self {
            lives: HashMap::new(),
            count: 0,
            devices: Arc::default(),
            max,
            age,
            snapshots: 0,
            refused: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn clear(&mut self) {
        self.lives.clear();
        self.count = 0;
    }

    /// Adds the sockets of a snapshot and forgets those that are too old.
    pub(super) fn record(&mut self, snapshot: &Snapshot) {
        self.snapshots += 1;
        self.devices = snapshot.devices();
        let oldest = snapshot.started_at().checked_sub(self.age);
        self.lives.retain(|_, lives| {
            lives.retain(|life| oldest.is_none_or(|oldest| life.to >= oldest));
            !lives.is_empty()
        });
        self.count = self.lives.values().map(Vec::len).sum();
        let same = |a: &Socket, b: &Socket| (key(a), a.device) == (key(b), b.device);
        for sockets in snapshot.sockets().chunk_by(same) {
            let owner = merge(
                &sockets
                    .iter()
                    .map(|socket| &socket.owner)
                    .collect::<Vec<_>>(),
            );
            self.seen(sockets, owner, snapshot);
        }
    }

    fn seen(&mut self, sockets: &[Socket], owner: Verdict, snapshot: &Snapshot) {
        let (key, ends) = (key(&sockets[0]), Ends::of(&sockets[0]));
        let id = match sockets {
            [only] => only.id,
            _ => None,
        };
        let is_full = self.count >= self.max;
        let lives = self.lives.entry(key).or_default();
        let place = lives
            .iter()
            .position(|life| life.ends.device == ends.device);
        if let Some(life) = place.map(|place| &mut lives[place])
            && life.owner == owner
            && life.id == id
            && life.last_snapshot + 1 == self.snapshots
        {
            life.to = snapshot.started_at();
            life.last_snapshot = self.snapshots;
            return;
        }
        if let Some(place) = place {
            lives.swap_remove(place);
            self.count -= 1;
        }
        if owner.is_named() && is_full && place.is_none() {
            self.refused += 1;
        } else if owner.is_named() {
            lives.push(Life {
                from: snapshot.finished_at(),
                to: snapshot.started_at(),
                last_snapshot: self.snapshots,
                owner,
                source: snapshot.source(),
                ends,
                id,
            });
            self.count += 1;
        }
        if lives.is_empty() {
            self.lives.remove(&key);
        }
    }

    /// The owner of the socket that existed at `packet_time`, the wall-clock time of a packet.
    pub(super) fn find(&self, query: &SocketQuery, packet_time: SystemTime) -> Option<Ownership> {
        self.find_where(query, packet_time, |_| true)
    }

    /// Whether all named processes had sockets at the local end of a query at that time. A listener
    /// counts.
    pub(super) fn had(
        &self,
        query: &SocketQuery,
        packet_time: SystemTime,
        named: &Verdict,
    ) -> bool {
        let lives = keys(&query.without_remote());
        let lives = lives.filter_map(|key| self.lives.get(&key)).flatten();
        let alive = lives.filter(|life| life.from <= packet_time && packet_time <= life.to);
        let had: Vec<_> = alive.flat_map(|life| life.owner.processes()).collect();
        let named = named.processes();
        let had_it = |one: &Arc<Process>| had.iter().any(|other| one.is_same_program(other));
        !named.is_empty() && named.iter().all(had_it)
    }

    /// As [`find`](Self::find), for the socket of exactly that connection.
    pub(super) fn find_connection(
        &self,
        query: &SocketQuery,
        packet_time: SystemTime,
    ) -> Option<Ownership> {
        self.find_where(query, packet_time, |ends| ends.remote.is_some())
    }

    fn find_where(
        &self,
        query: &SocketQuery,
        packet_time: SystemTime,
        may_be: impl Fn(&Ends) -> bool,
    ) -> Option<Ownership> {
        let lives = keys(query);
        let lives = lives
            .filter_map(|key| self.lives.get(&key))
            .flatten()
            .filter(|life| may_be(&life.ends))
            // A connected socket serves no other peer.
            .filter(|life| query.remote().is_some() || life.ends.remote.is_none());
        let reach = self.devices.reach(query);
        let (_, found) = matching::fitting(query, &reach, lives, |life| life.ends)?;
        let is_alive = |life: &&Life| life.from <= packet_time && packet_time <= life.to;
        let owners: Vec<&Verdict> = found.iter().map(|life| &life.owner).collect();
        found.iter().all(is_alive).then(|| Ownership {
            verdict: merge(&owners),
            evidence: Evidence {
                matched: Some(Match::History),
                observed_at: found
                    .iter()
                    .map(|life| life.to)
                    .min()
                    .unwrap_or(SystemTime::UNIX_EPOCH),
                source: found[0].source,
                namespace: None,
                socket: match found[..] {
                    [only] => only.id,
                    _ => None,
                },
                found_by: None,
                translated_from: None,
            },
        })
    }
}

fn key(socket: &Socket) -> Key {
    let remote = socket.remote.map(unscoped);
    (socket.protocol, unscoped(socket.local), remote)
}

/// The keys that a socket for `query` may have.
fn keys(query: &SocketQuery) -> impl Iterator<Item = Key> + use<> {
    let query = query.without_device();
    let (protocol, local) = (query.protocol(), query.local());
    let connected = query.remote().map(|remote| (protocol, local, Some(remote)));
    let bound = wildcard::covering(local.ip());
    let bound = bound.map(move |ip| (protocol, SocketAddr::new(ip, local.port()), None));
    connected.into_iter().chain(bound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Process, Reason};

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
            uid: None,
            inode: None,
            namespace: None,
            packet: None,
            owner,
        }
    }

    /// Records a snapshot that begins at `at` and takes a second.
    fn record(history: &mut History, at: u64, sockets: &[Socket]) {
        let (from, to) = (wall(at), wall(at + 1));
        history.record(&Snapshot::new(Source::Scripted, from, to, sockets.to_vec()));
    }

    fn history() -> History {
        History::new(10, Duration::from_secs(100))
    }

    #[track_caller]
    fn check(history: &History, local: &str, packet_time: u64, expected: Option<u32>) {
        let query = SocketQuery::new(Protocol::Udp, local.parse().unwrap(), None);
        let found = history.find(&query, wall(packet_time));
        let pid = found.map(|ownership| {
            assert_eq!(ownership.evidence.matched, Some(Match::History));
            ownership.verdict.processes()[0].pid
        });
        assert_eq!(pid, expected, "{local} at {packet_time}");
    }

    const HERE: &str = "10.0.0.2:53";

    #[test]
    fn a_life_is_proven_between_two_snapshots() {
        let mut history = history();
        let sockets = [socket(HERE, named(7))];
        record(&mut history, 10, &sockets);
        check(&history, HERE, 10, None);
        record(&mut history, 20, &sockets);
        record(&mut history, 30, &[]);
        for (packet_time, expected) in [(10, None), (11, Some(7)), (20, Some(7)), (21, None)] {
            check(&history, HERE, packet_time, expected);
        }
    }

    #[test]
    fn a_snapshot_without_the_socket_ends_its_life() {
        let mut history = history();
        let sockets = [socket(HERE, named(7))];
        record(&mut history, 10, &sockets);
        record(&mut history, 20, &[]);
        record(&mut history, 30, &sockets);
        check(&history, HERE, 15, None);
        record(&mut history, 40, &sockets);
        check(&history, HERE, 35, Some(7));
    }

    #[test]
    fn another_owner_is_another_life() {
        let mut history = history();
        for (at, pid) in [(10, 7), (20, 7), (30, 8), (40, 8)] {
            record(&mut history, at, &[socket(HERE, named(pid))]);
        }
        for (packet_time, expected) in [(15, None), (25, None), (35, Some(8))] {
            check(&history, HERE, packet_time, expected);
        }
        // A hidden owner ends the life as well.
        let hidden = Verdict::Unknown(Reason::Denied);
        record(&mut history, 50, &[socket(HERE, hidden)]);
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
                record(&mut history, at, &[any(v6_only)]);
            }
            check(&history, "[fe80::1]:53", 15, Some(6));
            check(&history, HERE, 15, (!v6_only).then_some(6));
            for at in [30, 40] {
                record(
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
    fn devices_have_sockets_of_their_own() {
        let on = |device, local, pid| Socket {
            device,
            ..socket(local, named(pid))
        };
        let sockets = [
            on(Some(2), "[fe80::1%2]:53", 7),
            on(Some(3), "[fe80::1%3]:53", 8),
            on(Some(2), "0.0.0.0:53", 4),
            on(None, "0.0.0.0:53", 5),
        ];
        let mut history = history();
        for at in [10, 20] {
            record(&mut history, at, &sockets);
        }
        assert_eq!(history.len(), 4);
        let on = |device: u32, local: &str| {
            let query = SocketQuery::new(Protocol::Udp, local.parse().unwrap(), None);
            let found = history.find(&query.on_device(device), wall(15));
            let processes = found.iter().flat_map(|found| found.verdict.processes());
            processes.map(|process| process.pid).collect::<Vec<_>>()
        };
        assert_eq!(on(2, "[fe80::1]:53"), [7]);
        assert_eq!(on(3, "[fe80::1]:53"), [8]);
        assert_eq!(on(0, "[fe80::1%3]:53"), [8]);
        assert_eq!(on(0, "[fe80::1]:53"), [7, 8]);
        assert_eq!(on(4, "[fe80::1]:53"), [0; 0]);
        // No list shows which of the two the kernel chooses.
        assert_eq!(on(2, HERE), [4, 5]);
        assert_eq!(on(4, HERE), [5]);
        assert_eq!(on(0, HERE), [4, 5]);
    }

    /// The next socket with the same owner is a different one.
    #[test]
    fn another_socket_is_another_life() {
        let mut history = history();
        for (at, cookie) in [(10, 1), (20, 1), (30, 2), (40, 2)] {
            let id = SocketId::own(cookie);
            let socket = socket(HERE, named(7));
            record(&mut history, at, &[Socket { id, ..socket }]);
        }
        check(&history, HERE, 25, None);
        check(&history, HERE, 35, Some(7));
    }

    #[test]
    fn old_sockets_and_those_beyond_the_bound_are_dropped() {
        let mut history = History::new(2, Duration::from_secs(100));
        let sockets = ["10.0.0.2:1", "10.0.0.2:2", "10.0.0.2:3"];
        let sockets = sockets.map(|local| socket(local, named(7)));
        record(&mut history, 10, &sockets);
        assert_eq!((history.len(), history.refused), (2, 1));
        // The old sockets make room before the new ones arrive.
        record(&mut history, 111, &sockets[2..]);
        assert_eq!((history.len(), history.refused), (1, 1));
    }
}
