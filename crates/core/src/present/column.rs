//! The columns of lists of flows and sockets: title, width, values and sort order of each column,
//! for all apps.

mod value;

use std::time::Duration;

use flowner_attribution::{Reason, Verdict};
use flowner_flows::Counters;
use serde::{Deserialize, Serialize};

use super::owner::{owner, path, pids, principal, socket_owner, unit, unknown, user, verdict};
use super::row::{Row, RowOf};
use super::{endpoint, local_end, printable, remote_end, socket_protocol};
pub use value::{OrderKey, Value};

use crate::model::principal::Principal;
use crate::query::sockets::is_time_wait;
use crate::query::sort::SortKey;

/// A column. The name in settings is that of the variant, in lower case with `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Column {
    /// The program that owns the socket, or why that is unknown.
    Program,
    /// The process id of the owner.
    Pid,
    /// The user of the owner.
    User,
    /// The protocol above IP.
    Protocol,
    /// This host's end.
    Local,
    /// The other end.
    Remote,
    /// The name of the service.
    Service,
    /// The state of the flow or the socket.
    State,
    /// Wire bytes a second that this end sends.
    Up,
    /// Wire bytes a second that this end receives.
    Down,
    /// What this end sent.
    Sent,
    /// What this end received.
    Received,
    /// Which end opened the flow.
    Direction,
    /// The time from the first to the newest packet.
    Duration,
    /// Packets, both directions.
    Packets,
    /// Bytes or packets, both directions.
    Bytes,
    /// Wire bytes a second, both directions.
    Rate,
    /// The time since the first packet.
    Age,
    /// The time since the newest packet.
    Idle,
    /// The processes that own the socket, of both ends where both are on this host.
    Owner,
    /// The service, container or sandbox of the owner.
    Unit,
    /// The network namespace of the socket, if that is another one.
    Namespace,
    /// The file that the owner executes.
    Path,
    /// The name of the other end, from the packets of this host.
    Name,
    /// TCP segments that were sent again, both directions.
    Retransmits,
    /// The round-trip time of TCP.
    Rtt,
}

/// The fixed properties of a column.
struct Spec {
    title: &'static str,
    /// For narrow lists.
    heading: &'static str,
    widths: [u16; 3],
    is_number: bool,
    sort_key: SortKey,
    /// The rank in lists of flows, and in those of sockets. A list without room drops the column
    /// with the highest rank first. `None` if the column has no values there.
    ranks: [Option<u8>; 2],
}

const fn spec(title: &'static str, heading: &'static str, widths: [u16; 3], by: SortKey) -> Spec {
    Spec {
        title,
        heading,
        widths,
        is_number: false,
        sort_key: by,
        ranks: [None, None],
    }
}

impl Spec {
    const fn number(self) -> Self {
        Self {
            is_number: true,
            ..self
        }
    }

    const fn of_flows(self, rank: u8) -> Self {
        Self {
            ranks: [Some(rank), self.ranks[1]],
            ..self
        }
    }

    const fn of_sockets(self, rank: u8) -> Self {
        Self {
            ranks: [self.ranks[0], Some(rank)],
            ..self
        }
    }
}

impl Column {
    /// All columns, in display order.
    pub const ALL: [Self; 26] = [
        Self::Program,
        Self::Pid,
        Self::User,
        Self::Protocol,
        Self::Local,
        Self::Remote,
        Self::Service,
        Self::State,
        Self::Up,
        Self::Down,
        Self::Sent,
        Self::Received,
        Self::Direction,
        Self::Duration,
        Self::Packets,
        Self::Bytes,
        Self::Rate,
        Self::Age,
        Self::Idle,
        Self::Owner,
        Self::Unit,
        Self::Namespace,
        Self::Path,
        Self::Name,
        Self::Retransmits,
        Self::Rtt,
    ];

