//! Which sockets there are, and which of them a question is about.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::candidates::{Candidates, chosen_of};
use super::fd_scanner::{Kind, Wanted};
use super::netlink::message::{DiagSocket, Which};
use super::portless;
use super::source::Sockets;
use crate::answer::devices::{Arrival, Reach, Ways};
use crate::answer::matching::Ends;
use crate::answer::query::{normalize, scoped, unscoped};
use crate::answer::{
    Match, NetworkNamespace, Protocol, Socket, SocketId, SocketNamespace, SocketQuery, SocketState,
    Verdict,
};

impl DiagSocket {
    /// Whether the kernel has made this connection and nobody has accepted it: it has no
    /// inode yet. In any other state, an inode of 0 means that its owner has closed it.
    pub(crate) fn is_unaccepted(&self) -> bool {
        let is_early = matches!(
            self.state,
            Some(SocketState::SynReceived | SocketState::Established | SocketState::CloseWait)
        );
        self.inode == 0 && is_early
    }

    /// What is looked for to find its owner.
    pub(crate) const fn wanted(&self) -> Wanted {
        let kind = match self.remote {
            Some(_) => Kind::Connection,
            None => Kind::Waiting,
        };
        Wanted {
            inode: self.inode,
            uid: self.uid,
            kind,
            first_is_enough: self.remote.is_some(),
        }
    }

    pub(crate) fn ends(&self, protocol: Protocol) -> Ends {
        let end = |end| scoped(normalize(end), self.device);
        Ends {
            protocol,
            local: end(self.local),
            remote: self.remote.map(end),
            v6_only: self.v6_only,
            device: self.device,
        }
    }

    /// Its identity, in a namespace if not in our own.
    pub(crate) fn id(&self, namespace: Option<&Arc<NetworkNamespace>>) -> Option<SocketId> {
        let namespace = namespace.map_or(SocketNamespace::Own, |other| {
            SocketNamespace::Other(other.id)
        });
        SocketId::new(namespace, self.cookie)
    }

    pub(crate) fn with_owner(
        &self,
        protocol: Protocol,
        namespace: Option<&Arc<NetworkNamespace>>,
        owner: Verdict,
    ) -> Socket {
        let ends = self.ends(protocol);
        let is_held = self.inode != 0;
        Socket {
            protocol,
            local: ends.local,
            remote: ends.remote,
            state: self.state,
            v6_only: self.v6_only,
            device: self.device,
            id: self.id(namespace),
            uid: (is_held || self.is_unaccepted()).then_some(self.uid),
            inode: is_held.then_some(self.inode.into()),
            namespace: namespace.map(Arc::clone),
            packet: self.packet,
            owner,
        }
    }
}

/// Finds what a question is about in microseconds: where a connection is found on one device,
/// others are not looked at.
pub(crate) fn quick(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
) -> io::Result<Candidates> {
    find(sockets, query, reach, false)
}

fn find(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
    is_thorough: bool,
) -> io::Result<Candidates> {
    if !finds_one(query.protocol()) {
        return portless::find(sockets, query, reach);
    }
    let any = told(sockets, query, reach, is_thorough)?;
    // Where there is no connection, the kernel tells the listener that would take it.
    let (exact, others): (Vec<_>, Vec<_>) = any.into_iter().partition(|one| is_it(query, one));
    let (open, closed): (Vec<_>, Vec<_>) = exact.into_iter().partition(|one| one.inode != 0);
    // The kernel chooses among datagram sockets as well, but for one device at a time.
    // Nor does it choose who sends.
    // Of what is for all, each socket that fits gets a copy.
    let is_one_way = matches!(reach.ways, Ways::One(_)) && !reach.is_group(query.local().ip());
    let is_told = query.protocol() == Protocol::Tcp || is_one_way;
    if is_told && !open.is_empty() && !query.is_sender() {
        return Ok(Candidates::Open(Match::FiveTuple, open));
    }
    let is_any = !(open.is_empty() && closed.is_empty() && others.is_empty());
    if !is_any && !query.is_sender() && tells_all(sockets, query, reach) {
        return Ok(Candidates::None);
    }
    if let Some(found) = closed.first()
        && found.is_unaccepted()
    {
        return queued(sockets, query, reach, found);
    }
    // What was listed a moment ago may lack another one that sends from the same port.
    let witness = open.first().or(others.first());
    let witness = witness.filter(|_| !(is_thorough && query.is_sender()));
    let waiting = waiting(sockets, query, reach, witness)?;
    Ok(match closed.first() {
        Some(found) => Candidates::Closed(*found),
        None => waiting,
    })
}

