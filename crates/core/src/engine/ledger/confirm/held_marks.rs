//! Until when named processes are known to have had a socket that others may have had, too.

use std::time::Duration;

use flowner_flows::Mark;

use super::seconds::count_by_second;
use crate::engine::traffic_history::{PacketOf, Second};

/// Such a confirmation.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// Packet time of the newest packet then.
    pub(super) at: Duration,
    /// What had been counted then, and the number of the newest packet.
    pub(super) mark: Mark,
    pub(super) number: u64,
    /// Packet time of the first packet since, and what was counted since, by second.
    pub(super) since: Option<Duration>,
    pub(super) seconds: Vec<Second>,
}

/// Those of a flow: the oldest and the newest one.
#[derive(Debug, Clone, Default)]
pub(super) struct HeldMarks {
    pub(super) first: Option<Box<Held>>,
    pub(super) last: Option<Box<Held>>,
    /// With how many answers since the newest packet it was to be asked again.
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

    /// Whether nothing was counted since the newest one.
    pub(super) fn is_newest(&self, mark: &Mark) -> bool {
        self.newest().is_some_and(|held| held.mark == *mark)
    }
}
