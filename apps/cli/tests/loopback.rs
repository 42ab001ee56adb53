//! Ground truth on loopback: processes that this test starts talk to each other, in
//! a network namespace of their own where nobody else does, and `flowner watch`
//! must name both ends by pid and count every packet and byte, by the kernel's own
//! counters.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};

use common::Running;
use common::namespace::Namespace;
use serde_json::Value;

/// Length of an Ethernet header, which the counters of `lo` leave out
/// (`loopback_xmit` in `drivers/net/loopback.c`).
const ETHERNET: u64 = 14;
const TCP_REQUEST: usize = 100_000;
const TCP_RESPONSE: usize = 300_000;
const DATAGRAMS: u64 = 20;
const DATAGRAM: u64 = 500;

/// Helpers of this test in a namespace.
trait Roles {
    /// This test's own program in another role.
    fn role(&self, role: &str, argument: &str) -> Running;
    /// Packets and bytes that `lo` has carried.
    fn counters(&self) -> (u64, u64);
}

impl Roles for Namespace {
    fn role(&self, role: &str, argument: &str) -> Running {
        let program = std::env::current_exe().unwrap();
        let mut command = self.command(program.to_str().unwrap());
        command
            .args(["--exact", "role", "--ignored", "--nocapture"])
            .arg("--test-threads=1")
            .env("ROLE", role)
            .env("ARGUMENT", argument);
        Running::spawn(&mut command)
    }

    fn counters(&self) -> (u64, u64) {
        let output = self.command("cat").arg("/proc/net/dev").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lo = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("lo:"))
            .unwrap();
        let numbers: Vec<u64> = lo.split_whitespace().map(|n| n.parse().unwrap()).collect();
        (numbers[1], numbers[0])
    }
}

/// `flowner watch` on the loopback device, once it watches.
fn watch_lo(namespace: &Namespace) -> Running {
    let mut command = namespace.command(env!("CARGO_BIN_EXE_flowner"));
    let watch = Running::spawn(command.args(["watch", "--json", "-i", "lo"]));
    assert!(watch.line().contains("\"start\""));
    watch
}

/// Ends it: the lines that it had not printed yet.
fn flows_of(watch: &Running) -> Vec<Value> {
    watch.interrupt();
    let lines = watch.rest().into_iter();
    lines
        .map(|line| serde_json::from_str(&line).unwrap())
        .collect()
}

/// Both ends of the flow of a client name their processes.
#[track_caller]
fn check_flow(flows: &[Value], client: (&Running, &str), server: (&Running, &str)) {
    let flow = flows.iter().find(|flow| flow["local"] == *client.1);
    let flow = flow.unwrap_or_else(|| panic!("no flow from {} in {flows:#?}", client.1));
    assert_eq!(flow["remote"], *server.1);
    assert_eq!(flow["direction"], "loopback", "{flow:#}");
    let pids = |owner: &str| flow[owner]["processes"][0]["pid"].clone();
    assert_eq!(pids("owner"), client.0.pid(), "{flow:#}");
    assert_eq!(pids("remote_owner"), server.0.pid(), "{flow:#}");
}

/// Says something to the test, which reads lines.
fn say(text: impl std::fmt::Display) {
    println!("\nSAYS {text}");
}

/// Waits until the test closes standard input.
fn wait() {
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).unwrap();
}

/// What the helpers do.
#[test]
#[ignore = "a role: other tests run it, in a process of its own"]
fn role() {
    let role = std::env::var("ROLE").expect("only the other tests run this");
    let peer = std::env::var("ARGUMENT").unwrap();
    match role.as_str() {
        "tcp-server" => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            say(listener.local_addr().unwrap());
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut vec![0; TCP_REQUEST]).unwrap();
            stream.write_all(&vec![1; TCP_RESPONSE]).unwrap();
            wait();
        }
        "tcp-client" => {
            let mut stream = TcpStream::connect(peer).unwrap();
            stream.write_all(&vec![2; TCP_REQUEST]).unwrap();
            stream.read_exact(&mut vec![0; TCP_RESPONSE]).unwrap();
            say(stream.local_addr().unwrap());
            wait();
        }
        "udp-server" => {
            let own = if peer.is_empty() {
                "127.0.0.1:0"
            } else {
                &peer
            };
            let socket = UdpSocket::bind(own).unwrap();
            say(socket.local_addr().unwrap());
            for _ in 0..DATAGRAMS {
                let mut buffer = [0; 2_000];
                let (length, from) = socket.recv_from(&mut buffer).unwrap();
                socket.send_to(&buffer[..length], from).unwrap();
            }
            wait();
        }
        "udp-client" => {
            let own = if peer.starts_with('[') {
                "[::]:0"
            } else {
                "127.0.0.1:0"
            };
            let socket = UdpSocket::bind(own).unwrap();
            socket.connect(peer).unwrap();
            for _ in 0..DATAGRAMS {
                socket
                    .send(&vec![3; usize::try_from(DATAGRAM).unwrap()])
                    .unwrap();
                socket.recv(&mut [0; 2_000]).unwrap();
            }
            say(socket.local_addr().unwrap());
            wait();
        }
        other => panic!("no role {other}"),
    }
}

/// What a helper says: its address.
fn said(role: &Running) -> String {
    let line = role.line_with(|line| line.starts_with("SAYS "));
    line["SAYS ".len()..].to_owned()
}