    #[rustfmt::skip]
    const fn spec(self) -> Spec {
        use SortKey as By;
        match self {
            Self::Program => spec("Program", "PROGRAM", [10, 24, 34], By::Program).of_flows(0).of_sockets(0),
            Self::Pid => spec("PID", "PID", [7; 3], By::Pid).number().of_flows(7).of_sockets(4),
            Self::User => spec("User", "USER", [8, 8, 16], By::User).of_flows(8).of_sockets(5),
            Self::Protocol => spec("Protocol", "PROTO", [5, 5, 7], By::Protocol).of_flows(2).of_sockets(2),
            Self::Local => spec("Local", "LOCAL", [13, 17, 47], By::Local).of_flows(9).of_sockets(0),
            Self::Remote => spec("Remote", "REMOTE", [8, 17, 47], By::Remote).of_flows(0).of_sockets(1),
            Self::Service => spec("Service", "SERVICE", [8, 8, 14], By::Service).of_flows(5).of_sockets(6),
            Self::State => spec("State", "STATE", [11, 11, 12], By::State).of_flows(3).of_sockets(3),
            Self::Up => spec("Up", "UP", [9; 3], By::Up).number().of_flows(0),
            Self::Down => spec("Down", "DOWN", [9; 3], By::Down).number().of_flows(0),
            Self::Sent => spec("Sent", "SENT", [7; 3], By::Sent).number().of_flows(6),
            Self::Received => spec("Received", "RECEIVED", [8; 3], By::Received).number().of_flows(4),
            Self::Direction => spec("Direction", "DIRECTION", [9, 9, 9], By::Direction).of_flows(10),
            Self::Duration => spec("Duration", "DURATION", [11; 3], By::Duration).number().of_flows(11),
            Self::Packets => spec("Packets", "PACKETS", [9; 3], By::Packets).number().of_flows(12),
            Self::Bytes => spec("Total", "TOTAL", [7; 3], By::Bytes).number().of_flows(13),
            Self::Rate => spec("Rate", "RATE", [9; 3], By::Rate).number().of_flows(14),
            Self::Age => spec("Age", "AGE", [11; 3], By::FirstSeen).number().of_flows(15),
            Self::Idle => spec("Idle", "IDLE", [11; 3], By::LastSeen).number().of_flows(16),
            Self::Owner => spec("Owner", "OWNER", [16, 24, 60], By::Owner).of_flows(20).of_sockets(10),
            Self::Unit => spec("Unit", "UNIT", [16, 16, 40], By::Unit).of_flows(17).of_sockets(7),
            Self::Namespace => spec("Namespace", "NAMESPACE", [9, 12, 24], By::Namespace).of_flows(19).of_sockets(9),
            Self::Name => spec("Name", "NAME", [12, 24, 48], By::Name).of_flows(21),
            Self::Path => spec("Path", "PATH", [24, 24, 64], By::Path).of_flows(18).of_sockets(8),
            Self::Retransmits => spec("Sent again", "RETRANS", [7; 3], By::Retransmits).number().of_flows(22),
            Self::Rtt => spec("Round trip", "RTT", [9; 3], By::Rtt).number().of_flows(23),
        }
    }

