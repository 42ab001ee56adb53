//! Flows whose sockets change hands.

mod accepted;
mod executed;
mod held;
mod portless;
mod properties;

use std::sync::Arc;

use flowner_attribution::capture::ClosedSocket;
use flowner_attribution::{Evidence, Match, Process, Reason, SocketId, Source, Token, Verdict};
use flowner_flows::TcpFlags;

use super::*;
use crate::engine::ledger::tests::two_ends::{HERE, ledger, ms, packet};
use crate::engine::ledger::wall_clock;
use crate::model::flow::FlowRecord;
use crate::model::packet_ref::PacketRef;
use crate::model::selection::Selection;

/// A process that holds a socket, observed at that time.
fn owner(pid: u32, socket: u64, observed: Duration) -> Ownership {
    Ownership::new(
        Verdict::Process(Arc::new(Process::new(pid, format!("p{pid}")))),
        {
            let mut evidence = Evidence::new(
                Some(Match::LocalEndpoint),
                wall_clock(observed),
                Source::Scripted,
            );
            evidence.socket = SocketId::own(socket);
            evidence
        },
    )
}

fn closed(socket: u64, at: Duration) -> Closed {
    let mut closed = Closed::default();
    let socket = SocketId::own(socket).unwrap();
    let one = ClosedSocket::new(socket, wall_clock(at));
    closed
        .sockets
        .push(one.with_ends(HERE.parse().unwrap(), None));
    closed
}

/// A ledger, with its requests since the test last read them.
struct TestLedger {
    inner: Ledger,
    effects: Vec<Effect>,
}

impl TestLedger {
    fn new() -> Self {
        Self {
            inner: ledger(),
            effects: Vec::new(),
        }
    }

    fn packet(&mut self, packet: &Packet) -> PacketRef {
        self.inner.packet(packet, &mut self.effects).unwrap()
    }

    fn asked(&mut self) -> Option<Token> {
        let asked = |effect: &Effect| match effect {
            Effect::Ask(waiter, _) => Some(*waiter),
            _ => None,
        };
        let asked = self.effects.iter().find_map(asked);
        self.effects
            .retain(|effect| !matches!(effect, Effect::Ask(..)));
        asked
    }

    fn claims(&mut self) -> Vec<Claim> {
        let mut claims = Vec::new();
        for effect in self.effects.drain(..) {
            if let Effect::Confirm(claim) = effect {
                claims.push(*claim);
            }
        }
        claims
    }

    fn answer(&mut self, waiter: Token, ownership: Ownership) {
        self.inner
            .answer(waiter, ownership, true, &mut self.effects);
    }

    /// Answers the confirmations that the newest packet started.
    fn confirm(&mut self, answer: Confirmed) -> usize {
        let claims = self.claims();
        for claim in &claims {
            let answers = [answer, Confirmed::Unknown];
            let at = self.inner.now();
            self.inner.confirmed(claim, answers, at, &mut self.effects);
        }
        claims.len()
    }

    /// The owners of the flows and their packets, in the order in which the flows opened.
    fn flows(&self) -> Vec<(String, u64)> {
        let mut flows = self.inner.flows();
        flows.sort_by_key(|flow| flow.id);
        let owner = |flow: &FlowRecord| {
            let owner = flow.owner.as_ref();
            owner.map_or_else(String::new, |owner| owner.verdict.to_string())
        };
        let told = flows.iter().map(|flow| (owner(flow), flow.total().packets));
        told.collect()
    }

    #[track_caller]
    fn check(&self, expected: &[(&str, u64)]) {
        let expected = expected
            .iter()
            .map(|(who, count)| ((*who).to_owned(), *count));
        assert_eq!(self.flows(), expected.collect::<Vec<_>>());
    }
}

const CHANGED: &str = "the owner changed about then";

