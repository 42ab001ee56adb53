//! One flow as reports, events and both apps show it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flowner_attribution::{Ownership, TranslatedFrom};
use flowner_flows::{
    Counters, Direction, EndReason, Flow, FlowError, FlowId, Protocol, Rate, Retransmissions,
    RoundTrip, State,
};

use crate::model::community_id::{CommunityId, Tuple};
use crate::model::names::{FlowNames, HostName, Name};
use crate::model::place::{AddressRange, Country, RemotePlace};
use crate::model::principal::Principal;

/// A flow and its owners at one point in time.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowRecord {
    /// Unique within one monitor.
    pub id: FlowId,
    /// The protocol above IP.
    pub protocol: Protocol,
    /// This host's end; for loopback flows the initiator's. The port is 0 if the protocol has none.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// The responder's port, which identifies the service; 0 if the protocol has no ports.
    pub service_port: u16,
    /// The id of ICMP requests and replies such as echo; `None` for all others.
    pub icmp_id: Option<u16>,
    /// The name of the device on which its first packet was counted, if known.
    pub device: Option<Arc<str>>,
    /// The direction of the flow, from the point of view of this host.
    pub direction: Direction,
    /// Its state according to its packets.
    pub state: State,
    /// The counters of `local`: packets, wire bytes, payload bytes.
    pub sent: Counters,
    /// The counters of `remote`.
    pub received: Counters,
    /// Wire bytes a second at the time of the report.
    pub rate: Rate,
    /// Packet time of the first packet, since the Unix epoch.
    pub first_seen: Duration,
    /// Packet time of the newest packet, since the Unix epoch.
    pub last_seen: Duration,
    /// The owner of the local end; `None` before its lookup, or if there is none, as for files.
    pub owner: Option<Ownership>,
    /// The owner of the remote end, if that is on this host too: in a loopback flow, or in a
    /// container.
    pub remote_owner: Option<Ownership>,
    /// The principal of `owner`: programs, as people name them.
    pub principal: Principal,
    /// The principal of `remote_owner`.
    pub remote_principal: Principal,
    /// The type and code of a flow's first ICMP message, and whether `local` sent it.
    pub icmp: Option<(u8, u8, bool)>,
    /// The seed of [`community_id`](Self::community_id).
    pub community_seed: u16,
    /// The newest ICMP error about the flow. Errors count as packets of the end to which the
    /// rejected packet went.
    pub error: Option<FlowError>,
    /// The quality of a TCP connection.
    pub tcp: Option<TcpFacts>,
    /// Whether an owner may still become known.
    pub is_waiting: bool,
    /// Why the flow is over, if it is.
    pub ended: Option<EndReason>,
    /// The names of the flow, if there are any.
    pub names: Option<Arc<FlowNames>>,
    /// Where the remote end is, if a database knows it; see [`range`](Self::range) for addresses that
    /// are in no country.
    pub place: Option<Arc<RemotePlace>>,
}

/// The quality of a TCP connection, according to its packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpFacts {
    /// The retransmissions of `local`, as far as both copies were captured.
    pub sent_again: Retransmissions,
    /// The retransmissions of `remote`. If segments were lost before they reached the capture,
    /// their retransmissions do not count.
    pub received_again: Retransmissions,
    /// The round-trip time, from a segment of `local` to its acknowledgment.
    pub round_trip: Option<RoundTrip>,
    /// Whether `local` or `remote` tried to connect and failed: the other end refused it or is
    /// unreachable, or no answer came as long as the flow was live.
    pub is_failed: bool,
}

impl TcpFacts {
    /// The number of retransmitted segments, both directions.
    pub const fn retransmitted(&self) -> u64 {
        self.sent_again
            .segments
            .saturating_add(self.received_again.segments)
    }

    /// For a flow that ended or not.
    pub(crate) fn new<T>(flow: &Flow<T>, has_ended: bool) -> Option<Self> {
        let state = flow.state();
        let is_over = has_ended || state.has_ended() || state == State::Unreachable;
        (flow.protocol() == Protocol::TCP).then(|| Self {
            sent_again: flow.sent_again(),
            received_again: flow.received_again(),
            round_trip: flow.round_trip(),
            is_failed: is_over && flow.is_unanswered_connect(),
        })
    }
}

impl FlowRecord {
    /// The name of the remote end, with its evidence.
    pub fn remote_name(&self) -> Option<&HostName> {
        self.names.as_ref()?.remote.as_ref()
    }

    /// The names that a flow of DNS requests.
    pub fn dns_questions(&self) -> &[Name] {
        self.names.as_ref().map_or(&[], |names| &names.questions)
    }

    /// Where the remote end is, if a database knows it.
    pub fn place(&self) -> Option<&RemotePlace> {
        self.place.as_deref()
    }

    /// The country of the remote end, if a database knows it.
    pub fn country(&self) -> Option<&Country> {
        self.place()?.country.as_ref()
    }

    /// The range of the remote address, if it is no ordinary part of the Internet, such as that of
    /// private networks.
    pub fn range(&self) -> Option<AddressRange> {
        AddressRange::of(self.remote.ip())
    }

    /// Everything that was counted for this flow, both directions.
    pub fn total(&self) -> Counters {
        self.sent + self.received
    }

    /// Packet time from the first packet to the newest one.
    pub const fn duration(&self) -> Duration {
        self.last_seen.saturating_sub(self.first_seen)
    }

    /// Its id in other monitors of the network; `None` if its packets were cut too early.
    pub fn community_id(&self) -> Option<CommunityId> {
        let is_from_local = self.icmp.is_none_or(|(.., is_from_local)| is_from_local);
        let (source, destination) = if is_from_local {
            (self.local, self.remote)
        } else {
            (self.remote, self.local)
        };
        let tuple = Tuple {
            protocol: self.protocol,
            source,
            destination,
            icmp: self.icmp.map(|(kind, code, _)| (kind, code)),
            seed: self.community_seed,
        };
        tuple.id()
    }

    /// The original ends of this flow's socket, if this host translates the flow's packets (NAT):
    /// for the local end, or else for the remote one. `local` belongs to the flow's local end
    /// either way.
    pub fn translated_from(&self) -> Option<TranslatedFrom> {
        let of = |owner: &Option<Ownership>| {
            owner.as_ref()?.evidence.translated_from.as_deref().copied()
        };
        of(&self.owner).or_else(|| Some(of(&self.remote_owner)?.reversed()))
    }

    /// The owner of the flow in a list of all: that of the local end, or that of the remote end if
    /// only that one is known.
    pub fn named_owner(&self) -> Option<&Ownership> {
        let is_known = |owner: &&Ownership| owner.verdict.reason().is_none();
        match self.owner.as_ref() {
            Some(owner) if is_known(&owner) => Some(owner),
            other => self.remote_owner.as_ref().filter(is_known).or(other),
        }
    }

    /// The principal of [`named_owner`](Self::named_owner).
    pub fn named_principal(&self) -> &Principal {
        match &self.principal {
            Principal::Unattributed => &self.remote_principal,
            principal => principal,
        }
    }
}
