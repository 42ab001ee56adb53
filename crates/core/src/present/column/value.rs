//! The value of a line in a column, and the sort key.

use std::net::SocketAddr;
use std::time::Duration;

use flowner_flows::Counters;

use crate::present::number::{Unit, grouped};
use crate::present::time::duration;

/// The value of a line in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// There is no value.
    Nothing,
    /// A text, [masked](crate::text::mask).
    Text(String),
    /// The reason why the owner is unknown.
    Unknown(String),
    /// One end; a short form keeps the port.
    Address(String),
    /// A number of things.
    Count(u64),
    /// Traffic, in the unit that the user chose.
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

/// The sort key of a line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderKey {
    /// A number, and a second one that decides between equal numbers.
    Number(u64, u64),
    /// A length of time, or a point in it.
    Time(Duration),
    /// A text, in lower case.
    Text(String),
    /// A text with only one spelling.
    Name(&'static str),
    /// Address, then port.
    Address(SocketAddr),
    /// An address without a port.
    Ip(std::net::IpAddr),
    /// Last, in either sort direction.
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
