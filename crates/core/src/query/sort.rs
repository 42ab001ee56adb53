//! The order of listed flows.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use flowner_attribution::Process;

use crate::model::flow::FlowRecord;
use crate::model::names::Name;
use crate::model::principal::Principal;
use crate::query::filter::Filter;
use crate::query::services::service_name;

/// The key of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortKey {
    /// Wire bytes, both directions.
    Bytes,
    /// Wire bytes that the local end sent.
    Sent,
    /// Wire bytes that the remote end sent.
    Received,
    /// Packets, both directions.
    Packets,
    /// Wire bytes a second, both directions.
    Rate,
    /// The name of the program that owns the local end, ignoring case.
    Program,
    /// The lowest pid that owns the local end.
    Pid,
    /// The user who owns the local end.
    User,
    /// The protocol's number.
    Protocol,
    /// Local address, then port.
    Local,
    /// Remote address, then port.
    Remote,
    /// In the order of a connection's life.
    State,
    /// The direction's name.
    Direction,
    /// Time of the first packet.
    FirstSeen,
    /// Time of the newest packet.
    LastSeen,
    /// Time between the first and the newest packet.
    Duration,
    /// Wire bytes a second that the local end sends.
    Up,
    /// Wire bytes a second that the local end receives.
    Down,
    /// The name of the service, by its port.
    Service,
    /// The name of the process that owns the socket.
    Owner,
    /// The service, container or sandbox of the owner.
    Unit,
    /// The network namespace of the socket, if it is another one.
    Namespace,
    /// The path of the file that the owner executes.
    Path,
    /// The name of the remote end.
    Name,
    /// Retransmitted TCP segments, both directions.
    Retransmits,
    /// The round-trip time of TCP.
    Rtt,
}

impl SortKey {
    /// Every key.
    pub const ALL: [Self; 26] = [
        Self::Bytes,
        Self::Sent,
        Self::Received,
        Self::Packets,
        Self::Rate,
        Self::Program,
        Self::Pid,
        Self::User,
        Self::Protocol,
        Self::Local,
        Self::Remote,
        Self::State,
        Self::Direction,
        Self::FirstSeen,
        Self::LastSeen,
        Self::Duration,
        Self::Up,
        Self::Down,
        Self::Service,
        Self::Owner,
        Self::Unit,
        Self::Namespace,
        Self::Path,
        Self::Name,
        Self::Retransmits,
        Self::Rtt,
    ];

    /// The name in lower case, as on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Packets => "packets",
            Self::Rate => "rate",
            Self::Program => "program",
            Self::Pid => "pid",
            Self::User => "user",
            Self::Protocol => "protocol",
            Self::Local => "local",
            Self::Remote => "remote",
            Self::State => "state",
            Self::Direction => "direction",
            Self::FirstSeen => "first-seen",
            Self::LastSeen => "last-seen",
            Self::Duration => "duration",
            Self::Up => "up",
            Self::Down => "down",
            Self::Service => "service",
            Self::Owner => "owner",
            Self::Unit => "unit",
            Self::Namespace => "namespace",
            Self::Path => "path",
            Self::Name => "name",
            Self::Retransmits => "retransmits",
            Self::Rtt => "rtt",
        }
    }
}

/// A key, and the direction.
///
/// In text form, the name of the key means ascending, and a `-` before it descending: `program`,
/// `-bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sort {
    /// The compared property.
    pub key: SortKey,
    /// Whether the greatest comes first.
    pub descending: bool,
}

impl Sort {
    /// By the beginning of flows.
    pub const FIRST_SEEN: Self = Self {
        key: SortKey::FirstSeen,
        descending: false,
    };
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.descending { "-" } else { "" };
        write!(f, "{sign}{}", self.key.name())
    }
}

impl FromStr for Sort {
    type Err = UnknownSortKey;

    fn from_str(text: &str) -> Result<Self, UnknownSortKey> {
        let name = text.strip_prefix('-');
        let key = name.unwrap_or(text);
        let key = SortKey::ALL
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(key))
            .ok_or_else(|| UnknownSortKey(key.to_owned()))?;
        Ok(Self {
            key,
            descending: name.is_some(),
        })
    }
}

/// The error for text that is not a [`Sort`]; its message lists the keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid sort key; expected one of {keys}, and `-` before it for the greatest first", keys = SortKey::ALL.map(SortKey::name).join(", "))]
pub struct UnknownSortKey(String);

