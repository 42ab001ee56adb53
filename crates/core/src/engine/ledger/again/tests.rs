//! Flows with a table that cannot tell one socket from the next.

use flowner_attribution::{Evidence, Match};
use flowner_flows::{Packet, TcpFlags};
use proptest::prelude::*;

use super::*;
use crate::engine::ledger::tests::two_ends::{ledger, ms, packet};
use crate::model::flow::FlowRecord;
use crate::model::packet_ref::PacketRef;
use crate::model::selection::Selection;

const CHANGED: &str = "the owner changed about then";
const FAILED: &str = "the lookup failed";

fn segment(time: Duration, is_local: bool, flags: TcpFlags) -> Packet {
    Packet {
        protocol: Protocol::TCP,
        tcp: Some(flowner_flows::Tcp::new(flags, 1)),
        ..packet(time, is_local)
    }
}

fn process(pid: u32) -> Arc<Process> {
    Arc::new(Process::new(pid, format!("p{pid}")))
}

fn named(pid: u32, observed: Duration) -> Ownership {
    Ownership::new(
        Verdict::Process(process(pid)),
        Evidence::new(
            Some(Match::LocalEndpoint),
            wall_clock(observed),
            Source::Portable,
        ),
    )
}

fn nobody(reason: Reason, observed: Duration) -> Ownership {
    Ownership::unknown(reason, wall_clock(observed), Source::Portable)
}

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

    /// The lookups since the last call, and whether each is about a flow with a named owner.
    fn asked(&mut self) -> Vec<(Token, LookupRequest, bool)> {
        let mut asked = Vec::new();
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Ask(waiter, question) => asked.push((waiter, question, false)),
                Effect::AskAgain(waiter, question) => asked.push((waiter, question, true)),
                _ => {}
            }
        }
        asked
    }

    #[track_caller]
    fn only(&mut self, is_again: bool) -> Token {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!(asked[0].2, is_again);
        asked[0].0
    }

    fn answer(&mut self, waiter: Token, ownership: Ownership, last: bool) {
        self.inner
            .answer(waiter, ownership, last, &mut self.effects);
    }

    #[track_caller]
    fn check(&self, expected: &[(&str, u64)]) {
        let mut flows = self.inner.flows();
        flows.sort_by_key(|flow| flow.id);
        let of = |flow: &FlowRecord| {
            let owner = flow.owner.as_ref();
            let owner = owner.map_or_else(String::new, |owner| owner.verdict.to_string());
            (owner, flow.total().packets)
        };
        let expected = expected
            .iter()
            .map(|(who, count)| ((*who).to_owned(), *count));
        let told: Vec<_> = flows.iter().map(of).collect();
        assert_eq!(told, expected.collect::<Vec<_>>());
    }
}

#[test]
fn what_lies_between_two_owners_names_nobody() {
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.only(false);
    ledger.answer(waiter, named(1, ms(1_000)), true);
    ledger.packet(&packet(ms(1_010), true));
    assert_eq!(ledger.asked(), []);
    ledger.packet(&packet(ms(1_030), true));
    let waiter = ledger.only(true);
    ledger.packet(&packet(ms(1_031), true));
    ledger.answer(waiter, named(1, ms(1_032)), true);
    ledger.check(&[("p1 (1)", 4)]);
    // Packets from before the lookup are certain as well.
    ledger.packet(&packet(ms(2_000), true));
    let waiter = ledger.only(true);
    ledger.packet(&packet(ms(2_001), false));
    ledger.answer(waiter, named(2, ms(2_002)), true);
    ledger.check(&[("p1 (1)", 4), (CHANGED, 2)]);
    ledger.packet(&packet(ms(2_010), true));
    let waiter = ledger.only(false);
    ledger.answer(waiter, named(2, ms(2_010)), true);
    ledger.check(&[("p1 (1)", 4), (CHANGED, 2), ("p2 (2)", 1)]);
}

