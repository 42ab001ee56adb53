//! A flow of the ledger as a record.

use std::net::SocketAddr;
use std::time::Duration;

use flowner_flows::{EndReason, Flow, Protocol, Update};

use super::{Ledger, Owners};
use crate::model::flow::{FlowRecord, TcpFacts};
use crate::model::packet_ref::PacketRef;
use crate::model::principal::Owner;

impl Ledger {
    /// Where the newest packet belongs.
    pub(super) const fn place_of(&self, update: Update) -> PacketRef {
        PacketRef {
            flow: update.id,
            from_initiator: update.from_initiator,
            number: self.confirming.packets,
        }
    }

    /// The same, with this seed of the Community IDs of its flows.
    pub(crate) fn with_community_seed(mut self, seed: u16) -> Self {
        self.table.set_community_seed(seed);
        self
    }
}

/// An end, without what stands in place of a port where the protocol has none.
fn with_port_of(protocol: Protocol, mut end: SocketAddr) -> SocketAddr {
    if !protocol.has_ports() {
        end.set_port(0);
    }
    end
}

impl FlowRecord {
    /// The flow as it is now.
    pub(super) fn new(flow: &Flow<Owners>, now: Duration, ended: Option<EndReason>) -> Self {
        let [local, remote] = [&flow.data.local, &flow.data.remote].map(Option::as_deref);
        let ownership = |owner: Option<&Owner>| owner.map(|owner| owner.ownership.clone());
        let principal = |owner: Option<&Owner>| owner.map(|owner| owner.principal.clone());
        Self {
            id: flow.id(),
            protocol: flow.protocol(),
            local: with_port_of(flow.protocol(), flow.local()),
            remote: with_port_of(flow.protocol(), flow.remote()),
            service_port: with_port_of(flow.protocol(), flow.responder()).port(),
            icmp_id: flow.key().icmp_id(),
            device: flow.data.device.clone(),
            direction: flow.direction(),
            state: flow.state(),
            sent: flow.sent(),
            received: flow.received(),
            rate: flow.rate(now),
            first_seen: flow.first_seen(),
            last_seen: flow.last_seen(),
            owner: ownership(local),
            remote_owner: ownership(remote),
            principal: principal(local).unwrap_or_default(),
            remote_principal: principal(remote).unwrap_or_default(),
            icmp: flow.first_message().map(|first| {
                let is_from_local = first.from_initiator == (flow.local() == flow.initiator());
                (first.kind, first.code, is_from_local)
            }),
            community_seed: flow.community_seed(),
            error: flow.error(),
            tcp: TcpFacts::new(flow, ended.is_some()),
            is_waiting: flow.data.is_waiting(),
            ended,
            place: flow.data.naming.place(),
            names: flow.data.naming.names(),
        }
    }
}
