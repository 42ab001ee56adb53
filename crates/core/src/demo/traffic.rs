//! The frames of the made-up host, in order, without end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use super::cast::{DNS, Kind, TCP, Talk, lookups, talks};
use super::frame::{self, ACK, Content, DATA, FIN, MAX_LEN, MAX_MESSAGE, SYN};
use super::messages;
use super::ports::{first_port, port_of};

/// A frame, with its capture time since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) at: Duration,
    pub(crate) wire_len: u32,
    len: usize,
    bytes: [u8; MAX_LEN],
}

impl Frame {
    /// The captured part of the frame.
    pub(crate) fn data(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Makes one frame after the other.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// The next events, by time; the number decides between equal times.
    due: BinaryHeap<Reverse<(Duration, u64)>>,
    steps: std::collections::HashMap<u64, Step>,
    next_step: u64,
}

/// An event at a point in time.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A conversation of this kind begins; `number` counts them.
    Begin {
        talk: usize,
        number: u32,
    },
    Send(Frame),
    /// An exchange in a conversation. The next exchange or the end follows.
    Exchange(Conversation),
}

#[derive(Debug, Clone, Copy)]
struct Conversation {
    talk: usize,
    /// The so-manieth of its talk.
    number: u32,
    initiator: SocketAddr,
    responder: SocketAddr,
    /// What the initiator says first, of a client that names the server.
    server: Option<&'static str>,
    until: Duration,
    /// How much of the traffic of its kind this conversation has, in per cent.
    size: u32,
    /// The next sequence number of the initiator, and of the responder.
    sequence: [u32; 2],
    random: Random,
}

fn talk(index: usize) -> &'static Talk {
    #[expect(clippy::expect_used, reason = "indices come from `talks`")]
    talks().nth(index).expect("there is a talk of every index")
}

impl Traffic {
    pub(crate) fn new() -> Self {
        let mut traffic = Self {
            due: BinaryHeap::new(),
            steps: std::collections::HashMap::new(),
            next_step: 0,
        };
        for (index, talk) in talks().enumerate() {
            let step = Step::Begin {
                talk: index,
                number: 0,
            };
            traffic.schedule(seconds(talk.from), step);
        }
        traffic
    }

    fn schedule(&mut self, at: Duration, step: Step) {
        self.due.push(Reverse((at, self.next_step)));
        self.steps.insert(self.next_step, step);
        self.next_step += 1;
    }

    fn begin(&mut self, at: Duration, index: usize, number: u32) {
        let talk = talk(index);
        let seed = (index as u64) << 32 | u64::from(number);
        let mut random = Random(seed);
        if talk.every > 0.0 {
            let gap = seconds(talk.every * random.between(0.35, 1.65));
            let number = number.wrapping_add(1);
            self.schedule(
                at + gap,
                Step::Begin {
                    talk: index,
                    number,
                },
            );
        }
        let Some((initiator, responder, server)) = ends(talk, index, number, &mut random) else {
            return;
        };
        let until = if talk.lasts > 0.0 {
            at + seconds(talk.lasts * random.between(0.4, 1.6))
        } else {
            Duration::MAX
        };
        let mut conversation = Conversation {
            talk: index,
            number,
            initiator,
            responder,
            server: server.filter(|_| talk.says_server()),
            until,
            size: 40 + random.below(61),
            sequence: [0; 2],
            random,
        };
        let is_new = talk.from >= 0.0;
        let begun = if talk.protocol == TCP && is_new {
            self.greet(at, &mut conversation)
        } else {
            at
        };
        self.schedule(begun, Step::Exchange(conversation));
    }

    /// Opens a connection; returns the time when it is open.
    fn greet(&mut self, at: Duration, it: &mut Conversation) -> Duration {
        let trip = trip(it.responder);
        self.send(at, it, Way::There, SYN, 0, &[]);
        self.send(at + trip, it, Way::Back, SYN | ACK, 0, &[]);
        let open = at + trip + Duration::from_micros(40);
        self.send(open, it, Way::There, ACK, 0, &[]);
        open + Duration::from_micros(300)
    }

    fn exchange(&mut self, at: Duration, mut it: Conversation) {
        let talk = talk(it.talk);
        if at >= it.until {
            if talk.protocol == TCP {
                self.send(at, &mut it, Way::There, FIN | ACK, 0, &[]);
                let answered = at + trip(it.responder);
                self.send(answered, &mut it, Way::Back, FIN | ACK, 0, &[]);
            }
            return;
        }
        let share = it.size * (60 + it.random.below(41)) * swell(at) / 10_000;
        let scaled = |most: u32| (u64::from(most) * u64::from(share) / 100).max(1);
        let scaled = |most| u32::try_from(scaled(most)).unwrap_or(most);
        let (by_host, by_other) = if talk.kind == Kind::Incoming {
            (Way::Back, Way::There)
        } else {
            (Way::There, Way::Back)
        };
        let [first, second] = said(&mut it, talk);
        // A message is all that its packet carries.
        let length = |message: &[u8], most| match message.len() {
            0 => scaled(most),
            length => u32::try_from(length).unwrap_or(most),
        };
        if talk.sent > 0 {
            let length = length(&first, talk.sent);
            self.send(at, &mut it, by_host, DATA, length, &first);
        }
        if talk.received > 0 {
            let answered = at + trip(it.responder);
            let length = length(&second, talk.received);
            self.send(answered, &mut it, by_other, DATA, length, &second);
        }
        let pause = seconds(talk.beat * it.random.between(0.7, 1.3));
        self.schedule(at + pause, Step::Exchange(it));
    }

