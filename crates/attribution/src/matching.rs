//! Which of several sockets answers a question. Pure; see the crate's
//! documentation for the rules.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::{
    Match, NetworkNamespace, Process, Protocol, Reason, Socket, SocketQuery, SocketState, Verdict,
};

/// The answer of the most specific sockets that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) matched: Match,
    pub(crate) verdict: Verdict,
    /// The one that all of them are in, if it is not our own.
    pub(crate) namespace: Option<Arc<NetworkNamespace>>,
}

/// The answer of the sockets that fit `query` best, or `None` where none fits.
pub(crate) fn best<'a>(
    query: &SocketQuery,
    sockets: impl IntoIterator<Item = &'a Socket>,
) -> Option<Finding> {
    let sockets = sockets.into_iter();
    let reached = sockets.filter(|socket| is_reached(query, socket));
    let is_idle = |socket: &&Socket| socket.state == Some(SocketState::Bound);
    let (idle, used): (Vec<_>, Vec<_>) = reached.partition(is_idle);
    let ends = |socket: &&Socket| Ends::of(socket);
    let best = fitting(query, used, ends).or_else(|| {
        // It has the port, but nobody's packets are its own.
        let idle = query.remote().is_none().then_some(idle)?;
        fitting(query, idle, ends)
    });
    let (matched, fitting) = best?;
    let owners: Vec<&Verdict> = fitting.iter().map(|socket| &socket.owner).collect();
    let verdict = merge(&owners);
    let mut namespaces = fitting.iter().map(|socket| &socket.namespace);
    let namespace = namespaces.next().cloned().flatten();
    let namespace = namespace.filter(|first| namespaces.all(|n| n.as_ref() == Some(first)));
    Some(Finding {
        matched,
        verdict,
        namespace,
    })
}

/// Whether a socket is where the question is about: what is bound to all addresses of
/// another namespace, or to loopback ones, is not.
fn is_reached(query: &SocketQuery, socket: &Socket) -> bool {
    let local = query.local().ip();
    socket.namespace.is_none() || (socket.local.ip() == local && !local.is_loopback())
}

/// What of a socket counts for a match.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) protocol: Protocol,
    /// Normalised, as the other end.
    pub(crate) local: SocketAddr,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) v6_only: bool,
}

impl Ends {
    fn of(socket: &Socket) -> Self {
        Self {
            protocol: socket.protocol,
            local: socket.local,
            remote: socket.remote,
            v6_only: socket.v6_only,
        }
    }
}

/// Those that fit `query` best, equally well; `None` where none fits.
pub(crate) fn fitting<T>(
    query: &SocketQuery,
    sockets: impl IntoIterator<Item = T>,
    ends: impl Fn(&T) -> Ends,
) -> Option<(Match, Vec<T>)> {
    let mut best: Option<Fit> = None;
    let mut fitting = Vec::new();
    for socket in sockets {
        let Some(fit) = fit(query, &ends(&socket)) else {
            continue;
        };
        if best.is_none_or(|best| fit > best) {
            best = Some(fit);
            fitting.clear();
        }
        if best == Some(fit) {
            fitting.push(socket);
        }
    }
    Some((best?.matched, fitting))
}

/// How well a socket fits; ordered, greater is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    matched: Match,
    /// A wildcard socket of the flow's own address family takes precedence over a
    /// dual-stack one, as in the kernel (`compute_score` in
    /// `net/ipv4/inet_hashtables.c`).
    same_family: bool,
}

fn fit(query: &SocketQuery, socket: &Ends) -> Option<Fit> {
    if socket.protocol != query.protocol() || socket.local.port() != query.local().port() {
        return None;
    }
    let address = match_address(query.local(), socket)?;
    let matched = match (socket.remote, query.remote()) {
        (Some(theirs), Some(ours)) if theirs == ours => Match::FiveTuple,
        // A connected socket never serves another peer.
        (Some(_), Some(_)) => return None,
        (_, None) | (None, _) => address,
    };
    Some(Fit {
        matched,
        same_family: socket.local.is_ipv4() == query.local().is_ipv4(),
    })
}

/// Whether a socket's local address covers the address of the question.
fn match_address(local: SocketAddr, socket: &Ends) -> Option<Match> {
    let bound = socket.local.ip();
    if bound == local.ip() {
        return Some(Match::LocalEndpoint);
    }
    let covers = match (bound, local.ip()) {
        (IpAddr::V4(bound), IpAddr::V4(_)) => bound.is_unspecified(),
        (IpAddr::V6(bound), IpAddr::V6(_)) => bound.is_unspecified(),
        (IpAddr::V6(bound), IpAddr::V4(_)) => bound.is_unspecified() && !socket.v6_only,
        (IpAddr::V4(_), IpAddr::V6(_)) => false,
    };
    covers.then_some(Match::WildcardAddress)
}

/// One verdict of several sockets that fit equally well.
///
/// Everyone who can be named is, but only when everyone can: a named process
/// beside a hidden one would be a guess.
pub(crate) fn merge(owners: &[&Verdict]) -> Verdict {
    if let [only] = owners {
        return (*only).clone();
    }
    let held = |owner: &&&Verdict| {
        !matches!(
            owner,
            // A closed socket does not compete with an open one.
            Verdict::Unknown(Reason::Gone | Reason::NotFound)
        )
    };
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
            namespace: None,
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
        let found = best(&query, sockets);
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
        check(FLOW, &sockets[..2], Some((Match::WildcardAddress, &[2])));
        check(FLOW, &sockets[..1], Some((Match::WildcardAddress, &[1])));
        check(FLOW, &[], None);
    }

    #[test]
    fn what_does_not_fit() {
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
    fn a_question_without_remote_takes_any_socket_at_that_end() {
        let sockets = [
            tcp("10.0.0.2:4000", Some("1.1.1.1:443"), 9),
            tcp("10.0.0.2:4000", Some("9.9.9.9:443"), 8),
        ];
        let question = ("10.0.0.2:4000", None);
        check(question, &sockets, Some((Match::LocalEndpoint, &[8, 9])));
    }

    #[test]
    fn several_that_fit_equally_are_all_named_once() {
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
}
