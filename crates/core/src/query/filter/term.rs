//! The terms: how they are written and read.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use flowner_attribution::{Match, Reason, SocketState};
use flowner_flows::{Direction, Protocol, State};

use super::error::{Problem, nearest};
use super::lex::{Operator, Relation, Split, Word, quote};
use super::value::{Endpoint, Ports, Text, amount};
use crate::model::prefix::Network;
use crate::query::services;
use crate::query::sockets::UNCONNECTED;

/// One question to a flow or socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// A word without a key.
    Anywhere(Text),
    Program(Text),
    Pid(u32),
    User(Text),
    Unit(Text),
    Host(Network),
    Local(Endpoint),
    Remote(Endpoint),
    Port(Ports),
    Protocol(Protocol),
    Service(&'static str),
    State(&'static str),
    Direction(Direction),
    Verdict(&'static str),
    Reason(Reason),
    Match(Match),
    Amount(Measure, Relation, u64),
}

/// What can be compared with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Bytes,
    Packets,
    Rate,
}

/// Every key with an example of its value, as error messages show them.
const KEYS: [(&str, &str); 18] = [
    ("program", ":firefox"),
    ("pid", ":4242"),
    ("user", ":ada"),
    ("unit", ":sshd"),
    ("host", ":10.0.0.0/8"),
    ("local", "::443"),
    ("remote", ":10.0.0.1:443"),
    ("port", ":8000-9000"),
    ("proto", ":tcp"),
    ("service", ":https"),
    ("state", ":established"),
    ("dir", ":outgoing"),
    ("verdict", ":unknown"),
    ("reason", ":gone"),
    ("match", ":five-tuple"),
    ("bytes", ">10k"),
    ("packets", ">=5"),
    ("rate", ">1M"),
];

const MATCHES: [Match; 4] = [
    Match::FiveTuple,
    Match::LocalEndpoint,
    Match::WildcardAddress,
    Match::History,
];

const VERDICTS: [&str; 4] = ["process", "shared", "partial", "unknown"];

const SOCKET_STATES: [SocketState; 12] = [
    SocketState::Listen,
    SocketState::SynSent,
    SocketState::SynReceived,
    SocketState::Established,
    SocketState::FinWait1,
    SocketState::FinWait2,
    SocketState::CloseWait,
    SocketState::Closing,
    SocketState::LastAck,
    SocketState::TimeWait,
    SocketState::Closed,
    SocketState::Bound,
];

impl Term {
    /// The term that is written as `word` at `span`.
    pub(super) fn parse(word: Word, span: Range<usize>) -> Result<Self, Problem> {
        let Word { text, split } = word;
        // Nothing contains the text of a network, so it is meant as one.
        if text.contains('/')
            && let Ok(network) = text.parse()
        {
            return Ok(Self::Host(network));
        }
        match split {
            Some(split) if is_key(&split.key) && !is_address(&text) => Self::keyed(&split),
            _ if text.is_empty() => Err(Problem::new(span, "there is no text to search for")),
            _ => Ok(Self::Anywhere(Text::new(&text))),
        }
    }

    fn keyed(split: &Split) -> Result<Self, Problem> {
        let (key, example) = known_key(&split.key)
            .ok_or_else(|| Problem::new(split.key_span.clone(), unknown_key(&split.key)))?;
        let whole = split.key_span.start..split.value_span.end;
        if split.value.is_empty() {
            let message = format!("{key} needs a value, as in {key}{example}");
            return Err(Problem::new(whole, message));
        }
        let value = &*split.value;
        let term = match (Measure::of_key(key), split.operator) {
            (None, Operator::Is) => Self::of_key(key, value),
            (Some(measure), Operator::Compare(relation)) => {
                amount(value).map(|amount| Self::Amount(measure, relation, amount))
            }
            (Some(_), Operator::Is) | (None, Operator::Compare(_)) => {
                let place = split.key_span.end..split.value_span.start;
                let message = format!("{key} is written as in {key}{example}");
                return Err(Problem::new(place, message));
            }
        };
        term.map_err(|message| Problem::new(split.value_span.clone(), message))
    }

    /// The term of one of the [`KEYS`] that take `:`.
    fn of_key(key: &str, value: &str) -> Result<Self, String> {
        let term = match key {
            "program" => Self::Program(Text::new(value)),
            "pid" => Self::Pid(pid(value)?),
            "user" => Self::User(Text::new(value)),
            "unit" => Self::Unit(Text::new(value)),
            "host" => Self::Host(value.parse()?),
            "local" => Self::Local(value.parse()?),
            "remote" => Self::Remote(value.parse()?),
            "port" => Self::Port(value.parse()?),
            "proto" => Self::Protocol(protocol(value)?),
            "service" => Self::Service(service(value)?),
            "state" => Self::State(state(value)?),
            "dir" => Self::Direction(direction(value)?),
            "verdict" => Self::Verdict(choose("verdict", value, VERDICTS, |name| name)?),
            "reason" => Self::Reason(choose("reason", value, Reason::ALL, Reason::name)?),
            _ => Self::Match(choose("kind of match", value, MATCHES, Match::name)?),
        };
        Ok(term)
    }
}

impl Measure {
    fn of_key(key: &str) -> Option<Self> {
        let all = [Self::Bytes, Self::Packets, Self::Rate];
        all.into_iter().find(|measure| measure.key() == key)
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Packets => "packets",
            Self::Rate => "rate",
        }
    }
}

