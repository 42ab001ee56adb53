//! The pipeline with a scripted socket table.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use flowner_attribution::Attributor;
use flowner_attribution::snapshot::BestTable;
use flowner_attribution::snapshot::fake::FakeTable;

use super::*;
use crate::engine::ledger::OwnerScope;
use crate::model::config::{Input, Limits};
use crate::model::demo::Demo;
use crate::sinks::Sink;
use crate::sinks::events::{Events, NoEvent};

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

/// Flows that are followed, all of which a report has.
const FLOWS: u16 = 50_000;

/// A packet of one of so many flows.
fn packet(flow: u16) -> flowner_flows::Packet {
    flowner_flows::Packet {
        time: Duration::from_secs(1),
        source: ([10, 0, 0, 1], flow).into(),
        destination: ([10, 9, 9, 9], 53).into(),
        protocol: flowner_flows::Protocol::UDP,
        wire_len: 100,
        payload_len: 40,
        tcp: None,
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
            whose: LocalAddressSource::Given,
            interruption: None,
            warning: None,
        }),
        ended: Condvar::new(),
        queues: Queues::default(),
        progress: Progress::default(),
        programs: Programs::without_facts(),
        recorder: None,
    }
}

/// Counts packets of all flows, one after the other, until somebody has enough; how long it
/// waited for the books in all, and at most.
fn count_until(shared: &Shared, enough: &std::sync::atomic::AtomicBool) -> (Duration, Duration) {
    let mut effects = Vec::new();
    let (mut sum, mut most) = (Duration::ZERO, Duration::ZERO);
    let mut flows = (1..=FLOWS).cycle();
    while !enough.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let mut ledger = shared.ledger();
        let waited = asked.elapsed();
        for flow in flows.by_ref().take(8) {
            ledger.packet(&packet(flow), &mut effects);
        }
        drop(ledger);
        effects.clear();
        sum += waited;
        most = most.max(waited);
    }
    (sum, most)
}

#[test]
fn whoever_counts_does_not_wait_for_a_report() {
    let shared = shared();
    for flow in 1..=FLOWS {
        shared.ledger().packet(&packet(flow), &mut Vec::new());
    }
    // The share of the time of a report in which nothing could be counted. Others may have the
    // processors at any time, so that the best of some reports counts.
    let waits = (0..20).map(|_| {
        let enough = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let counting = scope.spawn(|| count_until(&shared, &enough));
            let began = Instant::now();
            let parts = shared.parts(None);
            let took = began.elapsed();
            enough.store(true, Ordering::Relaxed);
            assert_eq!(parts.flows.len(), usize::from(FLOWS));
            let (sum, most) = counting.join().unwrap();
            println!("a report in {took:?}; counting waited {sum:?}, at most {most:?}");
            sum.as_secs_f64() / took.as_secs_f64()
        })
    });
    let least = waits.fold(f64::INFINITY, f64::min);
    assert!(least < 0.25, "{least}");
}

#[test]
fn a_lesser_table_is_warned_of_and_reports_say_so() {
    let config = Config {
        input: Input::Device("lo".to_owned()),
        ..Config::default()
    };
    let (table, _script) = FakeTable::new();
    let error = attribution::Error::Sockets {
        asked: "all sockets".to_owned(),
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

/// What a sink took.
#[derive(Debug, Default)]
struct Taken {
    events: Vec<Event>,
    reports: Vec<Arc<Report>>,
}

/// Keeps what it takes; the first event or report waits until it may go on.
struct Keeper {
    taken: Arc<Mutex<Taken>>,
    held: Option<std::sync::mpsc::Receiver<()>>,
}

impl Keeper {
    fn new() -> (Self, Arc<Mutex<Taken>>) {
        let taken = Arc::new(Mutex::new(Taken::default()));
        let keeper = Self {
            taken: Arc::clone(&taken),
            held: None,
        };
        (keeper, taken)
    }

    fn wait(&mut self) {
        if let Some(held) = self.held.take() {
            held.recv_timeout(DEADLINE).unwrap();
        }
    }
}

impl Sink for Keeper {
    fn name(&self) -> &'static str {
        "keeper"
    }

    fn event(&mut self, event: Event) {
        self.wait();
        self.taken.lock().unwrap().events.push(event);
    }

    fn report(&mut self, report: Arc<Report>) {
        self.wait();
        self.taken.lock().unwrap().reports.push(report);
    }
}

/// Panics at the first thing that it takes.
struct Failing;

impl Sink for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn event(&mut self, _: Event) {
        panic!("as the test wants it");
    }
}

fn recorded_demo(events: usize) -> Config {
    Config {
        input: Input::Demo(Demo::Recorded),
        limits: Limits {
            events,
            ..Limits::default()
        },
        ..Config::default()
    }
}

