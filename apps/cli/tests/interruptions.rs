//! A device that goes down and comes back, and one that is removed and made again, while
//! `flowner` captures from it: a warning says so, and capturing goes on.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeSet;

use common::Running;
use common::namespace::Namespace;
use serde_json::Value;

/// The device that is captured from, and its other end.
const DEVICE: &str = "flcut0";
const PEER: &str = "flcut1";

/// Runs `ip` with these words in the namespace.
#[track_caller]
fn ip(namespace: &Namespace, words: &str) {
    let status = namespace
        .command("ip")
        .args(words.split_whitespace())
        .status();
    assert!(status.unwrap().success(), "ip {words}");
}

fn make(namespace: &Namespace) {
    ip(
        namespace,
        &format!("link add {DEVICE} type veth peer name {PEER}"),
    );
    ip(namespace, &format!("link set {PEER} up"));
    ip(namespace, &format!("addr add 10.77.0.1/24 dev {DEVICE}"));
    bring_up(namespace);
}

fn bring_up(namespace: &Namespace) {
    ip(namespace, &format!("link set {DEVICE} up"));
    // The other end never answers.
    ip(
        namespace,
        &format!("neigh replace 10.77.0.2 lladdr 02:00:00:00:00:02 dev {DEVICE}"),
    );
}

/// Sends a datagram to a port of the network of the device.
fn send(namespace: &Namespace, port: u16) {
    let script = format!("echo hello > /dev/udp/10.77.0.2/{port}");
    let status = namespace.command("bash").args(["-c", &script]).status();
    assert!(status.unwrap().success());
}

#[track_caller]
fn warned(running: &Running, part: &str) {
    running.line_with(|line| line.contains(r#""type":"warning""#) && line.contains(part));
}

#[test]
fn a_device_may_go_and_come_back() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    make(&namespace);
    let mut command = namespace.command(env!("CARGO_BIN_EXE_flowner"));
    command.args(["watch", "--json", "-i", DEVICE]);
    let running = Running::spawn(&mut command);
    running.line_with(|line| line.contains(r#""type":"start""#));
    send(&namespace, 9001);
    ip(&namespace, &format!("link set {DEVICE} down"));
    warned(&running, "is down");
    bring_up(&namespace);
    warned(&running, "is back");
    send(&namespace, 9002);
    ip(&namespace, &format!("link del {DEVICE}"));
    warned(&running, "has disappeared");
    make(&namespace);
    warned(&running, "is back");
    send(&namespace, 9003);
    running.interrupt();
    let lines: Vec<Value> = running
        .rest()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ports: BTreeSet<&str> = lines
        .iter()
        .filter_map(|line| line["remote"].as_str()?.strip_prefix("10.77.0.2:"))
        .collect();
    let expected = ["9001", "9002", "9003"];
    assert!(expected.iter().all(|it| ports.contains(it)), "{lines:#?}");
    let summary = lines.last().unwrap();
    assert_eq!(summary["complete"], true, "{summary}");
}

/// The kernel goes on handing over what passes it; so it is the addresses that it has by now.
#[test]
fn a_device_may_get_another_name_and_other_addresses() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    make(&namespace);
    let mut command = namespace.command(env!("CARGO_BIN_EXE_flowner"));
    command.args(["watch", "--json", "-i", DEVICE]);
    let running = Running::spawn(&mut command);
    running.line_with(|line| line.contains(r#""type":"start""#));
    send(&namespace, 9001);
    // An address that is new, and the only one.
    ip(&namespace, &format!("addr add 10.77.0.9/24 dev {DEVICE}"));
    ip(&namespace, &format!("addr del 10.77.0.1/24 dev {DEVICE}"));
    ip(
        &namespace,
        &format!("addr replace 10.77.0.9/24 dev {DEVICE}"),
    );
    bring_up(&namespace);
    send(&namespace, 9002);
    ip(&namespace, &format!("link set {DEVICE} down"));
    warned(&running, "is down");
    ip(&namespace, &format!("link set {DEVICE} name flcut9"));
    ip(&namespace, "link set flcut9 name flcut0");
    bring_up(&namespace);
    warned(&running, "is back");
    send(&namespace, 9003);
    running.interrupt();
    let lines: Vec<Value> = running
        .rest()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (port, local) in [
        (9001, "10.77.0.1:"),
        (9002, "10.77.0.9:"),
        (9003, "10.77.0.9:"),
    ] {
        let remote = format!("10.77.0.2:{port}");
        let flow = lines
            .iter()
            .find(|line| line["type"] == "flow" && line["remote"] == *remote)
            .unwrap_or_else(|| panic!("{remote} in {lines:#?}"));
        assert_eq!(flow["direction"], "outgoing", "{flow}");
        assert!(flow["local"].as_str().unwrap().starts_with(local), "{flow}");
    }
}

/// While a device is waited for, it can be given up.
#[test]
fn a_command_that_waits_for_a_device_ends_on_a_signal() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    make(&namespace);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recorded.pcapng");
    let mut command = namespace.command(env!("CARGO_BIN_EXE_flowner"));
    command
        .args(["record", "-i", DEVICE, "-w"])
        .arg(file.as_os_str());
    let mut running = Running::spawn(&mut command);
    // The file is there when the device is captured from.
    let deadline = std::time::Instant::now() + common::DEADLINE;
    while !file.exists() {
        assert!(std::time::Instant::now() < deadline, "no file");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    send(&namespace, 9001);
    ip(&namespace, &format!("link set {DEVICE} down"));
    while !running.error_line().contains("is down") {}
    running.interrupt();
    let status = running.child.wait().unwrap();
    assert!(status.success(), "{}", running.read_stderr());
}
