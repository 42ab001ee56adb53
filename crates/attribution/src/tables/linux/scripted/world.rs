//! A scripted host: its model, the directory that stands for its `/proc`, and the holders of its
//! sockets.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tempfile::TempDir;

use super::faults::{Astray, Fault};
use super::kernel::{Port, Queue, Waiting};
use crate::answer::{Protocol, SocketQuery};
use crate::tables::linux::netlink::link::Received;
use crate::tables::linux::sys::System;

/// The inode of the first pid namespace.
pub(crate) const PIDS_OF_ALL: u64 = 0xEFFF_FFFC;

/// The inode of the first user namespace.
pub(crate) const USERS_OF_ALL: u64 = 0xEFFF_FFFD;

/// A change on the host. Numbers are taken modulo the count of candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// A process starts in a namespace, with the pid of one that has exited if there is one.
    Start(usize),
    /// A process exits.
    Exit(usize),
    /// A process opens a socket of a kind.
    Open(usize, Kind),
    /// A process closes a socket that it holds.
    Close(usize),
    /// A holder passes a socket to another process, and keeps it or not.
    Pass {
        socket: usize,
        to: usize,
        keeps: bool,
    },
    /// A namespace gets an address, or loses it.
    AddAddress(usize, usize),
    RemoveAddress(usize, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Listener {
        port: u16,
        is_everywhere: bool,
    },
    Datagram {
        port: u16,
        is_everywhere: bool,
    },
    /// Opened by this end, from a port without listener.
    Connection {
        port: u16,
        to: u16,
    },
    ConnectedDatagram {
        port: u16,
        to: u16,
    },
}

/// Addresses that namespaces may have.
pub(super) const ADDRESSES: [Ipv4Addr; 3] = [
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(10, 1, 0, 2),
    Ipv4Addr::new(10, 1, 0, 3),
];
pub(super) const REMOTE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(super) const NAMESPACES: usize = 3;

pub(super) const LISTEN: u8 = 10;
pub(super) const ESTABLISHED: u8 = 1;
pub(super) const TIME_WAIT: u8 = 6;
pub(super) const UNCONNECTED: u8 = 7;

#[derive(Debug, Clone)]
pub(super) struct ModelSocket {
    pub(super) protocol: Protocol,
    pub(super) namespace: u64,
    pub(super) local: SocketAddrV4,
    pub(super) remote: Option<SocketAddrV4>,
    pub(super) state: u8,
    pub(super) inode: u32,
    pub(super) uid: u32,
    pub(super) cookie: u64,
    /// The names of its holders; several descriptors count as one.
    pub(super) holders: BTreeSet<String>,
    /// The names of all holders so far.
    pub(super) ever: BTreeSet<String>,
}

impl ModelSocket {
    /// A socket that matches most queries and does not exist.
    pub(super) fn forged() -> Self {
        Self {
            protocol: Protocol::Udp,
            namespace: 0,
            local: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 100),
            remote: None,
            state: UNCONNECTED,
            inode: 1,
            uid: 4_711,
            cookie: 666,
            holders: BTreeSet::new(),
            ever: BTreeSet::new(),
        }
    }

    /// The processes that may be named for it; for a connection that has ended, the earlier ones.
    const fn whom(&self) -> &BTreeSet<String> {
        if self.inode == 0 {
            &self.ever
        } else {
            &self.holders
        }
    }

    /// How well it matches, if it does.
    pub(super) fn score(&self, local: SocketAddrV4, remote: Option<SocketAddrV4>) -> Option<u8> {
        if self.local.port() != local.port() {
            return None;
        }
        let is_exact = self.local.ip() == local.ip();
        match self.remote {
            Some(_) if remote.is_none() => is_exact.then_some(2),
            Some(theirs) => (is_exact && remote == Some(theirs)).then_some(3),
            None if is_exact => Some(2),
            None => self.local.ip().is_unspecified().then_some(1),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct ModelProcess {
    pub(super) pid: u32,
    pub(super) name: String,
    pub(super) namespace: u64,
    /// Sockets by descriptor.
    pub(super) descriptors: BTreeMap<u32, u64>,
}

/// The host, which several threads may use.
#[derive(Debug)]
pub(crate) struct Host {
    state: Mutex<State>,
    root: TempDir,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) root: PathBuf,
    pub(super) namespaces: Vec<u64>,
    pub(super) addresses: HashMap<u64, Vec<Ipv4Addr>>,
    /// By cookie.
    pub(super) sockets: BTreeMap<u64, ModelSocket>,
    pub(super) processes: Vec<ModelProcess>,
    pub(super) free_pids: Vec<u32>,
    pub(super) started: u32,
    pub(super) last_cookie: u64,
    pub(super) queues: HashMap<u32, Queue>,
    pub(super) last_port: u32,
    /// The faults at each of the next calls.
    pub(super) tape: VecDeque<Option<Fault>>,
    pub(super) astray: Option<Astray>,
    pub(super) calls: usize,
    /// The states of the host since a lookup began.
    pub(super) versions: Vec<Version>,
}

/// The state of the host at a time.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) began: Instant,
    pub(super) addresses: HashMap<u64, Vec<Ipv4Addr>>,
    pub(super) sockets: BTreeMap<u64, ModelSocket>,
}