/// Whether the kernel looks for one socket of this protocol. (For SCTP it looks among associations
/// alone, by the address of the primary path.)
pub(super) const fn finds_one(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Tcp | Protocol::Udp | Protocol::UdpLite)
}

/// The sockets that the kernel finds for a packet between these ends, for each device through which it
/// can have come: the connection, or the socket that would accept it.
fn told(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
    is_thorough: bool,
) -> io::Result<Vec<DiagSocket>> {
    let Some(remote) = query.remote().filter(|_| finds_one(query.protocol())) else {
        return Ok(Vec::new());
    };
    let mut found: Vec<DiagSocket> = Vec::new();
    for device in asked_devices(reach) {
        let one = sockets.exact_on(device, query.protocol(), query.local(), remote)?;
        let Some(one) = one.filter(|one| reach.reaches(one.device)) else {
            continue;
        };
        if !found.contains(&one) {
            found.push(one);
        }
        let is_enough = query.protocol() == Protocol::Tcp && is_it(query, &one) && one.inode != 0;
        if is_enough && !is_thorough {
            break;
        }
    }
    Ok(found)
}

/// Devices of which packets are asked for, 0 for one that no socket is bound to: a socket
/// that is bound to one gets only packets of that.
fn asked_devices(reach: &Reach) -> impl Iterator<Item = u32> {
    /// Where there are more, those with the highest numbers are left out.
    const MAX: usize = 64;
    let (any, arrivals) = match &reach.ways {
        Ways::Any(known) => (Some(known), &[][..]),
        Ways::One(arrival) => (None, std::slice::from_ref(arrival)),
        Ways::Several(arrivals) => (None, &arrivals[..]),
    };
    let any = any.map(|known| [0].into_iter().chain(known.iter().copied().take(MAX)));
    let arrivals = arrivals
        .iter()
        .flat_map(|arrival| [Some(arrival.device), arrival.slave]);
    any.into_iter().flatten().chain(arrivals.flatten())
}

/// Whether a socket is connected from one end to the other.
fn is_it(query: &SocketQuery, socket: &DiagSocket) -> bool {
    let remote = socket.remote.map(normalize).map(unscoped);
    remote.is_some() && remote == query.remote().map(unscoped)
}

/// Whether there is no socket if the kernel found none.
fn tells_all(sockets: &Sockets, query: &SocketQuery, reach: &Reach) -> bool {
    // It looks for the one that gets it, not for all members of a group.
    let is_group = |end: SocketAddr| reach.is_group(end.ip());
    let is_for_one = !is_group(query.local()) && !query.remote().is_some_and(is_group);
    // A slave's packets reach sockets of its VRF, which are asked for in another way.
    let is_direct = |arrival: &Arrival| arrival.slave.is_none() && arrival.reaches_unbound;
    let is_direct = reach.arrivals().is_none_or(|all| all.iter().all(is_direct));
    // Of raw sockets each gets a copy, and the kernel finds one only by another question.
    let is_for_one = is_for_one && finds_one(query.protocol());
    query.remote().is_some() && is_for_one && is_direct && sockets.tells_listeners()
}

/// The very connection that is asked for, if somebody has it.
pub(crate) fn accepted(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
) -> io::Result<Candidates> {
    let mut found = told(sockets, query, reach, false)?;
    found.retain(|one| is_it(query, one) && one.inode != 0);
    Ok(if found.is_empty() {
        Candidates::None
    } else {
        Candidates::Open(Match::FiveTuple, found)
    })
}

