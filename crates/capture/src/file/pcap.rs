//! The classic format (draft-ietf-opsawg-pcap, pcap-savefile(5)), and the variants of it
//! that libpcap reads.

use std::io::Read;
use std::ops::Range;
use std::time::Duration;

use super::buffer::Buffer;
use super::{ReadError, cut};
use crate::file_packet::{Corrupt, FilePacket};
use crate::link_type::{LinkType, OtherLinkType};
use crate::packet_origin::PacketOrigin;
use crate::pcapng::{Comments, Interface};

/// The header of the file.
const HEADER: usize = 24;
/// The header of a packet in Kuznetzov's variant.
const KUZNETZOV: usize = 24;
/// The largest length of a packet that libpcap accepts (`MAXIMUM_SNAPLEN`).
const MAX_PACKET: usize = 262_144;

/// The header of a file.
#[derive(Debug)]
pub(super) struct Reader {
    is_big_endian: bool,
    nanoseconds: bool,
    lengths: Lengths,
    /// The length of a packet's header.
    header: usize,
    /// Longer packets are cut to this, as libpcap does.
    snap_length: usize,
    /// See [`Oddities::fractions`](super::Oddities::fractions).
    fractions: u64,
    interface: Interface,
    link_type: Result<LinkType, OtherLinkType>,
}

/// A packet in the buffer.
struct Place {
    time: Duration,
    wire_len: u32,
    data: Range<usize>,
}

/// The order of a packet's two lengths. It changed with version 2.3 (`sf-pcap.c` of libpcap).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lengths {
    CapturedFirst,
    WireFirst,
    /// Whichever is plausible.
    Either,
}

/// The magic numbers of `sf-pcap.c` in libpcap: whether times are in nanoseconds, and the length of
/// a packet's header.
const fn variant(magic: u32) -> Option<(bool, usize)> {
    match magic {
        // The usual one, and those of Mesquita and Navtel.
        0xa1b2_c3d4 | 0xa1b2_34cd | 0xa12b_3c4d => Some((false, 16)),
        0xa1b2_3c4d => Some((true, 16)),
        // Kuznetzov's, with more fields in each packet header.
        0xa1b2_cd34 => Some((false, KUZNETZOV)),
        _ => None,
    }
}

impl Reader {
    /// Reads the header of a file that begins with these four bytes; `None` if it is not a pcap
    /// file.
    pub(super) fn new<R: Read>(
        magic: [u8; 4],
        buffer: &mut Buffer<R>,
    ) -> Result<Option<Self>, ReadError> {
        let le = variant(u32::from_le_bytes(magic)).map(|variant| (false, variant));
        let be = variant(u32::from_be_bytes(magic)).map(|variant| (true, variant));
        let Some((is_big_endian, (nanoseconds, header))) = le.or(be) else {
            return Ok(None);
        };
        let present = buffer.peek(HEADER)?.len();
        let range = buffer.take(HEADER);
        let range = range.ok_or_else(|| cut("header of the file", HEADER, present))?;
        let fields = Fields {
            bytes: buffer.taken(range),
            is_big_endian,
        };
        let version = (fields.u16(4), fields.u16(6));
        if !matches!(version, (2, 0..=4 | 543)) {
            let (major, minor) = version;
            let message = format!("its version of pcap is {major}.{minor}; 2.4 is known");
            return Err(ReadError::NotACapture(message));
        }
        let lengths = match version.1 {
            // The second is that of DG/UX.
            0..3 | 543 => Lengths::WireFirst,
            3 => Lengths::Either,
            _ => Lengths::CapturedFirst,
        };
        let interface = Interface {
            // The upper bits describe the frame check sequence.
            link_type: fields.u32(20) & 0x03ff_ffff,
            snap_length: fields.u32(16),
            ..Interface::default()
        };
        let snap_length = match interface.snap_length as usize {
            0 => MAX_PACKET,
            // Kuznetzov's variant leaves out the header of Ethernet.
            len if header == KUZNETZOV && interface.link_type == 1 => len + 14,
            len => len,
        };
        Ok(Some(Self {
            is_big_endian,
            nanoseconds,
            lengths,
            header,
            snap_length,
            fractions: 0,
            link_type: interface.frames(),
            interface,
        }))
    }

