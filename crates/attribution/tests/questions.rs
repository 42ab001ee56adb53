//! The four questions of the front page, for real sockets.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use flowner_attribution::{
    Attributor, Match, PortOwners, Process, Protocol, Reason, SocketState, Source, Verdict,
};

fn pids(owners: &PortOwners) -> Vec<u32> {
    owners
        .iter()
        .map(|process: &std::sync::Arc<Process>| process.pid)
        .collect()
}

/// Linux has all of 127.0.0.0/8; other systems have only its first address.
const OTHER_LOOPBACK: Ipv4Addr = if cfg!(target_os = "linux") {
    Ipv4Addr::new(127, 0, 0, 2)
} else {
    Ipv4Addr::LOCALHOST
};

#[test]
fn a_port_is_found_on_every_address_and_not_by_its_connections() {
    let listener = TcpListener::bind((OTHER_LOOPBACK, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut attributor = Attributor::new().unwrap();
    let owners = attributor.port_owners(Protocol::Tcp, port).unwrap();
    assert_eq!(pids(&owners), [std::process::id()], "{owners}");
    assert!(!owners.is_empty() && owners.unnamed().next().is_none());
    assert_eq!(owners.sockets()[0].local, listener.local_addr().unwrap());
    // Protocols never cross.
    let others = attributor.port_owners(Protocol::Udp, port).unwrap();
    assert!(!pids(&others).contains(&std::process::id()), "{others}");

    let client = TcpStream::connect((OTHER_LOOPBACK, port)).unwrap();
    let port = client.local_addr().unwrap().port();
    let owners = attributor.port_owners(Protocol::Tcp, port).unwrap();
    let is_its = |it: &flowner_attribution::Socket| Some(it.local) == client.local_addr().ok();
    assert!(!owners.sockets().iter().any(is_its), "{owners:?}");
}

#[test]
fn datagram_sockets_and_listeners_are_listed() {
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut attributor = Attributor::new().unwrap();
    let port = udp.local_addr().unwrap().port();
    let owners = attributor.port_owners(Protocol::Udp, port).unwrap();
    assert_eq!(pids(&owners), [std::process::id()], "{owners}");

    let all = attributor.listeners().unwrap();
    let found = |protocol, local: SocketAddr| {
        let mut all = all.iter();
        let found = all.find(|it| it.protocol == protocol && it.local == local);
        found.unwrap_or_else(|| panic!("{protocol} {local} is not listed"))
    };
    found(Protocol::Udp, udp.local_addr().unwrap());
    let listed = found(Protocol::Tcp, tcp.local_addr().unwrap());
    assert_eq!(listed.state, Some(SocketState::Listen));
    assert_eq!(listed.owner.processes()[0].pid, std::process::id());
}

#[test]
fn a_listener_is_not_named_for_a_connection_that_does_not_exist() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = listener.local_addr().unwrap();
    let client = TcpStream::connect(server).unwrap();
    let (accepted, peer) = listener.accept().unwrap();
    let mut attributor = Attributor::new().unwrap();
    for (local, remote) in [(server, peer), (peer, server)] {
        let owner = attributor.connection_owner(local, remote).unwrap();
        assert_eq!(
            owner.verdict.processes()[0].pid,
            std::process::id(),
            "{owner:?}"
        );
        if owner.evidence.source == Source::SockDiag {
            assert_eq!(owner.evidence.matched, Some(Match::FiveTuple));
        }
    }
    drop((client, accepted));
    if attributor.source() != Source::SockDiag {
        flowner_testing::skipped!("the portable table does not know remote ends");
        return;
    }
    let absent = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let owner = attributor.connection_owner(server, absent).unwrap();
    assert_eq!(owner.verdict, Verdict::Unknown(Reason::NotFound));
}

#[test]
fn a_process_has_its_sockets_and_no_others() {
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let own = std::process::id();
    let mut attributor = Attributor::new().unwrap();
    let held = attributor.sockets_of(own).unwrap();
    let is_own = |it: &flowner_attribution::Socket| {
        it.owner
            .processes()
            .iter()
            .any(|process| process.pid == own)
    };
    assert!(held.iter().all(is_own), "{held:?}");
    let local = udp.local_addr().unwrap();
    assert!(held.iter().any(|it| it.local == local), "{held:?}");
    // Larger than any pid (`PID_MAX_LIMIT` of Linux is 2^22).
    assert_eq!(attributor.sockets_of(1 << 30).unwrap(), []);
}

/// What `ss -e` and `/proc/PID/fd` show.
#[cfg(target_os = "linux")]
#[test]
fn a_socket_has_user_inode_and_cookie() {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let file = format!("/proc/self/fd/{}", listener.as_raw_fd());
    let inode = std::fs::metadata(file).unwrap().ino();
    let uid = std::fs::metadata("/proc/self").unwrap().uid();
    let mut attributor = Attributor::new().unwrap();
    let port = listener.local_addr().unwrap().port();
    let owners = attributor.port_owners(Protocol::Tcp, port).unwrap();
    let [socket] = owners.sockets() else {
        panic!("{owners:?}");
    };
    assert_eq!((socket.uid, socket.inode), (Some(uid), Some(inode)));
    assert_eq!((socket.scope(), socket.device), (None, None));
    assert!(socket.cookie().is_some());
}
