//! Connections of two processes in turn, from one port to one server.

use std::sync::Arc;

use flowner_attribution::{Evidence, Process, SocketId, Token};
use flowner_flows::Tcp;
use proptest::prelude::*;

use super::*;
use crate::engine::ledger::tests::two_ends::{ledger, ms, packet};
use crate::engine::ledger::{Effect, wall_clock};
use crate::model::event::Event;
use crate::model::flow::FlowRecord;

const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;
const RST: TcpFlags = TcpFlags::RST;

struct TestLedger {
    inner: Ledger,
    effects: Vec<Effect>,
    closed: Vec<FlowRecord>,
}

impl TestLedger {
    fn new() -> Self {
        Self {
            inner: ledger(),
            effects: Vec::new(),
            closed: Vec::new(),
        }
    }

    /// A segment of the connection with that number; who is asked for with it.
    fn segment(
        &mut self,
        time: Duration,
        is_local: bool,
        flags: TcpFlags,
        number: u32,
    ) -> Option<Token> {
        let tcp = Tcp::new(flags, number * 1_000);
        let segment = Packet {
            protocol: Protocol::TCP,
            tcp: Some(tcp),
            payload_len: 0,
            ..packet(time, is_local)
        };
        self.inner.packet(&segment, &mut self.effects);
        self.asked()
    }

    fn asked(&mut self) -> Option<Token> {
        let mut asked = None;
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Ask(waiter, _) => asked = Some(waiter),
                Effect::Tell(event) => {
                    if let Event::FlowClosed(record) = *event {
                        self.closed.push(record);
                    }
                }
                _ => {}
            }
        }
        asked
    }

    fn answer(&mut self, waiter: Token, ownership: Ownership, last: bool) {
        self.inner
            .answer(waiter, ownership, last, &mut self.effects);
        let _asked_more = self.asked();
    }

    /// Who is named for each connection, in the order of opening.
    fn owners(&self) -> Vec<String> {
        let mut flows = self.inner.flows();
        flows.sort_by_key(|flow| flow.id);
        flows.iter().map(owner_of).collect()
    }
}

fn owner_of(flow: &FlowRecord) -> String {
    let owner = flow.owner.as_ref();
    owner.map_or_else(String::new, |owner| owner.verdict.to_string())
}

/// A process that holds the socket of both ends, which a lookup found within that time.
fn owner(pid: u32, matched: Match, (observed, found): (Duration, Duration)) -> Ownership {
    let process = Arc::new(Process::new(pid, format!("p{pid}")));
    let mut evidence = Evidence::new(Some(matched), wall_clock(observed), Source::Scripted);
    evidence.socket = SocketId::own(u64::from(pid));
    evidence.found_by = Some(wall_clock(found));
    Ownership::new(Verdict::Process(process), evidence)
}

fn by_ends(pid: u32, from: u64, to: u64) -> Ownership {
    owner(pid, Match::FiveTuple, (ms(from), ms(to)))
}

const CHANGED: &str = "the owner changed about then";
const GONE: &str = "the process exited, or closed the socket, before its owner could be read";

#[test]
fn an_answer_from_after_the_next_syn_is_taken_back() {
    // The answer comes before that SYN is read, or after it; the connection was reset, or not.
    for (is_late, has_reset) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut ledger = TestLedger::new();
        let first = ledger.segment(ms(1_000), true, SYN, 1).unwrap();
        // The kernel has the second socket by then.
        let wrong = by_ends(2, 1_003, 1_003);
        if !is_late {
            ledger.answer(first, wrong.clone(), true);
        }
        if has_reset {
            ledger.segment(ms(1_001), true, RST, 1);
        }
        let second = ledger.segment(ms(1_002), true, SYN, 2).unwrap();
        if is_late {
            ledger.answer(first, wrong, true);
        }
        ledger.answer(second, by_ends(2, 1_003, 1_003), true);
        assert_eq!(
            ledger.owners(),
            [CHANGED, "p2 (2)"],
            "{is_late} {has_reset}"
        );
        let closed: Vec<_> = ledger.closed.iter().map(owner_of).collect();
        assert_eq!(closed, [CHANGED]);
    }
}

