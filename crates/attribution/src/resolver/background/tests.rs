use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use super::*;
use crate::answer::{
    Capabilities, Process, Protocol, Reason, Snapshot, Socket, SocketQuery, Source, Verdict,
};
use crate::policy::Initiator;
use crate::tables::fake::{FakeTable, Script};
use crate::tables::unsupported::UnsupportedTable;
use crate::tables::{BestTable, SocketTable};

/// Longer than anything here takes, so that a failure does not hang.
const DEADLINE: Duration = Duration::from_secs(30);

/// A table whose lookups wait until the test releases them.
struct Gate {
    table: FakeTable,
    entered: Sender<()>,
    release: Receiver<()>,
}

impl SocketTable for Gate {
    fn source(&self) -> Source {
        self.table.source()
    }

    fn snapshot(&mut self) -> Result<Snapshot, Error> {
        self.entered.send(()).unwrap();
        // The other end is gone when the test has ended.
        let _ = self.release.recv();
        self.table.snapshot()
    }
}

struct Setup {
    resolver: Resolver,
    script: Script,
    events: Receiver<Event>,
    entered: Receiver<()>,
    release: Sender<()>,
}

/// A resolver whose lookups wait for `release`.
fn gated() -> Setup {
    let (table, script) = FakeTable::new();
    let (entered_sender, entered) = mpsc::channel();
    let (release, release_receiver) = mpsc::channel();
    let table = Gate {
        table,
        entered: entered_sender,
        release: release_receiver,
    };
    let (resolver, events) = spawn(table);
    Setup {
        resolver,
        script,
        events,
        entered,
        release,
    }
}

fn spawn(table: impl SocketTable + 'static) -> (Resolver, Receiver<Event>) {
    let (sender, events) = mpsc::channel();
    let on_event = move |event| sender.send(event).unwrap();
    let attributor = Attributor::with_table(table);
    let resolver = Resolver::spawn(attributor, PolicyConfig::default(), on_event);
    (resolver.unwrap(), events)
}

fn question(port: u16) -> LookupRequest {
    let local = format!("127.0.0.1:{port}").parse().unwrap();
    LookupRequest {
        query: SocketQuery::new(Protocol::Udp, local, None),
        packet_time: SystemTime::now(),
        initiator: Initiator::Remote,
    }
}

fn socket(port: u16, pid: u32) -> Socket {
    Socket {
        protocol: Protocol::Udp,
        local: format!("127.0.0.1:{port}").parse().unwrap(),
        remote: None,
        state: None,
        v6_only: false,
        device: None,
        id: None,
        uid: None,
        inode: None,
        namespace: None,
        packet: None,
        owner: Verdict::Process(Arc::new(Process::new(pid, "owner"))),
    }
}

#[track_caller]
fn check(event: &Event, waiter: u64, pid: u32) {
    assert_eq!(event.key, Token(waiter));
    assert!(event.last);
    let pids: Vec<u32> = event
        .ownership
        .verdict
        .processes()
        .iter()
        .map(|p| p.pid)
        .collect();
    assert_eq!(pids, [pid]);
}

#[test]
fn answers_arrive_from_either_kind_of_table() {
    for has_point_lookup in [false, true] {
        let (table, script) = FakeTable::new();
        script.set_point_lookup(has_point_lookup);
        script.set_sockets(vec![socket(53, 7)]);
        let (resolver, events) = spawn(table);
        assert_eq!(resolver.lookup(Token(1), question(53)), Lookup::Pending);
        check(&events.recv_timeout(DEADLINE).unwrap(), 1, 7);
        assert_eq!(resolver.statistics().table_requests, 1);
        assert_eq!(script.snapshots(), 1);
    }
}

