//! Which process owns a socket? Snapshot-based and non-intrusive: no kernel
//! module, no eBPF, no hook, only what the operating system offers to read. And
//! honest: every answer says how it was matched and when it was observed, and when
//! nobody can be named, why.
//!
//! # Four questions
//!
//! Who uses a port? [`Attributor::port_owners`] gives every process that listens there or is bound
//! to it, on any address:
//!
//! ```
//! use flowner_attribution::{Attributor, Protocol};
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let port = listener.local_addr()?.port();
//!
//! let mut attributor = Attributor::new()?;
//! println!("{}", attributor.port_owners(Protocol::Tcp, port)?); // nginx (7), nginx (8)
//! # let owners = attributor.port_owners(Protocol::Tcp, port)?;
//! # assert_eq!(owners.processes()[0].pid, std::process::id());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Who takes connections here? [`Attributor::listeners`]:
//!
//! ```
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let mut attributor = flowner_attribution::Attributor::new()?;
//! for socket in attributor.listeners()? {
//!     println!("{} {} {}", socket.protocol, socket.local, socket.owner);
//! }
//! # let all = attributor.listeners()?;
//! # assert!(all.iter().any(|socket| listener.local_addr().ok() == Some(socket.local)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Who has this connection? [`Attributor::connection_owner`], with this host's end first:
//!
//! ```
//! use flowner_attribution::{Reason, Verdict};
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let server = listener.local_addr()?;
//! # let connection = std::net::TcpStream::connect(server)?;
//! # let mut attributor = flowner_attribution::Attributor::new()?;
//! # let (local, remote) = (connection.local_addr()?, server);
//! let owner = attributor.connection_owner(local, remote)?;
//! match owner.verdict {
//!     Verdict::Process(process) => println!("{} runs {:?}", process.pid, process.path),
//!     Verdict::Unknown(Reason::NotFound) => println!("there is no such connection"),
//!     // Several processes have it, only the user is known, or nobody can be named.
//!     other => println!("{other}"),
//! }
//! # let owner = attributor.connection_owner(local, remote)?;
//! # assert_eq!(owner.verdict.processes()[0].pid, std::process::id());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What does this process have open? [`Attributor::sockets_of`]:
//!
//! ```
//! # let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
//! # let mut attributor = flowner_attribution::Attributor::new()?;
//! # let pid = std::process::id();
//! for socket in attributor.sockets_of(pid)? {
//!     println!("{} {} {:?}", socket.protocol, socket.local, socket.state);
//! }
//! # let all = attributor.sockets_of(pid)?;
//! # assert!(all.iter().any(|it| socket.local_addr().ok() == Some(it.local)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Whoever asks often
//!
//! * [`Attributor::snapshot`] reads all sockets once; [`Snapshot`] then answers any number of
//!   questions.
//! * [`Resolver`] is a background thread with cache, history and retries, for programs that watch
//!   flows come and go, and for those that must not wait, such as a user interface. A caller
//!   gives each lookup a [`Key`] of its own, which comes back with the answer.
//! * [`capture`] has what programs need that capture packets themselves.
//!
//! # Who waits for what
//!
//! [`Attributor`] asks the system on the thread that calls it: microseconds for one
//! connection and milliseconds for all sockets on Linux, up to a tenth of a second through
//! the portable table. It moves between threads, and is used by one at a time.
//!
//! [`Resolver`] can be shared between threads. None of its methods asks the system or waits
//! for an answer, so a capturing thread may call them for each packet, and a user interface for
//! each frame; only [`finish`](Resolver::finish) and dropping it wait, for the lookup under way.
//! Answers are handed to a closure on the thread of the resolver, one after the other: while it
//! runs, no others are looked up, so it passes them on.
//!
//! In asynchronous code, ask an [`Attributor`] on a thread for blocking calls (such as
//! `spawn_blocking` of tokio gives), or let the closure of a [`Resolver`] send to a bounded channel
//! of the runtime (`try_send`) or wake the task that waits. The example `async` does the latter with
//! the standard library alone.
//!
//! # What is not supported
//!
//! * Sockets of other families than IP: Unix sockets, netlink, vsock, Bluetooth. Packet sockets are
//!   known as far as [`Reason::PacketSocket`] says.
//! * SCTP and DCCP.
//! * Counting bytes or watching packets: see [`capture`] for programs that do.
//! * The past: nothing says who held a socket that was closed before the first lookup.
//! * Other hosts, and what runs in virtual machines.
//! * Android, iOS, illumos and others: [`Error::Unsupported`].
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
//! says which socket it is about ([`Evidence::socket`]), [`CaptureResolver::confirm`](capture::CaptureResolver::confirm) asks whether that
//! one still is whose it was, and [`CaptureResolver::closed`](capture::CaptureResolver::closed) which sockets of UDP were closed. What was
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
//! `serde` makes answers, sockets and questions data that can be written and read; names are those
//! that `name` gives. `test-util` adds `snapshot::fake`, a socket table that tells what a test puts
//! there. `fuzzing` is for the fuzz targets of this repository, and no part of the
//! interface.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs)]

