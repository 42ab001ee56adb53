use std::sync::mpsc::{Receiver, channel};
use std::time::SystemTime;

use super::*;
use crate::answer::{Error, Process, Protocol, Snapshot, SocketQuery, Source, Verdict};
use crate::observers::OnObservation;
use crate::policy::ObservationKind;
use crate::policy::{Event, Initiator, PolicyConfig};
use crate::resolver::attributor::Attributor;
use crate::tables::SocketTable;

/// Fast lookups return these results one after the other, then no owner; lists are empty.
#[derive(Debug)]
struct Scripted(VecDeque<FastResult>);

impl SocketTable for Scripted {
    fn source(&self) -> Source {
        Source::Scripted
    }

    fn snapshot(&mut self) -> Result<Snapshot, Error> {
        let now = SystemTime::now();
        Ok(Snapshot::new(Source::Scripted, now, now, Vec::new()))
    }

    fn fast_lookup(&mut self) -> Option<Box<dyn FastLookup>> {
        Some(Box::new(Self(std::mem::take(&mut self.0))))
    }
}

impl FastLookup for Scripted {
    fn lookup(&mut self, _question: &LookupRequest) -> FastResult {
        self.0.pop_front().unwrap_or(FastResult::NotFound)
    }

    fn lookup_accepted(&mut self, _query: &SocketQuery) -> Option<Ownership> {
        None
    }
}

fn capture_resolver(
    results: impl Into<VecDeque<FastResult>>,
) -> (CaptureResolver, Receiver<Event>) {
    let attributor = Attributor::with_table(Scripted(results.into()));
    let (sender, events) = channel();
    let on_event = move |event| _ = sender.send(event);
    let resolver = Resolver::spawn(attributor, PolicyConfig::default(), on_event).unwrap();
    (CaptureResolver::new(Arc::new(resolver)), events)
}

fn question(port: u16) -> LookupRequest {
    let end = |port| ([127, 0, 0, 1], port).into();
    LookupRequest {
        query: SocketQuery::new(Protocol::Tcp, end(port), Some(end(1))),
        packet_time: SystemTime::now(),
        initiator: Initiator::Local,
    }
}

fn seen() -> Ownership {
    let process = Arc::new(Process::new(1, "one"));
    Ownership {
        verdict: Verdict::Process(process),
        ..Ownership::unknown(
            crate::answer::Reason::NotFound,
            SystemTime::now(),
            Source::Scripted,
        )
    }
}

/// Polls until there is an answer.
fn poll(resolver: &mut CaptureResolver) -> Vec<(Token, Ownership)> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answers = resolver.poll_pending();
        if !answers.is_empty() {
            return answers;
        }
        assert!(Instant::now() < deadline, "no answer comes");
        std::thread::sleep(resolver.poll_timeout().unwrap_or_default());
    }
}

#[test]
fn a_pending_lookup_is_made_when_the_table_is_ready() {
    let (mut resolver, events) = capture_resolver([FastResult::Found(seen())]);
    let watcher = Watcher::watching(&mut resolver);
    watcher.is_on_its_way(Some(Duration::from_millis(1)));
    assert_eq!(resolver.poll_timeout(), None);
    assert_eq!(resolver.flow_opened(Token(7), question(9)), Lookup::Pending);
    assert_eq!(resolver.poll_timeout(), Some(SOON));
    assert_eq!(resolver.packet(Token(7), true), None);
    resolver.flow_ended(Token(7));
    watcher.is_on_its_way(None);
    let answers = poll(&mut resolver);
    let [(Token(7), owner)] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert_eq!(owner.verdict, seen().verdict);
    assert_eq!(resolver.poll_timeout(), None);
    // The flow ended before the answer.
    let event = events.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!((event.key, event.last), (Token(7), true));
    assert_eq!(event.ownership.verdict, seen().verdict);
}

#[test]
fn all_pending_lookups_are_made_at_the_end() {
    let (mut resolver, _events) = capture_resolver([]);
    Watcher::watching(&mut resolver).is_on_its_way(Some(Duration::from_secs(60)));
    assert_eq!(resolver.flow_opened(Token(1), question(9)), Lookup::Pending);
    assert_eq!(resolver.poll_timeout(), Some(SOON));
    assert_eq!(resolver.poll_all_pending(), []);
    assert_eq!(resolver.poll_timeout(), None);
}

#[test]
fn waiting_requests_are_answered_at_the_end() {
    let (mut resolver, events) = capture_resolver([]);
    Watcher::watching(&mut resolver).is_on_its_way(Some(Duration::from_secs(60)));
    assert_eq!(resolver.flow_opened(Token(1), question(9)), Lookup::Pending);
    resolver.finish();
    let answers: Vec<Event> = events.iter().collect();
    let last = answers.last().map(|event| (event.key, event.last));
    assert_eq!(last, Some((Token(1), true)));
}

