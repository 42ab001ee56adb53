//! The queue of addresses, the answers, and the time of the next lookup. It is pure: the caller passes
//! in the time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How much is looked up, and how long answers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Lookups at a time. A resolver that does not answer keeps a thread busy for 5 to 30 s.
    pub threads: usize,
    /// Lookups a second, over all threads.
    pub rate: u32,
    /// Addresses in the queue. Further ones are dropped and counted.
    pub queue: usize,
    /// Kept answers; the oldest ones go first.
    pub answers: usize,
    /// How long a name counts. The system's resolver does not return its lifetime.
    pub name_life: Duration,
    /// How long an answer without a name counts.
    pub no_name_life: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 4,
            rate: 20,
            queue: 256,
            answers: 16_384,
            name_life: Duration::from_secs(3_600),
            no_name_life: Duration::from_secs(600),
        }
    }
}

/// The answer for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// There was no lookup yet, or its answer has not come.
    Unknown,
    /// The answer of the resolver: untrusted text, which is neither validated nor masked here.
    Name(String),
    /// The resolver knows no name, or did not answer.
    NoName,
}

/// The results of the lookups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Lookups so far.
    pub asked: u64,
    /// Lookups that returned a name.
    pub named: u64,
    /// Addresses that left the screen before their lookup.
    pub cancelled: u64,
    /// Addresses for which the queue had no room.
    pub dropped: u64,
    /// Answers that were dropped before their time.
    pub evicted: u64,
}

/// The next step of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Ask(IpAddr),
    /// Not before this time has passed.
    Later(Duration),
    Nothing,
}

#[derive(Debug)]
pub(super) struct Queue {
    options: Options,
    waiting: VecDeque<IpAddr>,
    /// What threads ask at this moment.
    asking: HashSet<IpAddr>,
    answers: HashMap<IpAddr, (Option<String>, Instant)>,
    /// The same addresses, the oldest answer first.
    order: VecDeque<(IpAddr, Instant)>,
    /// When the next question may leave.
    next_at: Option<Instant>,
    statistics: Statistics,
    is_over: bool,
}

impl Queue {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            waiting: VecDeque::new(),
            asking: HashSet::new(),
            answers: HashMap::new(),
            order: VecDeque::new(),
            next_at: None,
            statistics: Statistics::default(),
            is_over: false,
        }
    }

    /// Replaces what waits.
    pub(super) fn want(&mut self, addresses: impl IntoIterator<Item = IpAddr>, now: Instant) {
        let before: HashSet<IpAddr> = self.waiting.drain(..).collect();
        let mut waiting = HashSet::new();
        for address in addresses {
            let address = address.to_canonical();
            let is_known = self.fresh(address, now).is_some() || self.asking.contains(&address);
            if is_known || !can_have_a_name(address) || waiting.contains(&address) {
                continue;
            }
            if self.waiting.len() >= self.options.queue {
                self.statistics.dropped += 1;
                continue;
            }
            waiting.insert(address);
            self.waiting.push_back(address);
        }
        self.statistics.cancelled += before.difference(&waiting).count() as u64;
    }

    pub(super) fn answer(&self, address: IpAddr, now: Instant) -> Answer {
        match self.fresh(address.to_canonical(), now) {
            Some(Some(name)) => Answer::Name(name.clone()),
            Some(None) => Answer::NoName,
            None => Answer::Unknown,
        }
    }

    fn fresh(&self, address: IpAddr, now: Instant) -> Option<&Option<String>> {
        let (name, at) = self.answers.get(&address)?;
        let life = match name {
            Some(_) => self.options.name_life,
            None => self.options.no_name_life,
        };
        (now.saturating_duration_since(*at) < life).then_some(name)
    }

    /// The next question, if it is time for it.
    pub(super) fn take(&mut self, now: Instant) -> Next {
        if self.waiting.is_empty() {
            return Next::Nothing;
        }
        if let Some(at) = self.next_at
            && at > now
        {
            return Next::Later(at - now);
        }
        let Some(address) = self.waiting.pop_front() else {
            return Next::Nothing;
        };
        self.next_at = Some(now + Duration::from_secs(1) / self.options.rate.max(1));
        self.asking.insert(address);
        self.statistics.asked += 1;
        Next::Ask(address)
    }

    pub(super) fn answered(&mut self, address: IpAddr, name: Option<String>, now: Instant) {
        self.asking.remove(&address);
        self.statistics.named += u64::from(name.is_some());
        self.answers.insert(address, (name, now));
        self.order.push_back((address, now));
        while self.answers.len() > self.options.answers {
            let Some((oldest, at)) = self.order.pop_front() else {
                return;
            };
            // It may have been answered again since.
            if self
                .answers
                .get(&oldest)
                .is_some_and(|answer| answer.1 == at)
            {
                self.answers.remove(&oldest);
                self.statistics.evicted += 1;
            }
        }
        // Each address that was answered again is there twice.
        if self.order.len() > 2 * self.options.answers {
            let answers = &self.answers;
            self.order
                .retain(|(address, at)| answers.get(address).is_some_and(|answer| answer.1 == *at));
        }
    }

    pub(super) fn statistics(&self) -> Statistics {
        self.statistics
    }

    pub(super) fn end(&mut self) {
        self.is_over = true;
        self.waiting.clear();
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }
}

