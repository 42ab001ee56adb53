//! A packet as it is in a file, of either format.

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
    /// What its frame begins with, or which link type it is that cannot be decoded.
    pub link_type: Result<LinkType, OtherLinkType>,
    /// When it was captured, since the Unix epoch; zero where the file does not tell. Times
    /// before the epoch are zero, times after the year 9999 its last second.
    pub time: Duration,
    /// Its bytes on the wire, as the file tells them.
    pub wire_len: u32,
    /// What was captured of it.
    pub data: &'a [u8],
    /// What somebody wrote about it.
    pub comments: Comments<'a>,
    /// Where the host that captured it says that it came from: by the header of a Linux cooked
    /// capture and others that have it, or by the flags of a packet in a pcapng file.
    pub origin: PacketOrigin,
}

impl FilePacket<'_> {
    /// Its headers.
    ///
    /// # Errors
    /// As [`decode()`]; [`DecodeError::LinkType`] where frames of its link type cannot be decoded.
    pub fn headers(&self) -> Result<Headers, DecodeError> {
        decode(self.link_type?, self.data, self.wire_len)
    }
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Corrupt(pub(crate) String);

/// The last second of the year 9999, beyond which dates cannot be written.
const LAST_SECOND: u64 = 253_402_300_799;

/// A time that can be written, whatever a file claims: from the epoch to the year 9999.
pub(crate) fn clamp(seconds: i128, nanoseconds: u32) -> Duration {
    match u64::try_from(seconds) {
        Ok(seconds) if seconds <= LAST_SECOND => Duration::new(seconds, nanoseconds),
        Err(_) if seconds < 0 => Duration::ZERO,
        _ => Duration::new(LAST_SECOND, 0),
    }
}
