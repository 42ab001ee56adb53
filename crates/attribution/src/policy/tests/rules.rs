//! One example for each rule, for the reader.

mod sockets_alike;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock::{Clock, ms, wall};
use crate::answer::{
    Capabilities, Match, Ownership, Process, Protocol, Reason, Snapshot, Socket, SocketQuery,
    SocketState, Source, Verdict,
};
use crate::policy::{
    Event, Initiator, Lookup, LookupRequest, Policy, PolicyConfig, TableAnswer, TableRequest, Token,
};

/// A policy whose lookups take a millisecond and find the sockets that the test gives.
pub(super) struct Desk {
    pub(super) clock: Clock,
    pub(super) policy: Policy,
}

pub(super) fn config(remote_addresses: bool) -> PolicyConfig {
    PolicyConfig {
        capabilities: Capabilities::new().with_remote_addresses(remote_addresses),
        ..PolicyConfig::default()
    }
}

impl Desk {
    pub(super) fn new(config: PolicyConfig) -> Self {
        Self {
            clock: Clock::new(),
            policy: Policy::new(config),
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.clock.elapsed += time;
    }

    /// Sends a request for a flow whose first packet is from now.
    pub(super) fn ask(&mut self, waiter: u64, initiator: Initiator, query: SocketQuery) -> Lookup {
        self.ask_late(waiter, initiator, query, self.clock.elapsed)
    }

    /// Sends a request for a flow whose first packet is from `seen`.
    pub(super) fn ask_late(
        &mut self,
        waiter: u64,
        initiator: Initiator,
        query: SocketQuery,
        seen: Duration,
    ) -> Lookup {
        let question = LookupRequest {
            query,
            packet_time: wall(seen),
            initiator,
        };
        self.policy
            .lookup(Token(waiter), question, self.clock.now())
    }

    pub(super) fn request(&mut self) -> Option<TableRequest> {
        self.policy.poll_request(self.clock.now())
    }

    /// Answers a table request that left now, and lets the table rest.
    pub(super) fn land(&mut self, request: &TableRequest, sockets: &[Socket]) {
        let left = self.clock.wall();
        self.pass(ms(1));
        let snapshot = Snapshot::new(Source::Scripted, left, self.clock.wall(), sockets.to_vec());
        let facts = TableAnswer::Snapshot(Arc::new(snapshot));
        self.policy
            .handle_answer(request.id, facts, self.clock.now());
        self.pass(ms(4));
    }

    /// Answers a table request, which must be due, at once.
    #[track_caller]
    pub(super) fn answer(&mut self, sockets: &[Socket]) -> Vec<Event> {
        let request = self.request().expect("a request is due");
        self.land(&request, sockets);
        self.events()
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.policy.poll_event()).collect()
    }
}

pub(super) fn socket(
    protocol: Protocol,
    local: &str,
    remote: Option<&str>,
    process: &str,
) -> Socket {
    let pid = process.bytes().map(u32::from).sum();
    Socket {
        protocol,
        local: local.parse().unwrap(),
        remote: remote.map(|remote| remote.parse().unwrap()),
        state: None,
        v6_only: false,
        device: None,
        id: None,
        uid: None,
        inode: None,
        namespace: None,
        packet: None,
        owner: Verdict::Process(Arc::new(Process::new(pid, process))),
    }
}

pub(super) fn udp(local: &str, process: &str) -> Socket {
    socket(Protocol::Udp, local, None, process)
}

pub(super) fn tcp(local: &str, process: &str) -> Socket {
    socket(Protocol::Tcp, local, None, process)
}

pub(super) fn query(protocol: Protocol, local: &str, remote: &str) -> SocketQuery {
    let remote = Some(remote.parse().unwrap());
    SocketQuery::new(protocol, local.parse().unwrap(), remote)
}