/// Three packets of process 1. No confirmation covers the last one.
fn begun() -> TestLedger {
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(900), true));
    let waiter = ledger.asked().unwrap();
    ledger.answer(waiter, owner(1, 1, ms(900)));
    // Until the ledger knows that no other process had the port.
    for check in 1..=u64::from(REPORT_CHECKS) {
        ledger
            .inner
            .confirm_due(ms(900 + 10 * check), &mut ledger.effects);
    }
    assert_eq!(ledger.confirm(Confirmed::Same), 0);
    // After a silence, the ledger confirms again.
    ledger.packet(&packet(ms(1_020), true));
    assert_eq!(ledger.confirm(Confirmed::Same), 1);
    ledger.packet(&packet(ms(1_021), false));
    assert_eq!(ledger.confirm(Confirmed::Same), 0);
    ledger
}

#[test]
fn what_is_uncertain_belongs_to_neither() {
    let mut ledger = begun();
    ledger.packet(&packet(ms(1_040), true));
    assert_eq!(ledger.confirm(Confirmed::Changed), 1);
    ledger.check(&[("p1 (1)", 2), (CHANGED, 2)]);
    // The next packet starts a new lookup, about the same connection.
    ledger.packet(&packet(ms(1_041), true));
    let waiter = ledger.asked().unwrap();
    ledger.answer(waiter, owner(2, 2, ms(1_041)));
    ledger.check(&[("p1 (1)", 2), (CHANGED, 2), ("p2 (2)", 1)]);
}

#[test]
fn what_came_after_the_socket_was_closed_is_the_next_ones() {
    for answer in [Confirmed::Changed, Confirmed::Gone, Confirmed::Unknown] {
        let mut ledger = begun();
        ledger.inner.sockets_closed(&closed(1, ms(1_030)));
        ledger.packet(&packet(ms(1_031), true));
        let waiter = {
            assert_eq!(ledger.confirm(answer), 1, "without a silence");
            ledger.asked().unwrap()
        };
        ledger.answer(waiter, owner(2, 2, ms(1_031)));
        ledger.check(&[("p1 (1)", 2), (CHANGED, 1), ("p2 (2)", 1)]);
    }
    // A packet from before the socket was closed may belong to either process.
    let mut ledger = begun();
    ledger.inner.sockets_closed(&closed(1, ms(1_050)));
    ledger.packet(&packet(ms(1_040), true));
    assert_eq!(ledger.confirm(Confirmed::Gone), 1);
    ledger.check(&[("p1 (1)", 4)]);
    ledger.packet(&packet(ms(1_060), true));
    assert_eq!(ledger.confirm(Confirmed::Changed), 1);
    ledger.check(&[("p1 (1)", 2), (CHANGED, 2), ("", 1)]);
}

/// The capture missed the end of one connection and the opening of the next one. The sequence
/// numbers show only that segments are missing: later packets may belong to either.
#[test]
fn segments_that_are_missing_may_be_the_end_of_a_connection() {
    let segment = |time, is_local, flags, sequence, payload_len| Packet {
        protocol: Protocol::TCP,
        tcp: Some(flowner_flows::Tcp::new(flags, sequence)),
        payload_len,
        ..packet(ms(time), is_local)
    };
    let (syn, ack) = (TcpFlags::SYN, TcpFlags::ACK);
    for (answer, is_another) in [
        (Confirmed::Same, false),
        (Confirmed::Changed, true),
        (Confirmed::Gone, true),
        (Confirmed::Closed, true),
    ] {
        let mut ledger = TestLedger::new();
        ledger.packet(&segment(1_000, true, syn, 0, 0));
        let waiter = ledger.asked().unwrap();
        ledger.answer(waiter, owner(1, 1, ms(1_000)));
        ledger.packet(&segment(1_021, true, ack, 1, 100));
        assert_eq!(ledger.confirm(Confirmed::Same), 1);
        ledger.packet(&segment(1_022, true, ack, 101, 100));
        // Incoming segments may be out of order.
        ledger.packet(&segment(1_022, false, ack, 1, 100));
        ledger.packet(&segment(1_022, false, ack, 301, 100));
        assert_eq!(ledger.confirm(Confirmed::Same), 0);
        ledger.packet(&segment(1_023, true, ack, 301, 100));
        assert_eq!(ledger.confirm(answer), 1);
        if is_another {
            ledger.check(&[("p1 (1)", 2), (CHANGED, 4)]);
        } else {
            ledger.check(&[("p1 (1)", 6)]);
        }
        // A confirmation that found out nothing does not count as one that found the same owner.
        if is_another {
            continue;
        }
        ledger.packet(&segment(1_024, true, ack, 901, 100));
        assert_eq!(ledger.confirm(Confirmed::Unanswered), 1);
        ledger.packet(&segment(1_025, true, ack, 1_001, 100));
        ledger.packet(&segment(1_026, true, TcpFlags::RST, 1_101, 0));
        ledger.inner.advance(ms(100_000), &mut ledger.effects);
        let flows = ledger.flows();
        assert_eq!(flows[0], ("p1 (1)".to_owned(), 6));
        assert!(
            flows[1..].iter().all(|(who, _)| !who.starts_with('p')),
            "{flows:?}"
        );
    }
}

