//! The content of the live view at one point in time: groups of flows or of sockets, with their
//! totals. The core counts; this only arranges. Pure.

mod of_report;
mod of_sockets;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use flowner_core::attribution::{Evidence, Ownership, Socket, Source};
use flowner_core::present::{Row, printable, printable_path};
use flowner_core::{FlowRecord, Principal, ProcessPrincipal, Report, Service};

/// The content until the next tick.
#[derive(Debug)]
pub(crate) struct Data {
    /// The data behind the rows.
    pub(crate) facts: Observed,
    /// The wall-clock time of the data.
    pub(crate) at: SystemTime,
    /// A problem, in a line.
    pub(crate) notice: Option<Notice>,
    pub(crate) total: Numbers,
    /// Programs with their processes, and these with their flows.
    pub(crate) programs: Vec<Node>,
    pub(crate) items: Vec<Item>,
    pub(crate) hosts: Vec<Node>,
    pub(crate) services: Vec<Node>,
}

/// The data.
#[derive(Debug)]
pub(crate) enum Observed {
    /// Captured flows.
    Flows(Arc<Report>),
    /// Sockets, if this process may not capture.
    Sockets(Sockets),
}

/// A list of sockets.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) list: Vec<Socket>,
    /// The principal of each socket's owner.
    pub(crate) principals: Vec<Principal>,
    pub(crate) source: Source,
}

/// A line for the reader, in full and for narrow terminals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) long: String,
    pub(crate) short: String,
}

/// The identity of a row over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RowId(u64);

impl RowId {
    fn of(subject: impl Hash) -> Self {
        // Without a random key, so that a row has the same id in every run.
        let mut hasher = DefaultHasher::new();
        subject.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// A row for several flows or sockets.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: RowId,
    pub(crate) subject: RowSubject,
    pub(crate) label: String,
    /// The name of a host, where the flows to it have one.
    pub(crate) host_name: Option<String>,
    /// The programs, unless the row is one itself.
    pub(crate) owners: String,
    pub(crate) numbers: Numbers,
    /// Wire bytes of each of the last seconds, the latest last; empty if unknown.
    pub(crate) trend: Vec<u64>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) items: Vec<Item>,
}

impl Node {
    fn new(id: RowId, subject: RowSubject, label: String) -> Self {
        Self {
            id,
            subject,
            label,
            host_name: None,
            owners: String::new(),
            numbers: Numbers::default(),
            trend: Vec::new(),
            nodes: Vec::new(),
            items: Vec::new(),
        }
    }

    /// The executable of a program, if known.
    pub(crate) fn path(&self) -> Option<String> {
        let RowSubject::Program(principal) = &self.subject else {
            return None;
        };
        let path = principal.programs().first()?.path.as_ref()?;
        Some(printable_path(path))
    }

    /// Whether it has rows below it.
    pub(crate) const fn opens(&self) -> bool {
        !self.nodes.is_empty() || !self.items.is_empty()
    }
}

/// The subject of a [`Node`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum RowSubject {
    Program(Principal),
    Process(ProcessPrincipal),
    Host(IpAddr),
    Service(Service),
    /// The rest of a full list.
    Others,
}

/// A row for one flow, or one socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    pub(crate) id: RowId,
    /// Its index in the data.
    pub(crate) index: usize,
    pub(crate) side: Side,
    pub(crate) numbers: Numbers,
}

/// The end of a flow that an item stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The flow, in a list of all.
    Whole,
    /// The local end, under its owner.
    Local,
    /// The remote end, under its owner.
    Remote,
}

/// The totals of a row. Bytes are wire bytes, from the row's point of view.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Flows or sockets.
    pub(crate) count: u64,
    /// Bytes a second.
    pub(crate) up: u64,
    pub(crate) down: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) listening: u64,
    pub(crate) connected: u64,
}

impl Numbers {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.up = self.up.saturating_add(other.up);
        self.down = self.down.saturating_add(other.down);
        self.sent = self.sent.saturating_add(other.sent);
        self.received = self.received.saturating_add(other.received);
        self.listening += other.listening;
        self.connected += other.connected;
    }
}

/// One flow or socket, for details.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fact<'a> {
    Flow(&'a FlowRecord),
    Socket(&'a Socket, Source),
}

impl Data {
    /// Whether bytes are counted.
    pub(crate) const fn has_bytes(&self) -> bool {
        matches!(self.facts, Observed::Flows(_))
    }

    /// The flow or socket of an item.
    pub(crate) fn fact(&self, item: &Item) -> Option<Fact<'_>> {
        match &self.facts {
            Observed::Flows(report) => report.flows.get(item.index).map(Fact::Flow),
            Observed::Sockets(sockets) => sockets
                .list
                .get(item.index)
                .map(|socket| Fact::Socket(socket, sockets.source)),
        }
    }

    /// The row of an item.
    pub(crate) fn row(&self, item: &Item) -> Option<Row<'_>> {
        match &self.facts {
            Observed::Flows(report) => {
                let (flow, now) = (report.flows.get(item.index)?, report.now);
                Some(match item.side {
                    Side::Whole => Row::of_flow(flow, now),
                    Side::Local => Row::of_end(flow, false, now),
                    Side::Remote => Row::of_end(flow, true, now),
                })
            }
            Observed::Sockets(sockets) => {
                let socket = sockets.list.get(item.index)?;
                Some(Row::of_socket(socket, sockets.principals.get(item.index)))
            }
        }
    }

    /// The owner of an item's end.
    pub(crate) fn owner(&self, item: &Item) -> Option<Ownership> {
        match self.fact(item)? {
            Fact::Flow(flow) => match item.side {
                Side::Whole => flow.named_owner().cloned(),
                Side::Local => flow.owner.clone(),
                Side::Remote => flow.remote_owner.clone(),
            },
            Fact::Socket(socket, source) => Some(owner_of_socket(socket, source, self.at)),
        }
    }
}

/// The owner of a socket in the form of flows. It comes from a list, so nothing was matched.
fn owner_of_socket(socket: &Socket, source: Source, at: SystemTime) -> Ownership {
    Ownership::new(socket.owner.clone(), {
        let mut evidence = Evidence::new(None, at, source);
        evidence.namespace.clone_from(&socket.namespace);
        evidence.socket = socket.id;
        evidence
    })
}

/// The number of owners that the view names in a row; more would not be read.
const MAX_OWNERS: usize = 16;

/// Adds a principal to those of a row.
fn add_owner(owners: &mut Vec<Principal>, principal: &Principal) {
    if owners.len() < MAX_OWNERS && !owners.contains(principal) {
        owners.push(principal.clone());
    }
}

/// The known ones, by name; `…` if there may be more.
fn names(owners: &[Principal]) -> String {
    let known = owners
        .iter()
        .filter(|principal| **principal != Principal::Unattributed);
    let names: Vec<String> = known.map(ToString::to_string).collect();
    let more = if owners.len() < MAX_OWNERS {
        ""
    } else {
        ", …"
    };
    printable(&names.join(", ")) + more
}
