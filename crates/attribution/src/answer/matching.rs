//! Chooses among several sockets those that answer a query. Pure; the documentation of the crate
//! has the rules.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::devices::{Arrival, Reach, Ways};
use super::ownership::{Match, Verdict};
use super::process::{NetworkNamespace, Process};
use super::query::{self, Protocol, SocketQuery, unscoped};
use super::reason::Reason;
use super::socket::{Socket, SocketState};
use super::socket_id::SocketId;
use super::wildcard::covers;

/// The answer from the most specific sockets that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) matched: Match,
    pub(crate) verdict: Verdict,
    /// The network namespace that contains all of them, if it is not our own.
    pub(crate) namespace: Option<Arc<NetworkNamespace>>,
    /// The socket, if exactly one matches.
    pub(crate) socket: Option<SocketId>,
}

impl Finding {
    /// The answer from the sockets that match best.
    pub(crate) fn of(found: &Fitting<'_>) -> Self {
        let fitting = &found.sockets;
        let owners: Vec<&Verdict> = fitting.iter().map(|socket| &socket.owner).collect();
        let mut namespaces = fitting.iter().map(|socket| &socket.namespace);
        let namespace = namespaces.next().cloned().flatten();
        let namespace = namespace.filter(|first| namespaces.all(|n| n.as_ref() == Some(first)));
        let socket = match fitting[..] {
            [only] => only.id,
            _ => None,
        };
        Self {
            matched: found.matched,
            verdict: merge(&owners),
            namespace,
            socket,
        }
    }

    /// The answer for two namespaces with the same address: the holders of all sockets that match.
    pub(crate) fn or(self, other: &Self) -> Self {
        Self {
            // The closer match, so that this answer replaces one that knew only the closer socket.
            matched: self.matched.max(other.matched),
            verdict: merge(&[&self.verdict, &other.verdict]),
            namespace: None,
            socket: None,
        }
    }
}

/// The sockets that match a query best, equally well; at least one.
#[derive(Debug)]
pub(crate) struct Fitting<'a> {
    pub(crate) matched: Match,
    pub(crate) sockets: Vec<&'a Socket>,
}

/// The answer from the sockets that match `query` best, or `None` if none matches.
pub(crate) fn best<'a>(
    query: &SocketQuery,
    reach: &Reach,
    sockets: impl IntoIterator<Item = &'a Socket>,
) -> Option<Finding> {
    best_sockets(query, reach, sockets).map(|found| Finding::of(&found))
}

/// The sockets that match `query` best, or `None` if none matches.
pub(crate) fn best_sockets<'a>(
    query: &SocketQuery,
    reach: &Reach,
    sockets: impl IntoIterator<Item = &'a Socket>,
) -> Option<Fitting<'a>> {
    let ends = |socket: &&Socket| Ends::of(socket);
    let (matched, sockets) = fitting_in_use(query, reach, sockets, ends, |socket| socket.state)?;
    Some(Fitting { matched, sockets })
}

/// As [`fitting`], but filters by state: a socket in the state `Bound` occupies its port and
/// exchanges no packets.
pub(crate) fn fitting_in_use<T>(
    query: &SocketQuery,
    reach: &Reach,
    sockets: impl IntoIterator<Item = T>,
    ends: impl Fn(&T) -> Ends,
    state: impl Fn(&T) -> Option<SocketState>,
) -> Option<(Match, Vec<T>)> {
    let is_idle = |socket: &T| state(socket) == Some(SocketState::Bound);
    let (idle, used): (Vec<_>, Vec<_>) = sockets.into_iter().partition(is_idle);
    fitting(query, reach, used, &ends).or_else(|| {
        let idle = query.remote().is_none().then_some(idle)?;
        fitting(query, reach, idle, &ends)
    })
}

/// Whether a socket is in the namespace of the query. A socket of another namespace that is bound
/// to all addresses or to a loopback address is not.
pub(crate) fn is_reached(query: &SocketQuery, socket: &Socket) -> bool {
    let local = query.local().ip();
    socket.namespace.is_none() || (socket.local.ip() == local && !local.is_loopback())
}

/// The facts about a socket that decide a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) protocol: Protocol,
    /// Normalised, like `remote`.
    pub(crate) local: SocketAddr,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) v6_only: bool,
    /// The device that the socket is bound to.
    pub(crate) device: Option<u32>,
}

