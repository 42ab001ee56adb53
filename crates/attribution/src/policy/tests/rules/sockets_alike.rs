//! Tables that do not distinguish the sockets of one local end, neither by remote ends nor by
//! numbers.

use super::*;

#[test]
fn a_shared_local_end_names_no_owner_for_connections() {
    let mut desk = Desk::new(config(false));
    desk.ask(1, Initiator::Local, query(Protocol::Tcp, HERE, THERE));
    desk.pass(ms(1));
    desk.ask(2, Initiator::Local, query(Protocol::Tcp, HERE, ELSEWHERE));
    check(
        &desk.answer(&[tcp(HERE, "one of them")]),
        &[
            (1, "process-exited", None, true),
            (2, "process-exited", None, true),
        ],
    );
    // That socket existed before the third connection.
    desk.ask(
        3,
        Initiator::Local,
        query(Protocol::Tcp, HERE, "192.0.2.3:443"),
    );
    let heard = desk.answer(&[tcp(HERE, "one of them")]);
    check(&heard, &[(3, "no-such-socket", None, false)]);
}

/// On a host with many connections, another one may have the same local port.
#[test]
fn without_remote_ends_only_a_new_socket_answers_for_a_connection() {
    let query = query(Protocol::Tcp, HERE, THERE);
    let sockets = [tcp(HERE, "one")];
    for is_known in [false, true] {
        let mut desk = Desk::new(config(false));
        if is_known {
            let now = desk.clock.wall();
            let nothing = Snapshot::new(Source::Scripted, now, now, Vec::new());
            desk.policy.observe_snapshot(Arc::new(nothing));
        }
        desk.pass(ms(1));
        desk.ask(1, Initiator::Local, query);
        let events = desk.answer(&sockets);
        let is_named = |event: &Event| event.ownership.verdict.is_named();
        assert_eq!(events.iter().any(is_named), is_known);
    }
}

#[test]
fn a_table_with_remote_ends_distinguishes_connections() {
    let mut desk = Desk::new(config(true));
    desk.ask(1, Initiator::Local, query(Protocol::Tcp, HERE, THERE));
    desk.ask(2, Initiator::Local, query(Protocol::Tcp, HERE, ELSEWHERE));
    let one = socket(Protocol::Tcp, HERE, Some(THERE), "one");
    let two = socket(Protocol::Tcp, HERE, Some(ELSEWHERE), "two");
    check(
        &desk.answer(&[one, two]),
        &[(1, "one", FIVE, true), (2, "two", FIVE, true)],
    );
}

#[test]
fn a_udp_port_that_may_have_changed_hands_names_the_newest_flow_only() {
    let mut desk = Desk::new(config(false));
    desk.ask(1, Initiator::Local, query(Protocol::Udp, HERE, THERE));
    desk.pass(ms(1));
    desk.ask(2, Initiator::Local, query(Protocol::Udp, HERE, ELSEWHERE));
    check(
        &desk.answer(&[udp(HERE, "b")]),
        &[(1, "process-exited", None, true), (2, "b", LOCAL, true)],
    );
    // From now on the policy knows that socket, which serves any number of flows.
    desk.ask(
        3,
        Initiator::Local,
        query(Protocol::Udp, HERE, "192.0.2.3:443"),
    );
    desk.ask(
        4,
        Initiator::Local,
        query(Protocol::Udp, HERE, "192.0.2.4:443"),
    );
    check(
        &desk.answer(&[udp(HERE, "b")]),
        &[(3, "b", LOCAL, true), (4, "b", LOCAL, true)],
    );
}

/// A late lookup finds the current holder of the port.
#[test]
fn without_identities_a_late_lookup_names_only_owners_from_before_the_packet() {
    let udp_flow = query(Protocol::Udp, HERE, THERE);
    // The holder of the port before the packet, how long after it the lookup begins, and its holder
    // then.
    for (before, initiator, wait, now, expected) in [
        (None, Initiator::Local, 5, "b", "b"),
        (None, Initiator::Local, 50, "b", "process-exited"),
        (None, Initiator::Unknown, 50, "b", "process-exited"),
        (None, Initiator::Remote, 50, "b", "b"),
        (None, Initiator::Remote, 500, "b", "process-exited"),
        (Some("a"), Initiator::Local, 50, "a", "a"),
        (Some("a"), Initiator::Remote, 5_000, "a", "a"),
        (Some("a"), Initiator::Unknown, 50, "b", "process-exited"),
        (Some("a"), Initiator::Remote, 5, "b", "process-exited"),
    ] {
        let mut desk = Desk::new(config(false));
        let now_there = [udp(HERE, now)];
        let before_there: Vec<_> = before.map(|name| udp(HERE, name)).into_iter().collect();
        let at = desk.clock.wall();
        let snapshot = Snapshot::new(Source::Scripted, at, at, before_there);
        desk.policy.observe_snapshot(Arc::new(snapshot));
        desk.pass(ms(1));
        desk.ask(1, initiator, udp_flow);
        desk.pass(ms(wait));
        let heard = desk.answer(&now_there);
        let (who, _) = said(&heard[0].ownership);
        assert_eq!(
            who, expected,
            "{before:?}, {initiator:?} after {wait} ms: {now}"
        );
    }
}