/// Numbers of one direction of a flow.
fn counted(flow: &Value, direction: &str) -> (u64, u64) {
    let of = |key: &str| flow[direction][key].as_u64().unwrap();
    (of("packets"), of("bytes"))
}

#[test]
fn both_ends_are_named_and_every_byte_is_counted() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let program = env!("CARGO_BIN_EXE_flowner");
    let watch = Running::spawn(
        namespace
            .command(program)
            .args(["watch", "--json", "-i", "lo"]),
    );
    let head: Value = serde_json::from_str(&watch.line()).unwrap();
    assert_eq!(
        (&head["type"], &head["schema"]),
        (&"start".into(), &3.into())
    );
    let before = namespace.counters();

    let mut pairs = Vec::new();
    for protocol in ["tcp", "udp"] {
        let server = namespace.role(&format!("{protocol}-server"), "");
        let server_address = said(&server);
        let client = namespace.role(&format!("{protocol}-client"), &server_address);
        let client_address = said(&client);
        pairs.push((protocol, client, client_address, server, server_address));
    }
    // An owner that is still unknown when the watch ends is looked up once more then,
    // and the helpers keep their sockets until the end of this test.
    watch.interrupt();
    let lines: Vec<Value> = watch
        .rest()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let after = namespace.counters();

    let flows: Vec<&Value> = lines.iter().filter(|line| line["type"] == "flow").collect();
    for (protocol, client, client_address, server, server_address) in &pairs {
        let flow = flows
            .iter()
            .find(|flow| flow["protocol"] == *protocol && flow["local"] == *client_address)
            .unwrap_or_else(|| panic!("no {protocol} flow from {client_address} in {flows:#?}"));
        assert_eq!(flow["remote"], *server_address);
        assert_eq!(flow["direction"], "loopback");
        let pids = |owner: &str| flow[owner]["processes"][0]["pid"].clone();
        assert_eq!(pids("owner"), client.pid(), "{flow:#}");
        assert_eq!(pids("remote_owner"), server.pid(), "{flow:#}");
        if *protocol == "udp" {
            let expected = (DATAGRAMS, DATAGRAMS * (ETHERNET + 20 + 8 + DATAGRAM));
            assert_eq!(counted(flow, "sent"), expected);
            assert_eq!(counted(flow, "received"), expected);
        }
    }
    let summary = lines.last().unwrap();
    assert_eq!(summary["type"], "summary");
    let packets = after.0 - before.0;
    let bytes = after.1 - before.1 + packets * ETHERNET;
    let sum = |place: usize| -> u64 {
        let both = |flow: &&Value| {
            let (sent, received) = (counted(flow, "sent"), counted(flow, "received"));
            [sent.0 + received.0, sent.1 + received.1][place]
        };
        flows.iter().map(both).sum()
    };
    assert_eq!((sum(0), sum(1)), (packets, bytes), "{flows:#?}");
    assert_eq!(summary["total"]["packets"], packets);
    assert_eq!(summary["total"]["bytes"], bytes);
}

#[test]
fn own_link_local_addresses_are_within_the_host() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    namespace.ip("link add own type veth peer name far");
    namespace.ip("link set own up");
    namespace.ip("link set far up");
    namespace.ip("address add fe80::77/64 dev own nodad");
    let index = namespace
        .command("cat")
        .arg("/sys/class/net/own/ifindex")
        .output();
    let index = String::from_utf8(index.unwrap().stdout).unwrap();
    let watch = watch_lo(&namespace);
    let server = namespace.role("udp-server", &format!("[fe80::77%{}]:0", index.trim()));
    let server_address = said(&server);
    let client = namespace.role("udp-client", &server_address);
    let client_address = said(&client);
    let flows = flows_of(&watch);
    check_flow(
        &flows,
        (&client, &client_address),
        (&server, &server_address),
    );
}

/// A route makes an address the host's own, though no device has it.
#[test]
fn addresses_of_a_local_route_are_within_the_host() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    namespace.ip("route add local 203.0.113.0/24 dev lo");
    let watch = watch_lo(&namespace);
    let server = namespace.role("udp-server", "203.0.113.5:0");
    let server_address = said(&server);
    let client = namespace.role("udp-client", &server_address);
    let client_address = said(&client);
    let flows = flows_of(&watch);
    check_flow(
        &flows,
        (&client, &client_address),
        (&server, &server_address),
    );
}

#[test]
fn a_refused_connection_had_a_socket_at_one_end() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let watch = watch_lo(&namespace);
    let connect = ["-c", "exec 3<>/dev/tcp/127.0.0.1/9"];
    let refused = namespace.command("bash").args(connect).output().unwrap();
    assert!(!refused.status.success());
    let flows = flows_of(&watch);
    let flow = flows.iter().find(|flow| flow["remote"] == "127.0.0.1:9");
    let flow = flow.unwrap_or_else(|| panic!("{flows:#?}"));
    assert_eq!(flow["remote_owner"]["reason"], "no-such-socket", "{flow:#}");
    // A fast lookup may have found it.
    let client = &flow["owner"];
    let is_named = client["processes"][0]["name"] == "bash";
    assert!(is_named || client["reason"] == "process-exited", "{flow:#}");
}