#[test]
fn a_socket_is_found_before_its_syn_is_sent() {
    let mut ledger = TestLedger::new();
    let first = ledger.segment(ms(1_000), true, SYN, 1).unwrap();
    ledger.segment(ms(1_001), true, ACK, 1);
    ledger.answer(first, by_ends(2, 1_003, 1_004), true);
    ledger.segment(ms(1_002), true, RST, 1);
    ledger.segment(ms(1_005), true, SYN, 2);
    assert_eq!(ledger.owners(), [CHANGED, ""]);
}

#[test]
fn what_the_end_sends_after_the_lookup_proves_it() {
    let mut ledger = TestLedger::new();
    let first = ledger.segment(ms(1_000), true, SYN, 1).unwrap();
    ledger.answer(first, by_ends(1, 1_001, 1_002), false);
    ledger.segment(ms(1_002), true, ACK, 1);
    ledger.segment(ms(1_003), true, RST, 1);
    let second = ledger.segment(ms(1_004), true, SYN, 2).unwrap();
    // A later answer proves less, and the first one stays.
    ledger.answer(first, by_ends(2, 1_005, 1_005), true);
    ledger.answer(second, by_ends(2, 1_005, 1_005), true);
    assert_eq!(ledger.owners(), ["p1 (1)", "p2 (2)"]);
    // What the other end sends proves nothing, and neither does a reset.
    for (is_local, flags) in [(false, ACK), (true, RST)] {
        let mut ledger = TestLedger::new();
        let first = ledger.segment(ms(1_000), true, SYN, 1).unwrap();
        ledger.answer(first, by_ends(2, 1_001, 1_002), true);
        ledger.segment(ms(1_003), is_local, flags, 1);
        ledger.segment(ms(1_004), true, SYN, 2);
        assert_eq!(ledger.owners(), [CHANGED, ""]);
    }
}

#[test]
fn without_another_connection_soon_the_answer_stays() {
    let mut ledger = TestLedger::new();
    let first = ledger.segment(ms(1_000), true, SYN, 1).unwrap();
    ledger.answer(first, by_ends(1, 1_001, 1_002), true);
    // Sent again; refused; and sent again after that.
    ledger.segment(ms(2_000), true, SYN, 1);
    ledger.segment(ms(2_001), false, RST, 1);
    ledger.segment(ms(2_500), true, SYN, 1);
    assert_eq!(ledger.owners(), ["p1 (1)"]);
    ledger.segment(ms(9_000), true, SYN, 2);
    assert_eq!(ledger.owners(), ["p1 (1)", ""]);
}

#[test]
fn a_socket_that_is_found_after_a_reset_is_anothers() {
    let mut ledger = TestLedger::new();
    let first = ledger.segment(ms(1_000), true, SYN, 1).unwrap();
    ledger.segment(ms(1_001), true, RST, 1);
    // Its SYN is never read: the capture ends.
    ledger.answer(first, by_ends(2, 1_002, 1_002), true);
    assert_eq!(ledger.owners(), [GONE]);
}

#[test]
fn a_listener_serves_the_next_connection_too() {
    let mut ledger = TestLedger::new();
    let first = ledger.segment(ms(1_000), false, SYN, 1).unwrap();
    let listener = owner(1, Match::LocalEndpoint, (ms(1_002), ms(1_002)));
    ledger.answer(first, listener.clone(), true);
    let second = ledger.segment(ms(1_001), false, SYN, 2).unwrap();
    ledger.answer(second, listener, true);
    assert_eq!(ledger.owners(), ["p1 (1)", "p1 (1)"]);
}

