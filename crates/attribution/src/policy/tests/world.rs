//! A small host: processes that open and close sockets.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use crate::answer::{
    Process, Protocol, Snapshot, Socket, SocketQuery, SocketState, Source, Verdict,
};

/// What a socket table can know about the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Knows {
    /// Remote ends and start times, like a native table.
    Everything,
    /// Neither, like the portable table.
    LocalEnds,
}

#[derive(Debug, Clone)]
struct Open {
    protocol: Protocol,
    local: SocketAddr,
    remote: Option<SocketAddr>,
    owner: Arc<Process>,
    /// A connection that the server has not accepted yet has no owner.
    is_queued: bool,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) knows: Knows,
    /// When a process exits, another one gets its pid.
    processes: Vec<Arc<Process>>,
    generation: u64,
    open: Vec<Open>,
    /// Ports that a process had and does not return to. Two lookups around a packet with the same
    /// owner prove that it was the owner only under this condition.
    had: HashSet<(String, Protocol, u16)>,
    server: Arc<Process>,
}

pub(super) const LAN: &str = "10.0.0.2";
pub(super) const SERVER_PORT: u16 = 80;

impl World {
    /// A world with a server that always listens.
    pub(super) fn new(knows: Knows, processes: usize) -> Self {
        let mut world = Self {
            knows,
            processes: Vec::new(),
            generation: 0,
            open: Vec::new(),
            had: HashSet::new(),
            server: Arc::new(Process::new(1, "server")),
        };
        world.server = world.new_process(1, "server");
        for pid in 0..processes {
            let process = world.new_process(u32::try_from(100 + pid).unwrap(), "client");
            world.processes.push(process);
        }
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let everywhere = format!("0.0.0.0:{SERVER_PORT}").parse().unwrap();
            let server = Arc::clone(&world.server);
            world.listen(protocol, everywhere, &server);
        }
        world
    }

    fn new_process(&mut self, pid: u32, name: &str) -> Arc<Process> {
        self.generation += 1;
        let start = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(self.generation);
        Arc::new(Process {
            started: (self.knows == Knows::Everything).then_some(start),
            ..Process::new(pid, format!("{name} {}", self.generation))
        })
    }

    fn listen(&mut self, protocol: Protocol, local: SocketAddr, owner: &Arc<Process>) {
        let owner = Arc::clone(owner);
        self.open.push(Open {
            protocol,
            local,
            remote: None,
            owner,
            is_queued: false,
        });
    }

    pub(super) fn process(&self, number: usize) -> Arc<Process> {
        Arc::clone(&self.processes[number % self.processes.len()])
    }

    pub(super) fn server(&self) -> Arc<Process> {
        Arc::clone(&self.server)
    }

    /// Opens a connection; its local end may serve other connections already.
    pub(super) fn connect(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        owner: &Arc<Process>,
    ) -> bool {
        let is_taken = self.open.iter().any(|open| {
            (open.protocol, open.local, open.remote) == (Protocol::Tcp, local, Some(remote))
        });
        if is_taken || !self.may_have(owner, Protocol::Tcp, local.port()) {
            return false;
        }
        self.open.push(Open {
            protocol: Protocol::Tcp,
            local,
            remote: Some(remote),
            owner: Arc::clone(owner),
            is_queued: false,
        });
        true
    }

    /// A connection to the server arrives.
    pub(super) fn arrive(&mut self, local: SocketAddr, remote: SocketAddr) {
        let owner = Arc::clone(&self.server);
        self.open.push(Open {
            protocol: Protocol::Tcp,
            local,
            remote: Some(remote),
            owner,
            is_queued: true,
        });
    }

    /// The server accepts all connections that arrived.
    pub(super) fn accept(&mut self) {
        for open in &mut self.open {
            open.is_queued = false;
        }
    }

    /// The process sends from this address: through its socket there, or through a new one with the
    /// given binding if the port is free.
    pub(super) fn send(
        &mut self,
        bind: SocketAddr,
        from: SocketAddr,
        owner: &Arc<Process>,
    ) -> bool {
        let mut on_port = self
            .open
            .iter()
            .filter(|open| open.protocol == Protocol::Udp && open.local.port() == bind.port());
        if let Some(open) = on_port.next() {
            let covers = open.local == from || open.local.ip().is_unspecified();
            return open.owner == *owner && covers;
        }
        let may = self.may_have(owner, Protocol::Udp, bind.port());
        if may {
            self.listen(Protocol::Udp, bind, owner);
        }
        may
    }

    fn may_have(&mut self, owner: &Process, protocol: Protocol, port: u16) -> bool {
        self.had.insert((owner.name.clone(), protocol, port))
    }

    /// Closes one socket of the clients.
    pub(super) fn close(&mut self, number: usize) {
        let clients = self.open.iter().enumerate();
        let clients: Vec<usize> = clients
            .filter(|(_, open)| open.owner != self.server)
            .map(|(place, _)| place)
            .collect();
        if !clients.is_empty() {
            self.open.remove(clients[number % clients.len()]);
        }
    }

    /// Closes the connection of the query if this process still has it.
    pub(super) fn disconnect(&mut self, query: &SocketQuery, owner: &Process) {
        self.open.retain(|open| {
            let is_wanted = (open.protocol, open.local, open.remote)
                == (query.protocol(), query.local(), query.remote());
            !(is_wanted && *open.owner == *owner)
        });
    }

    /// A process exits, and another one gets its pid at once.
    pub(super) fn exit(&mut self, number: usize) {
        let place = number % self.processes.len();
        let old = self.process(place);
        self.open.retain(|open| open.owner != old);
        self.processes[place] = self.new_process(old.pid, "client");
    }

    pub(super) fn snapshot(&self, started_at: SystemTime, finished_at: SystemTime) -> Snapshot {
        let owned = self.open.iter().filter(|open| !open.is_queued);
        let sockets = owned.map(|open| Socket {
            protocol: open.protocol,
            local: open.local,
            remote: open.remote.filter(|_| self.knows == Knows::Everything),
            state: (open.protocol == Protocol::Tcp).then_some(match open.remote {
                Some(_) => SocketState::Established,
                None => SocketState::Listen,
            }),
            v6_only: false,
            device: None,
            id: None,
            uid: None,
            inode: None,
            namespace: None,
            packet: None,
            owner: Verdict::Process(Arc::clone(&open.owner)),
        });
        Snapshot::new(Source::Scripted, started_at, finished_at, sockets.collect())
    }
}
