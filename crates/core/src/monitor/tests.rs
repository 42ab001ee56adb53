//! The pipeline with a scripted socket table.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use flowner_attribution::snapshot::fake::FakeTable;

use super::*;
use crate::config::Input;
use crate::events::NoEvent;

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// Sends datagrams on the loopback device until there is a warning with a text.
fn await_warning(events: &Events, text: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let deadline = Instant::now() + DEADLINE;
    loop {
        // Each a flow of its own.
        let to = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(b"x", to.local_addr().unwrap()).unwrap();
        match events.next_within(Duration::from_millis(20)) {
            Ok(Event::Warning(warning)) if warning.contains(text) => return,
            Ok(_) | Err(NoEvent::Yet) => {}
            Err(NoEvent::Ended) => panic!("it ended without a warning of {text}"),
        }
        assert!(Instant::now() < deadline, "no warning of {text}");
    }
}

#[test]
fn lookups_that_fail_are_warned_of_and_packets_go_on_being_counted() {
    let config = Config {
        input: Input::Device("lo".to_owned()),
        ..Config::default()
    };
    let (table, script) = FakeTable::new();
    script.set_failure(Some("no memory"));
    let started = Monitor::start_with(&config, Attributor::with_table(table));
    let (monitor, events) = match started {
        Ok(started) => started,
        Err(error) => {
            println!("SKIPPED: capturing on the loopback device: {error}");
            return;
        }
    };
    await_warning(&events, "no memory");
    script.set_failure(None);
    await_warning(&events, "again");
    let report = monitor.stop();
    assert!(!report.flows.is_empty());
}
