//! Files that gzip (RFC 1952) or zstd (RFC 8878) has compressed, read as what is in them.
//!
//! Nothing is unpacked ahead: what a small file becomes costs time, not memory. The memory is
//! that of a window, 32 KiB for gzip and at most [`MAX_WINDOW`] for zstd. Of a zstd file that was
//! cut off, the last window is lost, because the decoder gives it only when its frame is complete.

use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// The longest window that is taken: what the command `zstd` writes at most and takes.
const MAX_WINDOW: u64 = 128 << 20;

/// How a compressed file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Frames that hold nothing, which some programs put first: 16 numbers, of which the lowest four
/// bits differ.
const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// An input, unpacked if that is needed.
pub(super) enum Input<R> {
    Plain(Begun<R>),
    Gzip(Box<MultiGzDecoder<Counted<R>>>),
    Zstd(Box<Zstd<R>>),
}

/// What is wrong with compressed data, as the inner error of an [`io::Error`].
#[derive(Debug, thiserror::Error)]
pub(super) enum Damage {
    #[error("its compressed data end too early")]
    Truncated,
    #[error("its compressed data are damaged: {0}")]
    Corrupt(String),
}

impl<R: Read> Input<R> {
    /// Looks at the first bytes.
    pub(super) fn new(mut input: R) -> io::Result<Self> {
        let mut first = Vec::with_capacity(ZSTD.len());
        input
            .by_ref()
            .take(ZSTD.len() as u64)
            .read_to_end(&mut first)?;
        let is_gzip = first.starts_with(&GZIP);
        let is_zstd =
            first == ZSTD || first.len() == 4 && first[0] >> 4 == 5 && first[1..] == SKIPPABLE;
        let begun = Begun {
            first,
            taken: 0,
            input,
        };
        Ok(if is_gzip {
            Self::Gzip(Box::new(MultiGzDecoder::new(Counted::new(begun))))
        } else if is_zstd {
            Self::Zstd(Box::new(Zstd::new(begun)))
        } else {
            Self::Plain(begun)
        })
    }

    /// Bytes of the compressed file that were read; `None` where it is not compressed.
    pub(super) fn position(&self) -> Option<u64> {
        match self {
            Self::Plain(_) => None,
            Self::Gzip(decoder) => Some(decoder.get_ref().count),
            Self::Zstd(decoder) => Some(decoder.source.get_ref().count),
        }
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (result, source) = match self {
            Self::Plain(input) => return input.read(buffer),
            Self::Gzip(decoder) => {
                let result = decoder.read(buffer);
                (result, decoder.get_ref())
            }
            Self::Zstd(decoder) => {
                let result = decoder.read(buffer);
                (result, decoder.source.get_ref())
            }
        };
        result.map_err(|error| match source.state {
            // What the operating system says is not damage.
            Reading::Failed => error,
            Reading::Ended => io::Error::new(ErrorKind::UnexpectedEof, Damage::Truncated),
            Reading::GoesOn => {
                let damage = Damage::Corrupt(error.to_string());
                io::Error::new(ErrorKind::InvalidData, damage)
            }
        })
    }
}

impl<R> fmt::Debug for Input<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Gzip(_) => "Gzip",
            Self::Zstd(_) => "Zstd",
        })
    }
}

/// An input of which the first bytes were read.
pub(super) struct Begun<R> {
    first: Vec<u8>,
    taken: usize,
    input: R,
}

impl<R: Read> Read for Begun<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut rest = &self.first[self.taken..];
        if rest.is_empty() {
            return self.input.read(buffer);
        }
        let read = rest.read(buffer)?;
        self.taken += read;
        Ok(read)
    }
}

/// An input whose bytes are counted, and of which it is known how reading went.
pub(super) struct Counted<R> {
    input: Begun<R>,
    count: u64,
    state: Reading,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    GoesOn,
    Ended,
    Failed,
}

