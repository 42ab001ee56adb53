//! Decides which part of the evidence holds for a request: whether it is about the request's own
//! socket, or may be about the socket of another flow.
//!
//! Many thousands of requests may wait for one port, and a remote host may cause them. So no
//! function here visits all of them. Each port and each local end remembers its newest flows
//! ([`Rivals`]), and a request compares itself with these when its answer comes.

mod since;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;

use since::{executed_after, started_after};

use super::answer::{Answer, Listed};
use super::freshness::OBSERVED_SENDER;
use super::history::History;
use super::{Initiator, LookupRequest, Observation, ObservationKind, PolicyConfig};
use crate::answer::{Match, Ownership, ProcessId, Protocol, Reason, SocketQuery, Source, Verdict};

/// A waiting request.
#[derive(Debug)]
pub(super) struct Waiting<K> {
    pub(super) waiter: K,
    pub(super) question: LookupRequest,
    /// The number of the newest table request when this one began. The answer to that one or an
    /// earlier one is too old for it.
    pub(super) asked_after: u64,
    /// The owner of the socket according to lookups before this request.
    pub(super) before: Option<Ownership>,
    /// Whether the policy had a snapshot of all sockets when this request began.
    pub(super) is_before_known: bool,
    /// When the request began, a lookup could find another flow's socket in place of its own, by a
    /// match no closer than this.
    pub(super) contested_at_start: Option<Match>,
    /// Its place in the order of all requests, which decides the flows that come later.
    pub(super) number: Number,
    /// The best answer so far.
    pub(super) best: Option<Ownership>,
    /// The number of fast lookups for it.
    pub(super) fast_lookups: usize,
    /// The flow has ended, and the next answer is the last.
    pub(super) ended: bool,
}

impl<K> Waiting<K> {
    /// Whether the next lookup should not wait for a packet: there is no answer yet, or only one
    /// from a fast lookup.
    pub(super) fn is_impatient(&self) -> bool {
        self.best.is_none() || self.ended
    }

    /// Whether the lookup failed, so that the owner is unknown.
    pub(super) fn has_failed(&self) -> bool {
        let failed = Verdict::Unknown(Reason::Failed);
        let best = self.best.as_ref();
        best.is_some_and(|best| best.verdict == failed)
    }

    /// The part of an answer that holds for this flow. `contested` is the match up to which another
    /// flow contests it.
    pub(super) fn judge(
        &self,
        answer: &Answer,
        contested: Option<Match>,
        history: &History,
        config: &PolicyConfig,
    ) -> Ownership {
        let has_remote_addresses = config.capabilities.remote_addresses;
        let found = match answer {
            Answer::Listed(Listed {
                connected: Some(connected),
                ..
            }) if self.question.needs_its_connection() => connected,
            Answer::Listed(Listed {
                accepted: Some(accepted),
                ..
            }) if self.question.initiator == Initiator::Remote => accepted,
            Answer::Found(found) | Answer::Listed(Listed { any: found, .. }) => found,
            Answer::Failed(reason) => {
                return Ownership::unknown(*reason, self.question.packet_time, Source::None);
            }
        };
        let before = Before {
            is_known: self.is_before_known,
            named: self.before.as_ref(),
        };
        let (observed_at, source) = (found.evidence.observed_at, found.evidence.source);
        let is_too_late = match self.question.packet_time {
            packet_time if started_after(found, packet_time) => Some(Reason::Gone),
            packet_time if executed_after(found, packet_time) => Some(Reason::Changed),
            _ => None,
        };
        if let Some(reason) = is_too_late {
            return Ownership::unknown(reason, observed_at, source);
        }
        if self
            .question
            .accepts(found, before, contested, has_remote_addresses)
        {
            let mut found = found.clone();
            let had_socket = self.question.had_socket(has_remote_addresses);
            if found.verdict == Verdict::Unknown(Reason::NotFound) && had_socket {
                found.verdict = Verdict::Unknown(Reason::Gone);
            }
            if let Answer::Listed(listed) = answer
                && !matches!(found.verdict, Verdict::Unknown(_))
                && !self.is_proven(&found, listed, history, config)
            {
                // Another process may have had the port at the packet's time.
                found.verdict = Verdict::Unknown(Reason::Gone);
                found.evidence.matched = None;
            }
            return found;
        }
        // If the table does not know remote ends, the refused socket may be the right one.
        let is_gone = has_remote_addresses && self.question.had_socket(true);
        let reason = if is_gone || contested.is_some() {
            Reason::Gone
        } else {
            Reason::NotFound
        };
        Ownership::unknown(reason, observed_at, source)
    }
}

