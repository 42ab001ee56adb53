//! Decides which of several captures of one device gives its packet first. Pure: the caller passes
//! in times, and gets the next step.
//!
//! Linux captures a device twice, once for each direction, and each capture gives its packets in
//! order. A packet is due only if the other captures have no older one. Reading an empty capture
//! costs a system call, so "empty" holds for all packets with a time before that call.

use std::time::Duration;

/// The captures, by their numbers.
#[derive(Debug)]
pub(crate) struct Merge {
    lanes: Vec<Lane>,
    /// Whether the captures were polled since the last packet.
    is_polled: bool,
}

/// The state of one capture.
#[derive(Debug, Clone)]
struct Lane {
    /// The time of its packet that was read but is not due yet.
    pending: Option<Duration>,
    may_have_more: bool,
    /// The time at which it was last empty.
    empty_at: Duration,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Read the next packet of this capture; then [`Merge::read`].
    Read(usize),
    /// Ask which captures have packets, without waiting; then [`Merge::polled`].
    Poll,
    /// Give the packet of this capture; then [`Merge::given`].
    Give(usize),
    /// There is none: wait, then [`Merge::polled`].
    Wait,
}

impl Merge {
    pub(crate) fn new(captures: usize) -> Self {
        let lane = Lane {
            pending: None,
            may_have_more: true,
            empty_at: Duration::ZERO,
        };
        Self {
            lanes: vec![lane; captures],
            is_polled: false,
        }
    }

    pub(crate) fn step(&self) -> Step {
        let is_unread = |lane: &Lane| lane.pending.is_none() && lane.may_have_more;
        if let Some(number) = self.lanes.iter().position(is_unread) {
            return Step::Read(number);
        }
        let pending = self.lanes.iter().enumerate();
        let pending = pending.filter_map(|(number, lane)| Some((lane.pending?, number)));
        let Some((time, number)) = pending.min() else {
            return Step::Wait;
        };
        let may_be_older = |lane: &Lane| lane.pending.is_none() && lane.empty_at < time;
        // Once is enough: a clock that was set back must not hold a packet for ever.
        if !self.is_polled && self.lanes.iter().any(may_be_older) {
            return Step::Poll;
        }
        Step::Give(number)
    }

    /// Records the read of a capture: its packet, or that it has none.
    pub(crate) fn read(&mut self, number: usize, packet: Option<Duration>, now: Duration) {
        let lane = &mut self.lanes[number];
        lane.pending = packet;
        lane.may_have_more = packet.is_some();
        match packet {
            Some(_) => self.is_polled = false,
            None => lane.empty_at = now,
        }
    }

    /// Records which captures had packets at a time.
    pub(crate) fn polled(&mut self, ready: &[bool], now: Duration) {
        self.is_polled = true;
        for (lane, is_ready) in self.lanes.iter_mut().zip(ready) {
            lane.may_have_more |= *is_ready;
            if !lane.may_have_more {
                lane.empty_at = now;
            }
        }
    }

    /// Records that the packet of a capture was given.
    pub(crate) fn given(&mut self, number: usize) {
        self.lanes[number].pending = None;
    }

    /// Makes all captures due for a read.
    pub(crate) fn forget_empty(&mut self) {
        for lane in &mut self.lanes {
            lane.may_have_more = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// Captures that fill during the test: for each packet, the time when it can be read, which is
    /// never before its own time.
    struct World {
        rings: Vec<VecDeque<(u64, u64)>>,
        now: u64,
        polls: usize,
    }

    impl World {
        fn has(&self, number: usize) -> bool {
            let first = self.rings[number].front();
            first.is_some_and(|(_, there)| *there <= self.now)
        }

        /// Reads until all packets are given; returns their times in order.
        fn run(&mut self, merge: &mut Merge) -> Vec<u64> {
            let mut given = Vec::new();
            let mut pending = vec![None; self.rings.len()];
            while self.rings.iter().any(|ring| !ring.is_empty())
                || pending.iter().any(Option::is_some)
            {
                self.now += 1;
                let now = Duration::from_micros(self.now);
                match merge.step() {
                    Step::Read(number) => {
                        let packet = if self.has(number) {
                            self.rings[number].pop_front()
                        } else {
                            None
                        };
                        let time = packet.map(|(time, _)| time);
                        pending[number] = time;
                        merge.read(number, time.map(Duration::from_micros), now);
                    }
                    Step::Give(number) => {
                        given.push(pending[number].take().unwrap());
                        merge.given(number);
                    }
                    step => {
                        self.polls += usize::from(step == Step::Poll);
                        let ready: Vec<_> = (0..self.rings.len()).map(|it| self.has(it)).collect();
                        merge.polled(&ready, now);
                    }
                }
            }
            given
        }
    }

    proptest! {
        /// No packet is lost, and packets that are readable at once come in order.
        #[test]
        fn by_time(
            gaps in proptest::collection::vec((0..2_usize, 1..30_u64), 0..100),
            behind in 0..200_u64,
        ) {
            let mut time = 0;
            let mut rings = vec![VecDeque::new(), VecDeque::new()];
            for (ring, gap) in gaps {
                time += gap;
                rings[ring].push_back((time, time));
            }
            let mut expected: Vec<_> = rings.iter().flatten().map(|(time, _)| *time).collect();
            expected.sort_unstable();
            let mut world = World { rings, now: behind, polls: 0 };
            prop_assert_eq!(world.run(&mut Merge::new(2)), expected);
        }

        /// No packet is lost if some come late, and a single capture is never out of order.
        #[test]
        fn late(packets in proptest::collection::vec((0..2_usize, 0..50_u64, 0..50_u64), 0..60)) {
            let mut rings = vec![VecDeque::new(), VecDeque::new()];
            let mut there = [0; 2];
            for (ring, time, late) in packets {
                there[ring] = there[ring].max(time + late);
                rings[ring].push_back((time, there[ring]));
            }
            let mut expected: Vec<_> = rings.iter().flatten().map(|(time, _)| *time).collect();
            let mut given = World { rings, now: 0, polls: 0 }.run(&mut Merge::new(2));
            expected.sort_unstable();
            given.sort_unstable();
            prop_assert_eq!(given, expected);
        }
    }

    #[test]
    fn waiting_packets_are_given_without_a_poll_for_each() {
        let ring = (0..1_000).map(|time| (time, time)).collect();
        let rings = vec![ring, VecDeque::new()];
        let mut world = World {
            rings,
            now: 10_000,
            polls: 0,
        };
        assert_eq!(world.run(&mut Merge::new(2)).len(), 1_000);
        assert_eq!(world.polls, 0);
    }

    #[test]
    fn a_packet_from_the_future_is_given() {
        let mut merge = Merge::new(2);
        merge.read(0, Some(Duration::MAX), Duration::ZERO);
        merge.read(1, None, Duration::ZERO);
        assert_eq!(merge.step(), Step::Poll);
        merge.polled(&[true, false], Duration::from_secs(1));
        assert_eq!(merge.step(), Step::Give(0));
    }
}