/// An answer in short: process names or the reason, and how it was matched.
pub(super) fn said(ownership: &Ownership) -> (String, Option<Match>) {
    let who = match &ownership.verdict {
        Verdict::Unknown(reason) => reason.name().to_owned(),
        verdict => {
            let names = verdict.processes().iter().map(|p| p.name.as_str());
            names.collect::<Vec<_>>().join("+")
        }
    };
    (who, ownership.evidence.matched)
}

#[track_caller]
pub(super) fn check(events: &[Event], expected: &[(u64, &str, Option<Match>, bool)]) {
    let heard: Vec<_> = events
        .iter()
        .map(|event| {
            let (who, matched) = said(&event.ownership);
            (event.key.0, who, matched, event.last)
        })
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|&(waiter, who, matched, last)| (waiter, who.to_owned(), matched, last))
        .collect();
    assert_eq!(heard, expected);
}

const LOCAL: Option<Match> = Some(Match::LocalEndpoint);
const ANY: Option<Match> = Some(Match::WildcardAddress);
const FIVE: Option<Match> = Some(Match::FiveTuple);
const PAST: Option<Match> = Some(Match::History);

const HERE: &str = "10.0.0.2:5000";
const SERVER: &str = "10.0.0.2:53";
const THERE: &str = "192.0.2.1:443";
const ELSEWHERE: &str = "192.0.2.2:443";

#[test]
fn one_lookup_serves_all_waiting_requests() {
    let mut desk = Desk::new(config(false));
    let other = query(Protocol::Udp, "10.0.0.2:6000", THERE);
    desk.ask(1, Initiator::Remote, query(Protocol::Udp, SERVER, THERE));
    desk.ask(2, Initiator::Remote, query(Protocol::Udp, SERVER, THERE));
    desk.ask(3, Initiator::Local, other);
    let request = desk.request().unwrap();
    assert_eq!(request.queries.len(), 2);
    assert_eq!(desk.request(), None);
    desk.land(&request, &[udp(SERVER, "a"), udp("10.0.0.2:6000", "b")]);
    let heard = desk.events();
    check(
        &heard,
        &[
            (1, "a", LOCAL, true),
            (2, "a", LOCAL, true),
            (3, "b", LOCAL, true),
        ],
    );
    assert_eq!(desk.policy.statistics().table_requests, 1);
}

#[test]
fn a_request_during_a_lookup_waits_for_the_next() {
    let mut desk = Desk::new(config(false));
    desk.ask(1, Initiator::Remote, query(Protocol::Udp, SERVER, THERE));
    let request = desk.request().unwrap();
    desk.ask(2, Initiator::Remote, query(Protocol::Udp, SERVER, THERE));
    desk.land(&request, &[udp(SERVER, "old")]);
    check(&desk.events(), &[(1, "old", LOCAL, true)]);
    check(
        &desk.answer(&[udp(SERVER, "new")]),
        &[(2, "new", LOCAL, true)],
    );
}

#[test]
fn a_listener_is_improved_to_the_connection() {
    let mut desk = Desk::new(config(true));
    let listener = tcp("0.0.0.0:443", "parent");
    let accepted = socket(Protocol::Tcp, "10.0.0.2:443", Some(THERE), "child");
    desk.ask(
        1,
        Initiator::Remote,
        query(Protocol::Tcp, "10.0.0.2:443", THERE),
    );
    let heard = desk.answer(std::slice::from_ref(&listener));
    check(&heard, &[(1, "parent", ANY, false)]);
    desk.policy.packet(Token(1), desk.clock.now());
    desk.pass(ms(20));
    check(
        &desk.answer(&[listener, accepted]),
        &[(1, "child", FIVE, true)],
    );
}

