//! Questions that wait for their answer.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::wire::dns::{Message, Question};
use crate::{Name, Source};

/// How long an answer may take. Clients give up sooner.
const PATIENCE: Duration = Duration::from_secs(30);

/// What an answer must fit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    client: SocketAddr,
    server: SocketAddr,
    id: u16,
    name: Name,
    kind: u16,
}

impl Asked {
    pub(super) fn new(
        source: Source,
        client: SocketAddr,
        server: SocketAddr,
        id: u16,
        question: &Question,
    ) -> Self {
        // A question of LLMNR or multicast DNS goes to a group, and one of its hosts answers (RFC 4795,
        // section 2.1; RFC 6762, section 5.4).
        let anybody = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), server.port());
        let is_to_group = source != Source::Dns;
        Self {
            client,
            server: if is_to_group { anybody } else { server },
            id,
            name: question.name.clone(),
            kind: question.kind,
        }
    }
}

/// The questions of a message that an answer may fit. DNS has one; multicast DNS asks for several
/// things at once, and mostly everybody hears the answer.
pub(super) fn asked_for(source: Source, message: &Message) -> &[Question] {
    match &message.questions[..] {
        questions if source == Source::Mdns => questions,
        [question] => std::slice::from_ref(question),
        _ => &[],
    }
}

/// Whether an answer of multicast DNS went to its group, which no router passes on, from its port (RFC
/// 6762, sections 3 and 6).
pub(super) fn is_to_neighbours(from: SocketAddr, to: SocketAddr) -> bool {
    const PORT: u16 = 5_353;
    const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
    const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
    let is_group = match to.ip() {
        IpAddr::V4(address) => address == GROUP_V4,
        IpAddr::V6(address) => address == GROUP_V6,
    };
    is_group && from.port() == PORT && to.port() == PORT
}

#[derive(Debug)]
pub(super) struct Questions {
    /// By the hash of what was asked: its number. A hash has a secret, and two are equal by accident
    /// once in 10^19; then the earlier question is forgotten.
    numbers: HashMap<u64, u64>,
    /// In the order of their numbers; those that are answered, too.
    order: VecDeque<Waiting>,
    /// The number of the first one.
    first: u64,
    hasher: RandomState,
    limit: usize,
    dropped: u64,
}

#[derive(Debug)]
struct Waiting {
    hash: u64,
    asked: Asked,
    flow: u64,
    at: Duration,
}

impl Questions {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            numbers: HashMap::new(),
            order: VecDeque::new(),
            first: 0,
            hasher: RandomState::new(),
            limit,
            dropped: 0,
        }
    }

    /// Takes a question of a flow, by the caller's number.
    pub(super) fn ask(&mut self, asked: Asked, flow: u64, now: Duration) {
        let hash = self.hasher.hash_one(&asked);
        let number = self.first + self.order.len() as u64;
        self.numbers.insert(hash, number);
        self.order.push_back(Waiting {
            hash,
            asked,
            flow,
            at: now,
        });
        while let Some(oldest) = self.order.front() {
            let is_over = now.saturating_sub(oldest.at) > PATIENCE;
            if !is_over && self.order.len() <= self.limit {
                break;
            }
            // It may have been asked again since, or answered.
            if self.numbers.get(&oldest.hash) == Some(&self.first) {
                self.numbers.remove(&oldest.hash);
                self.dropped += u64::from(!is_over);
            }
            self.order.pop_front();
            self.first += 1;
        }
    }

    /// The name in the question and its flow, if this was asked, and not answered yet.
    pub(super) fn answer(&mut self, asked: &Asked, now: Duration) -> Option<(Name, u64)> {
        let hash = self.hasher.hash_one(asked);
        let number = self.numbers.remove(&hash)?;
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let waiting = self.order.get(at)?;
        let is_it = waiting.asked == *asked && now.saturating_sub(waiting.at) <= PATIENCE;
        is_it.then(|| (waiting.asked.name.clone(), waiting.flow))
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}
