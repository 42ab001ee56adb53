//! The counters of each direction.

use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::time::Duration;

/// Packets and bytes. Additions saturate instead of wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes of their frames on the wire.
    pub bytes: u64,
    /// Bytes above their transport headers.
    pub payload_bytes: u64,
}

impl Counters {
    /// One packet.
    pub(crate) fn one(wire_len: u32, payload_len: u32) -> Self {
        Self {
            packets: 1,
            bytes: wire_len.into(),
            payload_bytes: payload_len.into(),
        }
    }
}

impl Counters {
    /// The difference to `other`; never below zero.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(other.packets),
            bytes: self.bytes.saturating_sub(other.bytes),
            payload_bytes: self.payload_bytes.saturating_sub(other.payload_bytes),
        }
    }
}

/// The counters of a flow at one point of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Mark {
    /// The counters of its local end.
    pub sent: Counters,
    /// The counters of its remote end.
    pub received: Counters,
    /// The latest packet time then, since the Unix epoch.
    pub last_seen: Duration,
}

impl Mark {
    /// Limits each counter to that of another mark.
    pub(crate) fn at_most(self, all: &Self) -> Self {
        let least = |own: Counters, all: Counters| Counters {
            packets: own.packets.min(all.packets),
            bytes: own.bytes.min(all.bytes),
            payload_bytes: own.payload_bytes.min(all.payload_bytes),
        };
        Self {
            sent: least(self.sent, all.sent),
            received: least(self.received, all.received),
            ..self
        }
    }

    /// The counters of both ends together.
    pub fn total(&self) -> Counters {
        self.sent + self.received
    }

    /// The difference between an earlier mark and this one.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(earlier.sent),
            received: self.received.saturating_sub(earlier.received),
            last_seen: self.last_seen,
        }
    }
}

impl Add for Counters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            packets: self.packets.saturating_add(other.packets),
            bytes: self.bytes.saturating_add(other.bytes),
            payload_bytes: self.payload_bytes.saturating_add(other.payload_bytes),
        }
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Counters {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}
