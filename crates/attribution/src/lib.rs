//! Finds the process that owns a socket. The library takes snapshots and changes nothing: no kernel
//! module, no eBPF, no hook, only interfaces that the operating system offers for reading. Every
//! answer says how it was matched and when it was observed, or why the owner is unknown.
//!
//! # Four questions
//!
//! Which processes use a port? [`Attributor::port_owners`] gives every process that listens on it or
//! is bound to it, on any address:
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
//! Which processes accept connections here? [`Attributor::listeners`]:
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
//! Which process has this connection? [`Attributor::connection_owner`], with this host's end first:
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
//!     // Several processes have it, only the user is known, or the owner is unknown.
//!     other => println!("{other}"),
//! }
//! # let owner = attributor.connection_owner(local, remote)?;
//! # assert_eq!(owner.verdict.processes()[0].pid, std::process::id());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Which sockets does this process have? [`Attributor::sockets_of`]:
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
//! # Many lookups
//!
//! * [`Attributor::snapshot`] reads all sockets once. The [`Snapshot`] then answers any number of
//!   queries.
//! * [`Resolver`] is a background thread with cache, history and retries. It is for programs that watch
//!   flows come and go, and for threads that must not wait, such as that of a user interface. The
//!   caller gives each lookup a [`Key`], which comes back with the answer.
//! * [`capture`] has what programs need that capture packets themselves.
//!
//! # Which calls wait
//!
//! [`Attributor`] asks the system on the thread that calls it. This takes microseconds for one
//! connection and milliseconds for all sockets on Linux, and up to a tenth of a second with the
//! portable table. An attributor can move between threads; one thread at a time uses it.
//!
//! Threads can share a [`Resolver`]. None of its methods asks the system or waits for an answer, so a
//! capture thread can call them for each packet, and a user interface for each frame. Only
//! [`finish`](Resolver::finish) and dropping the resolver wait, for the lookup under way. The thread of
//! the resolver passes the answers to a closure, one after the other. It looks up nothing while the
//! closure runs, so the closure should only hand the answers on.
//!
//! In asynchronous code, use an [`Attributor`] on a thread for blocking calls (such as those of
//! `spawn_blocking` in tokio), or let the closure of a [`Resolver`] send to a bounded channel of the
//! runtime (`try_send`) or wake the waiting task. The example `async` does the latter with the standard
//! library alone.
//!
//! # Supported sockets
//!
//! | [`Protocol`] | sockets | in place of a port | read from (Linux) |
//! |---|---|---|---|
//! | `Tcp`, `Udp`, `UdpLite` | with MPTCP's subflows | | `sock_diag`, else `/proc/net` |
//! | `Sctp` | endpoints and associations, once for each pair of addresses | | `sctp_diag`, else `/proc/net/sctp` |
//! | `Dccp` | until Linux 6.15 | | `sock_diag` |
//! | `Icmp` | ping sockets (icmp(7)) | the [id](Socket::icmp_id) of echo requests | `/proc/net/icmp`, `icmp6` |
//! | `Raw` | raw sockets (raw(7)) | the [number](Socket::protocol_number) of the protocol | `raw_diag`, else `/proc/net/raw`, `raw6` |
//! | `Packet` | packet sockets (packet(7)) | a device and [other facts](Socket::packet) | `packet_diag`, else `/proc/net/packet` |
//!
//! Only the native table of Linux knows protocols other than TCP and UDP.
//!
//! # What is not supported
//!
//! * Sockets that do not send IP: Unix sockets, netlink, vsock, Bluetooth.
//! * Counting bytes or watching packets: see [`capture`] for programs that do.
//! * The past: no interface shows the holder of a socket that closed before the first lookup.
//! * Other hosts, and processes in virtual machines.
//! * Android, iOS, illumos and others: [`Error::Unsupported`].
//!
//! # Matching
//!
//! Only sockets of the query's protocol and local port match. The most specific one wins: one with
//! the five-tuple, then one on exactly the local end, then one on all addresses. A `[::]` socket
//! also serves IPv4, unless it refuses that. A connected socket matches no other remote end. For a
//! query without a remote end, an unconnected socket wins. If several sockets match equally well,
//! the answer names all of their processes ([`Verdict::Shared`]). If this process may not inspect
//! one of them, the answer names none.
//!
//! A socket that is bound to another device than that of the query never matches. Neither does one
//! on a link-local address or group with another scope. Of sockets on the same address, one bound
//! to the device and one bound to none may both match, and so may one of the flow's own address
//! family and a dual-stack one. Socket options (`SO_REUSEPORT`, `SO_INCOMING_CPU`) and an order
//! that no list shows decide between them. So the answer names the owners of all of them. For a
//! query with a device, the native table of Linux lets the kernel's own lookup decide whether the
//! socket bound to the device matches; but not for IPv6 datagrams, where the CPU of the packet
//! counts as much.
//!
//! A packet on a port of a bridge may also be one of the bridge itself. The same goes for the lower
//! device of a VLAN, and for a device in a VRF. A query [without a device](SocketQuery::on_device) may
//! be about any device. In these cases the answer names the owners on all of the devices. On `lo`,
//! packets between addresses that are not loopback ones count for the device that has the address.
//!
//! Every matching socket receives a packet to a group or to a broadcast address, also that of a
//! network of this host. A socket that is bound to such an address sends with the host's address as
//! the source, so for packets to a group it counts as one on all addresses.
//!
//! Raw sockets have no port. Each one for the protocol gets a copy of an arriving packet if its
//! addresses and its device match, and the answer names all of their owners ([`Match::Protocol`]).
//! A query for an ICMP id is about the ping socket with the id, or else about raw sockets. The
//! kernel itself answers echo requests, and exchanges other ICMP messages and IGMP
//! ([`Reason::Kernel`]).
//!
//! No lookup can find which raw socket *sent* a packet: any may have. The send watcher observes
//! which of their processes ran on the CPU that sent it, and names that one. The same goes for a
//! frame that no socket of its protocol can have sent: the send watcher names the packet socket on
//! the device whose process ran ([`Match::PacketSocket`]), unless the socket only captures. Sockets
//! that only capture have a filter or a receive ring, or receive other protocols than IP. If two
//! processes may have run, the answer names all of them for raw sockets, and none for packet
//! sockets.
//!
//! # When a socket changes hands
//!
//! A five-tuple outlives its socket, and a socket outlives the process that opened it. On Linux, an
//! answer identifies its socket ([`Evidence::socket`]).
//! [`CaptureResolver::confirm`](capture::CaptureResolver::confirm) checks whether that socket still
//! has the same owner, and [`CaptureResolver::closed`](capture::CaptureResolver::closed) reports
//! the UDP sockets that closed. Packets between the last confirmation and a change may belong to
//! either owner, so they get none ([`Reason::Changed`]). These changes remain undetected: a process
//! that gets a socket *beside* its holders, until the next lookup; an owner that executes the same
//! file again; and a change between the first packet of a flow and the lookup for it. Other tables
//! cannot distinguish a socket from the next one ([`Source::identifies_sockets`]): look up the
//! owner again when a datagram comes after a silence.
//!
//! [`promises`] says what an answer promises, what each platform can know, and when an answer names no
//! process by design.
//!
//! # Features
//!
//! None is on by default. `portable` adds the table on the `listeners` crate on Linux, which
//! replaces the native one on hosts that refuse it; other systems always have it. `serde`
//! serialises answers, sockets and queries, and enums by their `name`. `test-util` adds
//! `snapshot::fake`, a socket table for tests. `fuzzing` is for the fuzz targets of this
//! repository, and not part of the interface.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs)]

