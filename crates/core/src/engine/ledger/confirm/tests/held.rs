//! Processes that still have a socket, which other processes may have as well.

use super::*;

fn held(alone_at: u64) -> Confirmed {
    let alone_at = wall_clock(ms(alone_at));
    Confirmed::Held { alone_at }
}

/// Datagrams of process 1, one each 100 ms. A confirmation shows at once that the first is its own.
fn sent(count: u64) -> TestLedger {
    let mut ledger = begun();
    assert_eq!(ledger.confirm(held(0)), 0);
    for place in 1..=count {
        ledger.packet(&packet(ms(2_000 + 100 * place), true));
    }
    ledger
}

#[test]
fn what_was_counted_until_a_search_is_of_those_who_were_named() {
    let mut ledger = begun();
    ledger.claims();
    // At 2.1 s, 2.2 s and so on; a search begins a moment after each packet.
    for place in 1..=5 {
        ledger.packet(&packet(ms(2_000 + 100 * place), true));
        assert_eq!(ledger.confirm(held(1_950 + 100 * place)), 1);
    }
    ledger.packet(&packet(ms(2_600), true));
    assert_eq!(ledger.confirm(Confirmed::Shared), 1);
    // Three packets before, and five. The last search began at 2.45 s, after the fourth of these.
    ledger.check(&[("p1 (1)", 3 + 4), (CHANGED, 2)]);
}

#[test]
fn without_a_search_all_of_it_may_be_of_others() {
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(2_000), true));
    let waiter = ledger.asked().unwrap();
    ledger.answer(waiter, owner(1, 1, ms(2_000)));
    for place in 1..=5 {
        ledger.packet(&packet(ms(2_000 + 100 * place), true));
        assert_eq!(ledger.confirm(held(0)), 1);
    }
    ledger.packet(&packet(ms(2_600), true));
    assert_eq!(ledger.confirm(Confirmed::Shared), 1);
    ledger.check(&[(CHANGED, 7)]);
}

#[test]
fn who_passed_a_socket_on_may_have_kept_it_for_a_while() {
    for (answer, is_shared) in [(Confirmed::Changed, true), (Confirmed::Gone, false)] {
        let mut ledger = begun();
        ledger.claims();
        for place in 1..=5 {
            ledger.packet(&packet(ms(2_000 + 100 * place), true));
            assert_eq!(ledger.confirm(held(2_250)), 1);
        }
        if !is_shared {
            let closed = closed(1, ms(2_550));
            ledger.inner.sockets_closed(&closed);
        }
        ledger.packet(&packet(ms(2_600), true));
        assert_eq!(ledger.confirm(answer), 1);
        // If the socket was closed, the last confirmed owners had it until then.
        let expected = if is_shared {
            [("p1 (1)", 3 + 2), (CHANGED, 4)]
        } else {
            [("p1 (1)", 3 + 5), ("", 1)]
        };
        ledger.check(&expected);
    }
}

#[test]
fn a_silent_flow_is_confirmed_when_a_search_has_been_made() {
    let mut ledger = begun();
    ledger.claims();
    let sent = packet(ms(2_100), true);
    let belonging = ledger.packet(&sent);
    assert_eq!(ledger.confirm(held(0)), 1);
    let everything = Selection::default();
    let is_settled = |ledger: &TestLedger| {
        let known = ledger.inner.known(belonging, &everything);
        known.expect("it is listed").is_settled
    };
    assert!(!is_settled(&ledger));
    // The ledger confirms the flow when it is silent, and again after a search.
    let mut asked = 0;
    for now in (2_100..2_400).step_by(5) {
        ledger.inner.confirm_due(ms(now), &mut ledger.effects);
        let alone_at = if now < 2_200 {
            held(0)
        } else {
            Confirmed::Same
        };
        asked += ledger.confirm(alone_at);
    }
    assert!(is_settled(&ledger));
    assert!((1..=3).contains(&asked), "{asked}");
    // But it does not go on for ever.
    ledger.packet(&packet(ms(3_000), true));
    let mut asked = 0;
    for now in (3_000..9_000).step_by(5) {
        ledger.inner.confirm_due(ms(now), &mut ledger.effects);
        asked += ledger.confirm(held(0));
    }
    assert!((2..=40).contains(&asked), "{asked}");
}

#[test]
fn the_end_of_a_flow_is_of_those_who_had_it_last() {
    let mut ledger = sent(1);
    assert_eq!(ledger.confirm(held(0)), 1);
    let (inner, effects) = (&mut ledger.inner, &mut ledger.effects);
    inner.advance(ms(3_600_000), effects);
    ledger.check(&[("p1 (1)", 4)]);
}
