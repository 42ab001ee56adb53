//! Rules for observations.

use std::time::Duration;

use super::clock::{ms, wall};
use super::rules::{Desk, check, config, query, said, socket, udp};
use crate::answer::{Match, Ownership, Protocol, Reason, Snapshot, Socket, SocketQuery, Source};
use crate::policy::{Initiator, Lookup, LookupRequest, Observation, ObservationKind, Token};

const HERE: &str = "10.0.0.2:5000";
const THERE: &str = "192.0.2.1:443";
const FIVE: Option<Match> = Some(Match::FiveTuple);

fn asked() -> SocketQuery {
    query(Protocol::Tcp, HERE, THERE)
}

fn connection(process: &str) -> Socket {
    socket(Protocol::Tcp, HERE, Some(THERE), process)
}

/// An observation of an end at that time, with these sockets.
fn observation(query: SocketQuery, at: Duration, sockets: &[Socket]) -> Observation {
    let at = wall(at);
    let owner = Snapshot::new(Source::Scripted, at, at, sockets.to_vec()).find(&query);
    Observation::new(query, owner, at, ObservationKind::Sender)
}

fn observe(desk: &mut Desk, observation: Observation) -> Vec<(Token, Ownership)> {
    let now = desk.clock.now();
    desk.policy.observe(observation, now)
}

fn request(seen: Duration, initiator: Initiator) -> LookupRequest {
    LookupRequest::new(asked(), wall(seen), initiator)
}

/// The immediate answer about a flow whose first packet is from `packet_time`.
fn observed(desk: &mut Desk, key: u64, request: LookupRequest) -> Option<String> {
    let now = desk.clock.now();
    let lookup = desk.policy.lookup_observed(Token(key), request, now)?;
    let Lookup::Provisional(owner) = lookup else {
        panic!("{lookup:?}");
    };
    Some(said(&owner).0)
}

#[test]
fn an_observation_answers_at_once_and_is_confirmed_later() {
    let mut desk = Desk::new(config(true));
    desk.pass(ms(1));
    assert_eq!(
        observe(&mut desk, observation(asked(), ms(1), &[connection("a")])),
        []
    );
    desk.pass(ms(1));
    let opened = request(ms(1), Initiator::Local);
    assert_eq!(observed(&mut desk, 1, opened), Some("a".to_owned()));
    desk.pass(ms(99));
    assert_eq!(desk.request(), None);
    desk.pass(ms(1));
    check(&desk.answer(&[connection("a")]), &[(1, "a", FIVE, true)]);
    let statistics = desk.policy.statistics();
    assert_eq!(
        (statistics.observations, statistics.from_observation),
        (1, 1)
    );
    // It answers once.
    assert_eq!(observed(&mut desk, 2, opened), None);
}

/// The capture thread is late: the observer saw both flows before the thread comes to the first.
#[test]
fn of_two_sockets_with_the_same_ends_each_flow_gets_its_own() {
    let mut desk = Desk::new(config(true));
    desk.pass(ms(10));
    for (at, process) in [(1, "first"), (5, "second")] {
        observe(
            &mut desk,
            observation(asked(), ms(at), &[connection(process)]),
        );
    }
    let first = observed(&mut desk, 1, request(ms(1), Initiator::Local));
    let second = observed(&mut desk, 2, request(ms(4), Initiator::Local));
    assert_eq!(
        (first.as_deref(), second.as_deref()),
        (Some("first"), Some("second"))
    );
}

#[test]
fn an_observation_of_another_packet_answers_no_request() {
    let mut desk = Desk::new(config(true));
    desk.pass(ms(100));
    let seen = ms(50);
    let about = |at| observation(asked().on_device(2), at, &[connection("a")]);
    // Before the packet, or so long after it that a lookup is as good.
    observe(&mut desk, about(ms(49)));
    observe(&mut desk, about(seen + ms(21)));
    assert_eq!(
        observed(&mut desk, 1, request(seen, Initiator::Local)),
        None
    );
    // Another end sent the packet, or it is unknown which end did.
    observe(&mut desk, about(seen));
    for initiator in [Initiator::Remote, Initiator::Unknown] {
        assert_eq!(observed(&mut desk, 1, request(seen, initiator)), None);
    }
    // Another device.
    let mut elsewhere = request(seen, Initiator::Local);
    elsewhere.query = elsewhere.query.on_device(3);
    assert_eq!(observed(&mut desk, 1, elsewhere), None);
    let here = request(seen, Initiator::Local);
    assert_eq!(observed(&mut desk, 1, here), Some("a".to_owned()));
}