impl Ends {
    pub(crate) fn of(socket: &Socket) -> Self {
        // A socket with a link-local address is bound to the device that the scope names.
        let scope = Some(query::scope(socket.local)).filter(|scope| *scope != 0);
        Self {
            protocol: socket.protocol,
            local: socket.local,
            remote: socket.remote,
            v6_only: socket.v6_only,
            device: socket.device.or(scope),
        }
    }
}

/// The sockets that match `query` best, equally well; `None` if none matches.
///
/// A packet that can have arrived through several devices may belong to a different socket on each
/// of them. This returns the sockets for all of these devices.
pub(crate) fn fitting<T>(
    query: &SocketQuery,
    reach: &Reach,
    sockets: impl IntoIterator<Item = T>,
    ends: impl Fn(&T) -> Ends,
) -> Option<(Match, Vec<T>)> {
    let heard = reach.heard(query)?;
    let reach = &*heard;
    let mut reached: Vec<Reached<T>> = Vec::new();
    for socket in sockets {
        let ends = ends(&socket);
        if let Some(fit) = fit(query, reach, &ends)
            && reach.reaches(ends.device)
        {
            reached.push(Reached {
                fit,
                device: ends.device,
                socket,
                is_best: false,
            });
        }
    }
    // A ping socket has one id; a raw socket exchanges echo requests with any id.
    if query.protocol() == Protocol::Icmp {
        let is_of_id = |one: &Reached<T>| one.fit.matched != Match::Protocol;
        if reached.iter().any(is_of_id) {
            reached.retain(is_of_id);
        }
    }
    match reach.arrivals() {
        Some(arrivals) => {
            for arrival in arrivals {
                mark_best(query, reach, &mut reached, arrival);
            }
        }
        None => mark_best_of_any(query, reach, &mut reached),
    }
    let best = reached.into_iter().filter(|one| one.is_best);
    let mut matched = None;
    let fitting = best.map(|one| {
        let matched_by = matched.get_or_insert(one.fit.matched);
        *matched_by = if query.is_sender() {
            // The closer match, so that this answer replaces one that knew only the closest socket.
            one.fit.matched.max(*matched_by)
        } else {
            one.fit.matched.min(*matched_by)
        };
        one.socket
    });
    let fitting: Vec<T> = fitting.collect();
    Some((matched?, fitting))
}

/// A socket that matches and that the packet can reach.
struct Reached<T> {
    fit: Fit,
    device: Option<u32>,
    socket: T,
    is_best: bool,
}

/// Marks the sockets that receive the packet if it arrived in this way.
fn mark_best<T>(query: &SocketQuery, reach: &Reach, reached: &mut [Reached<T>], arrival: &Arrival) {
    let is_in_reach = |one: &Reached<T>| arrival.reaches(one.device);
    let rank = |one: &Reached<T>| one.fit.rank();
    // The kernel copies a datagram to a group to each of them.
    let is_for_all = is_datagram(query) && reach.is_group(query.local().ip());
    let best = reached
        .iter()
        .filter(|one| is_in_reach(one))
        .map(rank)
        .max();
    // Any of them may have sent the packet. Each raw socket receives a copy as well.
    let may_be_any = query.is_sender() || query.protocol() == Protocol::Raw;
    for one in reached.iter_mut().filter(|one| is_in_reach(one)) {
        one.is_best |= is_for_all || may_be_any || Some(rank(one)) == best;
    }
}

/// As [`mark_best`], for a packet through an unknown device.
fn mark_best_of_any<T>(query: &SocketQuery, reach: &Reach, reached: &mut [Reached<T>]) {
    let is_it = |one: &Reached<T>| one.fit.matched == Match::FiveTuple;
    // A listener exchanges no packets of an established connection.
    if query.protocol() == Protocol::Tcp && reached.iter().any(is_it) {
        for one in reached.iter_mut().filter(|one| is_it(one)) {
            one.is_best = true;
        }
        return;
    }
    let mut devices: Vec<u32> = reached.iter().filter_map(|one| one.device).collect();
    devices.sort_unstable();
    devices.dedup();
    // Any device to which no socket is bound behaves like device 0.
    for device in [0].into_iter().chain(devices) {
        if !reach.is_heard_on(query, device) {
            continue;
        }
        mark_best(query, reach, reached, &Arrival::on(device));
    }
}

