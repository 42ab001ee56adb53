//! The terms, and how they are written.

use std::fmt;

use flowner_attribution::{Match, Protocol as SocketKind, Reason};
use flowner_flows::{Direction, Protocol};

use super::lex::{Relation, quote};
use super::value::{Endpoint, Ports, Text};
use crate::model::community_id::CommunityId;
use crate::model::prefix::Network;

/// One question to a flow or socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// A word without a key.
    Anywhere(Text),
    Program(Text),
    Pid(u32),
    User(Text),
    Unit(Text),
    Container(Text),
    Pod(Text),
    Name(Text),
    Dns(Text),
    Country(Text),
    Asn(u32),
    Network(Text),
    Host(Network),
    Local(Endpoint),
    Remote(Endpoint),
    Port(Ports),
    Protocol(Protocol),
    SocketKind(SocketKind),
    Service(&'static str),
    State(&'static str),
    Direction(Direction),
    Device(Text),
    Verdict(&'static str),
    Reason(Reason),
    Match(Match),
    Community(CommunityId),
    Amount(Measure, Relation, u64),
}

/// What can be compared with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Bytes,
    Packets,
    Rate,
    SentAgain,
    RoundTrip,
}

impl Measure {
    #[cfg(test)]
    pub(super) const ALL: [Self; 5] = [
        Self::Bytes,
        Self::Packets,
        Self::Rate,
        Self::SentAgain,
        Self::RoundTrip,
    ];

    const fn key(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Packets => "packets",
            Self::Rate => "rate",
            Self::SentAgain => "retransmits",
            Self::RoundTrip => "rtt",
        }
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
            Self::Container(text) => write!(f, "container:{}", quote(text.as_str())),
            Self::Pod(text) => write!(f, "pod:{}", quote(text.as_str())),
            Self::Name(text) => write!(f, "name:{}", quote(text.as_str())),
            Self::Dns(text) => write!(f, "dns:{}", quote(text.as_str())),
            Self::Country(text) => write!(f, "country:{}", quote(text.as_str())),
            Self::Asn(number) => write!(f, "asn:{number}"),
            Self::Network(text) => write!(f, "network:{}", quote(text.as_str())),
            Self::Host(network) => write!(f, "host:{network}"),
            Self::Local(endpoint) => write!(f, "local:{endpoint}"),
            Self::Remote(endpoint) => write!(f, "remote:{endpoint}"),
            Self::Port(ports) => write!(f, "port:{ports}"),
            Self::Protocol(protocol) => write!(f, "proto:{protocol}"),
            Self::SocketKind(kind) => write!(f, "proto:{kind}"),
            Self::Service(name) => write!(f, "service:{name}"),
            Self::State(name) => write!(f, "state:{name}"),
            Self::Direction(direction) => write!(f, "dir:{}", direction.name()),
            Self::Device(text) => write!(f, "device:{}", quote(text.as_str())),
            Self::Verdict(name) => write!(f, "verdict:{name}"),
            Self::Reason(reason) => write!(f, "reason:{}", reason.name()),
            Self::Match(kind) => write!(f, "match:{}", kind.name()),
            Self::Community(id) => write!(f, "community:{id}"),
            Self::Amount(measure, relation, amount) => {
                write!(f, "{}{}{amount}", measure.key(), relation.symbol())
            }
        }
    }
}
