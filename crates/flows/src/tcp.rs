//! Measures a TCP connection from its segments: retransmissions and round-trip times. Bounded: a
//! few numbers for each end.

mod sent;

use std::time::Duration;

use crate::{Tcp, TcpFlags};

use sent::Sent;

/// The retransmissions of one end of a TCP connection, as far as they were captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Retransmissions {
    /// Segments with content that was captured before: data, SYN or FIN. A late segment that fills
    /// a gap does not count: if segments were lost before they reached the capture, their
    /// retransmissions look like that.
    pub segments: u64,
    /// The bytes of data that were captured before.
    pub bytes: u64,
}

impl Retransmissions {
    /// Counters with these numbers of segments, and of bytes in them.
    pub const fn new(segments: u64, bytes: u64) -> Self {
        Self { segments, bytes }
    }
}

impl std::ops::Add for Retransmissions {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            segments: self.segments.saturating_add(other.segments),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// Round-trip times: from a segment to its acknowledgment. A retransmitted segment gives no time,
/// because it is unknown which copy the other end acknowledges (Karn's algorithm, RFC 6298, section
/// 3). The other end may wait a moment before it acknowledges data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoundTrip {
    /// The smoothed time (RFC 6298, section 2).
    pub smoothed: Duration,
    /// The shortest one.
    pub min: Duration,
    /// The number of measurements.
    pub samples: u64,
}

impl RoundTrip {
    /// These measurements.
    pub const fn new(smoothed: Duration, min: Duration, samples: u64) -> Self {
        Self {
            smoothed,
            min,
            samples,
        }
    }

    fn sample(known: Option<Self>, time: Duration) -> Self {
        known.map_or(
            Self {
                smoothed: time,
                min: time,
                samples: 1,
            },
            |known| Self {
                smoothed: (known.smoothed * 7).saturating_add(time) / 8,
                min: known.min.min(time),
                samples: known.samples + 1,
            },
        )
    }

    /// The sum of the two halves of a round trip that was measured in the middle.
    pub(crate) fn through(self, other: Self) -> Self {
        Self {
            smoothed: self.smoothed.saturating_add(other.smoothed),
            min: self.min.saturating_add(other.min),
            samples: self.samples.min(other.samples),
        }
    }
}

/// One end of a connection, as a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sender {
    sent: Sent,
    again: Retransmissions,
    /// The sequence number that acknowledges a segment, and the time of that segment.
    timed: Option<(u32, Duration)>,
    /// The highest acknowledgment of the other end.
    acknowledged: Option<u32>,
    round_trip: Option<RoundTrip>,
}

impl Sender {
    fn send(&mut self, tcp: Tcp, payload: u32, time: Duration) {
        let mark = |flag| u32::from(tcp.flags.contains(flag));
        let data = tcp.sequence.wrapping_add(mark(TcpFlags::SYN));
        let (start, marks) = (tcp.sequence, mark(TcpFlags::SYN) + mark(TcpFlags::FIN));
        let Some(len) = payload.checked_add(marks).filter(|len| *len > 0) else {
            return;
        };
        // One byte below the acknowledged number is a keep-alive (RFC 1122, 4.2.3.6).
        let end = start.wrapping_add(len);
        let is_keep_alive = (payload, marks) == (1, 0)
            && self.acknowledged == Some(end)
            && self.sent.next() == Some(end);
        if is_keep_alive {
            return;
        }
        let again = u64::from(self.sent.seen(data, payload));
        let Some(added) = self.sent.add(start, len) else {
            return;
        };
        if added.was_seen {
            self.again = self.again
                + Retransmissions {
                    segments: 1,
                    bytes: again,
                };
            self.timed = None;
        } else if added.is_new {
            self.timed.get_or_insert((end, time));
        }
    }

    /// Takes an acknowledgment of the other end. Returns the time that it took, if that was
    /// measured.
    fn acknowledge(&mut self, acknowledgment: u32, time: Duration) -> Option<Duration> {
        let next = self.sent.next()?;
        if !is_up_to(acknowledgment, next) {
            return None;
        }
        if self
            .acknowledged
            .is_none_or(|known| is_up_to(known, acknowledgment))
        {
            self.acknowledged = Some(acknowledgment);
        }
        let (_, sent) = self
            .timed
            .filter(|(end, _)| is_up_to(*end, acknowledgment))?;
        self.timed = None;
        let taken = time.checked_sub(sent)?;
        self.round_trip = Some(RoundTrip::sample(self.round_trip, taken));
        Some(taken)
    }
}

/// Both ends of a connection: the initiator, the responder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Measures {
    ends: [Sender; 2],
}

impl Measures {
    /// Takes a segment.
    pub(crate) fn segment(&mut self, from_initiator: bool, tcp: Tcp, payload: u32, time: Duration) {
        // The content of a reset is no data.
        if tcp.flags.contains(TcpFlags::RST) {
            return;
        }
        let [initiator, responder] = &mut self.ends;
        let (sender, receiver) = if from_initiator {
            (initiator, responder)
        } else {
            (responder, initiator)
        };
        if tcp.flags.contains(TcpFlags::ACK) {
            receiver.acknowledge(tcp.acknowledgment, time);
        }
        sender.send(tcp, payload, time);
    }

    /// The retransmissions of an end.
    pub(crate) const fn retransmissions(&self, by_initiator: bool) -> Retransmissions {
        self.ends[if by_initiator { 0 } else { 1 }].again
    }

    /// The round-trip times from segments of an end to their acknowledgments.
    pub(crate) const fn round_trip(&self, of_initiator: bool) -> Option<RoundTrip> {
        self.ends[if of_initiator { 0 } else { 1 }].round_trip
    }

    /// The same connection, with zero counters.
    pub(crate) fn uncounted(mut self) -> Self {
        for end in &mut self.ends {
            end.again = Retransmissions::default();
        }
        self
    }
}

/// Whether a sequence number comes before another one or is the same; both wrap.
const fn is_up_to(sequence: u32, other: u32) -> bool {
    other.wrapping_sub(sequence) < 1 << 31
}

#[cfg(test)]
mod tests;
