//! Finds the sockets that a query is about.

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
    /// Whether the kernel has made this connection and no process has accepted it: it has no inode
    /// yet. In any other state, inode 0 means that its owner has closed it.
    pub(crate) fn is_unaccepted(&self) -> bool {
        let is_early = matches!(
            self.state,
            Some(SocketState::SynReceived | SocketState::Established | SocketState::CloseWait)
        );
        self.inode == 0 && is_early
    }

    /// The values for the search for its owner.
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

    /// Its identity, in a namespace if it is not in our own.
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

/// Finds the sockets of a query in microseconds. If one device has the connection, this does not
/// search the others.
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
    let any = found_by_kernel(sockets, query, reach, is_thorough)?;
    // If the connection does not exist, the kernel returns the listener that would accept it.
    let (exact, others): (Vec<_>, Vec<_>) = any.into_iter().partition(|one| is_it(query, one));
    let (open, closed): (Vec<_>, Vec<_>) = exact.into_iter().partition(|one| one.inode != 0);
    // The kernel chooses among datagram sockets as well, but for one device at a time. It does not
    // choose a sender. For a group, each matching socket gets a copy.
    let is_one_way = matches!(reach.ways, Ways::One(_)) && !reach.is_group(query.local().ip());
    let is_decided = query.protocol() == Protocol::Tcp || is_one_way;
    if is_decided && !open.is_empty() && !query.is_sender() {
        return Ok(Candidates::Open(Match::FiveTuple, open));
    }
    let is_any = !(open.is_empty() && closed.is_empty() && others.is_empty());
    if !is_any && !query.is_sender() && finds_all(sockets, query, reach) {
        return Ok(Candidates::None);
    }
    if let Some(found) = closed.first()
        && found.is_unaccepted()
    {
        return queued(sockets, query, reach, found);
    }
    // A recent list may lack another socket that sends from the same port.
    let witness = open.first().or(others.first());
    let witness = witness.filter(|_| !(is_thorough && query.is_sender()));
    let waiting = waiting(sockets, query, reach, witness)?;
    Ok(match closed.first() {
        Some(found) => Candidates::Closed(*found),
        None => waiting,
    })
}

/// Whether the kernel looks up single sockets of this protocol. (For SCTP it searches only
/// associations, by the address of the primary path.)
pub(super) const fn finds_one(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Tcp | Protocol::Udp | Protocol::UdpLite)
}

