//! The names of flows: names from a flow's own packets stay with the flow; names from DNS are in one
//! table for all flows.
//!
//! The ledger names a flow when it opens, when its client names the server, and when its owner becomes
//! known, because the names that a program asked for are for its own flows first.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use flowner_attribution::Verdict;
use flowner_flows::{Flow, FlowId, LocalAddresses, Packet, Protocol};
use flowner_names::geo::GeoDatabases;
use flowner_names::wire::ServerName;
use flowner_names::wire::dns::Message;
use flowner_names::{FlowFacts, FlowOwner, Hosts, NameEvidence, NameTable, Source};

use super::{End, Ledger, Owners};
use crate::engine::places::Places;
use crate::engine::unnamed::Unnamed;
use crate::model::names::{AskedBy, FlowNames, HostName, Name};
use crate::model::packet_ref::PacketRef;
use crate::model::place::RemotePlace;

const DNS: u16 = 53;

/// The state of naming of one flow.
#[derive(Debug, Clone, Default)]
pub(super) struct Naming {
    names: Option<Arc<FlowNames>>,
    /// The place of its remote end.
    place: Option<Arc<RemotePlace>>,
}

impl Naming {
    pub(super) fn names(&self) -> Option<Arc<FlowNames>> {
        self.names.clone()
    }

    pub(super) fn place(&self) -> Option<Arc<RemotePlace>> {
        self.place.clone()
    }

    /// The name by which its client called the server, if the server is the remote end.
    fn said(&self) -> Option<&HostName> {
        let remote = self.names.as_deref()?.remote.as_ref();
        remote.filter(|remote| is_said(remote.source))
    }

    /// Takes over the name that the client gave the server.
    fn say(&mut self, server: ServerName, source: Source, at: Duration) {
        let mut said = HostName::new(server.name, source, AskedBy::Program);
        said.observed_at = Some(at);
        said.may_be_outer = server.may_be_outer;
        let names = self.names.get_or_insert_default();
        put_first(said, Arc::make_mut(names));
    }
}

/// Whether the client says such a name in the flow itself.
const fn is_said(source: Source) -> bool {
    matches!(
        source,
        Source::Tls | Source::Quic | Source::Http | Source::Proxy
    )
}

/// Whether an answer gives an address such a name.
const fn is_of_answer(source: Source) -> bool {
    matches!(source, Source::Dns | Source::Mdns | Source::Llmnr)
}

/// Puts the name that a client says before those that the address has besides.
fn put_first(mut said: HostName, names: &mut FlowNames) {
    if let Some(remote) = names.remote.take() {
        if remote.name == said.name {
            // One text for both.
            said.name = remote.name;
        } else if is_of_answer(remote.source) {
            names.others.insert(0, remote);
        }
    }
    names.others.retain(|other| other.name != said.name);
    names.remote = Some(said);
}

impl Ledger {
    /// Takes a name that the file gives an address, for flows that open from now on.
    pub(crate) fn name_recorded(&mut self, address: IpAddr, name: Name) {
        self.name_table.observe_recorded(address, name);
    }

    /// Replaces the names of the hosts file, and returns the former ones.
    pub(crate) fn set_hosts(&mut self, hosts: Hosts) -> Hosts {
        self.name_table.set_hosts(hosts)
    }

    /// Sets the databases for places, and returns the former ones.
    #[must_use]
    pub(crate) fn set_places(&mut self, databases: GeoDatabases) -> Places {
        self.places.replace(databases)
    }

    pub(super) fn set_own_names(&mut self, local: &LocalAddresses) {
        let local = local.clone();
        self.name_table
            .set_own(move |address| local.contains(address));
    }

    /// Takes the evidence of names from a packet that was just counted.
    pub(crate) fn evidence(&mut self, of: PacketRef, evidence: NameEvidence, packet: &Packet) {
        let at = packet.time;
        // With this packet the flow may have gone on as another one.
        let Some((flow, _)) = self.flow_with(of) else {
            return;
        };
        let id = flow.id();
        match evidence {
            NameEvidence::Server {
                name,
                source,
                server,
                is_late,
                bytes_before,
                ..
            } => {
                let said_before = is_late.then_some((packet.payload_len, bytes_before));
                self.server_named(id, (name, source, at), server, said_before);
            }
            NameEvidence::Message {
                message,
                source,
                from,
                to,
                ..
            } => self.message(id, &message, source, (from, to), at),
            // Evidence of later versions.
            _ => {}
        }
    }

    /// A client named the server. A name for this host is no name of a remote end. If the opening was not
    /// captured: with the bytes of this packet, and those before it that belong to the name.
    fn server_named(
        &mut self,
        id: FlowId,
        named: (ServerName, Source, Duration),
        server: SocketAddr,
        said_before: Option<(u32, usize)>,
    ) {
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        if flow.remote() != server {
            return;
        }
        // Later data of the client may be a file that looks like a request.
        if let Some((of_packet, belonging)) = said_before {
            let before = flow.sent().payload_bytes.saturating_sub(of_packet.into());
            let is_first = usize::try_from(before).is_ok_and(|before| before <= belonging);
            if !is_first || flow.is_continued() {
                return;
            }
        }
        // Only the first one: a client may ask for several hosts on one connection, one after the other.
        let naming = &mut flow.data.naming;
        if naming.said().is_none() {
            let (server, source, at) = named;
            naming.say(server, source, at);
        }
    }

    fn message(
        &mut self,
        id: FlowId,
        message: &Message,
        source: Source,
        (from, to): (SocketAddr, SocketAddr),
        at: Duration,
    ) {
        let table = &mut self.name_table;
        table.observe(message, source, (from, to), id.as_u64(), at);
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        if !message.is_response {
            if let Some(owner) = owner_of(flow) {
                table.set_dns_flow_owner(id.as_u64(), owner);
            }
            note_questions(flow, message);
        }
    }
}

