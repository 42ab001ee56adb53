//! Sums by the remote end, under its name where that is known.

use std::fmt;
use std::net::IpAddr;

use super::{Key, Totals};
use crate::model::flow::FlowRecord;
use crate::model::names::Name;

/// A remote end: its name, or its address where no name is known. Addresses of one name add up, and an
/// address that has several names is in several groups: each flow is in that of its own name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum HostGroup {
    /// The flows whose remote end has this name.
    Name(Name),
    /// The flows to or from this address that have no name.
    Address(IpAddr),
}

impl HostGroup {
    /// The group of a flow.
    pub fn of(flow: &FlowRecord) -> Self {
        match flow.remote_name() {
            Some(host) => Self::Name(host.name.clone()),
            None => Self::Address(flow.remote.ip()),
        }
    }
}

impl fmt::Display for HostGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl Key for HostGroup {
    fn credit(flow: &FlowRecord, mut add: impl FnMut(Self, &Totals)) {
        add(Self::of(flow), &Totals::of(flow));
    }
}

#[cfg(test)]
mod tests {
    use crate::model::report::{EndState, InputInfo, Report};
    use crate::samples::{address, flow, names};

    #[test]
    fn a_host_adds_up_under_its_name_and_else_under_its_address() {
        let hosts = [
            (Some("www.example.com"), "203.0.113.1:443"),
            (Some("www.example.com"), "203.0.113.2:443"),
            (Some("cdn.example"), "203.0.113.1:443"),
            (None, "203.0.113.1:443"),
        ];
        let flows = (1..).zip(hosts).map(|(id, (name, remote))| {
            let mut flow = flow(id);
            flow.remote = address(remote);
            flow.names = name.map(names);
            flow
        });
        let input = InputInfo {
            name: "eth0".to_owned(),
            link_type: "ethernet",
            is_live: false,
        };
        let report = Report::of(flows.collect(), input, EndState::Complete);
        let groups = report.hosts_by_name();
        let mut lines: Vec<_> = groups
            .iter()
            .map(|group| format!("{}: {}", group.key.as_ref().unwrap(), group.totals.flows))
            .collect();
        lines.sort();
        assert_eq!(
            lines,
            ["203.0.113.1: 1", "cdn.example: 1", "www.example.com: 2"]
        );
        let bytes = groups.iter().map(|group| group.totals.counted().bytes);
        assert_eq!(bytes.sum::<u64>(), report.total().bytes);
    }

    #[test]
    fn the_far_end_of_a_reversed_flow_has_no_name_of_the_near_one() {
        let mut flow = flow(1);
        flow.names = Some(names("www.example.com"));
        assert_eq!(flow.clone().from_remote_end().remote_name(), None);
        assert!(flow.remote_name().is_some());
    }
}