/// Sends a request for a flow that begins now, and expects an observation for a millisecond.
fn expect(desk: &mut Desk, key: u64) -> LookupRequest {
    let (now, request) = (
        desk.clock.now(),
        request(desk.clock.elapsed, Initiator::Local),
    );
    let lookup = desk
        .policy
        .lookup_expecting(Token(key), request, now + ms(1), now);
    assert_eq!(lookup, Some(Lookup::Pending));
    assert_eq!(desk.policy.next_fast_lookup(), Some(now + ms(1)));
    request
}

#[test]
fn an_expected_observation_answers_when_it_comes_even_after_the_flow() {
    let mut desk = Desk::new(config(true));
    expect(&mut desk, 1);
    assert_eq!(desk.request(), None);
    desk.policy.end(Token(1));
    check(&desk.events(), &[]);
    let answers = observe(&mut desk, observation(asked(), ms(0), &[connection("a")]));
    let answers: Vec<_> = answers
        .iter()
        .map(|(key, owner)| (key.0, said(owner).0))
        .collect();
    assert_eq!(answers, [(1, "a".to_owned())]);
    check(&desk.events(), &[(1, "a", FIVE, true)]);
    assert_eq!(desk.policy.next_fast_lookup(), None);
    assert!(desk.policy.is_idle());
}

#[test]
fn without_an_observer_a_fast_lookup_follows_at_once() {
    let mut desk = Desk::new(config(true));
    let asked_for = expect(&mut desk, 1);
    let now = desk.clock.now();
    assert_eq!(desk.policy.poll_fast_lookup(now), None);
    assert_eq!(observe(&mut desk, observation(asked(), ms(0), &[])), []);
    assert_eq!(
        desk.policy.poll_fast_lookup(now),
        Some((Token(1), asked_for))
    );
    // The fast lookup finds no owner, so the table gets the query now.
    assert_eq!(desk.policy.fast_lookup_made(Token(1), None, now), None);
    check(&desk.answer(&[connection("a")]), &[(1, "a", FIVE, true)]);
}

#[test]
fn the_table_gets_the_query_even_without_a_fast_lookup() {
    let mut desk = Desk::new(config(true));
    expect(&mut desk, 1);
    desk.pass(ms(100));
    check(&desk.answer(&[connection("a")]), &[(1, "a", FIVE, true)]);
    assert_eq!(desk.policy.poll_fast_lookup(desk.clock.now()), None);
}

/// The next flow with the same ends shows that the socket of the first one is gone, and gets the
/// observation.
#[test]
fn the_next_socket_does_not_answer_for_the_one_before() {
    let mut desk = Desk::new(config(true));
    expect(&mut desk, 1);
    desk.pass(ms(1) / 2);
    expect(&mut desk, 2);
    check(&desk.events(), &[(1, Reason::Gone.name(), None, true)]);
    let at = desk.clock.elapsed;
    let answers = observe(&mut desk, observation(asked(), at, &[connection("b")]));
    let answers: Vec<_> = answers.iter().map(|(key, _)| key.0).collect();
    assert_eq!(answers, [2]);
}

/// The socket that an observer found for one remote end may be the next one on its port.
#[test]
fn an_observation_obeys_the_rules_of_a_lookup() {
    let mut desk = Desk::new(config(true));
    let sent = |remote| query(Protocol::Udp, HERE, remote);
    let ask = |desk: &mut Desk, key, remote| {
        let (now, seen) = (desk.clock.now(), desk.clock.wall());
        let request = LookupRequest::new(sent(remote), seen, Initiator::Local);
        desk.policy
            .lookup_expecting(Token(key), request, now + ms(1), now)
    };
    ask(&mut desk, 1, THERE);
    desk.pass(ms(1) / 2);
    ask(&mut desk, 2, "192.0.2.2:443");
    let late = observation(sent(THERE), desk.clock.elapsed, &[udp(HERE, "next")]);
    assert_eq!(observe(&mut desk, late), []);
}