/// How a socket matches a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fit {
    matched: Match,
    /// Whether the socket serves this remote end, or any. If the query has no remote end, a
    /// connected socket answers only if there is no other.
    is_open_to_it: bool,
}

impl Fit {
    /// The greater rank wins, in the order of the kernel: it searches the exact address before the
    /// wildcard address.
    ///
    /// Of sockets on the same address, the kernel prefers one that is bound to the packet's device,
    /// and one of the flow's own address family to a dual-stack one (`compute_score` in
    /// `net/ipv4/udp.c` and in `net/ipv4/inet_hashtables.c`). But the first one with
    /// `SO_REUSEPORT` ends the search whatever its score (`udp4_lib_lookup2`,
    /// `inet_lhash2_lookup`), and one with `SO_INCOMING_CPU` may score as high. No list shows these
    /// options, or the order: all of them are equal here. Only the kernel's own lookup decides.
    fn rank(self) -> (bool, Match) {
        (self.is_open_to_it, self.matched)
    }
}

/// How a socket matches `query`, whatever the device.
fn fit(query: &SocketQuery, reach: &Reach, socket: &Ends) -> Option<Fit> {
    if socket.protocol == Protocol::Raw {
        return fit_raw(query, socket);
    }
    if socket.protocol != query.protocol() || socket.local.port() != query.local().port() {
        return None;
    }
    let address = match_address(query, reach, socket)?;
    let matched = match (socket.remote, query.remote()) {
        // Connected or not, a socket may send to any address (udp(7)).
        (Some(theirs), Some(ours))
            if query.is_sender()
                && (address != Match::LocalEndpoint
                    || !is_peer(query.protocol(), theirs, ours)) =>
        {
            Match::WildcardAddress
        }
        (Some(theirs), Some(ours)) if is_peer(query.protocol(), theirs, ours) => Match::FiveTuple,
        // A connected socket never serves another peer.
        (Some(_), Some(_)) => return None,
        (_, None) | (None, _) => address,
    };
    Some(Fit {
        matched,
        is_open_to_it: query.remote().is_some() || socket.remote.is_none(),
    })
}

/// How a raw socket matches `query`: it is for the protocol of the packets or only sends, and its
/// addresses match (`raw_v4_match` in `net/ipv4/raw.c`).
fn fit_raw(query: &SocketQuery, socket: &Ends) -> Option<Fit> {
    /// `IPPROTO_RAW`: a socket that only sends (raw(7)).
    const SENDS_ONLY: u16 = 255;
    let local = query.local();
    let wanted = match query.protocol() {
        Protocol::Raw => local.port(),
        Protocol::Icmp => Protocol::Icmp.ip_number(local.is_ipv4())?.into(),
        _ => return None,
    };
    let number = socket.local.port();
    let is_of_it = number == wanted || (number == SENDS_ONLY && query.is_sender());
    let is_of_family = socket.local.is_ipv4() == local.is_ipv4();
    let has_address = covers(socket.local.ip(), true, local.ip());
    let is_open = match (socket.remote, query.remote()) {
        (Some(theirs), Some(ours)) => is_peer(Protocol::Raw, theirs, ours),
        _ => true,
    };
    if !(is_of_it && is_of_family && has_address && is_open) {
        return None;
    }
    let is_connected = socket.remote.is_some() && query.remote().is_some();
    Some(Fit {
        matched: if is_connected && query.protocol() == Protocol::Raw {
            Match::FiveTuple
        } else {
            Match::Protocol
        },
        is_open_to_it: query.remote().is_some() || socket.remote.is_none(),
    })
}

/// Whether a socket matches `query`, whatever the device.
pub(crate) fn is_fit(query: &SocketQuery, socket: &Ends) -> bool {
    // Broadcast addresses matter only to a receiver, and the match by address covers them.
    let reach = Reach::new(Ways::Any(Vec::new()));
    fit(query, &reach, socket).is_some()
}

/// Why a lookup of sockets cannot name an owner, whatever matches: the kernel itself exchanges such
/// packets, or any raw socket for the protocol may have sent the packet and closed since.
pub(crate) fn beyond_sockets(query: &SocketQuery, matched: Option<Match>) -> Option<Reason> {
    if query.is_of_kernel() {
        let may_be_raw = query.is_sender() && matched.is_some();
        return Some(if may_be_raw {
            Reason::PacketSocket
        } else {
            Reason::Kernel
        });
    }
    let is_raw = query.protocol() == Protocol::Raw || matched == Some(Match::Protocol);
    (query.is_sender() && is_raw && matched.is_some()).then_some(Reason::PacketSocket)
}

