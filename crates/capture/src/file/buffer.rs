//! What was read of an input and not taken yet.

use std::io::{self, ErrorKind, Read};
use std::ops::Range;

/// The size with which it begins: large enough that reading costs little, small enough to
/// stay in the cache of a processor while it is parsed.
const SIZE: usize = 256 << 10;

/// A window on an input. What is taken out of it stays until the next look ahead.
#[derive(Debug)]
pub(super) struct Buffer<R> {
    input: R,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    position: u64,
}

impl<R: Read> Buffer<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            bytes: vec![0; SIZE],
            start: 0,
            end: 0,
            position: 0,
        }
    }

    /// So many bytes, or more, without taking them; fewer only if the input has no more.
    pub(super) fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        if self.end - self.start < len {
            self.fill(len)?;
        }
        Ok(&self.bytes[self.start..self.end])
    }

    /// Takes so many bytes, if a caller has peeked at them before.
    pub(super) fn take(&mut self, len: usize) -> Option<Range<usize>> {
        let range = self.start..self.start + len;
        if range.end > self.end {
            return None;
        }
        self.start = range.end;
        self.position += len as u64;
        Some(range)
    }

    /// The taken bytes, until the next peek.
    pub(super) fn taken(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    pub(super) const fn input(&self) -> &R {
        &self.input
    }

    /// Bytes that were taken.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    #[cold]
    fn fill(&mut self, len: usize) -> io::Result<()> {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.bytes.len() < len {
            self.bytes.resize(len, 0);
        }
        while self.end < len {
            match self.input.read(&mut self.bytes[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