/// Whether some server may know it. Groups and the unspecified address belong to no host.
fn can_have_a_name(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !(address.is_unspecified() || address.is_multicast() || is_broadcast)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn ip(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from(0xc000_0200 + number).into()
    }

    fn queue() -> Queue {
        Queue::new(Options {
            queue: 4,
            answers: 8,
            ..Options::default()
        })
    }

    #[test]
    fn an_address_is_asked_once_while_its_answer_counts() {
        let (mut queue, now) = (queue(), Instant::now());
        queue.want([ip(1), ip(1)], now);
        assert_eq!(queue.take(now), Next::Ask(ip(1)));
        queue.want([ip(1)], now);
        assert_eq!(queue.take(now), Next::Nothing, "it is asked at this moment");
        queue.answered(ip(1), None, now);
        queue.want([ip(1)], now + 9 * MINUTE);
        assert_eq!(queue.take(now + 9 * MINUTE), Next::Nothing);
        assert_eq!(queue.answer(ip(1), now + 9 * MINUTE), Answer::NoName);
        queue.want([ip(1)], now + 11 * MINUTE);
        assert_eq!(queue.take(now + 11 * MINUTE), Next::Ask(ip(1)));
        queue.answered(ip(1), Some("one".to_owned()), now + 11 * MINUTE);
        assert_eq!(
            queue.answer(ip(1), now + 70 * MINUTE),
            Answer::Name("one".to_owned())
        );
        assert_eq!(queue.answer(ip(1), now + 72 * MINUTE), Answer::Unknown);
    }

    #[test]
    fn questions_leave_at_the_rate() {
        let (mut queue, now) = (queue(), Instant::now());
        queue.want([ip(1), ip(2)], now);
        assert_eq!(queue.take(now), Next::Ask(ip(1)));
        let Next::Later(pause) = queue.take(now) else {
            panic!("too early");
        };
        assert_eq!(pause, Duration::from_millis(50));
        assert_eq!(queue.take(now + pause), Next::Ask(ip(2)));
    }

    #[test]
    fn what_has_no_name_anywhere_is_not_asked_for() {
        let (mut queue, now) = (queue(), Instant::now());
        let texts = [
            "224.0.0.251",
            "ff02::fb",
            "0.0.0.0",
            "::",
            "255.255.255.255",
        ];
        queue.want(texts.map(|text| text.parse().unwrap()), now);
        assert_eq!(queue.take(now), Next::Nothing);
    }

    #[test]
    fn what_is_shown_no_more_is_cancelled_and_too_much_is_dropped() {
        let (mut queue, now) = (queue(), Instant::now());
        queue.want((0..6).map(ip), now);
        assert_eq!(queue.statistics().dropped, 2);
        queue.want([ip(3)], now);
        assert_eq!(queue.statistics().cancelled, 3);
        assert_eq!(queue.take(now), Next::Ask(ip(3)));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Want(Vec<u32>),
        Take,
        Answer(bool),
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            prop::collection::vec(0..40_u32, 0..8).prop_map(Step::Want),
            Just(Step::Take),
            any::<bool>().prop_map(Step::Answer),
            (0..4_000_u64).prop_map(Step::Pass),
        ]
    }

    proptest! {
        /// Whatever happens: bounded, no address is asked twice at once, none while its answer
        /// counts, and never faster than the rate.
        #[test]
        fn it_is_bounded(steps in prop::collection::vec(step(), 1..300)) {
            let mut queue = queue();
            let mut now = Instant::now();
            let mut asking = Vec::new();
            let mut asked_at: Option<Instant> = None;
            for step in steps {
                match step {
                    Step::Want(numbers) => queue.want(numbers.into_iter().map(ip), now),
                    Step::Take => {
                        if let Next::Ask(address) = queue.take(now) {
                            prop_assert!(!asking.contains(&address));
                            prop_assert_eq!(queue.answer(address, now), Answer::Unknown);
                            let pause = asked_at.map_or(MINUTE, |at| now - at);
                            prop_assert!(pause >= Duration::from_millis(50));
                            asked_at = Some(now);
                            asking.push(address);
                        }
                    }
                    Step::Answer(has_name) => {
                        if let Some(address) = asking.pop() {
                            queue.answered(address, has_name.then(String::new), now);
                        }
                    }
                    Step::Pass(seconds) => now += Duration::from_millis(seconds * 10),
                }
                prop_assert!(queue.waiting.len() <= 4);
                prop_assert!(queue.answers.len() <= 8 && queue.order.len() <= 17);
                prop_assert_eq!(queue.asking.len(), asking.len());
            }
        }
    }
}
