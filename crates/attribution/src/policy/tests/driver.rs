//! Drives the policy as the resolver does, and checks the invariants after every call.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::world::{Knows, World};
use crate::answer::{Capabilities, Ownership, Process, Protocol, Reason, SocketQuery, Verdict};
use crate::policy::{
    Event, Initiator, Lookup, LookupRequest, Observation, ObservationKind, Policy, PolicyConfig,
    TableAnswer, TableRequest, Token,
};

/// How the table answers one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) kind: Kind,
    /// How long it takes.
    pub(super) delay: Duration,
    /// At which hundredth of that time it reads the sockets.
    pub(super) reads_at: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Snapshot,
    Answers,
    /// Fewer answers than queries.
    TooFew,
    /// Every other lookup fails.
    SomeFailed,
    Failed,
}

/// The observation for a flow that opens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Watch {
    /// None, and no request expects one.
    Blind,
    /// The owner, before the request.
    Before,
    /// The owner, after that time: perhaps later than the request expects.
    After(Duration),
    /// None, although the request expects one.
    Lost,
}

/// How long a request expects an observation.
const PATIENCE: Duration = Duration::from_micros(500);

#[derive(Debug)]
struct UnderWay {
    request: TableRequest,
    left: Duration,
    reads_at: Duration,
    lands_at: Duration,
    kind: Kind,
    facts: Option<TableAnswer>,
}

/// One flow and the answers to its request.
#[derive(Debug)]
struct Flow {
    question: LookupRequest,
    truth: Arc<Process>,
    best: Option<Ownership>,
    is_over: bool,
}

#[derive(Debug)]
pub(super) struct Driver {
    pub(super) world: World,
    pub(super) clock: Clock,
    pub(super) policy: Policy,
    config: PolicyConfig,
    manners: Vec<Manner>,
    /// Whether the table offers fast lookups.
    pub(super) fast_lookups: bool,
    /// The observations for one flow after the other, if there is an observer.
    pub(super) watches: Vec<Watch>,
    /// Observations on their way, with their time of arrival.
    on_their_way: Vec<(Duration, Observation)>,
    requests: usize,
    under_way: Option<UnderWay>,
    flows: HashMap<Token, Flow>,
    /// Queries with a new request, or whose flow had a packet, since their last lookup.
    has_reason: HashSet<SocketQuery>,
}

impl Driver {
    pub(super) fn new(world: World, config: PolicyConfig, manners: Vec<Manner>) -> Self {
        let config = PolicyConfig {
            capabilities: Capabilities::new()
                .with_remote_addresses(world.knows == Knows::Everything),
            ..config
        };
        let clock = Clock::new();
        let mut policy = Policy::new(config.clone());
        if !config.capabilities.remote_addresses {
            let before = world.snapshot(clock.wall(), clock.wall());
            policy.observe_snapshot(Arc::new(before));
        }
        Self {
            world,
            clock,
            policy,
            config,
            manners,
            fast_lookups: false,
            watches: Vec::new(),
            on_their_way: Vec::new(),
            requests: 0,
            under_way: None,
            flows: HashMap::new(),
            has_reason: HashSet::new(),
        }
    }

    pub(super) fn open(&mut self, query: SocketQuery, initiator: Initiator, truth: &Arc<Process>) {
        let waiter = Token(self.flows.len() as u64);
        let question = LookupRequest {
            query,
            packet_time: self.clock.wall(),
            initiator,
        };
        self.ask(waiter, question, truth);
    }

    /// Sends another request with the key of an earlier flow.
    pub(super) fn ask_again(&mut self, number: usize) {
        let Some(waiter) = self.waiter(number) else {
            return;
        };
        let flow = &self.flows[&waiter];
        let (question, truth) = (flow.question, Arc::clone(&flow.truth));
        self.ask(waiter, question, &truth);
    }

