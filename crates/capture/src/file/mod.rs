//! A capture file, from its bytes: pcap or pcapng. Pure: bytes come from any [`Read`], no
//! clock, no C library.

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

/// A capture file whose packets are read one after the other; compressed with gzip or zstd, or
/// not.
///
/// Packets are lent from a buffer of a quarter of a megabyte, which grows where a block is
/// larger, up to 16 MiB. What unpacks a file takes the window with which that was compressed, at
/// most 128 MiB.
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

/// Why a file cannot be read, or not on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There are no bytes at all.
    #[error("it is empty")]
    Empty,
    /// It does not begin as a capture file does.
    #[error("{0}")]
    NotACapture(String),
    /// It ends inside a packet or header. All whole packets were given before.
    #[error("{0}")]
    Truncated(String),
    /// It holds what no capture file can. All packets before that were given.
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
    /// Begins to read: the header of a pcap file; of a pcapng file all up to the first
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
    /// [`ReadError::Truncated`], [`ReadError::Corrupt`] and [`ReadError::Input`]. Nothing is
    /// to be had after an error.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Result<Option<FilePacket<'_>>, ReadError> {
        self.next_where(|_| true)
    }

    /// The next packet that is wanted.
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

    /// An interface of the file. A pcap file has one, with the number 0. In a pcapng file
    /// those that were described so far are known; where another section begins, they are
    /// counted from 0 again.
    pub fn interface(&self, number: usize) -> Option<&Interface> {
        match &self.format {
            Format::Pcap(reader) => (number == 0).then(|| reader.interface()),
            Format::Pcapng(reader) => reader.interface(number),
        }
    }

    /// What was odd about the file so far.
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

    /// Bytes of the file up to the packet that was given last; of a compressed file, somewhat
    /// more.
    pub fn position(&self) -> u64 {
        let compressed = self.buffer.input().position();
        compressed.unwrap_or_else(|| self.buffer.position())
    }

    /// Reads on until an interface was described whose frames can be decoded, but no further
    /// than to the first packet.
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

/// How the next block begins; `None` at the end of the file.
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

/// What is said where a file ends too early.
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
