mod properties;
mod translated;
pub(super) mod two_ends;

use std::net::SocketAddr;
use std::sync::Arc;

use flowner_attribution::capture::{Closed, ClosedSocket, Confirmed};
use flowner_attribution::{Evidence, Initiator, Match, Process, SocketId, Verdict};
use flowner_flows::{Origin, Protocol, State, Tcp, TcpFlags};

use super::*;
use crate::model::history::Line;
use crate::model::totals::Group;

const HERE: &str = "10.0.0.1:40000";
const THERE: &str = "10.9.9.9:443";

fn ledger(flows: usize, ended_flows: usize, groups: usize) -> Ledger {
    ledger_asking(OwnerScope::Own, flows, ended_flows, groups)
}

fn ledger_asking(asked: OwnerScope, flows: usize, ended_flows: usize, groups: usize) -> Ledger {
    let limits = Limits {
        flows,
        ended_flows,
        groups,
        events: 0,
    };
    let local = ["10.0.0.1".parse().unwrap()].into_iter().collect();
    Ledger::new(&limits, Some(local), asked, true)
}

fn packet(source: &str, destination: &str, wire_len: u32) -> Packet {
    Packet {
        time: Duration::from_secs(1),
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        protocol: Protocol::UDP,
        wire_len,
        payload_len: 0,
        tcp: None,
        icmp: None,
        fragment: None,
        origin: Origin::Unknown,
        device: None,
    }
}

fn process(pid: u32, matched: Match) -> Ownership {
    Ownership::new(
        Verdict::Process(Arc::new(Process::new(pid, format!("p{pid}")))),
        Evidence::new(Some(matched), UNIX_EPOCH, Source::Scripted),
    )
}

/// Answers all claims with the same.
fn confirm(ledger: &mut Ledger, effects: &mut Vec<Effect>, answers: [Confirmed; 2]) {
    let mut claims = Vec::new();
    effects.retain_mut(|effect| match effect {
        Effect::Confirm(claim) => {
            claims.push(claim.clone());
            false
        }
        _ => true,
    });
    for claim in claims {
        let at = ledger.now();
        ledger.confirmed(&claim, answers, at, effects);
    }
}

fn programs(ledger: &mut Ledger) -> Vec<Group<Principal>> {
    let view = ledger.view(None);
    view.retired.all.programs.and(&view.flows()).groups()
}

/// Bytes by program, as text.
#[track_caller]
fn check_programs(ledger: &mut Ledger, expected: &[(&str, u64)]) {
    let groups = programs(ledger);
    let found: Vec<_> = groups
        .iter()
        .map(|group| {
            let name = group
                .key
                .as_ref()
                .map_or_else(String::new, ToString::to_string);
            (name, group.totals.counted().bytes)
        })
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, bytes)| ((*name).to_owned(), *bytes))
        .collect();
    assert_eq!(found, expected);
}

fn questions(effects: &[Effect]) -> Vec<(Token, LookupRequest)> {
    let questions = effects.iter().filter_map(|effect| match effect {
        Effect::Ask(waiter, question) => Some((*waiter, *question)),
        _ => None,
    });
    questions.collect()
}

#[test]
fn nobody_is_asked_who_sent_what_arrived() {
    let mut ledger = ledger_asking(OwnerScope::All, 10, 10, 10);
    for (origin, direction) in [
        (Origin::Received, Direction::Spoofed),
        (Origin::OtherHost, Direction::Overheard),
    ] {
        let mut effects = Vec::new();
        let packet = Packet {
            origin,
            ..packet("10.0.0.1:5300", "8.8.8.8:53", 100)
        };
        ledger.packet(&packet, &mut effects);
        assert!(
            !effects
                .iter()
                .any(|effect| matches!(effect, Effect::Ask(..)))
        );
        let flows = ledger.flows();
        let flow = flows
            .iter()
            .find(|flow| flow.direction == direction)
            .unwrap();
        let owner = flow.owner.as_ref().unwrap();
        assert_eq!(owner.verdict, Verdict::Unknown(Reason::NotSentHere));
        assert_eq!((flow.sent.bytes, flow.received.bytes), (0, 100));
    }
}