    fn ask(&mut self, waiter: Token, question: LookupRequest, truth: &Arc<Process>) {
        // Answers for an earlier request with the same key.
        self.take_observations();
        let flow = Flow {
            question,
            truth: Arc::clone(truth),
            best: None,
            is_over: false,
        };
        self.flows.insert(waiter, flow);
        let now = self.clock.now();
        let lookup = self.watched(waiter, question).unwrap_or_else(|| {
            let fast_lookup = self.fast_lookup(&question.query);
            self.policy
                .lookup_with_fast_result(waiter, question, fast_lookup, now)
        });
        match lookup {
            Lookup::Ready(ownership) => self.hear(Event {
                key: waiter,
                ownership,
                last: true,
            }),
            Lookup::Pending => {
                self.has_reason.insert(question.query);
            }
            Lookup::Provisional(ownership) => {
                self.has_reason.insert(question.query);
                self.hear(Event {
                    key: waiter,
                    ownership,
                    last: false,
                });
            }
            Lookup::QueueFull => {
                self.flows.get_mut(&waiter).unwrap().is_over = true;
                assert!(self.policy.statistics().waiting >= self.config.max_waiting);
            }
        }
        self.settle();
    }

    /// The immediate result for a flow with an observer.
    fn watched(&mut self, waiter: Token, question: LookupRequest) -> Option<Lookup> {
        if question.initiator != Initiator::Local || self.watches.is_empty() {
            return None;
        }
        let now = self.clock.now();
        let watch = self.watches[self.flows.len() % self.watches.len()];
        let until = now + PATIENCE;
        match watch {
            Watch::Blind => {}
            // An earlier request with the same key gets no more answers.
            Watch::Before => {
                let observation = self.observation(question.query);
                let mut answers = self.policy.observe(observation, now);
                answers.retain(|(of, _)| *of != waiter);
                self.hear_provisional(answers);
            }
            Watch::After(time) => {
                self.observe(question.query, time);
                return self.policy.lookup_expecting(waiter, question, until, now);
            }
            Watch::Lost => return self.policy.lookup_expecting(waiter, question, until, now),
        }
        self.policy.lookup_observed(waiter, question, now)
    }

    /// The current owner of these ends.
    fn observation(&self, query: SocketQuery) -> Observation {
        let at = self.clock.wall();
        let owner = self.world.snapshot(at, at).find(&query);
        Observation::new(query, owner, at, ObservationKind::Sender)
    }

    /// An observer looks up the current owner of these ends and delivers it after `after`.
    fn observe(&mut self, query: SocketQuery, after: Duration) {
        let arrives = self.clock.elapsed + after;
        self.on_their_way.push((arrives, self.observation(query)));
    }

    /// As [`observe`](Self::observe), even if the flow has ended.
    pub(super) fn observe_again(&mut self, number: usize, after: Duration) {
        if let Some(waiter) = self.waiter(number).filter(|_| !self.watches.is_empty()) {
            self.observe(self.flows[&waiter].question.query, after);
            self.settle();
        }
    }

    fn take_observations(&mut self) {
        let now = self.clock.elapsed;
        let all = std::mem::take(&mut self.on_their_way);
        let (here, later): (Vec<_>, _) = all.into_iter().partition(|(at, _)| *at <= now);
        self.on_their_way = later;
        for (_, observation) in here {
            let answers = self.policy.observe(observation, self.clock.now());
            self.hear_provisional(answers);
        }
    }

    /// Does what the capture thread does when no observation came in time.
    fn make_fast_lookups(&mut self) {
        let now = self.clock.now();
        while let Some((waiter, question)) = self.policy.poll_fast_lookup(now) {
            let result = self.fast_lookup(&question.query);
            let better = self.policy.fast_lookup_made(waiter, result, now);
            self.hear_provisional(better.map(|better| (waiter, better)));
        }
    }

    fn hear_provisional(&mut self, answers: impl IntoIterator<Item = (Token, Ownership)>) {
        for (key, ownership) in answers {
            self.hear(Event {
                key,
                ownership,
                last: false,
            });
        }
    }

