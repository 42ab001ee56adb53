//! Numbers of one to eight bytes (RFC 9000, section 16).

use crate::wire::Cursor;

pub(super) fn varint(cursor: &mut Cursor<'_>) -> Option<u64> {
    let first = cursor.u8()?;
    let more = (1_usize << (first >> 6)) - 1;
    let bytes = cursor.take(more)?;
    let first = u64::from(first & 0x3f);
    Some(
        bytes
            .iter()
            .fold(first, |number, &byte| number << 8 | u64::from(byte)),
    )
}
