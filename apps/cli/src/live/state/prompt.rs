//! The input line for a filter.

use flowner_core::{Filter, FilterError};

use super::{Message, Motion};

/// A filter during input.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prompt {
    text: String,
    /// In bytes, on a character boundary.
    cursor: usize,
    /// Its error.
    pub(crate) error: Option<FilterError>,
    /// The filter that was active before.
    pub(super) before: String,
}

impl Prompt {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            cursor: text.len(),
            error: None,
            before: text.to_owned(),
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text before the cursor.
    pub(crate) fn before_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Changes text or cursor. Returns whether the text has changed.
    pub(super) fn edit(&mut self, message: &Message) -> bool {
        let length = self.text.len();
        match message {
            Message::Typed(text) => {
                let text: String = text.chars().filter(|c| !c.is_control()).collect();
                self.text.insert_str(self.cursor, &text);
                self.cursor += text.len();
            }
            Message::Erase => self.erase(self.previous()),
            Message::EraseNext => {
                let next = self.next();
                self.text.drain(self.cursor..next);
            }
            Message::EraseWord => self.erase(self.word()),
            Message::EraseLine => self.erase(0),
            Message::Move(Motion::Left) => self.cursor = self.previous(),
            Message::Move(Motion::Right) => self.cursor = self.next(),
            Message::Move(Motion::First) => self.cursor = 0,
            Message::Move(Motion::Last) => self.cursor = length,
            _ => {}
        }
        let changed = self.text.len() != length;
        if changed {
            self.error = Filter::parse(&self.text).err();
        }
        changed
    }

    fn erase(&mut self, from: usize) {
        self.text.drain(from..self.cursor);
        self.cursor = from;
    }

    fn previous(&self) -> usize {
        let last = self.before_cursor().char_indices().next_back();
        last.map_or(0, |(place, _)| place)
    }

    fn next(&self) -> usize {
        let next = self.text[self.cursor..].chars().next();
        self.cursor + next.map_or(0, char::len_utf8)
    }

    /// The beginning of the word before the cursor.
    fn word(&self) -> usize {
        let trimmed = self.before_cursor().trim_end();
        trimmed.rfind(' ').map_or(0, |blank| blank + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Message {
        Message::Typed(text.to_owned())
    }

    /// The text with `|` at the cursor.
    #[track_caller]
    fn check(edits: &[Message], expected: &str) {
        let mut prompt = Prompt::new("");
        for edit in edits {
            prompt.edit(edit);
        }
        let rest = &prompt.text[prompt.cursor..];
        assert_eq!(format!("{}|{rest}", prompt.before_cursor()), expected);
    }

    #[test]
    fn text_is_edited() {
        let left = || Message::Move(Motion::Left);
        check(&[typed("pört"), left(), left(), Message::Erase], "p|rt");
        check(
            &[
                typed("äb"),
                Message::Move(Motion::First),
                Message::EraseNext,
            ],
            "|b",
        );
        check(&[typed("a bc "), Message::EraseWord], "a |");
        check(
            &[typed("a bc"), Message::EraseLine, Message::Erase, left()],
            "|",
        );
        check(&[typed("a\nb"), Message::Move(Motion::Right)], "ab|");
    }

    #[test]
    fn the_place_of_an_error_is_known() {
        let mut prompt = Prompt::new("");
        prompt.edit(&typed("port:44 prot:tcp"));
        assert_eq!(prompt.error.as_ref().unwrap().span, 8..12);
        prompt.edit(&Message::EraseWord);
        assert!(prompt.error.is_none());
    }
}
