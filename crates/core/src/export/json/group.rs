//! Totals of flows that have something in common.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::Path;

use flowner_attribution::{Source, User};
use flowner_flows::Protocol;
use serde::Serialize;

use super::owner::{PodObject, UnitObject, UserName};
use super::value::{Sums, Text, Time};
use crate::model::names::Name;
use crate::model::principal::Principal;
use crate::model::program::{Claim, Program};
use crate::model::totals::{
    ContainerGroup, CountryGroup, DomainGroup, Group, NameGroup, NetworkGroup, PodGroup,
    ProcessPrincipal, Service, Totals, UnitGroup,
};
use crate::query::services::service_name;

/// A group of flows: what they have in common, `flows`, `sent`, `received`;
/// in these sums each byte counts once, so that the lines add up to the host's total.
/// Where something came from programs of this host, which is among what those `sent`,
/// `received_here` is that, and `received_total` all that was received, from other hosts
/// and from this one: not to be added up over lines. The last line of a breakdown that was full has `null` and
/// `"others":true`.
///
/// | `type` | keys |
/// |---|---|
/// | `program` | `program` and `path`, `null` where it is not one program, else also `program_id` |
/// | `process` | `pid`, `name`, `user` and `started`, `null` where it is not one process |
/// | `host` | `host` |
/// | `service` | `service` (its name), `protocol`, `port` |
/// | `protocol` | `protocol` |
/// | `unit` | `unit`, `null` for what is in none, in several or in one that is not known |
/// | `container` | `container`, the same of containers alone |
/// | `pod` | `pod`, with its `namespace` and `name`, or `null` |
/// | `name` | `name` of the remote end, `null` where it is not known |
/// | `domain` | `domain` of that name, by the public suffix list, or the same |
/// | `country` | `country`, `null` if no database has it; `country_name`, and `range` for addresses in no country |
/// | `network` | `asn`, `network_name` and `range`, the same |
///
/// The first two have `programs` if several share the sockets, or `unit` or `user` if only that is
/// known. Without any of these the owner is unknown. They have `"source":"recorded"` if a file claims
/// the owner.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GroupLine<'a> {
    #[serde(flatten)]
    key: Key<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    others: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    flows: u64,
    sent: Sums,
    received: Sums,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_here: Option<Sums>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_total: Option<Sums>,
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
enum Key<'a> {
    Program {
        program: Option<&'a str>,
        path: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        program_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        program_claimed_by: Option<&'static str>,
        #[serde(flatten)]
        known: OtherOwners<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<Text<UserName<'a>>>,
    },
    Process {
        pid: Option<u32>,
        name: Option<&'a str>,
        user: Option<Cow<'a, str>>,
        started: Option<Time>,
        #[serde(flatten)]
        known: OtherOwners<'a>,
    },
    Host {
        host: Option<IpAddr>,
    },
    Service {
        service: Option<&'static str>,
        protocol: Option<Text<Protocol>>,
        port: Option<u16>,
    },
    Protocol {
        protocol: Option<Text<Protocol>>,
    },
    Unit {
        unit: Option<UnitObject<'a>>,
    },
    Container {
        container: Option<UnitObject<'a>>,
    },
    Pod {
        pod: Option<PodObject<'a>>,
    },
    Name {
        name: Option<&'a str>,
    },
    Domain {
        domain: Option<&'a str>,
    },
    Country {
        country: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        country_name: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        range: Option<&'static str>,
    },
    Network {
        asn: Option<u32>,
        network_name: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        range: Option<&'static str>,
    },
}

/// What is known of owners that are not one program or process.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OtherOwners<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    programs: Vec<ProgramObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<UnitObject<'a>>,
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ProgramObject<'a> {
    program: &'a str,
    path: Option<Cow<'a, str>>,
    program_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    program_claimed_by: Option<&'static str>,
}

impl<'a> ProgramObject<'a> {
    fn new(program: &'a Program) -> Self {
        Self {
            program: &program.name,
            program_id: &program.id,
            program_claimed_by: program.claim.map(Claim::name),
            path: path(program),
        }
    }
}