    pub(super) const fn interface(&self) -> &Interface {
        &self.interface
    }

    pub(super) const fn fractions(&self) -> u64 {
        self.fractions
    }

    pub(super) fn next_where<'a, R: Read>(
        &mut self,
        buffer: &'a mut Buffer<R>,
        mut wanted: impl FnMut(&FilePacket<'_>) -> bool,
    ) -> Result<Option<FilePacket<'a>>, ReadError> {
        while let Some(place) = self.find(buffer)? {
            if wanted(&self.packet(&place, buffer)) {
                return Ok(Some(self.packet(&place, buffer)));
            }
        }
        Ok(None)
    }

    /// Takes the next packet out of the buffer.
    fn find<R: Read>(&mut self, buffer: &mut Buffer<R>) -> Result<Option<Place>, ReadError> {
        let header = buffer.peek(self.header)?;
        if header.len() < self.header {
            return if header.is_empty() {
                Ok(None)
            } else {
                Err(cut("header of a packet", self.header, header.len()))
            };
        }
        let fields = Fields {
            bytes: header,
            is_big_endian: self.is_big_endian,
        };
        let (seconds, parts) = (fields.u32(0), fields.u32(4));
        let (captured, wire_len) = self.lengths(fields.u32(8), fields.u32(12));
        if captured as usize > MAX_PACKET {
            let message = format!("a packet claims that {captured} bytes of it were captured");
            return Err(Corrupt(message).into());
        }
        let time = self.time(seconds, parts);
        let len = self.header + captured as usize;
        let present = buffer.peek(len)?.len();
        let Some(mut data) = buffer.take(len) else {
            let present = present - self.header;
            return Err(cut("data of a packet", captured as usize, present));
        };
        data.start += self.header;
        data.end = data.end.min(data.start + self.snap_length);
        Ok(Some(Place {
            time,
            wire_len,
            data,
        }))
    }

    fn packet<'a, R: Read>(&self, place: &Place, buffer: &'a Buffer<R>) -> FilePacket<'a> {
        let data = buffer.taken(place.data.clone());
        let origin = self.link_type.map_or_else(
            |_| PacketOrigin::Unknown,
            |link_type| PacketOrigin::of_header(link_type, data),
        );
        FilePacket {
            interface: 0,
            link_type: self.link_type,
            time: place.time,
            wire_len: place.wire_len,
            data,
            comments: Comments::default(),
            origin,
        }
    }

    fn time(&mut self, seconds: u32, parts: u32) -> Duration {
        let (per_second, nanoseconds) = if self.nanoseconds {
            (1_000_000_000, 1)
        } else {
            (1_000_000, 1_000)
        };
        self.fractions += u64::from(parts >= per_second);
        let nanoseconds = parts.min(per_second - 1) * nanoseconds;
        Duration::new(u64::from(seconds), nanoseconds)
    }

    /// The captured bytes, and the bytes on the wire.
    const fn lengths(&self, first: u32, second: u32) -> (u32, u32) {
        match self.lengths {
            Lengths::CapturedFirst => (first, second),
            Lengths::Either if first <= second => (first, second),
            Lengths::Either | Lengths::WireFirst => (second, first),
        }
    }
}

/// Fields at fixed offsets of a complete header.
struct Fields<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
}

impl Fields<'_> {
    fn u32(&self, at: usize) -> u32 {
        let mut field = [0; 4];
        field.copy_from_slice(&self.bytes[at..at + 4]);
        if self.is_big_endian {
            u32::from_be_bytes(field)
        } else {
            u32::from_le_bytes(field)
        }
    }

    fn u16(&self, at: usize) -> u16 {
        let mut field = [0; 2];
        field.copy_from_slice(&self.bytes[at..at + 2]);
        if self.is_big_endian {
            u16::from_be_bytes(field)
        } else {
            u16::from_le_bytes(field)
        }
    }
}