#[test]
fn what_was_sent_last_is_asked_about_when_the_flow_is_silent() {
    for is_there in [true, false] {
        let mut ledger = TestLedger::new();
        ledger.packet(&packet(ms(1_000), true));
        let waiter = ledger.only(false);
        ledger.answer(waiter, named(1, ms(1_001)), true);
        ledger.packet(&packet(ms(1_010), false));
        let mut now = ms(1_010);
        for _ in 0..200 {
            let due = ledger.inner.next_due().expect("it is not certain yet");
            now = now.max(due);
            ledger.inner.confirm_due(now, &mut ledger.effects);
            if !ledger.effects.is_empty() {
                break;
            }
        }
        assert!(now >= ms(1_060), "{now:?}");
        let waiter = ledger.only(true);
        if is_there {
            ledger.answer(waiter, named(1, now), true);
            ledger.check(&[("p1 (1)", 2)]);
        } else {
            // The next packet starts another lookup, which finds nothing.
            ledger.answer(waiter, nobody(Reason::NotFound, now), false);
            ledger.check(&[("p1 (1)", 1), (CHANGED, 1)]);
            ledger.inner.advance(now, &mut ledger.effects);
            let is_end = |effect: &Effect| matches!(effect, Effect::End(it) if *it == waiter);
            assert!(ledger.effects.iter().any(is_end));
        }
        ledger.effects.clear();
        ledger.inner.confirm_due(ms(9_000), &mut ledger.effects);
        assert_eq!(ledger.asked(), []);
    }
}

/// A failed lookup proves nothing, and the next packet starts another one.
#[test]
fn a_lookup_that_fails_changes_nothing() {
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.only(false);
    ledger.answer(waiter, named(1, ms(1_000)), true);
    for (time, last) in [(2_000, false), (2_001, true), (4_000, true)] {
        ledger.packet(&packet(ms(time), true));
        let asked = ledger.asked();
        let again = pack(unpack_flow(waiter), End::Local);
        assert_eq!(asked.is_empty(), time == 2_001);
        ledger.answer(again, nobody(Reason::Failed, ms(time)), last);
    }
    ledger.check(&[("p1 (1)", 4)]);
}

fn unpack_flow(waiter: Token) -> FlowId {
    crate::engine::ledger::unpack(waiter).0
}

#[test]
fn a_socket_that_was_there_too_late_is_asked_about_anew() {
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.only(false);
    ledger.packet(&packet(ms(1_040), true));
    ledger.asked();
    ledger.answer(waiter, nobody(Reason::Gone, ms(1_050)), false);
    ledger.packet(&packet(ms(1_060), true));
    let waiter = ledger.only(false);
    ledger.answer(waiter, named(1, ms(1_070)), true);
    let gone = Verdict::Unknown(Reason::Gone).to_string();
    ledger.check(&[(&gone, 2), ("p1 (1)", 1)]);
}

/// No process has the socket: the next packet starts a lookup, and is no reason to cut the flow.
#[test]
fn a_flow_that_nobody_has_is_cut_only_when_somebody_does() {
    let gone = Verdict::Unknown(Reason::Gone).to_string();
    for is_last in [true, false] {
        let mut ledger = TestLedger::new();
        ledger.packet(&packet(ms(1_000), true));
        let mut waiter = ledger.only(false);
        for round in 0..5 {
            let (looked, now) = (ms(1_050 + round * 100), ms(1_100 + round * 100));
            ledger.answer(waiter, nobody(Reason::Gone, looked), is_last);
            ledger.packet(&packet(now, true));
            waiter = ledger.only(false);
            ledger.packet(&packet(now + ms(1), false));
            assert_eq!(ledger.asked(), []);
        }
        ledger.check(&[(&gone, 11)]);
        ledger.answer(waiter, named(1, ms(1_510)), true);
        assert_eq!(ledger.asked(), []);
        ledger.check(&[(&gone, 9), ("p1 (1)", 2)]);
        // All these packets came before the answer. Later packets start another lookup.
        ledger.packet(&packet(ms(2_500), true));
        let waiter = ledger.only(true);
        ledger.answer(waiter, named(2, ms(2_501)), true);
        ledger.check(&[(&gone, 9), ("p1 (1)", 2), (CHANGED, 1)]);
    }
}