fn path(program: &Program) -> Option<Cow<'_, str>> {
    program.path.as_deref().map(Path::to_string_lossy)
}

/// The lifetime of the line is that of the group, whatever that of `Self`, so that these functions
/// work for any group.
impl GroupLine<'_> {
    /// By program.
    pub fn program(group: &Group<Principal>) -> GroupLine<'_> {
        let principal = group.key.as_ref();
        let program = match principal {
            Some(Principal::Program(program)) => Some(&**program),
            _ => None,
        };
        let known = match program {
            Some(_) => OtherOwners::default(),
            None => OtherOwners::of(principal),
        };
        let user = user(principal).map(|user| Text(UserName(user)));
        let key = Key::Program {
            program: program.map(|program| &*program.name),
            program_id: program.map(|program| &*program.id),
            program_claimed_by: program.and_then(|program| program.claim).map(Claim::name),
            path: program.and_then(path),
            known,
            user,
        };
        GroupLine::of(key, group.key.is_none(), &group.totals)
    }

    /// By process.
    pub fn process(group: &Group<ProcessPrincipal>) -> GroupLine<'_> {
        let key = match group.key.as_ref() {
            Some(ProcessPrincipal::Process { id, name, user }) => Key::Process {
                pid: Some(id.pid),
                name: Some(name),
                user: user.as_deref().map(Cow::Borrowed),
                started: id.started.map(Time::at),
                known: OtherOwners::default(),
            },
            other => {
                let principal = match other {
                    Some(ProcessPrincipal::Other(principal)) => Some(principal),
                    _ => None,
                };
                Key::Process {
                    pid: None,
                    name: None,
                    user: user(principal).map(|user| UserName(user).to_string().into()),
                    started: None,
                    known: OtherOwners::of(principal),
                }
            }
        };
        GroupLine::of(key, group.key.is_none(), &group.totals)
    }

    /// By the remote end's address.
    pub fn host(group: &Group<IpAddr>) -> GroupLine<'_> {
        let key = Key::Host { host: group.key };
        GroupLine::of(key, group.key.is_none(), &group.totals)
    }

    /// By protocol and the responder's port.
    pub fn service(group: &Group<Service>) -> GroupLine<'_> {
        let service = group.key.as_ref();
        let with_port = service.filter(|service| service.protocol.has_ports());
        let key = Key::Service {
            service: with_port.and_then(|service| service_name(service.protocol, service.port)),
            protocol: service.map(|service| Text(service.protocol)),
            port: with_port.map(|service| service.port),
        };
        GroupLine::of(key, group.key.is_none(), &group.totals)
    }

    /// By protocol.
    pub fn protocol(group: &Group<Protocol>) -> GroupLine<'_> {
        let protocol = group.key.map(Text);
        let key = Key::Protocol { protocol };
        GroupLine::of(key, group.key.is_none(), &group.totals)
    }
}

impl GroupLine<'_> {
    /// By the service, container or sandbox of the owner.
    pub fn unit(group: &Group<UnitGroup>) -> GroupLine<'_> {
        let unit = group.key.as_ref().and_then(|key| key.0.as_ref());
        let unit = unit.map(UnitObject::new);
        GroupLine::of(Key::Unit { unit }, group.key.is_none(), &group.totals)
    }

    /// By the container of the owner.
    pub fn container(group: &Group<ContainerGroup>) -> GroupLine<'_> {
        let container = group.key.as_ref().and_then(|key| key.0.as_ref());
        let container = container.map(UnitObject::new);
        let key = Key::Container { container };
        GroupLine::of(key, group.key.is_none(), &group.totals)
    }

    /// By the pod of the owner.
    pub fn pod(group: &Group<PodGroup>) -> GroupLine<'_> {
        let pod = group.key.as_ref().and_then(|key| key.0.as_ref());
        let pod = pod.map(PodObject::new);
        GroupLine::of(Key::Pod { pod }, group.key.is_none(), &group.totals)
    }
}