mod answer;
mod hash;
mod observers;
pub mod permissions;
mod policy;
mod resolver;
mod tables;

/// Where the facts come from: the contract of a socket table, and the tables that there are.
pub mod snapshot {
    pub use crate::answer::{Snapshot, Socket, SocketState};
    pub use crate::tables::*;
}

/// For programs that capture packets: the resolver on the capturing thread, fast lookups, and the
/// policy without thread and clock.
///
/// [`CaptureResolver`](capture::CaptureResolver) is the [`Resolver`] as the thread that captures asks it: its fast lookups
/// ask the system on that thread, within microseconds. A flow within this host has two owners: each
/// end is asked for under a [`Key`] of its own. The example `capture_loop` shows all that is
/// called, and when.
///
/// # Your own clock and threads
///
/// ```
/// use std::sync::Arc;
/// use std::time::{Instant, SystemTime};
///
/// use flowner_attribution::capture::policy::{Facts, Policy, Request};
/// use flowner_attribution::{
///     Lookup, Initiator, PolicyConfig, LookupRequest, SocketQuery, SocketTable, Token, snapshot,
/// };
///
/// /// Asks the table, on whatever thread.
/// fn ask(table: &mut dyn SocketTable, request: &Request) -> Facts {
///     if table.capabilities().point_lookup {
///         let answers = table.find_each(&request.queries).into_iter();
///         let answers = answers.map(|answer| answer.map_err(|error| error.reason()));
///         Facts::Answers(answers.collect())
///     } else {
///         match table.snapshot() {
///             Ok(all) => Facts::Snapshot(Arc::new(all)),
///             Err(error) => Facts::Failed(error.reason()),
///         }
///     }
/// }
///
/// let mut table = snapshot::best()?;
/// let mut config = PolicyConfig::default();
/// config.capabilities = table.capabilities();
/// let mut policy = Policy::new(config);
///
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// let query = SocketQuery::udp(socket.local_addr()?, "127.0.0.1:9".parse()?);
/// let question = LookupRequest::new(query, SystemTime::now(), Initiator::Local);
/// assert_eq!(policy.lookup(Token(1), question, Instant::now()), Lookup::Pending);
///
/// // A loop does this whenever `policy.poll_timeout()` has come, or something was told.
/// while let Some(request) = policy.poll_request(Instant::now()) {
///     let facts = ask(&mut *table, &request);
///     policy.handle_answer(request.id, facts, Instant::now());
/// }
/// while let Some(event) = policy.poll_event() {
///     println!("{}: {}", event.key.0, event.ownership.verdict);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod capture {
    pub use crate::resolver::CaptureResolver;
    pub use crate::tables::fast_lookup::{Closed, ClosedSocket, Confirmed, FastLookup, FastResult};

    /// When to ask, what to keep, when to try again: a state machine without threads,
    /// clock or system calls. [`Policy`](policy::Policy) says how it is driven.
    pub mod policy {
        #[cfg(any(test, feature = "fuzzing"))]
        #[doc(hidden)]
        pub use crate::policy::fuzzing;
        pub use crate::policy::{Facts, Policy, Request, RequestId};
    }
}

#[doc = include_str!("../docs/promises.md")]
pub mod promises {}

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use answer::{
    Capabilities, Error, Evidence, ExeFile, ExeState, Match, NamedFile, NetworkNamespace,
    Ownership, ParseNameError, ParseQueryError, ParseUserIdError, PortOwners, Process, ProcessId,
    Protocol, Reason, SkippedNamespaces, Snapshot, Socket, SocketId, SocketNamespace, SocketQuery,
    SocketState, Source, Unit, UnitKind, User, UserId, Verdict,
};
pub use policy::{
    Event, Initiator, Key, Lookup, LookupRequest, PolicyConfig, PolicyStatistics, Token,
};
pub use resolver::{Attributor, Notice, Resolver};
pub use tables::SocketTable;
pub use tables::device_names::{device_index, device_name};
pub use tables::processes::Processes;