/// The system does not report when a process executed its program: packets from before the first
/// observation of the program may belong to the one before.
#[test]
fn a_program_first_observed_after_the_packet_is_not_named() {
    let found = |seen: Duration| {
        let mut desk = Desk::new(config(true));
        desk.pass(ms(1_000));
        desk.ask(1, Initiator::Local, query(Protocol::Tcp, HERE, THERE));
        let mut process = Process::new(7, "next");
        process.program_seen = Some(wall(seen));
        let mut socket = socket(Protocol::Tcp, HERE, Some(THERE), "next");
        socket.owner = Verdict::Process(Arc::new(process));
        desk.answer(&[socket])
    };
    check(&found(ms(1_001)), &[(1, "owner-changed", None, true)]);
    check(&found(ms(999)), &[(1, "next", FIVE, true)]);
}

#[test]
fn a_connection_is_no_match_for_a_listener_it_did_not_come_from() {
    for (knows_remotes, listener) in [
        (false, "0.0.0.0:5000"),
        (true, "0.0.0.0:5000"),
        (true, HERE),
    ] {
        let mut desk = Desk::new(config(knows_remotes));
        desk.ask(1, Initiator::Local, query(Protocol::Tcp, HERE, THERE));
        let heard = desk.answer(&[tcp(listener, "listener")]);
        // If the table does not know remote ends, its socket may exist, too.
        let expected = if knows_remotes {
            "process-exited"
        } else {
            "no-such-socket"
        };
        check(&heard, &[(1, expected, None, false)]);
    }
}

#[test]
fn a_segment_of_no_connection_is_not_the_listeners() {
    for (listener, peer) in [
        ("0.0.0.0:5000", THERE),
        ("0.0.0.0:5000", ELSEWHERE),
        (HERE, THERE),
        (HERE, ELSEWHERE),
    ] {
        let listener = [tcp(listener, "listener")];
        let mut desk = Desk::new(config(true));
        // Earlier lookups and answers know the listener, too.
        desk.ask(1, Initiator::Remote, query(Protocol::Tcp, HERE, THERE));
        let begun = desk.clock.elapsed + ms(1);
        let heard = desk.answer(&listener);
        assert!(heard[0].ownership.verdict.is_named());
        desk.policy.end(Token(1));
        desk.events();

        let query = query(Protocol::Tcp, HERE, peer);
        let lookup = desk.ask_late(2, Initiator::Unknown, query, begun);
        assert_eq!(lookup, Lookup::Pending);
        // The same if the listener is gone by then.
        for sockets in [&listener[..], &listener[..], &[]] {
            desk.pass(ms(1_000));
            desk.policy.packet(Token(2), desk.clock.now());
            if let Some(request) = desk.request() {
                desk.land(&request, sockets);
            }
        }
        desk.policy.end(Token(2));
        let heard = desk.events();
        assert!(!heard.is_empty());
        for event in heard {
            assert_eq!(event.ownership.verdict, Verdict::Unknown(Reason::NotFound));
        }
    }
}

#[test]
fn a_connection_that_this_end_opened_is_gone_if_no_socket_is_found() {
    for (protocol, initiator, expected) in [
        (Protocol::Tcp, Initiator::Local, Reason::Gone),
        (Protocol::Tcp, Initiator::Remote, Reason::NotFound),
        (Protocol::Tcp, Initiator::Unknown, Reason::NotFound),
        (Protocol::Udp, Initiator::Local, Reason::Gone),
        (Protocol::Udp, Initiator::Remote, Reason::NotFound),
    ] {
        // A listener on that port did not open it either.
        let listener = [tcp("0.0.0.0:5000", "listener")];
        for (sockets, knows_remotes) in [(&[][..], true), (&[][..], false), (&listener[..], true)] {
            if !sockets.is_empty() && initiator == Initiator::Remote {
                continue;
            }
            let mut desk = Desk::new(config(knows_remotes));
            desk.ask(1, initiator, query(protocol, HERE, THERE));
            let heard = desk.answer(sockets);
            desk.policy.end(Token(1));
            let heard: Vec<_> = heard.into_iter().chain(desk.events()).collect();
            assert!(!heard.is_empty());
            for event in heard {
                let verdict = event.ownership.verdict;
                let case = (protocol, initiator, sockets.len(), knows_remotes);
                // A table that does not know remote ends may have been too slow to find it.
                let is_unsure = protocol == Protocol::Udp && !knows_remotes;
                let expected = if is_unsure {
                    Reason::NotFound
                } else {
                    expected
                };
                assert_eq!(verdict, Verdict::Unknown(expected), "{case:?}");
            }
        }
    }
}

