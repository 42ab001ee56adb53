//! Flows whose sockets change hands.

mod accepted;
mod properties;

use std::sync::Arc;

use flowner_attribution::capture::ClosedSocket;
use flowner_attribution::{Evidence, Match, Process, SocketId, Token, Verdict};
use flowner_flows::TcpFlags;

use super::*;
use crate::engine::ledger::tests::two_ends::{HERE, ledger, ms, packet};
use crate::model::flow::FlowRecord;
use crate::model::packet_ref::PacketRef;
use crate::model::selection::Selection;

/// A process that holds a socket, seen then.
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

/// Books with what is asked of them since it was looked at last.
struct Books {
    ledger: Ledger,
    effects: Vec<Effect>,
}

impl Books {
    fn new() -> Self {
        Self {
            ledger: ledger(),
            effects: Vec::new(),
        }
    }

    fn packet(&mut self, packet: &Packet) -> PacketRef {
        self.ledger.packet(packet, &mut self.effects)
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
        self.ledger
            .answer(waiter, ownership, true, &mut self.effects);
    }

    /// Answers what is asked with the newest packet.
    fn confirm(&mut self, answer: Confirmed) -> usize {
        let claims = self.claims();
        for claim in &claims {
            let answers = [answer, Confirmed::Unknown];
            let at = self.ledger.now();
            self.ledger.confirmed(claim, answers, at, &mut self.effects);
        }
        claims.len()
    }

    /// Who the flows are said to be of, and their packets, in the order of opening.
    fn flows(&self) -> Vec<(String, u64)> {
        let mut flows = self.ledger.flows();
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

/// Three packets of process 1, the last of them not confirmed.
fn begun() -> Books {
    let mut books = Books::new();
    books.packet(&packet(ms(1_000), true));
    let waiter = books.asked().unwrap();
    books.answer(waiter, owner(1, 1, ms(1_000)));
    // That nobody else had the port is looked at twice.
    for due in [1_010, 1_020] {
        books.ledger.confirm_due(ms(due), &mut books.effects);
    }
    assert_eq!(books.confirm(Confirmed::Same), 0);
    // After a silence it is asked again.
    books.packet(&packet(ms(1_020), true));
    assert_eq!(books.confirm(Confirmed::Same), 1);
    books.packet(&packet(ms(1_021), false));
    assert_eq!(books.confirm(Confirmed::Same), 0);
    books
}

#[test]
fn what_is_uncertain_belongs_to_neither() {
    let mut books = begun();
    books.packet(&packet(ms(1_040), true));
    assert_eq!(books.confirm(Confirmed::Changed), 1);
    books.check(&[("p1 (1)", 2), (CHANGED, 2)]);
    // What comes then is asked about anew, of the same connection.
    books.packet(&packet(ms(1_041), true));
    let waiter = books.asked().unwrap();
    books.answer(waiter, owner(2, 2, ms(1_041)));
    books.check(&[("p1 (1)", 2), (CHANGED, 2), ("p2 (2)", 1)]);
}

#[test]
fn what_came_after_the_socket_was_closed_is_the_next_ones() {
    for answer in [Confirmed::Changed, Confirmed::Gone, Confirmed::Unknown] {
        let mut books = begun();
        books.ledger.sockets_closed(&closed(1, ms(1_030)));
        books.packet(&packet(ms(1_031), true));
        let waiter = {
            assert_eq!(books.confirm(answer), 1, "without a silence");
            books.asked().unwrap()
        };
        books.answer(waiter, owner(2, 2, ms(1_031)));
        books.check(&[("p1 (1)", 2), (CHANGED, 1), ("p2 (2)", 1)]);
    }
    // One that was sent before it was closed may be of either.
    let mut books = begun();
    books.ledger.sockets_closed(&closed(1, ms(1_050)));
    books.packet(&packet(ms(1_040), true));
    assert_eq!(books.confirm(Confirmed::Gone), 1);
    books.check(&[("p1 (1)", 4)]);
    books.packet(&packet(ms(1_060), true));
    assert_eq!(books.confirm(Confirmed::Changed), 1);
    books.check(&[("p1 (1)", 2), (CHANGED, 2), ("", 1)]);
}

/// Neither the end of one connection nor the opening of the next one was captured, only that segments
/// are missing: what comes then may be of either.
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
        let mut books = Books::new();
        books.packet(&segment(1_000, true, syn, 0, 0));
        let waiter = books.asked().unwrap();
        books.answer(waiter, owner(1, 1, ms(1_000)));
        books.packet(&segment(1_021, true, ack, 1, 100));
        assert_eq!(books.confirm(Confirmed::Same), 1);
        books.packet(&segment(1_022, true, ack, 101, 100));
        // What arrives may be out of order.
        books.packet(&segment(1_022, false, ack, 1, 100));
        books.packet(&segment(1_022, false, ack, 301, 100));
        assert_eq!(books.confirm(Confirmed::Same), 0);
        books.packet(&segment(1_023, true, ack, 301, 100));
        assert_eq!(books.confirm(answer), 1);
        if is_another {
            books.check(&[("p1 (1)", 2), (CHANGED, 4)]);
        } else {
            books.check(&[("p1 (1)", 6)]);
        }
        // A time when nothing could be found out is none in which it was the same.
        if is_another {
            continue;
        }
        books.packet(&segment(1_024, true, ack, 901, 100));
        assert_eq!(books.confirm(Confirmed::Unanswered), 1);
        books.packet(&segment(1_025, true, ack, 1_001, 100));
        books.packet(&segment(1_026, true, TcpFlags::RST, 1_101, 0));
        books.ledger.advance(ms(100_000), &mut books.effects);
        let flows = books.flows();
        assert_eq!(flows[0], ("p1 (1)".to_owned(), 6));
        assert!(
            flows[1..].iter().all(|(who, _)| !who.starts_with('p')),
            "{flows:?}"
        );
    }
}

