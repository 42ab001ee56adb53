//! Arranges flows.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowner_core::attribution::{ProcessId, Verdict};
use flowner_core::present::printable;
use flowner_core::{
    FlowRecord, Group, Name, Principal, ProcessPrincipal, Report, Service, Share, Totals,
    service_name,
};

use super::{Data, Item, Node, Notice, Numbers, Observed, RowId, RowSubject, Side, names};
use crate::live::columns::TREND;

impl Data {
    /// As [`of_report`](Self::of_report), with the recent traffic of each program, for a report
    /// with everything.
    pub(crate) fn of_whole_report(
        report: Arc<Report>,
        at: SystemTime,
        notice: Option<Notice>,
    ) -> Self {
        let now = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let from = now.saturating_sub(Duration::from_secs(TREND.into()));
        let lately = report.history.series(from, now, TREND.into());
        let mut data = Self::of_report(report, at, notice);
        let mut trends: HashMap<Principal, Vec<u64>> = HashMap::new();
        for line in lately.lines {
            if let Some(principal) = line.principal {
                let bytes = line.traffic.iter().map(|it| it.total().bytes);
                trends.insert(principal, bytes.collect());
            }
        }
        for node in &mut data.programs {
            if let RowSubject::Program(principal) = &node.subject {
                node.trend = trends.remove(principal).unwrap_or_default();
            }
        }
        data
    }

    /// The content of a report.
    pub(crate) fn of_report(report: Arc<Report>, at: SystemTime, notice: Option<Notice>) -> Self {
        let mut programs = Programs::new(&report);
        let mut hosts = Groups::new(report.hosts(), RowSubject::Host, ToString::to_string);
        let mut services = Groups::new(report.services(), RowSubject::Service, |it| {
            service_label(*it)
        });
        let mut items = Vec::with_capacity(report.flows.len());
        let mut total = Numbers::default();
        for (index, flow) in report.flows.iter().enumerate() {
            let numbers = of_flow(flow);
            let item = Item {
                id: RowId::of(("flow", flow.id)),
                index,
                side: Side::Whole,
                numbers,
            };
            programs.add(flow, index);
            hosts.add(&flow.remote.ip(), item, flow);
            let service = Service {
                protocol: flow.protocol,
                port: flow.service_port,
            };
            services.add(&service, item, flow);
            total.add(&numbers);
            items.push(item);
        }
        total.count = items.len() as u64 + report.unlisted_flows();
        Self {
            at,
            notice,
            total,
            programs: programs.nodes,
            items,
            hosts: hosts.finish(),
            services: services.finish(),
            facts: Observed::Flows(report),
        }
    }
}

/// Programs, their processes, and the flows of these.
struct Programs {
    nodes: Vec<Node>,
    places: HashMap<Principal, usize>,
    /// The position of each process, so that the program of each flow need not be found anew.
    processes: HashMap<ProcessId, (usize, usize)>,
    totals: HashMap<ProcessPrincipal, Totals>,
}