impl GroupLine<'_> {
    /// By the name of the remote end.
    pub fn name(group: &Group<NameGroup>) -> GroupLine<'_> {
        let name = group.key.as_ref().and_then(|key| key.0.as_ref());
        let name = name.map(Name::as_str);
        GroupLine::of(Key::Name { name }, group.key.is_none(), &group.totals)
    }

    /// By the registered domain of that name.
    pub fn domain(group: &Group<DomainGroup>) -> GroupLine<'_> {
        let domain = group.key.as_ref().and_then(|key| key.0.as_ref());
        let domain = domain.map(Name::as_str);
        GroupLine::of(Key::Domain { domain }, group.key.is_none(), &group.totals)
    }

    /// By the country of the remote end.
    pub fn country(group: &Group<CountryGroup>) -> GroupLine<'_> {
        let (country, range) = match &group.key {
            Some(CountryGroup::Country(country)) => (Some(country), None),
            Some(CountryGroup::Range(range)) => (None, Some(range.name())),
            Some(CountryGroup::Unknown) | None => (None, None),
        };
        let key = Key::Country {
            country: country.map(|country| &*country.code),
            country_name: country.and_then(|country| country.name.as_deref()),
            range,
        };
        GroupLine::of(key, group.key.is_none(), &group.totals)
    }

    /// By the network of the remote end.
    pub fn network(group: &Group<NetworkGroup>) -> GroupLine<'_> {
        let (asn, network_name, range) = match &group.key {
            Some(NetworkGroup::System { asn, name }) => (Some(*asn), name.as_deref(), None),
            Some(NetworkGroup::Named(name)) => (None, Some(&**name), None),
            Some(NetworkGroup::Range(range)) => (None, None, Some(range.name())),
            Some(NetworkGroup::Unknown) | None => (None, None, None),
        };
        let key = Key::Network {
            asn,
            network_name,
            range,
        };
        GroupLine::of(key, group.key.is_none(), &group.totals)
    }
}

impl<'a> GroupLine<'a> {
    /// The same if a file claims the owners, as
    /// [`Report::owners_are_claimed`](crate::Report::owners_are_claimed) reports: marks the line if
    /// it names an owner.
    #[must_use]
    pub fn claimed(mut self, is_claimed: bool) -> Self {
        let names_an_owner = match &self.key {
            Key::Program {
                program,
                known,
                user,
                ..
            } => program.is_some() || user.is_some() || known.names_an_owner(),
            Key::Process {
                pid, known, user, ..
            } => pid.is_some() || user.is_some() || known.names_an_owner(),
            Key::Unit { unit } => unit.is_some(),
            Key::Container { container } => container.is_some(),
            Key::Pod { pod } => pod.is_some(),
            Key::Host { .. }
            | Key::Service { .. }
            | Key::Protocol { .. }
            | Key::Name { .. }
            | Key::Domain { .. }
            | Key::Country { .. }
            | Key::Network { .. } => false,
        };
        if is_claimed && names_an_owner {
            self.source = Some(Source::Recorded.name());
        }
        self
    }

    fn of(key: Key<'a>, others: bool, totals: &Totals) -> Self {
        let received_here = totals.received_here;
        let is_given = received_here.packets > 0;
        Self {
            key,
            others,
            source: None,
            flows: totals.flows,
            sent: totals.sent.into(),
            received: totals.received_elsewhere().into(),
            received_here: is_given.then(|| received_here.into()),
            received_total: is_given.then(|| totals.received.into()),
        }
    }
}

impl<'a> OtherOwners<'a> {
    const fn names_an_owner(&self) -> bool {
        !self.programs.is_empty() || self.unit.is_some()
    }

    fn of(principal: Option<&'a Principal>) -> Self {
        Self {
            programs: principal
                .map_or(&[][..], Principal::programs)
                .iter()
                .map(|program| ProgramObject::new(program))
                .collect(),
            unit: match principal {
                Some(Principal::Unit(unit)) => Some(UnitObject::new(unit)),
                _ => None,
            },
        }
    }
}

fn user(principal: Option<&Principal>) -> Option<&User> {
    match principal {
        Some(Principal::User(user)) => Some(user),
        _ => None,
    }
}
