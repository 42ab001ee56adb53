//! Sums over flows, by program, process, host, service or protocol.
//!
//! There are two sums. Each group has the traffic that it sent and received itself
//! ([`Totals::total`]): between two programs of this host, one sends the bytes that the other
//! receives, so the sum over programs exceeds the captured traffic. [`Totals::counted`] counts each
//! byte once: there, such a byte belongs only to its sender, and each breakdown adds up to the same
//! total, that of the host.

mod hosts;
mod kept;
mod remote;
mod units;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use flowner_attribution::{Ownership, Process, ProcessId, Reason, Verdict};
use flowner_flows::{Counters, Direction, Protocol, Rate};

use crate::model::flow::FlowRecord;
use crate::model::principal::Principal;
pub use hosts::HostGroup;
pub(crate) use kept::{Breakdowns, BreakdownsView, KeptView};
pub use remote::{CountryGroup, DomainGroup, NameGroup, NetworkGroup};
pub use units::{ContainerGroup, PodGroup, UnitGroup};

/// The totals of a group of flows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// Flows that contribute; a loopback flow contributes to both of its owners.
    pub flows: u64,
    /// The traffic that this side sent.
    pub sent: Counters,
    /// The traffic that it received, from other hosts and from programs of this one.
    pub received: Counters,
    /// The part of [`sent`](Self::sent) that programs of this host received.
    pub sent_here: Counters,
    /// The part of [`received`](Self::received) from programs of this host. It also counts as sent
    /// by those, and so not in [`counted`](Self::counted).
    pub received_here: Counters,
    /// Wire bytes a second, both directions; rates add up as
    /// [`counted`](Self::counted) does.
    pub rate: u64,
    /// Wire bytes a second from this side's point of view: they include traffic from programs of
    /// this host.
    pub rates: Rate,
    /// Packet time of the first packet; zero if there is none.
    pub first_seen: Duration,
    /// Packet time of the newest packet.
    pub last_seen: Duration,
}

impl Totals {
    /// The traffic that this group sent and received, which orders groups. Over the programs of a
    /// host this counts their mutual traffic twice, see [`counted`](Self::counted).
    pub fn total(&self) -> Counters {
        self.sent + self.received
    }

    /// The group's part of the host's total, in which each byte counts once: the bytes that it
    /// sent, and those that it received from other hosts.
    pub fn counted(&self) -> Counters {
        self.sent + self.received_elsewhere()
    }

    /// The traffic that it received from other hosts.
    pub fn received_elsewhere(&self) -> Counters {
        less(self.received, self.received_here)
    }

    /// The traffic that it sent to other hosts.
    pub fn sent_elsewhere(&self) -> Counters {
        less(self.sent, self.sent_here)
    }

    fn of(flow: &FlowRecord) -> Self {
        Self {
            flows: 1,
            sent: flow.sent,
            received: flow.received,
            sent_here: Counters::default(),
            received_here: Counters::default(),
            rate: flow.rate.sent.saturating_add(flow.rate.received),
            rates: flow.rate,
            first_seen: flow.first_seen,
            last_seen: flow.last_seen,
        }
    }

    /// The same from the other end's point of view.
    const fn reversed(self) -> Self {
        Self {
            sent: self.received,
            received: self.sent,
            rates: reversed(self.rates),
            ..self
        }
    }

    /// The shares of the initiator and the responder in a flow with both ends here.
    fn of_ends(flow: &FlowRecord) -> [Self; 2] {
        let end = |sent, received, rates: Rate| Self {
            sent,
            received,
            sent_here: sent,
            received_here: received,
            rate: rates.sent,
            rates,
            ..Self::of(flow)
        };
        [
            end(flow.sent, flow.received, flow.rate),
            end(flow.received, flow.sent, reversed(flow.rate)),
        ]
    }

    /// Adds another group's sums.
    pub fn add(&mut self, other: &Self) {
        let is_first = self.flows == 0;
        self.flows = self.flows.saturating_add(other.flows);
        self.sent += other.sent;
        self.received += other.received;
        self.sent_here += other.sent_here;
        self.received_here += other.received_here;
        self.rate = self.rate.saturating_add(other.rate);
        self.rates.sent = self.rates.sent.saturating_add(other.rates.sent);
        self.rates.received = self.rates.received.saturating_add(other.rates.received);
        self.first_seen = if is_first {
            other.first_seen
        } else {
            self.first_seen.min(other.first_seen)
        };
        self.last_seen = self.last_seen.max(other.last_seen);
    }
}