impl Host {
    /// A host with some namespaces and no process; `None` if files have inodes that no socket can
    /// have.
    pub(super) fn new() -> Option<Arc<Self>> {
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let root = root.unwrap();
        let path = root.path().to_owned();
        for directory in [
            "proc/self/ns",
            "proc/self/fd",
            "proc/thread-self/ns",
            "ns",
            "bin",
            "pool",
        ] {
            fs::create_dir_all(path.join(directory)).unwrap();
        }
        fs::create_dir_all(path.join("named")).unwrap();
        fs::write(path.join("proc/self/ns/pid"), "").unwrap();
        fs::write(path.join("proc/self/ns/user"), "").unwrap();
        fs::write(path.join("proc/self/fd/0"), "").unwrap();
        let mut namespaces = Vec::new();
        for number in 0..NAMESPACES {
            let file = path.join(format!("ns/{number}"));
            fs::write(&file, "").unwrap();
            namespaces.push(fs::metadata(&file).unwrap().ino());
        }
        u32::try_from(namespaces[0]).ok()?;
        fs::hard_link(path.join("ns/0"), path.join("proc/thread-self/ns/net")).unwrap();
        let addresses = namespaces.iter().zip(ADDRESSES);
        let addresses = addresses.map(|(namespace, address)| (*namespace, vec![address]));
        let state = State {
            root: path,
            addresses: addresses.collect(),
            namespaces,
            sockets: BTreeMap::new(),
            processes: Vec::new(),
            free_pids: Vec::new(),
            started: 0,
            last_cookie: 0,
            queues: HashMap::new(),
            last_port: 0,
            tape: VecDeque::new(),
            astray: None,
            calls: 0,
            versions: Vec::new(),
        };
        state.write_newest();
        let state = Mutex::new(state);
        Some(Arc::new(Self { state, root }))
    }

    /// Makes this thread use the host.
    pub(super) fn enter(self: &Arc<Self>) {
        let own = self.state().namespaces[0];
        System::scripted(Arc::clone(self), own).take_over();
    }

    pub(super) fn proc(&self) -> PathBuf {
        self.root.path().join("proc")
    }