#[test]
fn one_lookup_answers_all_earlier_requests() {
    let Setup {
        resolver,
        script,
        events,
        entered,
        release,
    } = gated();
    script.set_sockets((0..100).map(|port| socket(1_000 + port, 7)).collect());
    resolver.lookup(Token(0), question(1_000));
    entered.recv_timeout(DEADLINE).unwrap();
    // That lookup is under way; all these requests wait for the next.
    for port in 1..100 {
        resolver.lookup(Token(port.into()), question(1_000 + port));
    }
    release.send(()).unwrap();
    release.send(()).unwrap();
    for _ in 0..100 {
        assert!(events.recv_timeout(DEADLINE).unwrap().last);
    }
    assert_eq!(script.snapshots(), 2);
}

#[test]
fn the_closure_may_call_the_resolver() {
    let (table, script) = FakeTable::new();
    script.set_sockets(vec![socket(53, 7), socket(54, 8)]);
    let handle: Arc<OnceLock<Arc<Resolver>>> = Arc::default();
    let (sender, events) = mpsc::channel();
    let inner = Arc::clone(&handle);
    let on_event = move |event: Event| {
        if event.key == Token(1) {
            let resolver = inner.wait();
            resolver.packet(Token(1));
            resolver.end(Token(1));
            resolver.lookup(Token(2), question(54));
        }
        sender.send(event).unwrap();
    };
    let attributor = Attributor::with_table(table);
    let resolver = Resolver::spawn(attributor, PolicyConfig::default(), on_event).unwrap();
    let resolver = Arc::new(resolver);
    handle.set(Arc::clone(&resolver)).unwrap();
    resolver.lookup(Token(1), question(53));
    check(&events.recv_timeout(DEADLINE).unwrap(), 1, 7);
    check(&events.recv_timeout(DEADLINE).unwrap(), 2, 8);
}

#[test]
fn finish_answers_everyone_once() {
    let Setup {
        resolver,
        script,
        events,
        entered,
        release,
    } = gated();
    script.set_sockets(vec![socket(53, 7)]);
    resolver.lookup(Token(0), question(53));
    entered.recv_timeout(DEADLINE).unwrap();
    resolver.lookup(Token(1), question(53));
    resolver.lookup(Token(2), question(54));
    // From here on no lookup waits: on a busy host there may be more than two before the end.
    drop(release);
    resolver.finish();
    // The resolver may have reported the first miss before, if the second lookup came sooner than
    // the end.
    let mut last: Vec<Event> = events.try_iter().filter(|event| event.last).collect();
    last.sort_by_key(|event| event.key);
    assert_eq!(last.len(), 3);
    check(&last[0], 0, 7);
    check(&last[1], 1, 7);
    let unowned = &last[2].ownership.verdict;
    assert_eq!(*unowned, Verdict::Unknown(Reason::NotFound));
}