/// The owner of an end may have become known by a lookup.
pub(super) fn answered(flow: &mut Flow<Owners>, end: End, is_better: bool, table: &mut NameTable) {
    if !is_better || end != End::Local {
        return;
    }
    let names = flow.data.naming.names.as_deref();
    if names.is_some_and(|names| !names.questions.is_empty())
        && let Some(owner) = owner_of(flow)
    {
        table.set_dns_flow_owner(flow.id().as_u64(), owner);
    }
    name(flow, table);
}

/// The names that a flow keeps when its owner changes and it is cut: those of a connection, and the
/// place of the remote end. Another socket may have the ends of a datagram flow by then.
pub(super) fn of_connection(flow: &Flow<Owners>) -> Naming {
    let naming = &flow.data.naming;
    if flow.protocol() == Protocol::TCP {
        return naming.clone();
    }
    Naming {
        place: naming.place(),
        ..Naming::default()
    }
}

/// The same where all of a flow is another owner's: what it asked for was in its packets.
pub(super) fn of_whole(flow: &Flow<Owners>) -> Naming {
    let kept = of_connection(flow);
    let names = flow.data.naming.names.as_deref();
    Naming {
        names: kept.names.or_else(|| names?.without_remote()),
        ..kept
    }
}

/// Whether the remote end has a name.
pub(super) fn has_name(flow: &Flow<Owners>) -> bool {
    let names = flow.data.naming.names.as_ref();
    names.is_some_and(|names| names.remote.is_some())
}

/// The remote address with its name, if the name is that of the address: not of a host behind a proxy,
/// and not one that another host asked for.
pub(super) fn of_address(flow: &Flow<Owners>) -> Option<(IpAddr, Name)> {
    let names = flow.data.naming.names.as_ref()?;
    let is_of_address =
        |it: &&HostName| it.source != Source::Proxy && it.asked_by != AskedBy::AnotherHost;
    let remote = names.remote.as_ref().filter(is_of_address)?;
    Some((flow.remote().ip(), remote.name.clone()))
}

/// Finds the place and the names of the remote end of a new flow.
pub(super) fn opened(
    flow: &mut Flow<Owners>,
    table: &NameTable,
    places: &mut Places,
    unnamed: &mut Option<Unnamed>,
) {
    locate(flow, places);
    name(flow, table);
    if let Some(unnamed) = unnamed.as_mut().filter(|_| !has_name(flow)) {
        unnamed.add(flow.remote().ip(), flow.id());
    }
}

/// Finds the place of a flow's remote end.
fn locate(flow: &mut Flow<Owners>, places: &mut Places) {
    flow.data.naming.place = places.of(flow.remote().ip());
}

/// Keeps the names that a flow of DNS asks for.
fn note_questions(flow: &mut Flow<Owners>, message: &Message) {
    let names = &mut flow.data.naming.names;
    for question in &message.questions {
        let known = names.as_deref().map_or(&[][..], |names| &names.questions);
        if known.len() < FlowNames::MAX_QUESTIONS && !known.contains(&question.name) {
            let names = Arc::make_mut(names.get_or_insert_default());
            // Mostly there is no other one.
            names.questions.reserve_exact(1);
            names.questions.push(question.name.clone());
        }
    }
}

/// Finds the names of a flow's remote end.
pub(super) fn name(flow: &mut Flow<Owners>, table: &NameTable) {
    let facts = FlowFacts {
        local: flow.local().ip(),
        owner: owner_of(flow),
        began: flow.first_seen(),
        server: None,
    };
    let mut found = table.names_of(flow.remote().ip(), &facts);
    // Programs use their resolver by its address, so a lookup of one of its names means nothing.
    let is_of_resolver =
        |name: &HostName| flow.remote().port() == DNS && name.source == Source::Dns;
    let is_too_late = |name: &HostName| has_begun_before(flow) && is_of_answer(name.source);
    if let Some(name) = found
        .name
        .take_if(|name| is_of_resolver(name) || is_too_late(name))
    {
        found.others.insert(0, name);
    }
    let before = flow.data.naming.names.as_deref();
    if before.is_none() && found.name.is_none() && found.others.is_empty() {
        return;
    }
    let said = flow.data.naming.said().cloned();
    let questions = before.map(|names| names.questions.clone());
    let mut names = FlowNames {
        // A name that was certain once stays, even if the table has dropped its evidence.
        remote: found
            .name
            .or_else(|| before.and_then(|names| names.remote.clone()))
            .filter(|remote| said.is_none() || !is_said(remote.source)),
        others: found.others,
        questions: questions.unwrap_or_default(),
    };
    if let Some(said) = said {
        put_first(said, &mut names);
    }
    flow.data.naming.names = names.shared();
}

/// Whether this is a connection that began before its first packet, at a time that nobody knows: any
/// answer may have come later.
fn has_begun_before(flow: &Flow<Owners>) -> bool {
    flow.protocol() == Protocol::TCP && (flow.is_continued() || !flow.initiator_certain())
}

/// The program that owns the local end, and its process, as numbers, if it is one program.
fn owner_of(flow: &Flow<Owners>) -> Option<FlowOwner> {
    let owner = flow.data.local.as_deref()?;
    let [program] = owner.principal.programs() else {
        return None;
    };
    let program = number(program);
    Some(match &owner.ownership.verdict {
        Verdict::Process(process) => {
            FlowOwner::process(program, number((process.pid, process.started)))
        }
        _ => FlowOwner::program(program),
    })
}

/// The numbers of two programs are equal by accident once in 10^19.
fn number(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
