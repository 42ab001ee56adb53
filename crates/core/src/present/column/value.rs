//! What a column shows of a line, and by what lines are sorted.

use std::net::SocketAddr;
use std::time::Duration;

use flowner_flows::Counters;

use crate::present::number::{Unit, grouped};
use crate::present::time::duration;

/// What a column shows of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// It has nothing to show.
    Nothing,
    /// A text, [masked](crate::text::mask).
    Text(String),
    /// That the owner is unknown, and why.
    Unknown(String),
    /// One end, which keeps its port where there is no room.
    Address(String),
    /// A number of things.
    Count(u64),
    /// What was counted, in the unit that the person chose.
    Amount(Counters),
    /// Wire bytes a second.
    Rate(u64),
    /// A length of time.
    Time(Duration),
}

impl Value {
    /// As text, with traffic in bytes; `None` for nothing.
    pub fn text(self) -> Option<String> {
        Some(match self {
            Self::Nothing => return None,
            Self::Text(text) | Self::Unknown(text) | Self::Address(text) => text,
            Self::Count(count) => count.to_string(),
            Self::Amount(counters) => Unit::Bytes.amount(counters).to_string(),
            Self::Rate(bytes) => Unit::Bytes.rate(bytes).to_string(),
            Self::Time(time) => duration(time),
        })
    }

    /// As text for proportional fonts, with traffic in a unit; `None` for nothing.
    pub fn in_unit(self, unit: Unit) -> Option<String> {
        match self {
            Self::Count(count) => Some(grouped(count)),
            Self::Amount(counters) => Some(unit.amount(counters).to_string()),
            Self::Rate(bytes) => Some(unit.rate(bytes).to_string()),
            other => other.text(),
        }
    }
}

/// By what lines are sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderKey {
    /// A number, and one that decides between those that are equal.
    Number(u64, u64),
    /// A length of time, or a point in it.
    Time(Duration),
    /// A text, in lower case.
    Text(String),
    /// A text that is written in one way only.
    Name(&'static str),
    /// Address, then port.
    Address(SocketAddr),
    /// An address without a port.
    Ip(std::net::IpAddr),
    /// Last, whichever way.
    None,
}

impl OrderKey {
    /// A text in any case; an empty one comes last.
    pub fn text(text: &str) -> Self {
        if text.is_empty() {
            Self::None
        } else {
            Self::Text(text.to_lowercase())
        }
    }
}
