//! When the policy repeats a lookup that found no answer.

use std::time::Duration;

use super::clock::{ms, wall};
use super::rules::{Desk, config, query, udp};
use crate::answer::{Ownership, Protocol, Reason, SocketQuery, Source, Verdict};
use crate::policy::{Initiator, PolicyConfig, TableAnswer, Token};

fn asked() -> SocketQuery {
    query(Protocol::Udp, "10.0.0.2:5000", "192.0.2.1:443")
}

/// The lookup of one query finds no such socket.
fn missed() -> TableAnswer {
    let unowned = Ownership::unknown(Reason::NotFound, wall(ms(0)), Source::Scripted);
    TableAnswer::Answers(vec![Ok(unowned)])
}

/// The lookup of one query fails at once. Returns the time.
fn fail(desk: &mut Desk) -> Option<Duration> {
    let request = desk.request()?;
    let failed = TableAnswer::Answers(vec![Err(Reason::Failed)]);
    desk.policy
        .handle_answer(request.id, failed, desk.clock.now());
    Some(desk.clock.elapsed)
}

#[test]
fn a_failed_lookup_is_repeated_without_a_packet_and_not_for_ever() {
    let config = config(true);
    let waits = config.retry_after.clone();
    let mut desk = Desk::new(config);
    desk.ask(1, Initiator::Local, asked());
    let mut failures = Vec::new();
    for _ in 0..=waits.len() {
        let due = desk.policy.poll_timeout().unwrap();
        desk.clock.elapsed = desk.clock.at(due);
        failures.push(fail(&mut desk).unwrap());
    }
    let apart: Vec<_> = failures
        .windows(2)
        .map(|two| two[1].saturating_sub(two[0]))
        .collect();
    assert_eq!(apart, waits);
    let heard = desk.events();
    assert_eq!(heard.len(), 1, "the failure is reported once");
    assert_eq!(heard[0].ownership.verdict, Verdict::Unknown(Reason::Failed));
    assert!(!heard[0].last);
    // From now on, only a packet causes a lookup.
    desk.pass(Duration::from_secs(86_400));
    assert_eq!(desk.request(), None);
    assert!(desk.policy.is_idle());
    desk.policy.packet(Token(1), desk.clock.now());
    let heard = desk.answer(&[udp("10.0.0.2:5000", "owner")]);
    assert!(heard[0].last && heard[0].ownership.verdict.is_named());
}

#[test]
fn the_first_lookup_that_works_is_the_answer() {
    // It names the owner, or reports that there is no such socket.
    for (sockets, is_named) in [(vec![udp("10.0.0.2:5000", "owner")], true), (vec![], false)] {
        let mut desk = Desk::new(config(true));
        desk.ask(1, Initiator::Local, asked());
        fail(&mut desk).unwrap();
        desk.events();
        desk.pass(ms(20));
        let heard = desk.answer(&sockets);
        assert_eq!(heard[0].ownership.verdict.is_named(), is_named);
        assert_ne!(heard[0].ownership.verdict, Verdict::Unknown(Reason::Failed));
    }
}

/// The times between the lookups of a query that never gets an answer, while its flow has a packet
/// every millisecond.
fn waits(config: PolicyConfig, lookups: usize) -> Vec<Duration> {
    let mut desk = Desk::new(config);
    desk.ask(1, Initiator::Local, asked());
    let mut times = Vec::new();
    for _ in 0..100_000 {
        if let Some(request) = desk.request() {
            // A lookup takes no time here: the test is about the schedule.
            times.push(desk.clock.elapsed);
            desk.policy
                .handle_answer(request.id, missed(), desk.clock.now());
        }
        desk.pass(ms(1));
        desk.policy.packet(Token(1), desk.clock.now());
    }
    times
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]))
        .take(lookups)
        .collect()
}

#[test]
fn a_miss_is_retried_on_schedule_while_packets_arrive() {
    assert_eq!(
        waits(PolicyConfig::default(), 5),
        [ms(20), ms(100), ms(500), ms(1_500), ms(5_000)]
    );
}

#[test]
fn the_last_wait_is_repeated() {
    let config = PolicyConfig {
        retry_after: vec![ms(10), ms(30)],
        ..PolicyConfig::default()
    };
    assert_eq!(waits(config, 4), [ms(10), ms(30), ms(30), ms(30)]);
}