/// Whether `text` looks like a key, known or not.
fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// Addresses such as `fe80::1` look as if they had a key.
fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok()
}

fn known_key(key: &str) -> Option<(&'static str, &'static str)> {
    let key = match key.to_ascii_lowercase().as_str() {
        "protocol" => "proto".to_owned(),
        "direction" => "dir".to_owned(),
        key => key.to_owned(),
    };
    KEYS.into_iter().find(|known| known.0 == key)
}

fn unknown_key(key: &str) -> String {
    let keys = KEYS.into_iter().map(|known| known.0);
    match nearest(&key.to_ascii_lowercase(), keys.clone()) {
        Some(nearest) => format!("unknown key `{key}`; did you mean `{nearest}`?"),
        None => format!(
            "unknown key `{key}`; known are {}. Text with such signs is searched for in quotes",
            list(keys)
        ),
    }
}

fn list(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// The one of `all` with that name in any case.
fn choose<T: Copy>(
    what: &str,
    name: &str,
    all: impl IntoIterator<Item = T, IntoIter: Clone>,
    name_of: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    let all = all.into_iter();
    all.clone()
        .find(|one| name_of(*one).eq_ignore_ascii_case(name))
        .ok_or_else(|| {
            let names = list(all.map(name_of));
            format!("`{name}` is no {what}; expected one of {names}")
        })
}

fn pid(value: &str) -> Result<u32, String> {
    value
        .parse()
        .map_err(|_| format!("`{value}` is no process id; expected a number"))
}

fn protocol(value: &str) -> Result<Protocol, String> {
    value.to_ascii_lowercase().parse().map_err(|_| {
        format!("`{value}` is no protocol; expected a name such as tcp, udp or icmp, or a number up to 255")
    })
}

fn service(value: &str) -> Result<&'static str, String> {
    services::canonical_name(value).ok_or_else(|| {
        let nearest = nearest(&value.to_ascii_lowercase(), services::names());
        let hint = nearest.map_or_else(
            || "ports are chosen as in port:8443".to_owned(),
            |nearest| format!("did you mean `{nearest}`?"),
        );
        format!("`{value}` is no service with a known name; {hint}")
    })
}

/// States of flows and of sockets; the same name means the same.
fn state(value: &str) -> Result<&'static str, String> {
    let of_flows = State::ALL.into_iter().map(State::name);
    let of_sockets = SOCKET_STATES.into_iter().map(SocketState::name);
    let names = of_flows.chain(of_sockets).chain([UNCONNECTED]);
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    choose("state", value, names, |name| name)
}

fn direction(value: &str) -> Result<Direction, String> {
    match value.to_ascii_lowercase().as_str() {
        "in" => Ok(Direction::Incoming),
        "out" => Ok(Direction::Outgoing),
        name => choose("direction", name, Direction::ALL, Direction::name),
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anywhere(text) => f.write_str(&quote(text.as_str())),
            Self::Program(text) => write!(f, "program:{}", quote(text.as_str())),
            Self::Pid(pid) => write!(f, "pid:{pid}"),
            Self::User(text) => write!(f, "user:{}", quote(text.as_str())),
            Self::Unit(text) => write!(f, "unit:{}", quote(text.as_str())),
            Self::Host(network) => write!(f, "host:{network}"),
            Self::Local(endpoint) => write!(f, "local:{endpoint}"),
            Self::Remote(endpoint) => write!(f, "remote:{endpoint}"),
            Self::Port(ports) => write!(f, "port:{ports}"),
            Self::Protocol(protocol) => write!(f, "proto:{protocol}"),
            Self::Service(name) => write!(f, "service:{name}"),
            Self::State(name) => write!(f, "state:{name}"),
            Self::Direction(direction) => write!(f, "dir:{}", direction.name()),
            Self::Verdict(name) => write!(f, "verdict:{name}"),
            Self::Reason(reason) => write!(f, "reason:{}", reason.name()),
            Self::Match(kind) => write!(f, "match:{}", kind.name()),
            Self::Amount(measure, relation, amount) => {
                write!(f, "{}{}{amount}", measure.key(), relation.symbol())
            }
        }
    }
}