/// What of our own namespace has an address that is not our own: the very connection, else what
/// is bound to that address and to no other (`IP_FREEBIND`, `IP_TRANSPARENT`; ip(7)).
pub(crate) fn standing_in(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
) -> io::Result<Candidates> {
    let protocol = query.protocol();
    let mut told = told(sockets, query, reach, false)?;
    told.retain(|one| one.inode != 0);
    if protocol == Protocol::Tcp && told.iter().any(|one| is_it(query, one)) {
        told.retain(|one| is_it(query, one));
        return Ok(Candidates::Open(Match::FiveTuple, told));
    }
    let has_address = |one: &DiagSocket| normalize(one.local).ip() == query.local().ip();
    let port = query.local().port();
    let (mut bound, mut choice) = (Vec::new(), None);
    if query.remote().is_none() {
        sockets.list(protocol, Which::OnPort(port), &mut bound)?;
    } else if !finds_one(protocol) {
        bound = portless::listed(sockets, query)?;
    } else if !sockets.tells_listeners() {
        sockets.list(protocol, Which::Waiting(port), &mut bound)?;
    } else if let Some(witness) = told.iter().find(|one| has_address(one)) {
        // The kernel tells one that has the very address before those on all addresses.
        bound = sockets.waiting(protocol, port, Some(witness))?;
        choice = Some(*witness);
    }
    bound.retain(|one| one.inode != 0 && has_address(one));
    Ok(as_told(query, reach, chosen(query, reach, bound), choice))
}

/// Who would take a connection from anybody, in one question less than [`quick`] needs where
/// this one was made and not accepted yet.
pub(crate) fn listener(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
) -> io::Result<Candidates> {
    waiting(sockets, query, reach, None)
}

/// As [`quick`], on all devices; where that finds nothing, looks for any on the port if the
/// remote end is not known.
pub(crate) fn thorough(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
) -> io::Result<Candidates> {
    let found = find(sockets, query, reach, true)?;
    match query.remote() {
        None if found == Candidates::None => {
            let which = Which::OnPort(query.local().port());
            listed(sockets, query, reach, which)
        }
        _ => Ok(found),
    }
}

/// The datagram socket that would get what the remote end sends, if anybody has it.
pub(crate) fn nearest(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
) -> io::Result<Option<DiagSocket>> {
    let Ways::One(arrival) = &reach.ways else {
        return Ok(None);
    };
    match query.remote() {
        Some(remote) => {
            let (protocol, local) = (query.protocol(), query.local());
            let found = sockets.exact_on(arrival.device, protocol, local, remote)?;
            Ok(found.filter(|found| found.inode != 0 && arrival.reaches(found.device)))
        }
        None => Ok(None),
    }
}

/// Whether a socket that was found has an owner still.
pub(crate) fn is_open(sockets: &mut Sockets, protocol: Protocol, found: &DiagSocket) -> bool {
    let is_it = |now: &DiagSocket| now.inode == found.inode;
    if !finds_one(protocol) {
        return portless::is_open(sockets, protocol, found);
    }
    if let Some(remote) = found.remote {
        let device = found.device.unwrap_or(0);
        let now = sockets.exact_on(device, protocol, found.local, remote);
        return now.is_ok_and(|now| now.as_ref().is_some_and(is_it));
    }
    let mut now = Vec::new();
    let port = found.local.port();
    // What is bound and does nothing is in none of the kernel's lists of what waits.
    let which = match found.state {
        Some(SocketState::Bound) => Which::OnPort(port),
        _ => Which::Waiting(port),
    };
    let listed = sockets.list(protocol, which, &mut now);
    listed.is_ok() && now.iter().any(is_it)
}

/// As [`is_open`], of a socket that was found for a query, which takes less time.
pub(crate) fn is_open_for(sockets: &mut Sockets, query: &SocketQuery, found: &DiagSocket) -> bool {
    if found.remote.is_none()
        && finds_one(query.protocol())
        && let Some(remote) = query.remote()
    {
        let device = found.device.or(query.device_or_scope()).unwrap_or(0);
        let now = sockets.exact_on(device, query.protocol(), query.local(), remote);
        if now.is_ok_and(|now| now.is_some_and(|now| now.inode == found.inode)) {
            return true;
        }
    }
    is_open(sockets, query.protocol(), found)
}

