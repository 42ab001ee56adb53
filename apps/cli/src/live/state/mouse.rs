//! Handles clicks and the wheel by their position.

use ratatui::layout::{Position, Rect};

use super::State;
use crate::live::columns::{Spec, Tab, places};

impl State {
    /// A click shows a tab, sorts by a column, selects a row, or opens the selected row.
    pub(super) fn click(&mut self, at: Position) {
        let areas = self.areas();
        if areas.tabs.contains(at) {
            if let Some(tab) = self.tab_at(at.x) {
                self.show(tab);
            }
        } else if areas.titles.contains(at) {
            if let Some(spec) = self.title_at(areas.titles, at.x) {
                self.sort_or_reverse(spec);
            }
        } else if let Some(line) = self.line_at(at) {
            self.click_line(line);
        }
    }

    fn click_line(&mut self, line: usize) {
        if self.selected_line() == Some(line) {
            self.toggle();
        } else {
            self.select(line);
        }
    }

    /// Scrolls; the selected row stays visible.
    pub(super) fn scroll(&mut self, lines: isize) {
        let areas = self.areas();
        let (frozen, height) = (areas.frozen.height.into(), usize::from(areas.rows.height));
        let last = self.lines.len().saturating_sub(frozen + height);
        let offset = self.view().offset.saturating_add_signed(lines).min(last);
        self.view_mut().offset = offset;
        let selected = self.selected_line().filter(|line| *line >= frozen);
        if let Some(line) = selected
            && height > 0
        {
            let first = frozen + offset;
            self.select(line.clamp(first, first + height - 1));
        }
    }

    fn has_bytes(&self) -> bool {
        self.data.as_ref().is_none_or(|data| data.has_bytes())
    }

    fn tab_at(&self, x: u16) -> Option<Tab> {
        let mut places = Tab::places(self.has_bytes());
        let place =
            places.find(|(_, place, name)| (*place..place + name.len()).contains(&x.into()));
        place.map(|(tab, ..)| tab)
    }

    fn title_at(&self, titles: Rect, x: u16) -> Option<Spec> {
        let mut columns = places(self.tab, self.has_bytes(), titles);
        let column = columns.find(|(_, place, width)| (*place..place + width).contains(&x));
        column.map(|(spec, ..)| spec)
    }

    /// Remembers the drawn rows, for clicks.
    pub(crate) fn note_drawn(&mut self) {
        let areas = self.areas();
        let rows = [areas.frozen, areas.rows].into_iter().flat_map(Rect::rows);
        let drawn = rows.filter_map(|row| {
            let line = self.place_at(row.as_position())?;
            Some((row.y, self.lines[line].id))
        });
        self.drawn = drawn.collect();
    }

    /// The line of the row that was drawn at a position, wherever it is by now: the user did not
    /// click on a row that came since.
    fn line_at(&self, at: Position) -> Option<usize> {
        if self.drawn.is_empty() {
            return self.place_at(at);
        }
        let areas = self.areas();
        if !areas.frozen.contains(at) && !areas.rows.contains(at) {
            return None;
        }
        let seen = self.drawn.iter().find(|(y, _)| *y == at.y);
        let (_, seen) = seen?;
        self.lines.iter().position(|line| line.id == *seen)
    }

    fn place_at(&self, at: Position) -> Option<usize> {
        let areas = self.areas();
        let line = if areas.frozen.contains(at) {
            usize::from(at.y - areas.frozen.y)
        } else if areas.rows.contains(at) {
            let above = usize::from(areas.frozen.height) + self.view().offset;
            above + usize::from(at.y - areas.rows.y)
        } else {
            return None;
        };
        (line < self.lines.len()).then_some(line)
    }

    fn sort_or_reverse(&mut self, spec: Spec) {
        let view = self.view_mut();
        if view.sort == spec.column {
            view.is_descending = !view.is_descending;
        } else {
            view.sort = spec.column;
            view.is_descending = spec.is_number();
        }
        self.rebuild();
    }
}
