//! The data that both apps render: the state at one point in time.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use flowner_attribution::{Ownership, PolicyStatistics, Source};
use flowner_capture::Statistics;
use flowner_flows::{Counters, Protocol, TableStatistics};

use crate::model::flow::FlowRecord;
use crate::model::history::History;
use crate::model::principal::Principal;
use crate::model::retired::RetiredView;
use crate::model::selection::Selection;
use crate::model::totals::{
    Breakdown, ContainerGroup, CountryGroup, Coverage, DomainGroup, Group, HostGroup, KeptView,
    Key, NameGroup, NetworkGroup, PodGroup, ProcessPrincipal, Service, Totals, UnitGroup,
};

/// An immutable snapshot of a monitor's ledger.
#[derive(Debug)]
pub struct Report {
    /// The source of the packets.
    pub input: InputInfo,
    /// How the input ended, or that it is running.
    pub ending: EndState,
    /// The source of the host's addresses.
    pub local_addresses: LocalAddressSource,
    /// Why the capture is interrupted, though the input has not ended: its device is down or gone,
    /// and the capture continues when it is back.
    pub interruption: Option<String>,
    /// The last problem with the input itself: its clock was set, or it is a file that a program is
    /// writing. The input continues, or is complete.
    pub warning: Option<String>,
    /// The earliest and the latest packet time, since the Unix epoch; `None` before
    /// the first packet.
    pub span: Option<(Duration, Duration)>,
    /// The packet time of this report, since the Unix epoch; for a device the wall clock's.
    pub now: Duration,
    /// The traffic of all principals over time: of all flows, whatever the selection.
    pub history: History,
    /// The flows that are open or have ended recently, by first packet.
    pub flows: Vec<FlowRecord>,
    /// Frames without a flow, by reason.
    pub undecodable: Vec<(&'static str, Counters)>,
    /// The number of comments in a file with an impossible owner, in all packets; see
    /// [`recording`](crate::recording#what-a-file-claims). Their packets count without the claim.
    pub refused_claims: u64,
    /// The counters of each device, most bytes first; empty for files.
    pub devices: Vec<DeviceTotals>,
    /// The kernel's counters, for live capture.
    pub capture: Option<Statistics>,
    /// The counters of the flow table.
    pub table: TableStatistics,
    /// The counters of lookups; `None` if owners are not looked up.
    pub owners: Option<PolicyStatistics>,
    retired: RetiredView,
    unsearched: Totals,
    sums: Sums,
}

/// The breakdowns of all flows: each is made at the first call, by the caller, without the
/// monitor's lock.
#[derive(Debug, Default)]
struct Sums {
    programs: OnceLock<Breakdown<Principal>>,
    processes: OnceLock<Breakdown<ProcessPrincipal>>,
    hosts: OnceLock<Breakdown<IpAddr>>,
    hosts_by_name: OnceLock<Breakdown<HostGroup>>,
    services: OnceLock<Breakdown<Service>>,
    protocols: OnceLock<Breakdown<Protocol>>,
    coverage: OnceLock<Breakdown<Coverage>>,
    units: OnceLock<Breakdown<UnitGroup>>,
    containers: OnceLock<Breakdown<ContainerGroup>>,
    pods: OnceLock<Breakdown<PodGroup>>,
    names: OnceLock<Breakdown<NameGroup>>,
    domains: OnceLock<Breakdown<DomainGroup>>,
    countries: OnceLock<Breakdown<CountryGroup>>,
    networks: OnceLock<Breakdown<NetworkGroup>>,
}

/// The source of packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputInfo {
    /// The device, the devices separated by commas, or `all devices`; the file, or `-` for standard
    /// input.
    pub name: String,
    /// The link type in the words of libpcap and Wireshark, such as `EN10MB`.
    pub link_type: &'static str,
    /// Whether it is a device.
    pub is_live: bool,
}

/// The counters of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceTotals {
    /// Its name, the newest known one.
    pub name: Arc<str>,
    /// What was counted on it.
    pub counted: Counters,
}

/// Where the host's own addresses come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LocalAddressSource {
    /// They are unknown.
    #[default]
    Unknown,
    /// They are those of this host, or from the configuration.
    Given,
    /// The file records these.
    Recorded(Vec<IpAddr>),
    /// These were inferred from the first packets, and may be wrong.
    Inferred(Vec<IpAddr>),
}

/// How a monitor's input ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndState {
    /// It is running.
    Running,
    /// The file was read to its end.
    Complete,
    /// A program stopped it.
    Stopped,
    /// It failed; the report has everything up to then.
    InputFailed(String),
}

