//! Evaluates terms.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use flowner_attribution::{Process, Unit, UnitKind, User, Verdict};

use super::Subject;
use super::lex::Relation;
use super::term::{Measure, Term};
use super::value::Text;
use crate::model::names::Name;
use crate::model::place::AddressRange;
use crate::model::text::{mask, mask_path};

impl Term {
    pub(super) fn matches(&self, subject: &impl Subject) -> bool {
        match self {
            Self::Anywhere(text) => is_anywhere(text, subject),
            Self::Program(text) => is_program(text, subject),
            Self::Pid(pid) => processes(subject).any(|process| process.pid == *pid),
            Self::User(text) => users(subject).any(|user| is_user(text, user)),
            Self::Unit(text) => units(subject).any(|unit| is_in_unit(text, unit)),
            Self::Container(text) => units(subject).any(|unit| is_container(text, unit)),
            Self::Pod(text) => units(subject).any(|unit| is_in_pod(text, unit)),
            Self::Name(text) => subject.names().any(|name| is_within(text, name)),
            Self::Dns(text) => subject
                .dns_questions()
                .iter()
                .any(|name| is_within(text, name)),
            Self::Country(text) => is_in_country(text, subject),
            Self::Asn(number) => subject.place().and_then(|place| place.asn) == Some(*number),
            Self::Network(text) => subject
                .place()
                .and_then(|place| place.network_name.as_deref())
                .is_some_and(|name| is_in(text, name)),
            Self::Host(network) => ends(subject).any(|end| network.contains(end.ip())),
            Self::Local(endpoint) => endpoint.contains(subject.local()),
            Self::Remote(endpoint) => subject.remote().is_some_and(|end| endpoint.contains(end)),
            Self::Port(ports) => ends(subject).any(|end| ports.contains(end.port())),
            Self::Protocol(protocol) => subject.protocol() == *protocol,
            Self::SocketKind(kind) => subject.socket_kind() == Some(*kind),
            Self::Service(name) => subject.service() == Some(*name),
            Self::State(name) => subject.state() == Some(*name),
            Self::Direction(direction) => subject.direction() == Some(*direction),
            Self::Device(text) => subject.device().is_some_and(|name| is_name(text, &name)),
            Self::Verdict(name) => verdicts(subject).any(|verdict| verdict.name() == *name),
            Self::Reason(reason) => {
                verdicts(subject).any(|verdict| *verdict == Verdict::Unknown(*reason))
            }
            Self::Match(kind) => {
                let mut owners = subject.owners().into_iter().flatten();
                owners.any(|(_, matched)| matched == Some(*kind))
            }
            Self::Community(id) => subject.community_id() == Some(*id),
            Self::Amount(measure, relation, amount) => {
                let value = measure.of(subject);
                value.is_some_and(|value| relation.holds(value, *amount))
            }
        }
    }
}

impl Measure {
    fn of(self, subject: &impl Subject) -> Option<u64> {
        match self {
            Self::Bytes => subject.bytes(),
            Self::Packets => subject.packets(),
            Self::Rate => subject.rate(),
            Self::SentAgain => subject.sent_again(),
            Self::RoundTrip => subject.round_trip(),
        }
    }
}

impl Relation {
    fn holds(self, value: u64, other: u64) -> bool {
        match self {
            Self::Less => value < other,
            Self::LessOrEqual => value <= other,
            Self::Equal => value == other,
            Self::NotEqual => value != other,
            Self::GreaterOrEqual => value >= other,
            Self::Greater => value > other,
        }
    }
}

/// The ends of the packets, and the original ends of the socket.
fn ends(subject: &impl Subject) -> impl Iterator<Item = SocketAddr> {
    let from = subject.translated_from();
    let from = from.into_iter().flat_map(|from| [from.local, from.remote]);
    let ends = [Some(subject.local()), subject.remote()];
    ends.into_iter().flatten().chain(from)
}

fn verdicts(subject: &impl Subject) -> impl Iterator<Item = &Verdict> {
    let owners = subject.owners().into_iter().flatten();
    owners.map(|(verdict, _)| verdict)
}

fn processes(subject: &impl Subject) -> impl Iterator<Item = &Arc<Process>> {
    verdicts(subject).flat_map(Verdict::processes)
}

