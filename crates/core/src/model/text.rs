//! Makes untrusted text safe to show.
//!
//! Another party chose the name of a program, an argument, a file name or a comment in a capture
//! file, and a terminal or a window obeys some characters instead of showing them. [`mask`] is the
//! one function that makes them visible. All text for people passes through it: tables, the live
//! view, the app, messages and the log. JSON and CSV are data and keep every character, see
//! [`json`](crate::json) and [`csv`](crate::csv).
//!
//! It masks:
//!
//! | characters | why | shown as |
//! |---|---|---|
//! | C0 and DEL | a terminal obeys them | `\x1b`, `\t`, `\n`, `\r` |
//! | C1 | a terminal obeys them, too | `\u{9b}` |
//! | bidirectional controls | the rest of the line changes its order | `\u{202e}` |
//! | zero-width characters, tags, variation selectors, fillers | two names look the same | `\u{200b}` |
//! | line and paragraph separators, blanks other than the usual one | they end a line or look like another | `\u{2028}` |
//! | private and unassigned characters | they have no defined look | `\u{e000}` |
//! | marks that combine with nothing, or many on one letter | they write over their neighbours | `\u{301}` |
//! | bytes that are not UTF-8 | they are no characters | `\xff` |
//!
//! The Unicode tables of the Rust library decide which characters these are. A backslash stays as
//! it is, so that masking twice changes nothing: a name that contains `\x1b` as four plain
//! characters looks like one with an escape character. The data formats distinguish them.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::{self, Write};
use std::path::Path;

/// The number of marks on one letter; no script needs more.
const MAX_MARKS: usize = 4;

/// The longest that one character becomes: `\u{10ffff}`.
pub const MAX_MASKED: usize = 10;

/// Replaces characters that must not be shown with visible forms.
///
/// The width of a column is that of the result.
///
/// ```
/// use flowner_core::text::mask;
///
/// assert_eq!(mask("curl"), "curl");
/// assert_eq!(mask("s\u{1b}[msh\u{1b}[md"), r"s\x1b[msh\x1b[md");
/// assert_eq!(mask("a\u{202e}gpj.exe"), r"a\u{202e}gpj.exe");
/// ```
pub fn mask(text: &str) -> Cow<'_, str> {
    match first_masked(text) {
        None => Cow::Borrowed(text),
        Some(place) => {
            let mut masked = String::with_capacity(text.len() + MAX_MASKED);
            masked.push_str(&text[..place]);
            push_masked(&mut masked, text, place);
            Cow::Owned(masked)
        }
    }
}

/// As [`mask`], for text that may not be UTF-8: invalid bytes become `\xff`.
///
/// On Windows the bytes are those of WTF-8, in which lone surrogates have three.
///
/// ```
/// # #[cfg(unix)] {
/// use std::ffi::OsStr;
/// use std::os::unix::ffi::OsStrExt;
///
/// assert_eq!(flowner_core::text::mask_os(OsStr::from_bytes(b"a\xff")), r"a\xff");
/// # }
/// ```
pub fn mask_os(text: &OsStr) -> Cow<'_, str> {
    if let Some(text) = text.to_str() {
        return mask(text);
    }
    let mut masked = String::new();
    for chunk in text.as_encoded_bytes().utf8_chunks() {
        masked.push_str(&mask(chunk.valid()));
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(masked, "\\x{byte:02x}");
        }
    }
    Cow::Owned(masked)
}

/// As [`mask_os`], of a path.
pub fn mask_path(path: &Path) -> Cow<'_, str> {
    mask_os(path.as_os_str())
}

/// As [`mask`], but keeps line ends, for messages with several lines.
pub fn mask_lines(text: &str) -> Cow<'_, str> {
    if text.split('\n').all(|line| first_masked(line).is_none()) {
        return Cow::Borrowed(text);
    }
    let lines: Vec<_> = text.split('\n').map(mask).collect();
    Cow::Owned(lines.join("\n"))
}

/// Masks a value as it is written.
///
/// ```
/// use flowner_core::text::Masked;
///
/// assert_eq!(format!("[{}]", Masked("a\nb")), r"[a\nb]");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Masked<T>(pub T);

impl<T: fmt::Display> fmt::Display for Masked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask(&self.0.to_string()))
    }
}

/// Whether a character is never shown as it is, in any context.
pub fn is_hidden(character: char) -> bool {
    match character {
        ' '..='~' => false,
        '\0'..='\u{9f}' => true,
        _ => is_invisible(character) || !is_printable(character),
    }
}