/// Calls a sorting function with the values of a key, each of which has its own type.
macro_rules! each_key {
    ($sort_key:expr, |$key:ident| $call:expr) => {
        each_key!(@ $sort_key, $key, $call,
            Bytes => |flow: &FlowRecord| Some(flow.total().bytes),
            Sent => |flow: &FlowRecord| Some(flow.sent.bytes),
            Received => |flow: &FlowRecord| Some(flow.received.bytes),
            Packets => |flow: &FlowRecord| Some(flow.total().packets),
            Rate => |flow: &FlowRecord| Some(flow.rate.sent.saturating_add(flow.rate.received)),
            Program => program,
            Pid => pid,
            User => user,
            Protocol => |flow: &FlowRecord| Some(flow.protocol),
            Local => |flow: &FlowRecord| Some(flow.local),
            Remote => |flow: &FlowRecord| Some(flow.remote),
            State => |flow: &FlowRecord| Some(flow.state),
            Direction => |flow: &FlowRecord| Some(flow.direction.name()),
            FirstSeen => |flow: &FlowRecord| Some(flow.first_seen),
            LastSeen => |flow: &FlowRecord| Some(flow.last_seen),
            Duration => |flow: &FlowRecord| Some(flow.duration()),
            Up => |flow: &FlowRecord| Some(flow.rate.sent),
            Down => |flow: &FlowRecord| Some(flow.rate.received),
            Service => |flow: &FlowRecord| service_name(flow.protocol, flow.service_port),
            Owner => process,
            Unit => unit,
            Namespace => namespace,
            Path => path,
            Name => name,
            Retransmits => |flow: &FlowRecord| flow.tcp.map(|tcp| tcp.retransmitted()),
            Rtt => |flow: &FlowRecord| Some(flow.tcp?.round_trip?.smoothed),
        )
    };
    (@ $sort_key:expr, $key:ident, $call:expr, $($name:ident => $value:expr,)+) => {
        match $sort_key {
            $(SortKey::$name => { let $key = $value; $call })+
        }
    };
}

/// Sorts flows. Equal ones are ordered by id, so that the order is always the same. Flows with an
/// unknown key come last in both directions.
pub fn sort_flows(flows: &mut [FlowRecord], sort: Sort) {
    each_key!(sort.key, |key| by(flows, sort, key));
}

/// As [`by`], for the indices of flows.
fn sort_places<K: Ord>(
    places: &mut [u32],
    flows: &[FlowRecord],
    sort: Sort,
    key: impl Fn(&FlowRecord) -> Option<K>,
) {
    let flow = |place: u32| &flows[place as usize];
    if sort.descending {
        places.sort_by_cached_key(|place| {
            let flow = flow(*place);
            (Reverse(key(flow)), flow.id)
        });
    } else {
        places.sort_by_cached_key(|place| {
            let flow = flow(*place);
            let key = key(flow);
            (key.is_none(), key, flow.id)
        });
    }
}

/// Records are large: this computes and sorts the keys once, then moves the records.
fn by<K: Ord>(flows: &mut [FlowRecord], sort: Sort, key: impl Fn(&FlowRecord) -> Option<K>) {
    if sort.descending {
        // `None` is least, so greatest in reverse.
        flows.sort_by_cached_key(|flow| (Reverse(key(flow)), flow.id));
    } else {
        flows.sort_by_cached_key(|flow| {
            let key = key(flow);
            (key.is_none(), key, flow.id)
        });
    }
}

fn program(flow: &FlowRecord) -> Option<String> {
    match flow.named_principal() {
        Principal::Unattributed => None,
        principal => Some(principal.to_string().to_lowercase()),
    }
}

/// The first process that owns the flow.
fn first(flow: &FlowRecord) -> Option<&Process> {
    let processes = flow.named_owner()?.verdict.processes();
    processes.first().map(AsRef::as_ref)
}

fn pid(flow: &FlowRecord) -> Option<u32> {
    first(flow).map(|process| process.pid)
}

fn process(flow: &FlowRecord) -> Option<String> {
    first(flow).map(|process| process.name.to_lowercase())
}

fn name(flow: &FlowRecord) -> Option<Name> {
    flow.remote_name().map(|remote| remote.name.clone())
}

fn path(flow: &FlowRecord) -> Option<String> {
    let path = first(flow)?.path.as_ref()?;
    Some(path.to_string_lossy().to_lowercase())
}

fn user(flow: &FlowRecord) -> Option<String> {
    let user = flow.named_owner()?.verdict.user()?;
    Some(user.to_string().to_lowercase())
}

fn unit(flow: &FlowRecord) -> Option<String> {
    let unit = flow.named_owner()?.verdict.unit()?;
    Some(unit.to_string().to_lowercase())
}

fn namespace(flow: &FlowRecord) -> Option<String> {
    let namespace = flow.named_owner()?.evidence.namespace.as_ref()?;
    Some(namespace.to_string().to_lowercase())
}

/// The indices of the flows that pass a filter, sorted like [`sort_flows`]. This moves nothing, so
/// a long list costs little.
pub fn choose_flows(flows: &[FlowRecord], filter: &Filter, sort: Sort) -> Vec<u32> {
    let mut places: Vec<u32> = (0..)
        .zip(flows)
        .filter(|(_, flow)| filter.matches(*flow))
        .map(|(place, _)| place)
        .collect();
    each_key!(sort.key, |key| sort_places(&mut places, flows, sort, key));
    places
}

