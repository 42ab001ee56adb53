//! A ring of steps of one length.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Traffic;

/// The lengths of steps in seconds, and the number of steps for each.
pub(crate) const TIERS: [(u64, usize); 4] = [(1, 900), (10, 1_080), (60, 1_440), (3_600, 720)];

/// How far back a time may be and still count as packets out of order, as in the flow table.
const DISORDER: u64 = 600;

/// The traffic of each principal in one step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot {
    /// Sorted by slot: every packet searches the slot of the newest second.
    shares: Vec<(u16, Traffic)>,
}

impl Slot {
    /// Adds another step's counters.
    pub(crate) fn take_in(&mut self, other: &Self) {
        for (place, traffic) in &other.shares {
            self.of(*place).add(traffic);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.shares.clear();
    }

    /// The slots of principals, with their traffic.
    pub(crate) fn shares(&self) -> impl Iterator<Item = (usize, &Traffic)> {
        self.shares
            .iter()
            .map(|(place, traffic)| (usize::from(*place), traffic))
    }

    /// The traffic of a principal.
    pub(crate) fn of(&mut self, place: u16) -> &mut Traffic {
        let found = self
            .shares
            .binary_search_by_key(&place, |(other, _)| *other);
        let index = found.unwrap_or_else(|index| {
            self.shares.insert(index, (place, Traffic::default()));
            index
        });
        &mut self.shares[index].1
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Tier {
    /// Seconds.
    step: u64,
    max: usize,
    /// The number of the first slot, counted in steps from the epoch.
    first: u64,
    slots: VecDeque<Arc<Slot>>,
}

impl Tier {
    pub(crate) const fn new(step: u64, max: usize) -> Self {
        Self {
            step,
            max,
            first: 0,
            slots: VecDeque::new(),
        }
    }

    pub(crate) const fn step(&self) -> Duration {
        Duration::from_secs(self.step)
    }

    pub(crate) const fn start_of(&self, time: Duration) -> Duration {
        Duration::from_secs(time.as_secs() / self.step * self.step)
    }

    /// The number of steps between two times.
    pub(crate) const fn steps(&self, from: Duration, to: Duration) -> u64 {
        let last = to.as_secs().div_ceil(self.step);
        last.saturating_sub(from.as_secs() / self.step)
    }

    /// Whether everything captured after this time is still there.
    pub(crate) fn reaches(&self, from: Duration) -> bool {
        self.slots.len() < self.max || from.as_secs() / self.step >= self.first
    }

    /// The slots between two times, empty ones where there are none.
    pub(crate) fn range(&self, from: Duration, to: Duration) -> Vec<Arc<Slot>> {
        let empty = Arc::<Slot>::default();
        let first = from.as_secs() / self.step;
        let most = u64::try_from(self.max).unwrap_or(u64::MAX);
        let last = first + self.steps(from, to).min(most);
        let slot = |number: u64| {
            let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
            self.slots.get(place).cloned()
        };
        (first..last)
            .map(|number| slot(number).unwrap_or_else(|| Arc::clone(&empty)))
            .collect()
    }

    /// Makes room for a time, and drops what is too old. Returns whether everything was dropped,
    /// because time went far back.
    pub(crate) fn advance(&mut self, second: u64) -> bool {
        let number = second / self.step;
        let end = self.first + self.slots.len() as u64;
        let is_far_back = !self.slots.is_empty() && (second + DISORDER) < self.first * self.step;
        let is_far_ahead = number >= end + self.max as u64;
        if self.slots.is_empty() || is_far_back || is_far_ahead {
            self.slots.clear();
            self.first = number;
        }
        // The first packets may be out of order too.
        while number < self.first && self.slots.len() < self.max {
            self.slots.push_front(Arc::default());
            self.first -= 1;
        }
        while self.first + (self.slots.len() as u64) <= number {
            if self.slots.len() == self.max {
                self.slots.pop_front();
                self.first += 1;
            }
            self.slots.push_back(Arc::default());
        }
        is_far_back
    }

    /// The traffic at a time; `None` if it is not kept.
    pub(crate) fn at(&mut self, second: u64) -> Option<&mut Slot> {
        let number = second / self.step;
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let slot = self.slots.get_mut(index)?;
        Some(Arc::make_mut(slot))
    }
}
