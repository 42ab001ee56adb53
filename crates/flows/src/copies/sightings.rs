//! The captured packets of one direction of a flow, and the devices that captured them.

use std::time::Duration;

use super::{Point, Topology};
use crate::Packet;

/// How long after a packet its copies may come, at least, and at most twice that: past that, what comes
/// by on another device is another packet, as after a change of the route.
const LIFE: Duration = Duration::from_secs(1);
/// Points at which packets of one direction are counted, and pairs of points that are remembered. A host
/// that passes packets on by more ways at once counts some of them twice.
const MAX_COUNTED: usize = 8;
const MAX_PAIRS: usize = 32;

/// What packets carry. Those that carry nothing are numbered: what takes packets together, or apart,
/// as network cards do, leaves their payload as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Amount {
    pub(crate) payload: u64,
    pub(crate) empty: u64,
}

impl Amount {
    pub(crate) fn of(packet: &Packet) -> Self {
        match packet.payload_len {
            0 => Self {
                payload: 0,
                empty: 1,
            },
            payload => Self {
                payload: payload.into(),
                empty: 0,
            },
        }
    }

    pub(crate) const fn plus(self, more: Self) -> Self {
        Self {
            payload: self.payload.saturating_add(more.payload),
            empty: self.empty.saturating_add(more.empty),
        }
    }

    fn at_least(self, least: Self) -> Self {
        Self {
            payload: self.payload.max(least.payload),
            empty: self.empty.max(least.empty),
        }
    }

    pub(crate) const fn less(self, less: Self) -> Self {
        Self {
            payload: self.payload.saturating_sub(less.payload),
            empty: self.empty.saturating_sub(less.empty),
        }
    }

    fn at_most(self, most: Self) -> Self {
        Self {
            payload: self.payload.min(most.payload),
            empty: self.empty.min(most.empty),
        }
    }
}

/// A point at which packets were counted, or from which copies may come back to this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    point: Point,
    /// They are copies of what was counted elsewhere, so only what comes back is expected.
    are_copies: bool,
    total: Amount,
    /// The total at the beginning of this span of time, and of the one before. What was counted before
    /// that has no copies to come.
    span: Duration,
    at_span: Amount,
    expired: Amount,
}

impl Counted {
    const fn new(point: Point, are_copies: bool, now: Duration) -> Self {
        const NOTHING: Amount = Amount {
            payload: 0,
            empty: 0,
        };
        Self {
            point,
            are_copies,
            total: NOTHING,
            span: now,
            at_span: NOTHING,
            expired: NOTHING,
        }
    }

    fn advance(&mut self, now: Duration) {
        // A clock that was set back begins anew.
        let Some(passed) = now.checked_sub(self.span) else {
            self.span = now;
            return;
        };
        if passed >= LIFE {
            let both = passed >= 2 * LIFE;
            self.expired = if both { self.total } else { self.at_span };
            self.at_span = self.total;
            self.span = now;
        }
    }
}

/// How many of the packets counted at one point were captured at another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pair {
    counted: (Point, bool),
    point: Point,
    /// Whether packets come by there later.
    is_later: bool,
    seen: Amount,
}

impl Pair {
    /// The pair of these points, made where there is none.
    fn of<'a>(
        all: &'a mut Vec<Self>,
        counted: &Counted,
        point: Point,
        is_later: impl FnOnce() -> bool,
    ) -> &'a mut Self {
        let of = (counted.point, counted.are_copies);
        let is_it = |pair: &Self| pair.counted == of && pair.point == point;
        let at = all.iter().position(is_it).unwrap_or_else(|| {
            if all.len() >= MAX_PAIRS {
                all.clear();
            }
            all.push(Self {
                counted: of,
                point,
                is_later: is_later(),
                seen: counted.expired,
            });
            all.len() - 1
        });
        &mut all[at]
    }
}

/// Whether packets of a [`Counted`] come by at a point later.
fn is_later(
    topology: &Topology,
    (counted, are_copies): (Point, bool),
    point: Point,
    passes_on: bool,
) -> bool {
    if are_copies {
        topology.comes_back(counted, point, passes_on)
    } else {
        topology.reaches(counted, point, passes_on)
    }
}

/// The captured packets of one direction of a flow, and the devices that captured them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sightings {
    counted: Vec<Counted>,
    pairs: Vec<Pair>,
    /// The [`Topology::version`] by which the pairs were judged.
    version: u32,
}

impl Sightings {
    /// Whether a packet was counted before, at another point. If not, it is expected at others from
    /// now on. `passes_on` says that this host may pass it on.
    pub(crate) fn is_copy(
        &mut self,
        packet: &Packet,
        point: Point,
        topology: &Topology,
        passes_on: bool,
    ) -> bool {
        let is_copy = self.takes(packet, point, topology, passes_on);
        if !is_copy || topology.may_come_back(point, passes_on) {
            self.expect(packet, point, is_copy);
        }
        is_copy
    }

    /// As [`is_copy`](Self::is_copy), and expects nothing of a packet that is none.
    pub(crate) fn takes(
        &mut self,
        packet: &Packet,
        point: Point,
        topology: &Topology,
        passes_on: bool,
    ) -> bool {
        if self.version != topology.version() {
            self.version = topology.version();
            for pair in &mut self.pairs {
                pair.is_later = is_later(topology, pair.counted, pair.point, passes_on);
            }
        }
        let amount = Amount::of(packet);
        for counted in &mut self.counted {
            if counted.point == point {
                continue;
            }
            counted.advance(packet.time);
            let pair = Pair::of(&mut self.pairs, counted, point, || {
                is_later(
                    topology,
                    (counted.point, counted.are_copies),
                    point,
                    passes_on,
                )
            });
            if !pair.is_later {
                continue;
            }
            pair.seen = pair.seen.at_least(counted.expired);
            let is_expected = if amount.empty > 0 {
                pair.seen.empty < counted.total.empty
            } else {
                pair.seen.payload < counted.total.payload
            };
            if is_expected {
                pair.seen = pair.seen.plus(amount).at_most(counted.total);
                return true;
            }
        }
        false
    }

    /// Records that copies of so much came by at a point already.
    pub(crate) fn took(&mut self, amount: Amount, point: Point, topology: &Topology) {
        for counted in &mut self.counted {
            let of = (counted.point, counted.are_copies);
            let is_later = || is_later(topology, of, point, true);
            let pair = Pair::of(&mut self.pairs, counted, point, is_later);
            pair.seen = pair.seen.at_least(amount.at_most(counted.total));
        }
    }

    /// Expects copies of a packet, at points after this one.
    fn expect(&mut self, packet: &Packet, point: Point, is_copy: bool) {
        let of = (point, is_copy);
        let is_it = |it: &Counted| (it.point, it.are_copies) == of;
        let at = self.counted.iter().position(is_it);
        let at = at.unwrap_or_else(|| {
            if self.counted.len() >= MAX_COUNTED {
                *self = Self::default();
            }
            self.counted.push(Counted::new(point, is_copy, packet.time));
            self.counted.len() - 1
        });
        let counted = &mut self.counted[at];
        counted.advance(packet.time);
        counted.total = counted.total.plus(Amount::of(packet));
    }
}
