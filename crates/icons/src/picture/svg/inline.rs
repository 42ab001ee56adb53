//! Pictures inside a document.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The maximum pixels of a side of such a picture.
const MAX_PICTURE: u32 = 1_024;

/// `data:image/png;base64,…`, with a size in its header that icons may have.
pub(super) fn is_small_png(link: &str) -> bool {
    let Some(data) = link.strip_prefix("data:image/png;base64,") else {
        return false;
    };
    // Signature, length and name of the header, width, height: 24 bytes in four characters for three.
    // Blanks do not count (RFC 2045, 6.8).
    let digits = data.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let digits: Vec<u8> = digits.take(32).collect();
    let Ok(header) = STANDARD.decode(digits) else {
        return false;
    };
    let side = |at: usize| {
        let bytes = header.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let is_small = |side: Option<u32>| side.is_some_and(|side| side <= MAX_PICTURE);
    is_small(side(16)) && is_small(side(20))
}