#[test]
fn a_flow_that_falls_silent_is_confirmed_without_a_packet() {
    let mut ledger = begun();
    assert_eq!(ledger.inner.next_due(), Some(ms(1_031)));
    ledger.inner.confirm_due(ms(1_030), &mut ledger.effects);
    assert_eq!(ledger.confirm(Confirmed::Same), 0);
    ledger.inner.confirm_due(ms(1_031), &mut ledger.effects);
    assert_eq!(ledger.confirm(Confirmed::Same), 1);
    assert_eq!(ledger.inner.next_due(), None);
    ledger.packet(&packet(ms(1_040), true));
    ledger.confirm(Confirmed::Changed);
    ledger.check(&[("p1 (1)", 3), (CHANGED, 1)]);
}

/// One packet of process 1, whose socket then closed, and one of the next process with the port.
fn handed_over() -> TestLedger {
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.asked().unwrap();
    ledger.answer(waiter, owner(1, 1, ms(1_000)));
    ledger.packet(&packet(ms(1_002), true));
    assert_eq!(ledger.confirm(Confirmed::Same), 0);
    ledger
}

#[test]
fn a_port_that_two_sockets_had_is_neithers_when_both_are_closed() {
    // No process has the port any more: only the closed sockets show that there were two.
    for told_late in [false, true] {
        let mut ledger = handed_over();
        let close = |ledger: &mut TestLedger| {
            ledger.inner.sockets_closed(&closed(1, ms(1_001)));
            ledger.inner.sockets_closed(&closed(2, ms(1_004)));
        };
        if !told_late {
            close(&mut ledger);
        }
        ledger.inner.confirm_due(ms(1_012), &mut ledger.effects);
        assert_eq!(ledger.confirm(Confirmed::Gone), usize::from(told_late));
        if told_late {
            close(&mut ledger);
            let due = ledger.inner.next_due().unwrap();
            ledger.inner.confirm_due(due, &mut ledger.effects);
            assert_eq!(ledger.confirm(Confirmed::Gone), 0);
        }
        ledger.check(&[("p1 (1)", 1), (CHANGED, 1)]);
    }
}

#[test]
fn what_a_closed_socket_sent_stays_its_own_where_no_other_had_the_port() {
    let mut ledger = handed_over();
    ledger.inner.sockets_closed(&closed(1, ms(1_005)));
    // A socket that was closed before that.
    ledger.inner.sockets_closed(&closed(7, ms(900)));
    ledger.inner.confirm_due(ms(1_012), &mut ledger.effects);
    assert_eq!(ledger.confirm(Confirmed::Gone), 1);
    while let Some(due) = ledger.inner.next_due() {
        ledger.inner.confirm_due(due, &mut ledger.effects);
        assert_eq!(ledger.confirm(Confirmed::Gone), 0);
    }
    ledger.check(&[("p1 (1)", 2)]);
}

#[test]
fn a_socket_that_is_open_shares_nothing_with_others_that_are_closed() {
    let mut ledger = begun();
    ledger.inner.sockets_closed(&closed(2, ms(1_025)));
    ledger.inner.confirm_due(ms(1_031), &mut ledger.effects);
    assert_eq!(ledger.confirm(Confirmed::Same), 1);
    ledger.check(&[("p1 (1)", 3)]);
}