/// The parts of a report, all from one point in time.
pub(crate) struct Parts {
    pub(crate) local_addresses: LocalAddressSource,
    pub(crate) interruption: Option<String>,
    pub(crate) warning: Option<String>,
    pub(crate) span: Option<(Duration, Duration)>,
    pub(crate) now: Duration,
    pub(crate) history: History,
    pub(crate) flows: Vec<FlowRecord>,
    pub(crate) undecodable: Vec<(&'static str, Counters)>,
    pub(crate) refused_claims: u64,
    pub(crate) devices: Vec<DeviceTotals>,
    pub(crate) table: TableStatistics,
    pub(crate) retired: RetiredView,
}

impl Report {
    pub(crate) fn new(
        parts: Parts,
        input: InputInfo,
        ending: EndState,
        capture: Option<Statistics>,
        owners: Option<PolicyStatistics>,
    ) -> Self {
        Self {
            input,
            ending,
            local_addresses: parts.local_addresses,
            interruption: parts.interruption,
            warning: parts.warning,
            span: parts.span,
            now: parts.now,
            history: parts.history,
            flows: parts.flows,
            undecodable: parts.undecodable,
            refused_claims: parts.refused_claims,
            devices: parts.devices,
            capture,
            table: parts.table,
            owners,
            retired: parts.retired,
            unsearched: Totals::default(),
            sums: Sums::default(),
        }
    }

    /// A report of flows that were counted elsewhere, such as those of an example.
    pub fn of(flows: Vec<FlowRecord>, input: InputInfo, ending: EndState) -> Self {
        let first = flows.iter().map(|flow| flow.first_seen).min();
        let last = flows.iter().map(|flow| flow.last_seen).max();
        let parts = Parts {
            local_addresses: LocalAddressSource::Unknown,
            interruption: None,
            warning: None,
            span: first.zip(last),
            now: last.unwrap_or_default(),
            history: History::new(),
            flows,
            undecodable: Vec::new(),
            refused_claims: 0,
            devices: Vec::new(),
            table: TableStatistics::default(),
            retired: RetiredView::default(),
        };
        Self::new(parts, input, ending, None, None)
    }

    /// The total of the capture: all flows and undecodable frames.
    pub fn total(&self) -> Counters {
        let undecodable = self.undecodable.iter().map(|(_, counters)| *counters);
        let flows = self.flows.iter().map(FlowRecord::total);
        flows.chain(undecodable).sum::<Counters>() + self.retired.all.total.total()
    }

    /// Whether owners were looked up, or the file has recorded ones.
    pub fn has_owners(&self) -> bool {
        let mut flows = self.flows.iter();
        let retired = self.retired.all.coverage.groups().into_iter();
        let mut retired = retired.filter_map(|group| group.key);
        self.owners.is_some()
            || flows.any(|flow| flow.owner.is_some() || flow.remote_owner.is_some())
            || retired.any(|coverage| coverage != Coverage::Unresolved)
    }

    /// Whether all owners are claims of a file: they are unverified, and the processes may not
    /// exist on this host. Each such owner has
    /// [`Source::Recorded`](flowner_attribution::Source::Recorded).
    pub fn owners_are_claimed(&self) -> bool {
        let is_claimed = |owner: &Option<Ownership>| {
            let owner = owner.as_ref();
            owner.is_none_or(|owner| owner.evidence.source == Source::Recorded)
        };
        let mut flows = self.flows.iter();
        self.owners.is_none()
            && !self.input.is_live
            && flows.all(|flow| is_claimed(&flow.owner) && is_claimed(&flow.remote_owner))
    }

    /// The number of flow ends without a lookup because too many others waited, as in a flood of
    /// new connections. They count with [`Reason::Failed`] as their owner.
    ///
    /// [`Reason::Failed`]: flowner_attribution::Reason::Failed
    pub fn not_looked_up(&self) -> u64 {
        self.owners.map_or(0, |owners| owners.overflow)
    }

    /// The number of packets without a flow, because they could not be decoded.
    pub fn packets_of_no_flow(&self) -> u64 {
        let packets = self.undecodable.iter().map(|(_, counted)| counted.packets);
        packets.sum()
    }

    /// The number of flows that are in the totals but not listed any more.
    pub fn unlisted_flows(&self) -> u64 {
        self.retired.all.total.flows
    }

    /// The totals of flows that are in the totals but not listed any more.
    pub const fn unlisted(&self) -> Totals {
        self.retired.all.total
    }

    /// The totals of those flows of the whole report that may or may not belong to this selection:
    /// they had left the list before. They are in none of its totals. There are none if the
    /// selection is that of [`Config::filter`](crate::Config::filter).
    pub const fn unsearched(&self) -> Totals {
        self.unsearched
    }

    /// The same report with only the selected flows. Flows that are not listed any more are in the
    /// totals if the selection is that of the monitor or everything; otherwise they are left out
    /// and count as [`unsearched`](Self::unsearched).
    pub(crate) fn chosen_by(&self, selection: &Selection) -> Self {
        let retired = self.retired.select(selection);
        let is_everything = selection.is_everything();
        self.chosen(is_everything, retired, |flow| selection.matches(flow))
    }