impl Programs {
    fn new(report: &Report) -> Self {
        let mut this = Self {
            nodes: Vec::new(),
            places: HashMap::new(),
            processes: HashMap::new(),
            totals: HashMap::new(),
        };
        for group in report.programs() {
            let numbers = of_totals(&group.totals);
            let place = match group.key {
                Some(principal) => this.place(&principal),
                None => this.push(Node::new(
                    RowId::of("other programs"),
                    RowSubject::Others,
                    "others".to_owned(),
                )),
            };
            this.nodes[place].numbers = numbers;
        }
        for group in report.processes() {
            if let Some(process) = group.key {
                this.totals.insert(process, group.totals);
            }
        }
        this
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn place(&mut self, principal: &Principal) -> usize {
        if let Some(place) = self.places.get(principal) {
            return *place;
        }
        let id = RowId::of(("program", principal));
        let label = printable(&principal.to_string());
        let place = self.push(Node::new(id, RowSubject::Program(principal.clone()), label));
        self.places.insert(principal.clone(), place);
        place
    }

    fn add(&mut self, flow: &FlowRecord, index: usize) {
        for share in flow.shares() {
            let item = Item {
                id: RowId::of(("end", flow.id, share.is_remote_end)),
                index,
                side: if share.is_remote_end {
                    Side::Remote
                } else {
                    Side::Local
                },
                numbers: of_totals(&share.totals),
            };
            if let Some(Verdict::Process(process)) = share.owner.map(|owner| &owner.verdict) {
                let (program, place) = self.place_of_process(&share, process.id());
                self.nodes[program].nodes[place].items.push(item);
            } else {
                let program = self.place(share.principal);
                self.nodes[program].items.push(item);
            }
        }
    }

    fn place_of_process(&mut self, share: &Share<'_>, id: ProcessId) -> (usize, usize) {
        if let Some((program, place)) = self.processes.get(&id)
            && matches!(&self.nodes[*program].subject, RowSubject::Program(it) if it == share.principal)
        {
            return (*program, *place);
        }
        let program = self.place(share.principal);
        let principal = ProcessPrincipal::of(share.owner, share.principal);
        let label = match &principal {
            ProcessPrincipal::Process { id, name, .. } => format!("{} {}", id.pid, printable(name)),
            ProcessPrincipal::Other(other) => printable(&other.to_string()),
        };
        let row = RowId::of(("process", &principal));
        let numbers = self
            .totals
            .get(&principal)
            .map(of_totals)
            .unwrap_or_default();
        let nodes = &mut self.nodes[program].nodes;
        nodes.push(Node {
            numbers,
            ..Node::new(row, RowSubject::Process(principal), label)
        });
        let place = (program, nodes.len() - 1);
        self.processes.insert(id, place);
        place
    }
}

/// Groups of flows with a common property.
struct Groups<K> {
    nodes: Vec<Node>,
    owners: Vec<Vec<Principal>>,
    /// The names of each in its flows; more than these would not be read.
    names: Vec<BTreeSet<Name>>,
    places: HashMap<K, usize>,
}

impl<K: Hash + Eq + Copy> Groups<K> {
    fn new(
        groups: Vec<Group<K>>,
        subject: impl Fn(K) -> RowSubject,
        label: impl Fn(&K) -> String,
    ) -> Self {
        let mut places = HashMap::new();
        let mut nodes = Vec::with_capacity(groups.len());
        for group in groups {
            let subject = group.key.map_or(RowSubject::Others, &subject);
            let label = group.key.as_ref().map_or("others".to_owned(), &label);
            if let Some(key) = group.key {
                places.insert(key, nodes.len());
            }
            nodes.push(Node {
                numbers: of_totals(&group.totals),
                ..Node::new(RowId::of(&subject), subject, label)
            });
        }
        Self {
            owners: vec![Vec::new(); nodes.len()],
            names: vec![BTreeSet::new(); nodes.len()],
            nodes,
            places,
        }
    }

    fn add(&mut self, key: &K, item: Item, flow: &FlowRecord) {
        let Some(place) = self.places.get(key) else {
            return;
        };
        self.nodes[*place].items.push(item);
        super::add_owner(&mut self.owners[*place], &flow.principal);
        let names = &mut self.names[*place];
        if let Some(name) = flow.remote_name()
            && !names.contains(&name.name)
        {
            names.insert(name.name.clone());
        }
    }

    fn finish(mut self) -> Vec<Node> {
        for (node, owners) in self.nodes.iter_mut().zip(&self.owners) {
            node.owners = names(owners);
        }
        for (node, names) in self.nodes.iter_mut().zip(&self.names) {
            if matches!(node.subject, RowSubject::Host(_)) {
                node.host_name = host_name(names, &node.label);
            }
        }
        self.nodes
    }
}

/// A name with the address beside it, or how many other names the address has.
fn host_name(names: &BTreeSet<Name>, address: &str) -> Option<String> {
    let first = printable(names.first()?.as_str());
    Some(match names.len() - 1 {
        0 => format!("{first} ({address})"),
        others => format!("{first} +{others} ({address})"),
    })
}

fn of_flow(flow: &FlowRecord) -> Numbers {
    Numbers {
        count: 1,
        up: flow.rate.sent,
        down: flow.rate.received,
        sent: flow.sent.bytes,
        received: flow.received.bytes,
        ..Numbers::default()
    }
}

fn of_totals(totals: &Totals) -> Numbers {
    Numbers {
        count: totals.flows,
        up: totals.rates.sent,
        down: totals.rates.received,
        sent: totals.sent.bytes,
        received: totals.received.bytes,
        ..Numbers::default()
    }
}

/// The name of a service with its port: `https tcp/443`.
pub(super) fn service_label(service: Service) -> String {
    let Service { protocol, port } = service;
    if !protocol.has_ports() {
        return protocol.to_string();
    }
    match service_name(protocol, port) {
        Some(name) => format!("{name} {protocol}/{port}"),
        None => format!("{protocol}/{port}"),
    }
}