#[test]
fn a_flow_that_falls_silent_is_confirmed_without_a_packet() {
    let mut books = begun();
    assert_eq!(books.ledger.next_due(), Some(ms(1_031)));
    books.ledger.confirm_due(ms(1_030), &mut books.effects);
    assert_eq!(books.confirm(Confirmed::Same), 0);
    books.ledger.confirm_due(ms(1_031), &mut books.effects);
    assert_eq!(books.confirm(Confirmed::Same), 1);
    assert_eq!(books.ledger.next_due(), None);
    books.packet(&packet(ms(1_040), true));
    books.confirm(Confirmed::Changed);
    books.check(&[("p1 (1)", 3), (CHANGED, 1)]);
}

/// One packet of process 1, whose socket was closed then, and one of whoever had the port next.
fn handed_over() -> Books {
    let mut books = Books::new();
    books.packet(&packet(ms(1_000), true));
    let waiter = books.asked().unwrap();
    books.answer(waiter, owner(1, 1, ms(1_000)));
    books.packet(&packet(ms(1_002), true));
    assert_eq!(books.confirm(Confirmed::Same), 0);
    books
}

#[test]
fn a_port_that_two_sockets_had_is_neithers_when_both_are_closed() {
    // Nobody has the port any more: only what was closed tells that there were two.
    for told_late in [false, true] {
        let mut books = handed_over();
        let close = |books: &mut Books| {
            books.ledger.sockets_closed(&closed(1, ms(1_001)));
            books.ledger.sockets_closed(&closed(2, ms(1_004)));
        };
        if !told_late {
            close(&mut books);
        }
        books.ledger.confirm_due(ms(1_012), &mut books.effects);
        assert_eq!(books.confirm(Confirmed::Gone), usize::from(told_late));
        if told_late {
            close(&mut books);
            let due = books.ledger.next_due().unwrap();
            books.ledger.confirm_due(due, &mut books.effects);
            assert_eq!(books.confirm(Confirmed::Gone), 0);
        }
        books.check(&[("p1 (1)", 1), (CHANGED, 1)]);
    }
}

