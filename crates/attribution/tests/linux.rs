//! Tests that need Linux.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod helper;

use std::io::{BufRead, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use flowner_attribution::{Attributor, Match, Process, Protocol, Reason, SocketQuery, Verdict};
use helper::Helper;

/// The only process that the answer names.
#[track_caller]
fn owner(protocol: Protocol, local: SocketAddr) -> Process {
    let query = SocketQuery::new(protocol, local, None);
    let ownership = Attributor::new().unwrap().lookup(&query).unwrap();
    assert_eq!(ownership.evidence.matched, Some(Match::LocalEndpoint));
    let [process] = ownership.verdict.processes() else {
        panic!("{ownership:?}");
    };
    Process::clone(process)
}

/// Opens the address that `address` makes from the port of `first`. Another process may have it, so
/// this tries several ports.
fn on_the_same_port(
    first: impl Fn() -> (Helper, SocketAddr),
    second: impl Fn(u16) -> String,
) -> (Helper, Helper) {
    let program = std::env::current_exe().unwrap();
    for _ in 0..20 {
        let (one, local) = first();
        if let Some(two) = Helper::try_run(&program, &[&second(local.port())]) {
            return (one, two);
        }
    }
    panic!("no port is free on both addresses");
}

#[test]
fn one_port_on_two_addresses_has_two_owners() {
    for (protocol, name) in [(Protocol::Tcp, "tcp"), (Protocol::Udp, "udp")] {
        let first = || {
            let helper = Helper::new(&[&format!("{name} 127.0.0.1:0")]);
            let local = helper.addresses[0];
            (helper, local)
        };
        let (one, two) = on_the_same_port(first, |port| format!("{name} 127.0.0.2:{port}"));
        assert_ne!(one.pid(), two.pid());
        for helper in [&one, &two] {
            assert_eq!(owner(protocol, helper.addresses[0]).pid, helper.pid());
        }
    }
}

/// A port without listener for which the kernel keeps a closed IPv4 connection for a while.
fn port_in_time_wait() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    // The end that closes first is the one that waits (RFC 9293, 3.6).
    drop(listener.accept().unwrap());
    drop(listener);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop(client);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_in_time_wait(port) {
        assert!(Instant::now() < deadline, "port {port} is not kept");
        std::thread::yield_now();
    }
    port
}

fn is_in_time_wait(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!("0100007F:{port:04X}");
    table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next() == Some(&local) && fields.nth(1) == Some("06")
    })
}

#[test]
fn a_closed_v4_connection_does_not_hide_a_v6_socket() {
    let program = std::env::current_exe().unwrap();
    let helper = (0..20).find_map(|_| {
        let address = format!("tcp [::1]:{}", port_in_time_wait());
        Helper::try_run(&program, &[&address])
    });
    let helper = helper.expect("a port is free on ::1");
    let local = helper.addresses[0];
    assert!(is_in_time_wait(local.port()));
    assert_eq!(owner(Protocol::Tcp, local).pid, helper.pid());
}

/// Another process copies it: a file that is open for writing here cannot be executed, and helpers
/// that other tests start meanwhile would keep it open (execve(2), ETXTBSY).
fn copy_of_this_program(to: &Path) {
    let from = std::env::current_exe().unwrap();
    let status = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_deleted_executable_keeps_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("program with (deleted) in its name");
    copy_of_this_program(&path);
    let helper = Helper::try_run(&path, &["tcp 127.0.0.1:0"]).unwrap();
    let local = helper.addresses[0];
    let before = owner(Protocol::Tcp, local);
    assert_eq!(
        (before.path.as_deref(), before.path_deleted),
        (Some(&*path), false)
    );
    std::fs::remove_file(&path).unwrap();
    let after = owner(Protocol::Tcp, local);
    assert_eq!(after.pid, helper.pid());
    assert_eq!(
        (after.path.as_deref(), after.path_deleted),
        (Some(&*path), true)
    );
}

#[test]
fn a_long_name_is_not_cut() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a-name-of-more-than-fifteen-bytes");
    copy_of_this_program(&path);
    let helper = Helper::try_run(&path, &["udp 127.0.0.1:0"]).unwrap();
    let name = owner(Protocol::Udp, helper.addresses[0]).name;
    assert_eq!(name, "a-name-of-more-than-fifteen-bytes");
}

/// The answers of a lookup and of a snapshot about a connection.
fn both(local: SocketAddr, remote: SocketAddr) -> [Verdict; 2] {
    let query = SocketQuery::tcp(local, remote);
    let mut attributor = Attributor::new().unwrap();
    let listed = attributor.snapshot().unwrap().find(&query);
    [attributor.lookup(&query).unwrap().verdict, listed.verdict]
}

#[test]
fn a_waiting_connection_belongs_to_its_own_listener() {
    let older = Helper::new(&["tcp 0.0.0.0:0 share listen"]);
    let local = SocketAddr::from(([127, 0, 0, 1], older.addresses[0].port()));
    let client = TcpStream::connect(local).unwrap();
    // From now on, the newer one receives all connections.
    let _newer = Helper::new(&[&format!("tcp {local} share listen")]);
    for verdict in both(local, client.local_addr().unwrap()) {
        let pids: Vec<u32> = verdict.processes().iter().map(|it| it.pid).collect();
        assert_eq!(pids, [older.pid()], "{verdict:?}");
    }
}

#[test]
fn a_closed_connection_does_not_belong_to_the_current_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = listener.local_addr().unwrap();
    let client = TcpStream::connect(local).unwrap();
    drop(listener.accept().unwrap());
    drop(listener);
    let _next = Helper::new(&[&format!("tcp {local} listen")]);
    for verdict in both(local, client.local_addr().unwrap()) {
        assert_eq!(verdict, Verdict::Unknown(Reason::Gone));
    }
}

#[test]
fn another_script_of_the_same_interpreter_is_another_program() {
    let script =
        |next: &str| format!("import os,sys\nprint('on',flush=True)\nsys.stdin.readline()\n{next}");
    let second = script("");
    // Earlier descriptors stay open, and no others do.
    let first = script("os.execv(sys.executable, ['python3', '-c', sys.argv[1], 'second'])");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let local = socket.local_addr().unwrap();
    let mut python = Command::new("python3");
    python.args(["-c", &first, &second, "first"]);
    // Its standard error is the socket, which this process then closes.
    python.stderr(std::os::fd::OwnedFd::from(socket));
    let pipe = std::process::Stdio::piped;
    let Ok(mut child) = python.stdin(pipe()).stdout(pipe()).spawn() else {
        flowner_testing::skipped!("python3 is missing");
        return;
    };
    drop(python);
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let mut attributor = Attributor::new().unwrap();
    let query = SocketQuery::new(Protocol::Udp, local, None);
    for expected in ["first", "second"] {
        assert_eq!(output.next().unwrap().unwrap(), "on");
        let mut is_named = || {
            let listed = attributor.snapshot().unwrap().find(&query);
            let found = attributor.lookup(&query).unwrap();
            [listed.verdict, found.verdict].iter().all(|verdict| {
                let [process] = verdict.processes() else {
                    panic!("{verdict:?}");
                };
                let arguments = process.arguments.as_deref().unwrap();
                arguments.last().unwrap() == expected
            })
        };
        // The table compares the program of a process again after some milliseconds.
        let deadline = Instant::now() + Duration::from_secs(10);
        while !is_named() {
            assert!(Instant::now() < deadline, "{expected} is not named");
        }
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"\n").unwrap();
    }
    child.wait().unwrap();
}