/// Whether a table that knows remote ends may still find the connection's own socket, as when the
/// process that listens has not accepted the connection yet.
pub(super) fn may_match_closer(
    answer: &Ownership,
    query: &SocketQuery,
    config: &PolicyConfig,
) -> bool {
    let is_connection = query.protocol() == Protocol::Tcp && query.remote().is_some();
    is_connection
        && config.capabilities.remote_addresses
        && matches!(
            answer.evidence.matched,
            Some(Match::LocalEndpoint | Match::WildcardAddress)
        )
}

impl Observation {
    /// Whether the observation is evidence for a request about the same [flow](flow_of).
    pub(super) fn is_about(&self, request: &LookupRequest) -> bool {
        let devices = self.query.device_or_scope();
        let devices = devices.zip(request.query.device_or_scope());
        let is_kind = match self.kind {
            ObservationKind::Sender => request.initiator == Initiator::Local,
        };
        let age = self.at.duration_since(request.packet_time);
        is_kind
            && devices.is_none_or(|(own, asked)| own == asked)
            && age.is_ok_and(|age| age <= OBSERVED_SENDER)
    }
}

impl Observation {
    /// Whether it names the sender of a packet whose ends no socket has: only an observer of the
    /// sending can.
    pub(super) fn is_of_no_one_socket(&self) -> bool {
        self.owner.evidence.is_by_run()
    }
}

/// The flow that a query is about: its ends, whatever the device. An observation is about a sender.
pub(super) fn flow_of(query: &SocketQuery) -> SocketQuery {
    query.without_device().as_sender()
}

impl LookupRequest {
    /// Whether this flow shows that the socket of `older`, which still waits, is gone: a new flow
    /// with the same ends.
    pub(super) fn replaces(&self, older: &Self) -> bool {
        let may_be_new_socket = match (self.initiator, self.query.protocol()) {
            (Initiator::Local, _) | (Initiator::Remote, Protocol::Tcp) => true,
            (Initiator::Remote | Initiator::Unknown, _) => false,
        };
        // Both ends of a flow from a socket to itself send the same query at the same time.
        self.query == older.query && self.packet_time != older.packet_time && may_be_new_socket
    }

    /// Whether a socket must have existed at this end, even if no lookup finds one: it sent the
    /// first packet of a connection, or a datagram. A table that does not know remote ends may find
    /// the socket of a datagram late.
    pub(super) fn had_socket(&self, has_remote_addresses: bool) -> bool {
        self.initiator == Initiator::Local
            && (self.query.protocol() == Protocol::Tcp || has_remote_addresses)
    }

    /// The query for the history, if a socket from before this flow can be the right one.
    pub(super) fn socket_before(&self) -> Option<SocketQuery> {
        let query = &self.query;
        match (query.protocol(), self.initiator) {
            // A new connection has a new socket.
            (Protocol::Tcp, Initiator::Local) => None,
            // Its own socket is new, too, but it belongs to the listener that existed before.
            (Protocol::Tcp, Initiator::Remote) => Some(query.without_remote()),
            _ => Some(*query),
        }
    }

    /// Whether only the socket of its own connection can be the right one.
    ///
    /// A segment in the middle of a connection whose start was not captured is no evidence that the
    /// connection exists: any host can send one to a listener's port, and the kernel only refuses
    /// it. (A connection that the listening process has not accepted yet has both ends.) If the
    /// table does not know remote ends, only a socket with some connection can be the right one.
    pub(super) fn needs_its_connection(&self) -> bool {
        self.query.protocol() == Protocol::Tcp
            && self.initiator == Initiator::Unknown
            && self.query.remote().is_some()
    }

