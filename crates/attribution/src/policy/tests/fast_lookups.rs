//! Rules for the answer at the first packet.

use std::sync::Arc;

use super::clock::ms;
use super::rules::{Desk, check, config, query, said, socket, tcp, udp};
use crate::answer::{
    Match, Protocol, Reason, Snapshot, Socket, SocketQuery, Source, User, Verdict,
};
use crate::policy::{Initiator, Lookup, LookupRequest, PolicyConfig, TableAnswer, Token};

const HERE: &str = "10.0.0.2:5000";
const SERVER: &str = "10.0.0.2:443";
const THERE: &str = "192.0.2.1:443";
const FIVE: Option<Match> = Some(Match::FiveTuple);
const LOCAL: Option<Match> = Some(Match::LocalEndpoint);

/// Sends a request with a fast lookup that finds these sockets.
fn ask(desk: &mut Desk, initiator: Initiator, query: SocketQuery, sockets: &[Socket]) -> Lookup {
    let wall = desk.clock.wall();
    let snapshot = Snapshot::new(Source::Scripted, wall, wall, sockets.to_vec());
    let question = LookupRequest {
        query,
        packet_time: wall,
        initiator,
    };
    let (fast_lookup, now) = (snapshot.find(&query), desk.clock.now());
    desk.policy
        .lookup_with_fast_result(Token(1), question, Some(fast_lookup), now)
}

fn connection(process: &str) -> Socket {
    socket(Protocol::Tcp, HERE, Some(THERE), process)
}

#[track_caller]
fn check_so_far(lookup: &Lookup, expected: (&str, Option<Match>)) {
    let Lookup::Provisional(ownership) = lookup else {
        panic!("{lookup:?}");
    };
    assert_eq!(said(ownership), (expected.0.to_owned(), expected.1));
}

#[test]
fn a_fast_lookup_answers_at_once_and_is_confirmed_later() {
    let mut desk = Desk::new(config(true));
    let question = query(Protocol::Tcp, HERE, THERE);
    let lookup = ask(&mut desk, Initiator::Local, question, &[connection("a")]);
    check_so_far(&lookup, ("a", FIVE));
    check(&desk.events(), &[]);
    desk.pass(ms(99));
    assert_eq!(desk.request(), None);
    desk.pass(ms(1));
    // A process that received the descriptor meanwhile is named, too.
    let heard = desk.answer(&[connection("a"), connection("b")]);
    check(&heard, &[(1, "a+b", FIVE, true)]);
}

#[test]
fn a_late_confirmation_does_not_withdraw_the_answer() {
    let mut desk = Desk::new(config(true));
    let question = query(Protocol::Tcp, HERE, THERE);
    ask(&mut desk, Initiator::Local, question, &[connection("a")]);
    desk.pass(ms(100));
    check(&desk.answer(&[]), &[(1, "a", FIVE, true)]);
}

#[test]
fn a_flow_that_has_ended_needs_no_confirmation() {
    let mut desk = Desk::new(config(true));
    let question = query(Protocol::Tcp, HERE, THERE);
    ask(&mut desk, Initiator::Local, question, &[connection("a")]);
    desk.policy.end(Token(1));
    check(&desk.events(), &[(1, "a", FIVE, true)]);
    assert!(desk.policy.is_idle());
}

#[test]
fn a_fast_lookup_without_owner_postpones_nothing() {
    let mut desk = Desk::new(config(true));
    let root = User::new(0, None);
    let hidden = Socket {
        owner: Verdict::Partial {
            user: Some(root),
            unit: None,
        },
        ..connection("a")
    };
    let question = query(Protocol::Tcp, HERE, THERE);
    let lookup = ask(&mut desk, Initiator::Local, question, &[hidden]);
    check_so_far(&lookup, ("", FIVE));
    // Not even if the flow ends before the lookup.
    desk.policy.end(Token(1));
    check(&desk.events(), &[]);
    check(&desk.answer(&[connection("a")]), &[(1, "a", FIVE, true)]);
}

/// If the table does not know remote ends, the policy recognises the next connection of the same
/// local end only by comparison with the earlier one.
#[test]
fn the_owner_from_a_fast_lookup_is_known_before_the_next_connection() {
    let mut desk = Desk::new(config(false));
    let wall = desk.clock.wall();
    let nothing = Snapshot::new(Source::Scripted, wall, wall, Vec::new());
    desk.policy.observe_snapshot(Arc::new(nothing));
    let first = query(Protocol::Tcp, HERE, THERE);
    let lookup = ask(&mut desk, Initiator::Local, first, &[tcp(HERE, "a")]);
    check_so_far(&lookup, ("a", LOCAL));
    // The lookup that would confirm it fails.
    desk.pass(ms(100));
    let request = desk.request().unwrap();
    let failed = TableAnswer::Failed(Reason::Failed);
    desk.policy
        .handle_answer(request.id, failed, desk.clock.now());
    check(&desk.events(), &[(1, "a", LOCAL, true)]);
    // The socket of the second connection has closed, and the lookup finds that of the first.
    desk.pass(ms(10));
    let second = query(Protocol::Tcp, HERE, "192.0.2.2:443");
    let lookup = ask(&mut desk, Initiator::Local, second, &[tcp(HERE, "a")]);
    assert_eq!(lookup, Lookup::Pending);
}

