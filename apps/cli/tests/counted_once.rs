//! Packets that are captured on several devices of their way count once. Real packets, in network
//! namespaces of their own.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;

use common::namespace::Namespace;
use common::{DEADLINE, Running, json_lines};
use serde_json::Value;

const DATAGRAMS: u64 = 3_000;
/// Datagrams that are answered.
const ROUNDS: u64 = 500;
const CONNECTIONS: usize = 5;
const PAYLOAD: usize = 500;
/// With the headers of UDP, IPv4 and Ethernet.
const WIRE: u64 = 500 + 8 + 20 + 14;

/// A host with two containers on a bridge, and a device that leads to a far host.
struct World {
    host: Namespace,
    containers: [Namespace; 2],
    far: Namespace,
}

impl World {
    fn new() -> Option<Self> {
        let all = Self {
            host: Namespace::new()?,
            containers: [Namespace::new()?, Namespace::new()?],
            far: Namespace::new()?,
        };
        all.host.ip("link add br0 type bridge");
        all.host.ip("addr add 10.9.0.1/24 dev br0");
        all.host.ip("addr add fd09::1/64 dev br0 nodad");
        all.host.ip("link set br0 up");
        for (number, container) in (2..).zip(&all.containers) {
            wire(&all.host, &format!("c{number}"), container);
            all.host.ip(&format!("link set c{number} master br0 up"));
            container.ip(&format!("addr add 10.9.0.{number}/24 dev eth0"));
            container.ip(&format!("addr add fd09::{number}/64 dev eth0 nodad"));
            container.ip("link set eth0 up");
            container.ip("route add default via 10.9.0.1");
            container.ip("route add default via fd09::1");
        }
        wire(&all.host, "up0", &all.far);
        all.host.ip("addr add 192.0.2.2/24 dev up0");
        all.host.ip("addr add 2001:db8::2/64 dev up0 nodad");
        all.host.ip("link set up0 up");
        all.far.ip("addr add 192.0.2.1/24 dev eth0");
        all.far.ip("addr add 2001:db8::1/64 dev eth0 nodad");
        all.far.ip("link set eth0 up");
        all.far.ip("route add 10.9.0.0/24 via 192.0.2.2");
        let forward = all
            .host
            .command("sysctl")
            .args([
                "-qw",
                "net.ipv4.ip_forward=1",
                "net.ipv6.conf.all.forwarding=1",
            ])
            .status();
        assert!(forward.unwrap().success());
        Some(all)
    }

    /// Lets the containers leave behind the address of the host, and a port of it lead to the second one.
    fn translates(&self) -> bool {
        for rule in [
            "add table inet nat",
            "add chain inet nat post { type nat hook postrouting priority 100 ; }",
            "add chain inet nat pre { type nat hook prerouting priority -100 ; }",
            "add rule inet nat post iifname br0 oifname up0 masquerade",
            "add rule inet nat post ct original ip daddr 192.0.2.2 oifname br0 iifname br0 masquerade",
            "add rule inet nat pre ip daddr 192.0.2.2 udp dport 8080 dnat ip to 10.9.0.3:80",
            "add rule inet nat pre ip daddr 10.96.0.1 udp dport 80 dnat ip to 10.9.0.3:80",
        ] {
            let made = self.host.command("nft").arg(rule).output();
            if !made.is_ok_and(|made| made.status.success()) {
                flowner_testing::skipped!("nftables is not permitted here");
                return false;
            }
        }
        true
    }

    fn watch(&self, devices: &[&str]) -> Running {
        let mut command = self.host.command(env!("CARGO_BIN_EXE_flowner"));
        command.args(["watch", "--json"]);
        for device in devices {
            command.args(["-i", device]);
        }
        let watch = Running::spawn(&mut command);
        let head: Value = serde_json::from_str(&watch.line()).unwrap();
        assert_eq!(head["type"], "start");
        watch
    }
}

/// A pair of veth devices: one of the host, and `eth0` of another.
fn wire(host: &Namespace, device: &str, other: &Namespace) {
    let name = other.name();
    host.ip(&format!(
        "link add {device} type veth peer name eth0 netns {name}"
    ));
}

/// Sends datagrams from an address to another, so that no queue overflows.
fn send(from: &Namespace, local: &str, remote: &str) {
    let program = std::env::current_exe().unwrap();
    let status = from
        .command(program.to_str().unwrap())
        .args(["--exact", "sender", "--ignored", "--nocapture"])
        .env("ENDS", format!("{local} {remote}"))
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
}

