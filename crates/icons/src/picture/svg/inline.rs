//! Pictures that are written into a document.

/// Pixels of a side of a picture within.
const MAX_PICTURE: u32 = 1_024;

/// `data:image/png;base64,…`, whose header tells a size that icons have.
pub(super) fn is_small_png(link: &str) -> bool {
    let Some(data) = link.strip_prefix("data:image/png;base64,") else {
        return false;
    };
    let header = base64(data, 24);
    // Signature, length and name of the header, width, height.
    let side = |at: usize| {
        let bytes = header.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let is_small = |side: Option<u32>| side.is_some_and(|side| side <= MAX_PICTURE);
    is_small(side(16)) && is_small(side(20))
}

/// The first bytes of what is written in base64 (RFC 4648, 4).
fn base64(text: &str, length: usize) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.bytes().filter_map(digit) {
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count).to_le_bytes()[0]);
            if bytes.len() == length {
                break;
            }
        }
    }
    bytes
}
