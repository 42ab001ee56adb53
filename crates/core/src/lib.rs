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
//! // A device works the same: `Input::DefaultDevice`, and `monitor.report()` while
//! // it runs.
//! let config = Config {
//!     input: Input::File(capture_file()),
//!     ..Config::default()
//! };
//! let report = Monitor::start(&config)?.wait();
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
//! None is on by default. `render` and `picon` are those of [`icons`].
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs)]

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod changes;
mod config;
mod convert;
pub mod csv;
mod demo;
pub mod doctor;
mod error;
mod events;
pub mod filter;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod guess;
mod history;
mod ledger;
mod monitor;
pub mod private_file;
pub mod privileges;
mod process_tree;
mod program;
mod record;
pub mod recording;
mod report;
mod retired;
#[cfg(test)]
mod samples;
mod services;
mod sockets;
mod sort;
pub mod text;
mod totals;
pub mod who;
pub mod wire;

pub use changes::{SocketChange, socket_changes};
pub use config::{Config, Demo, Input, Limits, Live, Moment, Reading};
pub use convert::packet as flow_packet;
pub use error::Error;
pub use events::{Event, Events, NoEvent};
pub use filter::{Filter, FilterError};
pub use history::{History, Line, Series, Traffic};
pub use monitor::{Monitor, OpenMonitor, StopHandle};
pub use process_tree::{Branch, process_tree};
pub use program::{Claim, Facts, Grouping, Membership, Party, Program, Programs};
pub use record::FlowRecord;
pub use report::{Ending, InputInfo, Report, Whose};
pub use services::service_name;
pub use sockets::{device_of, is_listening, is_over, local_end, remote_end, socket_state_name};
pub use sort::{Page, Sort, SortKey, UnknownSortKey, choose_flows, sort_flows};
pub use totals::{Coverage, Group, ProcessParty, Service, Share, Totals};

pub use flowner_attribution as attribution;
pub use flowner_capture as capture;
pub use flowner_flows as flows;
pub use flowner_icons as icons;
