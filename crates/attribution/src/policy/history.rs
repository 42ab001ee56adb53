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
