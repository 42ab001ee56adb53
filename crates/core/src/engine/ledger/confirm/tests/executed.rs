//! Owners that execute another program.

use flowner_attribution::capture::Executed;

use super::*;

fn executed(pid: u32, at: Duration) -> Closed {
    let mut reported = Closed::default();
    reported.executed.push(Executed::new(pid, wall_clock(at)));
    reported
}

/// A flow with a packet of process 1, its confirmed owner.
fn confirmed() -> TestLedger {
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.asked().unwrap();
    ledger.answer(waiter, owner(1, 7, ms(1_001)));
    ledger
}

#[test]
fn what_comes_after_an_execution_is_a_reason_to_ask() {
    let mut ledger = confirmed();
    ledger.packet(&packet(ms(1_002), true));
    assert_eq!(ledger.confirm(Confirmed::Same), 0);
    ledger.inner.sockets_closed(&executed(2, ms(1_003)));
    ledger.packet(&packet(ms(1_004), true));
    assert_eq!(ledger.confirm(Confirmed::Same), 0);
    ledger.inner.sockets_closed(&executed(1, ms(1_005)));
    ledger.packet(&packet(ms(1_006), true));
    assert_eq!(ledger.confirm(Confirmed::Changed), 1);
    ledger.check(&[("p1 (1)", 1), (CHANGED, 3)]);
}

#[test]
fn an_execution_before_the_flow_is_none() {
    let mut ledger = TestLedger::new();
    ledger.inner.sockets_closed(&executed(1, ms(900)));
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.asked().unwrap();
    ledger.answer(waiter, owner(1, 7, ms(1_001)));
    ledger.packet(&packet(ms(1_002), true));
    assert_eq!(ledger.confirm(Confirmed::Same), 0);
    ledger.check(&[("p1 (1)", 2)]);
}

#[test]
fn what_was_sent_after_an_execution_that_was_reported_late_is_nobodys() {
    let mut ledger = confirmed();
    ledger.packet(&packet(ms(1_006), true));
    ledger.inner.sockets_closed(&executed(1, ms(1_005)));
    for _ in 0..2 {
        ledger.inner.end_unconfirmed(&mut ledger.effects);
        ledger.check(&[("p1 (1)", 1), (CHANGED, 1)]);
    }
    // The packets from before the execution stay with the process.
    let mut ledger = confirmed();
    ledger.packet(&packet(ms(1_004), true));
    ledger.inner.sockets_closed(&executed(1, ms(1_005)));
    ledger.inner.end_unconfirmed(&mut ledger.effects);
    ledger.check(&[("p1 (1)", 2)]);
}

#[test]
fn a_flow_that_is_over_ends_with_what_was_sent_before_an_execution() {
    let mut ledger = confirmed();
    ledger.packet(&packet(ms(1_006), true));
    ledger.inner.sockets_closed(&executed(1, ms(1_005)));
    ledger.inner.advance(ms(1_000_000), &mut ledger.effects);
    ledger.check(&[("p1 (1)", 1), (CHANGED, 1)]);
}

#[test]
fn executions_that_were_forgotten_are_a_reason_to_ask() {
    let mut ledger = confirmed();
    ledger.packet(&packet(ms(1_002), true));
    assert_eq!(ledger.confirm(Confirmed::Same), 0);
    let many: Vec<_> = (10..50_000)
        .map(|pid| Executed::new(pid, wall_clock(ms(1_002))))
        .collect();
    let mut reported = Closed::default();
    reported.executed = many;
    ledger.inner.sockets_closed(&reported);
    ledger.packet(&packet(ms(1_003), true));
    assert_eq!(ledger.confirm(Confirmed::Same), 1);
}