#[test]
fn a_connection_older_than_the_capture_belongs_to_its_holder() {
    let mut desk = Desk::new(config(true));
    let sockets = [
        tcp("0.0.0.0:5000", "listener"),
        socket(Protocol::Tcp, HERE, Some(THERE), "child"),
    ];
    desk.ask(1, Initiator::Unknown, query(Protocol::Tcp, HERE, THERE));
    check(&desk.answer(&sockets), &[(1, "child", FIVE, true)]);
    // A table that does not know remote ends knows at least the process that listens.
    let mut desk = Desk::new(config(false));
    let listener = Socket {
        state: Some(SocketState::Listen),
        ..tcp("0.0.0.0:5000", "listener")
    };
    let child = Socket {
        state: Some(SocketState::Established),
        ..tcp(HERE, "child")
    };
    desk.ask(1, Initiator::Unknown, query(Protocol::Tcp, HERE, THERE));
    let heard = desk.answer(std::slice::from_ref(&listener));
    check(&heard, &[(1, "no-such-socket", None, false)]);
    desk.ask(2, Initiator::Unknown, query(Protocol::Tcp, HERE, THERE));
    let heard = desk.answer(&[listener, child]);
    check(
        &heard,
        &[(1, "child", LOCAL, true), (2, "child", LOCAL, true)],
    );
}

#[test]
fn a_new_flow_with_the_same_ends_ends_the_older_question() {
    let mut desk = Desk::new(config(true));
    desk.ask(1, Initiator::Local, query(Protocol::Tcp, HERE, THERE));
    desk.pass(ms(1));
    desk.ask(2, Initiator::Local, query(Protocol::Tcp, HERE, THERE));
    check(&desk.events(), &[(1, "process-exited", None, true)]);
    let theirs = socket(Protocol::Tcp, HERE, Some(THERE), "second");
    check(&desk.answer(&[theirs]), &[(2, "second", FIVE, true)]);
}

#[test]
fn a_peer_that_connects_again_ends_its_older_question_only() {
    let mut desk = Desk::new(config(true));
    let server = "10.0.0.2:443";
    for (waiter, peer) in [(1, "192.0.2.1:9"), (2, "192.0.2.2:9"), (3, "192.0.2.2:9")] {
        desk.pass(ms(1));
        desk.ask(
            waiter,
            Initiator::Remote,
            query(Protocol::Tcp, server, peer),
        );
    }
    check(&desk.events(), &[(2, "process-exited", None, true)]);
}

#[test]
fn both_ends_of_a_flow_to_itself_are_one_question() {
    let mut desk = Desk::new(config(true));
    desk.ask(1, Initiator::Local, query(Protocol::Tcp, HERE, HERE));
    desk.ask(2, Initiator::Remote, query(Protocol::Tcp, HERE, HERE));
    let own = socket(Protocol::Tcp, HERE, Some(HERE), "self");
    check(
        &desk.answer(&[own]),
        &[(1, "self", FIVE, true), (2, "self", FIVE, true)],
    );
}