/// Further fast lookups run on the capture thread.
#[test]
fn pending_lookups_are_bounded() {
    const MAX: usize = 64;
    let (mut resolver, _events) = capture_resolver([]);
    Watcher::watching(&mut resolver).is_on_its_way(Some(Duration::from_secs(60)));
    for (key, port) in (0..200).zip(10..) {
        let lookup = resolver.flow_opened(Token(key), question(port));
        assert_eq!(lookup, Lookup::Pending);
    }
    let put_off = |policy: &mut Policy<Token>| {
        let all = Instant::now() + Duration::from_secs(60);
        std::iter::from_fn(|| policy.poll_fast_lookup(all)).count()
    };
    assert_eq!(resolver.resolver().shared.change(put_off), MAX);
}

#[test]
fn a_second_capture_resolver_has_no_fast_lookup() {
    let (first, _events) = capture_resolver([]);
    let mut second = CaptureResolver::new(Arc::clone(first.resolver()));
    let lookup = second.flow_opened(Token(1), question(9));
    assert_eq!(lookup, Lookup::Pending);
    assert_eq!(second.poll_all_pending(), []);
}

/// An observer that the test controls: how long its observations take, and where they go.
#[derive(Clone, Default)]
struct Watcher(Arc<Mutex<(Option<Duration>, Option<OnObservation>)>>);

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watcher")
    }
}

impl Watcher {
    fn watching(resolver: &mut CaptureResolver) -> Self {
        let watcher = Self::default();
        resolver.add_observer(Box::new(watcher.clone()));
        resolver.init_thread();
        watcher
    }

    /// Pushes from another thread, as a real observer does.
    fn push(&self, request: LookupRequest, owner: Ownership) {
        let at = request.packet_time + Duration::from_micros(50);
        let kind = ObservationKind::Sender;
        let observation = Observation::new(request.query, owner, at, kind);
        let on_observation = self.0.lock().unwrap().1.clone().unwrap();
        let pushed = std::thread::spawn(move || on_observation(observation));
        pushed.join().unwrap();
    }

    fn is_on_its_way(&self, wait: Option<Duration>) {
        self.0.lock().unwrap().0 = wait;
    }
}

impl Observer for Watcher {
    fn start(&mut self, on_observation: OnObservation) {
        self.0.lock().unwrap().1 = Some(on_observation);
    }

    fn expect(&mut self, _request: &LookupRequest) -> Option<Duration> {
        self.0.lock().unwrap().0
    }
}

#[test]
fn an_earlier_observation_answers_at_once() {
    // This makes no fast lookup.
    let (mut resolver, _events) = capture_resolver([FastResult::NotFound]);
    let watcher = Watcher::watching(&mut resolver);
    let request = question(9);
    watcher.push(request, seen());
    let lookup = resolver.flow_opened(Token(1), request);
    assert_eq!(lookup, Lookup::Provisional(seen_by(&lookup)));
    assert_eq!(resolver.poll_timeout(), None);
    // An observation answers once: it was about that flow.
    assert_eq!(resolver.flow_opened(Token(2), request), Lookup::Pending);
}

fn seen_by(lookup: &Lookup) -> Ownership {
    let owner = lookup.clone().ownership().expect("an owner is named");
    assert_eq!(owner.verdict, seen().verdict);
    owner
}

#[test]
fn requests_wait_for_an_observation_on_its_way() {
    let (mut resolver, _events) = capture_resolver([]);
    let watcher = Watcher::watching(&mut resolver);
    watcher.is_on_its_way(Some(Duration::from_secs(60)));
    let request = question(9);
    assert_eq!(resolver.flow_opened(Token(1), request), Lookup::Pending);
    assert_eq!(resolver.poll_pending(), []);
    assert_eq!(resolver.poll_timeout(), Some(SOON));
    watcher.push(request, seen());
    let answers = resolver.poll_pending();
    assert_eq!(answers.len(), 1);
    assert_eq!(
        (answers[0].0, &answers[0].1.verdict),
        (Token(1), &seen().verdict)
    );
    assert_eq!(resolver.poll_timeout(), None);
}

#[test]
fn without_an_observation_a_fast_lookup_follows() {
    for is_told in [false, true] {
        let (mut resolver, _events) = capture_resolver([FastResult::Found(seen())]);
        let watcher = Watcher::watching(&mut resolver);
        let wait = if is_told { 60_000 } else { 1 };
        watcher.is_on_its_way(Some(Duration::from_millis(wait)));
        let request = question(9);
        assert_eq!(resolver.flow_opened(Token(1), request), Lookup::Pending);
        watcher.is_on_its_way(None);
        if is_told {
            // The observer could not find the owner.
            let reason = crate::answer::Reason::NotFound;
            let nobody = Ownership::unknown(reason, SystemTime::now(), Source::Scripted);
            watcher.push(request, nobody);
        }
        let answers = poll(&mut resolver);
        assert_eq!(answers[0].1.verdict, seen().verdict);
    }
}

#[test]
fn waiting_observations_are_bounded() {
    let inbox = Inbox::default();
    for port in 0..=u16::try_from(MAX_INBOX).unwrap() {
        let request = question(port);
        let kind = ObservationKind::Sender;
        inbox.push(Observation::new(
            request.query,
            seen(),
            request.packet_time,
            kind,
        ));
    }
    let mut taken = VecDeque::new();
    inbox.take(&mut taken);
    assert_eq!(taken.len(), MAX_INBOX);
    // The oldest one gave way.
    assert_eq!(taken[0].query, question(1).query);
    assert!(!inbox.has_news());
}