#[test]
fn the_next_one_on_a_port_gets_nothing_of_the_one_before() {
    // Both sockets existed before the lookup, which finds the second one.
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.asked().unwrap();
    ledger.packet(&packet(ms(1_002), true));
    ledger.answer(waiter, owner(2, 2, ms(1_003)));
    ledger.inner.sockets_closed(&closed(1, ms(1_001)));
    ledger.inner.confirm_due(ms(1_012), &mut ledger.effects);
    ledger.confirm(Confirmed::Same);
    ledger.check(&[(CHANGED, 2)]);
}

#[test]
fn a_silent_flow_is_looked_at_again_when_there_is_time() {
    let mut ledger = handed_over();
    let mut looks = 0;
    while let Some(due) = ledger.inner.next_due() {
        ledger.inner.confirm_due(due, &mut ledger.effects);
        let is_time = looks + 1 == usize::from(MAX_LOOKS);
        let answer = [Confirmed::Unknown, Confirmed::Changed][usize::from(is_time)];
        looks += ledger.confirm(answer);
    }
    assert_eq!(looks, usize::from(MAX_LOOKS));
    ledger.check(&[("p1 (1)", 1), (CHANGED, 1)]);
}

#[test]
fn without_time_nothing_is_confirmed_and_nothing_taken_back() {
    let mut ledger = begun();
    for time in [1_040, 1_060, 1_080] {
        ledger.packet(&packet(ms(time), true));
        assert_eq!(ledger.confirm(Confirmed::Unknown), 1);
    }
    ledger.check(&[("p1 (1)", 6)]);
    ledger.packet(&packet(ms(1_100), true));
    assert_eq!(ledger.confirm(Confirmed::Same), 1);
    ledger.packet(&packet(ms(1_120), true));
    ledger.confirm(Confirmed::Changed);
    ledger.check(&[("p1 (1)", 7), (CHANGED, 1)]);
}

#[test]
fn what_came_while_somebody_looked_is_uncertain() {
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.asked().unwrap();
    ledger.packet(&packet(ms(1_005), true));
    ledger.answer(waiter, owner(1, 1, ms(1_002)));
    ledger.packet(&packet(ms(1_006), true));
    assert_eq!(ledger.confirm(Confirmed::Changed), 1);
    ledger.check(&[(CHANGED, 3)]);
    // A late answer to that lookup gives the flow no owner.
    ledger.answer(waiter, owner(1, 1, ms(1_002)));
    ledger.check(&[(CHANGED, 3)]);
}

#[test]
fn a_later_answer_about_another_socket_takes_nothing() {
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.asked().unwrap();
    let first = owner(1, 1, ms(1_000));
    ledger
        .inner
        .answer(waiter, first, false, &mut ledger.effects);
    let mut second = owner(2, 2, ms(1_100));
    second.evidence.matched = Some(Match::FiveTuple);
    ledger.answer(waiter, second);
    ledger.check(&[("p1 (1)", 1)]);
}

#[test]
fn a_socket_that_was_not_there_yet_gets_nothing_of_before() {
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), false));
    let waiter = ledger.asked().unwrap();
    let seen_at = wall_clock(ms(1_001));
    let nobody = Ownership::unknown(Reason::NotFound, seen_at, Source::Scripted);
    let effects = &mut ledger.effects;
    ledger.inner.answer(waiter, nobody, false, effects);
    ledger.packet(&packet(ms(2_000), false));
    ledger.answer(waiter, owner(1, 1, ms(2_001)));
    ledger.packet(&packet(ms(2_001), false));
    assert_eq!(ledger.asked(), None);
    ledger.packet(&packet(ms(3_000), false));
    let waiter = ledger.asked().unwrap();
    ledger.answer(waiter, owner(1, 1, ms(3_000)));
    ledger.check(&[("no such socket was found", 3), ("p1 (1)", 1)]);
}

