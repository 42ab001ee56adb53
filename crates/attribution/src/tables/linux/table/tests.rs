use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use super::*;
use crate::answer::Protocol;
use crate::answer::Verdict;
use crate::answer::{Match, Socket};

fn table() -> LinuxTable {
    LinuxTable::new().unwrap()
}

/// The table with all interfaces, and as on kernels and mounts with fewer.
fn tables() -> Vec<(LinuxOptions, LinuxTable)> {
    let all = LinuxOptions::default();
    let no_counts = LinuxOptions {
        descriptor_counts: false,
        ..all.clone()
    };
    let no_sock_diag = LinuxOptions {
        sock_diag: false,
        ..all.clone()
    };
    let neither = LinuxOptions {
        descriptor_counts: false,
        ..no_sock_diag.clone()
    };
    [all, no_counts, no_sock_diag, neither]
        .into_iter()
        .map(|options| (options.clone(), LinuxTable::with_options(&options).unwrap()))
        .collect()
}

/// The pids and the match of an answer.
#[track_caller]
fn check(table: &mut LinuxTable, query: SocketQuery, matched: Match) {
    let answer = table.find(&query).unwrap();
    let pids: Vec<u32> = answer.verdict.processes().iter().map(|p| p.pid).collect();
    assert_eq!(pids, [std::process::id()], "{query}: {answer:?}");
    assert_eq!(
        answer.evidence.matched,
        Some(matched),
        "{query}: {answer:?}"
    );
}

fn at(ip: &str, address: SocketAddr) -> SocketAddr {
    SocketAddr::new(ip.parse::<IpAddr>().unwrap(), address.port())
}

#[test]
fn connections_are_found_by_five_tuple() {
    for (options, table) in &mut tables() {
        for (listen, connect) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("[::1]:0", "::1"),
            ("[::]:0", "127.0.0.1"),
        ] {
            connection(options, table, listen, connect);
        }
    }
}

/// Follows a connection from its first packet to its end.
fn connection(options: &LinuxOptions, table: &mut LinuxTable, listen: &str, connect: &str) {
    let listener = TcpListener::bind(listen).unwrap();
    let address = at(connect, listener.local_addr().unwrap());
    let client = TcpStream::connect(address).unwrap();
    let local = client.local_addr().unwrap();
    check(table, SocketQuery::tcp(local, address), Match::FiveTuple);
    // Not accepted yet: it belongs to the listener.
    let unaccepted = if listen == "[::]:0" {
        Match::WildcardAddress
    } else {
        Match::LocalEndpoint
    };
    check(table, SocketQuery::tcp(address, local), unaccepted);
    let accepted = listener.accept().unwrap();
    check(table, SocketQuery::tcp(address, local), Match::FiveTuple);
    drop(client);
    drop(accepted);
    // The kernel keeps the end that closed first for a while, without an owner.
    let query = SocketQuery::tcp(local, address);
    if options.sock_diag {
        check(table, query, Match::FiveTuple);
    }
    let stranger = LinuxTable::with_options(options).unwrap().find(&query);
    let stranger = stranger.unwrap();
    let gone = Verdict::Unknown(Reason::Gone);
    assert_eq!(stranger.verdict, gone, "{options:?}: {stranger:?}");
}

#[test]
fn datagram_sockets_connected_or_not() {
    let remote: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let other: SocketAddr = "127.0.0.1:10".parse().unwrap();
    for (_, table) in &mut tables() {
        for (bind, matched) in [
            ("127.0.0.1:0", Match::LocalEndpoint),
            ("0.0.0.0:0", Match::WildcardAddress),
            ("[::]:0", Match::WildcardAddress),
        ] {
            let socket = UdpSocket::bind(bind).unwrap();
            let local = at("127.0.0.1", socket.local_addr().unwrap());
            check(table, SocketQuery::udp(local, remote), matched);
            if bind != "[::]:0" {
                socket.connect(remote).unwrap();
                check(table, SocketQuery::udp(local, remote), Match::FiveTuple);
                let answer = table.find(&SocketQuery::udp(local, other)).unwrap();
                assert_eq!(answer.verdict, Verdict::Unknown(Reason::NotFound));
            }
        }
    }
}

/// If `/proc` is not mounted, the answer has the user, and names no process.
#[test]
fn without_proc_answers_have_the_user() {
    let directory = tempfile::tempdir().unwrap();
    let options = LinuxOptions {
        proc: directory.path().to_owned(),
        ..LinuxOptions::default()
    };
    let mut table = LinuxTable::with_options(&options).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let query = SocketQuery::new(Protocol::Udp, socket.local_addr().unwrap(), None);
    let answer = table.find(&query).unwrap();
    let Verdict::Partial {
        user: Some(user), ..
    } = answer.verdict
    else {
        panic!("{answer:?}");
    };
    assert_eq!(user.id, rustix::process::geteuid().as_raw());
    let listed = table.snapshot().unwrap().find(&query);
    assert!(
        matches!(listed.verdict, Verdict::Partial { .. }),
        "{listed:?}"
    );
    let error = LinuxTable::with_options(&LinuxOptions {
        sock_diag: false,
        ..options
    });
    assert!(error.unwrap_err().to_string().contains("/net: "));
}