/// The lookup came after the first of them, and before the last.
#[test]
fn what_came_while_somebody_looked_anew_is_not_certain() {
    let gone = Verdict::Unknown(Reason::Gone).to_string();
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.only(false);
    ledger.answer(waiter, nobody(Reason::Gone, ms(1_001)), true);
    ledger.packet(&packet(ms(1_100), true));
    let waiter = ledger.only(false);
    ledger.packet(&packet(ms(1_120), true));
    ledger.packet(&packet(ms(2_140), true));
    ledger.answer(waiter, named(1, ms(1_110)), true);
    ledger.check(&[(&gone, 1), ("p1 (1)", 3)]);
    ledger.packet(&packet(ms(3_000), true));
    let waiter = ledger.only(true);
    ledger.answer(waiter, named(2, ms(3_001)), true);
    ledger.check(&[(&gone, 1), ("p1 (1)", 1), (CHANGED, 3)]);
}

/// Such an answer is about the first packets, whose sender is unknown.
#[test]
fn an_answer_from_before_a_flow_was_asked_about_anew_names_nobody() {
    let gone = Verdict::Unknown(Reason::Gone).to_string();
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.only(false);
    ledger.answer(waiter, nobody(Reason::Gone, ms(1_001)), false);
    ledger.packet(&packet(ms(1_100), true));
    let anew = ledger.only(false);
    ledger.answer(waiter, named(1, ms(1_050)), true);
    ledger.check(&[(&gone, 2)]);
    ledger.answer(anew, named(2, ms(1_101)), true);
    ledger.check(&[(&gone, 1), ("p2 (2)", 1)]);
}

#[test]
fn a_connection_is_its_owners_until_somebody_else_has_it() {
    let mut ledger = TestLedger::new();
    ledger.packet(&segment(ms(1_000), true, TcpFlags::SYN));
    let waiter = ledger.only(false);
    ledger.answer(waiter, named(1, ms(1_001)), true);
    ledger.packet(&segment(ms(1_200), true, TcpFlags::ACK));
    let waiter = ledger.only(true);
    ledger.answer(waiter, nobody(Reason::NotFound, ms(1_201)), true);
    ledger.check(&[("p1 (1)", 2)]);
    ledger.packet(&segment(ms(2_200), true, TcpFlags::ACK));
    let waiter = ledger.only(true);
    ledger.answer(waiter, named(2, ms(2_201)), true);
    ledger.check(&[("p1 (1)", 1), (CHANGED, 2)]);
}

/// The last owner may have passed the connection on after the last answer.
#[test]
fn data_after_the_last_answer_names_no_process_when_a_connection_is_over() {
    for (carries, expected) in [
        (60, &[("p1 (1)", 3), (FAILED, 2)][..]),
        (0, &[("p1 (1)", 5)][..]),
    ] {
        let mut ledger = TestLedger::new();
        ledger.packet(&segment(ms(1_000), true, TcpFlags::SYN));
        let waiter = ledger.only(false);
        ledger.packet(&segment(ms(1_010), true, TcpFlags::ACK));
        ledger.packet(&segment(ms(1_020), true, TcpFlags::ACK));
        // All these packets came before the answer.
        ledger.answer(waiter, named(1, ms(1_001)), true);
        let late = |time, flags| Packet {
            payload_len: carries,
            ..segment(ms(time), true, flags)
        };
        ledger.packet(&late(1_050, TcpFlags::ACK));
        ledger.packet(&late(1_060, TcpFlags::RST));
        ledger.inner.advance(ms(9_000), &mut ledger.effects);
        ledger.check(expected);
    }
}

/// After the capture no further answer comes.
#[test]
fn datagrams_after_the_last_answer_name_no_process_when_the_capture_ends() {
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.only(false);
    ledger.answer(waiter, named(1, ms(1_001)), true);
    ledger.packet(&packet(ms(1_010), true));
    let last = ledger.packet(&packet(ms(2_010), true));
    let known = ledger.inner.known(last, &Selection::default()).unwrap();
    let owner = known.owners[0].as_ref().unwrap();
    assert_eq!(
        owner.ownership.verdict,
        Verdict::Unknown(Reason::Failed),
        "a recording does not name the owner without a proof"
    );
    ledger.check(&[("p1 (1)", 3)]);
    for _ in 0..2 {
        ledger.inner.end_unconfirmed(&mut ledger.effects);
        ledger.check(&[("p1 (1)", 1), (FAILED, 2)]);
    }
}