#[test]
fn unclaimed_observations_expire() {
    let mut desk = Desk::new(config(true));
    desk.pass(ms(1));
    let opened = request(ms(1), Initiator::Local);
    for late in [4_999, 5_000] {
        let seen = observation(asked(), ms(1), &[connection("a")]);
        observe(&mut desk, seen);
        desk.pass(ms(late));
        // Another observation arrives, which expires old ones.
        let other = query(Protocol::Tcp, "10.0.0.2:1", THERE);
        let at = desk.clock.elapsed;
        let sockets = [socket(Protocol::Tcp, "10.0.0.2:1", Some(THERE), "b")];
        observe(&mut desk, observation(other, at, &sockets));
        let owner = observed(&mut desk, late, opened);
        assert_eq!(owner.is_some(), late < 5_000);
        desk.policy.check_bounds();
    }
}

#[test]
fn expecting_requests_and_kept_observations_are_bounded() {
    let mut desk = Desk::new(config(true));
    desk.pass(ms(1));
    for port in 1..10_000_u16 {
        let local = format!("10.0.0.2:{port}");
        let asked = query(Protocol::Tcp, &local, THERE);
        let sockets = [socket(Protocol::Tcp, &local, Some(THERE), "a")];
        observe(&mut desk, observation(asked, ms(1), &sockets));
        let now = desk.clock.now();
        let local = format!("10.0.0.3:{port}");
        let asked = query(Protocol::Tcp, &local, THERE);
        let request = LookupRequest::new(asked, wall(ms(1)), Initiator::Local);
        let lookup = desk
            .policy
            .lookup_expecting(Token(port.into()), request, now + ms(1), now);
        assert_eq!(lookup.is_some(), port <= 64);
        if port % 1_000 == 0 {
            desk.policy.check_bounds();
        }
    }
    for _ in 0..10 {
        observe(&mut desk, observation(asked(), ms(1), &[connection("a")]));
    }
    desk.policy.check_bounds();
}

/// An observation of the process that sent a frame with these ends.
fn seen_sending(at: Duration, process: &str) -> Observation {
    let mut seen = observation(sent(), at, &[udp(HERE, process)]);
    seen.owner.evidence.matched = Some(Match::PacketSocket);
    seen
}

fn sent() -> SocketQuery {
    query(Protocol::Udp, HERE, THERE).as_sender()
}

/// Sends a request for frames of now, for which no observation comes in time.
fn ask_for_frames(desk: &mut Desk, key: u64) {
    let (now, seen) = (desk.clock.now(), desk.clock.wall());
    let request = LookupRequest::new(sent(), seen, Initiator::Local);
    let lookup = desk
        .policy
        .lookup_expecting(Token(key), request, now + ms(1), now);
    assert_eq!(lookup, Some(Lookup::Pending));
    desk.pass(ms(1));
    let now = desk.clock.now();
    assert!(desk.policy.poll_fast_lookup(now).is_some());
    assert_eq!(desk.policy.fast_lookup_made(Token(key), None, now), None);
}

/// On a busy machine a lookup ends late, and no lookup names the sender of frames.
#[test]
fn a_late_observation_names_the_sender_of_frames() {
    let mut desk = Desk::new(config(true));
    ask_for_frames(&mut desk, 1);
    check(&desk.answer(&[]), &[(1, Reason::Gone.name(), None, false)]);
    let named = |answers: &[(Token, Ownership)]| -> Vec<_> {
        let answers = answers.iter();
        answers.map(|(key, owner)| (key.0, said(owner).0)).collect()
    };
    // Lookups find the holder of a socket with these ends.
    let other = observation(sent(), ms(2), &[udp(HERE, "other")]);
    assert_eq!(observe(&mut desk, other), []);
    let late = observe(&mut desk, seen_sending(ms(21), "late"));
    assert_eq!(named(&late), []);
    let answers = observe(&mut desk, seen_sending(ms(20), "a"));
    assert_eq!(named(&answers), [(1, "a".to_owned())]);
    // It answers once.
    let next = observe(&mut desk, seen_sending(ms(20), "b"));
    assert_eq!(named(&next), []);
    desk.policy.check_bounds();
}