/// Whether a connected socket exchanges packets with an end. A raw socket, and one that is
/// connected to an address without a port, exchanges them with all ports of that address
/// (`raw_v4_match` in `net/ipv4/raw.c`, `compute_score` in `net/ipv4/udp.c`).
fn is_peer(protocol: Protocol, theirs: SocketAddr, ours: SocketAddr) -> bool {
    let (theirs, ours) = (unscoped(theirs), unscoped(ours));
    let has_ports = protocol != Protocol::Raw && theirs.port() != 0;
    theirs.ip() == ours.ip() && (theirs.port() == ours.port() || !has_ports)
}

/// How the local address of a socket covers the local address of the query.
fn match_address(query: &SocketQuery, reach: &Reach, socket: &Ends) -> Option<Match> {
    let (bound, ours) = (socket.local.ip(), query.local().ip());
    // IPv6 ping sockets exchange only ICMPv6, which IPv4 does not carry.
    if query.protocol() == Protocol::Icmp && bound.is_ipv4() != ours.is_ipv4() {
        return None;
    }
    if bound == ours {
        return Some(Match::LocalEndpoint);
    }
    let covers = covers(bound, socket.v6_only, ours);
    // A sender may choose any address of this host as the source (`IP_PKTINFO` of ip(7)).
    let chooses = query.is_sender()
        && match (bound, ours) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => true,
            (IpAddr::V6(_), IpAddr::V4(_)) => !socket.v6_only,
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
        };
    // A socket that is bound to a group address sends with the address of the device as its source
    // (`__inet_bind` in `net/ipv4/af_inet.c`).
    let to_group = query
        .remote()
        .is_some_and(|remote| reach.is_group(remote.ip()));
    let sends = is_datagram(query) && to_group && reach.is_group(bound);
    let same_family = bound.is_ipv4() == ours.is_ipv4();
    (covers || chooses || (sends && same_family)).then_some(Match::WildcardAddress)
}

fn is_datagram(query: &SocketQuery) -> bool {
    query.protocol().is_datagram()
}

/// One verdict from several sockets that match equally well.
///
/// It names all processes. If it cannot name the process of one socket, it names none: any of them
/// may be the owner.
pub(crate) fn merge(owners: &[&Verdict]) -> Verdict {
    if let [only] = owners {
        return (*only).clone();
    }
    // An open socket decides alone: a closed one does not compete with it.
    let is_closed = |owner: &Verdict| owner.reason().is_some_and(Reason::is_of_no_open_socket);
    let held = |owner: &&&Verdict| !is_closed(owner);
    if let Some(hidden) = owners.iter().filter(held).find(|owner| !owner.is_named()) {
        return (**hidden).clone();
    }
    let processes = owners.iter().flat_map(|owner| owner.processes());
    match distinct(processes.cloned().collect()) {
        empty if empty.is_empty() => owners
            .first()
            .map_or(Verdict::Unknown(Reason::NotFound), |owner| (*owner).clone()),
        one if one.len() == 1 => Verdict::Process(Arc::clone(&one[0])),
        several => Verdict::Shared(several),
    }
}

