//! Checks whether a socket still has the same owner, in microseconds if nothing has changed.

mod place;
mod shared;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use super::others::OthersSearch;
use super::worker::OwnerLookup;
use crate::answer::query::{normalize, unscoped};
use crate::answer::{Match, Ownership, Process, Protocol, SocketId, SocketQuery};
use crate::observers::linux::sched;
use crate::policy::freshness::INHERITORS;
use crate::policy::time_budget::TimeBudget;
use crate::tables::fast_lookup::Confirmed;
use crate::tables::linux::namespaces::Namespace;
use crate::tables::linux::netlink::conntrack::{Fit, Search, Translation};
use crate::tables::linux::netlink::message::DiagSocket;
use crate::tables::linux::{namespaces, sockets};

/// The budget of CPU time for confirmations: a burst, and one part of `SHARE` of the time.
const BUDGET: Duration = Duration::from_millis(10);
const SHARE: u32 = 16;
/// The number of sockets for which this remembers when it last confirmed the holders.
const MAX_HELD: usize = 4_096;

/// The number of processes whose descriptors this reads to find a connection that one of them
/// accepted.
const MAX_READ: usize = 2;

/// The state of confirmations.
#[derive(Debug)]
pub(super) struct Confirmer {
    budget: TimeBudget,
    /// When this last confirmed the holders of a socket: one check serves all flows of the socket.
    held: HashMap<SocketId, Held>,
    /// When this last found that no other socket sends from the port of a datagram socket.
    alone: HashMap<SocketId, SystemTime>,
    /// The inodes of sockets of other namespaces, which are not always open.
    inodes: HashMap<SocketId, u32>,
    /// `None` before the thread that confirms is there.
    pub(super) search: Option<OthersSearch>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    at: SystemTime,
    /// When this last searched for processes that inherited the socket.
    inherited_checked_at: SystemTime,
}

/// Where this searches for a socket.
#[derive(Debug, Clone)]
enum Where {
    Here,
    There(Arc<Mutex<Namespace>>),
    /// In a namespace that is not open now.
    Closed,
}

impl Confirmer {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            budget: TimeBudget::full(BUDGET, SHARE, now),
            held: HashMap::new(),
            alone: HashMap::new(),
            inodes: HashMap::new(),
            search: None,
        }
    }

    fn is_held_since(&self, socket: SocketId, since: SystemTime) -> bool {
        self.held.get(&socket).is_some_and(|held| held.at >= since)
    }

    /// The time of the last search for processes that inherited a socket, if it is recent enough.
    fn inherited_checked_at(&self, socket: SocketId, now: SystemTime) -> Option<SystemTime> {
        let at = self.held.get(&socket)?.inherited_checked_at;
        now.duration_since(at)
            .is_ok_and(|age| age < INHERITORS)
            .then_some(at)
    }

    fn hold(&mut self, socket: SocketId, held: Held) {
        if self.held.len() >= MAX_HELD {
            self.held.clear();
        }
        self.held.insert(socket, held);
    }

    fn is_alone_since(&self, socket: SocketId, since: SystemTime) -> bool {
        self.alone.get(&socket).is_some_and(|alone| *alone >= since)
    }

    fn keep_alone(&mut self, socket: SocketId, at: SystemTime) {
        if self.alone.len() >= MAX_HELD {
            self.alone.clear();
        }
        self.alone.insert(socket, at);
    }

    fn keep(&mut self, socket: SocketId, inode: u32) {
        if self.inodes.len() >= MAX_HELD {
            self.inodes.clear();
        }
        self.inodes.insert(socket, inode);
    }

    /// See [`FastLookup::confirm`](crate::FastLookup::confirm).
    pub(super) fn confirm(
        &mut self,
        lookup: &mut OwnerLookup,
        query: &SocketQuery,
        known: &Ownership,
        since: SystemTime,
    ) -> Confirmed {
        let confirmer = self;
        Confirmation { confirmer, lookup }.confirm_within_budget(query, known, since)
    }
}

