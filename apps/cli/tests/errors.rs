//! Ground truth on connections that fail: the kernel refuses them, a firewall rejects them, and
//! `flowner watch` must report that for the flow; the owner of the flow stays the same.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::process::Command;

use common::Running;
use common::namespace::Namespace;
use serde_json::Value;

/// Tries a closed TCP port, one that a firewall rejects, a closed UDP port, one that a firewall
/// rejects, and a closed one by IPv6; then waits, so that its sockets are found.
const CLIENT: &str = "
import socket, sys
def connect(port):
    try:
        socket.create_connection(('127.0.0.1', port), 2)
    except OSError:
        pass
def send(family, address, port):
    datagrams = socket.socket(family, socket.SOCK_DGRAM)
    datagrams.connect((address, port))
    datagrams.send(b'hello')
    return datagrams
connect(80)
connect(81)
kept = [send(socket.AF_INET, '127.0.0.1', port) for port in (82, 83)]
kept.append(send(socket.AF_INET6, '::1', 82))
print('sent', flush=True)
sys.stdin.readline()
";

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output();
    if found.is_err() {
        flowner_testing::skipped!("there is no {program}");
    }
    found.is_ok()
}

#[test]
fn a_flow_says_why_it_fails() {
    if !has("nft") || !has("python3") {
        return;
    }
    let Some(namespace) = Namespace::new() else {
        return;
    };
    for rule in [
        "add table inet t",
        "add chain inet t c { type filter hook input priority 0; }",
        "add rule inet t c tcp dport 81 reject with icmp type admin-prohibited",
        "add rule inet t c udp dport 83 reject with icmp type host-unreachable",
    ] {
        let status = namespace.command("nft").arg(rule).status();
        if !status.unwrap().success() {
            flowner_testing::skipped!("nftables is not permitted here");
            return;
        }
    }
    let mut watch = namespace.command(env!("CARGO_BIN_EXE_flowner"));
    let mut watch = Running::spawn(watch.args(["watch", "-i", "lo", "--json"]));
    watch.line_with(|line| line.contains("\"type\":\"start\""));
    let mut client = namespace.command("python3");
    let mut client = Running::spawn(client.args(["-c", CLIENT]));
    client.line_with(|line| line == "sent");
    client.release();
    assert!(client.child.wait().unwrap().success());
    watch.interrupt();
    let lines: Vec<Value> = watch
        .rest()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(watch.child.wait().unwrap().success());
    let flows: Vec<&Value> = lines.iter().filter(|line| line["type"] == "flow").collect();
    let check = |remote: &str, protocol: &str, state: &str, error: Option<&str>| {
        let is_it = |flow: &&&Value| flow["remote"] == remote && flow["protocol"] == protocol;
        let flow = flows.iter().find(is_it);
        let flow = flow.unwrap_or_else(|| panic!("{protocol} {remote}: {lines:#?}"));
        assert_eq!(flow["state"], state, "{flow:#}");
        assert_eq!(flow["error"].as_str(), error, "{flow:#}");
        for direction in ["sent", "received"] {
            assert!(flow[direction]["packets"].as_u64() >= Some(1), "{flow:#}");
        }
    };
    check("127.0.0.1:80", "tcp", "refused", None);
    check("127.0.0.1:81", "tcp", "unreachable", Some("prohibited"));
    check(
        "127.0.0.1:82",
        "udp",
        "unreachable",
        Some("port-unreachable"),
    );
    check(
        "127.0.0.1:83",
        "udp",
        "unreachable",
        Some("host-unreachable"),
    );
    check("[::1]:82", "udp", "unreachable", Some("port-unreachable"));
    // The errors are in these flows, and in no others.
    let is_icmp = |flow: &&&Value| flow["protocol"].as_str().unwrap().starts_with("icmp");
    assert_eq!(flows.iter().find(is_icmp), None);
    // The only owner is the sender of the datagrams, for the errors, too.
    for flow in flows.iter().filter(|flow| flow["protocol"] == "udp") {
        // On a machine under load, the client may exit before the lookup.
        if let [process, ..] = &flow["owner"]["processes"].as_array().unwrap()[..] {
            assert_eq!(process["pid"], client.pid(), "{flow:#}");
        }
        assert!(
            flow["remote_owner"]["processes"]
                .as_array()
                .is_none_or(Vec::is_empty)
        );
    }
}
