//! Sums by whom the other ends are: by name, registered domain, country and network.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use flowner_names::registrable_domain;

use super::{Key, Totals};
use crate::model::flow::FlowRecord;
use crate::model::names::Name;
use crate::model::place::{AddressRange, Country};

/// The name of the remote end; `None` if it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameGroup(pub Option<Name>);

/// The registered domain of that name, by the public suffix list; the name itself if it is in none.
/// `None` if there is no name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainGroup(pub Option<Name>);

/// Where the remote end is. Two countries are equal if their codes are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CountryGroup {
    /// In this country, as a database tells.
    Country(Country),
    /// No database tells the country, and the address is of this range.
    Range(AddressRange),
    /// Neither.
    Unknown,
}

/// The network of the remote end. Two autonomous systems are equal if their numbers are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NetworkGroup {
    /// An autonomous system, as a database tells.
    System {
        /// Its number.
        asn: u32,
        /// The organisation that it belongs to.
        name: Option<String>,
    },
    /// A database tells only whose network it is.
    Named(String),
    /// No database tells it, and the address is of this range.
    Range(AddressRange),
    /// Neither.
    Unknown,
}

impl NameGroup {
    fn of(flow: &FlowRecord) -> Self {
        Self(flow.remote_name().map(|it| it.name.clone()))
    }
}

impl DomainGroup {
    fn of(flow: &FlowRecord) -> Self {
        let Some(name) = flow.remote_name().map(|it| &it.name) else {
            return Self(None);
        };
        let domain = registrable_domain(name.as_str()).filter(|it| *it != name.as_str());
        let domain = domain.and_then(|it| Name::from_text(it.as_bytes()));
        Self(Some(domain.unwrap_or_else(|| name.clone())))
    }
}

impl CountryGroup {
    /// The group of a flow.
    pub fn of(flow: &FlowRecord) -> Self {
        match (flow.country(), flow.range()) {
            (Some(country), _) => Self::Country(country.clone()),
            (None, Some(range)) => Self::Range(range),
            (None, None) => Self::Unknown,
        }
    }

    fn order(&self) -> (u8, &str) {
        match self {
            Self::Country(country) => (0, &country.code),
            Self::Range(range) => (1, range.name()),
            Self::Unknown => (2, ""),
        }
    }
}

impl NetworkGroup {
    /// The group of a flow.
    pub fn of(flow: &FlowRecord) -> Self {
        let place = flow.place();
        let name = place.and_then(|place| place.network_name.clone());
        match (place.and_then(|place| place.asn), name, flow.range()) {
            (Some(asn), name, _) => Self::System { asn, name },
            (None, Some(name), _) => Self::Named(name),
            (None, None, Some(range)) => Self::Range(range),
            (None, None, None) => Self::Unknown,
        }
    }

    fn order(&self) -> (u8, u32, &str) {
        match self {
            Self::System { asn, .. } => (0, *asn, ""),
            Self::Named(name) => (1, 0, name),
            Self::Range(range) => (2, 0, range.name()),
            Self::Unknown => (3, 0, ""),
        }
    }
}

/// Equal, ordered and hashed by what `order` tells.
macro_rules! by_order {
    ($($group:ty),*) => {$(
        impl PartialEq for $group {
            fn eq(&self, other: &Self) -> bool {
                self.order() == other.order()
            }
        }

        impl Eq for $group {}

        impl Hash for $group {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.order().hash(state);
            }
        }

        impl PartialOrd for $group {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $group {
            fn cmp(&self, other: &Self) -> Ordering {
                self.order().cmp(&other.order())
            }
        }
    )*};
}

by_order!(CountryGroup, NetworkGroup);

/// By the remote end, each flow as a whole.
macro_rules! of_remote {
    ($($group:ty),*) => {$(
        impl Key for $group {
            fn credit(flow: &FlowRecord, mut add: impl FnMut(Self, &Totals)) {
                add(Self::of(flow), &Totals::of(flow));
            }
        }
    )*};
}

of_remote!(NameGroup, DomainGroup, CountryGroup, NetworkGroup);

impl fmt::Display for NameGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref().map_or("no name", Name::as_str))
    }
}

impl fmt::Display for DomainGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref().map_or("no name", Name::as_str))
    }
}

/// `Germany (DE)`, or the name of the range.
impl fmt::Display for CountryGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Country(Country {
                code,
                name: Some(name),
                ..
            }) => write!(f, "{name} ({code})"),
            Self::Country(country) => f.write_str(&country.code),
            Self::Range(range) => f.write_str(range.name()),
            Self::Unknown => f.write_str("unknown country"),
        }
    }
}

/// `AS64496 Example Net`, or the name of the range.
impl fmt::Display for NetworkGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System {
                asn,
                name: Some(name),
            } => write!(f, "AS{asn} {name}"),
            Self::System { asn, name: None } => write!(f, "AS{asn}"),
            Self::Named(name) => f.write_str(name),
            Self::Range(range) => f.write_str(range.name()),
            Self::Unknown => f.write_str("unknown network"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::{EndState, InputInfo, Report};
    use crate::samples::{address, flow, names, place};

    fn report(flows: Vec<FlowRecord>) -> Report {
        let input = InputInfo {
            name: "eth0".to_owned(),
            link_type: "ethernet",
            is_live: false,
        };
        Report::of(flows, input, EndState::Complete)
    }

    #[test]
    fn flows_add_up_by_whom_they_lead_to() {
        let flows = ["www.example.co.uk", "cdn.example.co.uk", "printer"];
        let mut flows: Vec<_> = (1..)
            .zip(flows)
            .map(|(id, name)| {
                let mut flow = flow(id);
                flow.names = Some(names(name));
                flow.sent.bytes += 100 - id;
                flow.place = (id != 3).then(|| place(&format!("name {id}")));
                flow
            })
            .collect();
        flows[2].remote = address("192.168.1.9:631");
        let mut bare = flow(4);
        bare.sent.bytes = 0;
        flows.push(bare);
        let report = report(flows);
        let shown = |groups: Vec<(String, u64)>| -> Vec<String> {
            let lines = groups.into_iter();
            lines
                .map(|(key, flows)| format!("{key}: {flows}"))
                .collect()
        };
        macro_rules! lines {
            ($groups:expr) => {
                shown(
                    $groups
                        .iter()
                        .map(|group| (group.key.as_ref().unwrap().to_string(), group.totals.flows))
                        .collect(),
                )
            };
        }
        assert_eq!(
            lines!(report.names()),
            [
                "www.example.co.uk: 1",
                "cdn.example.co.uk: 1",
                "printer: 1",
                "no name: 1"
            ]
        );
        assert_eq!(
            lines!(report.domains()),
            ["example.co.uk: 2", "printer: 1", "no name: 1"]
        );
        // One country, though two databases write its name differently.
        let countries = report.countries();
        assert_eq!(countries[0].totals.flows, 2);
        assert_eq!(lines!(countries)[1..], ["private: 1", "unknown country: 1"]);
        assert_eq!(
            lines!(report.networks()),
            ["AS64496 Example Net: 2", "private: 1", "unknown network: 1"]
        );
    }
}
