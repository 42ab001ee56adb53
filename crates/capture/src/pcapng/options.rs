//! Options, at the end of most blocks: a code, a length, a value, and padding.

use super::padding;

pub(super) const END: u16 = 0;
pub(super) const COMMENT: u16 = 1;
/// Options of a packet, in both kinds of blocks with options: `epb_flags`, `pack_flags`.
pub(super) const FLAGS: u16 = 2;
/// Of a section.
pub(super) const HARDWARE: u16 = 2;
pub(super) const OS: u16 = 3;
pub(super) const APPLICATION: u16 = 4;
/// Of an interface.
pub(super) const NAME: u16 = 2;
pub(super) const IPV4: u16 = 4;
pub(super) const IPV6: u16 = 5;
pub(super) const RESOLUTION: u16 = 9;
pub(super) const FILTER: u16 = 11;
pub(super) const OFFSET: u16 = 14;
/// Of statistics.
pub(super) const START_TIME: u16 = 2;
pub(super) const END_TIME: u16 = 3;
pub(super) const RECEIVED: u16 = 4;
pub(super) const DROPPED_BY_INTERFACE: u16 = 5;
pub(super) const DROPPED_BY_KERNEL: u16 = 7;
pub(super) const DELIVERED: u16 = 8;

/// The longest value of an option: its length has 16 bits.
pub(super) const MAX: usize = u16::MAX as usize;

/// The options of a block.
#[derive(Debug, Clone, Default)]
pub(super) struct Options<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) is_big_endian: bool,
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    /// The next option; `None` at the end, and if the rest is malformed.
    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.bytes.split_first_chunk::<4>()?;
        let number = |bytes: [u8; 2]| {
            if self.is_big_endian {
                u16::from_be_bytes(bytes)
            } else {
                u16::from_le_bytes(bytes)
            }
        };
        let code = number([head[0], head[1]]);
        let len = usize::from(number([head[2], head[3]]));
        if code == END {
            self.bytes = &[];
            return None;
        }
        let value = rest.get(..len)?;
        self.bytes = rest.get(len + padding(len)..).unwrap_or_default();
        Some((code, value))
    }
}
