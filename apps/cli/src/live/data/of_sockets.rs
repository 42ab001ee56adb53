//! Arranges sockets.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::SystemTime;

use flowner_core::attribution::{ProcessId, Socket, Verdict};
use flowner_core::filter::Subject as _;
use flowner_core::present::printable;
use flowner_core::{Principal, ProcessPrincipal, Service, is_listening, is_time_wait};

use super::of_report::service_label;
use super::{Data, Item, Node, Notice, Numbers, Observed, RowId, RowSubject, Side, Sockets, names};

impl Data {
    /// The content of a list of sockets.
    pub(crate) fn of_sockets(sockets: Sockets, at: SystemTime, notice: Option<Notice>) -> Self {
        let served = served(&sockets.list);
        let mut items = Vec::with_capacity(sockets.list.len());
        let mut total = Numbers::default();
        let (mut programs, mut hosts, mut services) =
            (Forest::default(), Forest::default(), Forest::default());
        let mut counts: HashMap<RowId, u64> = HashMap::new();
        let each = sockets.list.iter().zip(&sockets.principals).enumerate();
        for (index, (socket, principal)) in each {
            // Several sockets may have the same known properties.
            let alike = RowId::of((
                socket.protocol,
                socket.local,
                socket.remote,
                socket.packet,
                principal,
            ));
            let number = counts.entry(alike).or_default();
            *number += 1;
            let item = Item {
                id: RowId::of((alike, *number)),
                index,
                side: Side::Whole,
                numbers: numbers(socket),
            };
            let root = programs.root(RowSubject::Program(principal.clone()), || {
                principal.to_string()
            });
            root.numbers.add(&item.numbers);
            match &socket.owner {
                Verdict::Process(process) => {
                    let owner = super::owner_of_socket(socket, sockets.source, at);
                    let process = (process.id(), ProcessPrincipal::of(Some(&owner), principal));
                    let child = child(root, process);
                    child.numbers.add(&item.numbers);
                    child.items.push(item);
                }
                Verdict::Shared(_) | Verdict::Partial { .. } | Verdict::Unknown(_) => {
                    root.items.push(item);
                }
            }
            if let Some(host) = socket.remote.map(|remote| remote.ip()) {
                hosts.add(
                    RowSubject::Host(host),
                    || IpAddr::to_string(&host),
                    item,
                    principal,
                );
            }
            let service = service(socket, &served);
            services.add(
                RowSubject::Service(service),
                || service_label(service),
                item,
                principal,
            );
            total.add(&item.numbers);
            items.push(item);
        }
        Self {
            at,
            notice,
            total,
            programs: programs.finish(),
            items,
            hosts: hosts.finish(),
            services: services.finish(),
            facts: Observed::Sockets(sockets),
        }
    }
}

fn numbers(socket: &Socket) -> Numbers {
    let is_connected = socket.remote.is_some() && !is_time_wait(socket);
    Numbers {
        count: 1,
        listening: is_listening(socket).into(),
        connected: is_connected.into(),
        ..Numbers::default()
    }
}

/// Protocols and ports with a listener here.
fn served(sockets: &[Socket]) -> HashSet<Service> {
    let listening = sockets
        .iter()
        .filter(|socket| numbers(socket).listening > 0);
    listening
        .map(|socket| at(socket, socket.local_port().unwrap_or_default()))
        .collect()
}

fn at(socket: &Socket, port: u16) -> Service {
    Service {
        protocol: socket.protocol(),
        port,
    }
}

/// The service that a socket offers or uses: a port with a listener here is offered, and otherwise
/// it is the other end's.
fn service(socket: &Socket, served: &HashSet<Service>) -> Service {
    let ours = at(socket, socket.local_port().unwrap_or_default());
    match socket.remote {
        Some(remote) if !served.contains(&ours) => at(socket, remote.port()),
        _ => ours,
    }
}

/// The process below a program.
fn child(root: &mut Node, (id, principal): (ProcessId, ProcessPrincipal)) -> &mut Node {
    let row = RowId::of(("process", &principal));
    if let Some(place) = root.nodes.iter().position(|node| node.id == row) {
        return &mut root.nodes[place];
    }
    let label = match &principal {
        ProcessPrincipal::Process { name, .. } => format!("{} {}", id.pid, printable(name)),
        ProcessPrincipal::Other(other) => printable(&other.to_string()),
    };
    let place = root.nodes.len();
    root.nodes
        .push(Node::new(row, RowSubject::Process(principal), label));
    &mut root.nodes[place]
}

/// Rows in order of appearance.
#[derive(Default)]
struct Forest {
    roots: Vec<Node>,
    owners: Vec<Vec<Principal>>,
    places: HashMap<RowSubject, usize>,
}

impl Forest {
    fn place(&mut self, subject: RowSubject, label: impl Fn() -> String) -> usize {
        if let Some(place) = self.places.get(&subject) {
            return *place;
        }
        let place = self.roots.len();
        let id = match &subject {
            RowSubject::Program(principal) => RowId::of(("program", principal)),
            other => RowId::of(other),
        };
        self.places.insert(subject.clone(), place);
        self.roots.push(Node::new(id, subject, printable(&label())));
        self.owners.push(Vec::new());
        place
    }

    fn root(&mut self, subject: RowSubject, label: impl Fn() -> String) -> &mut Node {
        let place = self.place(subject, label);
        &mut self.roots[place]
    }

    fn add(
        &mut self,
        subject: RowSubject,
        label: impl Fn() -> String,
        item: Item,
        owner: &Principal,
    ) {
        let place = self.place(subject, label);
        self.roots[place].numbers.add(&item.numbers);
        self.roots[place].items.push(item);
        super::add_owner(&mut self.owners[place], owner);
    }

    /// Most sockets first, then by name.
    fn finish(mut self) -> Vec<Node> {
        for (node, owners) in self.roots.iter_mut().zip(&self.owners) {
            node.owners = names(owners);
        }
        self.roots
            .sort_by(|a, b| (b.numbers.count, &a.label).cmp(&(a.numbers.count, &b.label)));
        self.roots
    }
}