    /// The immediate result of a table that offers fast lookups.
    fn fast_lookup(&self, query: &SocketQuery) -> Option<Ownership> {
        let now = self.clock.wall();
        self.fast_lookups
            .then(|| self.world.snapshot(now, now).find(query))
    }

    pub(super) fn packet(&mut self, number: usize) {
        let Some(waiter) = self.waiter(number) else {
            return;
        };
        self.has_reason.insert(self.flows[&waiter].question.query);
        let now = self.clock.now();
        let fast_lookup = self.policy.packet(waiter, now);
        let fast_lookup = fast_lookup.and_then(|query| self.fast_lookup(&query));
        let better =
            fast_lookup.and_then(|fast_lookup| self.policy.fast_result(waiter, fast_lookup, now));
        if let Some(ownership) = better {
            self.hear(Event {
                key: waiter,
                ownership,
                last: false,
            });
        }
        self.settle();
    }

    /// A flow ends. If it is a connection, its socket closes, too.
    pub(super) fn end(&mut self, number: usize) {
        if let Some(waiter) = self.waiter(number) {
            let Flow {
                question, truth, ..
            } = &self.flows[&waiter];
            if question.query.protocol() == Protocol::Tcp {
                self.world.disconnect(&question.query, truth);
            }
            self.policy.end(waiter);
            self.settle();
        }
    }

    fn waiter(&self, number: usize) -> Option<Token> {
        let waiter = number.checked_rem(self.flows.len())?;
        Some(Token(waiter as u64))
    }

