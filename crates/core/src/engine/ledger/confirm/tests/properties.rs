//! Sockets that change hands while packets, answers and confirmations come in any order.

use proptest::prelude::*;

use super::*;

/// What happens in a world with one socket's ends, and the processes that have it.
#[derive(Debug, Clone)]
enum Step {
    /// So much later a packet is sent, or received.
    Packet(u64, bool),
    /// The socket is closed, and another process binds its ends; whether the system reports the closing,
    /// and how much later.
    Reuse(Option<u64>),
    /// Another process gets the socket, and the first one closes its own.
    Pass,
    /// So many packets are sent, and the socket is passed on, before they are looked at.
    Late(u64),
    /// Time passes without a packet.
    Silence(u64),
    /// From now on there is time for confirmations, or not.
    Budget(bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (prop_oneof![0..3_u64, 5..30_u64, 90..300_u64], any::<bool>())
            .prop_map(|(after, is_local)| Step::Packet(after, is_local)),
        2 => proptest::option::of(0..20_u64).prop_map(Step::Reuse),
        2 => Just(Step::Pass),
        2 => (1..5_u64).prop_map(Step::Late),
        2 => (0..200_u64).prop_map(Step::Silence),
        1 => any::<bool>().prop_map(Step::Budget),
    ]
}

/// Who has the socket, and what the ledger were told.
struct World {
    ledger: TestLedger,
    now: Duration,
    holder: u32,
    /// Who had it when the newest packet was sent.
    sender: u32,
    socket: u64,
    has_budget: bool,
    /// Each packet, and who sent it.
    sent: Vec<(PacketRef, u32)>,
}

impl World {
    /// What is found out about claims now.
    fn confirm(&mut self) {
        for claim in self.ledger.claims() {
            let (_, known) = claim.ends[0].clone().expect("it was named");
            let answer = match known.verdict.processes() {
                _ if !self.has_budget => Confirmed::Unanswered,
                [process] if process.pid == self.holder => Confirmed::Same,
                _ => Confirmed::Changed,
            };
            let answers = [answer, Confirmed::Unknown];
            let (ledger, effects) = (&mut self.ledger.inner, &mut self.ledger.effects);
            ledger.confirmed(&claim, answers, self.now, effects);
        }
    }

    /// The sender of the first packet of a flow is found at once.
    fn answer(&mut self) {
        while let Some(waiter) = self.ledger.asked() {
            let found = owner(self.sender, self.socket, self.now);
            self.ledger.answer(waiter, found);
        }
    }

    fn hand_over(&mut self) {
        self.holder += 1;
    }

    fn step(&mut self, step: &Step, next: Option<&Step>) {
        match step {
            Step::Packet(after, is_local) => {
                self.now += ms(*after);
                let packet = packet(self.now, *is_local);
                let belonging = self.ledger.packet(&packet);
                self.sent.push((belonging, self.holder));
                self.sender = self.holder;
                self.answer();
                // The socket may change hands before the packet is looked at.
                if matches!(next, Some(Step::Pass)) {
                    self.hand_over();
                }
                self.confirm();
                self.answer();
            }
            Step::Reuse(told) => {
                let old = self.socket;
                self.socket += 1;
                self.hand_over();
                if let Some(after) = told {
                    let closed = closed(old, self.now + ms(*after));
                    self.ledger.inner.sockets_closed(&closed);
                }
            }
            Step::Pass => self.hand_over(),
            Step::Late(count) => {
                let times: Vec<_> = (0..*count).map(|place| self.now + ms(place)).collect();
                self.now += ms(*count);
                self.sender = self.holder;
                self.hand_over();
                for time in times {
                    let belonging = self.ledger.packet(&packet(time, true));
                    self.sent.push((belonging, self.sender));
                    self.answer();
                    self.confirm();
                    self.answer();
                }
            }
            Step::Silence(after) => {
                self.now += ms(*after);
                let (ledger, effects) = (&mut self.ledger.inner, &mut self.ledger.effects);
                ledger.confirm_due(self.now, effects);
                self.confirm();
            }
            Step::Budget(has) => self.has_budget = *has,
        }
    }
}

proptest! {
    /// No packet is ever credited to a process that did not have the socket when it was sent, and
    /// none is lost: whenever sockets change hands, however little time there is to find that out,
    /// and also when the flow is over before.
    #[test]
    fn nobody_gets_what_is_not_theirs(
        steps in proptest::collection::vec(any_step(), 1..80),
        is_over in any::<bool>(),
    ) {
        let mut world = World {
            ledger: TestLedger::new(),
            now: ms(1_000),
            holder: 1,
            sender: 1,
            socket: 1,
            has_budget: true,
            sent: Vec::new(),
        };
        let everything = Selection::default();
        for (place, step) in steps.iter().enumerate() {
            world.step(step, steps.get(place + 1));
        }
        if is_over {
            // What is silent is looked at, if there is time for it, before it is over.
            world.step(&Step::Silence(20), None);
            let (ledger, effects) = (&mut world.ledger.inner, &mut world.ledger.effects);
            ledger.advance(world.now + Duration::from_secs(3_600), effects);
        }
        let flows = world.ledger.inner.flows();
        let total: u64 = flows.iter().map(|flow| flow.total().packets).sum();
        prop_assert_eq!(total, world.sent.len() as u64);
        // A flow that is open may still turn out to have changed; what is certain does not.
        for (belonging, sender) in &world.sent {
            let known = world.ledger.inner.known(*belonging, &everything).expect("it is listed");
            let ends = known.owners.iter().flatten();
            let named = ends.flat_map(|owner| owner.ownership.verdict.processes());
            for process in named {
                let is_open = !known.is_settled;
                prop_assert!(is_open || process.pid == *sender, "{belonging:?} of {sender}");
            }
        }
        // What packets tell and what flows tell is the same.
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
