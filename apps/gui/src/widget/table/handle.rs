//! What the pointer does to a table.

use std::time::{Duration, Instant};

use iced::advanced::{Shell, mouse};
use iced::{Event, Point, Rectangle, keyboard};

use super::Table;
use super::metrics::SCROLL_BAR;
use super::state::{Click, Grabbed, State};
use crate::theme::measure::ROW;

/// Within which two clicks are one.
const DOUBLE_CLICK: Duration = Duration::from_millis(400);
/// How far a head is dragged before it is more than a click.
const DRAG: f32 = 8.0;
/// Rows that one step of a wheel scrolls.
const STEP: f32 = 3.0;

/// Where the pointer is.
pub(super) enum Place {
    Head(f32),
    Body(Point),
    ScrollBar(f32),
    LowerScrollBar(f32),
}

impl<Message> Table<'_, Message> {
    pub(super) fn handle(
        &mut self,
        state: &mut State,
        event: &Event,
        bounds: Rectangle,
        cursor: mouse::Cursor,
        shell: &mut Shell<'_, Message>,
    ) {
        let event = match event {
            Event::Mouse(event) => event,
            Event::Keyboard(keyboard::Event::ModifiersChanged(modifiers)) => {
                state.is_sideways = modifiers.shift();
                return;
            }
            _ => return,
        };
        let place = cursor
            .position_in(bounds)
            .map(|at| self.place(state, at, bounds));
        match (event, place) {
            (mouse::Event::WheelScrolled { delta }, Some(_)) => {
                let (x, y) = match *delta {
                    mouse::ScrollDelta::Lines { x, y } => (x * STEP * ROW, y * STEP * ROW),
                    mouse::ScrollDelta::Pixels { x, y } => (x, y),
                };
                if state.is_sideways {
                    state.scroll_sideways(x + y, bounds.width);
                } else {
                    state.scroll_by(y);
                    state.scroll_sideways(x, bounds.width);
                }
                shell.capture_event();
                shell.invalidate_layout();
                shell.request_redraw();
            }
            (mouse::Event::ButtonPressed(mouse::Button::Left), Some(place)) => {
                self.press(state, &place, bounds.width, shell);
                shell.request_redraw();
            }
            (mouse::Event::ButtonPressed(mouse::Button::Right), Some(Place::Body(at))) => {
                let meant = state.meant_at(at.y, |row| self.row_key(row));
                let cell = meant.zip(state.column_at(at.x));
                if let (Some(((row, _), column)), Some(on)) = (cell, &self.on.copy) {
                    shell.publish(on((self.cell)(row, column).content()));
                    shell.capture_event();
                }
            }
            (mouse::Event::ButtonReleased(mouse::Button::Left), _) => {
                let grabbed = state.grabbed.take();
                if let Some(Grabbed::Head { column, at }) = grabbed {
                    let to = cursor.position().map(|to| to.x - bounds.x);
                    self.release_head(state, column, at, to, shell);
                    shell.request_redraw();
                }
            }
            (mouse::Event::CursorMoved { .. }, place) => {
                match (state.grabbed, cursor.position()) {
                    (Some(Grabbed::Handle(offset)), Some(at)) => {
                        state.drag_handle(at.y - bounds.y - self.head_height() - offset);
                        shell.invalidate_layout();
                    }
                    (Some(Grabbed::LowerHandle(offset)), Some(at)) => {
                        state.drag_lower_handle(at.x - bounds.x - offset, bounds.width);
                    }
                    _ => {}
                }
                if place.is_some() || state.grabbed.is_some() {
                    shell.request_redraw();
                }
            }
            (mouse::Event::CursorLeft, _) => shell.request_redraw(),
            _ => {}
        }
    }

    pub(super) fn place(&self, state: &State, at: Point, bounds: Rectangle) -> Place {
        let below_head = at.y - self.head_height();
        if below_head < 0.0 {
            Place::Head(at.x)
        } else if at.x > bounds.width - SCROLL_BAR && state.handle().is_some() {
            Place::ScrollBar(below_head)
        } else if at.y > bounds.height - SCROLL_BAR && state.lower_handle(bounds.width).is_some() {
            Place::LowerScrollBar(at.x)
        } else {
            Place::Body(Point::new(at.x, below_head))
        }
    }

    fn press(&self, state: &mut State, place: &Place, room: f32, shell: &mut Shell<'_, Message>) {
        match *place {
            Place::Head(x) => {
                if let Some(column) = state.column_at(x) {
                    state.grabbed = Some(Grabbed::Head { column, at: x });
                    shell.capture_event();
                }
            }
            Place::ScrollBar(y) => {
                let Some((top, length)) = state.handle() else {
                    return;
                };
                let is_on_it = (top..top + length).contains(&y);
                let offset = if is_on_it { y - top } else { length / 2.0 };
                state.grabbed = Some(Grabbed::Handle(offset));
                state.drag_handle(y - offset);
                shell.invalidate_layout();
                shell.capture_event();
            }
            Place::LowerScrollBar(x) => {
                let Some((left, length)) = state.lower_handle(room) else {
                    return;
                };
                let is_on_it = (left..left + length).contains(&x);
                let offset = if is_on_it { x - left } else { length / 2.0 };
                state.grabbed = Some(Grabbed::LowerHandle(offset));
                state.drag_lower_handle(x - offset, room);
                shell.capture_event();
            }
            Place::Body(at) => {
                if let Some((row, line)) = state.meant_at(at.y, |row| self.row_key(row)) {
                    let column = state.column_at(at.x).unwrap_or(0);
                    self.click(state, row, column, line, shell);
                }
            }
        }
    }

    fn click(
        &self,
        state: &mut State,
        row: usize,
        column: usize,
        line: usize,
        shell: &mut Shell<'_, Message>,
    ) {
        let click = Click {
            key: self.row_key(row),
            line,
            at: Instant::now(),
        };
        // The second of two clicks at one place is for the row of the first, even when
        // another one has come to that place in between.
        let first = state.last_click.replace(click).filter(|first| {
            let is_there = first.key == click.key || first.line == line;
            is_there && click.at - first.at < DOUBLE_CLICK
        });
        let message = match (first, &self.on.activate, &self.on.select) {
            (Some(first), Some(activate), _) => {
                let row = state.row_of(first.key, row, |row| self.row_key(row));
                let Some(row) = row else { return };
                activate(row)
            }
            (_, _, Some(select)) => select(row, column),
            _ => return,
        };
        shell.publish(message);
        shell.capture_event();
    }

    fn release_head(
        &self,
        state: &State,
        column: usize,
        from: f32,
        to: Option<f32>,
        shell: &mut Shell<'_, Message>,
    ) {
        let dragged = to.filter(|to| (to - from).abs() > DRAG);
        let target = dragged.and_then(|to| state.column_at(to));
        match (target, &self.on.reorder, &self.on.sort) {
            (Some(target), Some(on), _) if target != column => shell.publish(on(column, target)),
            (_, _, Some(on)) => shell.publish(on(column)),
            _ => {}
        }
    }

    pub(super) fn interaction(
        &self,
        state: &State,
        bounds: Rectangle,
        cursor: mouse::Cursor,
    ) -> mouse::Interaction {
        let place = cursor
            .position_in(bounds)
            .map(|at| self.place(state, at, bounds));
        match place {
            _ if matches!(state.grabbed, Some(Grabbed::Head { .. })) => {
                mouse::Interaction::Grabbing
            }
            Some(Place::Head(x)) if self.on.sort.is_some() && state.column_at(x).is_some() => {
                mouse::Interaction::Pointer
            }
            Some(Place::Body(at)) if self.on.select.is_some() && state.row_at(at.y).is_some() => {
                mouse::Interaction::Pointer
            }
            _ => mouse::Interaction::None,
        }
    }
}