#[test]
fn what_a_closed_socket_sent_stays_its_own_where_no_other_had_the_port() {
    let mut books = handed_over();
    books.ledger.sockets_closed(&closed(1, ms(1_005)));
    // One of before that.
    books.ledger.sockets_closed(&closed(7, ms(900)));
    books.ledger.confirm_due(ms(1_012), &mut books.effects);
    assert_eq!(books.confirm(Confirmed::Gone), 1);
    while let Some(due) = books.ledger.next_due() {
        books.ledger.confirm_due(due, &mut books.effects);
        assert_eq!(books.confirm(Confirmed::Gone), 0);
    }
    books.check(&[("p1 (1)", 2)]);
}

#[test]
fn a_socket_that_is_open_shares_nothing_with_others_that_are_closed() {
    let mut books = begun();
    books.ledger.sockets_closed(&closed(2, ms(1_025)));
    books.ledger.confirm_due(ms(1_031), &mut books.effects);
    assert_eq!(books.confirm(Confirmed::Same), 1);
    books.check(&[("p1 (1)", 3)]);
}

#[test]
fn the_next_one_on_a_port_gets_nothing_of_the_one_before() {
    // Both were there before the lookup, which finds the second one.
    let mut books = Books::new();
    books.packet(&packet(ms(1_000), true));
    let waiter = books.asked().unwrap();
    books.packet(&packet(ms(1_002), true));
    books.answer(waiter, owner(2, 2, ms(1_003)));
    books.ledger.sockets_closed(&closed(1, ms(1_001)));
    books.ledger.confirm_due(ms(1_012), &mut books.effects);
    books.confirm(Confirmed::Same);
    books.check(&[(CHANGED, 2)]);
}

#[test]
fn a_silent_flow_is_looked_at_again_when_there_is_time() {
    let mut books = handed_over();
    let mut looks = 0;
    while let Some(due) = books.ledger.next_due() {
        books.ledger.confirm_due(due, &mut books.effects);
        let is_time = looks + 1 == usize::from(MAX_LOOKS);
        let answer = [Confirmed::Unknown, Confirmed::Changed][usize::from(is_time)];
        looks += books.confirm(answer);
    }
    assert_eq!(looks, usize::from(MAX_LOOKS));
    books.check(&[("p1 (1)", 1), (CHANGED, 1)]);
}

#[test]
fn without_time_nothing_is_confirmed_and_nothing_taken_back() {
    let mut books = begun();
    for time in [1_040, 1_060, 1_080] {
        books.packet(&packet(ms(time), true));
        assert_eq!(books.confirm(Confirmed::Unknown), 1);
    }
    books.check(&[("p1 (1)", 6)]);
    books.packet(&packet(ms(1_100), true));
    assert_eq!(books.confirm(Confirmed::Same), 1);
    books.packet(&packet(ms(1_120), true));
    books.confirm(Confirmed::Changed);
    books.check(&[("p1 (1)", 7), (CHANGED, 1)]);
}

#[test]
fn what_came_while_somebody_looked_is_uncertain() {
    let mut books = Books::new();
    books.packet(&packet(ms(1_000), true));
    let waiter = books.asked().unwrap();
    books.packet(&packet(ms(1_005), true));
    books.answer(waiter, owner(1, 1, ms(1_002)));
    books.packet(&packet(ms(1_006), true));
    assert_eq!(books.confirm(Confirmed::Changed), 1);
    books.check(&[(CHANGED, 3)]);
    // A late answer for that question does not make it somebody's.
    books.answer(waiter, owner(1, 1, ms(1_002)));
    books.check(&[(CHANGED, 3)]);
}

#[test]
fn a_later_answer_about_another_socket_takes_nothing() {
    let mut books = Books::new();
    books.packet(&packet(ms(1_000), true));
    let waiter = books.asked().unwrap();
    let first = owner(1, 1, ms(1_000));
    books
        .ledger
        .answer(waiter, first, false, &mut books.effects);
    let mut second = owner(2, 2, ms(1_100));
    second.evidence.matched = Some(Match::FiveTuple);
    books.answer(waiter, second);
    books.check(&[("p1 (1)", 1)]);
}

