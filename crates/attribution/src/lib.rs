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
//!   that watch flows come and go; those that capture packets ask it through a [`Spotter`].
//! * [`policy::Policy`]: the state machine inside the service, for programs that
//!   bring their own clock and threads; see [below](#your-own-clock-and-threads).
//!
//! # Who waits for what
//!
//! [`Attributor`] asks the system on the thread that calls it: microseconds for one
//! connection and milliseconds for all sockets on Linux, up to a tenth of a second through
//! the portable table. It moves between threads, and is used by one at a time.
//!
//! [`Service`] can be shared between threads. None of its methods asks the system or waits
//! for an answer, so a capturing thread may call them for each packet; only
//! [`finish`](Service::finish) and dropping it wait, for the look under way. Answers are
//! handed to a closure on the thread of the service, one after the other: while it runs,
//! no others are looked for, so it passes them on.
//!
//! [`Spotter`] is the service as the thread that captures asks it; it glances at sockets
//! on that thread, which takes microseconds. A flow within this host has two owners: each
//! end is asked for under a number ([`Waiter`]) of its own. The example `capture_loop` shows
//! all that is called, and when.
//!
//! # Your own clock and threads
//!
//! ```
//! use std::sync::Arc;
//! use std::time::{Instant, SystemTime};
//!
//! use flowner_attribution::policy::{Facts, Policy, Request};
//! use flowner_attribution::{
//!     Lookup, Opened, PolicyConfig, Question, SocketQuery, SocketTable, Waiter, snapshot,
//! };
//!
//! /// Asks the table, on whatever thread.
//! fn ask(table: &mut dyn SocketTable, request: &Request) -> Facts {
//!     if table.finds_exactly() {
//!         let answers = table.find_each(&request.queries).into_iter();
//!         let answers = answers.map(|answer| answer.map_err(|error| error.reason()));
//!         Facts::Answers(answers.collect())
//!     } else {
//!         match table.snapshot() {
//!             Ok(all) => Facts::Snapshot(Arc::new(all)),
//!             Err(error) => Facts::Failed(error.reason()),
//!         }
//!     }
//! }
//!
//! let mut table = snapshot::best()?;
//! let mut policy = Policy::new(PolicyConfig {
//!     table_tells_remotes: table.tells_remotes(),
//!     ..PolicyConfig::default()
//! });
//!
//! let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
//! let question = Question {
//!     query: SocketQuery::udp(socket.local_addr()?, "127.0.0.1:9".parse()?),
//!     seen_at: SystemTime::now(),
//!     opened: Opened::ByUs,
//! };
//! assert_eq!(policy.lookup(Waiter(1), question, Instant::now()), Lookup::Waiting);
//!
//! // A loop does this whenever `policy.poll_timeout()` has come, or something was told.
//! while let Some(request) = policy.poll_request(Instant::now()) {
//!     let facts = ask(&mut *table, &request);
//!     policy.handle_answer(request.id, facts, Instant::now());
//! }
//! while let Some(event) = policy.poll_event() {
//!     println!("{}: {}", event.waiter.0, event.ownership.verdict);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Matching
//!
//! The most specific socket wins: five-tuple, then exact local endpoint, then a
//! socket on all addresses, always on the same port. Protocols never cross. A
//! socket with a remote address never matches a flow with another remote. A
//! dual-stack `[::]` socket serves IPv4 flows too, unless it refuses them. A question
//! without remote end is answered with sockets that are connected to nobody, if there are any.
//! When several sockets fit equally well, all their processes are named
//! ([`Verdict::Shared`]); if one of them may not be inspected, nobody is.
//!
//! A socket that is bound to another device than the packet's, or to a link-local address or
//! group with another scope, never matches. At each step, one that is bound to the packet's device beats
//! one that is bound to none, and then one of the flow's own address family a dual-stack one;
//! of listeners, each of both counts as much. A packet of a bridge's port, of a VLAN's lower
//! device or of a VRF's slave may be that of the bridge, the VLAN or the VRF, and a question
//! [without device](SocketQuery::on_device) may be about any: whoever matches on one of them
//! is named. So it is on `lo` between addresses that are not loopback ones, where packets
//! count as those of the device that has the address.
//!
//! What comes to a group's address is for all that fit. What is sent to one may be sent by a
//! socket that is bound to one, too, whose packets have the address of the host as their
//! source: it is taken for one that is bound to all addresses.
//!
//! # When a socket changes hands
//!
//! A five-tuple outlives its socket, and a socket the process that opened it. On Linux an answer
//! says which socket it is about ([`Evidence::socket`]), [`Spotter::confirm`] asks whether that
//! one still is whose it was, and [`Spotter::closed`] which sockets of UDP were closed. What was
//! sent between the last confirmation and the change may be of either owner: it belongs to
//! nobody ([`Reason::Changed`]). Not seen are: who gets a socket *beside* those who hold it and
//! keep it, until the next lookup; an owner that executes the same program file again; a change
//! between the first packet of a flow and the lookup that it causes. Other tables cannot tell
//! one socket from the next: ask again when a datagram comes after a silence.
//!
//! What is promised, what each platform can know, and when nobody is named by design:
//! [`promises`].
//!
//! # Features
//!
//! None is on by default. `portable` adds the table on the `listeners` crate on Linux, where
//! it stands in for the native one on hosts that refuse that; other systems always have it.
//! `test-util` adds `snapshot::fake`, a socket table that tells what a
//! test puts there. `fuzzing` is for the fuzz targets of this repository, and no part of the
//! interface.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs)]

mod answer;
mod hash;
mod observers;
mod permissions;
pub mod policy;
mod resolver;
mod tables;

/// What this process may see of the host, and what would let it see more.
pub mod access {
    pub use crate::permissions::*;
}

/// Where the facts come from: the contract of a socket table, and the tables that there are.
pub mod snapshot {
    pub use crate::answer::{Snapshot, Socket, SocketState};
    pub use crate::tables::*;
}

#[doc = include_str!("../docs/promises.md")]
pub mod promises {}

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use answer::{
    Error, Evidence, ExeFile, ExeState, Match, NamedFile, NetworkNamespace, Ownership,
    ParseQueryError, Process, ProcessId, Protocol, Reason, SkippedNamespaces, Snapshot, Socket,
    SocketId, SocketQuery, SocketState, Source, Unit, UnitKind, User, Verdict,
};
pub use policy::{Event, Lookup, Opened, PolicyConfig, PolicyStatistics, Question, Waiter};
pub use resolver::{Attributor, Notice, Service, Spotter};
pub use tables::device_names::{device_index, device_name};
pub use tables::processes::Processes;
pub use tables::{Closed, ClosedSocket, Confirmed, Glance, Glanced, SocketTable};