/// The difference between all and a part.
pub(crate) const fn less(all: Counters, part: Counters) -> Counters {
    Counters {
        packets: all.packets.saturating_sub(part.packets),
        bytes: all.bytes.saturating_sub(part.bytes),
        payload_bytes: all.payload_bytes.saturating_sub(part.payload_bytes),
    }
}

/// A rate from the other end's point of view.
const fn reversed(rate: Rate) -> Rate {
    Rate {
        sent: rate.received,
        received: rate.sent,
    }
}

/// The share of one owner in a flow.
#[derive(Debug, Clone, Copy)]
pub struct Share<'a> {
    /// The owner, if known.
    pub owner: Option<&'a Ownership>,
    /// Its principal.
    pub principal: &'a Principal,
    /// The traffic that it sent and received.
    pub totals: Totals,
    /// Whether the flow's remote end is the owner's.
    pub is_remote_end: bool,
}

impl FlowRecord {
    /// The owners of this flow with the traffic of each: one, or two if both ends are on this host.
    /// Their [counted](Totals::counted) traffic is the whole flow.
    pub fn shares(&self) -> impl Iterator<Item = Share<'_>> {
        let share = |is_remote_end, totals| {
            let (owner, principal) = if is_remote_end {
                (&self.remote_owner, &self.remote_principal)
            } else {
                (&self.owner, &self.principal)
            };
            Share {
                owner: owner.as_ref(),
                principal,
                totals,
                is_remote_end,
            }
        };
        let whole = Totals::of(self);
        let [initiator, responder] = Totals::of_ends(self);
        let owners = (self.owner.as_ref(), self.remote_owner.as_ref());
        let (first, second) = match Credited::of(self.direction, owners.0, owners.1) {
            Credited::Local => (share(false, whole), None),
            Credited::Remote => (share(true, whole.reversed()), None),
            Credited::Both => (share(false, initiator), Some(share(true, responder))),
        };
        std::iter::once(first).chain(second)
    }
}

impl FlowRecord {
    /// The same flow from the point of view of its remote end: sent and received change places, and
    /// the owner of that end comes first.
    #[must_use]
    pub fn from_remote_end(self) -> Self {
        Self {
            local: self.remote,
            remote: self.local,
            // A loopback flow is one from both ends, and so is a flow between other hosts.
            direction: match self.direction {
                Direction::Outgoing => Direction::Incoming,
                Direction::Incoming => Direction::Outgoing,
                other @ (Direction::Loopback
                | Direction::Forwarded
                | Direction::Multicast
                | Direction::Broadcast
                | Direction::Spoofed
                | Direction::Overheard
                | Direction::Unknown) => other,
            },
            sent: self.received,
            received: self.sent,
            rate: reversed(self.rate),
            owner: self.remote_owner,
            remote_owner: self.owner,
            principal: self.remote_principal,
            remote_principal: self.principal,
            // They are of the end that is the near one now.
            names: self.names.and_then(|names| names.without_remote()),
            place: None,
            ..self
        }
    }
}

/// One line of a breakdown.
#[derive(Debug, Clone, PartialEq)]
pub struct Group<K> {
    /// The common property of the flows; `None` for those that found no room in a full breakdown.
    pub key: Option<K>,
    /// What they add up to.
    pub totals: Totals,
}

/// A process as a breakdown lists it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProcessPrincipal {
    /// One process.
    Process {
        /// Pid and start time.
        id: ProcessId,
        /// Its name.
        name: String,
        /// The name or number of its user, where known.
        user: Option<String>,
    },
    /// Several processes, or no known one.
    Other(Principal),
}

impl ProcessPrincipal {
    /// The process of an owner with this principal.
    pub fn of(owner: Option<&Ownership>, principal: &Principal) -> Self {
        match owner.map(|owner| &owner.verdict) {
            Some(Verdict::Process(process)) => Self::one(process),
            _ => Self::Other(principal.clone()),
        }
    }

    fn one(process: &Process) -> Self {
        Self::Process {
            id: process.id(),
            name: process.name.clone(),
            user: process
                .user
                .as_ref()
                .map(|user| user.name.clone().unwrap_or_else(|| user.id.to_string())),
        }
    }
}

/// A service: the protocol and the responder's port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Service {
    /// The protocol above IP.
    pub protocol: Protocol,
    /// The responder's port; 0 if the protocol has none.
    pub port: u16,
}

/// How a flow's owner is known, for the coverage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coverage {
    /// At least one process is named.
    Named,
    /// Only a user or a unit is known.
    Partial,
    /// The owner is unknown, for this reason.
    Unknown(Reason),
    /// The lookup is pending, or there was none.
    Unresolved,
}