/// Characters of Unicode's `Default_Ignorable_Code_Point` that the library classes as letters or
/// marks, and the blank braille pattern: they are invisible, so that different names look the same.
/// (DerivedCoreProperties.txt.)
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2065}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{fffc}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Whether the library prints a character after another in its debug form. It does not print the
/// categories Cc, Cf, Cs, Co, Cn, Zl, Zp and, except the blank, Zs
/// (library/core/src/unicode/printable.py).
fn is_printable(character: char) -> bool {
    let mut buffer = [b'x'; 5];
    let length = character.encode_utf8(&mut buffer[1..]).len();
    // What was encoded behind an `x` is UTF-8.
    let text = std::str::from_utf8(&buffer[..=length]).unwrap_or_default();
    text.escape_debug().nth(1) == Some(character)
}

/// Whether a printable character extends the one before it (`Grapheme_Extend`): the library escapes
/// it if it is alone.
fn is_mark(character: char) -> bool {
    character > '\u{2ff}' && character.escape_debug().next() != Some(character)
}

/// Finds the characters to mask, one after the other.
#[derive(Debug)]
struct Finder {
    /// The number of marks on the last letter; `None` if there is no letter.
    marks: Option<usize>,
}

impl Finder {
    fn is_masked(&mut self, character: char) -> bool {
        if matches!(character, '!'..='~') {
            self.marks = Some(0);
            return false;
        }
        if character == ' ' || is_hidden(character) {
            self.marks = None;
            return character != ' ';
        }
        if !is_mark(character) {
            self.marks = Some(0);
            return false;
        }
        match &mut self.marks {
            Some(marks) if *marks < MAX_MARKS => {
                *marks += 1;
                false
            }
            _ => {
                self.marks = None;
                true
            }
        }
    }
}

/// The position of the first character to mask.
fn first_masked(text: &str) -> Option<usize> {
    // Nearly all text is this.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    let mut finder = Finder { marks: None };
    let mut characters = text.char_indices();
    let found = characters.find(|(_, character)| finder.is_masked(*character));
    found.map(|(place, _)| place)
}

/// Appends the rest of a text from the position of a character to mask.
fn push_masked(masked: &mut String, text: &str, place: usize) {
    let mut finder = Finder { marks: None };
    for character in text[place..].chars() {
        if finder.is_masked(character) {
            push_escape(masked, character);
        } else {
            masked.push(character);
        }
    }
}

