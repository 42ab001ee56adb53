//! The width of a text on a terminal.

use unicode_width::UnicodeWidthChar;

/// The bytes of a text that fit into `columns` columns of a terminal.
pub(crate) fn fitting(text: &str, columns: usize) -> usize {
    let mut used = 0;
    let beyond = text.char_indices().find(|(_, character)| {
        used += character.width().unwrap_or(0);
        used > columns
    });
    beyond.map_or(text.len(), |(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_fit_whole() {
        assert_eq!(fitting("日本", 3), "日".len());
        assert_eq!(fitting("日本", 4), "日本".len());
        assert_eq!(fitting("ab", 0), 0);
        assert_eq!(fitting("", 2), 0);
    }
}