#[test]
fn a_connection_changes_hands_and_goes_on() {
    let mut ledger = TestLedger::new();
    let tcp = |time, flags, sequence| Packet {
        protocol: Protocol::TCP,
        tcp: Some(flowner_flows::Tcp::new(flags, sequence)),
        ..packet(ms(time), true)
    };
    ledger.packet(&tcp(1_000, TcpFlags::SYN, 1));
    let waiter = ledger.asked().unwrap();
    ledger.answer(waiter, owner(1, 1, ms(1_000)));
    ledger.packet(&tcp(1_200, TcpFlags::ACK, 2));
    assert_eq!(ledger.confirm(Confirmed::Changed), 1);
    ledger.packet(&tcp(1_201, TcpFlags::ACK, 2));
    let waiter = ledger.asked().unwrap();
    ledger.answer(waiter, owner(2, 1, ms(1_201)));
    ledger.check(&[("p1 (1)", 1), (CHANGED, 1), ("p2 (2)", 1)]);
    // These are segments of the same connection.
    let flows = ledger.inner.flows();
    let last = flows.iter().find(|flow| flow.ended.is_none()).unwrap();
    assert_eq!(last.state, flowner_flows::State::Established);
}

/// Anybody can send a reset with a wrong sequence number, which the kernel ignores.
#[test]
fn a_connection_that_goes_on_after_a_reset_is_confirmed() {
    let mut ledger = TestLedger::new();
    let tcp = |time, is_local, flags, payload_len| Packet {
        protocol: Protocol::TCP,
        tcp: Some(flowner_flows::Tcp {
            acknowledgment: 8,
            ..flowner_flows::Tcp::new(flags, 7)
        }),
        payload_len,
        ..packet(ms(time), is_local)
    };
    ledger.packet(&tcp(1_000, true, TcpFlags::SYN, 0));
    let waiter = ledger.asked().unwrap();
    ledger.answer(waiter, owner(1, 1, ms(1_000)));
    for end in [TcpFlags::RST | TcpFlags::ACK, TcpFlags::FIN] {
        ledger.packet(&tcp(1_001, false, end, 0));
    }
    // Segments that the kernel sends after the end start no confirmation.
    ledger.packet(&tcp(1_100, true, TcpFlags::ACK, 0));
    assert_eq!(ledger.confirm(Confirmed::Same), 0);
    ledger.packet(&tcp(1_101, true, TcpFlags::ACK, 60));
    assert_eq!(ledger.confirm(Confirmed::Same), 1);
    // The ledger confirms the packets before the next confirmation when the flow is silent.
    ledger.packet(&tcp(1_102, true, TcpFlags::ACK, 60));
    ledger.inner.confirm_due(ms(1_112), &mut ledger.effects);
    assert_eq!(ledger.confirm(Confirmed::Same), 1);
    ledger.packet(&tcp(1_300, true, TcpFlags::ACK, 60));
    assert_eq!(ledger.confirm(Confirmed::Changed), 1);
    ledger.packet(&tcp(1_301, true, TcpFlags::ACK, 60));
    let waiter = ledger.asked().unwrap();
    let mut next = owner(2, 1, ms(1_301));
    next.evidence.matched = Some(Match::FiveTuple);
    ledger.answer(waiter, next);
    ledger.check(&[("p1 (1)", 6), (CHANGED, 1), ("p2 (2)", 1)]);
}

/// A process that gets a connection may send all its data at once, before the next confirmation.
#[test]
fn the_first_data_after_a_silence_is_confirmed() {
    let mut ledger = TestLedger::new();
    let tcp = |time, is_local, flags, payload_len| Packet {
        protocol: Protocol::TCP,
        tcp: Some(flowner_flows::Tcp::new(flags, 7)),
        payload_len,
        ..packet(ms(time), is_local)
    };
    ledger.packet(&tcp(1_000, true, TcpFlags::SYN, 0));
    let waiter = ledger.asked().unwrap();
    ledger.answer(waiter, owner(1, 1, ms(1_000)));
    ledger.packet(&tcp(1_001, false, TcpFlags::SYN | TcpFlags::ACK, 0));
    ledger.packet(&tcp(1_002, true, TcpFlags::ACK, 60));
    // The kernel acknowledges by itself.
    ledger.packet(&tcp(1_012, false, TcpFlags::ACK, 0));
    assert_eq!(ledger.confirm(Confirmed::Same), 0);
    ledger.packet(&tcp(1_030, true, TcpFlags::ACK, 60));
    assert_eq!(ledger.confirm(Confirmed::Same), 1);
    ledger.packet(&tcp(1_031, true, TcpFlags::ACK, 60));
    assert_eq!(ledger.confirm(Confirmed::Same), 0);
    ledger.packet(&tcp(1_041, true, TcpFlags::ACK, 60));
    assert_eq!(ledger.confirm(Confirmed::Changed), 1);
    ledger.check(&[("p1 (1)", 5), (CHANGED, 2)]);
}