    /// The title.
    pub const fn title(self) -> &'static str {
        self.spec().title
    }

    /// The title in capital letters, abbreviated if it is long.
    pub const fn heading(self) -> &'static str {
        self.spec().heading
    }

    /// The minimum width, the width to be readable, and the maximum useful width, in characters.
    pub const fn widths(self) -> [u16; 3] {
        self.spec().widths
    }

    /// Whether it has numbers, which are aligned to the right.
    pub const fn is_number(self) -> bool {
        self.spec().is_number
    }

    /// The rank in lists of flows: a list without room drops the column with the highest rank
    /// first. `None` if flows have no value for it.
    pub const fn rank_in_flows(self) -> Option<u8> {
        self.spec().ranks[0]
    }

    /// As [`rank_in_flows`](Self::rank_in_flows), of sockets.
    pub const fn rank_in_sockets(self) -> Option<u8> {
        self.spec().ranks[1]
    }

    /// The sort key of a list of flows that this column sorts.
    pub const fn sort_key(self) -> SortKey {
        self.spec().sort_key
    }

    /// Whether the first choice of this column sorts the greatest value first.
    pub const fn greatest_first(self) -> bool {
        self.is_number() && !matches!(self, Self::Pid)
    }

    /// The value of a line in this column.
    pub fn value(self, row: &Row<'_>) -> Value {
        let sums = |sum: fn(Counters, Counters) -> Value| {
            row.counters().map(|(sent, received)| sum(sent, received))
        };
        let rates = |sum: fn(u64, u64) -> u64| {
            row.rates()
                .map(|(sent, received)| Value::Rate(sum(sent, received)))
        };
        let value = match self {
            Self::Program => Some(who(row, program(row))),
            Self::Pid => row.verdict().and_then(pids).map(Value::Text),
            Self::User => row.verdict().and_then(user).map(Value::Text),
            Self::Protocol => Some(Value::Text(protocol(row))),
            Self::Local => Some(Value::Address(near_end(row))),
            Self::Remote => far_end(row).map(Value::Address),
            Self::Service => row.service().map(Value::Text),
            Self::State => row.state().map(|state| Value::Text(state.to_owned())),
            Self::Up => rates(|sent, _| sent),
            Self::Down => rates(|_, received| received),
            Self::Rate => rates(u64::saturating_add),
            Self::Sent => sums(|sent, _| Value::Amount(sent)),
            Self::Received => sums(|_, received| Value::Amount(received)),
            Self::Bytes => sums(|sent, received| Value::Amount(sent + received)),
            Self::Packets => sums(|sent, received| Value::Count((sent + received).packets)),
            Self::Owner => Some(owners(row)),
            Self::Unit => row.verdict().and_then(unit).map(Value::Text),
            Self::Path => row
                .verdict()
                .and_then(|verdict| path(verdict.processes().first()?))
                .map(Value::Text),
            Self::Namespace => row
                .namespace()
                .map(|it| Value::Text(printable(&it.to_string()))),
            Self::Name => row
                .name()
                .map(|it| Value::Text(printable(it.name.as_str()))),
            Self::Direction
            | Self::Duration
            | Self::Age
            | Self::Idle
            | Self::Retransmits
            | Self::Rtt => self.of_flow(row),
        };
        value.unwrap_or(Value::Nothing)
    }

    /// Values that only flows have.
    fn of_flow(self, row: &Row<'_>) -> Option<Value> {
        let RowOf::Flow { flow, now, .. } = row.of else {
            return None;
        };
        match self {
            Self::Direction => Some(Value::Text(flow.direction.name().to_owned())),
            Self::Age => Some(Value::Time(now.saturating_sub(flow.first_seen))),
            Self::Idle => Some(Value::Time(now.saturating_sub(flow.last_seen))),
            Self::Duration => Some(Value::Time(flow.duration())),
            Self::Retransmits => Some(Value::Count(flow.tcp?.retransmitted())),
            Self::Rtt => Some(Value::Text(milliseconds(flow.tcp?.round_trip?.smoothed))),
            // A test checks that each column with a rank has a value.
            _ => None,
        }
    }

    /// The sort key of a line in this column; lines without a value come last. For flows it is the
    /// order of [`sort_key`](Self::sort_key).
    pub fn order(self, row: &Row<'_>) -> OrderKey {
        let total = row
            .counters()
            .map_or(0, |(sent, received)| (sent + received).bytes);
        let (up, down) = row.rates().unwrap_or_default();
        let first = row
            .verdict()
            .and_then(|verdict| verdict.processes().first());
        match self {
            Self::Program => match row.principal() {
                Principal::Unattributed => OrderKey::None,
                principal => OrderKey::text(&principal.to_string()),
            },
            Self::Pid => first.map_or(OrderKey::None, |first| {
                OrderKey::Number(first.pid.into(), 0)
            }),
            Self::Owner => first.map_or(OrderKey::None, |first| OrderKey::text(&first.name)),
            Self::Protocol => OrderKey::Number(row.protocol().0.into(), 0),
            Self::Local => OrderKey::Address(row.local()),
            Self::Remote => row.remote().map_or(OrderKey::None, OrderKey::Address),
            Self::Service => row.service_name().map_or(OrderKey::None, OrderKey::Name),
            Self::State => match row.of {
                RowOf::Flow { flow, .. } => OrderKey::Number(flow.state as u64, 0),
                RowOf::Socket { .. } => row.state().map_or(OrderKey::None, OrderKey::Name),
            },
            // The total decides between lines without traffic.
            Self::Up => OrderKey::Number(up, total),
            // Lines with traffic now come before lines that only had some.
            Self::Down => OrderKey::Number(down, up.saturating_add(down).max(total)),
            Self::Rate => OrderKey::Number(up.saturating_add(down), total),
            Self::Direction | Self::Age | Self::Idle | Self::Retransmits | Self::Rtt => {
                self.order_of_flow(row)
            }
            Self::User
            | Self::Sent
            | Self::Received
            | Self::Bytes
            | Self::Packets
            | Self::Duration
            | Self::Unit
            | Self::Namespace
            | Self::Name
            | Self::Path => match self.value(row) {
                Value::Text(text) => OrderKey::text(&text),
                Value::Count(count) => OrderKey::Number(count, total),
                Value::Amount(counters) => OrderKey::Number(counters.bytes, total),
                Value::Time(time) => OrderKey::Time(time),
                Value::Nothing | Value::Unknown(_) | Value::Address(_) | Value::Rate(_) => {
                    OrderKey::None
                }
            },
        }
    }

    fn order_of_flow(self, row: &Row<'_>) -> OrderKey {
        let RowOf::Flow { flow, .. } = row.of else {
            return OrderKey::None;
        };
        match self {
            Self::Direction => OrderKey::Name(flow.direction.name()),
            // A young flow has a late first packet.
            Self::Age => OrderKey::Time(flow.first_seen),
            Self::Idle => OrderKey::Time(flow.last_seen),
            Self::Retransmits => flow.tcp.map_or(OrderKey::None, |tcp| {
                OrderKey::Number(tcp.retransmitted(), 0)
            }),
            Self::Rtt => flow
                .tcp
                .and_then(|tcp| tcp.round_trip)
                .map_or(OrderKey::None, |it| OrderKey::Time(it.smoothed)),
            _ => OrderKey::None,
        }
    }
}

