//! The owners of sockets: a socket table for the made-up host.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowner_attribution::capture::{FastLookup, FastResult};
use flowner_attribution::{
    Capabilities, Error, Evidence, LookupRequest, Match, Ownership, Process, Protocol, Reason,
    Snapshot, SocketQuery, SocketTable, Source, Unit, UnitKind, User, Verdict,
};

use super::cast::{self, Actor, CAST, Kind, Owner, Talk, UDP, Who, talks};
use super::ports::conversation;

/// The time on the made-up host, since the epoch: that of the newest frame.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn set(&self, now: Duration) {
        let micros = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        self.0.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// When the table looks up a socket: after the capture of the packet.
    fn looked_at(&self) -> SystemTime {
        UNIX_EPOCH + self.now() + Duration::from_micros(30)
    }
}

/// Knows the owner of every socket there.
#[derive(Debug, Clone)]
pub(crate) struct DemoTable {
    clock: Clock,
}

impl DemoTable {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock }
    }

    fn answer(&self, query: &SocketQuery) -> Ownership {
        let now = self.clock.looked_at();
        let Some(held) = held(query.local().port()) else {
            return Ownership::unknown(Reason::NotFound, now, Source::Scripted);
        };
        let verdict = verdict(held, now);
        let is_unknown = verdict.reason().is_some_and(Reason::is_of_no_open_socket);
        Ownership::new(
            verdict,
            Evidence::new(
                (!is_unknown).then(|| matched(held, query)),
                now,
                Source::Scripted,
            ),
        )
    }
}

impl SocketTable for DemoTable {
    fn source(&self) -> Source {
        Source::Scripted
    }

    /// The resolver never calls this: each lookup is a [point lookup](Capabilities::point_lookup).
    fn snapshot(&mut self) -> Result<Snapshot, Error> {
        let now = self.clock.looked_at();
        Ok(Snapshot::new(Source::Scripted, now, now, Vec::new()))
    }

    fn find(&mut self, query: &SocketQuery) -> Result<Ownership, Error> {
        Ok(self.answer(query))
    }

    fn fast_lookup(&mut self) -> Option<Box<dyn FastLookup>> {
        Some(Box::new(self.clone()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_remote_addresses(true)
            .with_point_lookup(true)
    }
}

impl FastLookup for DemoTable {
    fn lookup(&mut self, question: &LookupRequest) -> FastResult {
        FastResult::Found(self.answer(&question.query))
    }

    fn lookup_accepted(&mut self, query: &SocketQuery) -> Option<Ownership> {
        Some(self.answer(query))
    }
}

/// A socket with an owner.
#[derive(Clone, Copy)]
struct Held {
    actor: &'static Actor,
    /// The number of its conversation, if each conversation has its own socket.
    number: u32,
    talk: Option<&'static Talk>,
}

fn held(port: u16) -> Option<Held> {
    let of_conversation = conversation(port);
    let of_conversation =
        of_conversation.and_then(|(index, number)| Some((talks().nth(index)?, number)));
    if let Some((talk, number)) = of_conversation {
        let has_it = |actor: &&Actor| actor.talks.iter().any(|own| std::ptr::eq(own, talk));
        let actor = CAST.iter().find(has_it)?;
        let talk = Some(talk);
        return Some(Held {
            actor,
            number,
            talk,
        });
    }
    let serves = |talk: &&Talk| talk.kind != Kind::Outgoing && talk.port == port;
    let of_server = CAST.iter().find_map(|actor| {
        let talk = actor.talks.iter().find(serves)?;
        Some((actor, Some(talk)))
    });
    let (actor, talk) = of_server.or_else(|| Some((cast::server(port)?, None)))?;
    let number = 0;
    Some(Held {
        actor,
        number,
        talk,
    })
}

fn matched(held: Held, query: &SocketQuery) -> Match {
    match (query.protocol(), held.talk) {
        (Protocol::Udp, Some(talk)) if talk.kind != Kind::Outgoing => Match::WildcardAddress,
        // Most programs do not connect their datagram sockets.
        (Protocol::Udp, Some(talk)) if talk.protocol == UDP && talk.port != 53 => {
            Match::LocalEndpoint
        }
        _ => Match::FiveTuple,
    }
}

fn verdict(held: Held, now: SystemTime) -> Verdict {
    match &held.actor.owner {
        Owner::One(who) => Verdict::Process(Arc::new(process(who, who.pid, now))),
        Owner::Each(who) => {
            let pid = who.pid + held.number * 3;
            Verdict::Process(Arc::new(process(who, pid, now)))
        }
        Owner::Shared(who, pids) => {
            let workers = pids.iter().map(|pid| Arc::new(process(who, *pid, now)));
            Verdict::Shared(workers.collect())
        }
        Owner::User(id, name) => Verdict::Partial {
            user: Some(user((*id, name))),
            unit: None,
        },
        Owner::Container(name) => Verdict::Partial {
            user: Some(user((0, "root"))),
            unit: Some(unit(UnitKind::Container, name)),
        },
        Owner::Gone => Verdict::Unknown(Reason::Gone),
        Owner::Denied => Verdict::Unknown(Reason::Denied),
        Owner::Kernel => Verdict::Unknown(Reason::Kernel),
        Owner::Nobody => Verdict::Unknown(Reason::NotFound),
    }
}

/// A process; one with a low pid is older.
fn process(who: &Who, pid: u32, now: SystemTime) -> Process {
    const DAY: u64 = 86_400;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let yesterday = Duration::from_secs((now.as_secs() / DAY).saturating_sub(1) * DAY);
    let started = UNIX_EPOCH + yesterday + Duration::from_millis(u64::from(pid) * 5_003);
    let arguments = who.arguments.iter().map(Into::into);
    {
        let mut process = Process::new(pid, who.name);
        process.started = Some(started);
        process.parent = Some(who.parent);
        process.path = Some(who.path.into());
        process.arguments = (!who.arguments.is_empty()).then(|| arguments.collect());
        process.user = Some(user(who.user));
        process.unit = who.service.map(|name| unit(UnitKind::Service, name));
        process
    }
}

fn user((id, name): (u32, &str)) -> User {
    User::new(id, Some(name.to_owned()))
}

fn unit(kind: UnitKind, name: &str) -> Unit {
    Unit::new(kind, name)
}