    /// Whether the socket of `answer` can be the one of this flow, given the knowledge from
    /// `before` the flow and the match up to which another flow contests it.
    pub(super) fn accepts(
        &self,
        answer: &Ownership,
        before: Before<'_>,
        contested: Option<Match>,
        has_remote_addresses: bool,
    ) -> bool {
        let Some(matched @ (Match::LocalEndpoint | Match::WildcardAddress)) =
            answer.evidence.matched
        else {
            return true;
        };
        let contested = contested.is_some_and(|up_to| matched <= up_to);
        match (self.query.protocol(), self.initiator) {
            (Protocol::Tcp, Initiator::Local) => {
                // A listener is not the socket of a connection that this end opened, and neither is
                // that of an earlier connection.
                let is_distinguished = has_remote_addresses && self.query.remote().is_some();
                matched == Match::LocalEndpoint
                    && !is_distinguished
                    && !contested
                    && before.shows_new(answer)
            }
            (Protocol::Tcp, _) => {
                !(contested || (has_remote_addresses && self.needs_its_connection()))
            }
            // Lookups before and after the packet with the same result prove it for the packet.
            _ => {
                let is_same = |before: &Ownership| before.verdict == answer.verdict;
                !contested || before.named.is_some_and(is_same)
            }
        }
    }
}

/// The knowledge about a local end from before a flow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before<'a> {
    /// Whether the policy had read all sockets before. If not, any socket that it finds later may
    /// be older than the flow.
    pub(super) is_known: bool,
    /// The processes with a socket there, if a lookup found any.
    pub(super) named: Option<&'a Ownership>,
}

impl Before<'_> {
    /// Whether the socket of `answer` did not exist before.
    fn shows_new(self, answer: &Ownership) -> bool {
        self.is_known
            && self
                .named
                .is_none_or(|before| names_another_process(answer, before))
    }
}

fn names_another_process(answer: &Ownership, before: &Ownership) -> bool {
    let ids = |ownership: &Ownership| -> Vec<ProcessId> {
        let processes = ownership.verdict.processes().iter();
        processes.map(|process| process.id()).collect()
    };
    let known = ids(before);
    before.evidence.matched != Some(Match::LocalEndpoint)
        || ids(answer).iter().any(|id| !known.contains(id))
}

/// The order of requests.
pub(super) type Number = u64;

/// The ports and local ends of all waiting requests.
#[derive(Debug, Default)]
pub(super) struct Rivals {
    /// Keyed by a query without remote end and device.
    ends: HashMap<SocketQuery, End>,
    ports: HashMap<(Protocol, u16), Port>,
    asked: Number,
}

/// One local end with waiting requests.
#[derive(Debug, Default)]
struct End {
    waiting: usize,
    /// Of these, the requests for flows that this end opened.
    by_us: usize,
    /// And the requests for flows that are older than the capture.
    earlier: usize,
    initiator: Newest<SocketQuery>,
    opened_or_earlier: Newest<SocketQuery>,
}

/// One local port with waiting requests.
#[derive(Debug, Default)]
struct Port {
    waiting: usize,
    initiator: Newest<SocketAddr>,
}

/// The newest flow of each of two kinds. Whatever flow the caller compares, one of the two differs
/// from it.
#[derive(Debug)]
struct Newest<K> {
    first: Option<(K, Number)>,
    other: Option<(K, Number)>,
}

impl<K> Default for Newest<K> {
    fn default() -> Self {
        Self {
            first: None,
            other: None,
        }
    }
}

impl<K: Copy + Eq> Newest<K> {
    fn add(&mut self, key: K, number: Number) {
        if self.first.is_some_and(|(first, _)| first != key) {
            self.other = self.first;
        }
        self.first = Some((key, number));
    }

    /// Whether a flow that differs from `key` came after that number.
    fn has_other(&self, key: K, after: Number) -> bool {
        let mut both = [self.first, self.other].into_iter().flatten();
        both.any(|(other, number)| other != key && number > after)
    }
}

impl Rivals {
    /// Records a flow, which may contest the waiting requests. Its own request may get its answer
    /// at once. Returns its number.
    pub(super) fn note(&mut self, question: &LookupRequest) -> Number {
        self.asked += 1;
        let (query, number) = (question.query, self.asked);
        if let Some(end) = self.ends.get_mut(&end(&query)) {
            if question.initiator == Initiator::Local {
                end.initiator.add(query, number);
            }
            if question.initiator != Initiator::Remote {
                end.opened_or_earlier.add(query, number);
            }
        }
        if let Some(port) = self.ports.get_mut(&port(&query))
            && question.initiator == Initiator::Local
        {
            port.initiator.add(query.local(), number);
        }
        number
    }