    /// The same report with only the flows of this principal, from its point of view: `local` is
    /// its own end, and `sent` is what it sent. A flow with both ends at the principal appears
    /// twice, once from each end, so that the flows add up to the principal's totals. Flows that
    /// are not listed any more are left out, and count as [`unsearched`](Self::unsearched).
    #[must_use]
    pub fn of_principal(&self, principal: &Principal) -> Self {
        let own = |flow: &FlowRecord| -> Vec<FlowRecord> {
            let shares = flow.shares().filter(|share| share.principal == principal);
            let from_end = |is_remote_end| {
                if is_remote_end {
                    flow.clone().from_remote_end()
                } else {
                    flow.clone()
                }
            };
            shares.map(|share| from_end(share.is_remote_end)).collect()
        };
        Self {
            flows: self.flows.iter().flat_map(own).collect(),
            ..self.chosen(false, self.retired.of_principal(principal), |_| false)
        }
    }

    /// The traffic between programs of this host, each byte once: it counts as sent by one program,
    /// and as received by another.
    pub fn within_host(&self) -> Counters {
        let programs = self.programs().into_iter();
        programs.map(|group| group.totals.received_here).sum()
    }

    fn chosen(
        &self,
        everything: bool,
        (retired, unsearched): (RetiredView, Totals),
        is_chosen: impl Fn(&FlowRecord) -> bool,
    ) -> Self {
        let flows = self.flows.iter();
        Self {
            input: self.input.clone(),
            ending: self.ending.clone(),
            local_addresses: self.local_addresses.clone(),
            interruption: self.interruption.clone(),
            warning: self.warning.clone(),
            span: self.span,
            now: self.now,
            history: self.history.clone(),
            flows: flows.filter(|flow| is_chosen(flow)).cloned().collect(),
            undecodable: if everything {
                self.undecodable.clone()
            } else {
                Vec::new()
            },
            refused_claims: self.refused_claims,
            devices: self.devices.clone(),
            capture: self.capture,
            table: self.table,
            owners: self.owners,
            retired,
            unsearched,
            sums: Sums::default(),
        }
    }

    /// By program, most bytes first, as all breakdowns.
    pub fn programs(&self) -> Vec<Group<Principal>> {
        self.groups(&self.sums.programs, &self.retired.all.programs)
    }

    /// By process.
    pub fn processes(&self) -> Vec<Group<ProcessPrincipal>> {
        self.groups(&self.sums.processes, &self.retired.all.processes)
    }

    /// By the remote end's address; for flows between others, the responder's.
    pub fn hosts(&self) -> Vec<Group<IpAddr>> {
        self.groups(&self.sums.hosts, &self.retired.all.hosts)
    }

    /// By the name of the remote end, or by its address where no name is known.
    pub fn hosts_by_name(&self) -> Vec<Group<HostGroup>> {
        self.groups(&self.sums.hosts_by_name, &self.retired.all.hosts_by_name)
    }

    /// By protocol and the responder's port.
    pub fn services(&self) -> Vec<Group<Service>> {
        self.groups(&self.sums.services, &self.retired.all.services)
    }

    /// By protocol.
    pub fn protocols(&self) -> Vec<Group<Protocol>> {
        self.groups(&self.sums.protocols, &self.retired.all.protocols)
    }

    /// By the service, container or sandbox that the owner is in.
    pub fn units(&self) -> Vec<Group<UnitGroup>> {
        self.groups(&self.sums.units, &self.retired.all.units)
    }

    /// By the container of the owner.
    pub fn containers(&self) -> Vec<Group<ContainerGroup>> {
        self.groups(&self.sums.containers, &self.retired.all.containers)
    }

    /// By the pod of the owner's container.
    pub fn pods(&self) -> Vec<Group<PodGroup>> {
        self.groups(&self.sums.pods, &self.retired.all.pods)
    }

    /// By the name of the remote end.
    pub fn names(&self) -> Vec<Group<NameGroup>> {
        self.groups(&self.sums.names, &self.retired.all.names)
    }

    /// By the registered domain of that name.
    pub fn domains(&self) -> Vec<Group<DomainGroup>> {
        self.groups(&self.sums.domains, &self.retired.all.domains)
    }

    /// By the country of the remote end.
    pub fn countries(&self) -> Vec<Group<CountryGroup>> {
        self.groups(&self.sums.countries, &self.retired.all.countries)
    }

    /// By the network of the remote end.
    pub fn networks(&self) -> Vec<Group<NetworkGroup>> {
        self.groups(&self.sums.networks, &self.retired.all.networks)
    }

    /// By how the owner is known. The two ends of a loopback flow count each.
    pub fn coverage(&self) -> Vec<Group<Coverage>> {
        self.groups(&self.sums.coverage, &self.retired.all.coverage)
    }

    fn groups<K: Key>(
        &self,
        sums: &OnceLock<Breakdown<K>>,
        retired: &KeptView<K>,
    ) -> Vec<Group<K>> {
        sums.get_or_init(|| retired.and(&self.flows)).groups()
    }
}