/// Several sockets may fit, so that the answer is about none of them. A table that tells sockets
/// apart reports it when one of them is closed.
#[test]
fn an_answer_about_several_sockets_that_can_be_told_apart_names_their_owners_to_the_end() {
    let mut ledger = TestLedger::new();
    ledger.packet(&packet(ms(1_000), true));
    let waiter = ledger.only(false);
    let mut shared = named(1, ms(1_001));
    shared.evidence.source = Source::SockDiag;
    shared.verdict = Verdict::Shared([1, 2].map(process).to_vec());
    ledger.answer(waiter, shared, true);
    let last = ledger.packet(&packet(ms(1_010), true));
    let known = ledger.inner.known(last, &Selection::default()).unwrap();
    let owner = known.owners[0].as_ref().unwrap();
    assert!(owner.ownership.verdict.is_named());
    ledger.inner.end_unconfirmed(&mut ledger.effects);
    ledger.check(&[("p1 (1), p2 (2)", 2)]);
}

/// Anybody can send a segment to a port at which a process has connections.
#[test]
fn a_segment_without_a_connection_is_nobodys_until_this_end_has_answered() {
    let mut ledger = TestLedger::new();
    ledger.packet(&segment(ms(1_000), false, TcpFlags::ACK));
    let waiter = ledger.only(false);
    ledger.answer(waiter, named(1, ms(1_001)), true);
    let unknown = Verdict::Unknown(Reason::NotFound).to_string();
    ledger.check(&[(&unknown, 1)]);
    ledger.packet(&segment(ms(1_002), false, TcpFlags::ACK));
    assert_eq!(ledger.asked(), []);
    ledger.packet(&segment(ms(1_003), true, TcpFlags::ACK));
    let waiter = ledger.only(false);
    ledger.answer(waiter, named(1, ms(1_004)), true);
    ledger.check(&[("p1 (1)", 3)]);
    // The kernel refuses what it has no connection for.
    let mut ledger = TestLedger::new();
    ledger.packet(&segment(ms(1_000), false, TcpFlags::ACK));
    let waiter = ledger.only(false);
    ledger.packet(&segment(ms(1_000), true, TcpFlags::RST));
    ledger.answer(waiter, named(1, ms(1_001)), true);
    let flows = ledger.inner.flows();
    let is_named = |flow: &FlowRecord| flow.owner.as_ref().is_some_and(|it| it.verdict.is_named());
    assert!(!flows.iter().any(is_named), "{flows:?}");
}

/// An event in a world with one port, and the processes that have it.
#[derive(Debug, Clone)]
enum Step {
    /// After this time, the host sends (or receives) a packet.
    Packet(u64, bool),
    /// Another process has the port from now on, or none has.
    HandOver(bool),
    /// The table lists all sockets, or fails.
    Look(bool),
    /// Time passes without a packet.
    Silence(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (prop_oneof![0..3_u64, 5..30_u64, 90..300_u64], any::<bool>())
            .prop_map(|(after, is_local)| Step::Packet(after, is_local)),
        3 => any::<bool>().prop_map(Step::HandOver),
        8 => prop::bool::weighted(0.9).prop_map(Step::Look),
        2 => (0..200_u64).prop_map(Step::Silence),
    ]
}

/// The holders of the port, and the state of the ledger.
struct World {
    ledger: TestLedger,
    now: Duration,
    /// The holders with the time since which each has it; 0 for none.
    holders: Vec<(Duration, u32)>,
    looks: Vec<(Duration, u32)>,
    waiting: Vec<(Token, LookupRequest)>,
    sent: Vec<(PacketRef, u32)>,
}

impl World {
    fn holder_at(&self, time: Duration) -> u32 {
        let mut holders = self.holders.iter().rev();
        holders
            .find(|(since, _)| *since <= time)
            .map_or(0, |it| it.1)
    }

    fn take_questions(&mut self) {
        let asked = self.ledger.asked();
        for (waiter, question, _) in asked {
            self.waiting.retain(|(other, _)| *other != waiter);
            self.waiting.push((waiter, question));
        }
    }

