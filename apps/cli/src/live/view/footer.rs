//! The last lines: keys, or the filter during input.

use flowner_core::present::printable;
use flowner_core::text::mask;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use super::theme::Theme;
use super::{cells, line, put};
use crate::live::state::{Prompt, State};

/// Keys, the most important first.
const KEYS: [(&str, &str); 9] = [
    ("q", "quit"),
    ("?", "help"),
    ("/", "filter"),
    ("Tab", "next tab"),
    ("Enter", "open"),
    ("s", "sort"),
    ("d", "details"),
    ("p", "pause"),
    ("f", "freeze"),
];

/// Draws it, and returns the position of the cursor, if there is one.
pub(super) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    state: &State,
    theme: Theme,
) -> Option<Position> {
    if let Some(prompt) = &state.prompt {
        return Some(filter(buffer, area, prompt, theme));
    }
    let mut x = area.x + 1;
    for (key, meaning) in KEYS {
        let width = u16::try_from(key.len() + meaning.len()).unwrap_or(u16::MAX);
        if x + width + 1 >= area.right() {
            break;
        }
        x = put(buffer, area, x, key, theme.strong());
        x = put(buffer, area, x + 1, meaning, theme.faint()) + 2;
    }
    None
}

fn filter(buffer: &mut Buffer, area: Rect, prompt: &Prompt, theme: Theme) -> Position {
    const MARK: u16 = 2;
    let width = usize::from(area.width.saturating_sub(MARK + 1)).max(1);
    let before = mask(prompt.before_cursor());
    // The text scrolls to the left as far as the cursor needs.
    let hidden = before.width().saturating_sub(width);
    let shown = |text: &str| -> String { printable(text).chars().skip(hidden).collect() };
    put(buffer, line(area, 0), area.x + 1, "/", theme.strong());
    put(
        buffer,
        line(area, 0),
        area.x + MARK,
        &shown(prompt.text()),
        theme.strong(),
    );
    let (marks, message) = match &prompt.error {
        None => (
            String::new(),
            "program:curl port:443 proto:udp host:10.0.0.0/8 bytes>1M !dir:loopback".to_owned(),
        ),
        Some(error) => {
            let start = mask(&error.expression[..error.span.start]).width();
            let length = mask(&error.expression[error.span.clone()]).width().max(1);
            let marks = format!("{}{}", " ".repeat(start), "^".repeat(length));
            (marks.chars().skip(hidden).collect(), error.message.clone())
        }
    };
    put(buffer, line(area, 1), area.x + MARK, &marks, theme.error());
    let style = if prompt.error.is_some() {
        theme.error()
    } else {
        theme.faint()
    };
    let message = cells::fit(
        &printable(&message),
        usize::from(area.width.saturating_sub(2)),
        false,
    );
    put(buffer, line(area, 2), area.x + 1, &message, style);
    let cursor = before.width().saturating_sub(hidden);
    Position::new(area.x + MARK + u16::try_from(cursor).unwrap_or(0), area.y)
}
