//! Which flows the reader surely does not have, so that most packets cost no lookup.

use flowner_capture::Ports;
use flowner_names::NameReader;

use super::ends::{Ends, Seed};

type Reader = NameReader<Ends, Seed>;

/// The reader's flows, counted by place, which follows from the ports. Who chooses ports so that their
/// flow shares a place with another one makes its packets cost a lookup.
#[derive(Debug)]
pub(super) struct Places {
    counts: Box<[u16; Self::COUNT]>,
    /// Flows that the reader let go of, when the places were counted last.
    dropped: u64,
}

/// How many flows the reader has, and let go of to make room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flows {
    len: usize,
    dropped: u64,
}

impl Flows {
    pub(super) fn of(reader: &Reader) -> Self {
        Self {
            len: reader.len(),
            dropped: reader.dropped(),
        }
    }
}

impl Default for Places {
    fn default() -> Self {
        Self {
            counts: Box::new([0; Self::COUNT]),
            dropped: 0,
        }
    }
}

impl Places {
    /// Few enough for the fastest cache. The reader mostly has some dozens of flows.
    const COUNT: usize = 1 << 12;
    /// Of flows that the reader let go of, the place is not known. So many may count too much.
    const MAX_DROPPED: u64 = 4_096;

    const fn place(ports: Ports) -> usize {
        (ports.source ^ ports.destination) as usize % Self::COUNT
    }

    pub(super) fn may_have(&self, ports: Ports) -> bool {
        self.counts[Self::place(ports)] > 0
    }

    /// The reader may have taken or forgotten a flow with these ports, and let go of others.
    pub(super) fn after(&mut self, before: Flows, ports: Ports, reader: &Reader) {
        let now = Flows::of(reader);
        let dropped = usize::try_from(now.dropped - before.dropped).unwrap_or(usize::MAX);
        let count = &mut self.counts[Self::place(ports)];
        match (now.len + dropped).cmp(&before.len) {
            std::cmp::Ordering::Greater => *count = count.saturating_add(1),
            std::cmp::Ordering::Less => *count = count.saturating_sub(1),
            std::cmp::Ordering::Equal => {}
        }
        if now.dropped - self.dropped >= Self::MAX_DROPPED {
            self.dropped = now.dropped;
            self.counts.fill(0);
            for flow in reader.flows() {
                let count = &mut self.counts[Self::place(flow.ports())];
                *count = count.saturating_add(1);
            }
        }
    }
}
