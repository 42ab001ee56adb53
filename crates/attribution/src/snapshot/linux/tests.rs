use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use super::*;
use crate::Match;

fn table() -> LinuxTable {
    LinuxTable::new().unwrap()
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
    let mut table = table();
    for (listen, connect) in [
        ("127.0.0.1:0", "127.0.0.1"),
        ("[::1]:0", "::1"),
        ("[::]:0", "127.0.0.1"),
    ] {
        let listener = TcpListener::bind(listen).unwrap();
        let address = at(connect, listener.local_addr().unwrap());
        let client = TcpStream::connect(address).unwrap();
        let local = client.local_addr().unwrap();
        check(
            &mut table,
            SocketQuery::tcp(local, address),
            Match::FiveTuple,
        );
        // Not accepted yet: the listener's.
        let unaccepted = if listen == "[::]:0" {
            Match::WildcardAddress
        } else {
            Match::LocalEndpoint
        };
        check(&mut table, SocketQuery::tcp(address, local), unaccepted);
        let accepted = listener.accept().unwrap();
        check(
            &mut table,
            SocketQuery::tcp(address, local),
            Match::FiveTuple,
        );
        drop(client);
        drop(accepted);
        // The kernel keeps the end that closed first for a while, without an owner.
        let query = SocketQuery::tcp(local, address);
        check(&mut table, query, Match::FiveTuple);
        let stranger = LinuxTable::new().unwrap().find(&query).unwrap();
        assert_eq!(
            stranger.verdict,
            Verdict::Unknown(Reason::Gone),
            "{stranger:?}"
        );
    }
}

#[test]
fn datagram_sockets_connected_or_not() {
    let mut table = table();
    let remote: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let other: SocketAddr = "127.0.0.1:10".parse().unwrap();
    for (bind, matched) in [
        ("127.0.0.1:0", Match::LocalEndpoint),
        ("0.0.0.0:0", Match::WildcardAddress),
        ("[::]:0", Match::WildcardAddress),
    ] {
        let socket = UdpSocket::bind(bind).unwrap();
        let local = at("127.0.0.1", socket.local_addr().unwrap());
        check(&mut table, SocketQuery::udp(local, remote), matched);
        if bind != "[::]:0" {
            socket.connect(remote).unwrap();
            check(
                &mut table,
                SocketQuery::udp(local, remote),
                Match::FiveTuple,
            );
            let answer = table.find(&SocketQuery::udp(local, other)).unwrap();
            assert_eq!(answer.verdict, Verdict::Unknown(Reason::NotFound));
        }
    }
}

#[test]
fn a_snapshot_says_the_same_as_single_questions() {
    let mut table = table();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let query = SocketQuery::tcp(client.local_addr().unwrap(), client.peer_addr().unwrap());
    let one = table.find(&query).unwrap();
    let all = table.snapshot().unwrap().find(&query);
    assert_eq!(
        (one.verdict, one.evidence.matched),
        (all.verdict, all.evidence.matched)
    );
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
                eprintln!("SKIPPED: {protocol} sockets: {error}");
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
    }
}