/// The sockets that the kernel finds for a packet between these ends, for each device through which
/// it can have arrived: the connection, or the socket that would accept it.
pub(crate) fn found_by_kernel(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
    is_thorough: bool,
) -> io::Result<Vec<DiagSocket>> {
    let Some(remote) = query.remote().filter(|_| finds_one(query.protocol())) else {
        return Ok(Vec::new());
    };
    let mut found: Vec<DiagSocket> = Vec::new();
    for device in devices_to_request(reach) {
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

/// The devices to request; 0 stands for any device to which no socket is bound. A socket that is
/// bound to a device gets only packets of that device.
fn devices_to_request(reach: &Reach) -> impl Iterator<Item = u32> {
    /// If there are more, this leaves out those with the highest numbers.
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

/// Whether no socket exists if the kernel found none.
fn finds_all(sockets: &Sockets, query: &SocketQuery, reach: &Reach) -> bool {
    // It searches for the one receiver, not for all members of a group.
    let is_group = |end: SocketAddr| reach.is_group(end.ip());
    let is_for_one = !is_group(query.local()) && !query.remote().is_some_and(is_group);
    // A packet of a VRF's port reaches sockets of the VRF, which need another request.
    let is_direct = |arrival: &Arrival| arrival.slave.is_none() && arrival.reaches_unbound;
    let is_direct = reach.arrivals().is_none_or(|all| all.iter().all(is_direct));
    // Each raw socket gets a copy, and the kernel finds one only by another request.
    let is_for_one = is_for_one && finds_one(query.protocol());
    query.remote().is_some() && is_for_one && is_direct && sockets.finds_listeners()
}

/// Exactly the requested connection, if a process has it.
pub(crate) fn accepted(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
) -> io::Result<Candidates> {
    let mut found = found_by_kernel(sockets, query, reach, false)?;
    found.retain(|one| is_it(query, one) && one.inode != 0);
    Ok(if found.is_empty() {
        Candidates::None
    } else {
        Candidates::Open(Match::FiveTuple, found)
    })
}

/// The socket of our own namespace for an address that is not our own: exactly the connection, or
/// else one that is bound to only that address (`IP_FREEBIND`, `IP_TRANSPARENT`; ip(7)).
pub(crate) fn standing_in(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
) -> io::Result<Candidates> {
    let protocol = query.protocol();
    let mut found = found_by_kernel(sockets, query, reach, false)?;
    // A transparent proxy is about to accept it.
    let is_new = |one: &&DiagSocket| is_it(query, one) && one.is_unaccepted();
    if protocol == Protocol::Tcp
        && let Some(new) = found.iter().find(is_new)
    {
        return Ok(Candidates::Closed(*new));
    }
    found.retain(|one| one.inode != 0);
    if protocol == Protocol::Tcp && found.iter().any(|one| is_it(query, one)) {
        found.retain(|one| is_it(query, one));
        return Ok(Candidates::Open(Match::FiveTuple, found));
    }
    let has_address = |one: &DiagSocket| normalize(one.local).ip() == query.local().ip();
    let port = query.local().port();
    let (mut bound, mut choice) = (Vec::new(), None);
    if query.remote().is_none() {
        sockets.list(protocol, Which::OnPort(port), &mut bound)?;
    } else if !finds_one(protocol) {
        bound = portless::listed(sockets, query)?;
    } else if !sockets.finds_listeners() {
        sockets.list(protocol, Which::Waiting(port), &mut bound)?;
    } else if let Some(witness) = found.iter().find(|one| has_address(one)) {
        // The kernel returns a socket with exactly this address before one on all addresses.
        bound = sockets.waiting(protocol, port, Some(witness))?;
        choice = Some(*witness);
    }
    bound.retain(|one| one.inode != 0 && has_address(one));
    Ok(as_decided(
        query,
        reach,
        chosen(query, reach, bound),
        choice,
    ))
}

/// The socket that would accept a connection from any end. This takes one request less than
/// [`quick`] if the connection exists and is not accepted yet.
pub(crate) fn listener(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
) -> io::Result<Candidates> {
    waiting(sockets, query, reach, None)
}

/// As [`quick`], on all devices. If that finds nothing and the remote end is unknown, this searches
/// for any socket on the port.
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

/// The datagram socket that would receive what the remote end sends, if a process has it.
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

/// Whether a socket that a lookup found still has an owner.
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
    // The kernel's lists of waiting sockets do not contain one that is only bound.
    let which = match found.state {
        Some(SocketState::Bound) => Which::OnPort(port),
        _ => Which::Waiting(port),
    };
    let listed = sockets.list(protocol, which, &mut now);
    listed.is_ok() && now.iter().any(is_it)
}

/// As [`is_open`], for a socket that a lookup found for a query, which takes less time.
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

/// All sockets that may serve the query. Of a group, the kernel finds only one, `any`.
fn waiting(
    sockets: &mut Sockets,
    query: &SocketQuery,
    reach: &Reach,
    any: Option<&DiagSocket>,
) -> io::Result<Candidates> {
    let waits = |found: &DiagSocket| found.remote.is_none() || query.is_sender();
    let mut witness = any.copied().filter(waits);
    if witness.is_none() && query.protocol() == Protocol::Tcp {
        // The socket that would accept a connection from an unspecified end.
        let unspecified = match query.local() {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let device = devices_to_request(reach).next().unwrap_or(0);
        witness = sockets.exact_on(device, query.protocol(), query.local(), unspecified)?;
    }
    let port = query.local().port();
    let found = sockets.waiting(query.protocol(), port, witness.as_ref())?;
    let choice = witness.filter(|_| sockets.finds_listeners());
    Ok(as_decided(
        query,
        reach,
        chosen(query, reach, found),
        choice,
    ))
}

/// Of sockets that match equally well, keeps those with the same device binding as the socket that
/// the kernel returned for the packet.
///
/// The kernel's lookup knows the order and the options that decide among them. But it runs on a CPU
/// of ours, and for `SO_INCOMING_CPU` the CPU of the packet counts. That option is worth as much as
/// the family, and for IPv6 datagrams as much as the device: these stay undecided. Two TCP sockets
/// listen like this only with `SO_REUSEPORT`, and the first one ends the search.
fn as_decided(
    query: &SocketQuery,
    reach: &Reach,
    candidates: Candidates,
    choice: Option<DiagSocket>,
) -> Candidates {
    let is_v6_datagram = query.protocol() != Protocol::Tcp && query.local().is_ipv6();
    let choice =
        choice.filter(|_| decides_for_all(query, reach) && !query.is_sender() && !is_v6_datagram);
    let is_decided = |choice: &DiagSocket, one: &DiagSocket| {
        (one.inode, one.cookie) == (choice.inode, choice.cookie) && one.device == choice.device
    };
    match (candidates, choice) {
        (Candidates::Open(matched, mut open), Some(choice))
            if open.iter().any(|one| is_decided(&choice, one)) =>
        {
            open.retain(|one| one.device == choice.device);
            Candidates::Open(matched, open)
        }
        (candidates, _) => candidates,
    }
}

/// Whether the kernel's lookup for one packet holds for each packet of the query: not for a group,
/// and only on one known device.
fn decides_for_all(query: &SocketQuery, reach: &Reach) -> bool {
    let is_group = |end: SocketAddr| reach.is_group(end.ip());
    let is_for_one = !is_group(query.local()) && !query.remote().is_some_and(is_group);
    let is_direct = |arrival: &Arrival| arrival.slave.is_none() && arrival.reaches_unbound;
    let is_one_way = matches!(&reach.ways, Ways::One(arrival) if is_direct(arrival));
    is_for_one && is_one_way && finds_one(query.protocol())
}

/// The listeners in whose queue a connection may wait to be accepted. A listener with a closer
/// match did not exist when the kernel made the connection.
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
    // It is not in the queue yet, and began a moment ago.
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

/// The sockets of a list that match best.
fn chosen(query: &SocketQuery, reach: &Reach, found: Vec<DiagSocket>) -> Candidates {
    chosen_of(query.protocol(), query, reach, found)
}