fn users(subject: &impl Subject) -> impl Iterator<Item = &User> {
    let of_processes = processes(subject).filter_map(|process| process.user.as_ref());
    of_processes.chain(verdicts(subject).filter_map(|verdict| match verdict {
        Verdict::Partial { user, .. } => user.as_ref(),
        Verdict::Process(_) | Verdict::Shared(_) | Verdict::Unknown(_) => None,
    }))
}

fn units(subject: &impl Subject) -> impl Iterator<Item = &Unit> {
    let of_processes = processes(subject).filter_map(|process| process.unit.as_ref());
    of_processes.chain(verdicts(subject).filter_map(|verdict| match verdict {
        Verdict::Partial { unit, .. } => unit.as_ref(),
        Verdict::Process(_) | Verdict::Shared(_) | Verdict::Unknown(_) => None,
    }))
}

/// By its name, which for a container is the id, or by the container's name for people.
fn is_in_unit(text: &Text, unit: &Unit) -> bool {
    let container = unit.container();
    let name = container.as_deref().and_then(|it| it.name.as_deref());
    is_in(text, &unit.name) || name.is_some_and(|name| is_in(text, name))
}

fn is_container(text: &Text, unit: &Unit) -> bool {
    let container = unit.container();
    let image = container.as_deref().and_then(|it| it.image.as_deref());
    unit.kind == UnitKind::Container
        && (is_in_unit(text, unit) || image.is_some_and(|image| is_in(text, image)))
}

fn is_in_pod(text: &Text, unit: &Unit) -> bool {
    let container = unit.container();
    let pod = container.as_deref().and_then(|it| it.pod.as_ref());
    pod.is_some_and(|pod| is_in(text, &pod.to_string()))
}

/// A name as it is, or as the app shows it: a person can only type the latter.
fn is_in(text: &Text, name: &str) -> bool {
    text.is_in(name) || matches!(mask(name), Cow::Owned(masked) if text.is_in(&masked))
}

/// A name of a host, in the domain of that name.
fn is_within(text: &Text, name: &Name) -> bool {
    let domain = text.as_str().trim_matches('.').to_ascii_lowercase();
    name.is_within(&domain)
}

/// By code or name; an address that is in no country, by its range.
fn is_in_country(text: &Text, subject: &impl Subject) -> bool {
    let country = subject.place().and_then(|place| place.country.as_ref());
    match country {
        Some(country) => {
            let name = country.name.as_deref();
            text.is(&country.code) || name.is_some_and(|name| is_name(text, name))
        }
        None => subject
            .remote()
            .and_then(|end| AddressRange::of(end.ip()))
            .is_some_and(|range| text.is(range.name())),
    }
}

/// A whole name as it is, or as it is shown.
fn is_name(text: &Text, name: &str) -> bool {
    text.is(name) || text.is(&mask(name))
}

/// By the name of a program, the name of a process, or the path of the executable.
fn is_program(text: &Text, subject: &impl Subject) -> bool {
    let is_process = |process: &Process| {
        let path = process.path.as_deref();
        is_in(text, &process.name)
            || path.is_some_and(|path| text.is_in(&path.to_string_lossy()))
            || path.is_some_and(|path| text.is_in(&mask_path(path)))
    };
    let mut principals = subject.principals().into_iter().flatten();
    principals.any(|principal| {
        let mut programs = principal.programs().iter();
        programs.any(|program| is_in(text, &program.name))
    }) || processes(subject).any(|process| is_process(process))
}

fn is_user(text: &Text, user: &User) -> bool {
    let name = user.name.as_deref();
    name.is_some_and(|name| text.is(name) || text.is(&mask(name)))
        || text.as_str().parse().as_ref() == Ok(&user.id)
}

fn is_anywhere(text: &Text, subject: &impl Subject) -> bool {
    is_program(text, subject)
        || users(subject).any(|user| {
            let name = user.name.as_deref();
            name.is_some_and(|name| is_in(text, name)) || text.as_str().parse().as_ref() == Ok(&user.id)
        })
        || subject.names().any(|name| text.is_in(name.as_str()))
        // Formatting an address takes longest, so this does it only if the text may be part of one.
        || (text.is_part_of_address() && ends(subject).any(|end| is_in_end(text, end)))
}

/// Port 0 stands for "no ports" and is never shown.
fn is_in_end(text: &Text, end: SocketAddr) -> bool {
    match end.port() {
        0 => text.is_in(&end.ip().to_string()),
        _ => text.is_in(&end.to_string()),
    }
}
