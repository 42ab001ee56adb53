//! What is behind an address: the host's name, the registered domain, the country and the network.
//!
//! Nothing is asked of the network unless a program starts [`reverse`] lookups. All texts that come
//! from outside (a hosts file, a database, a resolver) are untrusted: bounded here, and to be masked
//! by whoever shows them.
//!
//! | module | feature | about |
//! |---|---|---|
//! | [`Hosts`], [`HostsFile`] | | the hosts file |
//! | [`registrable_domain`] | | the registered part of a name |
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
#[cfg(feature = "reverse")]
pub mod reverse;

pub use domain::registrable_domain;
pub use hosts::{Hosts, HostsFile};
