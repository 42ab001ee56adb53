//! Packets that no single socket identifies: frames, here.

use super::*;

/// A process that a send watcher observed as it sent a frame at that time.
fn runner(pid: u32, observed: Duration) -> Ownership {
    let process = Process::new(pid, format!("p{pid}"));
    let observed = wall_clock(observed);
    let evidence = Evidence::new(Some(Match::PacketSocket), observed, Source::SockDiag);
    Ownership::new(Verdict::Process(Arc::new(process)), evidence)
}

/// Frames at these times. The socket of their process is gone at the lookup for the last one.
fn after(times: &[f64], answers: &[Confirmed]) -> TestLedger {
    let mut ledger = TestLedger::new();
    let time = |milliseconds: f64| Duration::from_secs_f64(milliseconds / 1_000.0);
    ledger.packet(&packet(time(1_000.0), true));
    let waiter = ledger.asked().unwrap();
    ledger.answer(waiter, runner(1, time(1_000.0)));
    let mut answers = answers.iter();
    for at in times {
        ledger.packet(&packet(time(*at), true));
        for claim in ledger.claims() {
            let answers = [*answers.next().unwrap(), Confirmed::Unknown];
            let at = ledger.inner.now();
            let effects = &mut ledger.effects;
            ledger.inner.confirmed(&claim, answers, at, effects);
        }
    }
    assert_eq!(answers.next(), None);
    ledger
}

/// The capture thread is late: the process has sent all of it without a pause, and has exited.
#[test]
fn who_sent_without_a_pause_sent_it_to_the_end() {
    let times: Vec<f64> = (1..50).map(|at| 1_000.0 + f64::from(at) * 0.5).collect();
    let ledger = after(&times, &[Confirmed::Gone]);
    ledger.check(&[("p1 (1)", 50)]);
}

/// Another process may have begun to send in a pause, and have exited by now.
#[test]
fn what_came_after_a_pause_is_nobodys() {
    let times: Vec<f64> = (1..50).map(|at| 1_002.0 + f64::from(at) * 0.5).collect();
    let ledger = after(&times, &[Confirmed::Gone]);
    let flows = ledger.flows();
    assert_eq!(flows[0], ("p1 (1)".to_owned(), 1), "{flows:?}");
    // The next packet starts a new lookup.
    assert!(
        flows[1..].iter().all(|(who, _)| who != "p1 (1)"),
        "{flows:?}"
    );
    let ledger = after(&times, &[Confirmed::Same]);
    ledger.check(&[("p1 (1)", 50)]);
}
