//! Capture, flows and owners composed: which program owns each network flow on
//! this host?
//!
//! ```
//! use flowner_core::{Config, Input, Monitor};
//! # fn capture_file() -> std::path::PathBuf {
//! #     let path = std::env::temp_dir().join("flowner-core-doc.pcap");
//! #     let header: [u8; 24] = [
//! #         0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
//! #     ];
//! #     std::fs::write(&path, header).unwrap();
//! #     path
//! # }
//!
//! // Devices work the same: `Input::default()`, which is all of them on Linux, and
//! // `monitor.report()` while it runs.
//! let config = Config {
//!     input: Input::File(capture_file()),
//!     ..Config::default()
//! };
//! let report = Monitor::builder(&config).start()?.wait();
//! for program in report.programs() {
//!     println!("{:?}: {} bytes", program.key, program.totals.total().bytes);
//! }
//! # Ok::<(), flowner_core::Error>(())
//! ```
//!
//! # Where the numbers come from
//!
//! Every captured frame is in exactly one flow or in one named counter of
//! undecodable frames. Owners are kept on the flow, and totals derive from flows:
//! when an answer comes late, all bytes of the flow move to its program at once.
//! So the sum over programs, the unattributed included, is the total, always.
//!
//! # Features
//!
//! None is on by default. `demo` is the input [`Input::Demo`]: a made-up host. `render` and `picon`
//! are those of [`icons`].
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs)]

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(any(test, feature = "demo"))]
mod demo;
mod engine;
mod export;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod model;
mod monitor;
pub mod present;
mod programs;
mod query;
pub mod recording;
#[cfg(test)]
mod samples;
mod sinks;
mod system;

pub use engine::convert::packet as flow_packet;
pub use export::{csv, json};
pub use model::community_id::{CommunityId, ParseCommunityIdError};
pub use model::config::{GeoFiles, Input, Limits, Live, ReadOptions, TimeBound};
pub use model::demo::Demo;
pub use model::error::Error;
pub use model::event::Event;
pub use model::flow::{FlowRecord, TcpFacts};
pub use model::grouping::Grouping;
pub use model::history::{History, Line, Series, Traffic};
pub use model::names::{AskedBy, FlowNames, HostName, Name, NameSource};
pub use model::place::{AddressRange, Country, RemotePlace};
pub use model::principal::Principal;
pub use model::program::{Claim, Program};
pub use model::report::{DeviceTotals, EndState, InputInfo, LocalAddressSource, Report};
pub use model::stop_handle::StopHandle;
pub use model::text;
pub use model::totals::{
    ContainerGroup, CountryGroup, Coverage, DomainGroup, Group, HostGroup, NameGroup, NetworkGroup,
    PodGroup, ProcessPrincipal, Service, Share, Totals, UnitGroup,
};
pub use monitor::Monitor;
pub use monitor::address_names::AddressNames;
pub use monitor::builder::{Builder, OpenMonitor};
pub use monitor::config::Config;
pub use programs::{Membership, ProcessReader, Programs};
pub use query::changes::{SocketChange, socket_changes};
pub use query::filter::{self, Filter, FilterError};
pub use query::nearest::nearest;
pub use query::process_tree::{Branch, process_tree};
pub use query::select::select;
pub use query::services::service_name;
pub use query::sockets::{device_of, is_listening, is_time_wait, socket_state_name};
pub use query::sort::{Page, Sort, SortKey, UnknownSortKey, choose_flows, sort_flows};
pub use query::who;
pub use sinks::Sink;
pub use sinks::events::{EventQueue, Events, NoEvent};
pub use sinks::json_lines::{JsonLines, JsonLinesAccount};
pub use system::{doctor, private_file, privileges};

/// What the interface of this crate has of
/// [`flowner-attribution`](https://docs.rs/flowner-attribution): sockets and their owners.
pub mod attribution {
    pub use flowner_attribution::{
        Attributor, Error, Evidence, ExeState, Match, NetworkNamespace, Ownership,
        PolicyStatistics, Process, ProcessId, Processes, Protocol, Reason, Snapshot, Socket,
        SocketId, SocketQuery, SocketState, Source, TcpInfo, Unit, UnitKind, User, UserId, Verdict,
    };
}

/// What the interface of this crate has of [`flowner-capture`](https://docs.rs/flowner-capture):
/// devices, and files of captured packets.
pub mod capture {
    pub use flowner_capture::{
        Device, Error, FileReader, LinkType, PacketOrigin, Statistics, all_begin_alike,
        default_device, devices, library_version, pcapng,
    };
}

/// What the interface of this crate has of [`flowner-flows`](https://docs.rs/flowner-flows): flows
/// and what is counted of them.
pub mod flows {
    pub use flowner_flows::{
        Counters, Direction, EndReason, FlowError, FlowId, Packet, Protocol, Rate, Retransmissions,
        RoundTrip, State, TableStatistics,
    };
}

/// What the interface of this crate has of [`flowner-icons`](https://docs.rs/flowner-icons): icons
/// of programs.
pub mod icons {
    pub use flowner_icons::{Data, Icon, IconOptions, IconRequest, Icons};
}
