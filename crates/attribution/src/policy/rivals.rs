//! Which questions that wait are in doubt because of another flow on the same local port.
//!
//! A port can have many thousands of waiting questions, and somebody else decides how many.
//! So nothing here goes through them: each port and each local end remembers its newest
//! flows, and a question compares itself with those when its answer comes.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::{Initiator, LookupRequest};
use crate::answer::{Match, Protocol, SocketQuery};

/// The order in which questions were asked.
pub(super) type Number = u64;

/// The ports and local ends of all questions that wait.
#[derive(Debug, Default)]
pub(super) struct Rivals {
    /// By a query without remote end and device.
    ends: HashMap<SocketQuery, End>,
    ports: HashMap<(Protocol, u16), Port>,
    asked: Number,
}

/// One local end with questions that wait.
#[derive(Debug, Default)]
struct End {
    waiting: usize,
    /// Of those, the ones about flows that this end initiator.
    by_us: usize,
    /// And about flows that are older than the capture.
    earlier: usize,
    initiator: Newest<SocketQuery>,
    opened_or_earlier: Newest<SocketQuery>,
}

/// One local port with questions that wait.
#[derive(Debug, Default)]
struct Port {
    waiting: usize,
    initiator: Newest<SocketAddr>,
}

/// The newest flow of each of two kinds: whatever one compares them with, one of the two
/// differs from it.
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

    /// Whether one that differs from `key` came after that number.
    fn has_other(&self, key: K, after: Number) -> bool {
        let mut both = [self.first, self.other].into_iter().flatten();
        both.any(|(other, number)| other != key && number > after)
    }
}

impl Rivals {
    /// Takes note of a flow for those that wait: of its question, which may be answered at
    /// once. Its number.
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

    /// Takes a question that waits from now on; its number.
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

    /// Forgets a question that does not wait any more.
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

    /// Up to which match a flow that was asked for later puts this question in doubt: a
    /// lookup may find the socket of the one when it asks for the other.
    ///
    /// Every connection has a socket of its own, and one local end serves several to
    /// different remote ends; that is no matter where remote ends are known. A UDP socket
    /// talks to many remote ends, but it also closes, and the next one gets its port.
    pub(super) fn contested_by_later(
        &self,
        question: &LookupRequest,
        number: Number,
        table_tells_remotes: bool,
    ) -> Option<Match> {
        let query = question.query;
        let entry = self.ends.get(&end(&query))?;
        if query.protocol() == Protocol::Tcp {
            let rivals = match question.initiator {
                _ if table_tells_remotes => return None,
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

    /// Up to which match questions that wait already put a new one in doubt, given those
    /// with the same ends, which do not. Of connections, all may be there; of UDP sockets, the
    /// newest one is.
    pub(super) fn contested_by_earlier<'a>(
        &self,
        question: &LookupRequest,
        same_ends: impl Iterator<Item = &'a LookupRequest>,
        table_tells_remotes: bool,
    ) -> Option<Match> {
        let query = question.query;
        if query.protocol() != Protocol::Tcp || table_tells_remotes {
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

    /// Panics if it counts other questions than these.
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

/// The rule, one question at a time: up to which match a new one puts an older one in doubt.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn contests(
    new: &LookupRequest,
    older: &LookupRequest,
    table_tells_remotes: bool,
) -> Option<Match> {
    let by_us = |question: &LookupRequest| question.initiator == Initiator::Local;
    let accepted = |question: &LookupRequest| question.initiator == Initiator::Remote;
    let ends = |question: &LookupRequest| (question.query.protocol(), question.query.local());
    if new.query == older.query || port(&new.query) != port(&older.query) {
        return None;
    }
    let same_end = ends(new) == ends(older);
    match new.query.protocol() {
        Protocol::Tcp => {
            let may_share_end = (by_us(new) || by_us(older))
                && !(accepted(new) || accepted(older))
                && !table_tells_remotes;
            (may_share_end && same_end).then_some(Match::LocalEndpoint)
        }
        _ if !by_us(new) => None,
        _ if same_end => Some(Match::LocalEndpoint),
        _ => Some(Match::WildcardAddress),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;

    /// Questions, whether another one leaves after them, and whether they are answered at once.
    fn questions() -> impl Strategy<Value = Vec<(LookupRequest, bool, bool)>> {
        let initiator = prop_oneof![
            Just(Initiator::Local),
            Just(Initiator::Remote),
            Just(Initiator::Unknown)
        ];
        let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
        let question = (
            protocol,
            1..3_u8,
            1..3_u16,
            1..4_u16,
            initiator,
            any::<(bool, bool)>(),
        )
            .prop_map(
                |(protocol, ip, port, remote, initiator, (leaves, is_known))| {
                    let local = ([10, 0, 0, ip], port).into();
                    let remote = ([192, 0, 2, 1], remote).into();
                    let question = LookupRequest {
                        query: SocketQuery::new(protocol, local, Some(remote)),
                        seen_at: SystemTime::UNIX_EPOCH,
                        initiator,
                    };
                    (question, leaves, is_known)
                },
            );
        proptest::collection::vec(question, 1..40)
    }

    proptest! {
        /// The same as to go through all that wait.
        #[test]
        fn nothing_else_than_one_by_one(questions in questions(), tells in any::<bool>()) {
            let mut rivals = Rivals::default();
            let mut waiting: Vec<(LookupRequest, Number, Option<Match>)> = Vec::new();
            for (question, leaves, is_known) in questions {
                let same = waiting.iter().map(|(older, ..)| older);
                let same: Vec<LookupRequest> =
                    same.filter(|older| older.query == question.query).copied().collect();
                let earlier = rivals.contested_by_earlier(&question, same.iter(), tells);
                let one_by_one = waiting.iter();
                let one_by_one = one_by_one.map(|(older, ..)| contests(&question, older, tells));
                let one_by_one = one_by_one.max().flatten();
                let expected = one_by_one.filter(|_| question.query.protocol() == Protocol::Tcp);
                prop_assert_eq!(earlier, expected);
                for (older, _, contested) in &mut waiting {
                    *contested = (*contested).max(contests(&question, older, tells));
                }
                if is_known {
                    // Answered at once.
                    rivals.note(&question);
                } else {
                    let number = rivals.add(&question);
                    waiting.push((question, number, None));
                }
                for (question, number, expected) in &waiting {
                    let contested = rivals.contested_by_later(question, *number, tells);
                    prop_assert_eq!(contested, *expected);
                }
                if leaves && !waiting.is_empty() {
                    let (gone, ..) = waiting.swap_remove(waiting.len() / 2);
                    rivals.remove(&gone);
                }
                rivals.check(waiting.iter().map(|(question, ..)| question));
            }
        }
    }
}