/// Each process once, lowest pid first.
pub(crate) fn distinct(mut processes: Vec<Arc<Process>>) -> Vec<Arc<Process>> {
    processes.sort_by_key(|process| process.id());
    processes.dedup_by_key(|process| process.id());
    processes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::devices::Devices;

    fn process(pid: u32) -> Verdict {
        Verdict::Process(Arc::new(Process::new(pid, format!("p{pid}"))))
    }

    fn socket(protocol: Protocol, local: &str, remote: Option<&str>, owner: Verdict) -> Socket {
        Socket {
            protocol,
            local: local.parse().unwrap(),
            remote: remote.map(|remote| remote.parse().unwrap()),
            state: None,
            v6_only: false,
            device: None,
            id: None,
            uid: None,
            inode: None,
            namespace: None,
            packet: None,
            owner,
        }
    }

    fn tcp(local: &str, remote: Option<&str>, pid: u32) -> Socket {
        socket(Protocol::Tcp, local, remote, process(pid))
    }

    #[track_caller]
    fn check(query: (&str, Option<&str>), sockets: &[Socket], expected: Option<(Match, &[u32])>) {
        let query = SocketQuery::new(
            Protocol::Tcp,
            query.0.parse().unwrap(),
            query.1.map(|remote| remote.parse().unwrap()),
        );
        let found = best(&query, &Reach::new(Ways::Any(Vec::new())), sockets);
        let found = found.map(
            |Finding {
                 matched, verdict, ..
             }| {
                let pids: Vec<u32> = verdict.processes().iter().map(|p| p.pid).collect();
                (matched, pids)
            },
        );
        assert_eq!(
            found,
            expected.map(|(matched, pids)| (matched, pids.to_vec()))
        );
    }

    const FLOW: (&str, Option<&str>) = ("10.0.0.2:4000", Some("1.1.1.1:443"));

    #[test]
    fn most_specific_wins() {
        let sockets = [
            tcp("[::]:4000", None, 1),
            tcp("0.0.0.0:4000", None, 2),
            tcp("10.0.0.2:4000", None, 3),
            tcp("10.0.0.2:4000", Some("1.1.1.1:443"), 4),
        ];
        check(FLOW, &sockets, Some((Match::FiveTuple, &[4])));
        check(FLOW, &sockets[..3], Some((Match::LocalEndpoint, &[3])));
        // A dual-stack socket may be as good as one of IPv4.
        check(FLOW, &sockets[..2], Some((Match::WildcardAddress, &[1, 2])));
        check(FLOW, &sockets[..1], Some((Match::WildcardAddress, &[1])));
        check(FLOW, &[], None);
    }

    /// The kernel chooses the socket that receives a datagram; a process chooses the socket that it
    /// sends from.
    #[test]
    fn any_socket_on_the_port_may_have_sent_a_datagram() {
        let udp = |local: &str, remote, device, pid| Socket {
            device,
            ..socket(Protocol::Udp, local, remote, process(pid))
        };
        let sockets = [
            udp("[::]:4000", None, None, 1),
            udp("0.0.0.0:4000", None, None, 2),
            udp("0.0.0.0:4000", None, Some(2), 3),
            udp("10.0.0.2:4000", None, None, 4),
            // A socket with another address may send from 10.0.0.2, too.
            udp("10.0.0.3:4000", None, None, 5),
            // A socket that is bound to another device cannot have sent it.
            udp("10.0.0.2:4000", None, Some(3), 6),
            udp("10.0.0.2:4000", Some("9.9.9.9:53"), None, 7),
            udp("10.0.0.2:4000", Some("1.1.1.1:53"), None, 8),
        ];
        let received = SocketQuery::udp(
            "10.0.0.2:4000".parse().unwrap(),
            "1.1.1.1:53".parse().unwrap(),
        );
        let reach = Reach::new(Ways::One(Arrival::on(2)));
        let pids = |query: &SocketQuery, sockets: &[Socket]| {
            let found = best(query, &reach, sockets).unwrap();
            let processes = found.verdict.processes().iter();
            (found.matched, processes.map(|p| p.pid).collect::<Vec<_>>())
        };
        let sent = received.as_sender();
        let closest = Match::LocalEndpoint;
        assert_eq!(pids(&received, &sockets[..7]), (closest, vec![4]));
        let all = vec![1, 2, 3, 4, 5, 7];
        assert_eq!(pids(&sent, &sockets[..7]), (closest, all));
        assert_eq!(pids(&received, &sockets), (Match::FiveTuple, vec![8]));
        let all = vec![1, 2, 3, 4, 5, 7, 8];
        assert_eq!(pids(&sent, &sockets), (Match::FiveTuple, all));
    }

    #[test]
    fn sockets_that_do_not_match() {
        let other_remote = [tcp("10.0.0.2:4000", Some("9.9.9.9:443"), 1)];
        check(FLOW, &other_remote, None);
        check(FLOW, &[tcp("10.0.0.3:4000", None, 1)], None);
        check(FLOW, &[tcp("10.0.0.2:4001", None, 1)], None);
        let udp = socket(Protocol::Udp, "10.0.0.2:4000", None, process(1));
        check(FLOW, &[udp], None);
        let v6_only = Socket {
            v6_only: true,
            ..tcp("[::]:4000", None, 1)
        };
        check(FLOW, &[v6_only], None);
        // An IPv4 wildcard never serves IPv6.
        let v6_flow = ("[fe80::1]:4000", Some("[fe80::2]:443"));
        check(v6_flow, &[tcp("0.0.0.0:4000", None, 1)], None);
        check(
            v6_flow,
            &[tcp("[::]:4000", None, 1)],
            Some((Match::WildcardAddress, &[1])),
        );
    }

    #[test]
    fn a_query_without_remote_end_takes_any_socket_at_the_local_end() {
        let sockets = [
            tcp("10.0.0.2:4000", Some("1.1.1.1:443"), 9),
            tcp("10.0.0.2:4000", Some("9.9.9.9:443"), 8),
        ];
        let question = ("10.0.0.2:4000", None);
        check(question, &sockets, Some((Match::LocalEndpoint, &[8, 9])));
    }

    #[test]
    fn sockets_that_match_equally_are_all_named_once() {
        let sockets = [
            tcp("0.0.0.0:4000", None, 5),
            tcp("0.0.0.0:4000", None, 3),
            tcp("0.0.0.0:4000", None, 5),
        ];
        check(FLOW, &sockets, Some((Match::WildcardAddress, &[3, 5])));
        let same = [sockets[0].clone(), sockets[2].clone()];
        check(FLOW, &same, Some((Match::WildcardAddress, &[5])));
    }

    #[test]
    fn a_hidden_owner_silences_the_named_one_beside_it() {
        let hidden = Verdict::Unknown(Reason::Denied);
        let gone = Verdict::Unknown(Reason::Gone);
        assert_eq!(merge(&[&process(1), &hidden]), hidden);
        assert_eq!(merge(&[&process(1), &gone]), process(1));
        assert_eq!(merge(&[&gone, &gone]), gone);
    }

    #[test]
    fn a_hidden_owner_of_the_very_socket_beats_a_named_listener() {
        let sockets = [
            tcp("0.0.0.0:4000", None, 1),
            socket(
                Protocol::Tcp,
                "10.0.0.2:4000",
                Some("1.1.1.1:443"),
                Verdict::Unknown(Reason::Denied),
            ),
        ];
        check(FLOW, &sockets, Some((Match::FiveTuple, &[])));
    }

    fn bound(socket: Socket, device: u32) -> Socket {
        Socket {
            device: Some(device),
            ..socket
        }
    }

    /// The pids in the answer, for packets of a device; 0 stands for any device.
    #[track_caller]
    fn check_on(device: u32, protocol: Protocol, sockets: &[Socket], expected: &[u32]) {
        let (local, remote) = (FLOW.0.parse().unwrap(), FLOW.1.unwrap().parse().unwrap());
        let query = SocketQuery::new(protocol, local, Some(remote)).on_device(device);
        let reach = Devices::default().reach(&query);
        let found = best(&query, &reach, sockets);
        let found = found.map(|found| found.verdict);
        let processes = found.iter().flat_map(Verdict::processes);
        let pids: Vec<u32> = processes.map(|process| process.pid).collect();
        assert_eq!(pids, expected, "{protocol} on {device}");
    }

    #[test]
    fn a_socket_of_another_device_is_no_answer() {
        let udp = |local: &str, pid| socket(Protocol::Udp, local, None, process(pid));
        let sockets = [
            bound(udp("10.0.0.2:4000", 1), 3),
            udp("0.0.0.0:4000", 2),
            bound(udp("0.0.0.0:4000", 3), 4),
        ];
        check_on(3, Protocol::Udp, &sockets, &[1]);
        // Only a socket option that no list shows decides.
        check_on(4, Protocol::Udp, &sockets, &[2, 3]);
        check_on(5, Protocol::Udp, &sockets, &[2]);
        // The packet may belong to each of them.
        check_on(0, Protocol::Udp, &sockets, &[1, 2, 3]);
        check_on(5, Protocol::Udp, &sockets[..1], &[]);
    }

    #[test]
    fn neither_device_nor_family_decides_among_listeners() {
        let sockets = [
            bound(tcp("[::]:4000", None, 1), 3),
            tcp("0.0.0.0:4000", None, 2),
            bound(tcp("0.0.0.0:4000", None, 3), 3),
        ];
        check_on(3, Protocol::Tcp, &sockets, &[1, 2, 3]);
        check_on(3, Protocol::Tcp, &sockets[..2], &[1, 2]);
        check_on(4, Protocol::Tcp, &sockets, &[2]);
    }

    #[test]
    fn connections_of_two_devices_are_distinguished_or_shared() {
        let connection = |pid, device| bound(tcp(FLOW.0, FLOW.1, pid), device);
        let sockets = [
            connection(1, 3),
            connection(2, 4),
            tcp("0.0.0.0:4000", None, 9),
        ];
        check_on(3, Protocol::Tcp, &sockets, &[1]);
        check_on(4, Protocol::Tcp, &sockets, &[2]);
        check_on(0, Protocol::Tcp, &sockets, &[1, 2]);
        check_on(5, Protocol::Tcp, &sockets, &[9]);
    }

    #[test]
    fn groups_have_several_members_and_senders() {
        let udp = |local: &str, pid| socket(Protocol::Udp, local, None, process(pid));
        let sockets = [
            udp("0.0.0.0:5353", 1),
            udp("224.0.0.251:5353", 2),
            udp("224.0.0.9:5353", 3),
            udp("10.0.0.2:5353", 4),
        ];
        let ask = |local: &str, remote: &str, sockets: &[Socket]| {
            let query = SocketQuery::udp(local.parse().unwrap(), remote.parse().unwrap());
            let reach = Devices::default().reach(&query.on_device(2));
            let found = best(&query, &reach, sockets).map(|found| found.verdict);
            let processes = found.iter().flat_map(Verdict::processes);
            processes.map(|process| process.pid).collect::<Vec<_>>()
        };
        let group = "224.0.0.251:5353";
        assert_eq!(ask(group, "10.0.0.7:5353", &sockets), [1, 2]);
        assert_eq!(ask("10.0.0.2:5353", group, &sockets), [4]);
        assert_eq!(ask("10.0.0.2:5353", group, &sockets[..3]), [1, 2, 3]);
        assert_eq!(ask("10.0.0.2:5353", group, &sockets[1..2]), [2]);
        // A socket that is bound to a group receives no unicast.
        assert_eq!(ask("10.0.0.2:5353", "10.0.0.7:1", &sockets[1..2]), [0; 0]);
    }

    #[test]
    fn each_socket_gets_what_is_for_a_whole_network() {
        let udp = |local: &str, pid| socket(Protocol::Udp, local, None, process(pid));
        let sockets = [
            udp("0.0.0.0:5000", 1),
            udp("10.0.0.255:5000", 2),
            bound(udp("0.0.0.0:5000", 3), 2),
            udp("10.0.0.2:5000", 4),
        ];
        let ask = |devices: &Devices, local: &str| {
            let (local, remote) = (local.parse().unwrap(), "10.0.0.7:1".parse().unwrap());
            let query = SocketQuery::udp(local, remote).on_device(2);
            let found = best(&query, &devices.reach(&query), &sockets).unwrap();
            let processes = found.verdict.processes().iter();
            processes.map(|process| process.pid).collect::<Vec<_>>()
        };
        let broadcast = std::net::Ipv4Addr::new(10, 0, 0, 255);
        let known = Devices::default().with_broadcasts([broadcast].into());
        assert_eq!(ask(&known, "10.0.0.255:5000"), [1, 2, 3]);
        assert_eq!(ask(&known, "10.0.0.2:5000"), [4]);
        assert_eq!(ask(&Devices::default(), "10.0.0.255:5000"), [2]);
        assert_eq!(ask(&Devices::default(), "127.255.255.255:5000"), [1, 3]);
    }

    #[test]
    fn a_listener_answers_a_query_without_remote_end() {
        let sockets = [
            tcp("10.0.0.2:4000", FLOW.1, 1),
            tcp("0.0.0.0:4000", None, 2),
        ];
        let question = ("10.0.0.2:4000", None);
        check(question, &sockets, Some((Match::WildcardAddress, &[2])));
        check(question, &sockets[..1], Some((Match::LocalEndpoint, &[1])));
    }

    mod kernel {
        //! A model of the kernel's own lookup of the socket that receives a datagram or a
        //! connection.

        use super::*;
        use proptest::prelude::*;

        /// `udp4_lib_lookup2` and `udp6_lib_lookup2`: the sockets of the packet's address or, if
        /// there are none, of the wildcard address. Options and an order that no list shows decide
        /// among the connected ones, and among the others.
        fn receivers(query: &SocketQuery, device: u32, sockets: &[Socket]) -> Vec<usize> {
            let (local, remote) = (query.local(), query.remote().unwrap());
            let any: IpAddr = match local {
                SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
            };
            let on = |address: IpAddr| {
                let scores = sockets.iter().map(|socket| {
                    let bound = socket.local.ip();
                    let is_v4 = local.is_ipv4();
                    // The list of IPv4's wildcard also has the IPv6 sockets of the wildcard.
                    let is_there = bound == address
                        || (is_v4 && address == any && bound.is_ipv6() && bound.is_unspecified());
                    let refuses = is_v4 && bound.is_ipv6() && socket.v6_only;
                    let fits = socket.device.is_none_or(|bound| bound == device);
                    let is_peer = socket.remote.is_none_or(|theirs| theirs == remote);
                    let is_port = socket.local.port() == local.port();
                    (is_there && !refuses && fits && is_peer && is_port)
                        .then_some(socket.remote.is_some())
                });
                let scores: Vec<Option<bool>> = scores.collect();
                let best = scores.iter().flatten().max().copied();
                let is_best = |score: &Option<bool>| score.is_some() && *score == best;
                let places = scores.iter().enumerate();
                places
                    .filter(|(_, score)| is_best(score))
                    .map(|(place, _)| place)
                    .collect::<Vec<_>>()
            };
            let exact = on(local.ip());
            if exact.is_empty() { on(any) } else { exact }
        }

        fn address() -> impl Strategy<Value = &'static str> {
            proptest::sample::select(&["10.0.0.2", "10.0.0.3", "0.0.0.0", "::", "fd00::2"][..])
        }

        prop_compose! {
            fn any_socket()(
                local in address(),
                is_connected in any::<bool>(),
                remote in 1..3_u16,
                v6_only in any::<bool>(),
                device in proptest::option::of(2..5_u32),
                pid in 0..9_u32,
            ) -> Socket {
                let ip: IpAddr = local.parse().unwrap();
                let far: IpAddr = if ip.is_ipv4() { "1.1.1.1" } else { "fd00::9" }.parse().unwrap();
                // A connected socket has an address of its own.
                let remote = (is_connected && !ip.is_unspecified()).then(|| (far, remote).into());
                Socket {
                    remote,
                    v6_only,
                    device,
                    ..socket(Protocol::Udp, "0.0.0.0:7", None, process(pid))
                }
                .at((ip, 7).into())
            }
        }

        impl Socket {
            fn at(mut self, local: SocketAddr) -> Self {
                self.local = local;
                self
            }
        }

        proptest! {
            #[test]
            fn the_socket_that_the_kernel_chooses_is_the_answer(
                sockets in prop::collection::vec(any_socket(), 0..8),
                is_v4 in any::<bool>(),
                remote in 1..3_u16,
                device in 2..6_u32,
            ) {
                let (local, far) = if is_v4 { ("10.0.0.2", "1.1.1.1") } else { ("fd00::2", "fd00::9") };
                let ends = |ip: &str, port| SocketAddr::new(ip.parse().unwrap(), port);
                let query = SocketQuery::udp(ends(local, 7), ends(far, remote));
                let numbered = |query: &SocketQuery| {
                    let reach = Devices::default().reach(query);
                    let sockets = sockets.iter().enumerate();
                    let found = fitting(query, &reach, sockets, |(_, socket)| Ends::of(socket));
                    let found = found.map(|(_, found)| found).unwrap_or_default();
                    found.into_iter().map(|(place, _)| place).collect::<Vec<_>>()
                };
                let chosen = numbered(&query.on_device(device));
                prop_assert_eq!(&chosen, &receivers(&query, device, &sockets));
                // A query without a device names the holder of each socket that the kernel chooses
                // for one of the devices.
                let of_any = numbered(&query);
                prop_assert!(chosen.iter().all(|one| of_any.contains(one)));
                let mut of_each: Vec<usize> =
                    (2..6).flat_map(|device| receivers(&query, device, &sockets)).collect();
                of_each.sort_unstable();
                of_each.dedup();
                prop_assert_eq!(of_any, of_each);
            }
        }
    }
}