#[test]
fn a_late_answer_moves_all_bytes() {
    let mut ledger = ledger(10, 10, 10);
    let mut effects = Vec::new();
    ledger.packet(&packet(HERE, THERE, 100), &mut effects);
    ledger.packet(&packet(THERE, HERE, 50), &mut effects);
    check_programs(&mut ledger, &[("unknown", 150)]);

    let (waiter, question) = questions(&effects)[0];
    assert_eq!(
        question.query.to_string(),
        format!("udp {HERE} -> {THERE} as sender")
    );
    assert_eq!(question.initiator, Initiator::Local);
    ledger.answer(
        waiter,
        process(7, Match::WildcardAddress),
        false,
        &mut effects,
    );
    check_programs(&mut ledger, &[("p7", 150)]);
    // Better evidence replaces, worse does not.
    ledger.answer(waiter, process(8, Match::FiveTuple), false, &mut effects);
    check_programs(&mut ledger, &[("p8", 150)]);
    ledger.answer(waiter, process(9, Match::LocalEndpoint), true, &mut effects);
    check_programs(&mut ledger, &[("p8", 150)]);
}

#[test]
fn an_answer_reaches_a_flow_that_has_ended() {
    let mut ledger = ledger(1, 1, 10);
    let mut effects = Vec::new();
    ledger.packet(&packet(HERE, THERE, 100), &mut effects);
    let (waiter, _) = questions(&effects)[0];
    ledger.packet(&packet(HERE, "10.9.9.9:1", 7), &mut effects);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::End(w) if *w == waiter))
    );
    ledger.answer(waiter, process(7, Match::FiveTuple), true, &mut effects);
    check_programs(&mut ledger, &[("p7", 100), ("unknown", 7)]);
    // What falls off the list stays in the totals of its owner.
    ledger.packet(&packet(HERE, "10.9.9.9:2", 8), &mut effects);
    assert_eq!(ledger.view(None).retired.all.total.flows, 1);
    check_programs(&mut ledger, &[("p7", 100), ("unknown", 15)]);
}

#[test]
fn both_ends_of_a_loopback_flow_are_asked_for_and_credited() {
    let (client, server) = ("127.0.0.1:40000", "127.0.0.1:53");
    let mut ledger = ledger(10, 10, 10);
    let mut effects = Vec::new();
    ledger.packet(&packet(client, server, 100), &mut effects);
    ledger.packet(&packet(server, client, 1_000), &mut effects);
    let questions = questions(&effects);
    let [(initiator, first), (responder, second)] = questions[..] else {
        panic!("two questions, not {questions:?}");
    };
    assert_eq!(
        (first.initiator, second.initiator),
        (Initiator::Local, Initiator::Remote)
    );
    assert_eq!(
        second.query.to_string(),
        format!("udp {server} -> {client}")
    );
    ledger.answer(initiator, process(1, Match::FiveTuple), true, &mut effects);
    ledger.answer(
        responder,
        process(2, Match::LocalEndpoint),
        true,
        &mut effects,
    );
    // One received what the other sent, and each byte counts once.
    check_programs(&mut ledger, &[("p1", 100), ("p2", 1_000)]);
    let flow = &ledger.flows()[0];
    assert_eq!(flow.remote_owner, Some(process(2, Match::LocalEndpoint)));
}

#[test]
fn every_protocol_is_asked_about_by_what_tells_its_sockets_apart() {
    #[track_caller]
    fn check(protocol: Protocol, ends: [&str; 2], expected: &[&str]) {
        let mut ledger = ledger(10, 10, 10);
        let mut effects = Vec::new();
        let packet = Packet {
            protocol,
            ..packet(ends[0], ends[1], 1)
        };
        ledger.packet(&packet, &mut effects);
        let asked = questions(&effects).into_iter();
        let asked: Vec<_> = asked
            .map(|(_, question)| question.query.to_string())
            .collect();
        assert_eq!(asked, expected);
    }
    let (here, far) = ("10.0.0.1", "10.6.6.6");
    let at = |ip: &str, port: u16| format!("{ip}:{port}");
    let sent = "icmp 10.0.0.1:7 -> 10.6.6.6:0 as sender";
    check(Protocol::ICMP, [&at(here, 7), &at(far, 0)], &[sent]);
    // A reply that comes first, whose request was not seen.
    check(
        Protocol::ICMP,
        [&at(far, 0), &at(here, 7)],
        &["icmp 10.0.0.1:7 -> 10.6.6.6:0 as sender"],
    );
    check(
        Protocol::ICMP,
        [&at(far, 7), &at(here, 0)],
        &["icmp 10.0.0.1:0 -> 10.6.6.6:7"],
    );
    let raw = "raw 10.0.0.1:253 -> 10.6.6.6:253 as sender";
    check(Protocol(253), [&at(here, 0), &at(far, 0)], &[raw]);
    let raw = "raw 10.0.0.1:47 -> 10.6.6.6:47";
    check(Protocol::GRE, [&at(far, 0), &at(here, 0)], &[raw]);
    for (protocol, name) in [
        (Protocol::UDP_LITE, "udplite"),
        (Protocol::SCTP, "sctp"),
        (Protocol::DCCP, "dccp"),
    ] {
        let asked = format!("{name} 10.0.0.1:80 -> 10.6.6.6:5000");
        check(protocol, [&at(far, 5_000), &at(here, 80)], &[&asked]);
    }
}