impl<R> Counted<R> {
    const fn new(input: Begun<R>) -> Self {
        Self {
            input,
            count: 0,
            state: Reading::GoesOn,
        }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.input.read(buffer);
        match &result {
            Ok(0) if !buffer.is_empty() => self.state = Reading::Ended,
            Ok(read) => self.count += *read as u64,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.state = Reading::Failed,
        }
        result
    }
}

/// Frames of zstd, one after the other.
pub(super) struct Zstd<R> {
    decoder: FrameDecoder,
    source: BufReader<Counted<R>>,
    is_in_frame: bool,
}

impl<R: Read> Zstd<R> {
    fn new(begun: Begun<R>) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        Self {
            decoder,
            source: BufReader::new(Counted::new(begun)),
            is_in_frame: false,
        }
    }

    /// Begins the next frame, or leaves out one that holds nothing; whether there was any.
    fn begin(&mut self) -> io::Result<bool> {
        if self.source.fill_buf()?.is_empty() {
            return Ok(false);
        }
        match self.decoder.reset(&mut self.source) {
            Ok(()) => self.is_in_frame = true,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let mut skipped = self.source.by_ref().take(length.into());
                if io::copy(&mut skipped, &mut io::sink())? < length.into() {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            }
            Err(error) => return Err(io::Error::other(error)),
        }
        Ok(true)
    }

    /// Ends a frame, of which the check sum must be right if it has one.
    fn end(&mut self) -> io::Result<()> {
        self.is_in_frame = false;
        let told = self.decoder.get_checksum_from_data();
        match told.zip(self.decoder.get_calculated_checksum()) {
            Some((told, found)) if told != found => Err(io::Error::other("wrong check sum")),
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_in_frame {
                if !self.begin()? {
                    return Ok(0);
                }
            } else if self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            } else if self.decoder.is_finished() {
                self.end()?;
            } else {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                let result = self.decoder.decode_blocks(&mut self.source, one);
                result.map_err(io::Error::other)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut input = Input::new(bytes)?;
        input.read_to_end(&mut all)?;
        if let Some(position) = input.position() {
            assert_eq!(position, bytes.len() as u64);
        }
        Ok(all)
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(
            bytes in proptest::collection::vec(any::<u8>(), 0..3_000),
            cut in 0..100_usize,
        ) {
            // Files that were appended to each other are one.
            let skipped = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 7, 7, 7];
            let twice = [&bytes[..], &bytes].concat();
            prop_assert_eq!(unpack(&[gzip(&bytes), gzip(&bytes)].concat()).unwrap(), &twice[..]);
            let frames = [&skipped[..], &zstd(&bytes), &skipped, &zstd(&bytes)].concat();
            prop_assert_eq!(unpack(&frames).unwrap(), twice);
            for packed in [gzip(&bytes), zstd(&bytes)] {
                let len = packed.len() - 1 - cut % (packed.len() - 5);
                let error = unpack(&packed[..len]).unwrap_err();
                prop_assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{}", error);
            }
        }

        #[test]
        fn any_bytes_are_unpacked_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            at in 0..300_usize,
            byte: u8,
        ) {
            for mut packed in [gzip(&bytes), zstd(&bytes), [&GZIP, &bytes[..]].concat(), [&ZSTD, &bytes[..]].concat()] {
                let at = at % packed.len();
                packed[at] = byte;
                if let Err(error) = Input::new(&packed[..]).and_then(|mut it| it.read_to_end(&mut Vec::new())) {
                    prop_assert!(error.get_ref().unwrap().is::<Damage>());
                }
            }
        }
    }

    #[test]
    fn a_window_that_is_too_large_is_refused() {
        // A frame without a size of its content, and a window of 2^41 bytes.
        let mut frame = ZSTD.to_vec();
        frame.extend([0, 0xf8, 1, 0, 0]);
        assert_eq!(unpack(&frame).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