#[test]
fn dropping_the_resolver_with_waiting_requests_ends_the_thread() {
    let Setup {
        resolver,
        events,
        entered,
        release,
        ..
    } = gated();
    resolver.lookup(Token(0), question(53));
    entered.recv_timeout(DEADLINE).unwrap();
    drop(release);
    drop(resolver);
    // The lookup under way may have delivered its answer. The thread dropped the closure, and the
    // sender with it.
    assert!(events.try_iter().count() <= 1);
    assert_eq!(events.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

#[test]
fn a_failing_table_is_reported_by_its_reason_and_retried() {
    let (table, script) = FakeTable::new();
    script.set_failure(Some("no memory"));
    let (resolver, events) = spawn(table);
    resolver.lookup(Token(1), question(53));
    let event = events.recv_timeout(DEADLINE).unwrap();
    assert!(!event.last);
    let failed = Verdict::Unknown(Reason::Failed);
    assert_eq!(event.ownership.verdict, failed);
    script.set_failure(None);
    script.set_sockets(vec![socket(53, 7)]);
    // The retry needs no other packet.
    check(&events.recv_timeout(DEADLINE).unwrap(), 1, 7);
}

/// A table that fails to look up one of the sockets.
struct HalfBroken(FakeTable);

impl SocketTable for HalfBroken {
    fn source(&self) -> Source {
        self.0.source()
    }

    fn snapshot(&mut self) -> Result<Snapshot, Error> {
        self.0.snapshot()
    }

    fn find(&mut self, query: &SocketQuery) -> Result<Ownership, Error> {
        if query.local().port() == 54 {
            let source = std::io::ErrorKind::OutOfMemory.into();
            let request = query.to_string();
            return Err(Error::Sockets { request, source });
        }
        Ok(self.snapshot()?.find(query))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new().with_point_lookup(true)
    }
}

#[test]
fn a_failed_lookup_does_not_affect_other_answers() {
    let (table, script) = FakeTable::new();
    script.set_sockets(vec![socket(53, 7), socket(54, 8), socket(55, 9)]);
    let (resolver, events) = spawn(HalfBroken(table));
    for port in [53, 54, 55] {
        resolver.lookup(Token(port.into()), question(port));
    }
    for _ in 0..3 {
        let event = events.recv_timeout(DEADLINE).unwrap();
        match event.key.0 {
            53 => check(&event, 53, 7),
            55 => check(&event, 55, 9),
            _ => {
                let failed = Verdict::Unknown(Reason::Failed);
                assert_eq!(event.ownership.verdict, failed);
                assert!(!event.last);
            }
        }
    }
}

#[test]
fn on_an_unsupported_system_the_answer_is_final() {
    let (resolver, events) = spawn(UnsupportedTable);
    resolver.lookup(Token(1), question(53));
    let event = events.recv_timeout(DEADLINE).unwrap();
    assert!(event.last);
    let unsupported = Verdict::Unknown(Reason::Unsupported);
    assert_eq!(event.ownership.verdict, unsupported);
}

/// A table that panics for as long as the test wants.
struct Panics {
    table: FakeTable,
    panics: Arc<AtomicBool>,
}

impl SocketTable for Panics {
    fn source(&self) -> Source {
        self.table.source()
    }

    fn snapshot(&mut self) -> Result<Snapshot, Error> {
        assert!(!self.panics.load(Ordering::Relaxed), "in disorder");
        self.table.snapshot()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new().with_remote_addresses(true)
    }
}

#[test]
fn a_table_that_panics_is_replaced_and_that_is_reported() {
    let (sender, events) = mpsc::channel();
    let (notice_sender, notices) = mpsc::channel();
    let panics = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&panics);
    let attributor = Attributor::with_tables(move || {
        let (table, script) = FakeTable::new();
        script.set_sockets(vec![socket(53, 7)]);
        let panics = Arc::clone(&switch);
        Ok(Box::new(Panics { table, panics }))
    });
    let resolver = Resolver::spawn_with_notices(
        attributor.unwrap(),
        PolicyConfig::default(),
        move |event| sender.send(event).unwrap(),
        move |notice: Notice| notice_sender.send(notice).unwrap(),
    );
    let resolver = resolver.unwrap();
    resolver.lookup(Token(1), question(53));
    let event = events.recv_timeout(DEADLINE).unwrap();
    let failed = Verdict::Unknown(Reason::Failed);
    assert_eq!((event.ownership.verdict, event.last), (failed, false));
    let notice = notices.recv_timeout(DEADLINE).unwrap();
    let text = notice.to_string();
    assert!(
        text.contains("in disorder") && text.contains("anew"),
        "{text}"
    );
    panics.store(false, Ordering::Relaxed);
    // Another table answers, without another packet.
    check(&events.recv_timeout(DEADLINE).unwrap(), 1, 7);
    let notice = notices.recv_timeout(DEADLINE).unwrap();
    assert!(matches!(notice, Notice::LookupsWork), "{notice}");
}

/// A table of another kind than the one before.
struct Lesser(FakeTable);

impl SocketTable for Lesser {
    fn source(&self) -> Source {
        Source::Portable
    }

    fn snapshot(&mut self) -> Result<Snapshot, Error> {
        self.0.snapshot()
    }
}

/// The policy was made for the capabilities of the first table.
#[test]
fn a_table_of_another_kind_is_no_replacement() {
    let opened = AtomicBool::new(false);
    let (notice_sender, notices) = mpsc::channel();
    let attributor = Attributor::with_tables(move || {
        let (table, script) = FakeTable::new();
        script.set_sockets(vec![socket(53, 7)]);
        let panics = Arc::new(AtomicBool::new(true));
        if opened.swap(true, Ordering::Relaxed) {
            Ok(Box::new(Lesser(table)))
        } else {
            Ok(Box::new(Panics { table, panics }))
        }
    });
    let resolver = Resolver::spawn_with_notices(
        attributor.unwrap(),
        PolicyConfig::default(),
        |event| assert!(!event.ownership.verdict.is_named(), "{event:?}"),
        move |notice: Notice| notice_sender.send(notice.to_string()).unwrap(),
    );
    let resolver = resolver.unwrap();
    resolver.lookup(Token(1), question(53));
    for text in ["in disorder", "fallback table"] {
        let notice = notices.recv_timeout(DEADLINE).unwrap();
        assert!(notice.contains(text), "{notice}");
    }
    resolver.finish();
}

#[test]
fn a_fallback_table_is_reported() {
    let (table, _script) = FakeTable::new();
    let error = Error::Sockets {
        request: "all sockets".to_owned(),
        source: io::Error::other("no room"),
    };
    let best = BestTable::new(Box::new(table), Some(error));
    let attributor = Attributor::from(best);
    assert!(attributor.fallback_reason().is_some());
    let (sender, notices) = mpsc::channel();
    let resolver = Resolver::<Token>::spawn_with_notices(
        attributor,
        PolicyConfig::default(),
        drop,
        move |notice: Notice| sender.send(notice.to_string()).unwrap(),
    );
    let notice = notices.recv_timeout(DEADLINE).unwrap();
    assert!(
        notice.contains("no room") && notice.contains("fewer"),
        "{notice}"
    );
    resolver.unwrap().finish();
}

#[test]
fn a_closure_that_panics_takes_the_next_answer() {
    let (sender, events) = mpsc::channel();
    let (notice_sender, notices) = mpsc::channel();
    let (table, script) = FakeTable::new();
    script.set_sockets(vec![socket(53, 7), socket(54, 8)]);
    let resolver = Resolver::spawn_with_notices(
        Attributor::with_table(table),
        PolicyConfig::default(),
        move |event: Event| {
            assert_ne!(event.key, Token(1), "not this one");
            sender.send(event).unwrap();
        },
        move |notice: Notice| notice_sender.send(notice.to_string()).unwrap(),
    );
    let resolver = resolver.unwrap();
    resolver.lookup(Token(1), question(53));
    let text = notices.recv_timeout(DEADLINE).unwrap();
    assert!(text.contains("not this one"), "{text}");
    resolver.lookup(Token(2), question(54));
    check(&events.recv_timeout(DEADLINE).unwrap(), 2, 8);
}

#[test]
fn failures_are_reported_once_and_when_they_end() {
    let (table, script) = FakeTable::new();
    script.set_failure(Some("no memory"));
    let (sender, events) = mpsc::channel();
    let (notice_sender, notices) = mpsc::channel();
    let resolver = Resolver::spawn_with_notices(
        Attributor::with_table(table),
        PolicyConfig::default(),
        move |event| sender.send(event).unwrap(),
        move |notice: Notice| notice_sender.send(notice.to_string()).unwrap(),
    );
    let resolver = resolver.unwrap();
    for port in [53, 54, 55] {
        resolver.lookup(Token(port.into()), question(port));
        events.recv_timeout(DEADLINE).unwrap();
    }
    script.set_sockets(vec![socket(53, 7), socket(54, 7), socket(55, 7)]);
    script.set_failure(None);
    for _ in [53, 54, 55] {
        assert!(events.recv_timeout(DEADLINE).unwrap().last);
    }
    let reports: Vec<String> = notices.try_iter().collect();
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(
        reports[0].contains("no memory") && reports[1].contains("again"),
        "{reports:?}"
    );
}