/// All that may serve it: of a group, the kernel finds one only, `any`.
fn waiting(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
    any: Option<&DiagSocket>,
) -> io::Result<Candidates> {
    let waits = |found: &DiagSocket| found.remote.is_none() || query.is_sender();
    let mut witness = any.copied().filter(waits);
    if witness.is_none() && query.protocol() == Protocol::Tcp {
        // Who would take a connection from nobody.
        let nobody = match query.local() {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let device = asked_devices(reach).next().unwrap_or(0);
        witness = sockets.exact_on(device, query.protocol(), query.local(), nobody)?;
    }
    let port = query.local().port();
    let found = sockets.waiting(query.protocol(), port, witness.as_ref())?;
    let told = witness.filter(|_| sockets.tells_listeners());
    Ok(as_told(query, reach, chosen(query, reach, found), told))
}

/// Of sockets that fit equally well, those that are bound to the device that the socket is bound to
/// which the kernel told for the packet, or to none as it is.
///
/// The kernel's lookup knows the order and the options that decide among them. But it runs on a CPU
/// of ours, and for `SO_INCOMING_CPU` the packet's counts. That option is worth as much as the
/// family, and for IPv6 datagrams as much as the device: these stay open. Two TCP sockets listen so
/// only with `SO_REUSEPORT`, and the first one ends the search.
fn as_told(
    query: &SocketQuery,
    reach: &Reach,
    candidates: Candidates,
    told: Option<DiagSocket>,
) -> Candidates {
    let is_v6_datagram = query.protocol() != Protocol::Tcp && query.local().is_ipv6();
    let told = told.filter(|_| tells_one(query, reach) && !query.is_sender() && !is_v6_datagram);
    let is_told = |told: &DiagSocket, one: &DiagSocket| {
        (one.inode, one.cookie) == (told.inode, told.cookie) && one.device == told.device
    };
    match (candidates, told) {
        (Candidates::Open(matched, mut open), Some(told))
            if open.iter().any(|one| is_told(&told, one)) =>
        {
            open.retain(|one| one.device == told.device);
            Candidates::Open(matched, open)
        }
        (candidates, _) => candidates,
    }
}

/// Whether the kernel's lookup for one packet is that for each packet of the query: not for a group,
/// and on one device that is known.
fn tells_one(query: &SocketQuery, reach: &Reach) -> bool {
    let is_group = |end: SocketAddr| reach.is_group(end.ip());
    let is_for_one = !is_group(query.local()) && !query.remote().is_some_and(is_group);
    let is_direct = |arrival: &Arrival| arrival.slave.is_none() && arrival.reaches_unbound;
    let is_one_way = matches!(&reach.ways, Ways::One(arrival) if is_direct(arrival));
    is_for_one && is_one_way && finds_one(query.protocol())
}

/// The listeners in whose queue a connection may wait that nobody has accepted yet. One that
/// listens more closely by now did not when the connection was made.
fn queued(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
    connection: &DiagSocket,
) -> io::Result<Candidates> {
    let port = query.local().port();
    let mut listed = sockets.waiting(query.protocol(), port, None)?;
    let fits = |one: &DiagSocket| chosen(query, reach, vec![*one]) != Candidates::None;
    listed.retain(fits);
    // It is not in the queue yet, and was begun a moment ago.
    if connection.state == Some(SocketState::SynReceived) {
        return Ok(chosen(query, reach, listed));
    }
    if listed.iter().any(|one| one.unaccepted != Some(0)) {
        listed.retain(|one| one.unaccepted != Some(0));
    }
    Ok(match listed.first() {
        Some(first) if listed.iter().any(|one| one.local != first.local) => {
            Candidates::Open(Match::WildcardAddress, listed)
        }
        _ => chosen(query, reach, listed),
    })
}

fn listed(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
    which: Which,
) -> io::Result<Candidates> {
    let mut found = Vec::new();
    sockets.list(query.protocol(), which, &mut found)?;
    Ok(chosen(query, reach, found))
}

/// Those of a list that fit best.
fn chosen(query: &SocketQuery, reach: &Reach, found: Vec<DiagSocket>) -> Candidates {
    chosen_of(query.protocol(), query, reach, found)
}