    /// Adds a request that waits from now on, and returns its number.
    pub(super) fn add(&mut self, question: &LookupRequest) -> Number {
        let end = self.ends.entry(end(&question.query)).or_default();
        end.waiting += 1;
        match question.initiator {
            Initiator::Local => end.by_us += 1,
            Initiator::Unknown => end.earlier += 1,
            Initiator::Remote => {}
        }
        let port = self.ports.entry(port(&question.query)).or_default();
        port.waiting += 1;
        self.note(question)
    }

    /// Removes a request that does not wait any more.
    pub(super) fn remove(&mut self, question: &LookupRequest) {
        let query = &question.query;
        if let Some(entry) = self.ends.get_mut(&end(query)) {
            entry.waiting -= 1;
            match question.initiator {
                Initiator::Local => entry.by_us -= 1,
                Initiator::Unknown => entry.earlier -= 1,
                Initiator::Remote => {}
            }
            if entry.waiting == 0 {
                self.ends.remove(&end(query));
            }
        }
        if let Some(entry) = self.ports.get_mut(&port(query)) {
            entry.waiting -= 1;
            if entry.waiting == 0 {
                self.ports.remove(&port(query));
            }
        }
    }

    /// The match up to which a later flow contests this request: a lookup for one flow may find the
    /// socket of the other.
    ///
    /// Every connection has a socket of its own, and one local end serves several connections to
    /// different remote ends. That does not matter if the table knows remote ends. A UDP socket
    /// exchanges packets with many remote ends, but it also closes, and the next socket gets its
    /// port.
    pub(super) fn contested_by_later(
        &self,
        question: &LookupRequest,
        number: Number,
        has_remote_addresses: bool,
    ) -> Option<Match> {
        let query = question.query;
        let entry = self.ends.get(&end(&query))?;
        if query.protocol() == Protocol::Tcp {
            let rivals = match question.initiator {
                _ if has_remote_addresses => return None,
                Initiator::Local => &entry.opened_or_earlier,
                Initiator::Unknown => &entry.initiator,
                Initiator::Remote => return None,
            };
            return rivals
                .has_other(query, number)
                .then_some(Match::LocalEndpoint);
        }
        if entry.initiator.has_other(query, number) {
            return Some(Match::LocalEndpoint);
        }
        let port = self.ports.get(&port(&query))?;
        let is_contested = port.initiator.has_other(query.local(), number);
        is_contested.then_some(Match::WildcardAddress)
    }

    /// The match up to which waiting requests contest a new one, without the given ones with the
    /// same ends, which do not. All of several connections may exist; of several UDP sockets with
    /// the same ends, only the newest one does.
    pub(super) fn contested_by_earlier<'a>(
        &self,
        question: &LookupRequest,
        same_ends: impl Iterator<Item = &'a LookupRequest>,
        has_remote_addresses: bool,
    ) -> Option<Match> {
        let query = question.query;
        if query.protocol() != Protocol::Tcp || has_remote_addresses {
            return None;
        }
        let entry = self.ends.get(&end(&query))?;
        let (mut same_by_us, mut same_earlier) = (0, 0);
        for same in same_ends {
            same_by_us += usize::from(same.initiator == Initiator::Local);
            same_earlier += usize::from(same.initiator == Initiator::Unknown);
        }
        let rivals = match question.initiator {
            Initiator::Local => entry.by_us + entry.earlier - same_by_us - same_earlier,
            Initiator::Unknown => entry.by_us - same_by_us,
            Initiator::Remote => 0,
        };
        (rivals > 0).then_some(Match::LocalEndpoint)
    }

    /// Panics if the counts do not match these requests.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn check<'a>(&self, questions: impl Iterator<Item = &'a LookupRequest>) {
        let mut expected = Self::default();
        for question in questions {
            expected.add(question);
        }
        let counts = |rivals: &Self| {
            let ends = rivals.ends.iter();
            let ends = ends.map(|(key, end)| (*key, (end.waiting, end.by_us, end.earlier)));
            let ports = rivals.ports.iter().map(|(key, port)| (*key, port.waiting));
            (
                ends.collect::<HashMap<_, _>>(),
                ports.collect::<HashMap<_, _>>(),
            )
        };
        assert_eq!(counts(self), counts(&expected));
    }
}

fn end(query: &SocketQuery) -> SocketQuery {
    query.without_remote().on_device(0)
}

fn port(query: &SocketQuery) -> (Protocol, u16) {
    (query.protocol(), query.local().port())
}
