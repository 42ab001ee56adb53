//! The portable table against sockets of real processes, on any system.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod helper;

use std::net::{SocketAddr, TcpStream, UdpSocket};

use flowner_attribution::snapshot::portable::PortableTable;
use flowner_attribution::{Attributor, Match, Ownership, Protocol, Reason, SocketQuery, Verdict};
use helper::Helper;

/// Whether the table knows the remote ends of sockets here.
const KNOWS_REMOTES: bool = cfg!(target_os = "linux");

fn attributor() -> Attributor {
    Attributor::with_table(PortableTable::new().unwrap())
}

fn ask(protocol: Protocol, local: SocketAddr, remote: Option<SocketAddr>) -> Ownership {
    let query = SocketQuery::new(protocol, local, remote);
    attributor().lookup(&query).unwrap()
}

#[track_caller]
fn check(ownership: &Ownership, pid: u32, matched: Match) {
    let pids: Vec<u32> = ownership
        .verdict
        .processes()
        .iter()
        .map(|process| process.pid)
        .collect();
    assert_eq!(pids, [pid], "{ownership:?}");
    assert_eq!(ownership.evidence.matched, Some(matched));
}

#[test]
fn sockets_on_one_address() {
    let sockets = [
        (Protocol::Tcp, "tcp 127.0.0.1:0"),
        (Protocol::Tcp, "tcp [::1]:0"),
        (Protocol::Udp, "udp 127.0.0.1:0"),
        (Protocol::Udp, "udp [::1]:0"),
    ];
    let helper = Helper::new(&sockets.map(|(_, socket)| socket));
    for ((protocol, _), local) in sockets.iter().zip(&helper.addresses) {
        let ownership = ask(*protocol, *local, None);
        check(&ownership, helper.pid(), Match::LocalEndpoint);
        // It is unconnected, so any remote end is possible.
        let remote = "192.0.2.1:9".parse().unwrap();
        let ownership = ask(*protocol, *local, Some(remote));
        check(&ownership, helper.pid(), Match::LocalEndpoint);
    }
}

#[test]
fn sockets_on_all_addresses() {
    let sockets = ["tcp 0.0.0.0:0", "tcp [::]:0", "udp 0.0.0.0:0", "udp [::]:0"];
    let helper = Helper::new(&sockets);
    for (socket, bound) in sockets.iter().zip(&helper.addresses) {
        let protocol = match &socket[..3] {
            "tcp" => Protocol::Tcp,
            _ => Protocol::Udp,
        };
        let local = match bound {
            SocketAddr::V4(_) => SocketAddr::new("127.0.0.1".parse().unwrap(), bound.port()),
            SocketAddr::V6(_) => SocketAddr::new("::1".parse().unwrap(), bound.port()),
        };
        let ownership = ask(protocol, local, None);
        check(&ownership, helper.pid(), Match::WildcardAddress);
        if bound.is_ipv4() {
            let v6 = SocketAddr::new("::1".parse().unwrap(), bound.port());
            let answer = ask(protocol, v6, None);
            assert!(!names(&answer, helper.pid()), "wrong owner: {answer:?}");
        }
    }
}

#[test]
fn both_ends_of_a_connection() {
    for socket in ["tcp 127.0.0.1:0", "tcp [::1]:0"] {
        let mut helper = Helper::new(&[socket]);
        let client = TcpStream::connect(helper.addresses[0]).unwrap();
        helper.tell("accept");
        let (local, remote) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        let matched = if KNOWS_REMOTES {
            Match::FiveTuple
        } else {
            Match::LocalEndpoint
        };
        let ours = ask(Protocol::Tcp, local, Some(remote));
        check(&ours, std::process::id(), matched);
        let theirs = ask(Protocol::Tcp, remote, Some(local));
        check(&theirs, helper.pid(), matched);
        if KNOWS_REMOTES {
            let other = "192.0.2.1:9".parse().unwrap();
            let answer = ask(Protocol::Tcp, local, Some(other));
            assert!(!answer.verdict.is_named(), "{answer:?}");
        }
    }
}

/// Packets from others to its port belong to another socket, or to none.
#[test]
fn a_datagram_socket_with_a_peer_serves_no_other() {
    if !KNOWS_REMOTES {
        return;
    }
    let (peer, other) = (
        "127.0.0.1:9".parse().unwrap(),
        "127.0.0.1:10".parse().unwrap(),
    );
    let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
    connected.connect::<SocketAddr>(peer).unwrap();
    let local = connected.local_addr().unwrap();
    let ours = ask(Protocol::Udp, local, Some(peer));
    check(&ours, std::process::id(), Match::FiveTuple);
    let answer = ask(Protocol::Udp, local, Some(other));
    assert!(!answer.verdict.is_named(), "{answer:?}");
}

#[test]
fn protocols_do_not_cross() {
    let helper = Helper::new(&["udp 127.0.0.1:0", "tcp 127.0.0.1:0"]);
    let [udp, tcp] = helper.addresses[..] else {
        panic!("two sockets");
    };
    for (protocol, local) in [(Protocol::Tcp, udp), (Protocol::Udp, tcp)] {
        let ownership = ask(protocol, local, None);
        assert!(
            !names(&ownership, helper.pid()),
            "wrong owner: {ownership:?}"
        );
    }
}

#[test]
fn a_closed_socket_is_not_found() {
    let mut helper = Helper::new(&["tcp 127.0.0.1:0", "udp 127.0.0.1:0"]);
    helper.tell("close");
    for (protocol, local) in [Protocol::Tcp, Protocol::Udp]
        .into_iter()
        .zip(&helper.addresses)
    {
        let ownership = ask(protocol, *local, None);
        assert_eq!(ownership.verdict, Verdict::Unknown(Reason::NotFound));
        assert_eq!(ownership.evidence.matched, None);
    }
}

#[test]
fn all_sockets_at_once() {
    let helper = Helper::new(&["tcp 127.0.0.1:0", "udp 127.0.0.1:0"]);
    let snapshot = attributor().snapshot().unwrap();
    assert!(snapshot.started_at() <= snapshot.finished_at());
    for local in &helper.addresses {
        let of_helper = snapshot.sockets().iter().filter(|socket| {
            let mut owners = socket.owner.processes().iter();
            owners.any(|owner| owner.pid == helper.pid())
        });
        let mut locals = of_helper.map(|socket| socket.local);
        assert!(locals.any(|listed| listed == *local), "{local}");
    }
    // The snapshot has no value that the table cannot know.
    for socket in snapshot.sockets() {
        assert!(KNOWS_REMOTES || socket.remote.is_none());
        for process in socket.owner.processes() {
            assert_eq!(process.user, None);
            // On Linux, the table also reads `/proc`.
            assert_eq!(process.started.is_some(), cfg!(target_os = "linux"));
        }
    }
}

fn names(ownership: &Ownership, pid: u32) -> bool {
    let mut processes = ownership.verdict.processes().iter();
    processes.any(|process| process.pid == pid)
}
