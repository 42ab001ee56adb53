//! Drives the policy as the service does, and checks after every call what must
//! always hold.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use super::world::{Knows, World};
use crate::answer::{Capabilities, Ownership, Process, Protocol, Reason, SocketQuery, Verdict};
use crate::policy::{
    Event, Facts, Initiator, Lookup, LookupRequest, Observation, ObservationKind, Policy,
    PolicyConfig, Request, Token,
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
    /// Fewer answers than questions.
    TooFew,
    /// Every other lookup fails.
    SomeFailed,
    Failed,
}

/// What an observer sees of a flow that opens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Watch {
    /// Nothing, and nobody expects it to.
    Blind,
    /// The owner, before the flow is asked for.
    Before,
    /// The owner, after that time: perhaps later than it is expected.
    After(Duration),
    /// It is expected to, and tells nothing.
    Lost,
}

/// How long an observation is expected.
const PATIENCE: Duration = Duration::from_micros(500);

#[derive(Debug)]
struct UnderWay {
    request: Request,
    left: Duration,
    reads_at: Duration,
    lands_at: Duration,
    kind: Kind,
    facts: Option<Facts>,
}

/// One flow and what its waiter heard.
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
    /// Whether the table can be looked up fast.
    pub(super) fast_lookups: bool,
    /// What an observer sees of one flow after the other, if there is one.
    pub(super) watches: Vec<Watch>,
    /// Observations on their way, and when they arrive.
    on_their_way: Vec<(Duration, Observation)>,
    requests: usize,
    under_way: Option<UnderWay>,
    flows: HashMap<Token, Flow>,
    /// Questions that somebody asked, or whose flow had a packet, since they were
    /// last asked.
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
            let before = world.look(clock.wall(), clock.wall());
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
            seen_at: self.clock.wall(),
            initiator,
        };
        self.ask(waiter, question, truth);
    }

    /// Asks once more under the number of an earlier flow.
    pub(super) fn ask_again(&mut self, number: usize) {
        let Some(waiter) = self.waiter(number) else {
            return;
        };
        let flow = &self.flows[&waiter];
        let (question, truth) = (flow.question, Arc::clone(&flow.truth));
        self.ask(waiter, question, &truth);
    }

    fn ask(&mut self, waiter: Token, question: LookupRequest, truth: &Arc<Process>) {
        // What comes for a request before this one under the same number.
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

    /// What is said to a flow of which an observer sees something.
    fn watched(&mut self, waiter: Token, question: LookupRequest) -> Option<Lookup> {
        if question.initiator != Initiator::Local || self.watches.is_empty() {
            return None;
        }
        let now = self.clock.now();
        let watch = self.watches[self.flows.len() % self.watches.len()];
        let until = now + PATIENCE;
        match watch {
            Watch::Blind => {}
            // Nothing more is heard of a request before this one under the same number.
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

    /// Who has these ends now.
    fn observation(&self, query: SocketQuery) -> Observation {
        let at = self.clock.wall();
        let owner = self.world.look(at, at).find(&query);
        Observation::new(query, owner, at, ObservationKind::Sender)
    }

    /// An observer looks up who has these ends now, and hands that over after so long.
    fn observe(&mut self, query: SocketQuery, after: Duration) {
        let arrives = self.clock.elapsed + after;
        self.on_their_way.push((arrives, self.observation(query)));
    }

    /// As [`observe`](Self::observe), whatever has become of a flow.
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

    /// What the thread that captures does when nothing was observed in time.
    fn make_fast_lookups(&mut self) {
        let now = self.clock.now();
        while let Some((waiter, question)) = self.policy.poll_fast_lookup(now) {
            let told = self.fast_lookup(&question.query);
            let better = self.policy.fast_lookup_made(waiter, told, now);
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

    /// What a table that can be looked up fast tells at once.
    fn fast_lookup(&self, query: &SocketQuery) -> Option<Ownership> {
        let now = self.clock.wall();
        self.fast_lookups
            .then(|| self.world.look(now, now).find(query))
    }

    pub(super) fn packet(&mut self, number: usize) {
        let Some(waiter) = self.waiter(number) else {
            return;
        };
        self.has_reason.insert(self.flows[&waiter].question.query);
        let now = self.clock.now();
        let fast_lookup = self.policy.packet_seen(waiter, now);
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

    /// A flow is over; of a connection, so is the socket.
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

    /// Lets time pass, and everything happen that is due in it.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.clock.elapsed + time;
        while let Some(next) = self.next_event().filter(|next| *next <= until) {
            self.clock.elapsed = self.clock.elapsed.max(next);
            self.work();
        }
        self.clock.elapsed = until;
        self.settle();
    }

    /// When the table or the policy does something next.
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
                // What failed, or was left out, may be asked again without a packet.
                if !matches!(under_way.kind, Kind::Snapshot | Kind::Answers) {
                    self.has_reason.extend(&under_way.request.queries);
                }
                self.policy.handle_answer(id, facts, self.clock.now());
            }
        }
        self.settle();
    }

    fn read(&self, under_way: &UnderWay) -> Facts {
        let look = self
            .world
            .look(super::clock::wall(under_way.left), self.clock.wall());
        let queries = &under_way.request.queries;
        let found = |queries: &[SocketQuery]| {
            let answers = queries.iter().map(|query| Ok(look.find(query)));
            answers.collect::<Vec<_>>()
        };
        match under_way.kind {
            Kind::Snapshot => Facts::Snapshot(Arc::new(look)),
            Kind::Answers => Facts::Answers(found(queries)),
            Kind::TooFew => Facts::Answers(found(&queries[1..])),
            Kind::Failed => Facts::Failed(Reason::Failed),
            Kind::SomeFailed => {
                let mut answers = found(queries);
                for answer in answers.iter_mut().step_by(2) {
                    *answer = Err(Reason::Failed);
                }
                Facts::Answers(answers)
            }
        }
    }

    /// What the service does after every call, and what must hold then.
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

    fn leave(&mut self, request: Request) {
        assert!(self.under_way.is_none(), "two requests under way");
        let queries: HashSet<SocketQuery> = request.queries.iter().copied().collect();
        assert_eq!(queries.len(), request.queries.len(), "asked twice in one");
        assert!(!queries.is_empty() && queries.len() <= self.config.max_batch.max(1));
        for query in queries {
            let has_reason = self.has_reason.remove(&query);
            assert!(has_reason, "{query} is asked again without a packet");
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
            ownership.evidence.observed_at >= flow.question.seen_at,
            "evidence from before the flow: {ownership:?} for {:?}",
            flow.question
        );
        flow.best = Some(ownership);
        flow.is_over = last;
    }

    /// Every answer names the owner at the first packet, or nobody.
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

    /// Ends all flows, and checks that everybody gets the last answer.
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

    /// How many flows were named.
    pub(super) fn named(&self) -> usize {
        let named = |flow: &&Flow| flow.best.as_ref().is_some_and(|b| b.verdict.is_named());
        self.flows.values().filter(named).count()
    }

    pub(super) fn flows(&self) -> usize {
        self.flows.len()
    }
}
