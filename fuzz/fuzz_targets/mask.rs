//! Any bytes as text from another program: no control characters or invisible characters pass, and
//! visible text stays as it is.

#![no_main]

use flowner_core::text::{MAX_MASKED, is_hidden, mask, mask_lines};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let masked = mask(&text);
    assert!(!masked.chars().any(is_hidden), "{masked:?}");
    assert_eq!(mask(&masked), masked);
    assert!(masked.chars().count() <= MAX_MASKED * text.chars().count());
    // What is visible stays, in its order: the rest is escapes of what is not.
    let mut rest = &*masked;
    for character in text.chars() {
        if let Some(after) = rest.strip_prefix(character) {
            rest = after;
            continue;
        }
        let escape = [
            format!("\\x{:02x}", u32::from(character)),
            format!("\\u{{{:x}}}", u32::from(character)),
            character.escape_debug().to_string(),
        ];
        let shown = escape.iter().find_map(|escape| rest.strip_prefix(&**escape));
        rest = shown.unwrap_or_else(|| panic!("{text:?} became {masked:?}"));
        assert!(!(' '..='~').contains(&character), "{text:?} became {masked:?}");
    }
    assert_eq!(rest, "");
    let lines = mask_lines(&text);
    assert!(lines.chars().all(|it| it == '\n' || !is_hidden(it)));
    assert_eq!(lines.matches('\n').count(), text.matches('\n').count());
    same_bytes(data);
});

/// As of a name that need not be UTF-8.
#[cfg(unix)]
fn same_bytes(data: &[u8]) {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let masked = flowner_core::text::mask_os(OsStr::from_bytes(data));
    assert!(!masked.chars().any(is_hidden), "{masked:?}");
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(masked, mask(text));
    }
}

#[cfg(not(unix))]
fn same_bytes(_: &[u8]) {}