#[test]
fn a_check_of_a_known_owner_waits_longer() {
    let mut desk = Desk::new(config(false));
    desk.ask(1, Initiator::Remote, query(Protocol::Udp, SERVER, THERE));
    desk.answer(&[udp(SERVER, "server")]);
    let rests = config(false).recheck_pause_factor;
    let question = LookupRequest {
        query: query(Protocol::Udp, SERVER, THERE),
        packet_time: desk.clock.wall(),
        initiator: Initiator::Unknown,
    };
    let began = desk.clock.elapsed;
    let lookup_again = desk
        .policy
        .lookup_again(Token(1), question, desk.clock.now());
    assert_eq!((lookup_again, desk.request()), (Lookup::Pending, None));
    let due = desk.clock.at(desk.policy.poll_timeout().unwrap());
    // The lookup took a millisecond, and ended four before.
    assert_eq!(due + ms(4), began + ms(1) * rests);
    // A lookup that another request causes answers it as well.
    desk.ask(2, Initiator::Local, query(Protocol::Udp, HERE, THERE));
    let heard = desk.answer(&[udp(SERVER, "server"), udp(HERE, "b")]);
    let mut answered: Vec<u64> = heard.iter().map(|event| event.key.0).collect();
    answered.sort_unstable();
    assert_eq!(answered, [1, 2]);
}

#[test]
fn history_answers_inside_the_proven_life_only() {
    let mut desk = Desk::new(config(false));
    let wake = |desk: &mut Desk, waiter| {
        desk.ask(
            waiter,
            Initiator::Local,
            query(Protocol::Udp, HERE, ELSEWHERE),
        );
    };
    let server = [udp(SERVER, "server")];
    wake(&mut desk, 100);
    desk.pass(ms(10));
    desk.answer(&server);
    let inside = desk.clock.elapsed;
    desk.pass(ms(10));
    wake(&mut desk, 101);
    desk.answer(&server);
    let after = desk.clock.elapsed;
    desk.pass(ms(10));
    let asked = query(Protocol::Udp, SERVER, THERE);
    desk.ask_late(1, Initiator::Remote, asked, inside);
    desk.ask_late(2, Initiator::Remote, asked, after);
    desk.ask_late(3, Initiator::Remote, asked, ms(1));
    let heard = desk.answer(&[]);
    let heard: Vec<Event> = heard.into_iter().filter(|e| e.key.0 < 100).collect();
    check(
        &heard,
        &[
            (1, "server", PAST, true),
            (2, "no-such-socket", None, false),
            (3, "no-such-socket", None, false),
        ],
    );
}

#[test]
fn a_lookup_newer_than_the_flow_answers_a_late_request() {
    let mut desk = Desk::new(config(false));
    let seen = desk.clock.elapsed;
    desk.ask(1, Initiator::Remote, query(Protocol::Udp, SERVER, THERE));
    desk.pass(ms(10));
    desk.answer(&[udp(SERVER, "server")]);
    let late = query(Protocol::Udp, SERVER, ELSEWHERE);
    let lookup = desk.ask_late(2, Initiator::Remote, late, seen + ms(5));
    let Lookup::Ready(known) = lookup else {
        panic!("{lookup:?}");
    };
    assert_eq!(said(&known), ("server".to_owned(), LOCAL));
    // After the lookup, and before the flow that proves the socket.
    for (waiter, seen) in [(3, desk.clock.elapsed), (4, Duration::ZERO)] {
        desk.policy.end(Token(waiter));
        let other = query(Protocol::Udp, SERVER, "192.0.2.9:1");
        let lookup = desk.ask_late(waiter, Initiator::Remote, other, seen);
        let is_known = waiter == 4;
        assert_eq!(matches!(lookup, Lookup::Ready(_)), is_known, "{waiter}");
    }
}

#[test]
fn at_the_bound_the_longest_resting_gives_way() {
    let mut desk = Desk::new(PolicyConfig {
        max_waiting: 2,
        ..config(false)
    });
    desk.ask(1, Initiator::Local, query(Protocol::Udp, HERE, THERE));
    desk.ask(
        2,
        Initiator::Local,
        query(Protocol::Udp, "10.0.0.2:5001", THERE),
    );
    let third = query(Protocol::Udp, "10.0.0.2:5002", THERE);
    assert_eq!(desk.ask(3, Initiator::Local, third), Lookup::QueueFull);
    // Neither query finds a socket, and both flows are silent after that; the first one rests
    // longer.
    check(
        &desk.answer(&[]),
        &[
            (1, "no-such-socket", None, false),
            (2, "no-such-socket", None, false),
        ],
    );
    desk.pass(ms(20));
    assert_eq!(desk.request(), None);
    assert_eq!(desk.ask(3, Initiator::Local, third), Lookup::Pending);
    check(&desk.events(), &[(1, "no-such-socket", None, true)]);
    assert_eq!(desk.policy.statistics().overflow, 2);
    assert_eq!(desk.policy.statistics().waiting, 2);
}

