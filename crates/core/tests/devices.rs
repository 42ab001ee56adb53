//! Capturing from all devices, or several, at once: in network namespaces of their own.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowner_core::flows::Direction;
use flowner_core::{Config, Input, Monitor, Report};
use flowner_testing::namespace::{ip, is_run_inside};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A device; its far end accepts everything and answers nothing. What is sent to 10.ID.0.2 leaves
/// through it.
fn make_device(name: &str, id: u8) {
    ip(&format!("link add {name} type veth peer name far{id}"));
    ip(&format!("addr add 10.{id}.0.1/24 dev {name}"));
    ip(&format!("link set {name} up"));
    ip(&format!("link set far{id} up"));
    ip(&format!(
        "neigh add 10.{id}.0.2 lladdr 02:00:00:00:00:01 dev {name}"
    ));
}

fn start(input: Input) -> Monitor {
    let config = Config {
        input,
        owners: false,
        ..Config::default()
    };
    Monitor::builder(&config).start().unwrap()
}

/// Sends to a port of an address until the report says that its flow is there.
fn send(monitor: &Monitor, to: &str) -> Arc<Report> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        socket.send_to(b"x", to).unwrap();
        let report = monitor.report();
        if device_of(&report, to).is_some() {
            return report;
        }
        assert!(Instant::now() < deadline, "no flow to {to}");
        std::thread::yield_now();
    }
}

fn device_of(report: &Report, to: &str) -> Option<String> {
    let to = to.parse().unwrap();
    let is_it = |flow: &&flowner_core::FlowRecord| {
        flow.remote == to && matches!(flow.direction, Direction::Outgoing | Direction::Loopback)
    };
    let flow = report.flows.iter().find(is_it)?;
    flow.device.as_ref().map(ToString::to_string)
}

#[test]
fn all_devices_are_seen_also_those_that_come_later() {
    if is_run_inside("all_devices_are_seen_also_those_that_come_later") {
        return;
    }
    ip("link set lo up");
    make_device("first", 1);
    let monitor = start(Input::AllDevices);
    assert_eq!(monitor.input().name, "all devices");
    for (to, device) in [("127.0.0.1:7000", "lo"), ("10.1.0.2:7000", "first")] {
        let report = send(&monitor, to);
        assert_eq!(device_of(&report, to).as_deref(), Some(device));
    }
    make_device("later", 2);
    let report = send(&monitor, "10.2.0.2:7000");
    assert_eq!(
        device_of(&report, "10.2.0.2:7000").as_deref(),
        Some("later")
    );
    let report = monitor.stop();
    let names: Vec<_> = report
        .devices
        .iter()
        .map(|it| it.name.to_string())
        .collect();
    for name in ["lo", "first", "later"] {
        assert!(names.iter().any(|it| it == name), "{names:?}");
    }
    let filter = flowner_core::Filter::parse("device:later").unwrap();
    let chosen = flowner_core::select(&report, &filter);
    let is_later = |flow: &flowner_core::FlowRecord| flow.device.as_deref() == Some("later");
    assert!(!chosen.flows.is_empty() && chosen.flows.iter().all(is_later));
}

#[test]
fn several_devices_are_seen_and_no_other() {
    if is_run_inside("several_devices_are_seen_and_no_other") {
        return;
    }
    ip("link set lo up");
    make_device("one", 1);
    make_device("two", 2);
    make_device("three", 3);
    let wrong = Config {
        input: Input::Devices(vec!["one".to_owned(), "no-such-device".to_owned()]),
        ..Config::default()
    };
    let error = Monitor::builder(&wrong).start().unwrap_err().to_string();
    assert!(error.contains("no-such-device"), "{error}");
    let monitor = start(Input::Devices(vec!["one".to_owned(), "three".to_owned()]));
    assert_eq!(monitor.input().name, "one, three");
    let two = UdpSocket::bind("0.0.0.0:0").unwrap();
    two.send_to(b"x", "10.2.0.2:7000").unwrap();
    send(&monitor, "10.1.0.2:7000");
    send(&monitor, "10.3.0.2:7000");
    // One that goes away and comes back has another index.
    ip("link del one");
    make_device("one", 1);
    let report = send(&monitor, "10.1.0.2:7001");
    assert_eq!(device_of(&report, "10.1.0.2:7001").as_deref(), Some("one"));
    let report = monitor.stop();
    assert_eq!(device_of(&report, "10.2.0.2:7000"), None);
    let mut names: Vec<_> = report
        .devices
        .iter()
        .map(|it| it.name.to_string())
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, ["one", "three"]);
}
