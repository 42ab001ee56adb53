//! Finds the name of an address for a flow.

mod answers;
mod choice;
mod own;
mod questions;
mod recorded;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::wire::ServerName;
use crate::wire::dns::Message;
use crate::{Hosts, Name, Source};
use answers::{Answer, Answers};
use choice::Choice;
use own::Own;
use questions::{Asked, Questions};
use recorded::Recorded;

/// The limits of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Questions that wait for their answer.
    pub questions: usize,
    /// Names of addresses, over all addresses.
    pub answers: usize,
    /// Names of one address.
    pub of_address: usize,
    /// Flows of DNS whose owner is known.
    pub dns_flows: usize,
    /// Results of reverse lookups.
    pub reverse: usize,
    /// Addresses with names of a capture file.
    pub recorded: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            questions: 8_192,
            answers: 65_536,
            of_address: 64,
            dns_flows: 16_384,
            reverse: 16_384,
            recorded: 65_536,
        }
    }
}

/// The numbers of accepted, refused and dropped messages and names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Accepted answers.
    pub answers: u64,
    /// Refused answers, because the table has no question for them: they are forged, or the capture
    /// missed the question.
    pub unsolicited: u64,
    /// Questions that the table dropped before their answer, to make room for others.
    pub questions_dropped: u64,
    /// Names that the table dropped before their time, to make room for others.
    pub names_dropped: u64,
}

/// The flow that an address is a part of.
#[derive(Debug, Clone, Copy)]
pub struct FlowFacts<'a> {
    /// The local end.
    pub local: IpAddr,
    /// The owner of the flow; `None` if it is unknown.
    pub owner: Option<FlowOwner>,
    /// When the flow began, since the Unix epoch.
    pub began: Duration,
    /// The name that the client gave the remote end in the flow itself, if it did, and when.
    pub server: Option<(&'a ServerName, Source, Duration)>,
}

/// The owner of a flow, by numbers of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FlowOwner {
    /// The program.
    pub program: u64,
    /// The process that executes it; `None` if that is unknown, or if several processes own the flow.
    pub process: Option<u64>,
}

impl FlowOwner {
    /// One process of a program.
    #[must_use]
    pub const fn process(program: u64, process: u64) -> Self {
        Self {
            program,
            process: Some(process),
        }
    }

    /// A program of which the process is unknown, or several.
    #[must_use]
    pub const fn program(program: u64) -> Self {
        Self {
            program,
            process: None,
        }
    }
}

/// Who asked for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AskedBy {
    /// The program that owns the flow, or the flow says so itself.
    Program,
    /// This host, and perhaps another program.
    Host,
    /// Another host.
    AnotherHost,
    /// Nothing: the name comes from the hosts file or from a reverse lookup.
    None,
}

impl AskedBy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Program, Self::Host, Self::AnotherHost, Self::None];

    /// As text, such as `another-host`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Host => "host",
            Self::AnotherHost => "another-host",
            Self::None => "none",
        }
    }
}

/// A name of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostName {
    /// The name.
    pub name: Name,
    /// Where it comes from.
    pub source: Source,
    /// Who asked for it.
    pub asked_by: AskedBy,
    /// When it was observed, since the Unix epoch; `None` for the hosts file.
    pub observed_at: Option<Duration>,
    /// Whether the true name may be encrypted; see [`ServerName::may_be_outer`].
    pub may_be_outer: bool,
}

impl HostName {
    /// A name without further facts.
    #[must_use]
    pub const fn new(name: Name, source: Source, asked_by: AskedBy) -> Self {
        Self {
            name,
            source,
            asked_by,
            observed_at: None,
            may_be_outer: false,
        }
    }
}

/// The names of an address, for one flow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Names {
    /// The name that the flow is about. `None` without evidence, or if several names are possible and
    /// nothing decides between them: a wrong name is worse than none.
    pub name: Option<HostName>,
    /// The other names of the address, the latest first, each with its evidence.
    pub others: Vec<HostName>,
}

/// The observed names of addresses. It is pure: the caller passes in the time of the packets.
///
/// A name counts for flows that begin while the answer is valid, or at most [`GRACE`] later. Ask when a
/// flow begins, and keep the name for as long as the flow, because the table forgets.
#[derive(Debug)]
pub struct NameTable {
    limits: Limits,
    own: Own,
    questions: Questions,
    answers: Answers,
    /// Who owns flows of DNS.
    dns_flows: HashMap<u64, FlowOwner>,
    dns_flows_order: VecDeque<u64>,
    hosts: Hosts,
    recorded: Recorded,
    reverse: HashMap<IpAddr, (Name, Duration)>,
    reverse_order: VecDeque<IpAddr>,
    unsolicited: u64,
}

/// How long an answer counts for new flows after it has expired: programs use addresses for a while
/// after that.
pub const GRACE: Duration = Duration::from_secs(60);
/// What multicast DNS has the names for (RFC 6762, section 3).
const MDNS_DOMAIN: &str = "local";
/// How much longer a name of multicast DNS counts after its host has said goodbye (RFC 6762, 10.1).
const GOODBYE: Duration = Duration::from_secs(1);
/// The longest time that an answer counts, whatever its own lifetime is.
pub const MAX_LIFE: Duration = Duration::from_secs(24 * 3_600);

