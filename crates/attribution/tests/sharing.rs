//! Sockets that their owner has passed to another process, and has kept.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "helper/act.rs"]
mod act;
mod patience;

use std::time::{Duration, Instant, SystemTime};

use act::Actor;
use flowner_attribution::capture::{Confirmed, FastLookup};
use flowner_attribution::snapshot::linux::{LinuxOptions, LinuxTable};
use flowner_attribution::{Initiator, LookupRequest, Ownership, SocketQuery, SocketTable, Verdict};

/// Searches take a small part of the time, and may have to wait for a processor.
const DEADLINE: Duration = Duration::from_secs(60);

fn pids(verdict: &Verdict) -> Vec<u32> {
    let processes = verdict.processes().iter();
    processes.map(|process| process.pid).collect()
}

/// Runs a test on a thread of its own, which gets another priority.
fn on_a_capture_thread(test: impl FnOnce() + Send + 'static) {
    std::thread::spawn(test).join().unwrap();
}

fn question(query: SocketQuery) -> LookupRequest {
    LookupRequest::new(query, SystemTime::now(), Initiator::Local)
}

/// Confirms an answer until the result is as expected.
#[track_caller]
fn wait_for(
    fast: &mut dyn FastLookup,
    (query, known): (&SocketQuery, &Ownership),
    since: SystemTime,
    is_expected: impl Fn(Confirmed) -> bool,
) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let confirmed = fast.confirm(query, known, since);
        if is_expected(confirmed) {
            return;
        }
        assert!(Instant::now() < deadline, "{confirmed:?} {known:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// `taker`: how many descriptors the process has that receives the socket.
fn check_passed_and_kept(taker: usize) {
    let name = format!("flowner-sharing-{taker}-{}", std::process::id());
    let taker = Actor::new(&format!("take {name} {taker}"));
    let mut giver = Actor::new(&format!("give {name}"));
    let mut options = LinuxOptions::default();
    options.send_watchers = false;
    let mut table = LinuxTable::with_options(&options).unwrap();
    let mut fast = table.fast_lookup().unwrap();
    fast.init_thread();
    let query = SocketQuery::udp(giver.address, "127.0.0.1:9".parse().unwrap()).as_sender();
    let known = patience::fast_answer(&mut *fast, &question(query));
    assert_eq!(pids(&known.verdict), [giver.pid]);
    // Whether others have it is known when a search has begun since.
    let first = SystemTime::now();
    wait_for(&mut *fast, (&query, &known), first, |confirmed| {
        assert!(matches!(
            confirmed,
            Confirmed::Held { .. } | Confirmed::Same | Confirmed::Unanswered
        ));
        confirmed == Confirmed::Same
    });
    giver.tell("give");
    let passed = SystemTime::now();
    wait_for(&mut *fast, (&query, &known), passed, |confirmed| {
        assert_ne!(confirmed, Confirmed::Same, "another one has it, too");
        assert_ne!(confirmed, Confirmed::Changed, "it was there before");
        confirmed == Confirmed::Shared
    });
    let shared = patience::fast_answer(&mut *fast, &question(query));
    let mut both = [giver.pid, taker.pid];
    both.sort_unstable();
    assert_eq!(pids(&shared.verdict), both);
    let now = SystemTime::now();
    wait_for(&mut *fast, (&query, &shared), now, |confirmed| {
        confirmed == Confirmed::Same
    });
    // It may have sent as long as it had it.
    drop(taker);
    let now = SystemTime::now();
    wait_for(&mut *fast, (&query, &known), now, |confirmed| {
        assert_ne!(confirmed, Confirmed::Same);
        confirmed == Confirmed::Shared
    });
}

#[test]
fn a_socket_that_its_owner_has_passed_on_and_kept_is_shared() {
    on_a_capture_thread(|| check_passed_and_kept(0));
}

#[test]
fn a_process_with_as_many_descriptors_as_before_has_received_one() {
    on_a_capture_thread(|| check_passed_and_kept(10));
}

#[test]
fn a_process_with_very_many_descriptors_has_received_one() {
    on_a_capture_thread(|| check_passed_and_kept(20_000));
}

/// Such as a server with many connections: each search would read all of its descriptors.
#[test]
fn processes_with_very_many_descriptors_do_not_keep_others_from_being_found() {
    on_a_capture_thread(|| {
        let hoards: Vec<_> = (0..2).map(|_| Actor::new("hoard 20000")).collect();
        check_passed_and_kept(3);
        drop(hoards);
    });
}
