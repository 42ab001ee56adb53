//! JSON lines for programs: one object a line, with stable keys.
//!
//! The first line is a [`HeadLine`] with `"schema":3`; an incompatible change raises that number. A
//! key is always there, and `null` if its value is unknown, unless its documentation says "where".
//! Paths and arguments that are not UTF-8 have U+FFFD in place of invalid bytes. Times are RFC 3339
//! in UTC with microseconds; a time that RFC 3339 cannot represent, past the year 9999, is `null`.
//! Bytes are those of frames on the wire.
//!
//! The types are for [serde] and any of its formats. [`write_line`] writes them as the apps do:
//! text keeps every character, and this always writes characters that a terminal would obey or that
//! are invisible as `\uHHHH`, not only those that JSON demands.

mod group;
mod line;
mod names;
mod owner;
#[cfg(test)]
mod schema;
mod socket;
mod tcp;
#[cfg(test)]
mod tests;
mod value;

pub use group::GroupLine;
pub use line::write_line;

use std::net::IpAddr;

use flowner_attribution::SocketQuery;
use flowner_attribution::{self as attribution, Ownership};
use flowner_capture::Device;
use flowner_flows::{FlowError, Protocol};
use serde::Serialize;

use self::names::NameFields;
use self::owner::FlowOwner;
pub use self::socket::SocketLine;
use self::socket::socket_end;
use self::tcp::TcpMeasures;
use self::value::{Coverages, Endpoint, OriginalEnds, Reasons, Sums, Text, Time};
use crate::model::community_id::CommunityId;
use crate::model::flow::FlowRecord;
use crate::model::names::HostName;
use crate::model::principal::Principal;
use crate::model::report::{DeviceTotals, EndState, InputInfo, LocalAddressSource, Report};
use crate::model::totals::Totals;
use crate::system::doctor::Check;

/// The version of the lines.
const SCHEMA: u32 = 3;

/// A JSON Schema (draft 2020-12) for any line, made from the types here.
///
/// ```
/// let schema: serde_json::Value = serde_json::from_str(flowner_core::json::JSON_SCHEMA)?;
/// assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub const JSON_SCHEMA: &str = include_str!("../../schema/lines.json");

/// The first line, `"type":"start"`: `schema`, `command`, and `input` and `link_type` if the command
/// reads packets. `local` has the addresses of the capturing host if the user gave none, and then
/// `local_from` says where they come from: `file` (the file records them) or `inferred` (from the first
/// packets).
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename = "start")]
pub struct HeadLine<'a> {
    schema: u32,
    command: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<&'a [IpAddr]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_from: Option<&'static str>,
}

impl<'a> HeadLine<'a> {
    /// For a command that reads no packets.
    pub const fn new(command: &'static str) -> Self {
        Self {
            schema: SCHEMA,
            command,
            input: None,
            link_type: None,
            local: None,
            local_from: None,
        }
    }

    /// For `watch`, on a device.
    pub fn watch(input: &'a InputInfo) -> Self {
        Self::of_input("watch", input)
    }

    /// For `read`, from a file.
    pub fn read(input: &'a InputInfo) -> Self {
        Self::of_input("read", input)
    }

    /// The same, with the source of the host's addresses.
    #[must_use]
    pub fn with_local(self, addresses: &'a LocalAddressSource) -> Self {
        let (local, from) = match addresses {
            LocalAddressSource::Unknown | LocalAddressSource::Given => (None, None),
            LocalAddressSource::Recorded(addresses) => (Some(&addresses[..]), Some("file")),
            LocalAddressSource::Inferred(addresses) => (Some(&addresses[..]), Some("inferred")),
        };
        Self {
            local,
            local_from: from,
            ..self
        }
    }

    fn of_input(command: &'static str, input: &'a InputInfo) -> Self {
        Self {
            input: Some(&input.name),
            link_type: Some(input.link_type),
            ..Self::new(command)
        }
    }
}