#[test]
fn connections_that_are_bound_to_an_interface() {
    let mut table = table();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    if let Err(error) = socket.bind_device(Some(b"lo")) {
        flowner_testing::skipped!("bound to an interface: {error}");
        return;
    }
    socket
        .connect(&listener.local_addr().unwrap().into())
        .unwrap();
    let client = TcpStream::from(socket);
    let query = SocketQuery::tcp(client.local_addr().unwrap(), client.peer_addr().unwrap());
    check(&mut table, query, Match::FiveTuple);
}

#[test]
fn a_snapshot_agrees_with_single_lookups() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let query = SocketQuery::tcp(client.local_addr().unwrap(), client.peer_addr().unwrap());
    for (_, table) in &mut tables() {
        let one = table.find(&query).unwrap();
        let all = table.snapshot().unwrap().find(&query);
        assert!(one.verdict.is_named());
        assert_eq!(
            (one.verdict, one.evidence.matched),
            (all.verdict, all.evidence.matched)
        );
    }
}

#[test]
fn facts_of_this_process() {
    let mut table = table();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let query = SocketQuery::udp(socket.local_addr().unwrap(), "127.0.0.1:9".parse().unwrap());
    let answer = table.find(&query).unwrap();
    let process = &answer.verdict.processes()[0];
    assert_eq!(
        process.path.as_deref(),
        std::env::current_exe().ok().as_deref()
    );
    assert!(process.started.unwrap() < SystemTime::now());
    let arguments: Vec<_> = std::env::args_os().collect();
    assert_eq!(process.arguments, Some(arguments));
    assert!(process.user.is_some() && process.parent.is_some());
}

#[test]
fn sockets_of_other_protocols_are_listed() {
    use rustix::net::{AddressFamily, SocketType, ipproto, socket};
    let kinds = [
        (Protocol::UdpLite, SocketType::DGRAM, ipproto::UDPLITE),
        (Protocol::Raw, SocketType::RAW, ipproto::ICMP),
    ];
    for (protocol, kind, number) in kinds {
        let socket = match socket(AddressFamily::INET, kind, Some(number)) {
            Ok(socket) => socket,
            Err(error) => {
                flowner_testing::skipped!("{protocol} sockets: {error}");
                continue;
            }
        };
        rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 7], 0))).unwrap();
        let snapshot = table().snapshot().unwrap();
        let mut sockets = snapshot.sockets().iter();
        let is_ours = |socket: &&Socket| {
            socket.protocol == protocol && socket.local.ip().to_string() == "127.0.0.7"
        };
        let found = sockets.find(is_ours).unwrap();
        assert_eq!(found.owner.processes()[0].pid, std::process::id());
        if protocol == Protocol::Raw {
            assert_eq!(found.local.port(), 1);
        }
        for remote in [None, Some(([8, 8, 8, 8], 0).into())] {
            let query = SocketQuery::new(protocol, found.local, remote);
            let single = table().find(&query).unwrap();
            let listed = snapshot.find(&query);
            assert_eq!(single.verdict, found.owner, "{query}");
            let what = |answer: &Ownership| (answer.verdict.clone(), answer.evidence.matched);
            assert_eq!(what(&listed), what(&single), "{query}");
        }
    }
}

#[test]
fn raw_sockets_are_connected_to_addresses() {
    use rustix::net::{AddressFamily, SocketType, ipproto, socket};
    for (options, table) in &mut tables() {
        let socket = match socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP)) {
            Ok(socket) => socket,
            Err(error) => {
                flowner_testing::skipped!("raw sockets: {error}");
                return;
            }
        };
        let (own, far) = ([127, 0, 0, 8], [127, 0, 0, 9]);
        rustix::net::bind(&socket, &SocketAddr::from((own, 0))).unwrap();
        rustix::net::connect(&socket, &SocketAddr::from((far, 0))).unwrap();
        let snapshot = table.snapshot().unwrap();
        let mut sockets = snapshot.sockets().iter();
        let local = SocketAddr::from((own, 1));
        let is_ours =
            |it: &&crate::answer::Socket| it.protocol == Protocol::Raw && it.local == local;
        let found = sockets.find(is_ours).unwrap();
        let remote = SocketAddr::from((far, 0));
        assert_eq!(found.remote, Some(remote), "{options:?}");
        for (remote, matched) in [
            (remote, Some(Match::FiveTuple)),
            (SocketAddr::from((far, 1)), Some(Match::FiveTuple)),
            (SocketAddr::from(([127, 0, 0, 7], 0)), None),
        ] {
            let query = SocketQuery::new(Protocol::Raw, local, Some(remote));
            assert_eq!(snapshot.find(&query).evidence.matched, matched, "{query}");
            let single = table.find(&query).unwrap();
            assert_eq!(single.evidence.matched, matched, "{query} {options:?}");
        }
    }
}
