//! The pcapng format (draft-ietf-opsawg-pcapng): the writer supports what this project needs, the
//! reader packets, interfaces, comments and process facts. Pure: no clock, no file, no C library.
//!
//! The writer uses little-endian, one section, and times in nanoseconds. The reader accepts either
//! byte order, many sections and interfaces, and any resolution of time.

mod comments;
mod options;
mod process;
mod reader;
mod writer;

use std::net::IpAddr;

pub use comments::Comments;
pub use process::{PacketProcess, ProcessFacts};
pub use writer::{Counters, PacketOptions, Section, Writer};

pub(crate) use reader::{Header, Reader};

use crate::link_type::{LinkType, OtherLinkType};
use options::Options;

/// Block types (section 11.1 of the draft).
mod block {
    pub(super) const SECTION: u32 = 0x0a0d_0d0a;
    pub(super) const INTERFACE: u32 = 1;
    /// Obsolete, but in old files.
    pub(super) const PACKET: u32 = 2;
    pub(super) const SIMPLE_PACKET: u32 = 3;
    pub(super) const NAMES: u32 = 4;
    pub(super) const STATISTICS: u32 = 5;
    pub(super) const ENHANCED_PACKET: u32 = 6;
}

/// The magic number that shows the byte order of a section.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// The bytes of a block beside its content: type and length before, length after.
const OVERHEAD: usize = 12;

/// An interface of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// The `LINKTYPE_` number of its frames.
    pub link_type: u32,
    /// The largest number of bytes that are kept of each frame; 0 for no limit.
    pub snap_length: u32,
    /// The name of the device.
    pub name: Option<String>,
    /// The capture filter, in the language of pcap-filter(7).
    pub filter: Option<String>,
    /// The addresses of the interface.
    pub addresses: Vec<IpAddr>,
}

impl Interface {
    /// An interface with this link type; all else is unknown.
    pub fn new(link_type: LinkType) -> Self {
        Self {
            link_type: link_type.number(),
            ..Self::default()
        }
    }

    /// The link type of its frames.
    ///
    /// # Errors
    /// The link type, if the decoder does not know it.
    pub const fn frames(&self) -> Result<LinkType, OtherLinkType> {
        LinkType::of_file(self.link_type)
    }
}

/// The length of the padding that fills up to a multiple of four bytes.
const fn padding(len: usize) -> usize {
    len.wrapping_neg() & 3
}

/// Reads numbers and bytes one after the other.
struct Fields<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
}

impl<'a> Fields<'a> {
    fn u16(&mut self) -> Option<u16> {
        let (bytes, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(if self.is_big_endian {
            u16::from_be_bytes(*bytes)
        } else {
            u16::from_le_bytes(*bytes)
        })
    }

    fn u32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(if self.is_big_endian {
            u32::from_be_bytes(*bytes)
        } else {
            u32::from_le_bytes(*bytes)
        })
    }

    /// The next `len` bytes, with the padding after them, which may be missing at the end.
    fn padded(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest.get(padding(len)..).unwrap_or_default();
        Some(bytes)
    }

    const fn options(&self) -> Options<'a> {
        Options {
            bytes: self.bytes,
            is_big_endian: self.is_big_endian,
        }
    }
}
