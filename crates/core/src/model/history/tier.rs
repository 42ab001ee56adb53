//! A ring of steps of one length.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Traffic;

/// The lengths of steps in seconds, and how many are kept of each.
pub(crate) const TIERS: [(u64, usize); 4] = [(1, 900), (10, 1_080), (60, 1_440), (3_600, 720)];

/// How far time goes back before it is another time rather than packets out of order; as
/// in the flow table.
const DISORDER: u64 = 600;

/// What was whose in one step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot {
    /// By place, in order: it is searched for every packet, as that of the newest second.
    shares: Vec<(u16, Traffic)>,
}

impl Slot {
    /// Adds what was counted apart.
    pub(crate) fn take_in(&mut self, other: &Self) {
        for (place, traffic) in &other.shares {
            self.of(*place).add(traffic);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.shares.clear();
    }

    /// The places of principals, with what was theirs.
    pub(crate) fn shares(&self) -> impl Iterator<Item = (usize, &Traffic)> {
        self.shares
            .iter()
            .map(|(place, traffic)| (usize::from(*place), traffic))
    }

    /// What is a principal's.
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

    /// How many steps lie between two times.
    pub(crate) const fn steps(&self, from: Duration, to: Duration) -> u64 {
        let last = to.as_secs().div_ceil(self.step);
        last.saturating_sub(from.as_secs() / self.step)
    }

    /// Whether nothing that was captured after this time has been dropped.
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

    /// Makes room for a time; what is too old is dropped. Whether everything was, because
    /// time went far back.
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

    /// What was whose at a time; `None` where that is not kept.
    pub(crate) fn at(&mut self, second: u64) -> Option<&mut Slot> {
        let number = second / self.step;
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let slot = self.slots.get_mut(index)?;
        Some(Arc::make_mut(slot))
    }
}
