//! Sums that one thread writes while another reads them.

use std::collections::HashMap;
use std::net::IpAddr;

use flowner_flows::Protocol;
use flowner_flows::chunked::{Chunked, View};

use super::{
    Breakdown, ContainerGroup, CountryGroup, Coverage, DomainGroup, Group, HostGroup, Key,
    NameGroup, NetworkGroup, PodGroup, ProcessPrincipal, Service, Totals, UnitGroup, by_size,
};
use crate::model::flow::FlowRecord;
use crate::model::principal::Principal;

/// Sums by key, with a bound on the number of keys.
#[derive(Debug)]
struct Kept<K> {
    places: HashMap<K, usize>,
    groups: Chunked<(K, Totals)>,
    /// The totals of flows without room for their key.
    rest: Totals,
    max: usize,
}

/// The sums at one point in time. A clone shares them.
#[derive(Debug, Clone)]
pub(crate) struct KeptView<K> {
    groups: View<(K, Totals)>,
    rest: Totals,
}

impl<K: Key> Kept<K> {
    fn new(max: usize) -> Self {
        Self {
            places: HashMap::new(),
            groups: Chunked::new(),
            rest: Totals::default(),
            max,
        }
    }

    fn count(&mut self, flow: &FlowRecord) {
        K::credit(flow, |key, totals| self.add(key, totals));
    }

    fn add(&mut self, key: K, totals: &Totals) {
        if let Some(place) = self.places.get(&key) {
            if let Some((_, sum)) = self.groups.get_mut(*place) {
                sum.add(totals);
            }
        } else if self.places.len() >= self.max {
            self.rest.add(totals);
        } else {
            let place = self.groups.push((key.clone(), *totals));
            self.places.insert(key, place);
        }
    }

    fn view(&mut self) -> KeptView<K> {
        KeptView {
            groups: self.groups.view(),
            rest: self.rest,
        }
    }
}

impl<K> Default for KeptView<K> {
    fn default() -> Self {
        Self {
            groups: View::default(),
            rest: Totals::default(),
        }
    }
}

impl<K: Key> KeptView<K> {
    /// These sums together with those of other flows, with room for all of them.
    pub(crate) fn and<'a>(&self, flows: impl IntoIterator<Item = &'a FlowRecord>) -> Breakdown<K> {
        let mut all = Breakdown {
            groups: self.groups.iter().cloned().collect(),
            rest: self.rest,
        };
        flows.into_iter().for_each(|flow| all.count(flow));
        all
    }

    /// The totals of a group.
    pub(crate) fn totals(&self, key: &K) -> Option<Totals> {
        let mut groups = self.groups.iter();
        groups.find(|(of, _)| of == key).map(|(_, totals)| *totals)
    }

    /// The groups, most bytes first.
    pub(crate) fn groups(&self) -> Vec<Group<K>> {
        by_size(self.groups.iter().cloned(), self.rest)
    }
}

/// All breakdowns of a set of flows.
#[derive(Debug)]
pub(crate) struct Breakdowns {
    total: Totals,
    programs: Kept<Principal>,
    processes: Kept<ProcessPrincipal>,
    hosts: Kept<IpAddr>,
    hosts_by_name: Kept<HostGroup>,
    services: Kept<Service>,
    protocols: Kept<Protocol>,
    coverage: Kept<Coverage>,
    units: Kept<UnitGroup>,
    containers: Kept<ContainerGroup>,
    pods: Kept<PodGroup>,
    names: Kept<NameGroup>,
    domains: Kept<DomainGroup>,
    countries: Kept<CountryGroup>,
    networks: Kept<NetworkGroup>,
}

/// All breakdowns at one point in time. A clone shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct BreakdownsView {
    pub(crate) total: Totals,
    pub(crate) programs: KeptView<Principal>,
    pub(crate) processes: KeptView<ProcessPrincipal>,
    pub(crate) hosts: KeptView<IpAddr>,
    pub(crate) hosts_by_name: KeptView<HostGroup>,
    pub(crate) services: KeptView<Service>,
    pub(crate) protocols: KeptView<Protocol>,
    pub(crate) coverage: KeptView<Coverage>,
    pub(crate) units: KeptView<UnitGroup>,
    pub(crate) containers: KeptView<ContainerGroup>,
    pub(crate) pods: KeptView<PodGroup>,
    pub(crate) names: KeptView<NameGroup>,
    pub(crate) domains: KeptView<DomainGroup>,
    pub(crate) countries: KeptView<CountryGroup>,
    pub(crate) networks: KeptView<NetworkGroup>,
}

impl Breakdowns {
    /// Empty breakdowns, with at most `max` groups each.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            total: Totals::default(),
            programs: Kept::new(max),
            processes: Kept::new(max),
            hosts: Kept::new(max),
            hosts_by_name: Kept::new(max),
            services: Kept::new(max),
            protocols: Kept::new(max),
            coverage: Kept::new(max),
            units: Kept::new(max),
            containers: Kept::new(max),
            pods: Kept::new(max),
            names: Kept::new(max),
            domains: Kept::new(max),
            countries: Kept::new(max),
            networks: Kept::new(max),
        }
    }

    pub(crate) fn count(&mut self, flow: &FlowRecord) {
        self.total.add(&Totals::of(flow));
        self.programs.count(flow);
        self.processes.count(flow);
        self.hosts.count(flow);
        self.hosts_by_name.count(flow);
        self.services.count(flow);
        self.protocols.count(flow);
        self.coverage.count(flow);
        self.units.count(flow);
        self.containers.count(flow);
        self.pods.count(flow);
        self.names.count(flow);
        self.domains.count(flow);
        self.countries.count(flow);
        self.networks.count(flow);
    }

    /// As they are now. This copies none of the groups.
    pub(crate) fn view(&mut self) -> BreakdownsView {
        BreakdownsView {
            total: self.total,
            programs: self.programs.view(),
            processes: self.processes.view(),
            hosts: self.hosts.view(),
            hosts_by_name: self.hosts_by_name.view(),
            services: self.services.view(),
            protocols: self.protocols.view(),
            coverage: self.coverage.view(),
            units: self.units.view(),
            containers: self.containers.view(),
            pods: self.pods.view(),
            names: self.names.view(),
            domains: self.domains.view(),
            countries: self.countries.view(),
            networks: self.networks.view(),
        }
    }
}
