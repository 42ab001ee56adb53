//! Reads a capture file from its bytes: pcap or pcapng. Pure: the bytes come from any [`Read`],
//! without a clock or a C library.

mod buffer;
mod compressed;
mod oddities;
mod pcap;

use std::io::{self, Read};
use std::ops::Range;

use crate::file_packet::{Corrupt, FilePacket};
use crate::pcapng::{self, Interface};
use buffer::Buffer;
use compressed::{Damage, Input};
pub use oddities::Oddities;

/// Reads the packets of a capture file one after the other. The file may be compressed with gzip or
/// zstd.
///
/// Packets borrow from a buffer of a quarter of a megabyte, which grows for larger blocks, up to 16
/// MiB. Decompression uses the window of the compressor, at most 128 MiB.
#[derive(Debug)]
pub struct FileReader<R> {
    buffer: Buffer<Input<R>>,
    format: Format,
    /// See [`Oddities::more_captured`].
    more_captured: u64,
}

#[derive(Debug)]
enum Format {
    Pcap(pcap::Reader),
    Pcapng(pcapng::Reader),
}

/// Why a file cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The input is empty.
    #[error("it is empty")]
    Empty,
    /// The input does not begin like a capture file.
    #[error("{0}")]
    NotACapture(String),
    /// It ends within a packet or header. The reader has returned all complete packets before that.
    #[error("{0}")]
    Truncated(String),
    /// It has content that a capture file cannot have. The reader has returned all packets before
    /// that.
    #[error("{0}")]
    Corrupt(String),
    /// The input failed.
    #[error(transparent)]
    Input(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.downcast() {
            Ok(damage @ Damage::Truncated) => Self::Truncated(damage.to_string()),
            Ok(damage @ Damage::Corrupt(_)) => Self::Corrupt(damage.to_string()),
            Err(error) => Self::Input(error),
        }
    }
}

impl From<Corrupt> for ReadError {
    fn from(Corrupt(message): Corrupt) -> Self {
        Self::Corrupt(message)
    }
}

impl<R: Read> FileReader<R> {
    /// Begins to read: the header of a pcap file; of a pcapng file, everything up to the first
    /// interface.
    ///
    /// # Errors
    /// Any [`ReadError`].
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut buffer = Buffer::new(Input::new(input)?);
        let magic = match *buffer.peek(4)? {
            [] => return Err(ReadError::Empty),
            [a, b, c, d, ..] => [a, b, c, d],
            _ => return Err(not_a_capture()),
        };
        if u32::from_be_bytes(magic) == PCAPNG {
            let format = Format::Pcapng(pcapng::Reader::default());
            let mut reader = Self {
                buffer,
                format,
                more_captured: 0,
            };
            reader.find_interface()?;
            return Ok(reader);
        }
        let reader = pcap::Reader::new(magic, &mut buffer)?.ok_or_else(not_a_capture)?;
        let format = Format::Pcap(reader);
        Ok(Self {
            buffer,
            format,
            more_captured: 0,
        })
    }

    /// The next packet; `None` at the end.
    ///
    /// # Errors
    /// [`ReadError::Truncated`], [`ReadError::Corrupt`] and [`ReadError::Input`]. After an error
    /// there are no more packets.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Result<Option<FilePacket<'_>>, ReadError> {
        self.next_where(|_| true)
    }

    /// The next packet for which `is_wanted` holds.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn next_where(
        &mut self,
        mut wanted: impl FnMut(&FilePacket<'_>) -> bool,
    ) -> Result<Option<FilePacket<'_>>, ReadError> {
        let Self {
            buffer,
            format,
            more_captured,
        } = self;
        let mut wanted = |packet: &FilePacket<'_>| {
            *more_captured += u64::from(packet.data.len() > packet.wire_len as usize);
            wanted(packet)
        };
        match format {
            Format::Pcap(reader) => reader.next_where(buffer, wanted),
            Format::Pcapng(reader) => loop {
                let Some(header) = peek_header(reader, buffer)? else {
                    return Ok(None);
                };
                let block = take_block(header, buffer)?;
                if !header.is_packet() {
                    reader.other(header, buffer.taken(block))?;
                } else if wanted(&reader.packet(header, buffer.taken(block.clone()))?) {
                    return Ok(Some(reader.packet(header, buffer.taken(block))?));
                }
            },
        }
    }

    /// An interface of the file. A pcap file has one, with the number 0. A pcapng file has those
    /// that it has described so far; each section counts them from 0 again.
    pub fn interface(&self, number: usize) -> Option<&Interface> {
        match &self.format {
            Format::Pcap(reader) => (number == 0).then(|| reader.interface()),
            Format::Pcapng(reader) => reader.interface(number),
        }
    }

    /// The oddities of the file so far.
    pub const fn oddities(&self) -> Oddities {
        let more_captured = self.more_captured;
        match &self.format {
            Format::Pcap(reader) => Oddities {
                more_captured,
                fractions: reader.fractions(),
                lengths: 0,
            },
            Format::Pcapng(reader) => Oddities {
                more_captured,
                fractions: 0,
                lengths: reader.odd_lengths(),
            },
        }
    }

    /// The position after the last packet in the file; in a compressed file, somewhat further.
    pub fn position(&self) -> u64 {
        let compressed = self.buffer.input().position();
        compressed.unwrap_or_else(|| self.buffer.position())
    }

    /// Reads until the file has described an interface with a known link type, but no further than
    /// the first packet.
    fn find_interface(&mut self) -> Result<(), ReadError> {
        let Self { buffer, format, .. } = self;
        let Format::Pcapng(reader) = format else {
            return Ok(());
        };
        while !reader.has_decodable() {
            match peek_header(reader, buffer)? {
                Some(header) if !header.is_packet() => {
                    let block = take_block(header, buffer)?;
                    reader.other(header, buffer.taken(block))?;
                }
                _ => break,
            }
        }
        Ok(())
    }
}

/// The header of the next block; `None` at the end of the file.
fn peek_header<R: Read>(
    reader: &mut pcapng::Reader,
    buffer: &mut Buffer<R>,
) -> Result<Option<pcapng::Header>, ReadError> {
    let bytes = buffer.peek(pcapng::Header::LEN)?;
    match bytes.first_chunk() {
        Some(bytes) => Ok(Some(reader.header(*bytes)?)),
        None if bytes.is_empty() => Ok(None),
        None => Err(cut("header of a block", pcapng::Header::LEN, bytes.len())),
    }
}

fn take_block<R: Read>(
    header: pcapng::Header,
    buffer: &mut Buffer<R>,
) -> Result<Range<usize>, ReadError> {
    let len = header.len;
    let present = buffer.peek(len)?.len();
    buffer.take(len).ok_or_else(|| cut("block", len, present))
}

/// The error for a file that ends too early.
fn cut(what: &str, len: usize, present: usize) -> ReadError {
    ReadError::Truncated(format!(
        "it ends within the {what}, after {present} of {len} bytes"
    ))
}

fn not_a_capture() -> ReadError {
    ReadError::NotACapture("unknown file format".to_owned())
}

/// The first four bytes of a pcapng file, in either byte order.
const PCAPNG: u32 = 0x0a0d_0d0a;