#[test]
#[ignore = "a role: other tests run it, in a process of its own"]
fn sender() {
    let ends = std::env::var("ENDS").expect("only the other tests run this");
    let (local, remote) = ends.split_once(' ').unwrap();
    let socket = UdpSocket::bind(local).unwrap();
    for number in 0..DATAGRAMS {
        // A receiver without a socket answers with an error, and the next datagram is sent all the same.
        let _refused = socket.send_to(&[7; PAYLOAD], remote);
        if number % 50 == 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

#[test]
#[ignore = "a role: other tests run it, in a process of its own"]
fn receiver() {
    let local = std::env::var("ENDS").expect("only the other tests run this");
    let _socket = UdpSocket::bind(local).unwrap();
    println!("\nSAYS ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// A process that has a socket there, so that nothing is refused.
fn receive(at: &Namespace, local: &str) -> Running {
    role(at, "receiver", local)
}

/// A process that has a socket there.
fn role(at: &Namespace, role: &str, local: &str) -> Running {
    let program = std::env::current_exe().unwrap();
    let mut command: Command = at.command(program.to_str().unwrap());
    command
        .args(["--exact", role, "--ignored", "--nocapture"])
        .env("ENDS", local);
    let running = Running::spawn(&mut command);
    running.line_with(|line| line == "SAYS ready");
    running
}

/// Lets a process end that waits for it.
fn finish(mut role: Running) {
    drop(role.child.stdin.take());
    assert!(role.child.wait().unwrap().success());
}

/// The flow to a port, and the summary.
fn ended(watch: &Running, port: u16) -> (Vec<Value>, Value) {
    watch.interrupt();
    let lines = json_lines(&watch.rest().join("\n"));
    (to_port(&lines, port), lines.last().unwrap().clone())
}

fn to_port(lines: &[Value], port: u16) -> Vec<Value> {
    let port = format!(":{port}");
    let is_to = |line: &&Value| {
        let has = |end: &str| line[end].as_str().is_some_and(|end| end.ends_with(&port));
        line["type"] == "flow" && (has("remote") || has("local"))
    };
    lines.iter().filter(is_to).cloned().collect()
}

/// Whether a flow has translated ends, and another one its packets.
fn is_joined(line: &Value) -> bool {
    line["type"] == "flow"
        && line["translated_from"].is_object()
        && packets(std::slice::from_ref(line)) == 0
}

/// What is told until a flow with translated ends is over, as another one has its packets.
fn until_translated(watch: &Running) -> Vec<Value> {
    let mut lines = Vec::new();
    loop {
        let line: Value = serde_json::from_str(&watch.line()).unwrap();
        let is_it = is_joined(&line);
        lines.push(line);
        if is_it {
            return lines;
        }
    }
}

/// Where owners change, as other tests have the same addresses at the same time, a flow is in parts.
fn packets(flows: &[Value]) -> u64 {
    let of = |flow: &Value| ["sent", "received"].map(|way| flow[way]["packets"].as_u64().unwrap());
    flows.iter().flat_map(of).sum()
}

/// The packets of one way through the host count once; how often they were seen besides.
#[track_caller]
fn check(host: &World, from: (&Namespace, &str), to: (&Namespace, &str), again: u64) {
    let (place, remote) = to;
    let _receiver = receive(place, remote);
    let watch = host.watch(&["any"]);
    let (sender, local) = from;
    send(sender, local, remote);
    let port = remote.rsplit(':').next().unwrap().parse().unwrap();
    let (flows, summary) = ended(&watch, port);
    assert_eq!(summary["dropped"], 0, "{summary}");
    assert_eq!(packets(&flows), DATAGRAMS, "{local} {remote}: {summary}");
    let bytes = |flow: &Value| ["sent", "received"].map(|way| flow[way]["bytes"].as_u64().unwrap());
    let bytes: u64 = flows.iter().flat_map(bytes).sum();
    assert_eq!(bytes, DATAGRAMS * WIRE, "{local} {remote}: {summary}");
    let seen = summary["seen_again"]["packets"].as_u64().unwrap_or(0);
    // Neighbours are asked for, and devices come up, meanwhile.
    assert!(
        (DATAGRAMS * again..DATAGRAMS * again + 100).contains(&seen),
        "{local} {remote}: {summary}"
    );
}

#[test]
fn through_a_bridge_and_a_route() {
    let Some(host) = World::new() else { return };
    let [one, two] = &host.containers;
    let far = (&host.far, "192.0.2.1:9000");
    check(&host, (one, "10.9.0.2:5000"), far, 2);
    check(
        &host,
        (&host.far, "192.0.2.1:5000"),
        (one, "10.9.0.2:9000"),
        2,
    );
    check(&host, (one, "10.9.0.2:5001"), (two, "10.9.0.3:9000"), 1);
    check(
        &host,
        (&host.host, "10.9.0.1:5000"),
        (two, "10.9.0.3:9001"),
        1,
    );
    check(
        &host,
        (one, "10.9.0.2:5002"),
        (&host.host, "10.9.0.1:9000"),
        1,
    );
    check(&host, (&host.host, "192.0.2.2:5000"), far, 0);
    check(
        &host,
        (&host.host, "127.0.0.1:5000"),
        (&host.host, "127.0.0.1:9000"),
        0,
    );
}

/// A port alone, and a port with the device that leads outside.
#[test]
fn on_some_devices() {
    let Some(host) = World::new() else { return };
    let [one, _] = &host.containers;
    for devices in [&["c2"][..], &["c2", "up0"], &["br0", "up0"]] {
        for (to, remote) in [(&host.far, "192.0.2.1:9000"), (&host.host, "10.9.0.1:9001")] {
            let _receiver = receive(to, remote);
            let watch = host.watch(devices);
            send(one, "10.9.0.2:5000", remote);
            let port = remote.rsplit(':').next().unwrap().parse().unwrap();
            let (flows, summary) = ended(&watch, port);
            assert_eq!(packets(&flows), DATAGRAMS, "{devices:?}: {summary}");
        }
    }
}

/// The same address on both ends of a pair of devices of one host.
#[test]
fn through_a_pair_of_devices() {
    let Some(host) = World::new() else { return };
    host.host.ip("link add left type veth peer name right");
    host.host.ip("addr add 10.8.0.1/24 dev left");
    host.host.ip("link set left up");
    host.host.ip("link set right up");
    host.host
        .ip("neigh add 10.8.0.2 lladdr 02:00:00:00:00:01 dev left nud permanent");
    let watch = host.watch(&["any"]);
    send(&host.host, "10.8.0.1:5000", "10.8.0.2:9000");
    let (flows, summary) = ended(&watch, 9_000);
    let is_outgoing = |flow: &Value| flow["direction"] == "outgoing";
    assert!(flows.iter().all(is_outgoing), "{flows:#?}");
    assert_eq!(packets(&flows), DATAGRAMS, "{summary}");
}

/// Sends datagrams, one by one, and waits for the answer to each.
#[test]
#[ignore = "a role: other tests run it, in a process of its own"]
fn asker() {
    let ends = std::env::var("ENDS").expect("only the other tests run this");
    let (local, remote) = ends.split_once(' ').unwrap();
    let socket = UdpSocket::bind(local).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    for _ in 0..ROUNDS {
        socket.send_to(&[7; PAYLOAD], remote).unwrap();
        let (len, _) = socket.recv_from(&mut [0; 2 * PAYLOAD]).unwrap();
        assert_eq!(len, PAYLOAD);
    }
    println!("\nSAYS ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
#[ignore = "a role: other tests run it, in a process of its own"]
fn answerer() {
    let local = std::env::var("ENDS").expect("only the other tests run this");
    let socket = UdpSocket::bind(local).unwrap();
    println!("\nSAYS ready");
    let mut bytes = [0; 2 * PAYLOAD];
    loop {
        let (len, from) = socket.recv_from(&mut bytes).unwrap();
        socket.send_to(&bytes[..len], from).unwrap();
    }
}

/// Opens a connection, sends bytes and waits for the answer, some times, and again before it ends.
#[test]
#[ignore = "a role: other tests run it, in a process of its own"]
fn client() {
    let remote = std::env::var("ENDS").expect("only the other tests run this");
    let mut stream = TcpStream::connect(remote).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut exchange = || {
        for _ in 0..10 {
            stream.write_all(&[7; PAYLOAD]).unwrap();
            stream.read_exact(&mut [0; PAYLOAD]).unwrap();
        }
    };
    exchange();
    println!("\nSAYS ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    exchange();
}

#[test]
#[ignore = "a role: other tests run it, in a process of its own"]
fn server() {
    let local = std::env::var("ENDS").expect("only the other tests run this");
    let listener = TcpListener::bind(local).unwrap();
    println!("\nSAYS ready");
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut bytes = [0; PAYLOAD];
        while stream.read_exact(&mut bytes).is_ok() {
            stream.write_all(&bytes).unwrap();
        }
    }
}

/// The packets of connections through translation are those that one device shows.
#[test]
fn connections_through_translation() {
    let Some(host) = World::new() else { return };
    if !host.translates() {
        return;
    }
    let [one, _] = &host.containers;
    let _server = role(&host.far, "server", "192.0.2.1:9000");
    let (all, outer) = (host.watch(&["any"]), host.watch(&["up0"]));
    let mut before = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = role(one, "client", "192.0.2.1:9000");
        before.extend(until_translated(&all));
        finish(client);
    }
    // What closes the last one may be on its way.
    let _answerer = role(&host.far, "answerer", "192.0.2.1:9001");
    finish(role(one, "asker", "10.9.0.2:5000 192.0.2.1:9001"));
    let (mut inside, summary) = ended(&all, 9_000);
    inside.extend(to_port(&before, 9_000));
    let (outside, _) = ended(&outer, 9_000);
    assert_eq!(summary["dropped"], 0, "{summary}");
    assert_eq!(
        packets(&inside),
        packets(&outside),
        "{inside:#?} {outside:#?}"
    );
    // A connection whose owner changes, as other tests have the same addresses, is in parts.
    let has_packets = |flow: &&Value| packets(std::slice::from_ref(flow)) > 0;
    let counted: BTreeSet<_> = inside
        .iter()
        .filter(has_packets)
        .map(|flow| flow["local"].as_str().unwrap())
        .collect();
    assert_eq!(counted.len(), CONNECTIONS, "{inside:#?}");
    let is_inside = |local: &&str| local.starts_with("10.9.0.2:");
    assert!(counted.iter().all(is_inside), "{inside:#?}");
}

/// What each of two flows of one connection counts that passes through translation: all packets count, and
/// each once.
#[track_caller]
fn check_translated(host: &World, from: (&Namespace, &str), to: &str, server: (&Namespace, &str)) {
    let (place, local) = server;
    let _answerer = role(place, "answerer", local);
    let watch = host.watch(&["any"]);
    let (asker, local) = from;
    let asker = role(asker, "asker", &format!("{local} {to}"));
    let mut lines = until_translated(&watch);
    finish(asker);
    watch.interrupt();
    lines.extend(json_lines(&watch.rest().join("\n")));
    let summary = lines.last().unwrap();
    assert_eq!(summary["dropped"], 0, "{summary}");
    // Every flow of UDP here is of this connection.
    let is_it = |line: &&Value| line["type"] == "flow" && line["protocol"] == "udp";
    let flows: Vec<_> = lines.iter().filter(is_it).cloned().collect();
    assert_eq!(packets(&flows), 2 * ROUNDS, "{flows:#?} {summary}");
    assert!(flows.iter().any(is_joined), "{flows:#?}");
}

/// Containers behind an address of the host, and ports of the host that lead to one.
#[test]
fn through_translation() {
    let Some(host) = World::new() else { return };
    if !host.translates() {
        return;
    }
    let [one, two] = &host.containers;
    let far = (&host.far, "192.0.2.1:9000");
    check_translated(&host, (one, "10.9.0.2:5000"), far.1, far);
    let server = (two, "10.9.0.3:80");
    check_translated(
        &host,
        (&host.far, "192.0.2.1:6000"),
        "192.0.2.2:8080",
        server,
    );
    // An address that stands for one.
    check_translated(&host, (one, "10.9.0.2:5001"), "10.96.0.1:80", server);
    let six = (&host.far, "[2001:db8::1]:9000");
    check_translated(&host, (one, "[fd09::2]:5000"), six.1, six);
    // Else bridges translate what they pass on, where the kernel has it so.
    let sysctl = "net.bridge.bridge-nf-call-iptables=0";
    let _absent = host.host.command("sysctl").args(["-qw", sysctl]).output();
    check_translated(&host, (one, "10.9.0.2:6000"), "192.0.2.2:8080", server);
    check_translated(&host, (one, "10.9.0.2:6001"), "10.96.0.1:80", server);
}

#[test]
fn over_a_vlan_on_a_bond() {
    let Some(host) = World::new() else { return };
    let add = |arguments: &str| {
        let mut command = Command::new("ip");
        command.args(["-n", host.host.name()]);
        let made = command.args(arguments.split(' ')).output().unwrap();
        made.status.success()
    };
    // A bond on some kernels only, and VLANs on some.
    let parent = if add("link add bond0 type bond mode active-backup") {
        host.host.ip("link set up0 down");
        host.host.ip("link set up0 master bond0");
        host.host.ip("link set bond0 up");
        "bond0"
    } else {
        "up0"
    };
    if !add(&format!("link add link {parent} name vlan7 type vlan id 7")) {
        flowner_testing::skipped!("no VLANs in this kernel");
        return;
    }
    host.host.ip("addr add 10.7.0.1/24 dev vlan7");
    host.host.ip("link set vlan7 up");
    host.far.ip("link add link eth0 name vlan7 type vlan id 7");
    host.far.ip("addr add 10.7.0.2/24 dev vlan7");
    host.far.ip("link set vlan7 up");
    let again = if parent == "bond0" { 2 } else { 1 };
    let far = (&host.far, "10.7.0.2:9000");
    check(&host, (&host.host, "10.7.0.1:5000"), far, again);
    let near = (&host.host, "10.7.0.1:9000");
    check(&host, (&host.far, "10.7.0.2:5000"), near, again);
}