/// A short time, such as `1.2 ms`.
fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}

fn who(row: &Row<'_>, text: String) -> Value {
    match row.principal() {
        Principal::Unattributed => Value::Unknown(text),
        _ => Value::Text(text),
    }
}

fn program(row: &Row<'_>) -> String {
    match (row.of, row.principal()) {
        (RowOf::Socket { socket, .. }, Principal::Unattributed) if is_time_wait(socket) => {
            socket_owner(socket)
        }
        (_, whose) => principal(whose, row.verdict(), row.is_pending()),
    }
}

/// The owner of a socket, which has its user in another column; of a flow, the owners of both ends.
fn owners(row: &Row<'_>) -> Value {
    match row.of {
        RowOf::Socket { socket, .. } => match &socket.owner {
            Verdict::Process(_) | Verdict::Shared(_) => Value::Text(verdict(&socket.owner)),
            Verdict::Partial { .. } => Value::Unknown(unknown(Reason::Denied)),
            Verdict::Unknown(_) => Value::Unknown(socket_owner(socket)),
        },
        RowOf::Flow { flow, .. } => {
            let far = flow.remote_owner.as_ref();
            let far = far.map(|far| format!(" -> {}", owner(Some(far))));
            let text = owner(flow.owner.as_ref()) + far.as_deref().unwrap_or_default();
            match (&flow.owner, &flow.remote_owner) {
                (Some(owner), None) if owner.verdict.reason().is_some() => Value::Unknown(text),
                (None, None) => Value::Unknown(text),
                _ => Value::Text(text),
            }
        }
    }
}

fn protocol(row: &Row<'_>) -> String {
    match row.of {
        RowOf::Flow { flow, .. } => flow.protocol.to_string(),
        RowOf::Socket { socket, .. } => socket_protocol(socket),
    }
}

fn near_end(row: &Row<'_>) -> String {
    match row.of {
        RowOf::Flow { flow, .. } => {
            let near = endpoint(flow.protocol, row.local());
            match flow.icmp_id {
                Some(id) => format!("{near} id {id}"),
                None => near,
            }
        }
        RowOf::Socket { socket, .. } => local_end(socket),
    }
}

fn far_end(row: &Row<'_>) -> Option<String> {
    match row.of {
        RowOf::Flow { flow, .. } => row.remote().map(|far| endpoint(flow.protocol, far)),
        RowOf::Socket { socket, .. } => remote_end(socket),
    }
}

#[cfg(test)]
mod tests;
