//! Sums over flows, by program, process, host, service or protocol.
//!
//! There are two sums. Each group has what *it* sent and received
//! ([`Totals::total`]): between two programs of this host, the one sent what the other
//! received, so that over programs this adds up to more than was captured. What counts
//! each byte once is [`Totals::counted`]: there, such a byte is its sender's only, and each
//! breakdown adds up to the same total, that of the host.

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
pub(crate) use kept::{Breakdowns, BreakdownsView, KeptView};
pub use remote::{CountryGroup, DomainGroup, NameGroup, NetworkGroup};
pub use units::{ContainerGroup, PodGroup, UnitGroup};

/// What some group of flows adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// Flows that contribute; a loopback flow contributes to both of its owners.
    pub flows: u64,
    /// What this side sent.
    pub sent: Counters,
    /// What was sent to it, by other hosts and by programs of this one.
    pub received: Counters,
    /// The part of [`sent`](Self::sent) that programs of this host received.
    pub sent_here: Counters,
    /// The part of [`received`](Self::received) that programs of this host sent. It is
    /// among what those sent, too, and so not part of [`counted`](Self::counted).
    pub received_here: Counters,
    /// Wire bytes a second, both directions; rates add up as
    /// [`counted`](Self::counted) does.
    pub rate: u64,
    /// Wire bytes a second as this side has them: what it receives from programs of
    /// this host is among what it receives.
    pub rates: Rate,
    /// Packet time of the first packet; zero where there is none.
    pub first_seen: Duration,
    /// Packet time of the newest packet.
    pub last_seen: Duration,
}

impl Totals {
    /// What this group sent and received: that by which groups are compared. Over the
    /// programs of a host this counts twice what they sent each other, see
    /// [`counted`](Self::counted).
    pub fn total(&self) -> Counters {
        self.sent + self.received
    }

    /// The group's part of the host's total, in which each byte counts once: what it sent,
    /// and what it received from other hosts.
    pub fn counted(&self) -> Counters {
        self.sent + self.received_elsewhere()
    }

    /// What it received from other hosts.
    pub fn received_elsewhere(&self) -> Counters {
        less(self.received, self.received_here)
    }

    /// What it sent to other hosts.
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

    /// As the other end sees it.
    const fn reversed(self) -> Self {
        Self {
            sent: self.received,
            received: self.sent,
            rates: reversed(self.rates),
            ..self
        }
    }

    /// The initiator's and the responder's share of a flow that has both ends here.
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

/// What is left when a part of it is taken away.
pub(crate) const fn less(all: Counters, part: Counters) -> Counters {
    Counters {
        packets: all.packets.saturating_sub(part.packets),
        bytes: all.bytes.saturating_sub(part.bytes),
        payload_bytes: all.payload_bytes.saturating_sub(part.payload_bytes),
    }
}

/// A rate as the other end has it.
const fn reversed(rate: Rate) -> Rate {
    Rate {
        sent: rate.received,
        received: rate.sent,
    }
}

/// What one owner has of a flow.
#[derive(Debug, Clone, Copy)]
pub struct Share<'a> {
    /// Who it is, as far as that is known.
    pub owner: Option<&'a Ownership>,
    /// Whom it stands for.
    pub principal: &'a Principal,
    /// What it sent and received.
    pub totals: Totals,
    /// Whether the flow's remote end is the owner's.
    pub is_remote_end: bool,
}

impl FlowRecord {
    /// The owners of this flow with what each sent and received: one, or two where both
    /// ends are on this host. What is [counted](Totals::counted) of them is the whole flow.
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
    /// The same flow as its remote end has it: what was sent was received, and the owner of
    /// that end stands first.
    #[must_use]
    pub fn from_remote_end(self) -> Self {
        Self {
            local: self.remote,
            remote: self.local,
            // Loopback is loopback from both ends, and others' is others'.
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
    /// What the flows have in common; `None` for those that found no place in a
    /// breakdown that was full.
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
    /// Several processes, or none that is known.
    Other(Principal),
}

impl ProcessPrincipal {
    /// Whom an owner stands for, whose programs are these.
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
    /// The responder's port; 0 where the protocol has none.
    pub port: u16,
}

/// How a flow's owner is known, as far as coverage is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coverage {
    /// At least one process is named.
    Named,
    /// Only a user or a unit is known.
    Partial,
    /// Nobody, for this reason.
    Unknown(Reason),
    /// Nobody yet, or nobody was asked.
    NotAsked,
}

impl Coverage {
    /// The name in lower case, as JSON writes it; for the unknown, the reason's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Partial => "partial",
            Self::Unknown(reason) => reason.name(),
            Self::NotAsked => "not-asked",
        }
    }

    fn of(owner: Option<&Ownership>) -> Self {
        match owner.map(|owner| &owner.verdict) {
            None => Self::NotAsked,
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
    /// What is of no group, as there was no place for more of them.
    rest: Totals,
}

/// What a breakdown is by.
pub(crate) trait Key: Hash + Ord + Clone {
    /// Tells what is credited to whom of a flow: together, all of it.
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

/// Groups and what is of none of them, most bytes first.
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

/// To the owners of which ends a flow is credited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credited {
    Local,
    /// Between a container and another host, the container's end is ours.
    Remote,
    /// To each what it sent.
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

/// Whether an end is on no network of this host.
fn is_elsewhere(owner: Option<&Ownership>) -> bool {
    owner.is_none_or(|owner| owner.verdict == Verdict::Unknown(Reason::Forwarded))
}
