//! The names that answers gave to addresses.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::{AskedBy, HostName};
use crate::{Name, Source};

/// A name that an address was said to have.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) name: Name,
    pub(super) source: Source,
    /// Who got the answer; `None`: everybody.
    pub(super) client: Option<IpAddr>,
    /// The flow in which it came, by the caller's number.
    pub(super) flow: u64,
    /// When it came first and last, without a time between in which it was not valid.
    pub(super) first_at: Duration,
    pub(super) last_at: Duration,
    pub(super) valid_until: Duration,
}

impl Answer {
    /// When it came last before a flow began.
    pub(super) fn before(&self, began: Duration) -> Duration {
        if self.last_at <= began {
            self.last_at
        } else {
            self.first_at
        }
    }

    /// As the name of a flow that began then.
    pub(super) fn named(&self, asked_by: AskedBy, began: Duration) -> HostName {
        HostName {
            name: self.name.clone(),
            source: self.source,
            asked_by,
            observed_at: Some(self.before(began)),
            may_be_outer: false,
        }
    }

    /// Whether it says the same to the same.
    fn is_again(&self, other: &Self) -> bool {
        self.flow == other.flow
            && self.source == other.source
            && self.client == other.client
            && self.name == other.name
    }
}

/// What is kept of one address.
#[derive(Debug, Default)]
struct OfAddress {
    /// In the order of their numbers.
    answers: Vec<(u64, Answer)>,
    /// Until when a name may count that found no place here.
    crowded_until: Duration,
    /// Until when an answer may count that found no place here, though its name did.
    thinned_until: Duration,
    /// Whether the answers have several names, or had.
    has_several: bool,
    /// The highest number of a flow in which one came, and the latest time when one came.
    last_flow: u64,
    latest: Duration,
}

#[derive(Debug)]
pub(super) struct Answers {
    of: HashMap<IpAddr, OfAddress>,
    /// The answers by number, the one that came longest ago first; those that are gone, too.
    order: VecDeque<(IpAddr, u64)>,
    next: u64,
    /// Answers that are kept.
    count: usize,
    limit: usize,
    of_address: usize,
    taken: u64,
    dropped: u64,
}

impl Answers {
    pub(super) fn new(limit: usize, of_address: usize) -> Self {
        Self {
            of: HashMap::new(),
            order: VecDeque::new(),
            next: 0,
            count: 0,
            limit: limit.max(1),
            of_address: of_address.max(1),
            taken: 0,
            dropped: 0,
        }
    }

    pub(super) fn put(&mut self, address: IpAddr, mut answer: Answer) {
        self.taken += 1;
        let now = answer.last_at;
        let number = self.next;
        self.next += 1;
        let kept = self.of.entry(address).or_default();
        // It takes the place of the same one from before, at the end of the order. Flows mostly have
        // rising numbers, so that of a new one there is none.
        let is_of_new_flow = answer.flow > kept.last_flow;
        kept.last_flow = kept.last_flow.max(answer.flow);
        kept.latest = kept.latest.max(now);
        let again = |(_, old): &(u64, Answer)| old.is_again(&answer);
        if !is_of_new_flow && let Some(at) = kept.answers.iter().position(again) {
            let (_, old) = kept.answers.remove(at);
            self.count -= 1;
            if old.valid_until >= now {
                answer.first_at = old.first_at;
                answer.valid_until = answer.valid_until.max(old.valid_until);
            }
        }
        if let Some((_, last)) = kept.answers.last() {
            if last.name == answer.name {
                // One text for all that say the same: less memory, and quick to compare.
                answer.name.clone_from(&last.name);
            } else {
                kept.has_several = true;
            }
        }
        kept.answers.push((number, answer));
        self.count += 1;
        self.order.push_back((address, number));
        if kept.answers.len() > self.of_address {
            self.count -= 1;
            self.dropped += u64::from(kept.remove_oldest(now));
        }
        while self.count > self.limit {
            self.remove_first(now);
        }
        // Those that are gone must not pile up.
        if self.order.len() > 2 * self.limit + self.of_address {
            let of = &self.of;
            self.order.retain(|(address, number)| {
                let kept = of.get(address);
                kept.is_some_and(|kept| kept.answers.iter().any(|(own, _)| own == number))
            });
        }
    }

    /// Lets go of the answer that came longest ago of all.
    fn remove_first(&mut self, now: Duration) {
        let Some((address, number)) = self.order.pop_front() else {
            return;
        };
        let Some(kept) = self.of.get_mut(&address) else {
            return;
        };
        if !kept.answers.iter().any(|(own, _)| *own == number) {
            return;
        }
        self.count -= 1;
        self.dropped += u64::from(kept.remove_oldest(now));
        if kept.answers.is_empty() {
            self.of.remove(&address);
        }
    }

    /// The answers that count for a flow that began then.
    pub(super) fn valid(&self, address: IpAddr, began: Duration) -> impl Iterator<Item = &Answer> {
        let answers = self.of.get(&address).map_or(&[][..], |kept| &kept.answers);
        let answers = answers.iter().map(|(_, answer)| answer);
        answers.filter(move |answer| answer.first_at <= began && began <= answer.valid_until)
    }

    /// The answer that came last, if it counts for a flow that began then, and all that count have
    /// its name.
    pub(super) fn only(&self, address: IpAddr, began: Duration) -> Option<&Answer> {
        let kept = self.of.get(&address)?;
        let (_, last) = kept.answers.last()?;
        let is_last = last.last_at == kept.latest && last.last_at <= began;
        let is_only = !kept.has_several && began > kept.crowded_until;
        (is_last && is_only && began <= last.valid_until).then_some(last)
    }

    /// Whether there was another name at that time, which found no place.
    pub(super) fn is_crowded(&self, address: IpAddr, began: Duration) -> bool {
        let kept = self.of.get(&address);
        kept.is_some_and(|kept| began <= kept.crowded_until)
    }

    /// Whether there was another answer at that time, which found no place.
    pub(super) fn is_thinned(&self, address: IpAddr, began: Duration) -> bool {
        let kept = self.of.get(&address);
        kept.is_some_and(|kept| began <= kept.thinned_until)
    }

    /// Lets a name that everybody was told count no longer than until then.
    pub(super) fn end(&mut self, address: IpAddr, name: &Name, until: Duration) {
        let kept = self.of.get_mut(&address);
        let answers = kept.into_iter().flat_map(|kept| &mut kept.answers);
        for (_, answer) in answers {
            if answer.client.is_none() && answer.name == *name {
                answer.valid_until = answer.valid_until.min(until);
            }
        }
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Answers that are kept, and places in the order.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        let kept = self.of.values().map(|kept| kept.answers.len()).sum();
        assert_eq!(self.count, kept);
        (kept, self.order.len())
    }
}

impl OfAddress {
    /// Lets go of the answer that came longest ago. Whether it was still valid.
    fn remove_oldest(&mut self, now: Duration) -> bool {
        if self.answers.is_empty() {
            return false;
        }
        let (_, gone) = self.answers.remove(0);
        self.thinned_until = self.thinned_until.max(gone.valid_until);
        // For as long: a resolver tells what is left of an answer's life.
        let says_the_same = |(_, other): &(u64, Answer)| {
            (&other.name, other.client) == (&gone.name, gone.client)
                && other.valid_until >= gone.valid_until
        };
        if !self.answers.iter().any(says_the_same) {
            self.crowded_until = self.crowded_until.max(gone.valid_until);
        }
        gone.valid_until >= now
    }
}
