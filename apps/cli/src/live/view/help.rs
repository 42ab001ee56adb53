//! The help: every key.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Block, Clear, Widget};

use super::theme::Theme;
use super::{line, put};

const KEYS: [(&str, &str); 20] = [
    ("q Ctrl-C", "quit"),
    ("Tab 1-4", "other tabs"),
    ("↑ ↓ j k", "select a row"),
    ("Enter", "open a row, or its details"),
    ("→ ←", "open, close"),
    ("*", "open or close all"),
    ("/", "filter, such as port:443"),
    ("Esc", "back to everything"),
    ("s S < >", "sort by the next column"),
    ("r", "reverse the order"),
    ("d", "details, evidence"),
    ("f", "freeze the row at the top"),
    ("n", "names or addresses"),
    ("p", "pause"),
    ("g G", "first row, last row"),
    ("PgUp PgDn", "a page up, down"),
    ("Ctrl-L", "draw anew"),
    ("Ctrl-Z", "suspend"),
    ("mouse", "with --mouse: click, wheel"),
    ("", "UP, DOWN: bytes/s over 5 s"),
];

const WIDTH: u16 = 44;

/// Draws the keys from `first` on, or the last ones that fit.
pub(super) fn draw(buffer: &mut Buffer, screen: Rect, first: u16, theme: Theme) {
    let all = u16::try_from(KEYS.len()).unwrap_or(0);
    let width = WIDTH.min(screen.width);
    let height = (all + 2).min(screen.height);
    let area = Rect {
        x: (screen.width - width) / 2,
        y: (screen.height - height) / 2,
        width,
        height,
    };
    Clear.render(area, buffer);
    let mut block = Block::bordered().title(" Keys ").title_style(theme.name());
    let inner = block.inner(area);
    let last = all.saturating_sub(inner.height);
    if last > 0 {
        block = block.title_bottom(" ↓ shows more ");
    }
    block.render(area, buffer);
    let keys = KEYS.iter().skip(usize::from(first.min(last)));
    for (number, (key, meaning)) in (0..inner.height).zip(keys) {
        let row = line(inner, number);
        put(buffer, row, row.x + 1, key, theme.strong());
        put(buffer, row, row.x + 12, meaning, Style::new());
    }
}
