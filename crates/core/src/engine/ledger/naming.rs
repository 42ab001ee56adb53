//! The names of flows: what packets said of them, kept on the flow, and what DNS said, kept for all.
//!
//! A flow is named when it opens, when its client names the server, and when its owner becomes
//! known, as each program has the names that it asked for.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flowner_flows::{Flow, FlowId, LocalAddresses, Protocol};
use flowner_names::geo::GeoDatabases;
use flowner_names::wire::ServerName;
use flowner_names::wire::dns::Message;
use flowner_names::{Evidence, FlowFacts, Hosts, NameTable, Source};

use super::{End, Ledger, Owners};
use crate::engine::places::Places;
use crate::model::names::FlowNames;
use crate::model::packet_ref::PacketRef;
use crate::model::place::RemotePlace;

/// What is known of the names of one flow.
#[derive(Debug, Clone, Default)]
pub(super) struct Naming {
    /// What its client called the other end, where that is the remote one.
    server: Option<(ServerName, Source, Duration)>,
    names: Option<Arc<FlowNames>>,
    /// Where its remote end is.
    place: Option<Arc<RemotePlace>>,
}

impl Naming {
    pub(super) fn names(&self) -> Option<Arc<FlowNames>> {
        self.names.clone()
    }

    pub(super) fn place(&self) -> Option<Arc<RemotePlace>> {
        self.place.clone()
    }
}

impl Ledger {
    /// Takes over the names of the hosts file.
    pub(crate) fn set_hosts(&mut self, hosts: Hosts) {
        self.name_table.set_hosts(hosts);
    }

    /// Looks places up in these databases from now on; returns what was used until now.
    #[must_use]
    pub(crate) fn set_places(&mut self, databases: GeoDatabases) -> Places {
        self.places.replace(databases)
    }

    pub(super) fn set_own_names(&mut self, local: &LocalAddresses) {
        let local = local.clone();
        self.name_table
            .set_own(move |address| local.contains(address));
    }

    /// Takes what a packet says of names. It was counted just now.
    pub(crate) fn evidence(&mut self, of: PacketRef, evidence: Evidence, at: Duration) {
        match evidence {
            Evidence::Server {
                name,
                source,
                server,
                ..
            } => self.server_named(of.flow, (name, source, at), server),
            Evidence::Message {
                message,
                source,
                from,
                to,
                ..
            } => self.message(of.flow, &message, source, (from, to), at),
            // What later versions know.
            _ => {}
        }
    }

    /// A client named the server. What it says of this host names no remote end.
    fn server_named(
        &mut self,
        id: FlowId,
        named: (ServerName, Source, Duration),
        server: SocketAddr,
    ) {
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        if flow.remote() != server {
            return;
        }
        // The first one: on one connection a client may ask for several hosts, one after the other.
        let naming = flow.data.naming.get_or_insert_default();
        if naming.server.is_none() {
            naming.server = Some(named);
            name(flow, &self.name_table);
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
            if let Some(program) = asker(flow) {
                table.set_asker(id.as_u64(), program);
            }
            note_questions(flow, message);
        }
    }
}

/// An end of a flow was asked about, and perhaps its owner became known.
pub(super) fn answered(flow: &mut Flow<Owners>, end: End, is_better: bool, table: &mut NameTable) {
    if !is_better || end != End::Local {
        return;
    }
    let naming = flow.data.naming.as_deref();
    let names = naming.and_then(|naming| naming.names.as_deref());
    if names.is_some_and(|names| !names.questions.is_empty())
        && let Some(program) = asker(flow)
    {
        table.set_asker(flow.id().as_u64(), program);
    }
    name(flow, table);
}

/// What stays known where a flow is cut since its owner changed: the names of a connection, and where
/// the remote end is. Another socket may have the ends of a flow of datagrams by then.
pub(super) fn of_connection(flow: &Flow<Owners>) -> Option<Box<Naming>> {
    let is_connection = flow.protocol() == Protocol::TCP;
    let naming = flow.data.naming.as_deref()?;
    let kept = if is_connection {
        naming.clone()
    } else {
        Naming {
            place: Some(naming.place()?),
            ..Naming::default()
        }
    };
    Some(Box::new(kept))
}

/// Finds out where a flow's remote end is.
pub(super) fn locate(flow: &mut Flow<Owners>, places: &mut Places) {
    if let Some(place) = places.of(flow.remote().ip()) {
        flow.data.naming.get_or_insert_default().place = Some(place);
    }
}

/// Keeps what is asked for with the flow.
fn note_questions(flow: &mut Flow<Owners>, message: &Message) {
    let naming = flow.data.naming.get_or_insert_default();
    let mut names = naming.names.as_deref().cloned().unwrap_or_default();
    let before = names.questions.len();
    for question in &message.questions {
        let is_new = !names.questions.contains(&question.name);
        if is_new && names.questions.len() < FlowNames::MAX_QUESTIONS {
            names.questions.push(question.name.clone());
        }
    }
    if names.questions.len() > before {
        naming.names = names.shared();
    }
}

/// Finds the names of a flow's remote end.
pub(super) fn name(flow: &mut Flow<Owners>, table: &NameTable) {
    let naming = flow.data.naming.as_deref();
    let server = naming.and_then(|naming| naming.server.as_ref());
    let facts = FlowFacts {
        local: flow.local().ip(),
        program: asker(flow),
        began: flow.first_seen(),
        server: server.map(|(name, source, at)| (name, *source, *at)),
    };
    let found = table.names_of(flow.remote().ip(), &facts);
    let before = naming.and_then(|naming| naming.names.as_deref());
    let questions = before.map(|names| names.questions.clone());
    let names = FlowNames {
        // A name that was certain once stays, though the table has forgotten its evidence.
        remote: found
            .name
            .or_else(|| before.and_then(|names| names.remote.clone())),
        others: found.others,
        questions: questions.unwrap_or_default(),
    };
    if before.is_none() && names.is_empty() {
        return;
    }
    flow.data.naming.get_or_insert_default().names = names.shared();
}

/// The program that owns the local end, as a number, if it is one program.
fn asker(flow: &Flow<Owners>) -> Option<u64> {
    let owner = flow.data.local.as_deref()?;
    let [program] = owner.principal.programs() else {
        return None;
    };
    // Numbers of two programs are equal by accident once in 10^19.
    let mut hasher = DefaultHasher::new();
    program.hash(&mut hasher);
    Some(hasher.finish())
}