/// One confirmation.
struct Confirmation<'a> {
    confirmer: &'a mut Confirmer,
    lookup: &'a mut OwnerLookup,
}

impl Confirmation<'_> {
    fn confirm_within_budget(
        &mut self,
        query: &SocketQuery,
        known: &Ownership,
        since: SystemTime,
    ) -> Confirmed {
        // A listener is not the socket of the connection for which its process was named.
        let is_listener =
            query.protocol() == Protocol::Tcp && known.evidence.matched != Some(Match::FiveTuple);
        let socket = known.evidence.socket;
        let Some(remote) = query.remote() else {
            return Confirmed::Unknown;
        };
        if !self.confirmer.budget.has_any(Instant::now()) {
            return Confirmed::Unanswered;
        }
        let began = sched::cpu_time();
        let translated = self.translated(query, known);
        // The lookup uses the original ends of the socket.
        let its_own = known.evidence.translated_from.as_deref();
        let its_own = its_own.map(|from| query.translated(*from));
        let (query, remote) = match &its_own {
            Some(own) => (own, own.remote().unwrap_or(remote)),
            None => (query, remote),
        };
        let is_portless = matches!(
            known.evidence.matched,
            Some(Match::Protocol | Match::PacketSocket)
        ) || query.protocol() == Protocol::Icmp;
        let confirmed = match (translated, socket) {
            _ if is_portless => self.lookup.confirm_portless(query, known, since),
            (Some(answer), _) => Ok(answer),
            (None, _) if is_listener => self.confirm_accepted(query, remote, (known, since)),
            (None, Some(socket)) => match self.place_of(known) {
                Where::Closed => self.confirm_held(query, (socket, known), since),
                place => self.confirm_socket(query, remote, (socket, known), (since, &place)),
            },
            (None, None) => return Confirmed::Unknown,
        };
        let spent = sched::cpu_time().saturating_sub(began);
        self.confirmer.budget.spend(spent);
        confirmed.unwrap_or_else(|error| {
            tracing::debug!(%error, "a socket could not be confirmed");
            Confirmed::Unanswered
        })
    }

    /// The result if packets of this network namespace belong, or may belong, to another socket
    /// than the known one: conntrack forgets silent connections, and another one gets their ends.
    fn translated(&mut self, query: &SocketQuery, known: &Ownership) -> Option<Confirmed> {
        let before = known.evidence.translated_from.as_deref();
        if known.evidence.namespace.is_some() && before.is_none() {
            return None;
        }
        let fit = match known.evidence.matched {
            _ if before.is_some() => Fit::Nothing,
            Some(Match::FiveTuple) if query.protocol() == Protocol::Tcp => Fit::Connection,
            _ => Fit::Port,
        };
        match (
            self.lookup.conntrack.translation(query, fit, Search::Known),
            before,
        ) {
            (Translation::From(now), Some(before)) if now == *before => None,
            (Translation::None | Translation::NotSeen, None) => None,
            // The next packet may go to another socket.
            (Translation::NotSeen, Some(_)) => Some(closed(query.protocol())),
            (Translation::NotNow, _) => Some(Confirmed::Unanswered),
            _ => Some(Confirmed::Changed),
        }
    }

    /// The place of the socket in an answer.
    fn place_of(&self, known: &Ownership) -> Where {
        let Some(namespace) = &known.evidence.namespace else {
            return Where::Here;
        };
        let others = namespaces::lock(&self.lookup.others).clone();
        let mut others = others.into_iter();
        let is_it =
            |other: &Arc<Mutex<Namespace>>| namespaces::lock(other).public.id == namespace.id;
        others.find(is_it).map_or(Where::Closed, Where::There)
    }

    /// As [`confirm_socket`](Self::confirm_socket), in a namespace that is not open now: whether
    /// the named processes still hold the inode of an earlier confirmation.
    fn confirm_held(
        &mut self,
        query: &SocketQuery,
        (socket, known): (SocketId, &Ownership),
        since: SystemTime,
    ) -> io::Result<Confirmed> {
        if let Some(moved) = self.moved(query, &Where::Closed, (None, known))? {
            return Ok(moved);
        }
        let inode = self.confirmer.inodes.get(&socket).copied();
        Ok(
            match inode.filter(|inode| self.do_all_hold(known, *inode)) {
                Some(inode) => self.unless_shared(known, inode, since),
                None => Confirmed::Gone,
            },
        )
    }

    fn confirm_socket(
        &mut self,
        query: &SocketQuery,
        remote: SocketAddr,
        (socket, known): (SocketId, &Ownership),
        (since, place): (SystemTime, &Where),
    ) -> io::Result<Confirmed> {
        let now = SystemTime::now();
        let protocol = query.protocol();
        let is_it = |found: &DiagSocket| found.cookie == socket.cookie;
        let found = if protocol == Protocol::Tcp {
            self.connection_in(place, query, remote)?
        } else {
            let all = self.exact_in(place, query, remote)?;
            // On another device of that namespace, one that fits better may get the packets.
            let has_rival = all.iter().any(|other| {
                let is_other = !is_it(other) && other.inode != 0;
                is_other && !self.do_all_hold(known, other.inode)
            });
            if all.len() > 1 && has_rival {
                return Ok(Confirmed::Changed);
            }
            all.iter().find(|one| is_it(one)).or(all.first()).copied()
        };
        let found = match found {
            Some(found) if is_it(&found) => found,
            Some(other) if protocol == Protocol::Tcp => {
                // The kernel returns a listener if the connection does not exist any more. Late
                // packets then belong to no other socket.
                return Ok(if is_to(&other, remote) {
                    Confirmed::Changed
                } else {
                    Confirmed::Closed
                });
            }
            None if protocol == Protocol::Tcp => return Ok(Confirmed::Closed),
            // For example, a server connects a socket to a peer that it has answered before.
            Some(other) => {
                let is_theirs = self.do_all_hold(known, other.inode);
                return Ok(if is_theirs {
                    self.unless_shared(known, other.inode, since)
                } else {
                    Confirmed::Changed
                });
            }
            // This lookup does not find sockets that are bound to a device or to a group address.
            None => match self.waiting_in(place, query)?.into_iter().find(is_it) {
                Some(found) => found,
                None => return Ok(Confirmed::Gone),
            },
        };
        if matches!(place, Where::There(_)) {
            self.confirmer.keep(socket, found.inode);
        }
        if let Some(moved) = self.moved(query, place, (Some(found.local), known))? {
            return Ok(moved);
        }
        if protocol.is_datagram()
            && query.is_sender()
            && !self.confirmer.is_alone_since(socket, since)
        {
            if self.is_alone(place, query, (&found, known))? {
                self.confirmer.keep_alone(socket, now);
            } else if !self.is_named_again(query, known) {
                return Ok(Confirmed::Changed);
            }
        }
        // Its owner has closed it. The kernel alone sends the rest, and no interface shows the last
        // holder.
        if found.inode == 0 {
            return Ok(Confirmed::Closed);
        }
        if self.confirmer.is_held_since(socket, since) {
            return Ok(self.unless_shared_or_forget(&found, known, since));
        }
        let is_theirs = self.do_all_hold(known, found.inode) || self.is_named_again(query, known);
        if !is_theirs {
            if !self.is_open(place, query, remote, found.cookie)? {
                return Ok(closed(protocol));
            }
            self.forget(&found, known);
            return Ok(Confirmed::Changed);
        }
        let is_tcp = protocol == Protocol::Tcp;
        let checked = self
            .confirmer
            .inherited_checked_at(socket, now)
            .filter(|_| !is_tcp);
        if checked.is_none() {
            self.search_inheritors(known, &found, is_tcp && !query.is_sender());
        }
        let inherited_checked_at = checked.unwrap_or(now);
        self.confirmer.hold(
            socket,
            Held {
                at: now,
                inherited_checked_at,
            },
        );
        Ok(self.unless_shared_or_forget(&found, known, since))
    }

    /// Whether some process still holds a socket that existed a moment ago. Its owner may close it
    /// after the kernel has shown it and before this reads the owner's descriptors: then no other
    /// process took it over.
    fn is_open(
        &mut self,
        place: &Where,
        query: &SocketQuery,
        remote: SocketAddr,
        cookie: u64,
    ) -> io::Result<bool> {
        let is_it = |found: &DiagSocket| found.cookie == cookie && found.inode != 0;
        if self.exact_in(place, query, remote)?.iter().any(is_it) {
            return Ok(true);
        }
        Ok(query.protocol().is_datagram() && self.waiting_in(place, query)?.iter().any(is_it))
    }

    /// Whether no other process can send datagrams from the same end: one may have bound a socket
    /// to the port since the owner was named (`SO_REUSEADDR`, `SO_REUSEPORT`).
    fn is_alone(
        &mut self,
        place: &Where,
        query: &SocketQuery,
        (found, known): (&DiagSocket, &Ownership),
    ) -> io::Result<bool> {
        let mut rivals = self.waiting_in(place, query)?;
        rivals.retain(|other| other.inode != 0 && other.cookie != found.cookie);
        let mut rivals = rivals.iter();
        Ok(rivals.all(|rival| self.do_all_hold(known, rival.inode)))
    }

    /// As [`confirm_socket`](Self::confirm_socket), for a connection for which the holders of a
    /// listener were named: whether one of them has it.
    fn confirm_accepted(
        &mut self,
        query: &SocketQuery,
        remote: SocketAddr,
        (known, since): (&Ownership, SystemTime),
    ) -> io::Result<Confirmed> {
        let place = match self.place_of(known) {
            Where::Closed => return Ok(Confirmed::Unknown),
            place => place,
        };
        let found = self.connection_in(&place, query, remote)?;
        // A transparent proxy may have the connection in place of the listener.
        if matches!(place, Where::There(_)) && self.has_rival_standing_in(query, known)? {
            return Ok(Confirmed::Changed);
        }
        let Some(found) = found.filter(|found| is_to(found, remote)) else {
            return Ok(Confirmed::Closed);
        };
        let named = known.verdict.processes();
        // No process has a connection before it is accepted. After its close, no interface shows
        // who had it.
        let inode = found.inode;
        if inode == 0 {
            return Ok(if found.is_unaccepted() {
                Confirmed::Same
            } else {
                Confirmed::Closed
            });
        }
        if self.lookup.scanner.is_known_with_any(named, inode) {
            self.search_inheritors(known, &found, true);
            return Ok(self.unless_shared_or_forget(&found, known, since));
        }
        // If many processes may have it, this searches as the first lookup did.
        let owner = self.lookup.lookup(query, true, sockets::accepted);
        let holders = owner.as_ref().map_or(&[][..], |it| it.verdict.processes());
        let is_named = |it: &Arc<Process>| named.iter().any(|named| named.id() == it.id());
        Ok(match holders {
            [] if self.does_any_hold(named, inode) => {
                self.unless_shared_or_forget(&found, known, since)
            }
            // The search has covered all of them.
            [] if named.len() <= MAX_READ => {
                if self.is_open(&place, query, remote, found.cookie)? {
                    Confirmed::Changed
                } else {
                    Confirmed::Closed
                }
            }
            [] => Confirmed::Unknown,
            _ if holders.iter().any(is_named) => self.unless_shared_or_forget(&found, known, since),
            _ => Confirmed::Changed,
        })
    }

    /// Whether one of a few processes holds a socket: this reads all descriptors of each.
    fn does_any_hold(&mut self, named: &[Arc<Process>], inode: u32) -> bool {
        let mut few = named.iter().take(MAX_READ);
        few.any(|it| {
            self.lookup
                .scanner
                .still_holds(it, inode, &mut self.lookup.buffers)
        })
    }

    /// Whether all processes that were named for a socket hold the one with this inode.
    fn do_all_hold(&mut self, known: &Ownership, inode: u32) -> bool {
        let mut named = known.verdict.processes().iter();
        inode != 0
            && named.all(|it| {
                self.lookup
                    .scanner
                    .still_holds(it, inode, &mut self.lookup.buffers)
            })
    }

    /// Whether a new lookup names the same processes: they may hold the socket in a place that a
    /// confirmation does not check.
    fn is_named_again(&mut self, query: &SocketQuery, known: &Ownership) -> bool {
        let Some(found) = self.lookup.first(query) else {
            return false;
        };
        let is_same = |(a, b): (&Arc<Process>, &Arc<Process>)| a.is_same_program(b);
        let (now, before) = (found.verdict.processes(), known.verdict.processes());
        now.len() == before.len() && now.iter().zip(before).all(is_same)
    }
}

