//! The columns of the flow table: what each shows of a flow.

use std::time::Duration;

use flowner_core::attribution::{Ownership, Verdict};
use flowner_core::present::{self, Unit};
use flowner_core::{FlowRecord, Principal, Service, SortKey};
use serde::{Deserialize, Serialize};

use crate::picture::Pictures;
use crate::widget::table::{Cell, Head, Tone, Width};

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Column {
    Program,
    Pid,
    User,
    Protocol,
    Local,
    Remote,
    Direction,
    State,
    Age,
    Idle,
    Duration,
    Packets,
    Sent,
    Received,
    Bytes,
    Rate,
}

/// What a cell needs to know besides the flow.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The time of the report, since the Unix epoch.
    pub now: Duration,
    pub unit: Unit,
    pub pictures: &'a Pictures,
}

impl Column {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 16] = [
        Self::Program,
        Self::Pid,
        Self::User,
        Self::Protocol,
        Self::Local,
        Self::Remote,
        Self::Direction,
        Self::State,
        Self::Age,
        Self::Idle,
        Self::Duration,
        Self::Packets,
        Self::Sent,
        Self::Received,
        Self::Bytes,
        Self::Rate,
    ];

    /// Those that a new user sees.
    pub const SHOWN: [Self; 12] = [
        Self::Program,
        Self::Remote,
        Self::Protocol,
        Self::Rate,
        Self::Bytes,
        Self::Age,
        Self::State,
        Self::Direction,
        Self::Pid,
        Self::User,
        Self::Local,
        Self::Packets,
    ];

    /// What stands above it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Program => "Program",
            Self::Pid => "PID",
            Self::User => "User",
            Self::Protocol => "Service",
            Self::Local => "Local",
            Self::Remote => "Remote",
            Self::Direction => "Direction",
            Self::State => "State",
            Self::Age => "Age",
            Self::Idle => "Idle",
            Self::Duration => "Duration",
            Self::Packets => "Packets",
            Self::Sent => "Sent",
            Self::Received => "Received",
            Self::Bytes => "Total",
            Self::Rate => "Rate",
        }
    }

    /// What the flows are sorted by when it is chosen.
    pub const fn sort_key(self) -> SortKey {
        match self {
            Self::Program => SortKey::Program,
            Self::Pid => SortKey::Pid,
            Self::User => SortKey::User,
            Self::Protocol => SortKey::Protocol,
            Self::Local => SortKey::Local,
            Self::Remote => SortKey::Remote,
            Self::Direction => SortKey::Direction,
            Self::State => SortKey::State,
            Self::Age => SortKey::FirstSeen,
            Self::Idle => SortKey::LastSeen,
            Self::Duration => SortKey::Duration,
            Self::Packets => SortKey::Packets,
            Self::Sent => SortKey::Sent,
            Self::Received => SortKey::Received,
            Self::Bytes => SortKey::Bytes,
            Self::Rate => SortKey::Rate,
        }
    }

    /// Whether the greatest comes first when it is chosen the first time.
    pub const fn greatest_first(self) -> bool {
        match self {
            Self::Age
            | Self::Idle
            | Self::Duration
            | Self::Packets
            | Self::Sent
            | Self::Received
            | Self::Bytes
            | Self::Rate => true,
            Self::Program
            | Self::Pid
            | Self::User
            | Self::Protocol
            | Self::Local
            | Self::Remote
            | Self::Direction
            | Self::State => false,
        }
    }

    /// Its head.
    pub const fn head(self) -> Head {
        let title = self.title();
        match self {
            Self::Program => Head::text(title, Width::Share(1.4, 132.0)),
            Self::Local => Head::text(title, Width::Share(1.0, 150.0)),
            Self::Remote => Head::text(title, Width::Share(1.0, 168.0)),
            Self::Protocol => Head::text(title, Width::Fixed(96.0)),
            Self::State => Head::text(title, Width::Fixed(92.0)),
            Self::User => Head::text(title, Width::Fixed(88.0)),
            Self::Direction => Head::text(title, Width::Fixed(80.0)),
            Self::Pid => Head::number(title, 62.0),
            Self::Age | Self::Idle | Self::Duration => Head::number(title, 84.0),
            Self::Packets => Head::number(title, 72.0),
            Self::Sent | Self::Received | Self::Bytes => Head::amount(title),
            Self::Rate => Head::rate(title),
        }
    }

    /// What it shows of a flow.
    pub fn cell(self, flow: &FlowRecord, around: Surroundings<'_>) -> Cell {
        let unit = around.unit;
        match self {
            Self::Program => program(flow, around),
            Self::Pid => {
                let pids = owner(flow).and_then(|owner| present::pids(&owner.verdict));
                Cell::text(pids.unwrap_or_default()).muted()
            }
            Self::User => {
                let user = owner(flow).and_then(|owner| present::user(&owner.verdict));
                Cell::text(user.unwrap_or_default()).muted()
            }
            Self::Protocol => Cell::text(service(flow)),
            Self::Local => Cell::text(present::endpoint(flow.protocol, flow.local)).muted(),
            Self::Remote => Cell::text(present::endpoint(flow.protocol, flow.remote)),
            Self::Direction => Cell::text(flow.direction.name()).muted(),
            Self::State => state(flow),
            Self::Age => Cell::text(present::duration(
                around.now.saturating_sub(flow.first_seen),
            )),
            Self::Idle => Cell::text(present::duration(around.now.saturating_sub(flow.last_seen))),
            Self::Duration => Cell::text(present::duration(flow.duration())),
            Self::Packets => Cell::text(present::grouped(flow.total().packets)),
            Self::Sent => Cell::quantity(unit.amount(flow.sent)),
            Self::Received => Cell::quantity(unit.amount(flow.received)),
            Self::Bytes => Cell::quantity(unit.amount(flow.total())),
            Self::Rate => {
                let rate = flow.rate.sent.saturating_add(flow.rate.received);
                Cell::quantity(unit.rate(rate))
            }
        }
    }
}

/// The owner that stands for a flow: the local end's, else the remote end's.
pub fn owner(flow: &FlowRecord) -> Option<&Ownership> {
    let is_named = |owner: &&Ownership| !matches!(owner.verdict, Verdict::Unknown(_));
    let remote = flow.remote_owner.as_ref().filter(is_named);
    match flow.owner.as_ref() {
        Some(owner) if is_named(&owner) => Some(owner),
        other => remote.or(other),
    }
}

/// Whom a flow is listed under.
pub fn principal(flow: &FlowRecord) -> &Principal {
    if flow.principal == Principal::Unattributed {
        &flow.remote_party
    } else {
        &flow.principal
    }
}

fn program(flow: &FlowRecord, around: Surroundings<'_>) -> Cell {
    let principal = principal(flow);
    let picture = Some(around.pictures.of(principal));
    let verdict = owner(flow).map(|owner| &owner.verdict);
    let text = present::principal(principal, verdict, flow.is_waiting);
    let tone = match principal {
        Principal::Unattributed => Tone::Muted,
        _ => Tone::Text,
    };
    Cell::text(text).toned(tone).pictured(picture)
}

/// The name of a flow's service, else protocol and port.
pub fn service(flow: &FlowRecord) -> String {
    present::service(Service {
        protocol: flow.protocol,
        port: flow.service_port,
    })
}

fn state(flow: &FlowRecord) -> Cell {
    match flow.ended {
        Some(reason) => Cell::text(reason.name()).toned(Tone::Muted),
        None => Cell::text(flow.state.name()),
    }
}