    pub(crate) fn named(&self) -> PathBuf {
        self.root.path().join("named")
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies the fault before a call.
    pub(crate) fn call(&self) -> rustix::io::Result<()> {
        self.state().call()
    }

    pub(crate) fn open_port(&self, namespace: u64, groups: u32, is_route: bool) -> Port {
        let state = &mut *self.state();
        state.last_port += 1;
        let queue = Queue {
            namespace,
            groups,
            is_route,
            ..Queue::default()
        };
        state.queues.insert(state.last_port, queue);
        Port(state.last_port)
    }

    pub(crate) fn close_port(&self, port: Port) {
        self.state().queues.remove(&port.0);
    }

    pub(crate) fn send(&self, port: Port, request: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.call()?;
        state.answer(port, request);
        Ok(())
    }

    /// The next datagram. This never waits: a missing one never comes.
    pub(crate) fn receive(
        &self,
        port: Port,
        buffer: &mut [u8],
        waits: bool,
    ) -> io::Result<Received> {
        let mut state = self.state();
        match state.call() {
            // Only a waiting caller may get this too early.
            Err(Errno::AGAIN) if !waits => {}
            result => result?,
        }
        match state.queue(port).waiting.pop_front() {
            None => Err(Errno::AGAIN.into()),
            Some(Waiting::Error(error)) => Err(error.into()),
            Some(Waiting::Datagram {
                bytes,
                length,
                is_from_kernel,
            }) => {
                let room = buffer.len().min(bytes.len());
                buffer[..room].copy_from_slice(&bytes[..room]);
                Ok(Received {
                    length,
                    is_from_kernel,
                    is_from_elsewhere: false,
                })
            }
        }
    }

    /// Sets the faults of the next calls.
    pub(super) fn play(&self, tape: impl IntoIterator<Item = Option<Fault>>) {
        self.state().tape.extend(tape);
    }

    /// Ends all faults.
    pub(super) fn end_faults(&self) {
        let state = &mut *self.state();
        state.tape.clear();
        state.astray = None;
    }

    pub(super) fn change(&self, change: Change) {
        self.state().change(change);
    }

    /// Begins a lookup, which may use knowledge from `before` ago. Returns the number of calls so
    /// far.
    pub(super) fn begin(&self, before: Duration) -> usize {
        let state = &mut *self.state();
        let version = state.version();
        state.versions.push(version);
        // A state lasts until the next one begins.
        let is_over = |version: &Version| version.began.elapsed() > before;
        let over = state
            .versions
            .iter()
            .skip(1)
            .take_while(|next| is_over(next));
        let last = state.versions.len() - 1;
        let over = over.count().min(last);
        if before.is_zero() {
            state.versions.drain(..last);
        } else {
            state.versions.drain(..over);
        }
        state.calls
    }

    pub(super) fn calls(&self) -> usize {
        self.state().calls
    }

    /// All processes that a lookup may name for a query, if it began with [`begin`](Self::begin)
    /// and has ended.
    pub(super) fn may_be_named(&self, query: &SocketQuery) -> BTreeSet<String> {
        let state = self.state();
        let versions = || state.versions.iter();
        let own = state.namespaces[0];
        // An address that is added meanwhile is our own for only a part of the lookup.
        let is_own = versions().all(|version| version.has_address(own, query));
        let fitting: BTreeSet<u64> = versions()
            .flat_map(|version| version.fitting(query, &state.namespaces, is_own))
            .map(|socket| socket.cookie)
            .collect();
        // A lookup finds the socket and its holders one after the other.
        versions()
            .flat_map(|version| version.sockets.values())
            .filter(|socket| fitting.contains(&socket.cookie))
            .flat_map(ModelSocket::whom)
            .cloned()
            .collect()
    }

    /// As [`may_be_named`](Self::may_be_named), for a socket of a list.
    pub(super) fn may_hold(&self, local: SocketAddr, namespace: Option<u64>) -> BTreeSet<String> {
        let state = self.state();
        let namespace = namespace.unwrap_or(state.namespaces[0]);
        let versions = state.versions.iter();
        versions
            .flat_map(|version| version.sockets.values())
            .filter(|socket| SocketAddr::V4(socket.local) == local && socket.namespace == namespace)
            .flat_map(ModelSocket::whom)
            .cloned()
            .collect()
    }

    /// The processes to name now, if any holds a matching socket.
    pub(super) fn holders(&self, query: &SocketQuery) -> BTreeSet<String> {
        self.begin(Duration::ZERO);
        let state = self.state();
        let version = state.version();
        let is_own = version.has_address(state.namespaces[0], query);
        let fitting = version.fitting(query, &state.namespaces, is_own);
        fitting
            .iter()
            .flat_map(|socket| socket.holders.clone())
            .collect()
    }
}

impl Version {
    /// Whether a namespace has the local address of a query.
    fn has_address(&self, namespace: u64, query: &SocketQuery) -> bool {
        match query.local() {
            SocketAddr::V4(v4) => self.addresses[&namespace].contains(v4.ip()),
            SocketAddr::V6(_) => false,
        }
    }

    /// The sockets that match a query best.
    fn fitting(&self, query: &SocketQuery, namespaces: &[u64], is_own: bool) -> Vec<&ModelSocket> {
        let v4 = |address| match address {
            SocketAddr::V4(v4) => v4,
            SocketAddr::V6(_) => unreachable!("all questions are about IPv4"),
        };
        let (local, remote) = (v4(query.local()), query.remote().map(v4));
        let has = |namespace: &u64| self.addresses[namespace].contains(local.ip());
        let best_in = |namespace: u64| {
            let sockets = self.sockets.values();
            let here = sockets.filter(|socket| {
                socket.namespace == namespace && socket.protocol == query.protocol()
            });
            let scored: Vec<_> = here
                .filter_map(|s| Some((s.score(local, remote)?, s)))
                .collect();
            let best = scored.iter().map(|(score, _)| *score).max();
            let best = scored
                .into_iter()
                .filter(move |(score, _)| Some(*score) == best);
            best.collect::<Vec<_>>()
        };
        let own = namespaces[0];
        if is_own {
            return best_in(own).into_iter().map(|(_, socket)| socket).collect();
        }
        // A proxy may have such a socket, which stands in for another host.
        let ours = best_in(own)
            .into_iter()
            .filter(|(score, _)| has(&own) || *score >= 2);
        let others = namespaces[1..]
            .iter()
            .filter(|n| has(n))
            .flat_map(|n| best_in(*n));
        ours.chain(others).map(|(_, socket)| socket).collect()
    }
}

/// All possible queries.
pub(super) fn queries() -> Vec<SocketQuery> {
    let mut queries = Vec::new();
    for ip in ADDRESSES.map(IpAddr::V4) {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            for port in [100, 101, 102, 200, 201] {
                let local = SocketAddr::new(ip, port);
                let remotes = [1, 2].map(|port| SocketAddr::new(REMOTE.into(), port));
                queries.push(SocketQuery::new(protocol, local, None));
                queries.extend(remotes.map(|to| SocketQuery::new(protocol, local, Some(to))));
            }
        }
    }
    queries
}
