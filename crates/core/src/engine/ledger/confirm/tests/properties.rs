//! Sockets that change hands while packets, answers and confirmations come in any order.

use proptest::prelude::*;

use super::*;

/// An event in a world with the ends of one socket, and the processes that have it.
#[derive(Debug, Clone)]
enum Step {
    /// After this time, the host sends (or receives) a packet.
    Packet(u64, bool),
    /// The process closes the socket, and another process binds its ends. Whether the system
    /// reports the closed socket, and how much later.
    Reuse(Option<u64>),
    /// Another process gets the socket, and the first one closes its own.
    Pass,
    /// Another process gets the socket, and all keep it. Whether the new one sends from now on.
    Share(bool),
    /// A search finds all processes that have the socket.
    Search,
    /// The process sends this number of packets and passes the socket on before the lookups.
    Late(u64),
    /// Time passes without a packet.
    Silence(u64),
    /// Whether there is time for confirmations from now on.
    Budget(bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (prop_oneof![0..3_u64, 5..30_u64, 90..300_u64], any::<bool>())
            .prop_map(|(after, is_local)| Step::Packet(after, is_local)),
        2 => proptest::option::of(0..20_u64).prop_map(Step::Reuse),
        2 => Just(Step::Pass),
        1 => any::<bool>().prop_map(Step::Share),
        2 => Just(Step::Search),
        2 => (1..5_u64).prop_map(Step::Late),
        2 => (0..200_u64).prop_map(Step::Silence),
        1 => any::<bool>().prop_map(Step::Budget),
    ]
}

/// The holders of the socket, and the state of the ledger.
struct World {
    ledger: TestLedger,
    now: Duration,
    /// The process that sends.
    holder: u32,
    newest: u32,
    /// All processes that have it, in the order of their ids, and those that a search has found.
    holders: Vec<u32>,
    found: Vec<u32>,
    searched_at: Duration,
    was_shared: bool,
    /// The sender of the newest packet.
    sender: u32,
    socket: u64,
    has_budget: bool,
    /// Each packet, and its sender.
    sent: Vec<(PacketRef, u32)>,
}

impl World {
    /// Answers the claims of the ledger by the present state.
    fn confirm(&mut self) {
        for claim in self.ledger.claims() {
            let (_, known) = claim.ends[0].clone().expect("it was named");
            let named: Vec<_> = known.verdict.processes().iter().map(|it| it.pid).collect();
            let is_alone = self.found.iter().all(|pid| named.contains(pid));
            let is_held = named.iter().all(|pid| self.holders.contains(pid));
            let since = claim.since.duration_since(UNIX_EPOCH).unwrap();
            let answer = match (is_held, is_alone) {
                _ if !self.has_budget => Confirmed::Unanswered,
                (false, _) => Confirmed::Changed,
                (true, false) => Confirmed::Shared,
                (true, true) if self.searched_at > since => Confirmed::Same,
                (true, true) => Confirmed::Held {
                    alone_at: wall_clock(self.searched_at),
                },
            };
            let answers = [answer, Confirmed::Unknown];
            let (ledger, effects) = (&mut self.ledger.inner, &mut self.ledger.effects);
            ledger.confirmed(&claim, answers, self.now, effects);
        }
    }

    /// Answers the first lookup of a flow at once, with the sender of its first packet.
    fn answer(&mut self) {
        while let Some(waiter) = self.ledger.asked() {
            let mut found = owner(self.sender, self.socket, self.now);
            // A lookup finds all processes that have it.
            if let [_, _, ..] = self.holders[..]
                && self.holders.contains(&self.sender)
            {
                self.found.clone_from(&self.holders);
                let all = self.holders.iter();
                let all = all.map(|pid| Arc::new(Process::new(*pid, format!("p{pid}"))));
                found.verdict = Verdict::Shared(all.collect());
            }
            self.ledger.answer(waiter, found);
        }
    }

    fn hand_over(&mut self) {
        self.holder = self.newest + 1;
        self.newest = self.holder;
        self.holders = vec![self.holder];
        self.found.clone_from(&self.holders);
    }

    fn share(&mut self, is_next: bool) {
        self.was_shared = true;
        self.newest += 1;
        self.holders.push(self.newest);
        if is_next {
            self.holder = self.newest;
        }
    }

    fn search(&mut self) {
        // It begins after the newest packet.
        self.now += ms(1);
        self.searched_at = self.now;
        self.found.clone_from(&self.holders);
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
                // The socket may change hands before the lookup for the packet.
                if matches!(next, Some(Step::Pass)) {
                    self.hand_over();
                }
                self.confirm();
                self.answer();
            }
            // If a flow ends before a search, the ledger assumes that the named process was the
            // only one.
            Step::Reuse(_) if self.was_shared => {}
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
            Step::Share(is_next) => self.share(*is_next),
            Step::Search => self.search(),
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
    /// The ledger never credits a packet to a process that did not have the socket when the packet
    /// was sent, and loses none. This holds whenever sockets change hands, however little time
    /// there is to find that out, and also if the flow ends before that.
    #[test]
    fn nobody_gets_what_is_not_theirs(
        steps in proptest::collection::vec(any_step(), 1..80),
        is_over in any::<bool>(),
    ) {
        let mut world = World {
            ledger: TestLedger::new(),
            now: ms(1_000),
            holder: 1,
            newest: 1,
            holders: vec![1],
            found: vec![1],
            searched_at: Duration::ZERO,
            was_shared: false,
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
            // The ledger confirms silent flows before they end, if there is time. (If there is
            // none, it assumes that the only named process was the only one.)
            world.has_budget |= world.was_shared;
            world.step(&Step::Search, None);
            for silence in [20, 120] {
                world.step(&Step::Silence(silence), None);
            }
            let (ledger, effects) = (&mut world.ledger.inner, &mut world.ledger.effects);
            ledger.advance(world.now + Duration::from_secs(3_600), effects);
        }
        let flows = world.ledger.inner.flows();
        let total: u64 = flows.iter().map(|flow| flow.total().packets).sum();
        prop_assert_eq!(total, world.sent.len() as u64);
        // An open flow may still turn out to have changed. What is certain does not change.
        for (belonging, sender) in &world.sent {
            let known = world.ledger.inner.known(*belonging, &everything).expect("it is listed");
            let ends = known.owners.iter().flatten();
            for owner in ends {
                let named = owner.ownership.verdict.processes();
                let is_named = named.iter().any(|process| process.pid == *sender);
                let is_open = !known.is_settled || named.is_empty();
                prop_assert!(is_open || is_named, "{belonging:?} of {sender}");
            }
        }
        // Packets and flows have the same owners.
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