/// The senders to one port, or from it, decide how many requests wait there.
#[test]
fn the_cost_of_a_request_does_not_grow_with_those_on_its_port() {
    const COUNT: u16 = 30_000;
    let ask_all = |local: fn(u16) -> u16, initiator| {
        let mut desk = Desk::new(config(true));
        let began = Instant::now();
        for number in 0..COUNT {
            let here = format!("10.0.0.2:{}", local(number));
            let there = format!("192.0.2.1:{}", number + 1);
            let query = query(Protocol::Udp, &here, &there);
            assert_eq!(desk.ask(number.into(), initiator, query), Lookup::Pending);
        }
        began.elapsed()
    };
    for initiator in [Initiator::Local, Initiator::Unknown, Initiator::Remote] {
        let many_ports = ask_all(|number| number + 1, initiator);
        let one_port = ask_all(|_| 53, initiator);
        // Before, it took hundreds of times as long.
        assert!(one_port < 20 * many_ports, "{one_port:?}, {many_ports:?}");
    }
}

#[test]
fn a_failure_carries_its_reason() {
    let mut desk = Desk::new(config(false));
    desk.ask(1, Initiator::Local, query(Protocol::Udp, HERE, THERE));
    let id = desk.request().unwrap().id;
    let failed = TableAnswer::Failed(Reason::Unsupported);
    desk.policy.handle_answer(id, failed, desk.clock.now());
    check(&desk.events(), &[(1, "unsupported", None, true)]);
    assert!(desk.policy.is_idle());
}

#[test]
fn a_second_request_with_the_same_key_replaces_the_first() {
    let mut desk = Desk::new(config(false));
    desk.ask(1, Initiator::Local, query(Protocol::Udp, HERE, THERE));
    let request = desk.request().unwrap();
    desk.land(&request, &[]);
    // The second request came before the caller read the answer to the first.
    desk.ask(
        1,
        Initiator::Local,
        query(Protocol::Udp, "10.0.0.2:7", THERE),
    );
    check(&desk.events(), &[]);
    let heard = desk.answer(&[udp("10.0.0.2:7", "b")]);
    check(&heard, &[(1, "b", LOCAL, true)]);
}

#[test]
fn a_clock_that_was_set_back_clears_all_snapshots() {
    let mut desk = Desk::new(config(false));
    for waiter in 0..2 {
        desk.pass(ms(10));
        desk.ask(
            waiter,
            Initiator::Remote,
            query(Protocol::Udp, SERVER, THERE),
        );
        desk.answer(&[udp(SERVER, "server")]);
    }
    let inside = ms(20);
    desk.ask(2, Initiator::Local, query(Protocol::Udp, HERE, THERE));
    let id = desk.request().unwrap().id;
    let snapshot = Snapshot::new(Source::Scripted, wall(ms(1)), wall(ms(2)), Vec::new());
    let facts = TableAnswer::Snapshot(Arc::new(snapshot));
    desk.policy.handle_answer(id, facts, desk.clock.now());
    let asked = query(Protocol::Udp, SERVER, ELSEWHERE);
    let lookup = desk.ask_late(3, Initiator::Remote, asked, inside);
    assert_eq!(lookup, Lookup::Pending);
    assert_eq!(desk.policy.statistics().remembered, 0);
    assert_eq!(desk.policy.statistics().cached, 0);
}
