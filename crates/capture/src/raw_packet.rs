//! What comes from a device or a file: packets, or why there is none.

use std::time::Duration;

use crate::decode::{DecodeError, decode};
use crate::file_packet::clamp;
use crate::headers::Headers;
use crate::link_type::{LinkType, OtherLinkType};
use crate::packet_origin::PacketOrigin;
use crate::pcapng::Comments;

/// A captured frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawPacket<'a> {
    /// When it was captured, by the clock of the machine that did, since the Unix
    /// epoch. Times before the epoch are 0, times after the year 9999 its last second.
    pub time: Duration,
    /// Its bytes on the wire. Linux cooked and BSD loopback headers count, though they
    /// were never on one.
    pub wire_len: u32,
    /// What its frame begins with: a file may have packets of several devices. An error where
    /// frames of that device cannot be decoded.
    pub link_type: Result<LinkType, OtherLinkType>,
    /// What was captured of it, from its first byte.
    pub data: &'a [u8],
    /// What somebody wrote about it. Files in the format pcapng only.
    pub comments: Comments<'a>,
    /// Where the system that captured it says that it came from.
    pub origin: PacketOrigin,
    /// The index of the device of this host on which it was captured. Linux tells it of a
    /// device that is captured from. Never set for a file, whose indices are those of the host
    /// that wrote it.
    pub device: Option<u32>,
}

impl RawPacket<'_> {
    /// Its headers.
    ///
    /// # Errors
    /// As [`decode()`]; [`DecodeError::LinkType`] where frames of its link type cannot be decoded.
    pub fn headers(&self) -> Result<Headers, DecodeError> {
        decode(self.link_type?, self.data, self.wire_len)
    }
}

/// What a [`Source`](crate::Source) has next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next<'a> {
    /// A packet.
    Packet(RawPacket<'a>),
    /// No packet for a quarter of a second or so. Devices only.
    Idle,
    /// [`Stopper::stop`](crate::Stopper::stop) was called. Nothing comes any more.
    Stopped,
    /// The file has ended. Files only.
    End,
}

/// How far a file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that were read.
    pub read: u64,
    /// Bytes that the file had when it was opened.
    pub total: u64,
}

/// A time stamp, whatever the device claims. The types of its parts differ between
/// operating systems.
pub(crate) fn time(
    seconds: impl TryInto<u64>,
    ticks: impl TryInto<u32>,
    ticks_per_second: u32,
) -> Duration {
    let Ok(seconds) = seconds.try_into() else {
        return Duration::ZERO;
    };
    let ticks = ticks.try_into().unwrap_or(0).min(ticks_per_second - 1);
    let nanoseconds = ticks * (1_000_000_000 / ticks_per_second);
    clamp(i128::from(seconds), nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_times_are_clamped() {
        let check = |seconds: i64, ticks: i64, per_second: u32, expected: (u64, u32)| {
            let expected = Duration::new(expected.0, expected.1);
            assert_eq!(time(seconds, ticks, per_second), expected);
        };
        check(1, 2, 1_000_000, (1, 2_000));
        check(1, 2, 1_000_000_000, (1, 2));
        check(-1, 2, 1_000_000, (0, 0));
        check(1, -1, 1_000_000, (1, 0));
        check(1, 1_000_000, 1_000_000, (1, 999_999_000));
        check(1, i64::MAX, 1_000_000_000, (1, 0));
        check(i64::MAX, 0, 1_000_000, (253_402_300_799, 0));
    }
}
