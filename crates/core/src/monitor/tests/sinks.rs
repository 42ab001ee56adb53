//! Sinks of a monitor: slow ones, those that fail or hang, and JSON lines.

use flowner_testing::wait_until;

use super::*;
use crate::model::demo::Demo;
use crate::model::error::Error;
use crate::model::flow::FlowRecord;
use crate::query::filter::Filter;
use crate::sinks::Sink;
use crate::sinks::json_lines::JsonLines;
use crate::sinks::record::{Output, Recording, RecordingConfig, Rotation};

/// What a sink has received.
#[derive(Debug, Default)]
struct Taken {
    events: Vec<Event>,
    reports: Vec<Arc<Report>>,
}

/// Keeps what it receives; the first event or report waits until the test releases it.
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

    fn event(&mut self, event: &Event) {
        self.wait();
        self.taken.lock().unwrap().events.push(event.clone());
    }

    fn report(&mut self, report: Arc<Report>) {
        self.wait();
        self.taken.lock().unwrap().reports.push(report);
    }
}

/// Panics at the first event or report.
struct Failing;

impl Sink for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn event(&mut self, _: &Event) {
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
    // Two threads send events, each in its own order.
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
fn a_slow_sink_gets_the_number_of_missed_events_and_delays_nothing() {
    // Owners of hours arrive within seconds here: the places where they cut a flow depend on the
    // threads.
    let config = Config {
        owners: false,
        ..recorded_demo(8)
    };
    let alone = Monitor::builder(&config).start().unwrap().wait();
    let (queue, events) = Events::queue(1_000_000);
    let (mut keeper, taken) = Keeper::new();
    let (go_on, held) = std::sync::mpsc::channel();
    keeper.held = Some(held);
    let builder = Monitor::builder(&config).events(queue).sink(keeper);
    let monitor = builder.start().unwrap();
    // While the sink waits, the input is read to its end.
    assert!(monitor.wait_ended(DEADLINE));
    go_on.send(()).unwrap();
    let report = monitor.wait();
    assert_eq!(report.total(), alone.total());
    assert_eq!(report.flows.len(), alone.flows.len());
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

/// Handles its first event for as long as the test runs.
struct Hanging(std::sync::mpsc::Receiver<()>);

impl Sink for Hanging {
    fn name(&self) -> &'static str {
        "hanging"
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(50)
    }

    fn event(&mut self, _: &Event) {
        let _ended = self.0.recv();
    }
}

#[test]
fn a_sink_that_hangs_is_left_behind() {
    let (queue, events) = Events::queue(1_000_000);
    let (test_goes_on, held) = std::sync::mpsc::channel();
    // Its queue is full, too.
    let builder = Monitor::builder(&recorded_demo(8)).events(queue);
    let monitor = builder.sink(Hanging(held)).start().unwrap();
    assert_eq!(monitor.wait().ending, EndState::Complete);
    let warnings: Vec<_> = all(&events)
        .into_iter()
        .filter(|event| matches!(event, Event::Warning(text) if text.contains("`hanging`")))
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    drop(test_goes_on);
}

#[test]
fn a_sink_learns_what_it_is_attached_to_before_all_else() {
    struct Stopping(Arc<Mutex<Vec<String>>>);
    impl Sink for Stopping {
        fn name(&self) -> &'static str {
            "stopping"
        }
        fn started(&mut self, input: &InputInfo, stop: &StopHandle) {
            self.0.lock().unwrap().push(input.name.clone());
            stop.stop();
        }
        fn event(&mut self, event: &Event) {
            if matches!(event, Event::InputEnded(_)) {
                self.0.lock().unwrap().push(format!("{event:?}"));
            }
        }
    }
    let took = Arc::default();
    let builder = Monitor::builder(&live_demo()).sink(Stopping(Arc::clone(&took)));
    let monitor = builder.start().unwrap();
    assert!(monitor.wait_ended(DEADLINE), "it was stopped by the sink");
    monitor.wait();
    assert_eq!(*took.lock().unwrap(), ["demo", "InputEnded(Stopped)"]);
}

/// The written bytes, and the room for more.
#[derive(Debug, Clone, Default)]
struct Room(Arc<Mutex<Vec<u8>>>, usize);

