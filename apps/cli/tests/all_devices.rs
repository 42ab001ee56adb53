//! Without a named device, all devices are seen.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::process::Command;

use common::namespace::Namespace;
use common::{Running, json_lines};
use serde_json::Value;

/// The loopback device, and one that leads nowhere, which is there before, or comes later.
#[test]
fn all_devices_are_seen_unless_some_are_named() {
    let Some(host) = Namespace::new() else { return };
    let add = |left: &str, address: &str| {
        host.ip(&format!("link add {left} type veth peer name {left}-peer"));
        host.ip(&format!("addr add {address}/24 dev {left}"));
        host.ip(&format!("link set {left} up"));
        host.ip(&format!("link set {left}-peer up"));
    };
    add("first", "10.6.1.1");
    let watch = Running::spawn(
        host.command(env!("CARGO_BIN_EXE_flowner"))
            .args(["watch", "--json"]),
    );
    let head: Value = serde_json::from_str(&watch.line()).unwrap();
    assert_eq!(head["input"], "all devices", "{head}");
    add("second", "10.6.2.1");
    // Nobody answers.
    let addresses = ["127.0.0.1", "10.6.1.2", "10.6.2.2"];
    for (device, address) in [("first", "10.6.1.2"), ("second", "10.6.2.2")] {
        host.ip(&format!(
            "neigh add {address} lladdr 02:00:00:00:00:01 dev {device} nud permanent"
        ));
    }
    for address in addresses {
        let mut command: Command = host.command("bash");
        let sends = format!("echo text > /dev/udp/{address}/9999");
        assert!(command.args(["-c", &sends]).status().unwrap().success());
    }
    watch.interrupt();
    let lines = json_lines(&watch.rest().join("\n"));
    let summary = lines.last().unwrap();
    for (address, device) in addresses.into_iter().zip(["lo", "first", "second"]) {
        let remote = format!("{address}:9999");
        let is_it = |line: &&Value| line["type"] == "flow" && line["remote"] == *remote;
        let flow = lines.iter().find(is_it).expect(&remote);
        assert_eq!(flow["device"], device, "{flow:#}");
        assert_eq!(flow["sent"]["packets"], 1, "{flow:#}");
        let devices = summary["devices"].as_array().unwrap();
        assert!(devices.iter().any(|it| it["name"] == device), "{summary:#}");
    }
}
