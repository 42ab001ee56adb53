//! The times at which named processes had a socket that other processes may have had as well.

use std::time::Duration;

use flowner_flows::Mark;

use super::seconds::count_by_second;
use crate::engine::traffic_history::{PacketOf, Second};

/// A confirmation that named processes had a socket which others may have had as well.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// The packet time of the newest packet then.
    pub(super) at: Duration,
    /// The counters then, and the number of the newest packet.
    pub(super) mark: Mark,
    pub(super) number: u64,
    /// The packet time of the first packet since then, and the counters since then by second.
    pub(super) since: Option<Duration>,
    pub(super) seconds: Vec<Second>,
}

/// The oldest and the newest such confirmation of a flow.
#[derive(Debug, Clone, Default)]
pub(super) struct HeldMarks {
    pub(super) first: Option<Box<Held>>,
    pub(super) last: Option<Box<Held>>,
    /// The number of answers since the newest packet that called for another confirmation.
    pub(super) asked: u8,
    pub(super) is_queued: bool,
}

impl HeldMarks {
    pub(super) fn newest(&self) -> Option<&Held> {
        self.last.as_deref().or(self.first.as_deref())
    }

    pub(super) fn count(&mut self, packet: PacketOf) {
        self.asked = 0;
        for held in [&mut self.first, &mut self.last].into_iter().flatten() {
            held.since.get_or_insert(packet.time);
            count_by_second(&mut held.seconds, packet);
        }
    }

    pub(super) fn clear(&mut self) {
        (self.first, self.last) = (None, None);
    }

    /// Whether no packet came since the newest one.
    pub(super) fn is_newest(&self, mark: &Mark) -> bool {
        self.newest().is_some_and(|held| held.mark == *mark)
    }
}