fn push_escape(text: &mut String, character: char) {
    let code = u32::from(character);
    // Writing to a string does not fail.
    let _ = match character {
        '\t' => text.write_str("\\t"),
        '\n' => text.write_str("\\n"),
        '\r' => text.write_str("\\r"),
        '\0'..='\u{7f}' => write!(text, "\\x{code:02x}"),
        _ => write!(text, "\\u{{{code:x}}}"),
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn visible_text_stays() {
        for text in [
            "",
            "curl",
            "a b",
            "évil",
            "日本語の名前です",
            "e\u{301}te\u{301}",
            "हिन्दी",
            "ไทยที่นี่",
            "עברית",
            "C:\\Windows\\x.exe",
            "→ · … – ▁█ é ﹏ 🎉",
            "a\u{fffd}b",
        ] {
            assert!(
                matches!(mask(text), Cow::Borrowed(_)),
                "{text:?}: {}",
                mask(text)
            );
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(mask(text), expected);
    }

    #[test]
    fn control_characters_become_visible() {
        check("\0\u{7}\t\n\r\u{1b}\u{7f}", r"\x00\x07\t\n\r\x1b\x7f");
        check("a\u{9b}31mb", r"a\u{9b}31mb");
        check("\u{80}\u{85}\u{9f}", r"\u{80}\u{85}\u{9f}");
        check("a\u{202e}b\u{2066}c", r"a\u{202e}b\u{2066}c");
        check("ls\u{2028}sep\u{2029}", r"ls\u{2028}sep\u{2029}");
        // A mark after an escape does not combine with its bracket.
        check("a\u{200b}\u{301}b", r"a\u{200b}\u{301}b");
        check("\u{301}a", r"\u{301}a");
        check(" \u{301}a", r" \u{301}a");
        check(
            "a\u{301}\u{301}\u{301}\u{301}\u{301}b",
            "a\u{301}\u{301}\u{301}\u{301}\\u{301}b",
        );
    }

    #[test]
    fn everything_that_hides_or_moves_text_is_masked() {
        let ranges = [
            '\0'..='\u{1f}',
            '\u{7f}'..='\u{a0}',
            '\u{ad}'..='\u{ad}',
            '\u{34f}'..='\u{34f}',
            '\u{61c}'..='\u{61c}',
            '\u{115f}'..='\u{1160}',
            '\u{1680}'..='\u{1680}',
            '\u{17b4}'..='\u{17b5}',
            '\u{180b}'..='\u{180f}',
            '\u{2000}'..='\u{200f}',
            '\u{2028}'..='\u{202f}',
            '\u{205f}'..='\u{206f}',
            '\u{2800}'..='\u{2800}',
            '\u{3000}'..='\u{3000}',
            '\u{3164}'..='\u{3164}',
            '\u{e000}'..='\u{f8ff}',
            '\u{fdd0}'..='\u{fdef}',
            '\u{fe00}'..='\u{fe0f}',
            '\u{feff}'..='\u{feff}',
            '\u{ffa0}'..='\u{ffa0}',
            '\u{fff0}'..='\u{fffc}',
            '\u{fffe}'..='\u{ffff}',
            '\u{1d173}'..='\u{1d17a}',
            '\u{e0000}'..='\u{e0fff}',
            '\u{f0000}'..='\u{10ffff}',
        ];
        for character in ranges.into_iter().flatten() {
            assert!(is_hidden(character), "{character:?}");
            let text = format!("a{character}b");
            let masked = mask(&text);
            assert!(!masked.contains(character), "{character:?}");
            assert!(
                masked.starts_with("a\\") && masked.ends_with('b'),
                "{masked}"
            );
            assert!(masked.len() <= 2 + MAX_MASKED, "{masked}");
        }
    }

    #[test]
    fn lines_of_a_message_stay() {
        assert_eq!(mask_lines("a\nb"), "a\nb");
        assert_eq!(mask_lines("a\u{1b}\nb\r\n"), "a\\x1b\nb\\r\n");
    }

    #[cfg(unix)]
    #[test]
    fn invalid_bytes_become_visible() {
        use std::os::unix::ffi::OsStrExt;

        let masked = |bytes| mask_os(OsStr::from_bytes(bytes));
        assert_eq!(masked(b"raw\xff\xfe\x1b\xc3\xa9"), "raw\\xff\\xfe\\x1bé");
        // The character U+00FF is not that byte.
        assert_eq!(masked("ÿ".as_bytes()), "ÿ");
        // A character that is cut.
        assert_eq!(masked(b"n\xc3"), "n\\xc3");
        assert_eq!(mask_path(Path::new("/a\nb")), "/a\\nb");
    }

    /// Text with many of the characters that matter.
    fn any_text() -> impl Strategy<Value = String> {
        let odd = prop::sample::select(vec![
            '\u{1b}',
            '\u{9b}',
            '\u{7f}',
            '\n',
            '\u{202e}',
            '\u{200d}',
            '\u{feff}',
            '\u{301}',
            '\u{fe0f}',
            '\u{e0041}',
            '\\',
            ' ',
            'e',
            '\u{1f469}',
            '\u{fffd}',
        ]);
        prop::collection::vec(prop_oneof![any::<char>(), odd], 0..40)
            .prop_map(|characters| characters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn nothing_hidden_comes_through(text in any_text()) {
            let masked = mask(&text);
            prop_assert!(!masked.chars().any(is_hidden), "{masked:?}");
            // It is not longer than it may be, and what is visible stays in its order.
            prop_assert!(masked.chars().count() <= text.chars().count() * MAX_MASKED);
            let mut rest = masked.chars();
            for shown in text.chars().filter(|it| !is_hidden(*it) && !is_mark(*it)) {
                prop_assert!(rest.any(|it| it == shown), "{masked:?}");
            }
            // Masked again, it looks the same.
            prop_assert_eq!(mask(&masked), &*masked);
            // No line of a message is lost or made.
            prop_assert_eq!(mask_lines(&text).matches('\n').count(), text.matches('\n').count());
            prop_assert!(!mask_lines(&text).chars().any(|it| it != '\n' && is_hidden(it)));
        }

        #[cfg(unix)]
        #[test]
        fn no_byte_is_lost(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            use std::os::unix::ffi::OsStrExt;

            let masked = mask_os(OsStr::from_bytes(&bytes));
            prop_assert!(!masked.chars().any(is_hidden), "{masked:?}");
            let had_one = bytes.windows(3).any(|it| it == b"\xef\xbf\xbd");
            let has_one = masked.contains(char::REPLACEMENT_CHARACTER);
            prop_assert!(!has_one || had_one);
        }
    }
}
