//! The hosts of a list: by their names, or by their addresses.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use flowner_core::present::is_weak_name;
use flowner_core::{FlowRecord, Group, HostGroup, Name, Report, Totals};
use serde::{Deserialize, Serialize};

use crate::widget::table::Cell;

/// What hosts are listed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostsBy {
    /// Their names, and addresses where no name is known.
    #[default]
    Name,
    Address,
}

impl HostsBy {
    pub const ALL: [Self; 2] = [Self::Name, Self::Address];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "Names",
            Self::Address => "Addresses",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Name => Self::Address,
            Self::Address => Self::Name,
        }
    }
}

/// The hosts that flows lead to, the most bytes first.
#[derive(Debug, Default)]
pub struct Hosts {
    by_name: Vec<Row>,
    by_address: Vec<Row>,
}

/// A host in the list.
#[derive(Debug)]
pub struct Row {
    /// `None` for all that found no place in a list that was full.
    pub host: Option<HostGroup>,
    pub totals: Totals,
    /// The addresses of a name.
    beside: Option<String>,
    is_weak: bool,
}

/// What listed flows tell of a name.
#[derive(Default)]
struct Known {
    addresses: BTreeSet<IpAddr>,
    /// Whether the evidence of one flow at least is strong.
    is_strong: bool,
}

impl Hosts {
    /// Those of a report.
    pub fn of(report: &Report) -> Self {
        let known = known(&report.flows);
        let by_name = report.hosts_by_name().into_iter();
        let by_address = report.hosts().into_iter();
        Self {
            by_name: by_name.map(|group| Row::new(group, &known)).collect(),
            by_address: by_address
                .map(|group| Row {
                    host: group.key.map(HostGroup::Address),
                    totals: group.totals,
                    beside: None,
                    is_weak: false,
                })
                .collect(),
        }
    }

    /// The list.
    pub fn rows(&self, by: HostsBy) -> &[Row] {
        match by {
            HostsBy::Name => &self.by_name,
            HostsBy::Address => &self.by_address,
        }
    }
}

impl Row {
    fn new(group: Group<HostGroup>, known: &HashMap<&Name, Known>) -> Self {
        let of_name = match &group.key {
            Some(HostGroup::Name(name)) => known.get(name),
            _ => None,
        };
        Self {
            host: group.key,
            totals: group.totals,
            beside: of_name.and_then(Known::words),
            is_weak: of_name.is_some_and(|known| !known.is_strong),
        }
    }

    /// The host, with its addresses beside its name where there is room.
    pub fn cell(&self) -> Cell {
        let Some(host) = &self.host else {
            return Cell::text("all others");
        };
        let cell = match host {
            HostGroup::Name(name) => Cell::name(name.as_str()),
            host => Cell::text(host.to_string()),
        };
        let cell = cell.beside(self.beside.clone());
        if self.is_weak { cell.muted() } else { cell }
    }
}

impl Known {
    /// The lowest address, and how many there are besides.
    fn words(&self) -> Option<String> {
        let first = self.addresses.first()?;
        Some(match self.addresses.len() {
            1 => first.to_string(),
            count => format!("{first} +{}", count - 1),
        })
    }
}

fn known(flows: &[FlowRecord]) -> HashMap<&Name, Known> {
    let mut known: HashMap<&Name, Known> = HashMap::new();
    for flow in flows {
        if let Some(host) = flow.remote_name() {
            let known = known.entry(&host.name).or_default();
            known.addresses.insert(flow.remote.ip());
            known.is_strong |= !is_weak_name(host);
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use flowner_core::AskedBy;

    use super::*;
    use crate::feed::Wish;
    use crate::samples::{flow, named, picture};

    fn shown(by: HostsBy) -> Vec<String> {
        let mut flows: Vec<_> = (1..=5)
            .map(|id| flow(id, 600 - u32::from(id) * 100))
            .collect();
        flows[0].names = Some(named("www.example.com", AskedBy::Program));
        flows[1].names = Some(named("www.example.com", AskedBy::AnotherHost));
        flows[2].names = Some(named("cdn.example", AskedBy::AnotherHost));
        flows[4].remote = flows[0].remote;
        let picture = picture(flows, &Wish::default());
        let rows = picture.hosts.rows(by).iter();
        rows.map(|row| {
            let host = row.host.as_ref().unwrap();
            let beside = row.beside.as_deref().unwrap_or_default();
            let weak = if row.is_weak { "weak" } else { "" };
            format!("{host} {beside} {weak}").trim_end().to_owned()
        })
        .collect()
    }

    #[test]
    fn a_host_has_its_name_first_and_its_addresses_beside() {
        assert_eq!(
            shown(HostsBy::Name),
            [
                "www.example.com 192.0.2.1 +1",
                "cdn.example 192.0.2.3 weak",
                "192.0.2.4",
                "192.0.2.1"
            ]
        );
    }

    #[test]
    fn by_address_no_name_is_shown() {
        assert_eq!(
            shown(HostsBy::Address),
            ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]
        );
    }
}