impl Default for NameTable {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl NameTable {
    /// An empty one.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            own: Own(Box::new(|_| false)),
            questions: Questions::new(limits.questions),
            answers: Answers::new(limits.answers, limits.of_address),
            dns_flows: HashMap::new(),
            dns_flows_order: VecDeque::new(),
            hosts: Hosts::default(),
            recorded: Recorded::new(limits.recorded),
            reverse: HashMap::new(),
            reverse_order: VecDeque::new(),
            unsolicited: 0,
        }
    }

    /// Sets the addresses of this host: answers to one of them count for all of them, and for the
    /// loopback addresses.
    pub fn set_own_addresses(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        let addresses = addresses.into_iter();
        let own: HashSet<IpAddr> = addresses.map(|address| address.to_canonical()).collect();
        self.set_own(move |address| own.contains(&address));
    }

    /// The same, as a function of addresses. It gets no v4-mapped address.
    pub fn set_own(&mut self, is_own: impl Fn(IpAddr) -> bool + Send + Sync + 'static) {
        self.own = Own(Box::new(is_own));
    }

    /// Replaces the names of the hosts file, and returns the former ones: to free many of them takes a
    /// while, which the caller may do elsewhere.
    pub fn set_hosts(&mut self, hosts: Hosts) -> Hosts {
        std::mem::replace(&mut self.hosts, hosts)
    }

    /// Takes a name that a capture file gives an address. Of several, none names a later flow.
    pub fn observe_recorded(&mut self, address: IpAddr, name: Name) {
        self.recorded.put(address.to_canonical(), name);
    }

    /// Takes the result of a reverse lookup.
    pub fn observe_reverse(&mut self, address: IpAddr, name: Name, now: Duration) {
        let address = address.to_canonical();
        if self.reverse.insert(address, (name, now)).is_none() {
            self.reverse_order.push_back(address);
        }
        while self.reverse.len() > self.limits.reverse
            && let Some(oldest) = self.reverse_order.pop_front()
        {
            self.reverse.remove(&oldest);
        }
    }

    /// Takes a message of DNS, multicast DNS or LLMNR, from the flow with this number of the caller.
    ///
    /// An answer of DNS or LLMNR counts only if it matches an observed question: the same two ends, the
    /// same number, the same name. A forger elsewhere must guess all of them. Multicast DNS counts for
    /// names below `local` (RFC 6762, section 3), and only if the message went to the group of the local
    /// network, or answers an observed question.
    pub fn observe(
        &mut self,
        message: &Message,
        source: Source,
        (from, to): (SocketAddr, SocketAddr),
        flow: u64,
        now: Duration,
    ) {
        let (from, to) = (canonical(from), canonical(to));
        if !message.is_response {
            for question in questions::asked_for(source, message) {
                let asked = Asked::new(source, from, to, message.id, question);
                self.questions.ask(asked, flow, now);
            }
            return;
        }
        let (mut asked_name, mut asked_in) = (None, flow);
        let client = if source == Source::Mdns && questions::is_to_neighbours(from, to) {
            // A host announces its name to the local network.
            None
        } else {
            let asked_for = message.questions.first();
            let answered = asked_for.and_then(|question| {
                let asked = Asked::new(source, to, from, message.id, question);
                self.questions.answer(&asked, now)
            });
            let Some((name, flow)) = answered else {
                self.unsolicited += 1;
                return;
            };
            // The caller may have given the flow another number since, and who has it then did not ask.
            (asked_name, asked_in) = (Some(name), flow);
            Some(to.ip())
        };
        // The text that the flow of the question has already.
        let shared = |name: &Name| match &asked_name {
            Some(asked) if asked == name => asked.clone(),
            _ => name.clone(),
        };
        for address in &message.addresses {
            if source == Source::Mdns && !address.name.is_within(MDNS_DOMAIN) {
                continue;
            }
            if source == Source::Mdns && client.is_none() && address.life.is_zero() {
                let address_of = address.address.to_canonical();
                self.answers.end(address_of, &address.name, now + GOODBYE);
                continue;
            }
            let answer = Answer {
                name: shared(&address.name),
                source,
                client,
                flow: asked_in,
                first_at: now,
                last_at: now,
                valid_until: now + address.life.min(MAX_LIFE) + GRACE,
            };
            self.answers.put(address.address.to_canonical(), answer);
        }
    }

    /// Sets the owner of a flow of DNS, as soon as it is known: the answers there count for the flows of
    /// that owner first.
    ///
    /// For a flow to a stub resolver on this host, the owner is the program that asks. For the flow from
    /// the stub to a server, it is the stub.
    pub fn set_dns_flow_owner(&mut self, flow: u64, owner: FlowOwner) {
        if self.dns_flows.insert(flow, owner).is_none() {
            self.dns_flows_order.push_back(flow);
        }
        while self.dns_flows.len() > self.limits.dns_flows
            && let Some(oldest) = self.dns_flows_order.pop_front()
        {
            self.dns_flows.remove(&oldest);
        }
    }

    /// The names of the remote address of a flow.
    ///
    /// The strongest evidence names the flow: the name that the client gave in the flow; then the DNS
    /// answer that its own process requested before the flow began, or else another process of its
    /// program, or else this host; multicast DNS and LLMNR; the hosts file; an answer that another host
    /// requested; a capture file; a reverse lookup.
    ///
    /// If the strongest answers have several names for the address, nothing decides between them. Then
    /// no weaker evidence names the flow either, and all of them are among the other names.
    #[must_use]
    pub fn names_of(&self, address: IpAddr, flow: &FlowFacts<'_>) -> Names {
        let address = address.to_canonical();
        self.only_name(address, flow)
            .unwrap_or_else(|| self.names_of_all(address, flow))
    }

    /// What all answers say together.
    fn names_of_all(&self, address: IpAddr, flow: &FlowFacts<'_>) -> Names {
        let mut answers: Vec<&Answer> = self.answers.valid(address, flow.began).collect();
        if answers.len() > 1 {
            answers.sort_by_key(|answer| std::cmp::Reverse(answer.before(flow.began)));
        }
        let (found, is_ambiguous) = match self.of_answers(address, &answers, flow) {
            Choice::Several => (None, true),
            Choice::None => (None, false),
            Choice::One(answer, asked_by) => (Some(answer.named(asked_by, flow.began)), false),
        };
        let weaker = || {
            if is_ambiguous {
                return None;
            }
            self.of_hosts(address)
                .or_else(|| self.of_other_hosts(address, &answers, flow))
                .or_else(|| self.recorded.only_name(address))
                .or_else(|| self.of_reverse(address))
        };
        let name = of_flow(flow).or(found).or_else(weaker);
        let mut others: Vec<HostName> = Vec::new();
        let is_other = |other: &Name| name.as_ref().is_none_or(|name| name.name != *other);
        let mut add = |other: HostName| {
            match others.iter_mut().find(|known| known.name == other.name) {
                // The nearest of those who asked for one name.
                Some(known) if distance(other.asked_by) < distance(known.asked_by) => {
                    *known = other;
                }
                Some(_) => {}
                None => others.push(other),
            }
        };
        for answer in answers.iter().filter(|answer| is_other(&answer.name)) {
            add(answer.named(self.asked_by(answer, flow), flow.began));
        }
        let recorded = self.recorded.names(address);
        recorded.filter(|it| is_other(&it.name)).for_each(&mut add);
        if is_ambiguous {
            let silent = [self.of_hosts(address), self.of_reverse(address)];
            let silent = silent.into_iter().flatten();
            silent.filter(|it| is_other(&it.name)).for_each(add);
        }
        Names { name, others }
    }

    /// Who asked for what an answer says, as a flow has it.
    fn asked_by(&self, answer: &Answer, flow: &FlowFacts<'_>) -> AskedBy {
        if self.is_elsewhere(answer, flow) {
            return AskedBy::AnotherHost;
        }
        let is_of = |owner: FlowOwner| {
            let asker = self.dns_flows.get(&answer.flow);
            asker.is_some_and(|asker| asker.program == owner.program)
        };
        if flow.owner.is_some_and(is_of) {
            AskedBy::Program
        } else {
            AskedBy::Host
        }
    }

    fn of_hosts(&self, address: IpAddr) -> Option<HostName> {
        let first = self.hosts.names_of(address).first()?;
        let name = Name::from_text(first.as_bytes())?;
        Some(HostName::new(name, Source::Hosts, AskedBy::None))
    }

    fn of_reverse(&self, address: IpAddr) -> Option<HostName> {
        let (name, at) = self.reverse.get(&address)?;
        Some(HostName {
            observed_at: Some(*at),
            ..HostName::new(name.clone(), Source::Reverse, AskedBy::None)
        })
    }

    /// Whether another host than that of the flow asked.
    fn is_elsewhere(&self, answer: &Answer, flow: &FlowFacts<'_>) -> bool {
        let Some(client) = answer.client else {
            return false;
        };
        let local = flow.local.to_canonical();
        client != local && !(self.is_own(client) && self.is_own(local))
    }

    fn is_own(&self, address: IpAddr) -> bool {
        address.is_loopback() || (self.own.0)(address)
    }

    /// The numbers of accepted and refused messages.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics {
            answers: self.answers.taken(),
            unsolicited: self.unsolicited,
            questions_dropped: self.questions.dropped(),
            names_dropped: self.answers.dropped(),
        }
    }
}

/// How far from a flow those are who asked for a name.
const fn distance(asked_by: AskedBy) -> u8 {
    match asked_by {
        AskedBy::Program => 0,
        AskedBy::Host => 1,
        AskedBy::None => 2,
        AskedBy::AnotherHost => 3,
    }
}

/// What the client said in the flow itself.
fn of_flow(flow: &FlowFacts<'_>) -> Option<HostName> {
    let (server, source, at) = flow.server?;
    Some(HostName {
        name: server.name.clone(),
        source,
        asked_by: AskedBy::Program,
        observed_at: Some(at),
        may_be_outer: server.may_be_outer,
    })
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
