//! Bytes of which the capture may have only the first ones.

use super::DecodeError;

/// The rest of a frame, or of a layer in it.
///
/// Decoding keeps two lengths: the captured bytes can be read, and the length on the wire is the
/// base of all computed lengths. So cutting a frame changes no value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span<'a> {
    captured: &'a [u8],
    wire_len: u32,
    offset: u32,
}

impl<'a> Span<'a> {
    pub(super) const fn new(captured: &'a [u8], wire_len: u32) -> Self {
        Self {
            captured,
            wire_len,
            offset: 0,
        }
    }

    /// The position in the frame where this begins.
    pub(super) const fn offset(self) -> u32 {
        self.offset
    }

    pub(super) const fn captured(self) -> &'a [u8] {
        self.captured
    }

    pub(super) const fn wire_len(self) -> u32 {
        self.wire_len
    }

    /// The first `N` bytes, and the rest after them.
    pub(super) fn split<const N: usize>(self) -> Result<([u8; N], Self), DecodeError> {
        let first = self
            .captured
            .first_chunk()
            .ok_or_else(|| self.too_short())?;
        Ok((*first, self.skip(N)))
    }

    /// The rest after the first byte.
    pub(super) fn skip_one(self) -> Result<Self, DecodeError> {
        let ([_], rest) = self.split()?;
        Ok(rest)
    }

    /// The rest after the first `len` bytes; empty if there are fewer.
    pub(super) fn skip(self, len: usize) -> Self {
        let wire = u32::try_from(len).unwrap_or(u32::MAX);
        Self {
            captured: self.captured.get(len..).unwrap_or_default(),
            wire_len: self.wire_len.saturating_sub(wire),
            offset: self.offset.saturating_add(wire),
        }
    }

    /// The first `len` bytes on the wire, without the padding after them.
    pub(super) fn limit(self, len: u32) -> Self {
        let room = usize::try_from(len).unwrap_or(usize::MAX);
        Self {
            captured: self.captured.get(..room).unwrap_or(self.captured),
            wire_len: self.wire_len.min(len),
            offset: self.offset,
        }
    }

    /// The error for a header that is longer than its captured part.
    pub(super) fn too_short(self) -> DecodeError {
        match u32::try_from(self.captured.len()) {
            Ok(captured) if captured < self.wire_len => DecodeError::CutShort,
            _ => DecodeError::Malformed,
        }
    }
}