/// A flow, `"type":"flow"`: `protocol`, `local`, `remote` (addresses, with ports if the protocol has
/// ports), `direction`, `device` (which captured it), `state`, `sent` and `received` with `packets` and
/// `bytes`, `first_seen`, `last_seen`, `owner`, `remote_owner`, `community_id` (the id of the flow in
/// other monitors; `null` if its packets were cut too early); `error` (the newest ICMP error about the
/// flow); `tcp` for a TCP connection.
///
/// `translated_from` if this host translates the flow's packets (NAT): the `local` and the `remote` end
/// of its socket, such as those of a container.
///
/// For a loopback flow, `local` is the initiator, and `remote_owner` is the owner of the responder. The
/// same holds for a flow with an end in a container.
///
/// An owner has `verdict` (`process`, `shared`, `partial` or `unknown`), `match`
/// (how closely the socket fits), `source` (`sock-diag` or `portable` for a lookup; `recorded` for an
/// unverified claim of a file; `none` without a lookup) and `processes`; `namespace` (its name, or
/// `net:[INODE]`) if the socket is in another network namespace; `reason` if the verdict is
/// `unknown`; `user` and `unit` if it is `partial` and they are known; `program` (its name for people,
/// in the user's language) and `program_id` (always the same) if the owner is one program;
/// `program_claimed_by` if nothing proves which program it is: `process` (its arguments, or the name
/// that it gave to a file in memory) or `file`. The owner is `null` before any lookup.
///
/// A process has `pid`, `name`, `path`, `user` (name, else number) and `started`; `parent`, `arguments`
/// and `unit` if they are known; `path_deleted` if the executable was deleted or replaced since the
/// start; `path_state` if the path leads to another file than the executed one, or to none: `replaced`,
/// `deleted`, `elsewhere` (in another mount namespace, or mounted over), `memory` (in no directory) or
/// `unverified` (it could not be compared).
///
/// If names are known: `remote_name` (the name that the flow is about), `remote_name_source` (`tls`,
/// `quic`, `http`, `proxy`, `dns`, `mdns`, `llmnr`, `hosts` or `reverse`), `remote_name_asked_by` (`program`,
/// `host`, `another-host` or `none`), `remote_name_outer` if the true name may be encrypted,
/// `remote_names` (all names of the remote address, if there are others than `remote_name`), and
/// `dns_questions` (the names that a flow of DNS asks for).
///
/// For the remote address: `country` (two letters), `city`, `asn` and `network_name` if a database has
/// them, and `range` if the address is in a special range, such as `private`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename = "flow")]
pub struct FlowLine<'a> {
    protocol: Text<Protocol>,
    local: Text<Endpoint>,
    remote: Text<Endpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_id: Option<u16>,
    direction: &'static str,
    device: Option<&'a str>,
    state: &'static str,
    sent: Sums,
    received: Sums,
    first_seen: Time,
    last_seen: Time,
    owner: Option<FlowOwner<'a>>,
    remote_owner: Option<FlowOwner<'a>>,
    community_id: Option<Text<CommunityId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    translated_from: Option<OriginalEnds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(flatten)]
    names: NameFields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<TcpMeasures>,
}

impl<'a> FlowLine<'a> {
    /// The line of a flow.
    pub fn new(flow: &'a FlowRecord) -> Self {
        let endpoint = |address| Text(Endpoint::new(flow.protocol, address));
        Self {
            protocol: Text(flow.protocol),
            local: endpoint(flow.local),
            remote: endpoint(flow.remote),
            icmp_id: flow.icmp_id,
            direction: flow.direction.name(),
            device: flow.device.as_deref(),
            state: flow.state.name(),
            sent: flow.sent.into(),
            received: flow.received.into(),
            first_seen: Time::since_epoch(flow.first_seen),
            last_seen: Time::since_epoch(flow.last_seen),
            owner: owner(flow.owner.as_ref(), &flow.principal),
            remote_owner: owner(flow.remote_owner.as_ref(), &flow.remote_principal),
            community_id: flow.community_id().map(Text),
            names: NameFields::new(flow),
            translated_from: flow.translated_from().map(OriginalEnds::new),
            error: flow.error.map(FlowError::name),
            tcp: flow.tcp.map(TcpMeasures::new),
        }
    }
}