/// Whether a socket is connected to an end.
fn is_to(found: &DiagSocket, remote: SocketAddr) -> bool {
    found.remote.map(normalize).map(unscoped) == Some(unscoped(remote))
}

/// The state of a socket without holder: the rest of a connection belongs to the kernel.
const fn closed(protocol: Protocol) -> Confirmed {
    match protocol {
        Protocol::Tcp => Confirmed::Closed,
        _ => Confirmed::Gone,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{IoSlice, Write};
    use std::mem::MaybeUninit;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::net::UnixStream;
    use std::process::{Child, Command, Stdio};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use rustix::net::{AddressFamily, SocketFlags, SocketType};
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

    use super::*;
    use crate::policy::freshness::START_TIME_ERROR;
    use crate::policy::{Initiator, LookupRequest};
    use crate::tables::SocketTable;
    use crate::tables::fast_lookup::FastLookup;
    use crate::tables::linux::LinuxOptions;
    use crate::tables::linux::table::LinuxTable;

    /// A fast lookup without send watchers, and its answer for a query.
    fn fast_lookup_of(query: SocketQuery) -> (Box<dyn FastLookup>, Ownership) {
        let options = LinuxOptions {
            send_watchers: false,
            ..LinuxOptions::default()
        };
        let mut table = LinuxTable::with_options(&options).unwrap();
        let mut fast_lookup = table.fast_lookup().unwrap();
        let question = LookupRequest {
            query,
            packet_time: SystemTime::now(),
            initiator: Initiator::Unknown,
        };
        let known = found_in_time(&mut *fast_lookup, &question);
        assert!(known.evidence.socket.is_some(), "{known:?}");
        (fast_lookup, known)
    }

    /// A confirmation has a time budget, which refills with the clock. On a busy machine, a process
    /// may get none of it for seconds, and answers nothing then.
    const DEADLINE: Duration = Duration::from_secs(60);

    fn peer() -> SocketAddr {
        "127.0.0.1:9".parse().unwrap()
    }

    fn udp() -> (UdpSocket, SocketQuery) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let query = SocketQuery::udp(socket.local_addr().unwrap(), peer());
        (socket, query)
    }

    /// The answer of a fast lookup, as soon as the budget allows one.
    #[track_caller]
    fn found_in_time(fast_lookup: &mut dyn FastLookup, question: &LookupRequest) -> Ownership {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(known) = fast_lookup.lookup(question).ownership() {
                return known;
            }
            assert!(Instant::now() < deadline, "{question:?} has no answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[track_caller]
    fn check(
        fast_lookup: &mut dyn FastLookup,
        query: SocketQuery,
        known: &Ownership,
        expected: Confirmed,
    ) {
        let deadline = Instant::now() + DEADLINE;
        let mut confirm = || match fast_lookup.confirm(&query, known, SystemTime::now()) {
            // No search can have been made since.
            Confirmed::Held { .. } => Confirmed::Same,
            other => other,
        };
        let mut confirmed = confirm();
        // On a busy machine the budget is soon spent. And processes that other tests start have our
        // sockets, too, until they execute their program.
        while confirmed != expected && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
            confirmed = confirm();
        }
        assert_eq!(confirmed, expected, "{query}: {known:?}");
    }

    /// A process that starts while a socket of another test can be inherited would get that one,
    /// too.
    static STARTING: Mutex<()> = Mutex::new(());

    fn starting() -> MutexGuard<'static, ()> {
        STARTING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process that has the socket as its output, and runs a script of `sh`.
    fn holder(socket: impl Into<OwnedFd>, script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped());
        let _alone = starting();
        command.stdout(Stdio::from(socket.into())).spawn().unwrap()
    }

    fn end(mut child: Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until a process executes a program with that name.
    fn wait_for(pid: u32, name: &str) {
        let deadline = Instant::now() + DEADLINE;
        let executes = || std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
        while executes().trim_end() != name {
            assert!(Instant::now() < deadline, "{name} was not executed");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_socket_keeps_its_owner() {
        let (socket, query) = udp();
        let (mut fast_lookup, known) = fast_lookup_of(query);
        check(&mut *fast_lookup, query, &known, Confirmed::Same);
        // The process moved it to another descriptor.
        let moved = socket.try_clone().unwrap();
        drop(socket);
        check(&mut *fast_lookup, query, &known, Confirmed::Same);
        // The same process has another socket in its place.
        let local = query.local();
        drop(moved);
        check(&mut *fast_lookup, query, &known, Confirmed::Gone);
        let _again = UdpSocket::bind(local).unwrap();
        check(&mut *fast_lookup, query, &known, Confirmed::Same);
    }

    #[test]
    fn another_socket_on_the_port_may_send_as_well() {
        let reusing = || {
            let kind = SocketType::DGRAM;
            let (family, flags) = (AddressFamily::INET, SocketFlags::CLOEXEC);
            let socket = rustix::net::socket_with(family, kind, flags, None).unwrap();
            rustix::net::sockopt::set_socket_reuseport(&socket, true).unwrap();
            socket
        };
        let socket = reusing();
        rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let socket = UdpSocket::from(socket);
        let local = socket.local_addr().unwrap();
        let query = SocketQuery::udp(local, peer()).as_sender();
        let (mut fast_lookup, known) = fast_lookup_of(query);
        check(&mut *fast_lookup, query, &known, Confirmed::Same);
        // An earlier list does not contain the second socket.
        for address in [[0, 0, 0, 0], [127, 0, 0, 1]] {
            let other = reusing();
            rustix::net::bind(&other, &SocketAddr::from((address, local.port()))).unwrap();
            // It belongs to the same process.
            check(&mut *fast_lookup, query, &known, Confirmed::Same);
            let child = holder(other, "read line; exec cat");
            check(&mut *fast_lookup, query, &known, Confirmed::Changed);
            let question = LookupRequest {
                query,
                packet_time: SystemTime::now(),
                initiator: Initiator::Local,
            };
            let found = fast_lookup.lookup(&question).ownership();
            let named = found.as_ref().map(|found| found.verdict.processes().len());
            assert_ne!(named, Some(1), "{found:?}");
            end(child);
            check(&mut *fast_lookup, query, &known, Confirmed::Same);
        }
    }

    #[test]
    fn a_socket_that_is_passed_on_changes_its_owner() {
        let (socket, query) = udp();
        let (mut fast_lookup, known) = fast_lookup_of(query);
        let child = holder(socket.try_clone().unwrap(), "read line; exec cat");
        check(&mut *fast_lookup, query, &known, Confirmed::Same);
        drop(socket);
        check(&mut *fast_lookup, query, &known, Confirmed::Changed);
        end(child);
    }

    #[test]
    fn a_socket_that_a_new_process_inherits_is_shared() {
        let (socket, query) = udp();
        let (mut fast_lookup, known) = fast_lookup_of(query);
        check(&mut *fast_lookup, query, &known, Confirmed::Same);
        // The start of a process is known to a hundredth of a second.
        std::thread::sleep(2 * START_TIME_ERROR);
        // As after fork(2): the child has it at the same descriptor.
        let alone = starting();
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::empty()).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "read line"]).stdin(Stdio::piped());
        let child = command.spawn().unwrap();
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC).unwrap();
        drop(alone);
        // At the pace of the policy: no search for heirs runs before that.
        std::thread::sleep(INHERITORS);
        check(&mut *fast_lookup, query, &known, Confirmed::Changed);
        let question = LookupRequest {
            query,
            packet_time: SystemTime::now(),
            initiator: Initiator::Unknown,
        };
        let shared = found_in_time(&mut *fast_lookup, &question);
        let pids: Vec<_> = shared.verdict.processes().iter().map(|it| it.pid).collect();
        assert_eq!(pids.len(), 2, "{shared:?}");
        assert!(pids.contains(&child.id()) && pids.contains(&std::process::id()));
        check(&mut *fast_lookup, query, &shared, Confirmed::Same);
        end(child);
        check(&mut *fast_lookup, query, &shared, Confirmed::Changed);
    }

    #[test]
    fn a_process_that_executes_another_program_has_changed() {
        let (socket, query) = udp();
        let mut child = holder(socket, "read line; exec sleep 1000");
        wait_for(child.id(), "sh");
        let (mut fast_lookup, known) = fast_lookup_of(query);
        assert_eq!(known.verdict.processes()[0].pid, child.id());
        check(&mut *fast_lookup, query, &known, Confirmed::Same);
        child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        wait_for(child.id(), "sleep");
        check(&mut *fast_lookup, query, &known, Confirmed::Changed);
        end(child);
    }

    #[test]
    fn connections_change_hands_and_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let query = SocketQuery::tcp(stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        let (mut fast_lookup, known) = fast_lookup_of(query);
        check(&mut *fast_lookup, query, &known, Confirmed::Same);
        let child = holder(stream.try_clone().unwrap(), "read line; exec cat");
        drop(stream);
        check(&mut *fast_lookup, query, &known, Confirmed::Changed);
        let (_, passed) = fast_lookup_of(query);
        check(&mut *fast_lookup, query, &passed, Confirmed::Same);
        end(child);
        // No process has it, and no interface shows the last holder.
        check(&mut *fast_lookup, query, &passed, Confirmed::Closed);
    }

    #[test]
    fn a_socket_closed_meanwhile_did_not_change_hands() {
        // No process of another test may inherit the descriptors of this one.
        let _alone = starting();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (to_drop, streams) = std::sync::mpsc::sync_channel::<(TcpStream, Duration)>(0);
        let closer = std::thread::spawn(move || {
            for (stream, wait) in streams {
                let began = Instant::now();
                while began.elapsed() < wait {
                    std::hint::spin_loop();
                }
                drop(stream);
            }
        });
        let (mut fast_lookup, deadline) = (None, Instant::now() + DEADLINE);
        let (mut same, mut over, mut round) = (0, 0, 0_u32);
        while (round < 3_000 || same < 50 || over < 50) && Instant::now() < deadline {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (here, there) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
            // Either the end that connects, or the one that a listener accepts after its lookup.
            let is_client = round % 2 == 0;
            let ends = if is_client {
                (here, there)
            } else {
                (there, here)
            };
            let query = SocketQuery::tcp(ends.0, ends.1);
            let fast_lookup = fast_lookup.get_or_insert_with(|| fast_lookup_of(query).0);
            let question = LookupRequest {
                query,
                packet_time: SystemTime::now(),
                initiator: Initiator::Unknown,
            };
            let known = found_in_time(&mut **fast_lookup, &question);
            let (server, _) = listener.accept().unwrap();
            let (stream, _peer) = if is_client {
                (client, server)
            } else {
                (server, client)
            };
            round += 1;
            let wait = Duration::from_micros(u64::from(round / 2 % 100));
            to_drop.send((stream, wait)).unwrap();
            for _ in 0..3 {
                match fast_lookup.confirm(&query, &known, SystemTime::now()) {
                    Confirmed::Held { .. } => same += 1,
                    Confirmed::Closed => over += 1,
                    Confirmed::Unanswered => std::thread::sleep(Duration::from_millis(1)),
                    other => panic!("{other:?} in round {round}"),
                }
            }
        }
        drop(to_drop);
        closer.join().unwrap();
        assert!(same >= 50 && over >= 50, "{same} {over} of {round}");
    }

    /// No lookup finds the next holder before it closes the socket: the descriptor is in flight.
    #[test]
    fn a_socket_passed_on_and_closed_does_not_belong_to_its_former_holder() {
        let _alone = starting();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let query = SocketQuery::tcp(stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        let (mut fast_lookup, known) = fast_lookup_of(query);
        let (here, there) = UnixStream::pair().unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut passed = SendAncillaryBuffer::new(&mut space);
        let descriptors = [stream.as_fd()];
        assert!(passed.push(SendAncillaryMessage::ScmRights(&descriptors)));
        let data = [IoSlice::new(b"x")];
        rustix::net::sendmsg(&here, &data, &mut passed, SendFlags::empty()).unwrap();
        drop(stream);
        check(&mut *fast_lookup, query, &known, Confirmed::Changed);
        drop((here, there));
        // The descriptor waits at the other end, which no process has accepted.
        let question = LookupRequest {
            query,
            packet_time: SystemTime::now(),
            initiator: Initiator::Unknown,
        };
        let next = fast_lookup.lookup(&question).ownership();
        let named = next.as_ref().map(|next| next.verdict.processes());
        assert!(named.is_none_or(<[_]>::is_empty), "{next:?}");
    }

    #[test]
    fn a_listener_may_have_passed_on_an_accepted_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap();
        let client = TcpStream::connect(here).unwrap();
        let query = SocketQuery::tcp(here, client.local_addr().unwrap());
        let (mut fast_lookup, known) = fast_lookup_of(query);
        assert_eq!(known.evidence.matched, Some(Match::LocalEndpoint));
        check(&mut *fast_lookup, query, &known, Confirmed::Same);
        let (stream, _) = listener.accept().unwrap();
        check(&mut *fast_lookup, query, &known, Confirmed::Same);
        let child = holder(stream, "read line; exec cat");
        check(&mut *fast_lookup, query, &known, Confirmed::Changed);
        end(child);
        check(&mut *fast_lookup, query, &known, Confirmed::Closed);
    }

    #[test]
    fn a_socket_that_its_ends_do_not_find_is_confirmed() {
        let group = UdpSocket::bind("224.0.0.1:0").unwrap();
        let query = SocketQuery::udp(group.local_addr().unwrap(), peer());
        let (mut fast_lookup, known) = fast_lookup_of(query);
        check(&mut *fast_lookup, query, &known, Confirmed::Same);
        drop(group);
        check(&mut *fast_lookup, query, &known, Confirmed::Gone);
    }

    #[test]
    fn confirmations_stay_within_the_budget() {
        let (_socket, query) = udp();
        let (mut fast_lookup, known) = fast_lookup_of(query);
        let began = Instant::now();
        let (mut unanswered, mut rounds) = (0_u32, 0_u32);
        while unanswered == 0 {
            let confirmed = fast_lookup.confirm(&query, &known, SystemTime::now());
            unanswered += u32::from(confirmed == Confirmed::Unanswered);
            rounds += 1;
            assert!(began.elapsed() < Duration::from_secs(60), "{rounds} rounds");
        }
        assert!(began.elapsed() >= BUDGET);
    }
}