    /// The answer of the policy from a list.
    fn answer(&mut self, question: &LookupRequest) -> Ownership {
        let holder = self.holder_at(self.now);
        let seen_at = question.packet_time.duration_since(UNIX_EPOCH).unwrap();
        let before = self.looks.iter().rev().find(|(at, _)| *at <= seen_at);
        // No process gets a port back that it had before.
        let is_proven = before.is_some_and(|(_, before)| *before == holder);
        let is_soon = self.now <= seen_at + ms(20) && self.holder_at(seen_at) == holder;
        if holder == 0 {
            nobody(Reason::NotFound, self.now)
        } else if is_proven || is_soon {
            named(holder, self.now)
        } else {
            nobody(Reason::Gone, self.now)
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Packet(after, is_local) => {
                self.now += ms(1 + *after);
                let belonging = self.ledger.packet(&packet(self.now, *is_local));
                self.sent.push((belonging, self.holder_at(self.now)));
            }
            Step::HandOver(is_free) => {
                self.now += ms(1);
                let next = 1 + u32::try_from(self.holders.len()).unwrap();
                self.holders
                    .push((self.now, if *is_free { 0 } else { next }));
                self.now += ms(1);
            }
            Step::Look(is_read) => {
                self.now += ms(1);
                for (waiter, question) in std::mem::take(&mut self.waiting) {
                    let (answer, last) = if *is_read {
                        let answer = self.answer(&question);
                        let last = answer.verdict.is_named();
                        (answer, last)
                    } else {
                        (nobody(Reason::Failed, self.now), false)
                    };
                    if !last {
                        self.waiting.push((waiter, question));
                    }
                    self.ledger.answer(waiter, answer, last);
                }
                if *is_read {
                    self.looks.push((self.now, self.holder_at(self.now)));
                }
                self.now += ms(1);
            }
            Step::Silence(after) => {
                self.now += ms(*after);
                let (ledger, effects) = (&mut self.ledger.inner, &mut self.ledger.effects);
                ledger.confirm_due(self.now, effects);
            }
        }
        let ended = self
            .ledger
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::End(waiter) => Some(*waiter),
                _ => None,
            });
        let ended: Vec<_> = ended.collect();
        self.waiting.retain(|(waiter, _)| !ended.contains(waiter));
        self.take_questions();
    }
}

/// Checks that each packet with a named owner names its sender.
fn check_senders(world: &World) -> Result<(), TestCaseError> {
    let everything = Selection::default();
    for (packet, sender) in &world.sent {
        let known = world.ledger.inner.known(*packet, &everything);
        let known = known.expect("it is listed");
        let ends = known.owners.iter().flatten();
        for process in ends.flat_map(|owner| owner.ownership.verdict.processes()) {
            prop_assert_eq!(process.pid, *sender, "{:?} of {}", packet, sender);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whenever a port changes hands, and whenever the lookups read the table: the ledger never
    /// credits a packet to a process that did not have the port when the packet was sent, and loses
    /// no packet.
    #[test]
    fn nobody_gets_what_is_not_theirs(steps in proptest::collection::vec(any_step(), 1..80)) {
        let mut world = World {
            ledger: TestLedger::new(),
            now: ms(1_000),
            holders: vec![(Duration::ZERO, 1)],
            looks: vec![(ms(999), 1)],
            waiting: Vec::new(),
            sent: Vec::new(),
        };
        for step in &steps {
            world.step(step);
        }
        check_senders(&world)?;
        world.ledger.inner.end_unconfirmed(&mut world.ledger.effects);
        check_senders(&world)?;
        let flows = world.ledger.inner.flows();
        let total: u64 = flows.iter().map(|flow| flow.total().packets).sum();
        prop_assert_eq!(total, world.sent.len() as u64);
        let mut by_flow = std::collections::HashMap::new();
        for (belonging, _) in &world.sent {
            let id = world.ledger.inner.flow_with(*belonging).expect("it is listed").0.id();
            *by_flow.entry(id).or_insert(0_u64) += 1;
        }
        for flow in &flows {
            prop_assert_eq!(by_flow.get(&flow.id).copied(), Some(flow.total().packets));
        }
    }
}