fn owner<'a>(ownership: Option<&'a Ownership>, principal: &'a Principal) -> Option<FlowOwner<'a>> {
    ownership.map(|ownership| FlowOwner::new(ownership).with(principal))
}

/// The answer to one query, `"type":"ownership"`: `protocol`, `local`, `remote` of the query, `owner` as
/// in a [`FlowLine`], `observed_at` and `source` of the evidence, and `translated_from`, `remote_name`
/// and `remote_name_source` as in a [`FlowLine`].
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename = "ownership")]
pub struct OwnershipLine<'a> {
    protocol: Text<attribution::Protocol>,
    local: Text<Endpoint>,
    remote: Option<Text<Endpoint>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol_number: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_id: Option<u16>,
    owner: FlowOwner<'a>,
    observed_at: Time,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    translated_from: Option<OriginalEnds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_name_source: Option<&'static str>,
}

impl<'a> OwnershipLine<'a> {
    /// The line of a query and its answer.
    pub fn new(query: &SocketQuery, ownership: &'a Ownership) -> Self {
        let port_of = |protocol| (query.protocol() == protocol).then(|| query.local().port());
        Self {
            protocol: Text(query.protocol()),
            local: socket_end(query.protocol(), query.local()),
            remote: query.remote().map(|end| socket_end(query.protocol(), end)),
            protocol_number: port_of(attribution::Protocol::Raw),
            icmp_id: port_of(attribution::Protocol::Icmp),
            owner: FlowOwner::new(ownership),
            observed_at: Time::at(ownership.evidence.observed_at),
            source: ownership.evidence.source.name(),
            translated_from: ownership
                .evidence
                .translated_from
                .as_deref()
                .copied()
                .map(OriginalEnds::new),
            remote_name: None,
            remote_name_source: None,
        }
    }

    /// With the name of the remote end, if that is known, as
    /// [`AddressNames::name_of`](crate::AddressNames::name_of) tells.
    #[must_use]
    pub fn with_name(mut self, name: Option<&'a HostName>) -> Self {
        self.remote_name = name.map(|name| name.name.as_str());
        self.remote_name_source = name.map(|name| name.source.name());
        self
    }

    /// With the principal of the owner; see [`Programs::principal`](crate::Programs::principal).
    #[must_use]
    pub fn with_principal(mut self, principal: &'a Principal) -> Self {
        self.owner = self.owner.with(principal);
        self
    }
}

/// Something is not as it should be, but the stream goes on, `"type":"warning"`:
/// `message`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename = "warning")]
pub struct WarningLine<'a> {
    message: &'a str,
}

impl<'a> WarningLine<'a> {
    /// The line of a warning.
    pub const fn new(message: &'a str) -> Self {
        Self { message }
    }
}

/// The reader was too slow, `"type":"missed"`: so many `events` were dropped before
/// this line, of which some would have been lines. The totals at the end are complete.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename = "missed")]
pub struct MissedLine {
    events: u64,
}

impl MissedLine {
    /// The line for this many events.
    pub const fn new(events: u64) -> Self {
        Self { events }
    }
}

/// What was tried, `"type":"check"`: `name`, `status` (`good`, `limited` or `failed`) and
/// `detail`.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename = "check")]
pub struct CheckLine<'a> {
    name: &'static str,
    status: &'static str,
    detail: &'a str,
}

impl<'a> CheckLine<'a> {
    /// The line of a check.
    pub fn new(check: &'a Check) -> Self {
        Self {
            name: check.name,
            status: check.status.name(),
            detail: &check.detail,
        }
    }
}

/// A device, `"type":"device"`: `name`, `description`, `addresses`, `up`, `running`,
/// `loopback`, `wireless`, `default` (it carries the default route, or is the likeliest where none does).
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename = "device")]
#[expect(clippy::struct_excessive_bools, reason = "they are keys of the line")]
pub struct DeviceLine<'a> {
    name: &'a str,
    description: Option<&'a str>,
    addresses: Vec<IpAddr>,
    up: bool,
    running: bool,
    loopback: bool,
    wireless: bool,
    default: bool,
}