#[test]
fn nobody_is_asked_where_there_is_nobody_to_ask() {
    let mut ledger = ledger(10, 10, 10);
    let mut effects = Vec::new();
    ledger.packet(&packet("10.5.5.5:1", "10.6.6.6:2", 1), &mut effects);
    assert_eq!(questions(&effects), []);
    let reasons: Vec<_> = ledger
        .flows()
        .into_iter()
        .map(|flow| flow.owner.unwrap().verdict)
        .collect();
    assert_eq!(reasons, [Verdict::Unknown(Reason::Forwarded)]);
    assert!(ledger.take_foreign());
    assert!(!ledger.take_foreign());
}

#[test]
fn both_ends_of_a_flow_may_be_in_containers() {
    let (one, other) = ("10.5.5.5:1", "10.6.6.6:2");
    let unknown = |reason| Ownership::unknown(reason, UNIX_EPOCH, Source::Scripted);
    let forwarded = || unknown(Reason::Forwarded);
    let named = |pid| process(pid, Match::FiveTuple);
    // The answers for both ends, and to whom the 100 bytes of the initiator and the 40 of
    // the other end belong.
    for (answers, programs) in [
        ([named(1), named(2)], &[("p1", 100), ("p2", 40)][..]),
        ([named(1), forwarded()], &[("p1", 140)]),
        ([forwarded(), named(2)], &[("p2", 140)]),
        ([unknown(Reason::NotFound), named(2)], &[("p2", 140)]),
        ([forwarded(), forwarded()], &[("unknown", 140)]),
        (
            [unknown(Reason::OtherNamespace), named(2)],
            &[("p2", 40), ("unknown", 100)],
        ),
    ] {
        let mut ledger = ledger_asking(OwnerScope::All, 10, 10, 10);
        let mut effects = Vec::new();
        ledger.packet(&packet(one, other, 100), &mut effects);
        ledger.packet(&packet(other, one, 40), &mut effects);
        let asked = questions(&effects);
        let locals = asked.iter().map(|(_, it)| it.query.local().to_string());
        assert_eq!(locals.collect::<Vec<_>>(), [one, other]);
        for ((waiter, _), answer) in asked.into_iter().zip(answers) {
            ledger.answer(waiter, answer, true, &mut Vec::new());
        }
        check_programs(&mut ledger, programs);
        let flow = &ledger.flows()[0];
        assert!(!flow.is_waiting && flow.owner.is_some());
    }
}

#[test]
fn events_tell_the_life_of_a_flow() {
    let mut ledger = ledger(10, 10, 10);
    let mut effects = Vec::new();
    let tcp = |source, destination, flags| Packet {
        protocol: Protocol::TCP,
        tcp: Some(Tcp {
            acknowledgment: 1,
            ..Tcp::new(flags, 0)
        }),
        ..packet(source, destination, 60)
    };
    ledger.packet(&tcp(HERE, THERE, TcpFlags::SYN), &mut effects);
    let (waiter, _) = questions(&effects)[0];
    let refusal = tcp(THERE, HERE, TcpFlags::RST | TcpFlags::ACK);
    ledger.packet(&refusal, &mut effects);
    ledger.advance(Duration::from_secs(100), &mut effects);
    ledger.answer(waiter, process(7, Match::FiveTuple), true, &mut effects);
    let told: Vec<String> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Tell(event) => Some(match &**event {
                Event::FlowOpened(_) => "opened".to_owned(),
                Event::ProgramFirstSeen(program) => format!("first {program}"),
                Event::OwnerResolved(_) => "resolved".to_owned(),
                Event::FlowClosed(flow) => {
                    assert_eq!(flow.state, State::Refused);
                    assert!(flow.owner.is_some() && flow.ended.is_some());
                    "closed".to_owned()
                }
                other => format!("{other:?}"),
            }),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["opened", "first p7", "resolved", "closed"]);
}
