//! What both apps render: everything that is known at one point in time.

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
    Breakdown, ContainerGroup, CountryGroup, Coverage, DomainGroup, Group, KeptView, Key,
    NameGroup, NetworkGroup, PodGroup, ProcessPrincipal, Service, Totals, UnitGroup,
};

/// An immutable picture of a monitor's ledger.
#[derive(Debug)]
pub struct Report {
    /// Where the packets come from.
    pub input: InputInfo,
    /// How the input ended, or that it has not.
    pub ending: EndState,
    /// Whose packets they are.
    pub whose: LocalAddressSource,
    /// Why nothing is captured at this time, though the input has not ended: its device is down
    /// or gone, and it is captured from again when it is back.
    pub interruption: Option<String>,
    /// What was not as it should be last, with the input itself: its clock was set, or it is a
    /// file that somebody writes while it is read. The input goes on, or is complete.
    pub warning: Option<String>,
    /// The earliest and the latest packet time, since the Unix epoch; `None` before
    /// the first packet.
    pub span: Option<(Duration, Duration)>,
    /// The packet time of this report, since the Unix epoch; for a device the wall clock's.
    pub now: Duration,
    /// What was whose, and when: of all flows, whatever was selected.
    pub history: History,
    /// The flows that are open or ended recently, by first packet.
    pub flows: Vec<FlowRecord>,
    /// Frames that belong to no flow, by reason.
    pub undecodable: Vec<(&'static str, Counters)>,
    /// Comments of a file that claim an owner who cannot be, of all packets; see
    /// [`recording`](crate::recording#what-a-file-claims). Their packets are counted without.
    pub refused_claims: u64,
    /// What was counted on each device, most bytes first; empty for files.
    pub devices: Vec<DeviceTotals>,
    /// What the kernel counted, for live capture.
    pub capture: Option<Statistics>,
    /// What the flow table counted.
    pub table: TableStatistics,
    /// What the search for owners did; `None` where owners are not looked up.
    pub owners: Option<PolicyStatistics>,
    retired: RetiredView,
    unsearched: Totals,
    sums: Sums,
}

/// All flows by what they have in common: each made at the first call, by the caller, not
/// under the monitor's lock.
#[derive(Debug, Default)]
struct Sums {
    programs: OnceLock<Breakdown<Principal>>,
    processes: OnceLock<Breakdown<ProcessPrincipal>>,
    hosts: OnceLock<Breakdown<IpAddr>>,
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

/// Where packets come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputInfo {
    /// The device, the devices with commas between them, or `all devices`; the file, or `-` for
    /// standard input.
    pub name: String,
    /// The link type, such as `EN10MB`, as libpcap and Wireshark call it.
    pub link_type: &'static str,
    /// Whether it is a device.
    pub is_live: bool,
}

/// What was counted on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceTotals {
    /// Its name, the newest that is known.
    pub name: Arc<str>,
    /// What was counted on it.
    pub counted: Counters,
}

/// Whose packets are read: which addresses are the host's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LocalAddressSource {
    /// Nobody's that is known.
    #[default]
    Unknown,
    /// This host's, or whose addresses were given.
    Given,
    /// The file tells these.
    Told(Vec<IpAddr>),
    /// These stand out in the first packets, which may be wrong.
    Guessed(Vec<IpAddr>),
}

/// How a monitor's input ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndState {
    /// It has not.
    Running,
    /// The file was read to its end.
    Complete,
    /// It was told to stop.
    Stopped,
    /// It failed; what was counted until then is in the report.
    InputFailed(String),
}

/// What a report is made of, all of it as it was at one point in time.
pub(crate) struct Parts {
    pub(crate) whose: LocalAddressSource,
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
            whose: parts.whose,
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
            whose: LocalAddressSource::Unknown,
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

    /// Everything that was captured: all flows and what could not be decoded.
    pub fn total(&self) -> Counters {
        let undecodable = self.undecodable.iter().map(|(_, counters)| *counters);
        let flows = self.flows.iter().map(FlowRecord::total);
        flows.chain(undecodable).sum::<Counters>() + self.retired.all.total.total()
    }

    /// Whether owners were looked for, or are recorded in the file.
    pub fn tells_owners(&self) -> bool {
        let mut flows = self.flows.iter();
        let retired = self.retired.all.coverage.groups().into_iter();
        let mut retired = retired.filter_map(|group| group.key);
        self.owners.is_some()
            || flows.any(|flow| flow.owner.is_some() || flow.remote_owner.is_some())
            || retired.any(|coverage| coverage != Coverage::NotAsked)
    }

    /// Whether whatever owners there are are those that a file claims: nobody has checked them,
    /// and what they name is perhaps not on this host. An owner tells it itself, as
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

    /// Ends of flows whose owners were not looked up, as more waited for that than may, such as in
    /// a flood of new connections. They are counted, with [`Reason::Failed`] as their owner.
    ///
    /// [`Reason::Failed`]: flowner_attribution::Reason::Failed
    pub fn not_looked_up(&self) -> u64 {
        self.owners.map_or(0, |owners| owners.overflow)
    }

    /// Packets that belong to no flow, as they could not be decoded.
    pub fn packets_of_no_flow(&self) -> u64 {
        let packets = self.undecodable.iter().map(|(_, counted)| counted.packets);
        packets.sum()
    }

    /// Flows that are counted in the totals but not listed any more.
    pub fn unlisted_flows(&self) -> u64 {
        self.retired.all.total.flows
    }

    /// What the flows add up to that are counted in the totals but not listed any more.
    pub const fn unlisted(&self) -> Totals {
        self.retired.all.total
    }

    /// What those flows of the whole report add up to of which nobody knows whether they belong
    /// to this selection: they had left the list before it was made. They are in none of its
    /// totals. There are none where the selection is by [`Config::filter`](crate::Config::filter).
    pub const fn unsearched(&self) -> Totals {
        self.unsearched
    }

    /// The same report with the flows only that are chosen. Flows that are not listed any more
    /// are in the totals, if the selection is the monitor's or of everything; else they are left
    /// out and counted as [`unsearched`](Self::unsearched).
    pub(crate) fn chosen_by(&self, selection: &Selection) -> Self {
        let retired = self.retired.select(selection);
        let is_everything = selection.is_everything();
        self.chosen(is_everything, retired, |flow| selection.matches(flow))
    }

    /// The same report with the flows of this principal only, as the principal has them: `local` is
    /// its own end, `sent` what it sent. A flow of which both ends are the principal's is there
    /// twice, once from each end, so that the flows add up to what the principal sent and
    /// received. Flows that are not listed any more are left out, and counted as
    /// [`unsearched`](Self::unsearched).
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

    /// What programs of this host sent each other, each byte once: it is among what one
    /// program sent, and among what another received.
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
            whose: self.whose.clone(),
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

    /// By the container that the owner is in.
    pub fn containers(&self) -> Vec<Group<ContainerGroup>> {
        self.groups(&self.sums.containers, &self.retired.all.containers)
    }

    /// By the pod that the owner's container is in.
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