#[test]
fn fast_lookups_continue_until_the_listener_has_accepted() {
    let mut desk = Desk::new(PolicyConfig {
        max_fast_lookups: 3,
        ..config(true)
    });
    let question = query(Protocol::Tcp, SERVER, THERE);
    let listener = tcp(SERVER, "parent");
    let lookup = ask(
        &mut desk,
        Initiator::Remote,
        question,
        std::slice::from_ref(&listener),
    );
    check_so_far(&lookup, ("parent", LOCAL));
    let fast_lookup = |desk: &mut Desk, socket: &Socket| {
        let now = desk.clock.now();
        let again = desk.policy.packet(Token(1), now)?;
        let wall = desk.clock.wall();
        let snapshot = Snapshot::new(Source::Scripted, wall, wall, vec![socket.clone()]);
        Some(
            desk.policy
                .fast_result(Token(1), snapshot.find(&again), now),
        )
    };
    assert_eq!(fast_lookup(&mut desk, &listener), Some(None));
    let accepted = socket(Protocol::Tcp, SERVER, Some(THERE), "child");
    let better = fast_lookup(&mut desk, &accepted).unwrap().unwrap();
    assert_eq!(said(&better), ("child".to_owned(), FIVE));
    assert_eq!(fast_lookup(&mut desk, &accepted), None);
}

#[test]
fn a_fast_lookup_obeys_the_rules_of_a_lookup() {
    let mut desk = Desk::new(config(true));
    // A listener is not the socket of a connection that this end opened.
    let question = query(Protocol::Tcp, HERE, THERE);
    let lookup = ask(&mut desk, Initiator::Local, question, &[tcp(HERE, "a")]);
    assert_eq!(lookup, Lookup::Pending);
    assert!(desk.request().is_some());
    let datagrams = query(Protocol::Udp, HERE, THERE);
    let lookup = ask(&mut desk, Initiator::Local, datagrams, &[udp(HERE, "a")]);
    check_so_far(&lookup, ("a", LOCAL));
}

#[test]
fn a_flow_that_ends_during_an_older_lookup_gets_its_last_answer() {
    let mut desk = Desk::new(config(true));
    let question = query(Protocol::Tcp, HERE, THERE);
    let now = desk.clock.now();
    let earlier = LookupRequest {
        query: question,
        packet_time: desk.clock.wall(),
        initiator: Initiator::Unknown,
    };
    desk.policy.lookup(Token(2), earlier, now);
    let request = desk.request().unwrap();
    ask(&mut desk, Initiator::Unknown, question, &[connection("a")]);
    desk.policy.end(Token(1));
    desk.land(&request, &[]);
    desk.events();
    let heard = desk.answer(&[]);
    check(&heard, &[(1, "a", FIVE, true)]);
}

/// The next connection sent its SYN before the lookup for this one, and the capture reads it
/// afterwards.
#[test]
fn a_socket_found_after_the_next_syn_names_no_owner() {
    for (age, expected) in [
        (0, "owner-changed"),
        (1, "owner-changed"),
        (2, "owner-changed"),
    ] {
        check_next_syn(Initiator::Local, age, expected, FIVE);
    }
    // A listener serves both connections.
    check_next_syn(Initiator::Remote, 1, "second", LOCAL);
}

#[track_caller]
fn check_next_syn(initiator: Initiator, age: u64, expected: &str, matched: Option<Match>) {
    let mut desk = Desk::new(config(true));
    desk.pass(ms(10));
    let (wall, now) = (desk.clock.wall(), desk.clock.now());
    let query = query(Protocol::Tcp, HERE, THERE);
    let request = |age| LookupRequest {
        query,
        packet_time: wall - ms(age),
        initiator,
    };
    let found = match initiator {
        Initiator::Remote => tcp(HERE, "second"),
        _ => connection("second"),
    };
    let found = Snapshot::new(Source::Scripted, wall, wall, vec![found]).find(&query);
    let lookup = desk
        .policy
        .lookup_with_fast_result(Token(1), request(5), Some(found), now);
    check_so_far(&lookup, ("second", matched));
    desk.policy.lookup(Token(2), request(age), now);
    let matched = matched.filter(|_| expected == "second");
    check(&desk.events(), &[(1, expected, matched, true)]);
    // A SYN from after the lookup does not contest it.
    let mut desk = Desk::new(config(true));
    let lookup = ask(&mut desk, Initiator::Local, query, &[connection("first")]);
    check_so_far(&lookup, ("first", FIVE));
    desk.pass(ms(1));
    let (packet_time, now) = (desk.clock.wall(), desk.clock.now());
    let next = LookupRequest {
        packet_time,
        ..request(0)
    };
    desk.policy.lookup(Token(2), next, now);
    let heard = desk.events();
    check(&heard, &[(1, "first", FIVE, true)]);
}