/// A part of a sorted list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The number of entries before it.
    pub offset: usize,
    /// The largest number of entries in it.
    pub limit: usize,
}

impl Page {
    /// The page of a list; short or empty at its end.
    pub fn of<T>(self, list: &[T]) -> &[T] {
        let rest = list.get(self.offset..).unwrap_or_default();
        &rest[..self.limit.min(rest.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    use flowner_attribution::{Reason, Verdict};
    use flowner_flows::{Counters, Rate};
    use proptest::prelude::*;

    use crate::samples::{address, counters, flow, owner, user};

    /// Three flows with different values for every key: 0 and 2 have owners, 1 has none.
    fn flows() -> Vec<FlowRecord> {
        let process = |pid, name: &str| {
            let mut process = Process::new(pid, name);
            process.user = Some(user(pid, name));
            process
        };
        let verdict = |pid, name| Verdict::Process(Arc::new(process(pid, name)));
        let mut flows = vec![flow(0), flow(1), flow(2)];
        flows[0].owner = Some(owner(verdict(9, "beta"), None));
        flows[1].owner = Some(owner(Verdict::Unknown(Reason::Gone), None));
        flows[2].owner = Some(owner(verdict(10, "Alpha"), None));
        for flow in &mut flows {
            flow.principal = Principal::of(flow.owner.as_ref());
        }
        flows[1].sent = counters(1, 1_000);
        flows[1].local = address("10.0.0.2:9");
        flows[1].last_seen += Duration::from_secs(1);
        flows[2].rate = Rate::default();
        flows[2].received = Counters::default();
        flows[2].remote = address("9.0.0.1:1");
        flows
    }

    #[track_caller]
    fn check(sort: &str, expected: [u64; 3]) {
        let mut flows = flows();
        sort_flows(&mut flows, sort.parse().unwrap());
        let ids: Vec<_> = flows.iter().map(|flow| flow.id.as_u64()).collect();
        assert_eq!(ids, expected, "{sort}");
    }

    #[test]
    fn by_every_kind_of_key() {
        check("bytes", [2, 0, 1]);
        check("-bytes", [1, 0, 2]);
        check("sent", [0, 2, 1]);
        check("-received", [0, 1, 2]);
        check("packets", [1, 2, 0]);
        check("rate", [2, 0, 1]);
        check("local", [1, 0, 2]);
        check("remote", [2, 0, 1]);
        check("-duration", [1, 0, 2]);
    }

    #[test]
    fn the_unknown_comes_last_either_way() {
        check("program", [2, 0, 1]);
        check("-program", [0, 2, 1]);
        check("pid", [0, 2, 1]);
        check("-pid", [2, 0, 1]);
        check("-user", [0, 2, 1]);
    }

    #[test]
    fn equals_keep_the_order_of_their_ids() {
        check("state", [0, 1, 2]);
        check("-state", [0, 1, 2]);
        check("-first-seen", [0, 1, 2]);
    }

    #[test]
    fn the_text_form_is_read_as_it_is_written() {
        for key in SortKey::ALL {
            for descending in [false, true] {
                let sort = Sort { key, descending };
                assert_eq!(sort.to_string().parse(), Ok(sort));
            }
        }
        for bad in ["", "-", "--bytes", "size"] {
            let error = bad.parse::<Sort>().unwrap_err().to_string();
            assert!(error.contains("one of bytes, sent"), "{error}");
        }
    }

    #[test]
    fn pages_end_with_the_list() {
        let check = |offset, limit, expected: &[u8]| {
            assert_eq!(Page { offset, limit }.of(&[1, 2, 3]), expected);
        };
        check(0, 2, &[1, 2]);
        check(2, 2, &[3]);
        check(3, 2, &[]);
        check(usize::MAX, usize::MAX, &[]);
        check(1, usize::MAX, &[2, 3]);
    }

    proptest! {
        #[test]
        fn the_order_does_not_depend_on_the_order_before(
            order in Just(vec![0_usize, 1, 2]).prop_shuffle(),
            key in prop::sample::select(SortKey::ALL.to_vec()),
            descending: bool,
        ) {
            let sort = Sort { key, descending };
            let mut expected = flows();
            let mut shuffled: Vec<_> = order.iter().map(|&i| expected[i].clone()).collect();
            let places = choose_flows(&shuffled, &Filter::default(), sort);
            let chosen: Vec<_> = places.iter().map(|&place| shuffled[place as usize].id).collect();
            sort_flows(&mut expected, sort);
            sort_flows(&mut shuffled, sort);
            let sorted: Vec<_> = shuffled.iter().map(|flow| flow.id).collect();
            prop_assert_eq!(chosen, sorted);
            prop_assert_eq!(shuffled, expected);
        }
    }
}
