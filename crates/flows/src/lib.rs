//! Makes bidirectional flows from decoded packets: which end opened them, their direction and
//! state, how much each end sent, and how fast.
//!
//! Bounded and accounted: a [`FlowTable`] never holds more flows than its capacity, and it returns
//! every flow that leaves, with all its counters. Time is the time of the packets, so the same
//! packets always give the same result. No clock, no I/O, and no dependency except the hash table
//! of the standard library, as a crate.
//!
//! ```
//! use std::time::Duration;
//! use flowner_flows::{Change, FlowTable, Origin, Packet, Protocol, TableConfig};
//!
//! let mut table: FlowTable = FlowTable::new(TableConfig {
//!     local: Some(["10.0.0.2".parse()?].into_iter().collect()),
//!     ..TableConfig::default()
//! });
//! let mut ended = Vec::new();
//! let query = Packet {
//!     time: Duration::from_secs(1),
//!     source: "10.0.0.2:40000".parse()?,
//!     destination: "9.9.9.9:53".parse()?,
//!     protocol: Protocol::UDP,
//!     wire_len: 74,
//!     payload_len: 32,
//!     tcp: None,
//!     icmp: None,
//!     fragment: None,
//!     origin: Origin::Sent,
//!     device: None,
//! };
//! let update = table.ingest(&query, &mut ended);
//! assert_eq!(update.change, Change::Opened);
//!
//! let flow = table.flow(update.id).unwrap();
//! assert_eq!(flow.direction().name(), "outgoing");
//! assert_eq!(flow.sent().bytes, 74);
//! # Ok::<(), std::net::AddrParseError>(())
//! ```
#![warn(missing_docs)]

/// The example in the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod address;
pub mod chunked;
mod clock;
mod copies;
mod counters;
mod error;
mod flow;
mod ids;
mod key;
mod name;
mod packet;
mod rate;
mod state;
mod table;
mod tcp;

pub use address::{Direction, LocalAddresses};
pub use copies::{DeviceLink, Peer, Topology};
pub use counters::{Counters, Mark};
pub use error::FlowError;
pub use flow::{Flow, FlowId};
pub use ids::FlowIdMap;
pub use key::FlowKey;
pub use name::ParseNameError;
pub use packet::{
    About, FirstMessage, Fragment, Icmp, Origin, Packet, Protocol, Tcp, TcpFlags, UnknownProtocol,
};
pub use rate::{Rate, RollingRate};
pub use state::State;
pub use table::{
    Change, EndReason, Ended, FlowTable, Kept, Moved, TableConfig, TableStatistics, TableView,
    Timeouts, Update,
};
pub use tcp::{Retransmissions, RoundTrip};
