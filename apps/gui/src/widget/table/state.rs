//! Where a table is scrolled to.

use std::cell::RefCell;
use std::time::Instant;

use super::metrics::PADDING;
use crate::theme::measure::ROW;

/// How far from its old place a row is looked for when the rows have changed.
const NEAR: usize = 400;

#[derive(Debug, Default)]
pub(super) struct State {
    /// The left edge and width of each column.
    pub(super) columns: Vec<(f32, f32)>,
    /// How far it is scrolled, in rows. `f64`, because there may be millions. Rows are only
    /// ever shown whole: what is cut costs the renderer a mask for each text.
    top: f64,
    /// How far it is scrolled to the right, in pixels.
    pub(super) left: f32,
    rows: usize,
    height: f32,
    /// The key of the first visible row, unless that is the first of all.
    anchor: Option<u64>,
    /// The row that was selected.
    selected: Option<u64>,
    pub(super) grabbed: Option<Grabbed>,
    shown: u64,
    shade: bool,
    /// Whether the wheel scrolls sideways.
    pub(super) is_sideways: bool,
    pub(super) last_click: Option<Click>,
    /// The keys of the rows that were drawn last, from the top: the user who clicks saw these.
    drawn: RefCell<Vec<u64>>,
    pub(super) fitter: crate::widget::fit::Fitter,
}

/// A press on a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Click {
    /// Of the row.
    pub(super) key: u64,
    /// Its line on the screen.
    pub(super) line: usize,
    pub(super) at: Instant,
}

/// What the pointer holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Grabbed {
    /// The handle of the scroll bar, at this distance from its upper end.
    Handle(f32),
    /// The handle below, at this distance from its left end.
    LowerHandle(f32),
    /// The head of a column, pressed at this place.
    Head { column: usize, at: f32 },
}

impl State {
    /// Takes the current rows: stays with the visible ones, unless it was at the beginning, and scrolls to
    /// a new selection.
    pub(super) fn follow(
        &mut self,
        rows: usize,
        height: f32,
        selected: Option<usize>,
        key: impl Fn(usize) -> u64,
    ) {
        self.rows = rows;
        self.height = height;
        if let Some(anchor) = self.anchor {
            let at = self.first();
            if let Some(found) = near(at, rows, |row| key(row) == anchor) {
                self.top += to_f64(found) - to_f64(at);
            }
        }
        let selected_key = selected.map(&key);
        if let (Some(row), true) = (selected, selected_key != self.selected) {
            self.reveal(row);
        }
        self.selected = selected_key;
        self.scroll_to(self.top);
        let first = self.first();
        self.anchor = (self.top > 0.0 && first < rows).then(|| key(first));
    }

    /// Scrolls; the anchor is chosen anew with the next layout.
    pub(super) fn scroll_to(&mut self, top: f64) {
        self.top = top.clamp(0.0, self.last_top());
        self.anchor = None;
    }

    pub(super) fn scroll_by(&mut self, pixels: f32) {
        self.scroll_to(self.top - f64::from(pixels / ROW));
    }

    pub(super) fn scroll_sideways(&mut self, pixels: f32, room: f32) {
        self.left = (self.left - pixels).clamp(0.0, (self.width() - room).max(0.0));
    }

    fn reveal(&mut self, row: usize) {
        let row = to_f64(row);
        let seen = to_f64(self.capacity());
        if row < self.top {
            self.top = row;
        } else if row + 1.0 > self.top + seen {
            self.top = row + 1.0 - seen;
        }
    }

