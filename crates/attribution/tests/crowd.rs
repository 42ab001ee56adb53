//! A host with many processes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command};

use flowner_attribution::snapshot::linux::{LinuxOptions, LinuxTable};
use flowner_attribution::{Protocol, Socket, SocketTable};

/// As many processes as make a list worth a second thread, until this is dropped.
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
        let options = LinuxOptions {
            sock_diag,
            ..LinuxOptions::default()
        };
        let mut table = LinuxTable::with_options(&options).unwrap();
        table.snapshot().unwrap();
        // Opened since.
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