#[test]
fn without_a_schedule_there_is_one_attempt() {
    let config = PolicyConfig {
        retry_after: Vec::new(),
        ..PolicyConfig::default()
    };
    assert!(waits(config, 4).is_empty());
}

#[test]
fn a_silent_flow_causes_no_lookup() {
    let mut desk = Desk::new(config(true));
    desk.ask(1, Initiator::Local, asked());
    desk.answer(&[]);
    desk.pass(ms(1_000));
    assert_eq!(desk.request(), None);
    assert!(desk.policy.is_idle());
    assert_eq!(desk.policy.poll_timeout(), None);
    // The first packet after the silence makes it due at once.
    desk.policy.packet(Token(1), desk.clock.now());
    assert_eq!(desk.policy.poll_timeout(), Some(desk.clock.now()));
    let heard = desk.answer(&[udp("10.0.0.2:5000", "late")]);
    assert!(heard[0].last && heard[0].ownership.verdict.is_named());
}

#[test]
fn a_second_waiter_of_a_silent_query_gets_an_answer() {
    let mut desk = Desk::new(config(false));
    desk.ask(1, Initiator::Remote, asked());
    desk.answer(&[]);
    desk.ask(2, Initiator::Remote, asked());
    let heard = desk.answer(&[udp("10.0.0.2:5000", "server")]);
    assert_eq!(heard.len(), 2);
}

#[test]
fn a_request_during_a_lookup_for_the_same_query_is_not_forgotten() {
    let mut desk = Desk::new(PolicyConfig {
        retry_after: Vec::new(),
        max_batch: 1,
        ..config(false)
    });
    let (first, second) = (
        asked(),
        query(Protocol::Udp, "10.0.0.2:9000", "192.0.2.1:443"),
    );
    desk.ask(1, Initiator::Remote, first);
    desk.ask(2, Initiator::Remote, second);
    // The lookup is for the first request, and serves the second one as well.
    let request = desk.request().unwrap();
    assert_eq!(request.queries, [first]);
    desk.ask(3, Initiator::Remote, second);
    desk.land(&request, &[]);
    assert_eq!(desk.events().len(), 2);
    let heard = desk.answer(&[udp("10.0.0.2:9000", "server")]);
    assert!(heard.iter().any(|event| event.key == Token(3)));
}

#[test]
fn a_slow_table_rests_in_proportion() {
    let mut desk = Desk::new(config(false));
    desk.ask(1, Initiator::Local, asked());
    let request = desk.request().unwrap();
    desk.pass(ms(100));
    desk.policy
        .handle_answer(request.id, missed(), desk.clock.now());
    let other = query(Protocol::Udp, "10.0.0.2:5001", "192.0.2.1:443");
    desk.ask(2, Initiator::Local, other);
    let next = desk.policy.poll_timeout().unwrap();
    assert_eq!(desk.clock.at(next), ms(500));
    assert_eq!(desk.request(), None);
    desk.pass(ms(400));
    assert!(desk.request().is_some());
}

#[test]
fn waits_beyond_any_clock_are_no_panic() {
    let config = PolicyConfig {
        retry_after: vec![Duration::MAX],
        pause_factor: u32::MAX,
        ..PolicyConfig::default()
    };
    let mut desk = Desk::new(config);
    desk.ask(1, Initiator::Local, asked());
    let request = desk.request().unwrap();
    desk.pass(Duration::from_secs(86_400));
    desk.land(&request, &[]);
    desk.policy.packet(Token(1), desk.clock.now());
    assert!(desk.policy.poll_timeout().is_some());
}

#[test]
fn an_end_before_the_answer_waits_for_it() {
    let mut desk = Desk::new(config(false));
    desk.ask(1, Initiator::Local, asked());
    desk.policy.end(Token(1));
    assert!(desk.events().is_empty());
    let heard = desk.answer(&[]);
    assert!(heard.len() == 1 && heard[0].last);
    assert!(desk.policy.is_idle());
}

#[test]
fn an_end_after_a_miss_is_final_at_once() {
    let mut desk = Desk::new(config(false));
    desk.ask(1, Initiator::Local, asked());
    desk.answer(&[]);
    desk.policy.end(Token(1));
    let heard = desk.events();
    assert!(heard.len() == 1 && heard[0].last);
    desk.policy.end(Token(1));
    desk.policy.packet(Token(1), desk.clock.now());
    assert!(desk.events().is_empty());
}
