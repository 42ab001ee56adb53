use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, channel};
use std::time::SystemTime;

use super::*;
use crate::answer::{Error, Process, Protocol, Snapshot, SocketQuery, Source, Verdict};
use crate::policy::{Event, Initiator, PolicyConfig};
use crate::resolver::attributor::Attributor;
use crate::tables::SocketTable;

/// Fast lookups tell one after the other, then that somebody is looking; looks find nobody.
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
        self.0.pop_front().unwrap_or(FastResult::Pending)
    }

    fn lookup_accepted(&mut self, _query: &SocketQuery) -> Option<Ownership> {
        None
    }
}

fn capture_resolver(told: impl Into<VecDeque<FastResult>>) -> (CaptureResolver, Receiver<Event>) {
    let attributor = Attributor::with_table(Scripted(told.into()));
    let (sender, events) = channel();
    let on_event = move |event| _ = sender.send(event);
    let resolver = Resolver::spawn(attributor, PolicyConfig::default(), on_event).unwrap();
    (CaptureResolver::new(Arc::new(resolver)), events)
}

fn question(port: u16) -> LookupRequest {
    let end = |port| ([127, 0, 0, 1], port).into();
    LookupRequest {
        query: SocketQuery::new(Protocol::Tcp, end(port), Some(end(1))),
        seen_at: SystemTime::now(),
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

#[test]
fn what_is_put_off_is_asked_when_it_is_told() {
    let told = [
        FastResult::Pending,
        FastResult::Pending,
        FastResult::Found(seen()),
    ];
    let (mut capture_resolver, events) = capture_resolver(told);
    assert_eq!(capture_resolver.poll_timeout(), None);
    assert_eq!(capture_resolver.flow_opened(Token(7), question(9)), None);
    assert_eq!(capture_resolver.poll_timeout(), Some(SOON));
    assert_eq!(capture_resolver.poll_pending(), []);
    assert_eq!(capture_resolver.packet(Token(7), true), None);
    capture_resolver.flow_ended(Token(7));
    let settled = capture_resolver.poll_pending();
    let [(Token(7), Lookup::Provisional(owner))] = &settled[..] else {
        panic!("{settled:?}");
    };
    assert_eq!(owner.verdict, seen().verdict);
    assert_eq!(capture_resolver.poll_timeout(), None);
    // The flow was over before it was asked for.
    let event = events.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!((event.key, event.last), (Token(7), true));
    assert_eq!(event.ownership.verdict, seen().verdict);
}

#[test]
fn all_is_asked_at_the_end() {
    let (mut capture_resolver, _events) = capture_resolver([]);
    assert_eq!(capture_resolver.flow_opened(Token(1), question(9)), None);
    assert_eq!(
        capture_resolver.poll_all_pending(),
        [(Token(1), Lookup::Pending)]
    );
    assert_eq!(capture_resolver.poll_timeout(), None);
}

#[test]
fn who_waits_is_answered_at_the_end() {
    let (mut capture_resolver, events) = capture_resolver([]);
    assert_eq!(capture_resolver.flow_opened(Token(1), question(9)), None);
    capture_resolver.finish();
    let answers: Vec<Event> = events.iter().collect();
    let last = answers.last().map(|event| (event.key, event.last));
    assert_eq!(last, Some((Token(1), true)));
}

#[test]
fn only_so_many_are_put_off() {
    let (mut capture_resolver, _events) = capture_resolver([]);
    for (waiter, port) in (0..MAX as u64).zip(10..) {
        assert_eq!(
            capture_resolver.flow_opened(Token(waiter), question(port)),
            None
        );
    }
    let more = capture_resolver.flow_opened(Token(MAX as u64), question(9));
    assert_eq!(more, Some(Lookup::Pending));
}

#[test]
fn a_second_one_asks_without_a_glance() {
    let (first, _events) = capture_resolver([]);
    let mut second = CaptureResolver::new(Arc::clone(first.resolver()));
    let lookup = second.flow_opened(Token(1), question(9));
    assert_eq!(lookup, Some(Lookup::Pending));
    assert_eq!(second.poll_all_pending(), []);
}