    /// Lets time pass, with every event that is due in it.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.clock.elapsed + time;
        while let Some(next) = self.next_event().filter(|next| *next <= until) {
            self.clock.elapsed = self.clock.elapsed.max(next);
            self.work();
        }
        self.clock.elapsed = until;
        self.settle();
    }

    /// When the table or the policy acts next.
    fn next_event(&self) -> Option<Duration> {
        let table = match &self.under_way {
            Some(under_way) if under_way.facts.is_none() => Some(under_way.reads_at),
            Some(under_way) => Some(under_way.lands_at),
            None => self.policy.poll_timeout().map(|due| self.clock.at(due)),
        };
        let observed = self.on_their_way.iter().map(|(at, _)| *at).min();
        let expected = self.policy.next_fast_lookup();
        let expected = expected.map(|until| self.clock.at(until));
        [table, observed, expected].into_iter().flatten().min()
    }

    fn work(&mut self) {
        let now = self.clock.elapsed;
        if let Some(mut under_way) = self.under_way.take() {
            if now >= under_way.reads_at && under_way.facts.is_none() {
                under_way.facts = Some(self.read(&under_way));
            }
            if now < under_way.lands_at {
                self.under_way = Some(under_way);
            } else if let Some(facts) = under_way.facts {
                let id = under_way.request.id;
                // The policy may repeat a lookup without a packet if it failed or the table left it
                // out.
                if !matches!(under_way.kind, Kind::Snapshot | Kind::Answers) {
                    self.has_reason.extend(&under_way.request.queries);
                }
                self.policy.handle_answer(id, facts, self.clock.now());
            }
        }
        self.settle();
    }

    fn read(&self, under_way: &UnderWay) -> TableAnswer {
        let snapshot = self
            .world
            .snapshot(super::clock::wall(under_way.left), self.clock.wall());
        let queries = &under_way.request.queries;
        let found = |queries: &[SocketQuery]| {
            let answers = queries.iter().map(|query| Ok(snapshot.find(query)));
            answers.collect::<Vec<_>>()
        };
        match under_way.kind {
            Kind::Snapshot => TableAnswer::Snapshot(Arc::new(snapshot)),
            Kind::Answers => TableAnswer::Answers(found(queries)),
            Kind::TooFew => TableAnswer::Answers(found(&queries[1..])),
            Kind::Failed => TableAnswer::Failed(Reason::Failed),
            Kind::SomeFailed => {
                let mut answers = found(queries);
                for answer in answers.iter_mut().step_by(2) {
                    *answer = Err(Reason::Failed);
                }
                TableAnswer::Answers(answers)
            }
        }
    }

    /// Does what the resolver does after every call, and checks the invariants.
    fn settle(&mut self) {
        self.take_observations();
        self.make_fast_lookups();
        while let Some(event) = self.policy.poll_event() {
            self.hear(event);
        }
        if let Some(request) = self.policy.poll_request(self.clock.now()) {
            self.leave(request);
        }
        let now = self.clock.now();
        if self.under_way.is_none() {
            assert_eq!(self.policy.poll_request(now), None);
            let next = self.policy.poll_timeout();
            assert!(next.is_none_or(|next| next > now), "a busy loop");
        } else {
            assert_eq!(self.policy.poll_timeout(), None);
        }
        self.policy.check_bounds();
    }

    fn leave(&mut self, request: TableRequest) {
        assert!(self.under_way.is_none(), "two requests under way");
        let queries: HashSet<SocketQuery> = request.queries.iter().copied().collect();
        assert_eq!(queries.len(), request.queries.len(), "twice in one request");
        assert!(!queries.is_empty() && queries.len() <= self.config.max_batch.max(1));
        for query in queries {
            let has_reason = self.has_reason.remove(&query);
            assert!(has_reason, "{query} is looked up again without a packet");
        }
        let manner = self.manners[self.requests % self.manners.len()];
        self.requests += 1;
        let left = self.clock.elapsed;
        self.under_way = Some(UnderWay {
            request,
            left,
            reads_at: left + manner.delay * manner.reads_at / 100,
            lands_at: left + manner.delay,
            kind: manner.kind,
            facts: None,
        });
    }

    fn hear(&mut self, event: Event) {
        let flow = self.flows.get_mut(&event.key).unwrap();
        let Event {
            ownership, last, ..
        } = event;
        assert!(!flow.is_over, "an event after the last one: {ownership:?}");
        if let Some(best) = &flow.best {
            let is_doubted = ownership.verdict == Verdict::Unknown(Reason::Changed);
            let fits = if last {
                // The next connection may have had the socket.
                is_doubted || !best.is_better_than(&ownership)
            } else {
                let is_late = (&best.verdict, &ownership.verdict)
                    == (
                        &Verdict::Unknown(Reason::NotFound),
                        &Verdict::Unknown(Reason::Gone),
                    );
                is_late || ownership.is_better_than(best)
            };
            assert!(fits, "{ownership:?} after {best:?}");
        }
        assert!(
            ownership.evidence.observed_at >= flow.question.packet_time,
            "evidence from before the flow: {ownership:?} for {:?}",
            flow.question
        );
        flow.best = Some(ownership);
        flow.is_over = last;
    }

    /// Every answer names the owner at the first packet, or no owner.
    pub(super) fn check_truth(&self) {
        for (waiter, flow) in &self.flows {
            let Some(best) = &flow.best else { continue };
            assert!(
                !best.verdict.is_named() || best.verdict.processes().contains(&flow.truth),
                "{waiter:?} {:?} belongs to {}, not {best:?}",
                flow.question,
                flow.truth.name,
            );
        }
    }

    /// Ends all flows, and checks that every request gets its last answer.
    pub(super) fn finish(&mut self) {
        self.policy.end_all();
        self.settle();
        for _ in 0..10_000 {
            let Some(next) = self.next_event() else { break };
            self.clock.elapsed = self.clock.elapsed.max(next);
            self.work();
        }
        assert!(self.policy.is_idle());
        assert_eq!(self.policy.statistics().waiting, 0);
        for (waiter, flow) in &self.flows {
            assert!(flow.is_over, "{waiter:?} got no last answer");
        }
    }

    /// The number of flows with a named owner.
    pub(super) fn named(&self) -> usize {
        let named = |flow: &&Flow| flow.best.as_ref().is_some_and(|b| b.verdict.is_named());
        self.flows.values().filter(named).count()
    }

    pub(super) fn flows(&self) -> usize {
        self.flows.len()
    }
}