/// A flow that waits for its socket gets one answer about a socket that may belong to another flow,
/// and may begin anew.
#[test]
fn a_socket_found_late_is_reported_once() {
    let mut desk = Desk::new(config(false));
    desk.ask(1, Initiator::Local, query(Protocol::Udp, HERE, THERE));
    check(&desk.answer(&[]), &[(1, "no-such-socket", None, false)]);
    for heard in [&[(1, "process-exited", None, false)][..], &[]] {
        desk.pass(ms(200));
        desk.policy.packet(Token(1), desk.clock.now());
        check(&desk.answer(&[udp(HERE, "b")]), heard);
    }
    // The next lookup proves packets from now on.
    desk.pass(ms(200));
    desk.ask(2, Initiator::Unknown, query(Protocol::Udp, HERE, THERE));
    desk.pass(ms(100));
    let heard = desk.answer(&[udp(HERE, "b")]);
    let heard: Vec<Event> = heard.into_iter().filter(|it| it.key.0 == 2).collect();
    check(&heard, &[(2, "b", LOCAL, true)]);
}

/// The process that takes over a port is usually new.
#[test]
fn a_late_lookup_may_find_a_process_that_started_well_before_the_packet() {
    for (started, wait, expected) in [
        (ms(0), 1_000, "b"),
        (ms(0), 6_000, "process-exited"),
        (ms(980), 1_000, "process-exited"),
        (ms(980), 100, "b"),
        (ms(1_050), 100, "process-exited"),
    ] {
        let mut desk = Desk::new(config(false));
        desk.pass(ms(1_000));
        desk.ask(1, Initiator::Remote, query(Protocol::Udp, SERVER, THERE));
        desk.pass(ms(wait));
        let process = Process {
            started: Some(wall(started)),
            ..Process::new(7, "b")
        };
        let heard = desk.answer(&[Socket {
            owner: Verdict::Process(Arc::new(process)),
            ..udp(SERVER, "b")
        }]);
        let (who, _) = said(&heard[0].ownership);
        assert_eq!(who, expected, "{started:?}, {wait} ms");
    }
}

/// The list does not have its socket any more, but may have another one with its port.
#[test]
fn without_identities_a_connection_that_has_ended_names_no_owner() {
    for (initiator, before, wait, expected) in [
        (Initiator::Local, None, 5, ["b", "process-exited"]),
        (
            Initiator::Local,
            None,
            300,
            ["process-exited", "process-exited"],
        ),
        (Initiator::Unknown, None, 5, ["b", "process-exited"]),
        (
            Initiator::Unknown,
            None,
            300,
            ["process-exited", "process-exited"],
        ),
        (Initiator::Unknown, Some("b"), 300, ["b", "process-exited"]),
        (
            Initiator::Unknown,
            Some("a"),
            300,
            ["process-exited", "process-exited"],
        ),
        (Initiator::Remote, None, 5, ["b", "b"]),
        (
            Initiator::Remote,
            None,
            300,
            ["process-exited", "process-exited"],
        ),
        (Initiator::Remote, Some("b"), 300, ["b", "b"]),
        (
            Initiator::Remote,
            Some("a"),
            300,
            ["process-exited", "process-exited"],
        ),
    ] {
        for (is_over, expected) in [false, true].into_iter().zip(expected) {
            let mut desk = Desk::new(config(false));
            let at = desk.clock.wall();
            let there = before.map(|name| tcp(HERE, name)).into_iter().collect();
            let snapshot = Snapshot::new(Source::Scripted, at, at, there);
            desk.policy.observe_snapshot(Arc::new(snapshot));
            desk.pass(ms(1));
            desk.ask(1, initiator, query(Protocol::Tcp, HERE, THERE));
            desk.pass(ms(wait));
            if is_over {
                desk.policy.end(Token(1));
            }
            let connection = Socket {
                state: Some(SocketState::Established),
                ..tcp(HERE, "b")
            };
            let heard = desk.answer(&[connection]);
            let (who, _) = said(&heard[0].ownership);
            let case = format!("{initiator:?} {before:?} {wait} ms, over: {is_over}");
            assert_eq!(who, expected, "{case}");
        }
    }
}

/// A listener may have passed on a connection that it accepted.
#[test]
fn without_identities_listeners_are_named_beside_holders_of_connections() {
    let mut desk = Desk::new(config(false));
    let listener = Socket {
        state: Some(SocketState::Listen),
        ..tcp("0.0.0.0:5000", "a")
    };
    let connection = Socket {
        state: Some(SocketState::Established),
        ..tcp(HERE, "b")
    };
    desk.ask(1, Initiator::Remote, query(Protocol::Tcp, HERE, THERE));
    let heard = desk.answer(&[listener, connection]);
    check(&heard, &[(1, "a+b", LOCAL, true)]);
}
