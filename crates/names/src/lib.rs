//! The remote end of a flow: its name from packets, the hosts file or a reverse lookup, its registered
//! domain, country and network.
//!
//! [`NameReader`] reads the payloads of packets and returns evidence. [`NameTable`] keeps the answers of
//! DNS, and finds the name of an address for a flow. Both are pure.
//!
//! This crate sends nothing to the network unless a program starts [`reverse`] lookups. All texts from
//! outside (a hosts file, a database, a resolver) are untrusted. This crate bounds their length; the
//! program that shows them must mask control characters.
//!
//! | module | feature | about |
//! |---|---|---|
//! | [`NameReader`], [`NameEvidence`] | | packets of flows → evidence of names |
//! | [`NameTable`], [`Names`] | | evidence → the name of an address, for a flow |
//! | [`wire`] | `quic` for QUIC | bytes → messages and names |
//! | [`Name`], [`Source`] | | a name that can be shown, and where it comes from |
//! | [`Hosts`], [`HostsFile`] | | the hosts file |
//! | [`registrable_domain`] | | the registered part of a name |
//! | [`ranges`] | | private, multicast and other ranges that have a meaning of their own |
//! | [`geo`] | `geo` | country, city and network, from MMDB files |
//! | [`reverse`] | `reverse` | the names that the system's resolver knows |
#![warn(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a failed step fails the test")
)]

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod domain;
#[cfg(feature = "geo")]
pub mod geo;
mod hosts;
mod name;
pub mod ranges;
mod reader;
#[cfg(feature = "reverse")]
pub mod reverse;
#[cfg(test)]
mod samples;
mod source;
mod stream;
mod table;
pub mod wire;

pub use domain::registrable_domain;
pub use hosts::{Hosts, HostsFile};
pub use name::{MAX_NAME, Name};
pub use reader::{Carried, FLOWS, NameEvidence, NameReader, Payload};
pub use source::{ParseSourceError, Source};
pub use table::{
    AskedBy, FlowFacts, FlowOwner, GRACE, HostName, Limits, MAX_LIFE, NameTable, Names, Statistics,
};
