//! A value as a line of JSON.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::model::text::is_hidden;

/// Writes a value as one line of JSON, with the line end.
///
/// Beside the escapes of JSON, this writes C0, DEL and C1, bidirectional controls, zero-width
/// characters, line separators and all else that [`text::mask`](crate::text::mask) makes visible as
/// `\uHHHH`; beyond U+FFFF as a pair of surrogates (RFC 8259, section 7). A parser returns exactly
/// the same text.
///
/// ```
/// let mut out = Vec::new();
/// flowner_core::json::write_line(&mut out, &"a\u{9b}b\u{202e}")?;
/// assert_eq!(out, b"\"a\\u009bb\\u202e\"\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// The errors of the output.
pub fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, Visible))?;
    out.write_all(b"\n")
}

/// Compact, with all invisible characters escaped.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        // Nearly all text is this; C0 characters are not in fragments.
        if fragment.is_ascii() && !fragment.contains('\u{7f}') {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((place, hidden)) = rest.char_indices().find(|(_, it)| is_hidden(*it)) {
            writer.write_all(&rest.as_bytes()[..place])?;
            let mut units = [0; 2];
            for unit in hidden.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[place + hidden.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str) -> String {
        let mut out = Vec::new();
        write_line(&mut out, &text).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn invisible_characters_are_escaped() {
        assert_eq!(
            line("a\u{1b}\u{7f}\u{85}\u{2028}"),
            "\"a\\u001b\\u007f\\u0085\\u2028\"\n"
        );
        assert_eq!(line("\u{e0041}x"), "\"\\udb40\\udc41x\"\n");
        assert_eq!(line("é日\"\\"), "\"é日\\\"\\\\\"\n");
    }

    proptest! {
        #[test]
        fn a_parser_gives_the_same(text in any::<String>()) {
            let line = line(&text);
            let shown = line.strip_suffix('\n').unwrap_or_default();
            prop_assert!(!shown.chars().any(is_hidden));
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap_or_default(), text);
        }
    }
}