#[test]
fn a_socket_that_was_not_there_yet_gets_nothing_of_before() {
    let mut books = Books::new();
    books.packet(&packet(ms(1_000), false));
    let waiter = books.asked().unwrap();
    let seen_at = wall_clock(ms(1_001));
    let nobody = Ownership::unknown(Reason::NotFound, seen_at, Source::Scripted);
    let effects = &mut books.effects;
    books.ledger.answer(waiter, nobody, false, effects);
    books.packet(&packet(ms(2_000), false));
    books.answer(waiter, owner(1, 1, ms(2_001)));
    books.packet(&packet(ms(2_001), false));
    assert_eq!(books.asked(), None);
    books.packet(&packet(ms(3_000), false));
    let waiter = books.asked().unwrap();
    books.answer(waiter, owner(1, 1, ms(3_000)));
    books.check(&[("no such socket was found", 3), ("p1 (1)", 1)]);
}

#[test]
fn a_connection_changes_hands_and_goes_on() {
    let mut books = Books::new();
    let tcp = |time, flags, sequence| Packet {
        protocol: Protocol::TCP,
        tcp: Some(flowner_flows::Tcp::new(flags, sequence)),
        ..packet(ms(time), true)
    };
    books.packet(&tcp(1_000, TcpFlags::SYN, 1));
    let waiter = books.asked().unwrap();
    books.answer(waiter, owner(1, 1, ms(1_000)));
    books.packet(&tcp(1_200, TcpFlags::ACK, 2));
    assert_eq!(books.confirm(Confirmed::Changed), 1);
    books.packet(&tcp(1_201, TcpFlags::ACK, 2));
    let waiter = books.asked().unwrap();
    books.answer(waiter, owner(2, 1, ms(1_201)));
    books.check(&[("p1 (1)", 1), (CHANGED, 1), ("p2 (2)", 1)]);
    // It is no other connection.
    let flows = books.ledger.flows();
    let last = flows.iter().find(|flow| flow.ended.is_none()).unwrap();
    assert_eq!(last.state, flowner_flows::State::Established);
}

/// Anybody can send a reset with a wrong sequence number, which the kernel ignores.
#[test]
fn a_connection_that_goes_on_after_a_reset_is_confirmed() {
    let mut books = Books::new();
    let tcp = |time, is_local, flags, payload_len| Packet {
        protocol: Protocol::TCP,
        tcp: Some(flowner_flows::Tcp {
            acknowledgment: 8,
            ..flowner_flows::Tcp::new(flags, 7)
        }),
        payload_len,
        ..packet(ms(time), is_local)
    };
    books.packet(&tcp(1_000, true, TcpFlags::SYN, 0));
    let waiter = books.asked().unwrap();
    books.answer(waiter, owner(1, 1, ms(1_000)));
    for end in [TcpFlags::RST | TcpFlags::ACK, TcpFlags::FIN] {
        books.packet(&tcp(1_001, false, end, 0));
    }
    // What the kernel sends after the end costs nothing.
    books.packet(&tcp(1_100, true, TcpFlags::ACK, 0));
    assert_eq!(books.confirm(Confirmed::Same), 0);
    books.packet(&tcp(1_101, true, TcpFlags::ACK, 60));
    assert_eq!(books.confirm(Confirmed::Same), 1);
    // What comes before the next confirmation is looked at when it is silent.
    books.packet(&tcp(1_102, true, TcpFlags::ACK, 60));
    books.ledger.confirm_due(ms(1_112), &mut books.effects);
    assert_eq!(books.confirm(Confirmed::Same), 1);
    books.packet(&tcp(1_300, true, TcpFlags::ACK, 60));
    assert_eq!(books.confirm(Confirmed::Changed), 1);
    books.packet(&tcp(1_301, true, TcpFlags::ACK, 60));
    let waiter = books.asked().unwrap();
    let mut next = owner(2, 1, ms(1_301));
    next.evidence.matched = Some(Match::FiveTuple);
    books.answer(waiter, next);
    books.check(&[("p1 (1)", 6), (CHANGED, 1), ("p2 (2)", 1)]);
}