impl Coverage {
    /// The name in lower case, as JSON writes it; for an unknown owner, that of the reason.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Partial => "partial",
            Self::Unknown(reason) => reason.name(),
            Self::Unresolved => "unresolved",
        }
    }

    fn of(owner: Option<&Ownership>) -> Self {
        match owner.map(|owner| &owner.verdict) {
            None => Self::Unresolved,
            Some(Verdict::Process(_) | Verdict::Shared(_)) => Self::Named,
            Some(Verdict::Partial { .. }) => Self::Partial,
            Some(Verdict::Unknown(reason)) => Self::Unknown(*reason),
        }
    }
}

/// Sums by key.
#[derive(Debug)]
pub(crate) struct Breakdown<K> {
    groups: HashMap<K, Totals>,
    /// The totals without a group, because there was no room for more groups.
    rest: Totals,
}

/// The property that a breakdown groups by.
pub(crate) trait Key: Hash + Ord + Clone {
    /// Calls `add` with the shares of a flow by key; together, they are the whole flow.
    fn credit(flow: &FlowRecord, add: impl FnMut(Self, &Totals));
}

impl<K: Key> Breakdown<K> {
    fn count(&mut self, flow: &FlowRecord) {
        K::credit(flow, |key, totals| {
            self.groups.entry(key).or_default().add(totals);
        });
    }

    /// The groups, most bytes first.
    pub(crate) fn groups(&self) -> Vec<Group<K>> {
        let groups = self.groups.iter();
        by_size(
            groups.map(|(key, totals)| (key.clone(), *totals)),
            self.rest,
        )
    }
}

/// Groups and the totals without a group, most bytes first.
fn by_size<K: Key>(groups: impl Iterator<Item = (K, Totals)>, rest: Totals) -> Vec<Group<K>> {
    let rest = (rest.flows > 0).then_some((None, rest));
    let mut groups: Vec<_> = groups
        .map(|(key, totals)| (Some(key), totals))
        .chain(rest)
        .map(|(key, totals)| Group { key, totals })
        .collect();
    let size = |group: &Group<K>| {
        let total = group.totals.total();
        Reverse((total.bytes, total.packets, group.totals.flows))
    };
    // The key decides between equals, so that the order is always the same.
    groups.sort_by(|a, b| (size(a), &a.key).cmp(&(size(b), &b.key)));
    groups
}

impl Key for Principal {
    fn credit(flow: &FlowRecord, mut add: impl FnMut(Self, &Totals)) {
        for share in flow.shares() {
            add(share.principal.clone(), &share.totals);
        }
    }
}

impl Key for ProcessPrincipal {
    fn credit(flow: &FlowRecord, mut add: impl FnMut(Self, &Totals)) {
        for share in flow.shares() {
            add(Self::of(share.owner, share.principal), &share.totals);
        }
    }
}

impl Key for Coverage {
    fn credit(flow: &FlowRecord, mut add: impl FnMut(Self, &Totals)) {
        for share in flow.shares() {
            add(Self::of(share.owner), &share.totals);
        }
    }
}

/// By the remote end.
impl Key for IpAddr {
    fn credit(flow: &FlowRecord, mut add: impl FnMut(Self, &Totals)) {
        add(flow.remote.ip(), &Totals::of(flow));
    }
}

impl Key for Service {
    fn credit(flow: &FlowRecord, mut add: impl FnMut(Self, &Totals)) {
        let service = Self {
            protocol: flow.protocol,
            port: flow.service_port,
        };
        add(service, &Totals::of(flow));
    }
}

impl Key for Protocol {
    fn credit(flow: &FlowRecord, mut add: impl FnMut(Self, &Totals)) {
        add(flow.protocol, &Totals::of(flow));
    }
}

#[cfg(test)]
mod tests;

/// The ends of a flow to whose owners it is credited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credited {
    Local,
    /// Between a container and another host, the container's end is on this host.
    Remote,
    /// Each end gets the traffic that it sent.
    Both,
}

impl Credited {
    pub(crate) fn of(
        direction: Direction,
        local: Option<&Ownership>,
        remote: Option<&Ownership>,
    ) -> Self {
        if direction == Direction::Loopback {
            Self::Both
        } else if remote.is_none() {
            Self::Local
        } else if is_elsewhere(local) {
            Self::Remote
        } else {
            Self::Both
        }
    }
}

/// Whether an end is in no network namespace of this host.
fn is_elsewhere(owner: Option<&Ownership>) -> bool {
    owner.is_none_or(|owner| owner.verdict == Verdict::Unknown(Reason::Forwarded))
}