impl<'a> DeviceLine<'a> {
    /// The line of a device.
    pub fn new(device: &'a Device, is_default: bool) -> Self {
        Self {
            name: &device.name,
            description: device.description.as_deref(),
            addresses: device.addresses.iter().map(|address| address.ip).collect(),
            up: device.is_up(),
            running: device.is_running(),
            loopback: device.is_loopback(),
            wireless: device.is_wireless(),
            default: is_default,
        }
    }
}

/// The last line of `watch` and `read`, `"type":"summary"`: `total` with `packets`
/// and `bytes`, `flows`, `owners` (the traffic whose owner is `named`, `partial`, `unresolved`, or unknown by
/// reason; `null` without lookups), `undecodable` by reason, `dropped` (packets that the kernel or the
/// device did not deliver; `null` for files), `devices` for a capture on this host (each with its
/// `name`, and the `packets` and `bytes` that it captured), `seen_again` (the `packets` and `bytes` of
/// copies that other devices captured, which count in the totals of devices alone), `unlisted` (the
/// `flows`, `packets` and `bytes` of requested flows without a line of their own, because there was no
/// room or because of `--limit`), `complete` (whether all requested lines are there); `message` if a
/// failure is the reason why not; `refused_claims` (comments of the file with impossible owners, which
/// do not count); `not_looked_up` (the ends of flows without a lookup because too many others waited;
/// they count as `lookup-failed` in `owners`).
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename = "summary")]
pub struct SummaryLine<'a> {
    total: Sums,
    flows: u64,
    owners: Option<Coverages>,
    undecodable: Reasons<'a>,
    dropped: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    devices: Vec<DeviceSums<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_again: Option<Sums>,
    unlisted: Unlisted,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_claims: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_looked_up: Option<u64>,
}

impl<'a> SummaryLine<'a> {
    /// The line of a report of which everything has its line. What was stopped is complete up to there; a report made
    /// while packets still come is not.
    pub fn new(report: &'a Report) -> Self {
        Self {
            total: report.total().into(),
            flows: report.flows.len() as u64 + report.unlisted_flows(),
            owners: report.has_owners().then(|| Coverages(report.coverage())),
            undecodable: Reasons(&report.undecodable),
            dropped: report
                .capture
                .map(|it| it.dropped_by_kernel.saturating_add(it.dropped_by_interface)),
            devices: report.devices.iter().map(DeviceSums::new).collect(),
            seen_again: (report.table.seen_again.packets > 0)
                .then(|| report.table.seen_again.into()),
            unlisted: Unlisted::default(),
            complete: matches!(report.ending, EndState::Complete | EndState::Stopped),
            message: match &report.ending {
                EndState::InputFailed(message) => Some(message),
                EndState::Running | EndState::Complete | EndState::Stopped => None,
            },
            refused_claims: (report.refused_claims > 0).then_some(report.refused_claims),
            not_looked_up: Some(report.not_looked_up()).filter(|ends| *ends > 0),
        }
    }

    /// The same, if `left_out` requested flows have no line. It is complete only if the user wanted
    /// that.
    #[must_use]
    pub fn with_unlisted(mut self, totals: &Totals, was_asked_for: bool) -> Self {
        let counters = totals.total();
        self.unlisted = Unlisted {
            flows: totals.flows,
            packets: counters.packets,
            bytes: counters.bytes,
        };
        self.complete &= was_asked_for || totals.flows == 0;
        self
    }

    /// The same, if lines are missing according to [`MissedLine`]s.
    #[must_use]
    pub const fn with_missed(mut self, events: u64) -> Self {
        self.complete &= events == 0;
        self
    }
}

/// What was counted on a device.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DeviceSums<'a> {
    name: &'a str,
    packets: u64,
    bytes: u64,
}

impl<'a> DeviceSums<'a> {
    fn new(device: &'a DeviceTotals) -> Self {
        Self {
            name: &device.name,
            packets: device.counted.packets,
            bytes: device.counted.bytes,
        }
    }
}

/// What has no line of its own.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Unlisted {
    flows: u64,
    packets: u64,
    bytes: u64,
}
