//! A host with many processes, some of which are just starting.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use flowner_attribution::snapshot::linux::{LinuxOptions, LinuxTable};
use flowner_attribution::{
    Initiator, LookupRequest, Process, Protocol, Socket, SocketQuery, SocketTable, Verdict,
};

/// Enough processes that a list uses a second thread, until this is dropped.
struct Crowd(Vec<Child>);

impl Crowd {
    fn start() -> Self {
        let start = |_| Command::new("sleep").arg("1000").spawn().unwrap();
        Self((0..70).map(start).collect())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

fn pids(socket: &Socket) -> Vec<u32> {
    let processes = socket.owner.processes().iter();
    processes.map(|process| process.pid).collect()
}

#[test]
fn two_threads_list_each_socket_once() {
    let _crowd = Crowd::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let v6 = TcpListener::bind("[::1]:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    for sock_diag in [true, false] {
        let mut options = LinuxOptions::default();
        options.sock_diag = sock_diag;
        let mut table = LinuxTable::with_options(&options).unwrap();
        table.snapshot().unwrap();
        // Opened after the first list.
        let client = TcpStream::connect(address).unwrap();
        let local = client.local_addr().unwrap();
        let snapshot = table.snapshot().unwrap();
        for (protocol, local, remote) in [
            (Protocol::Tcp, address, None),
            (Protocol::Tcp, local, Some(address)),
            // Not accepted yet.
            (Protocol::Tcp, address, Some(local)),
            (Protocol::Tcp, v6.local_addr().unwrap(), None),
            (Protocol::Udp, udp.local_addr().unwrap(), None),
        ] {
            let sockets = snapshot.sockets().iter();
            let is_it = |socket: &&Socket| {
                (socket.protocol, socket.local, socket.remote) == (protocol, local, remote)
            };
            let found: Vec<_> = sockets.filter(is_it).collect();
            assert_eq!(found.len(), 1, "sock_diag {sock_diag}: {found:?}");
            assert!(pids(found[0]).contains(&std::process::id()), "{found:?}");
        }
        listener.accept().unwrap();
    }
}

/// For a moment, a starting process has the descriptors of its parent.
#[test]
fn a_parent_is_not_taken_for_its_children() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                assert!(Command::new("true").status().unwrap().success());
            }
        });
        let named = named_with_each(address, &listener);
        is_over.store(true, Ordering::Relaxed);
        let is_us = |process: &Arc<Process>| process.pid == std::process::id();
        let is_wrong = |verdict: &&Verdict| !verdict.processes().iter().any(is_us);
        let wrong: Vec<_> = named.iter().filter(is_wrong).collect();
        assert!(
            wrong.is_empty(),
            "{} of {}: {wrong:?}",
            wrong.len(),
            named.len()
        );
        assert!(named.len() > 500, "{} are named", named.len());
    });
}

/// The owners of each of many connections, by the table and by a fast lookup.
fn named_with_each(address: SocketAddr, listener: &TcpListener) -> Vec<Verdict> {
    let mut table = LinuxTable::new().unwrap();
    let mut fast_lookup = table.fast_lookup().unwrap();
    let mut named = Vec::new();
    for _ in 0..500 {
        let client = TcpStream::connect(address).unwrap();
        let query = SocketQuery::tcp(client.local_addr().unwrap(), address);
        let fast_result = fast_lookup.lookup(&LookupRequest::new(
            query,
            SystemTime::now(),
            Initiator::Local,
        ));
        let found = table.find(&query).unwrap();
        let verdicts = fast_result
            .ownership()
            .into_iter()
            .chain([found])
            .map(|ownership| ownership.verdict);
        named.extend(verdicts.filter(Verdict::is_named));
        listener.accept().unwrap();
    }
    named
}