/// The SYN of the second connection was not captured: its numbers tell that it is another one.
#[test]
fn a_connection_without_its_syn_is_another_one() {
    let mut ledger = TestLedger::new();
    let first = ledger.segment(ms(1_000), true, SYN, 1).unwrap();
    ledger.answer(first, by_ends(1, 1_001, 1_002), true);
    ledger.segment(ms(1_002), true, ACK, 1);
    ledger.segment(ms(1_003), true, RST, 1);
    let second = ledger.segment(ms(1_004), true, ACK, 2).unwrap();
    ledger.answer(second, by_ends(2, 1_005, 1_006), true);
    assert_eq!(ledger.owners(), ["p1 (1)", "p2 (2)"]);
    // Who was found after that may be the next one's.
    let mut ledger = TestLedger::new();
    let first = ledger.segment(ms(1_000), true, SYN, 1).unwrap();
    ledger.segment(ms(1_001), true, RST, 1);
    ledger.segment(ms(1_002), true, ACK, 2).unwrap();
    ledger.answer(first, by_ends(2, 1_003, 1_004), true);
    assert_eq!(ledger.owners()[0], CHANGED);
}

/// What the ledger gets.
#[allow(clippy::large_enum_variant, reason = "there are a few, for a test")]
enum Got {
    Segment(Duration, TcpFlags, u32),
    Answer(u32, Ownership),
}

proptest! {
    /// Processes have the ends one after the other, each after a gap and for a time, in
    /// microseconds. A lookup begins some time after the SYN is read, and takes some; segments are
    /// read late. Nobody is named who did not have the connection.
    #[test]
    fn nobody_else_is_named(
        lives in proptest::collection::vec(
            (1..500_u64, 3..2_000_u64, 1..4_000_u64, 0..2_000_u64, 0..4_000_u64),
            1..8,
        ),
        odd in any::<bool>(),
    ) {
        let us = |time: u64| Duration::from_secs(1) + Duration::from_micros(time);
        let mut held: Vec<(u64, u64)> = Vec::new();
        let mut begin = 0;
        for &(gap, length, ..) in &lives {
            held.push((begin + gap, begin + gap + length));
            begin += gap + length;
        }
        let holder = |time: u64| held.iter().position(|(from, to)| (*from..*to).contains(&time));
        let mut got: Vec<(u64, Got)> = Vec::new();
        let mut read = 0;
        for (place, &(_, length, wait, takes, late)) in (0_u32..).zip(&lives) {
            let (from, to) = held[place as usize];
            // The SYN is sent a moment after the socket is there.
            let syn = from + 1;
            let middle = from + length / 2;
            for (time, flags) in [(syn, SYN), (middle.max(syn), ACK), (to, RST)] {
                read = (time + late).max(read);
                got.push((read, Got::Segment(us(time), flags, place + 1)));
                if flags == SYN {
                    let observed = read + wait;
                    let found = observed + takes / (1 + u64::from(odd));
                    if let Some(holder) = holder(found) {
                        let pid = u32::try_from(holder).unwrap_or_default() + 1;
                        let found_by = observed + takes;
                        let told = owner(pid, Match::FiveTuple, (us(observed), us(found_by)));
                        got.push((found_by, Got::Answer(place, told)));
                    }
                }
            }
        }
        got.sort_by_key(|(at, _)| *at);
        let mut ledger = TestLedger::new();
        let mut waiters = Vec::new();
        for (_, one) in got {
            match one {
                Got::Segment(time, flags, number) => {
                    waiters.extend(ledger.segment(time, true, flags, number));
                }
                Got::Answer(place, told) => {
                    let waiter = waiters[place as usize];
                    ledger.answer(waiter, told, true);
                }
            }
        }
        let owners = ledger.owners();
        prop_assert_eq!(owners.len(), lives.len());
        for (place, owner) in owners.iter().enumerate() {
            let own = format!("p{0} ({0})", place + 1);
            prop_assert!(!owner.starts_with('p') || *owner == own, "{:?}", owners);
        }
        for record in &ledger.closed {
            let owner = owner_of(record);
            let is_one = owners.contains(&owner) || !owner.starts_with('p');
            prop_assert!(is_one, "{owner}");
        }
    }
}
