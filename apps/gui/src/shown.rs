//! Text as it is shown and copied: what others wrote is masked.
//!
//! Everything that stands in the window comes through here, at the latest where a widget is made
//! of it.

use std::borrow::Cow;

use flowner_core::present::DIGIT_GROUPS;
use flowner_core::text::{mask, mask_lines};

/// A text of one line.
pub fn line(text: &str) -> Cow<'_, str> {
    masked(text, mask)
}

/// A text whose lines stay lines. What others wrote is none: where it is put into several lines, it
/// has to go through [`line()`] before.
pub fn lines(text: &str) -> Cow<'_, str> {
    masked(text, mask_lines)
}

/// What is copied of a table: a line a row, with a tabulator between cells.
pub fn rows(text: &str) -> String {
    let cells = text.split_inclusive(['\t', '\n']).map(|cell| {
        let text = cell.trim_end_matches(['\t', '\n']);
        format!("{}{}", line(text), &cell[text.len()..])
    });
    cells.collect()
}

/// Masks all but what groups digits.
fn masked(text: &str, mask: impl Fn(&str) -> Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains(DIGIT_GROUPS) {
        return mask(text);
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    while let Some(place) = next_group(rest, is_digit) {
        result.push_str(&mask(&rest[..place]));
        result.push(DIGIT_GROUPS);
        rest = &rest[place + DIGIT_GROUPS.len_utf8()..];
    }
    result.push_str(&mask(rest));
    Cow::Owned(result)
}

/// Where the next one is that has digits on both sides.
fn next_group(text: &str, is_digit: impl Fn(Option<char>) -> bool) -> Option<usize> {
    let mut places = text.match_indices(DIGIT_GROUPS);
    let found = places.find(|(place, group)| {
        let after = &text[place + group.len()..];
        is_digit(text[..*place].chars().next_back()) && is_digit(after.chars().next())
    });
    found.map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_masked_and_numbers_are_not() {
        let check = |text: &str, expected: &str| assert_eq!(line(text), expected);
        check("curl", "curl");
        check("a\u{202e}b\nc", r"a\u{202e}b\nc");
        check(
            "1\u{2009}234\u{2009}567 flows",
            "1\u{2009}234\u{2009}567 flows",
        );
        check("a\u{2009}b 1\u{2009}234", "a\\u{2009}b 1\u{2009}234");
        check("\u{2009}", r"\u{2009}");
        check("\u{1b}[1\u{2009}2", "\\x1b[1\u{2009}2");
        assert_eq!(lines("a\n\u{9b}"), "a\n\\u{9b}");
        assert_eq!(rows("a\u{200b}\tb\r\n\tc"), "a\\u{200b}\tb\\r\n\tc");
    }
}