/// How a flow ends.
#[derive(Clone, Copy)]
enum Finally {
    /// It ends because no more packets come.
    Over,
    /// The capture ends, while the flow is live.
    CaptureEnds,
}

impl TestLedger {
    fn end(&mut self, finally: Finally) {
        match finally {
            Finally::Over => {
                let over = self.inner.now() + Duration::from_secs(3_600);
                self.inner.advance(over, &mut self.effects);
            }
            Finally::CaptureEnds => self.inner.end_unconfirmed(&mut self.effects),
        }
    }
}

/// A process passes its socket on while there is no time for confirmations.
#[test]
fn what_was_not_confirmed_for_want_of_time_names_nobody() {
    for finally in [Finally::Over, Finally::CaptureEnds] {
        check_unconfirmed(finally);
    }
}

fn check_unconfirmed(finally: Finally) {
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.asked().unwrap();
    ledger.answer(waiter, owner(1, 1, ms(1_000)));
    ledger.packet(&packet(ms(1_200), true));
    assert_eq!(ledger.confirm(Confirmed::Same), 1);
    for time in [1_400, 1_600] {
        let newest = ledger.packet(&packet(ms(time), true));
        assert_eq!(ledger.confirm(Confirmed::Unanswered), 1);
        // A recording waits for that only for a limited time.
        let known = ledger.inner.known(newest, &Selection::default()).unwrap();
        let [source, _] = known.owners;
        let verdict = source.unwrap().ownership.verdict;
        assert_eq!(verdict, Verdict::Unknown(Reason::Failed));
    }
    ledger.end(finally);
    ledger.check(&[("p1 (1)", 2), ("the lookup failed", 2)]);
}

/// On a busy host, the lookup for a packet may come so late that the socket is closed by then.
#[test]
fn what_was_looked_at_too_late_names_nobody() {
    for finally in [Finally::Over, Finally::CaptureEnds] {
        check_too_late(finally);
    }
}

fn check_too_late(finally: Finally) {
    for (late, answer, rest) in [
        (9, Confirmed::Gone, None),
        (10, Confirmed::Gone, Some("the lookup failed")),
        (10, Confirmed::Closed, Some("the lookup failed")),
        // If a table never shows closed sockets, a late lookup makes no difference.
        (10, Confirmed::Unknown, None),
        (10, Confirmed::Same, None),
    ] {
        let mut ledger = TestLedger::new();
        ledger.packet(&packet(ms(1_000), true));
        let waiter = ledger.asked().unwrap();
        ledger.answer(waiter, owner(1, 1, ms(1_000)));
        ledger.packet(&packet(ms(1_200), true));
        let claims = ledger.claims();
        assert_eq!(claims.len(), 1);
        let (at, effects) = (ms(1_200 + late), &mut ledger.effects);
        let answers = [answer, Confirmed::Unknown];
        ledger.inner.confirmed(&claims[0], answers, at, effects);
        ledger.end(finally);
        match rest {
            Some(rest) => ledger.check(&[("p1 (1)", 1), (rest, 1)]),
            None => ledger.check(&[("p1 (1)", 2)]),
        }
    }
}

/// A later confirmation removes every doubt.
#[test]
fn what_was_confirmed_later_is_certain() {
    for finally in [Finally::Over, Finally::CaptureEnds] {
        check_confirmed_later(finally);
    }
}

fn check_confirmed_later(finally: Finally) {
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.asked().unwrap();
    ledger.answer(waiter, owner(1, 1, ms(1_000)));
    for (time, answer) in [(1_200, Confirmed::Unanswered), (1_400, Confirmed::Same)] {
        ledger.packet(&packet(ms(time), true));
        assert_eq!(ledger.confirm(answer), 1);
    }
    ledger.end(finally);
    ledger.check(&[("p1 (1)", 3)]);
}