    fn last_top(&self) -> f64 {
        to_f64(self.rows.saturating_sub(self.capacity()))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 0 and the number of rows"
    )]
    pub(super) fn first(&self) -> usize {
        self.top.floor() as usize
    }

    /// How many rows there is room for.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a window is not that high"
    )]
    fn capacity(&self) -> usize {
        (self.height / ROW).floor().max(1.0) as usize
    }

    /// The visible rows, with the upper edge of each.
    pub(super) fn seen(&self) -> impl Iterator<Item = (usize, f32)> + use<> {
        let first = self.first();
        let last = self.rows.min(first + self.capacity());
        (first..last).zip((0..).map(|place: u16| f32::from(place) * ROW))
    }

    /// Takes note of the rows that are drawn.
    pub(super) fn note_drawn(&self, key: impl Fn(usize) -> u64) {
        let mut drawn = self.drawn.borrow_mut();
        drawn.clear();
        drawn.extend(self.seen().map(|(row, _)| key(row)));
    }

    /// The row under a click at a distance below the head, and its line on the screen: the row that was
    /// drawn there, wherever it is by now. `None` if that row is gone.
    pub(super) fn meant_at(&self, y: f32, key: impl Fn(usize) -> u64) -> Option<(usize, usize)> {
        let row = self.row_at(y);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a window is not that high, and it is below the head"
        )]
        let line = (y / ROW) as usize;
        let drawn = self.drawn.borrow();
        if drawn.is_empty() {
            return Some((row?, line));
        }
        let meant = *drawn.get(line)?;
        Some((self.row_of(meant, row.unwrap_or(line), key)?, line))
    }

    /// The row with this key, looked for from a place on.
    pub(super) fn row_of(
        &self,
        meant: u64,
        from: usize,
        key: impl Fn(usize) -> u64,
    ) -> Option<usize> {
        near(from, self.rows, |row| key(row) == meant)
    }

    /// Takes note of what is shown; see [`shade`](Self::shade).
    pub(super) fn note(&mut self, shown: u64) {
        if self.shown != shown {
            self.shown = shown;
            self.shade = !self.shade;
        }
    }

    /// Changes whenever the table shows something else.
    pub(super) const fn shade(&self) -> bool {
        self.shade
    }

    /// The row at a distance below the head.
    pub(super) fn row_at(&self, y: f32) -> Option<usize> {
        let mut seen = self.seen();
        seen.find(|(_, top)| (*top..*top + ROW).contains(&y))
            .map(|(row, _)| row)
    }

    /// The column at a distance from the left edge.
    pub(super) fn column_at(&self, x: f32) -> Option<usize> {
        let x = x + self.left;
        let is_there = |(left, width): &(f32, f32)| (*left..left + width).contains(&x);
        self.columns.iter().position(is_there)
    }

    /// The columns that are within a table of this width: whole, as half a word says
    /// nothing.
    pub(super) fn seen_columns(&self, width: f32) -> impl Iterator<Item = usize> + use<'_> {
        const SLACK: f32 = 10.0;
        let seen = self.left - SLACK..self.left + width + SLACK;
        let columns = self.columns.iter().enumerate();
        columns
            .filter(move |(_, (left, width))| {
                *width > 0.0 && *left >= seen.start && left + width <= seen.end
            })
            .map(|(place, _)| place)
    }

    /// Where the lower handle begins and how long it is, if not all columns fit.
    pub(super) fn lower_handle(&self, room: f32) -> Option<(f32, f32)> {
        let width = self.width();
        if width <= room {
            return None;
        }
        let length = (room * room / width).max(28.0);
        Some((self.left / (width - room) * (room - length), length))
    }

    /// Scrolls so that the lower handle begins here.
    pub(super) fn drag_lower_handle(&mut self, place: f32, room: f32) {
        if let Some((_, length)) = self.lower_handle(room) {
            let share = (place / (room - length).max(1.0)).clamp(0.0, 1.0);
            self.left = (share * (self.width() - room)).max(0.0);
        }
    }

    /// How wide all columns are, without the padding of the last.
    fn width(&self) -> f32 {
        let last = self.columns.last();
        last.map_or(0.0, |(left, width)| left + width - PADDING)
    }

    /// Where the handle of the scroll bar begins, and how long it is.
    #[expect(clippy::cast_possible_truncation, reason = "they are pixels")]
    pub(super) fn handle(&self) -> Option<(f32, f32)> {
        let last = self.last_top();
        if last <= 0.0 {
            return None;
        }
        let seen = to_f64(self.capacity()) / to_f64(self.rows);
        let length = (self.height * seen as f32).max(28.0).min(self.height);
        let place = (self.top / last) as f32 * (self.height - length);
        Some((place, length))
    }

    /// Scrolls so that the handle begins here.
    pub(super) fn drag_handle(&mut self, place: f32) {
        if let Some((_, length)) = self.handle() {
            let room = (self.height - length).max(1.0);
            self.scroll_to(f64::from(place / room) * self.last_top());
        }
    }
}

