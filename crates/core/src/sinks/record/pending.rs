//! Packets that wait for their owners. Pure: the caller passes in the time.

use std::collections::VecDeque;
use std::time::Duration;

/// How long packets may wait, and how many bytes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The shortest wait, so that packets are written in batches.
    pub(crate) min_age: Duration,
    /// The longest wait.
    pub(crate) max_age: Duration,
    /// Past this, the oldest packets do not wait for owners any more.
    pub(crate) bytes: usize,
    /// Past this, packets are refused: the writing thread is too slow.
    pub(crate) max_bytes: usize,
}

/// Packets in order of arrival. They leave in that order: one that waits for its owner holds back
/// those after it.
#[derive(Debug)]
pub(crate) struct PendingPackets<T> {
    queue: VecDeque<Held<T>>,
    bytes: usize,
    bounds: Bounds,
    refused: u64,
}

#[derive(Debug)]
struct Held<T> {
    packet: T,
    bytes: usize,
    since: Duration,
}

impl<T> PendingPackets<T> {
    pub(crate) const fn new(bounds: Bounds) -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            bounds,
            refused: 0,
        }
    }

    /// Takes a packet of `bytes` bytes, or refuses and counts it.
    pub(crate) fn push(&mut self, packet: T, bytes: usize, now: Duration) {
        if self.bytes + bytes > self.bounds.max_bytes && !self.queue.is_empty() {
            self.refused += 1;
            return;
        }
        self.bytes += bytes;
        let since = self.queue.back().map_or(now, |last| now.max(last.since));
        self.queue.push_back(Held {
            packet,
            bytes,
            since,
        });
    }

    /// The oldest packet, if it need not wait any more.
    pub(crate) fn pop(&mut self, now: Duration, is_settled: impl FnOnce(&T) -> bool) -> Option<T> {
        let oldest = self.queue.front()?;
        let age = now.saturating_sub(oldest.since);
        let may_go = self.bytes > self.bounds.bytes
            || age >= self.bounds.max_age
            || (age >= self.bounds.min_age && is_settled(&oldest.packet));
        if may_go { self.take() } else { None }
    }

    /// Packets that may go if their owners are settled, oldest first.
    pub(crate) fn ripe(&self, now: Duration) -> impl Iterator<Item = &T> {
        let is_ripe = move |held: &&Held<T>| {
            self.is_over_bound() || now.saturating_sub(held.since) >= self.bounds.min_age
        };
        self.queue
            .iter()
            .take_while(is_ripe)
            .map(|held| &held.packet)
    }

    /// The oldest packet, whether its owner is known or not.
    pub(crate) fn take(&mut self) -> Option<T> {
        let oldest = self.queue.pop_front()?;
        self.bytes -= oldest.bytes;
        Some(oldest.packet)
    }

    /// When to check the oldest packet: when it may leave, or, if its owner is known to be
    /// unsettled, when it must.
    pub(crate) fn next_check(&self, is_unsettled: bool) -> Option<Duration> {
        let since = self.queue.front()?.since;
        Some(match is_unsettled {
            _ if self.is_over_bound() => Duration::ZERO,
            true => since + self.bounds.max_age,
            false => since + self.bounds.min_age,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether so many bytes wait that the oldest packet must leave at once.
    pub(crate) const fn is_over_bound(&self) -> bool {
        self.bytes > self.bounds.bytes
    }

    /// The number of refused packets.
    pub(crate) const fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    const BOUNDS: Bounds = Bounds {
        min_age: ms(20),
        max_age: ms(500),
        bytes: 1_000,
        max_bytes: 2_000,
    };

    #[test]
    fn a_packet_waits_for_its_owner_and_no_longer_than_it_may() {
        let mut hold = PendingPackets::new(BOUNDS);
        assert_eq!(hold.next_check(false), None);
        hold.push("a", 1, ms(0));
        hold.push("b", 1, ms(10));
        assert_eq!(hold.next_check(false), Some(ms(20)));
        assert_eq!(hold.pop(ms(19), |_| true), None);
        assert_eq!(hold.pop(ms(20), |_| false), None);
        assert_eq!(hold.next_check(true), Some(ms(500)));
        assert_eq!(hold.pop(ms(30), |_| true), Some("a"));
        assert_eq!(hold.pop(ms(509), |_| false), None);
        assert_eq!(hold.pop(ms(510), |_| false), Some("b"));
        assert!(hold.is_empty());
    }

    #[test]
    fn bytes_are_bounded() {
        let mut hold = PendingPackets::new(BOUNDS);
        hold.push("a", 900, ms(0));
        assert_eq!(hold.pop(ms(0), |_| false), None);
        hold.push("b", 900, ms(0));
        assert!(hold.is_over_bound());
        hold.push("c", 900, ms(0));
        assert_eq!(hold.refused(), 1);
        assert_eq!(hold.pop(ms(0), |_| false), Some("a"));
        assert_eq!(hold.pop(ms(0), |_| false), None);
        hold.push("huge", 5_000, ms(0));
        assert_eq!(hold.take(), Some("b"));
        hold.push("huge", 5_000, ms(0));
        assert_eq!(
            hold.pop(ms(0), |_| false),
            Some("huge"),
            "alone, it is taken"
        );
        assert_eq!(hold.refused(), 2);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(usize),
        Pass(u64),
        Settle(usize),
        Pop,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0..700_usize).prop_map(Step::Push),
            2 => (0..200_u64).prop_map(Step::Pass),
            2 => (0..40_usize).prop_map(Step::Settle),
            4 => Just(Step::Pop),
        ];
        proptest::collection::vec(step, 0..80)
    }

    proptest! {
        /// In order, within the bounds, and each packet is returned or counted.
        #[test]
        fn nothing_is_lost(steps in steps()) {
            let mut hold = PendingPackets::new(BOUNDS);
            let (mut now, mut pushed, mut given) = (Duration::ZERO, 0_u64, Vec::new());
            let mut settled = std::collections::HashSet::new();
            let mut since = Vec::new();
            for step in steps {
                match step {
                    Step::Push(bytes) => {
                        let refused = hold.refused();
                        hold.push((since.len(), bytes), bytes, now);
                        pushed += 1;
                        if hold.refused() == refused {
                            since.push(now);
                        }
                    }
                    Step::Pass(time) => now += ms(time),
                    Step::Settle(packet) => {
                        settled.insert(packet);
                    }
                    Step::Pop => while let Some((packet, _)) =
                        hold.pop(now, |(packet, _)| settled.contains(packet))
                    {
                        given.push(packet);
                    },
                }
                prop_assert!(hold.bytes <= BOUNDS.max_bytes || hold.queue.len() == 1);
                let sum: usize = hold.queue.iter().map(|held| held.bytes).sum();
                prop_assert_eq!(hold.bytes, sum);
            }
            // After this, no packet waits without need.
            while let Some((packet, _)) = hold.pop(now, |(packet, _)| settled.contains(packet)) {
                given.push(packet);
            }
            if let Some(&Held { packet: (oldest, _), .. }) = hold.queue.front() {
                let age = now.saturating_sub(since[oldest]);
                prop_assert!(age < BOUNDS.max_age);
                prop_assert!(age < BOUNDS.min_age || !settled.contains(&oldest));
                prop_assert!(hold.next_check(age >= BOUNDS.min_age) > Some(now));
            }
            while let Some((packet, _)) = hold.take() {
                given.push(packet);
            }
            prop_assert_eq!(given.len() as u64 + hold.refused(), pushed);
            prop_assert_eq!(&given, &(0..given.len()).collect::<Vec<_>>());
            prop_assert_eq!(hold.bytes, 0);
        }
    }
}
