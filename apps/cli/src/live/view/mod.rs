//! Draws the screen from the state, without changing it.

mod cells;
mod details;
mod footer;
mod heading;
mod help;
mod table;
mod theme;

use flowner_core::text::mask;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::state::State;
pub(crate) use theme::Theme;

/// Draws everything.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, theme: Theme) {
    // Until the terminal has reported its new size, this leaves out what does not fit.
    let screen = frame.area();
    let mut areas = state.areas();
    for area in [
        &mut areas.heading,
        &mut areas.tabs,
        &mut areas.notice,
        &mut areas.titles,
        &mut areas.frozen,
        &mut areas.rows,
        &mut areas.details,
        &mut areas.footer,
    ] {
        *area = area.intersection(screen);
    }
    let buffer = frame.buffer_mut();
    heading::draw(buffer, &areas, state, theme);
    table::draw(buffer, &areas, state, theme);
    if !areas.details.is_empty() {
        details::draw(buffer, areas.details, state, theme);
    }
    let cursor = footer::draw(buffer, areas.footer, state, theme);
    if let Some(first) = state.help {
        help::draw(buffer, screen, first, theme);
    } else if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
}

/// Writes text from the left, and returns where it ended.
fn put(buffer: &mut Buffer, area: Rect, x: u16, text: &str, style: Style) -> u16 {
    if area.is_empty() || x >= area.right() {
        return x;
    }
    let width = usize::from(area.right() - x);
    // The buffer would drop control characters, and two names would look the same.
    buffer.set_stringn(x, area.y, mask(text), width, style).0
}

/// Writes text that ends at the right edge, if it fits after `after`.
fn put_right(buffer: &mut Buffer, area: Rect, after: u16, text: &str, style: Style) {
    use unicode_width::UnicodeWidthStr;

    let text = &*mask(text);
    let width = u16::try_from(text.width()).unwrap_or(u16::MAX);
    let start = area.right().saturating_sub(width);
    if start > after && !area.is_empty() {
        put(buffer, area, start, text, style);
    }
}

/// One line of an area.
fn line(area: Rect, number: u16) -> Rect {
    Rect {
        y: area.y.saturating_add(number),
        height: u16::from(number < area.height),
        ..area
    }
}

#[cfg(test)]
mod tests;
