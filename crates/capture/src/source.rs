//! Where packets come from: one device or one file.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::file::clamp;
use crate::link_type::LinkType;
use crate::live::{Live, LiveOptions};
use crate::offline::Offline;
use crate::packet_origin::PacketOrigin;
use crate::pcapng::Comments;
use crate::statistics::Statistics;
use crate::stopper::Stopper;
use crate::wait;

/// A device or file that gives its packets one after the other.
///
/// Can be moved to the thread that reads it; a [`Stopper`] stops it from any other.
pub struct Source {
    origin: Origin,
}

enum Origin {
    Device(Live),
    File(Offline),
}

/// A captured frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawPacket<'a> {
    /// When it was captured, by the clock of the machine that did, since the Unix
    /// epoch. Times before the epoch are 0, times after the year 9999 its last second.
    pub time: Duration,
    /// Its bytes on the wire. Linux cooked and BSD loopback headers count, though they
    /// were never on one.
    pub wire_len: u32,
    /// What its frame begins with: a file may have packets of several devices. `None`
    /// where frames of that device cannot be decoded.
    pub link_type: Option<LinkType>,
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

/// What a [`Source`] has next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next<'a> {
    /// A packet.
    Packet(RawPacket<'a>),
    /// No packet for a quarter of a second or so. Devices only.
    Idle,
    /// [`Stopper::stop`] was called. Nothing comes any more.
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

impl Source {
    /// Captures from a device, in immediate mode: packets are given as they come, not
    /// when a buffer is full.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDevice`], [`Error::Permission`], [`Error::DeviceDown`],
    /// [`Error::LinkType`], [`Error::Filter`]; [`Error::Device`] for all else.
    pub fn live(options: &LiveOptions) -> Result<Self, Error> {
        let origin = Origin::Device(Live::open(options)?);
        Ok(Self { origin })
    }

    /// Reads a pcap or pcapng file.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchFile`], [`Error::IsDirectory`], [`Error::Unreadable`],
    /// [`Error::Empty`], [`Error::NotACapture`], [`Error::Truncated`] inside the file's
    /// header, [`Error::LinkType`], [`Error::Filter`].
    pub fn file(path: impl AsRef<Path>, filter: Option<&str>) -> Result<Self, Error> {
        let origin = Origin::File(Offline::open(path.as_ref(), filter)?);
        Ok(Self { origin })
    }

    /// Reads a pcap or pcapng file from standard input.
    ///
    /// # Errors
    ///
    /// As [`Source::file`].
    pub fn stdin(filter: Option<&str>) -> Result<Self, Error> {
        let origin = Origin::File(Offline::stdin(filter)?);
        Ok(Self { origin })
    }

    /// What the frames begin with, for [`decode()`](crate::decode()); in a file of several
    /// devices, those of the first whose frames can be decoded.
    pub const fn link_type(&self) -> LinkType {
        match &self.origin {
            Origin::Device(device) => device.link_type(),
            Origin::File(file) => file.link_type(),
        }
    }

    /// The addresses that a file tells of the devices it was captured from. Few do; of a
    /// device, see [`devices`](crate::devices()).
    pub fn addresses(&self) -> Vec<IpAddr> {
        match &self.origin {
            Origin::Device(_) => Vec::new(),
            Origin::File(file) => file.addresses().collect(),
        }
    }

    /// The next packet; waits for it.
    ///
    /// # Errors
    ///
    /// Of a file [`Error::Truncated`], [`Error::Growing`] and [`Error::Corrupt`], after all
    /// packets before the damage. Of a device [`Error::DeviceGone`], [`Error::DeviceDown`] and
    /// [`Error::Device`]. Nothing is to be had after an error.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Result<Next<'_>, Error> {
        self.next_within(wait::PATIENCE)
    }

    /// As [`next`](Self::next), but a device is [`Idle`](Next::Idle) after that time already,
    /// if it is shorter. Linux only.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_within(&mut self, patience: Duration) -> Result<Next<'_>, Error> {
        match &mut self.origin {
            Origin::Device(device) => device.next(patience.min(wait::PATIENCE)),
            Origin::File(file) => file.next(),
        }
    }

    /// What the kernel counted so far. All zero for a file: no kernel is between.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceGone`], [`Error::DeviceDown`] and [`Error::Device`].
    pub fn statistics(&mut self) -> Result<Statistics, Error> {
        match &mut self.origin {
            Origin::Device(device) => device.statistics(),
            Origin::File(_) => Ok(Statistics::default()),
        }
    }

    /// How far the file was read, for a progress bar. `None` for a device, standard input
    /// and a pipe.
    pub fn progress(&self) -> Option<Progress> {
        match &self.origin {
            Origin::Device(_) => None,
            Origin::File(file) => file.progress(),
        }
    }

    /// A handle with which any thread can stop this source.
    pub fn stopper(&self) -> Stopper {
        match &self.origin {
            Origin::Device(device) => device.stopper(),
            Origin::File(file) => file.stopper(),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match &self.origin {
            Origin::Device(device) => device.name(),
            Origin::File(file) => file.input(),
        };
        f.debug_struct("Source")
            .field("origin", &origin)
            .field("link_type", &self.link_type())
            .finish_non_exhaustive()
    }
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

    #[test]
    fn a_source_can_move_to_a_thread_and_its_stopper_be_shared() {
        fn is_send<T: Send>() {}
        fn is_shareable<T: Send + Sync + Clone + 'static>() {}
        is_send::<Source>();
        is_shareable::<Stopper>();
    }
}