/// The row nearest to a place that is it.
fn near(at: usize, rows: usize, is_it: impl Fn(usize) -> bool) -> Option<usize> {
    (0..NEAR).find_map(|far| {
        let below = Some(at + far).filter(|row| *row < rows && is_it(*row));
        below.or_else(|| at.checked_sub(far).filter(|row| *row < rows && is_it(*row)))
    })
}

#[expect(clippy::cast_precision_loss, reason = "less than 2^53 rows")]
const fn to_f64(rows: usize) -> f64 {
    rows as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rows: &[u64], state: &mut State, selected: Option<usize>) {
        state.follow(rows.len(), 4.0 * ROW, selected, |row| rows[row]);
    }

    #[test]
    fn it_stays_with_the_rows_that_are_seen() {
        let mut state = State::default();
        let rows: Vec<u64> = (0..100).collect();
        at(&rows, &mut state, None);
        state.scroll_to(10.0);
        at(&rows, &mut state, None);
        let more: Vec<u64> = (200..203).chain(0..100).collect();
        at(&more, &mut state, None);
        assert_eq!(more[state.first()], 10);
        at(&rows[5..], &mut state, None);
        assert_eq!(rows[5..][state.first()], 10);
    }

    #[test]
    fn at_the_beginning_it_shows_what_comes() {
        let mut state = State::default();
        let rows: Vec<u64> = (0..100).collect();
        at(&rows, &mut state, None);
        let more: Vec<u64> = (200..203).chain(0..100).collect();
        at(&more, &mut state, None);
        assert_eq!(more[state.first()], 200);
    }

    #[test]
    fn a_selection_is_brought_into_sight_once() {
        let mut state = State::default();
        let rows: Vec<u64> = (0..100).collect();
        at(&rows, &mut state, Some(50));
        assert_eq!(state.first(), 47);
        state.scroll_to(0.0);
        at(&rows, &mut state, Some(50));
        assert_eq!(state.first(), 0);
        at(&rows, &mut state, Some(49));
        assert_eq!(state.first(), 46);
    }

    #[test]
    fn a_press_is_for_the_row_that_was_drawn() {
        let mut state = State::default();
        let rows: Vec<u64> = (0..9).collect();
        at(&rows, &mut state, None);
        state.note_drawn(|row| rows[row]);
        // Others come before it is pressed, and before that is drawn.
        let changed = [7, 1, 0, 8, 2];
        at(&changed, &mut state, None);
        let pressed = |y: f32| state.meant_at(y, |row| changed[row]);
        assert_eq!(pressed(0.5 * ROW), Some((2, 0)));
        assert_eq!(pressed(1.5 * ROW), Some((1, 1)));
        assert_eq!(pressed(2.5 * ROW), Some((4, 2)));
        // It is gone.
        assert_eq!(pressed(3.5 * ROW), None);
    }

    #[test]
    fn it_never_shows_what_is_not_there() {
        let mut state = State::default();
        let rows: Vec<u64> = (0..100).collect();
        at(&rows, &mut state, None);
        state.scroll_to(f64::MAX);
        assert_eq!(state.first(), 96);
        at(&rows[..3], &mut state, None);
        assert_eq!(
            state.seen().map(|(row, _)| row).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        assert_eq!(state.handle(), None);
        at(&[], &mut state, None);
        assert_eq!(state.seen().count(), 0);
    }
}