    fn send(
        &mut self,
        at: Duration,
        it: &mut Conversation,
        way: Way,
        flags: u8,
        payload: u32,
        message: &[u8],
    ) {
        let (source, destination) = match way {
            Way::There => (it.initiator, it.responder),
            Way::Back => (it.responder, it.initiator),
        };
        let next = &mut it.sequence[way as usize];
        let sequence = *next;
        let marks = u32::from(flags & (SYN | FIN) != 0);
        *next = next.wrapping_add(payload + marks);
        let content = Content {
            protocol: talk(it.talk).protocol,
            source,
            destination,
            flags,
            sequence,
            payload,
            message,
        };
        let mut bytes = [0; MAX_LEN];
        let (len, wire_len) = frame::write(&content, &mut bytes);
        let frame = Frame {
            at,
            wire_len,
            len,
            bytes,
        };
        self.schedule(at, Step::Send(frame));
    }
}

impl Iterator for Traffic {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        loop {
            let Reverse((at, number)) = self.due.pop()?;
            match self.steps.remove(&number)? {
                Step::Begin { talk, number } => self.begin(at, talk, number),
                Step::Exchange(conversation) => self.exchange(at, conversation),
                Step::Send(frame) => return Some(frame),
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From the initiator.
    There = 0,
    /// From the responder.
    Back = 1,
}

/// What both sides say in an exchange, as far as it names somebody.
fn said(it: &mut Conversation, talk: &Talk) -> [Vec<u8>; 2] {
    let messages = if let Some(server) = it.server.take() {
        [messages::client_hello(server), Vec::new()]
    } else if talk.port == DNS {
        let all = lookups().count();
        let wanted = usize::try_from(it.number).unwrap_or(0) % all.max(1);
        lookups()
            .nth(wanted)
            .map_or_else(Default::default, |(name, address)| {
                let id = it.initiator.port();
                [
                    messages::question(id, name, address),
                    messages::answer(id, name, address),
                ]
            })
    } else {
        Default::default()
    };
    messages.map(|message| {
        if message.len() > MAX_MESSAGE {
            Vec::new()
        } else {
            message
        }
    })
}

fn ends(
    talk: &Talk,
    index: usize,
    number: u32,
    random: &mut Random,
) -> Option<(SocketAddr, SocketAddr, Option<&'static str>)> {
    let choice = random.below(u32::try_from(talk.remotes.len()).ok()?);
    let remote = talk.remotes[choice as usize].parse().ok()?;
    let name = talk.names.get(choice as usize).copied();
    // A host of each family may be among the remote ones.
    let local = talk.local.parse().ok()?;
    let local = match (local, remote) {
        (std::net::IpAddr::V4(_), std::net::IpAddr::V6(_)) => super::cast::HOST_V6.parse().ok()?,
        _ => local,
    };
    let port = if talk.port == 0 {
        0
    } else {
        port_of(index, number)
    };
    Some(match talk.kind {
        Kind::Outgoing => ((local, port).into(), (remote, talk.port).into(), name),
        Kind::Incoming => {
            let port = 40_000 + u16::try_from(number * 7 % 20_000).unwrap_or(0);
            ((remote, port).into(), (local, talk.port).into(), None)
        }
        Kind::Group => ((local, talk.port).into(), (remote, talk.port).into(), None),
    })
}

/// The round-trip time to the other end.
fn trip(other: SocketAddr) -> Duration {
    let is_near = match other.ip() {
        std::net::IpAddr::V4(ip) => ip.is_private() || ip.is_loopback(),
        std::net::IpAddr::V6(ip) => ip.is_loopback(),
    };
    if is_near {
        Duration::from_micros(350)
    } else {
        Duration::from_millis(14)
    }
}

/// The volume of all traffic, in per cent: it rises and falls in waves of about a minute.
fn swell(at: Duration) -> u32 {
    let wave = |period: u64| {
        let place = at.as_secs() % period;
        let half = period / 2;
        u32::try_from(place.abs_diff(half) * 100 / half).unwrap_or(0)
    };
    30 + (wave(46) * 2 + wave(74) * 3) * 70 / 500
}

/// From the table of actors: small, and finite.
fn seconds(value: f32) -> Duration {
    Duration::from_secs_f32(value.max(0.0))
}

/// `SplitMix64` (Steele, Lea, Flood 2014): small, and the same everywhere.
#[derive(Debug, Clone, Copy)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound`, exclusive.
    fn below(&mut self, bound: u32) -> u32 {
        let bound = u64::from(bound.max(1));
        u32::try_from(((self.next() >> 32) * bound) >> 32).unwrap_or(0)
    }

    fn between(&mut self, least: f32, most: f32) -> f32 {
        let thousandths = u16::try_from(self.below(1_001)).unwrap_or(0);
        least + (most - least) * f32::from(thousandths) / 1_000.0
    }
}

/// The port ranges of the kinds of conversation do not overlap.
const _: () = assert!(first_port(0) >= 10_000);
