//! A packet in a file of either format.

use std::time::Duration;

use crate::decode::{DecodeError, decode};
use crate::headers::Headers;
use crate::link_type::{LinkType, OtherLinkType};
use crate::packet_origin::PacketOrigin;
use crate::pcapng::Comments;

/// A packet of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilePacket<'a> {
    /// The number of its interface: see [`FileReader::interface`](crate::FileReader::interface).
    pub interface: usize,
    /// The link type of its frame; an error if the decoder does not know it.
    pub link_type: Result<LinkType, OtherLinkType>,
    /// The time of its capture since the Unix epoch; zero if the file has none. Times before the
    /// epoch become zero, and times after the year 9999 its last second.
    pub time: Duration,
    /// Its length on the wire, according to the file.
    pub wire_len: u32,
    /// Its captured bytes.
    pub data: &'a [u8],
    /// The comments on it.
    pub comments: Comments<'a>,
    /// Its origin according to the capturing host: from the header of a Linux cooked capture or a
    /// similar one, or from the flags of a packet in a pcapng file.
    pub origin: PacketOrigin,
}

impl FilePacket<'_> {
    /// Its headers.
    ///
    /// # Errors
    /// As [`decode()`]; [`DecodeError::LinkType`] if the decoder does not know its link type.
    pub fn headers(&self) -> Result<Headers, DecodeError> {
        decode(self.link_type?, self.data, self.wire_len)
    }
}

/// The defect of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Corrupt(pub(crate) String);

/// The last second of the year 9999, after which dates cannot be written.
const LAST_SECOND: u64 = 253_402_300_799;

/// A valid time, whatever a file claims: from the epoch to the year 9999.
pub(crate) fn clamp(seconds: i128, nanoseconds: u32) -> Duration {
    match u64::try_from(seconds) {
        Ok(seconds) if seconds <= LAST_SECOND => Duration::new(seconds, nanoseconds),
        Err(_) if seconds < 0 => Duration::ZERO,
        _ => Duration::new(LAST_SECOND, 0),
    }
}