/// Who gets a connection may send all there is at once, before the next confirmation is due.
#[test]
fn the_first_data_after_a_silence_is_confirmed() {
    let mut books = Books::new();
    let tcp = |time, is_local, flags, payload_len| Packet {
        protocol: Protocol::TCP,
        tcp: Some(flowner_flows::Tcp::new(flags, 7)),
        payload_len,
        ..packet(ms(time), is_local)
    };
    books.packet(&tcp(1_000, true, TcpFlags::SYN, 0));
    let waiter = books.asked().unwrap();
    books.answer(waiter, owner(1, 1, ms(1_000)));
    books.packet(&tcp(1_001, false, TcpFlags::SYN | TcpFlags::ACK, 0));
    books.packet(&tcp(1_002, true, TcpFlags::ACK, 60));
    // The kernel acknowledges by itself.
    books.packet(&tcp(1_012, false, TcpFlags::ACK, 0));
    assert_eq!(books.confirm(Confirmed::Same), 0);
    books.packet(&tcp(1_030, true, TcpFlags::ACK, 60));
    assert_eq!(books.confirm(Confirmed::Same), 1);
    books.packet(&tcp(1_031, true, TcpFlags::ACK, 60));
    assert_eq!(books.confirm(Confirmed::Same), 0);
    books.packet(&tcp(1_041, true, TcpFlags::ACK, 60));
    assert_eq!(books.confirm(Confirmed::Changed), 1);
    books.check(&[("p1 (1)", 5), (CHANGED, 2)]);
}

/// A flow whose socket is passed on while there is no time for confirmations, and that is over
/// then.
#[test]
fn what_was_not_confirmed_for_want_of_time_names_nobody() {
    let mut books = Books::new();
    books.packet(&packet(ms(1_000), true));
    let waiter = books.asked().unwrap();
    books.answer(waiter, owner(1, 1, ms(1_000)));
    books.packet(&packet(ms(1_200), true));
    assert_eq!(books.confirm(Confirmed::Same), 1);
    for time in [1_400, 1_600] {
        books.packet(&packet(ms(time), true));
        assert_eq!(books.confirm(Confirmed::Unanswered), 1);
    }
    let over = ms(1_600) + Duration::from_secs(3_600);
    books.ledger.advance(over, &mut books.effects);
    books.check(&[("p1 (1)", 2), ("the lookup failed", 2)]);
}

/// On a busy host a packet may wait for the look that is due with it, until the socket is closed.
#[test]
fn what_was_looked_at_too_late_names_nobody() {
    for (late, answer, rest) in [
        (9, Confirmed::Gone, None),
        (10, Confirmed::Gone, Some("the lookup failed")),
        (10, Confirmed::Closed, Some("the lookup failed")),
        // A table that never tells does not make a look that would have told it late.
        (10, Confirmed::Unknown, None),
        (10, Confirmed::Same, None),
    ] {
        let mut books = Books::new();
        books.packet(&packet(ms(1_000), true));
        let waiter = books.asked().unwrap();
        books.answer(waiter, owner(1, 1, ms(1_000)));
        books.packet(&packet(ms(1_200), true));
        let claims = books.claims();
        assert_eq!(claims.len(), 1);
        let (at, effects) = (ms(1_200 + late), &mut books.effects);
        let answers = [answer, Confirmed::Unknown];
        books.ledger.confirmed(&claims[0], answers, at, effects);
        let over = ms(1_200) + Duration::from_secs(3_600);
        books.ledger.advance(over, &mut books.effects);
        match rest {
            Some(rest) => books.check(&[("p1 (1)", 1), (rest, 1)]),
            None => books.check(&[("p1 (1)", 2)]),
        }
    }
}

/// Nothing is in doubt where another confirmation came after that.
#[test]
fn what_was_confirmed_later_is_certain() {
    let mut books = Books::new();
    books.packet(&packet(ms(1_000), true));
    let waiter = books.asked().unwrap();
    books.answer(waiter, owner(1, 1, ms(1_000)));
    for (time, answer) in [(1_200, Confirmed::Unanswered), (1_400, Confirmed::Same)] {
        books.packet(&packet(ms(time), true));
        assert_eq!(books.confirm(answer), 1);
    }
    let over = ms(1_400) + Duration::from_secs(3_600);
    books.ledger.advance(over, &mut books.effects);
    books.check(&[("p1 (1)", 3)]);
}