mod answer;
mod hash;
mod observers;
pub mod permissions;
mod policy;
mod resolver;
mod tables;

/// The contract of a socket table, and the tables of each platform.
pub mod snapshot {
    pub use crate::answer::{Snapshot, Socket, SocketState};
    pub use crate::tables::*;
}

/// For programs that capture packets: the resolver for the capture thread, fast lookups, and the
/// policy without thread and clock.
///
/// [`CaptureResolver`](capture::CaptureResolver) is the [`Resolver`] for the capture thread: its fast
/// lookups ask the system on that thread, within microseconds. A flow within this host has two owners,
/// so the caller looks up each end under a [`Key`] of its own. The example `capture_loop` shows every
/// call, and when to make it.
///
/// # Your own clock and threads
///
/// ```
/// use std::sync::Arc;
/// use std::time::{Instant, SystemTime};
///
/// use flowner_attribution::capture::policy::{TableAnswer, Policy, TableRequest};
/// use flowner_attribution::{
///     Lookup, Initiator, PolicyConfig, LookupRequest, SocketQuery, SocketTable, Token, snapshot,
/// };
///
/// /// Asks the table, on whatever thread.
/// fn ask(table: &mut dyn SocketTable, request: &TableRequest) -> TableAnswer {
///     if table.capabilities().point_lookup {
///         let answers = table.find_each(&request.queries).into_iter();
///         let answers = answers.map(|answer| answer.map_err(|error| error.reason()));
///         TableAnswer::Answers(answers.collect())
///     } else {
///         match table.snapshot() {
///             Ok(all) => TableAnswer::Snapshot(Arc::new(all)),
///             Err(error) => TableAnswer::Failed(error.reason()),
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
/// // A loop does this when `policy.poll_timeout()` has come, and after each call that changes the policy.
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
    pub use crate::observers::{Observer, OnObservation};
    pub use crate::policy::{Observation, ObservationKind};
    pub use crate::resolver::CaptureResolver;
    pub use crate::tables::fast_lookup::{
        Closed, ClosedSocket, Confirmed, Executed, FastLookup, FastResult,
    };

    /// Decides when to ask the table, what to keep, and when to retry: a state machine without
    /// threads, clock or system calls. [`Policy`](policy::Policy) describes how to drive it.
    pub mod policy {
        #[cfg(any(test, feature = "fuzzing"))]
        #[doc(hidden)]
        pub use crate::policy::fuzzing;
        pub use crate::policy::{Policy, TableAnswer, TableRequest, TableRequestId};
    }
}

#[doc = include_str!("../docs/promises.md")]
pub mod promises {}

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use answer::{
    Capabilities, Container, ContainerDetails, Error, Evidence, ExeFile, ExeState, Match,
    NamedFile, NetworkNamespace, Ownership, PacketKind, PacketSocket, ParseNameError,
    ParseQueryError, ParseUserIdError, Pod, PortOwners, Process, ProcessId, Protocol, Reason,
    SkippedNamespaces, Snapshot, Socket, SocketId, SocketNamespace, SocketQuery, SocketState,
    Source, TcpInfo, TranslatedFrom, Unit, UnitKind, User, UserId, Verdict,
};
pub use policy::{
    Event, Initiator, Key, Lookup, LookupRequest, PolicyConfig, PolicyStatistics, Token,
};
pub use resolver::{Attributor, Notice, Resolver};
pub use tables::SocketTable;
pub use tables::device_names::{device_index, device_name};
pub use tables::processes::Processes;
pub use tables::users::user_name;
