//! Which process owns a socket? Snapshot-based and non-intrusive: no kernel
//! module, no eBPF, no hook, only what the operating system offers to read. And
//! honest: every answer says how it was matched and when it was observed, and when
//! nobody can be named, why.
//!
//! ```
//! use flowner_attribution::{Attributor, Protocol, SocketQuery};
//!
//! // A socket of our own, to have something to ask for.
//! let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
//! let query = SocketQuery::new(Protocol::Udp, socket.local_addr()?, None);
//!
//! let mut attributor = Attributor::new()?;
//! let ownership = attributor.lookup(&query)?;
//! assert_eq!(ownership.verdict.processes()[0].pid, std::process::id());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Three ways to ask
//!
//! * [`Attributor`]: one question at a time, or [all sockets](Attributor::snapshot).
//! * [`Service`]: a background thread with cache, history and retries, for programs
//!   that watch flows come and go.
//! * [`policy::Policy`]: the state machine inside the service, for programs that
//!   bring their own clock and threads.
//!
//! # Matching
//!
//! The most specific socket wins: five-tuple, then exact local endpoint, then a
//! socket on all addresses, always on the same port. Protocols never cross. A
//! socket with a remote address never matches a flow with another remote. A
//! dual-stack `[::]` socket serves IPv4 flows too, unless it refuses them. When
//! several sockets fit equally well, all their processes are named
//! ([`Verdict::Shared`]); if one of them may not be inspected, nobody is.
#![warn(missing_docs)]

pub mod access;
mod attributor;
mod error;
mod matching;
mod ownership;
pub mod policy;
mod process;
mod processes;
mod query;
mod service;
pub mod snapshot;
mod spotter;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use attributor::Attributor;
pub use error::Error;
pub use ownership::{Evidence, Match, Ownership, Reason, Source, Verdict};
pub use policy::{Event, Lookup, Opened, PolicyConfig, PolicyStatistics, Question, Waiter};
pub use process::{NetworkNamespace, Process, ProcessId, Unit, UnitKind, User};
pub use processes::Processes;
pub use query::{Protocol, SocketQuery};
pub use service::Service;
pub use snapshot::{Glance, Glanced, Snapshot, Socket, SocketState, SocketTable};
pub use spotter::Spotter;