impl std::io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut written = self.0.lock().unwrap();
        if written.len() + bytes.len() > self.1 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn lines(room: &Room) -> Vec<serde_json::Value> {
    let written = room.0.lock().unwrap();
    let lines = std::str::from_utf8(&written).unwrap().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn json_lines_are_of_all_flows_that_ended_and_pass() {
    let of_type = |lines: &[serde_json::Value], kind: &str| {
        let mut count = 0;
        for line in lines {
            count += usize::from(line["type"] == kind);
        }
        count
    };
    for filter in ["", "protocol:udp"] {
        let config = recorded_demo(1_000_000);
        let filter: Filter = filter.parse().unwrap();
        let room = Room(Arc::default(), usize::MAX);
        let sink = JsonLines::new(room.clone()).filtered(&filter);
        let account = sink.account();
        let monitor = Monitor::builder(&config).sink(sink).start().unwrap();
        let report = monitor.wait();
        let lines = lines(&room);
        assert_eq!(lines[0]["type"], "start");
        let ended = |flow: &&FlowRecord| flow.ended.is_some() && filter.matches(*flow);
        let expected = report.flows.iter().filter(ended).count();
        assert!(expected > 50, "{expected} flows");
        assert_eq!(of_type(&lines, "flow"), expected);
        assert!(account.failure().is_none() && account.missed() == 0);
    }
    // Without room for events, it reports how many are missing, and continues.
    let room = Room(Arc::default(), usize::MAX);
    let sink = JsonLines::new(room.clone());
    let account = sink.account();
    let builder = Monitor::builder(&recorded_demo(1)).sink(sink);
    builder.start().unwrap().wait();
    let reported: u64 = (lines(&room).iter())
        .filter(|line| line["type"] == "missed")
        .map(|line| line["events"].as_u64().unwrap())
        .sum();
    assert_eq!(account.missed(), reported);
}

#[test]
fn json_lines_that_cannot_be_written_stop_the_monitor() {
    let room = Room(Arc::default(), 2_000);
    let sink = JsonLines::new(room.clone());
    let account = sink.account();
    let monitor = Monitor::builder(&live_demo()).sink(sink).start().unwrap();
    assert!(monitor.wait_ended(DEADLINE), "it goes on");
    assert_eq!(monitor.wait().ending, EndState::Stopped);
    let error = account.failure().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    // Only whole lines, and none after the one that had no room.
    assert!(!lines(&room).is_empty());
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
    // A late sink only gets the newest one.
    assert!(took.reports.iter().filter(of_other).count() >= 2);
    let (last, before) = took.reports.split_last().unwrap();
    assert_eq!(last.ending, EndState::Stopped);
    assert!(
        before
            .iter()
            .all(|report| report.ending == EndState::Running)
    );
}

fn recording(path: &std::path::Path, filter: &str) -> Recording {
    Recording::new(&RecordingConfig {
        output: Output::File(path.to_owned()),
        overwrite: false,
        rotation: Rotation::default(),
        filter: filter.parse().unwrap(),
    })
}

/// The packets of a file.
fn packets_of(path: &std::path::Path) -> u64 {
    let config = Config {
        input: Input::File(path.to_owned()),
        ..Config::default()
    };
    let report = Monitor::builder(&config).start().unwrap().wait();
    assert_eq!(report.ending, EndState::Complete);
    report.total().packets
}

#[test]
fn several_sinks_record_beside_one_that_takes_events() {
    let folder = tempfile::tempdir().unwrap();
    let [all, dns] = ["all.pcapng", "dns.pcapng"].map(|name| folder.path().join(name));
    let (keeper, taken) = Keeper::new();
    let recordings = [recording(&all, ""), recording(&dns, "port:53")];
    let accounts = recordings.each_ref().map(Recording::account);
    let mut builder = Monitor::builder(&recorded_demo(1_000_000)).sink(keeper);
    for recording in recordings {
        builder = builder.sink(recording);
    }
    let report = builder.start().unwrap().wait();
    let tallies = accounts.each_ref().map(|account| {
        let failure = account.failure();
        assert!(failure.is_none(), "{failure:?}");
        account.stats()
    });
    let captured = report.total().packets;
    for stats in &tallies {
        let sum = stats.written + stats.left_out + stats.too_slow + stats.failed;
        assert_eq!(sum, captured);
        assert_eq!(stats.failed, 0);
    }
    assert_eq!(tallies[0].left_out, 0);
    assert!(tallies[1].left_out > 0 && tallies[1].written > 0);
    assert_eq!(packets_of(&all), tallies[0].written);
    assert_eq!(packets_of(&dns), tallies[1].written);
    assert!(taken.lock().unwrap().events.len() > 100);
}

#[test]
fn a_recording_that_cannot_begin_prevents_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there.pcapng");
    std::fs::write(&there, "of another program").unwrap();
    let missing = folder.path().join("none").join("new.pcapng");
    let open = |path| {
        let builder = Monitor::builder(&recorded_demo(8)).sink(recording(path, ""));
        builder.open().unwrap_err()
    };
    assert!(matches!(open(&there), Error::Exists { path } if path == there));
    assert!(matches!(open(&missing), Error::NoFolder { path } if path == missing));
    assert_eq!(std::fs::read(&there).unwrap(), b"of another program");
}

#[test]
fn a_recording_of_a_monitor_that_is_dropped_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dropped.pcapng");
    let recording = recording(&path, "");
    let account = recording.account();
    let monitor = Monitor::builder(&live_demo()).sink(recording);
    let monitor = monitor.start().unwrap();
    wait_until("a packet", || account.stats().written > 0);
    drop(monitor);
    // A file ends with what was counted of it, and the length of that.
    wait_until("all packets", || {
        let bytes = std::fs::read(&path).unwrap();
        let tail = bytes.last_chunk::<4>().map(|it| u32::from_le_bytes(*it));
        let begin = tail.and_then(|len| bytes.len().checked_sub(len as usize));
        begin.is_some_and(|begin| bytes[begin..].starts_with(&5_u32.to_le_bytes()))
    });
    assert!(packets_of(&path) >= account.stats().written);
}