fn live_demo() -> Config {
    Config {
        input: Input::Demo(Demo::Live),
        ..Config::default()
    }
}

fn all(events: &Events) -> Vec<Event> {
    std::iter::from_fn(|| events.next()).collect()
}

#[test]
fn a_sink_takes_all_events_in_order_and_the_last_report_at_the_end() {
    let config = recorded_demo(1_000_000);
    let (queue, events) = Events::queue(config.limits.events);
    let (keeper, taken) = Keeper::new();
    let builder = Monitor::builder(&config).events(queue).sink(keeper);
    let report = builder.start().unwrap().wait();
    let taken = taken.lock().unwrap();
    let expected = all(&events);
    assert!(expected.len() > 100, "{} events", expected.len());
    // Two threads tell events, each in the order of its own.
    let opened = |events: &[Event]| -> Vec<Event> {
        let is_opened = |event: &&Event| matches!(event, Event::FlowOpened(_));
        events.iter().filter(is_opened).cloned().collect()
    };
    assert_eq!(opened(&taken.events), opened(&expected));
    assert_eq!(taken.events.len(), expected.len());
    let last = taken.reports.last().unwrap();
    assert!(Arc::ptr_eq(last, &report), "one report for all");
    assert_eq!(last.ending, EndState::Complete);
}

#[test]
fn a_slow_sink_learns_how_much_it_missed_and_nobody_waits_for_it() {
    let config = recorded_demo(8);
    let alone = Monitor::builder(&config).start().unwrap().wait();
    let (queue, events) = Events::queue(1_000_000);
    let (mut keeper, taken) = Keeper::new();
    let (go_on, held) = std::sync::mpsc::channel();
    keeper.held = Some(held);
    let builder = Monitor::builder(&recorded_demo(8))
        .events(queue)
        .sink(keeper);
    let monitor = builder.start().unwrap();
    // While the sink waits, the input is read to its end.
    assert!(monitor.wait_ended(DEADLINE));
    go_on.send(()).unwrap();
    let report = monitor.wait();
    assert_eq!(report.total(), alone.total());
    let taken = taken.lock().unwrap();
    let (mut missed, mut came) = (0, 0);
    for event in &taken.events {
        match event {
            Event::Missed(count) => missed += count,
            _ => came += 1,
        }
    }
    assert!(missed > 0, "{came} came");
    assert_eq!(missed + came, u64::try_from(all(&events).len()).unwrap());
    assert!(Arc::ptr_eq(taken.reports.last().unwrap(), &report));
}

#[test]
fn a_sink_that_panics_ends_neither_the_monitor_nor_other_sinks() {
    let (queue, events) = Events::queue(100_000);
    let (keeper, taken) = Keeper::new();
    let builder = Monitor::builder(&live_demo()).events(queue).sink(Failing);
    let monitor = builder.sink(keeper).start().unwrap();
    let deadline = Instant::now() + DEADLINE;
    loop {
        match events.next_within(Duration::from_millis(20)) {
            Ok(Event::Warning(warning)) if warning.contains("`failing`") => break,
            Ok(_) | Err(NoEvent::Yet) => {}
            Err(NoEvent::Ended) => panic!("it ended without a warning"),
        }
        assert!(Instant::now() < deadline, "no warning");
    }
    let report = monitor.stop();
    assert_eq!(report.ending, EndState::Stopped);
    assert!(report.warning.as_deref().unwrap().contains("`failing`"));
    let taken = taken.lock().unwrap();
    assert!(Arc::ptr_eq(taken.reports.last().unwrap(), &report));
}

#[test]
fn sinks_share_one_report_each_tick() {
    let ((one, took), (other, other_took)) = (Keeper::new(), Keeper::new());
    let builder = Monitor::builder(&live_demo()).tick(Duration::from_millis(10));
    let monitor = builder.sink(one).sink(other).start().unwrap();
    let deadline = Instant::now() + DEADLINE;
    while took.lock().unwrap().reports.len() < 3 || other_took.lock().unwrap().reports.len() < 3 {
        assert!(Instant::now() < deadline, "no reports");
        std::thread::sleep(Duration::from_millis(5));
    }
    monitor.stop();
    let (took, other_took) = (took.lock().unwrap(), other_took.lock().unwrap());
    let of_other = |report: &&Arc<Report>| {
        let mut reports = other_took.reports.iter();
        reports.any(|other| Arc::ptr_eq(other, report))
    };
    // A sink that is late takes the newest one alone.
    assert!(took.reports.iter().filter(of_other).count() >= 2);
    let (last, before) = took.reports.split_last().unwrap();
    assert_eq!(last.ending, EndState::Stopped);
    assert!(
        before
            .iter()
            .all(|report| report.ending == EndState::Running)
    );
}
