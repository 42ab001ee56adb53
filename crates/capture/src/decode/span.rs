//! Bytes of which only the first may have been captured.

use super::DecodeError;

/// What is left of a frame, or of a layer in it.
///
/// Two lengths run through decoding: what was captured can be read, what was on the
/// wire is what lengths are computed from. So cutting a frame changes no value.
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

    /// Where in the frame this begins.
    pub(super) const fn offset(self) -> u32 {
        self.offset
    }

    pub(super) const fn captured(self) -> &'a [u8] {
        self.captured
    }

    pub(super) const fn wire_len(self) -> u32 {
        self.wire_len
    }

    /// The first bytes, as many as `N`, and what follows them.
    pub(super) fn split<const N: usize>(self) -> Result<([u8; N], Self), DecodeError> {
        let first = self
            .captured
            .first_chunk()
            .ok_or_else(|| self.too_short())?;
        Ok((*first, self.skip(N)))
    }

    /// What follows the first byte.
    pub(super) fn skip_one(self) -> Result<Self, DecodeError> {
        let ([_], rest) = self.split()?;
        Ok(rest)
    }

    /// What follows the first `len` bytes; nothing where there are fewer.
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

    /// The error of a header that is longer than what was captured of it.
    pub(super) fn too_short(self) -> DecodeError {
        match u32::try_from(self.captured.len()) {
            Ok(captured) if captured < self.wire_len => DecodeError::CutShort,
            _ => DecodeError::Malformed,
        }
    }
}
