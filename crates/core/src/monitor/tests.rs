//! The pipeline with a scripted socket table.

mod sinks;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use flowner_attribution::Attributor;
use flowner_attribution::snapshot::BestTable;
use flowner_attribution::snapshot::fake::FakeTable;

use super::*;
use crate::engine::ledger::OwnerScope;
use crate::model::config::{Input, Limits};
use crate::sinks::events::{Events, NoEvent};

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// Sends datagrams on the loopback device until there is a warning with a text.
fn await_warning(events: &Events, text: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let deadline = Instant::now() + DEADLINE;
    loop {
        // Each datagram is its own flow.
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
fn failing_lookups_cause_a_warning_and_counting_continues() {
    let config = Config {
        input: Input::Device("lo".to_owned()),
        ..Config::default()
    };
    let (table, script) = FakeTable::new();
    script.set_failure(Some("no memory"));
    let (queue, events) = Events::queue(config.limits.events);
    let builder = Monitor::builder(&config).events(queue);
    let started = builder.attributor(Attributor::with_table(table)).start();
    let monitor = match started {
        Ok(started) => started,
        Err(error) => {
            flowner_testing::skipped!("capturing on the loopback device: {error}");
            return;
        }
    };
    await_warning(&events, "no memory");
    script.set_failure(None);
    await_warning(&events, "again");
    let report = monitor.stop();
    assert!(!report.flows.is_empty());
}

/// The number of followed flows, all of which are in a report.
const FLOWS: u32 = 50_000;

/// A packet of one of the flows.
fn packet(flow: u32) -> flowner_flows::Packet {
    let [_, host, port @ ..] = flow.to_be_bytes();
    flowner_flows::Packet {
        time: Duration::from_secs(1),
        source: ([10, 0, 0, 1], u16::from_be_bytes(port)).into(),
        destination: ([10, 9, 9, host], 53).into(),
        protocol: flowner_flows::Protocol::UDP,
        wire_len: 100,
        payload_len: 40,
        tcp: None,
        icmp: None,
        fragment: None,
        origin: flowner_flows::Origin::Unknown,
        device: None,
    }
}

fn shared() -> Shared {
    let config = Config::default();
    let local = ["10.0.0.1".parse().unwrap()].into_iter().collect();
    let ledger = Ledger::new(&config.limits, Some(local), OwnerScope::All, true);
    Shared {
        ledger: Mutex::new(ledger),
        status: Mutex::new(Status {
            ending: EndState::Running,
            capture: None,
            local_addresses: LocalAddressSource::Given,
            interruption: None,
            warning: None,
        }),
        ended: Condvar::new(),
        queues: Queues::default(),
        progress: Progress::default(),
        links_changed: AtomicBool::new(false),
        programs: Programs::without_processes(),
        recorders: Vec::new(),
    }
}

/// Counts packets of all flows in turn until the caller ends it. Returns the total wait for the
/// ledger, and the longest time to lock it and count eight packets.
fn count_until(
    shared: &Shared,
    of: u32,
    enough: &std::sync::atomic::AtomicBool,
) -> (Duration, Duration) {
    let mut effects = Vec::new();
    let (mut sum, mut most) = (Duration::ZERO, Duration::ZERO);
    let mut flows = (1..=of).cycle();
    while !enough.load(Ordering::Relaxed) {
        let began = Instant::now();
        let mut ledger = shared.ledger();
        let waited = began.elapsed();
        for flow in flows.by_ref().take(8) {
            ledger.packet(&packet(flow), &mut effects);
        }
        drop(ledger);
        effects.clear();
        sum += waited;
        most = most.max(began.elapsed());
    }
    (sum, most)
}

#[test]
fn the_thread_that_counts_does_not_wait_for_a_report() {
    let shared = shared();
    for flow in 1..=FLOWS {
        shared.ledger().packet(&packet(flow), &mut Vec::new());
    }
    // The share of a report's time in which nothing could be counted. Other processes may take the
    // CPUs at any time, so the best of several reports counts.
    let waits = (0..20).map(|_| {
        let enough = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let counting = scope.spawn(|| count_until(&shared, FLOWS, &enough));
            let began = Instant::now();
            let parts = shared.parts(None);
            let took = began.elapsed();
            enough.store(true, Ordering::Relaxed);
            assert_eq!(parts.flows.len(), usize::try_from(FLOWS).unwrap());
            let (sum, most) = counting.join().unwrap();
            println!("a report in {took:?}; counting waited {sum:?}, and took {most:?} at most");
            sum.as_secs_f64() / took.as_secs_f64()
        })
    });
    let least = waits.fold(f64::INFINITY, f64::min);
    assert!(least < 0.25, "{least}");
}

/// `cargo test --release -p flowner-core --lib longest_pause -- --ignored --nocapture`
#[test]
#[ignore = "a measurement: benches/README.md has what it gave"]
fn the_longest_pause_of_counting_while_reports_are_made() {
    const OPEN: u32 = 100_000;
    let shared = shared();
    for flow in 1..=OPEN {
        shared.ledger().packet(&packet(flow), &mut Vec::new());
    }
    let mut pauses: Vec<_> = (0..50)
        .map(|_| {
            let enough = std::sync::atomic::AtomicBool::new(false);
            std::thread::scope(|scope| {
                let counting = scope.spawn(|| count_until(&shared, OPEN, &enough));
                let parts = shared.parts(None);
                enough.store(true, Ordering::Relaxed);
                assert_eq!(parts.flows.len(), usize::try_from(OPEN).unwrap());
                counting.join().unwrap().1
            })
        })
        .collect();
    pauses.sort_unstable();
    let (median, most) = (pauses[pauses.len() / 2], pauses[pauses.len() - 1]);
    println!(
        "{OPEN} open flows: the longest pause of a report {median:?} (median), {most:?} (most)"
    );
}

#[test]
fn a_fallback_table_causes_a_warning_that_is_in_reports() {
    let config = Config {
        input: Input::Device("lo".to_owned()),
        ..Config::default()
    };
    let (table, _script) = FakeTable::new();
    let error = attribution::Error::Sockets {
        request: "all sockets".to_owned(),
        source: std::io::Error::other("no room"),
    };
    let best = BestTable::new(Box::new(table), Some(error));
    let (queue, events) = Events::queue(config.limits.events);
    let builder = Monitor::builder(&config).events(queue);
    let monitor = match builder.attributor(Attributor::from(best)).start() {
        Ok(started) => started,
        Err(error) => {
            flowner_testing::skipped!("capturing on the loopback device: {error}");
            return;
        }
    };
    await_warning(&events, "no room");
    let report = monitor.stop();
    let warning = report.warning.as_deref().unwrap_or_default();
    assert!(warning.contains("no room"), "{warning}");
}

#[test]
fn a_file_is_read_when_its_monitor_starts_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.pcap.gz");
    std::fs::write(&path, b"\x1f\x8b and no more").unwrap();
    let config = Config {
        input: Input::File(path.clone()),
        ..Config::default()
    };
    let open = Monitor::builder(&config).open().unwrap();
    let error = open.start().unwrap_err();
    assert!(error.to_string().contains("trace.pcap.gz"), "{error}");
    std::fs::remove_file(&path).unwrap();
    Monitor::builder(&config).open().unwrap_err();
}
