//! How a table looks.

use iced::advanced::image::{Image, Renderer as _};
use iced::advanced::mouse;
use iced::advanced::renderer::{Quad, Renderer as _};
use iced::advanced::svg::{Renderer as _, Svg};
use iced::advanced::text::{self, Renderer as _, Text};
use iced::advanced::widget::Operation;
use iced::{Color, Font, Pixels, Point, Rectangle, Renderer, Size, alignment, border};

use super::handle::Place;
use super::metrics::{PADDING, SCROLL_BAR};
use super::state::{Grabbed, State};
use super::{Align, Cell, Head, Mark, Table};
use crate::picture::IconImage;
use crate::theme::measure::{HAIRLINE, ICON, ROW};
use crate::theme::{FONT, STRONG, size, space};
use crate::widget::fit::Fitter;

/// A mark before a row.
const MARK: f32 = 3.0;
const SWATCH: f32 = 8.0;
/// The height of a line, in sizes of its text.
const LINE: f32 = 1.3;

impl<Message> Table<'_, Message> {
    pub(super) fn draw_all(
        &self,
        state: &State,
        renderer: &mut Renderer,
        bounds: Rectangle,
        cursor: mouse::Cursor,
    ) {
        let head = self.head_height();
        let body = Rectangle {
            y: bounds.y + head,
            height: bounds.height - head,
            ..bounds
        };
        let place = cursor
            .position_in(bounds)
            .map(|at| self.place(state, at, bounds));
        let hovered = match &place {
            Some(Place::Body(at)) if self.on.select.is_some() => state.row_at(at.y),
            _ => None,
        };
        // Marks stand before the rows, at the edge of what the table is inset from.
        let outside = space::M - self.inset;
        renderer.with_layer(push(body, -outside), |renderer| {
            // The renderer draws only what has changed. When most texts have, it is faster
            // to draw all at once than each by itself: an invisible change of the ground makes it
            // do so.
            let opacity = if state.shade() { 1.0 } else { 0.999 };
            fill(renderer, body, self.colors.ground.scale_alpha(opacity), 0.0);
            state.note_drawn(|row| self.row_key(row));
            for (row, top) in state.seen() {
                let line = Rectangle {
                    y: body.y + top,
                    height: ROW,
                    ..body
                };
                self.draw_ground(renderer, row, line, hovered == Some(row));
                for column in state.seen_columns(bounds.width) {
                    let area = cell_area(state, column, line);
                    self.draw_cell(state, renderer, row, column, area);
                }
            }
        });
        if head > 0.0 {
            self.draw_heads(state, renderer, bounds);
        }
        renderer.with_layer(body, |renderer| {
            self.draw_scroll_bars(state, renderer, body, place.as_ref());
        });
    }

    fn draw_scroll_bars(
        &self,
        state: &State,
        renderer: &mut Renderer,
        body: Rectangle,
        place: Option<&Place>,
    ) {
        let color = |is_held: bool| {
            if is_held {
                self.colors.muted
            } else {
                self.colors.line
            }
        };
        if let Some((top, length)) = state.handle() {
            let is_held = matches!(state.grabbed, Some(Grabbed::Handle(_)))
                || matches!(place, Some(Place::ScrollBar(_)));
            let handle = Rectangle {
                x: body.x + body.width - SCROLL_BAR + 3.0,
                y: body.y + top,
                width: SCROLL_BAR - 5.0,
                height: length,
            };
            fill(renderer, handle, color(is_held), 2.5);
        }
        if let Some((left, length)) = state.lower_handle(body.width) {
            let is_held = matches!(state.grabbed, Some(Grabbed::LowerHandle(_)))
                || matches!(place, Some(Place::LowerScrollBar(_)));
            let handle = Rectangle {
                x: body.x + left,
                y: body.y + body.height - SCROLL_BAR + 3.0,
                width: length,
                height: SCROLL_BAR - 5.0,
            };
            fill(renderer, handle, color(is_held), 2.5);
        }
    }

    fn draw_ground(&self, renderer: &mut Renderer, row: usize, line: Rectangle, is_hovered: bool) {
        let colors = self.colors;
        if self.selected == Some(row) {
            fill(renderer, line, colors.selected, 0.0);
        } else if is_hovered {
            fill(renderer, line, colors.hover, 0.0);
        }
        let mark = Rectangle {
            x: line.x + self.inset - space::M,
            width: MARK,
            ..line.shrink([3.0, 0.0])
        };
        match self.mark_of(row) {
            Mark::New => fill(renderer, mark, colors.good, 1.5),
            Mark::Leaving => fill(renderer, mark, colors.muted, 1.5),
            Mark::None | Mark::Over => {}
        }
    }

    fn mark_of(&self, row: usize) -> Mark {
        self.mark.as_ref().map_or(Mark::None, |mark| mark(row))
    }

    fn draw_cell(
        &self,
        state: &State,
        renderer: &mut Renderer,
        row: usize,
        column: usize,
        area: Rectangle,
    ) {
        let Head { align, unit, .. } = self.heads[column];
        let cell = (self.cell)(row, column);
        let is_over = self.mark_of(row) == Mark::Over;
        let mut area = area;
        if let Some(bar) = cell.bar {
            self.draw_bar(renderer, bar, area);
        }
        if let Some(swatch) = cell.swatch {
            fill(renderer, square(area, SWATCH), swatch, 2.0);
            area = push(area, SWATCH + space::S);
        }
        if let Some(picture) = &cell.picture {
            let place = square(area, ICON);
            let opacity = if is_over { 0.55 } else { 1.0 };
            draw_picture(renderer, picture, place, opacity);
            area = push(area, ICON + space::S);
        }
        if let Some(word) = cell.unit {
            let color = self.colors.muted;
            let beside = push(area, area.width - unit + space::XS);
            let ink = Ink::small(Align::Left, color);
            write(renderer, &state.fitter, word.to_owned(), beside, &ink);
            area.width -= unit;
        }
        let ink = Ink {
            font: if cell.is_strong { STRONG } else { FONT },
            size: size::BODY,
            align,
            color: if is_over {
                self.colors.muted
            } else {
                cell.tone.color(self.colors)
            },
        };
        if let Some((beside, place)) = behind(&cell, &state.fitter, area) {
            let ink = Ink {
                color: self.colors.muted,
                font: FONT,
                ..ink
            };
            write(renderer, &state.fitter, beside.to_owned(), place, &ink);
        }
        let text = if cell.is_name {
            let room = area.width;
            state.fitter.fit_name(&cell.text, ink.font, ink.size, room)
        } else {
            state.fitter.fit(cell.text, ink.font, ink.size, area.width)
        };
        write(renderer, &state.fitter, text, area, &ink);
    }

    fn draw_bar(&self, renderer: &mut Renderer, bar: super::Bar, area: Rectangle) {
        let track = Rectangle {
            y: area.center_y() - 3.0,
            height: 6.0,
            ..area
        };
        fill(renderer, track, self.colors.hover, 3.0);
        let first = (track.width * bar.first.clamp(0.0, 1.0)).round();
        let second = (track.width * bar.second.clamp(0.0, 1.0)).round();
        let part = |x: f32, width: f32| Rectangle {
            x: track.x + x,
            width: width.min(track.width - x),
            ..track
        };
        // What came in is solid, what went out is a tint of it.
        fill(renderer, part(0.0, first), bar.color, 0.0);
        fill(
            renderer,
            part(first, second),
            bar.color.scale_alpha(0.45),
            0.0,
        );
    }

    fn draw_heads(&self, state: &State, renderer: &mut Renderer, bounds: Rectangle) {
        let line = Rectangle {
            height: self.head_height(),
            ..bounds
        };
        renderer.with_layer(line, |renderer| {
            fill(renderer, line, self.colors.ground, 0.0);
            let rule = Rectangle {
                y: line.y + line.height - HAIRLINE,
                height: HAIRLINE,
                ..line
            };
            fill(renderer, rule, self.colors.line, 0.0);
            for column in state.seen_columns(bounds.width) {
                self.draw_head(state, renderer, column, cell_area(state, column, line));
            }
        });
    }

    fn draw_head(&self, state: &State, renderer: &mut Renderer, column: usize, area: Rectangle) {
        let head = &self.heads[column];
        let is_held = matches!(state.grabbed, Some(Grabbed::Head { column: pressed, .. }) if pressed == column);
        let (text, color) = match self.sorted {
            Some((sorted, descending)) if sorted == column => {
                let arrow = if descending { "↓" } else { "↑" };
                (format!("{} {arrow}", head.title), self.colors.text)
            }
            _ => (head.title.to_owned(), self.colors.muted),
        };
        if is_held {
            fill(
                renderer,
                area.expand([0.0, PADDING]),
                self.colors.hover,
                3.0,
            );
        }
        let text = state
            .fitter
            .fit(text, FONT, size::SMALL, area.width + PADDING / 2.0);
        let ink = Ink::small(head.align, color);
        write(renderer, &state.fitter, text, area, &ink);
    }

    /// Reports the visible texts, so that a search can find them.
    pub(super) fn tell_texts(
        &self,
        state: &State,
        bounds: Rectangle,
        operation: &mut dyn Operation,
    ) {
        let head = self.head_height();
        if head > 0.0 {
            let line = Rectangle {
                height: head,
                ..bounds
            };
            for (column, head) in self.heads.iter().enumerate() {
                operation.text(None, cell_area(state, column, line), head.title);
            }
        }
        for (row, top) in state.seen() {
            let line = Rectangle {
                y: bounds.y + head + top,
                height: ROW,
                ..bounds
            };
            if !bounds.contains(line.center()) {
                continue;
            }
            for column in state.seen_columns(bounds.width) {
                let cell = (self.cell)(row, column);
                let area = cell_area(state, column, line);
                operation.text(None, area, &cell.content());
                if let Some((beside, place)) = behind(&cell, &state.fitter, area) {
                    operation.text(None, place, beside);
                }
            }
        }
    }
}

/// What stands behind the text of a cell, and where, if there is room.
fn behind<'a>(cell: &'a Cell, fitter: &Fitter, area: Rectangle) -> Option<(&'a str, Rectangle)> {
    let beside = cell.beside.as_deref()?;
    let font = if cell.is_strong { STRONG } else { FONT };
    let used = fitter.width(&cell.text, font, size::BODY) + space::S;
    let width = fitter.width(beside, FONT, size::BODY);
    (used + width <= area.width).then(|| (beside, push(area, used)))
}

/// The room for the content of a cell.
fn cell_area(state: &State, column: usize, line: Rectangle) -> Rectangle {
    let (left, width) = state.columns.get(column).copied().unwrap_or_default();
    Rectangle {
        x: line.x + left - state.left + PADDING,
        width: (width - 2.0 * PADDING).max(0.0),
        ..line
    }
}

fn push(area: Rectangle, by: f32) -> Rectangle {
    Rectangle {
        x: area.x + by,
        width: (area.width - by).max(0.0),
        ..area
    }
}

fn square(area: Rectangle, side: f32) -> Rectangle {
    let place = Point::new(area.x, area.center_y() - side / 2.0);
    Rectangle::new(place, Size::new(side, side))
}

fn draw_picture(renderer: &mut Renderer, picture: &IconImage, place: Rectangle, opacity: f32) {
    match picture {
        IconImage::Vector(handle) => {
            renderer.draw_svg(Svg::new(handle.clone()).opacity(opacity), place, place);
        }
        IconImage::Pixels(handle) => {
            let image = Image::new(handle.clone()).opacity(opacity);
            renderer.draw_image(image, place, place);
        }
    }
}

fn fill(renderer: &mut Renderer, bounds: Rectangle, color: Color, radius: f32) {
    if bounds.width <= 0.0 || bounds.height <= 0.0 {
        return;
    }
    let quad = Quad {
        bounds,
        border: border::rounded(radius),
        ..Quad::default()
    };
    renderer.fill_quad(quad, color);
}

/// How a text is written.
struct Ink {
    font: Font,
    size: f32,
    align: Align,
    color: Color,
}

impl Ink {
    fn small(align: Align, color: Color) -> Self {
        Self {
            font: FONT,
            size: size::SMALL,
            align,
            color,
        }
    }
}

/// Writes a text that fits into its area.
///
/// The renderer takes a text to be right of and below its place when it looks for what has
/// changed, so it is aligned here.
fn write(renderer: &mut Renderer, fitter: &Fitter, content: String, area: Rectangle, ink: &Ink) {
    if content.is_empty() {
        return;
    }
    let width = fitter.width(&content, ink.font, ink.size);
    let height = (ink.size * LINE).ceil();
    let x = match ink.align {
        Align::Left => area.x,
        Align::Right => area.x + area.width - width,
    };
    let y = (area.center_y() - height / 2.0).round();
    let text = Text {
        content,
        // With some room, so that it is never broken.
        bounds: Size::new(width.ceil() + PADDING, height),
        size: Pixels(ink.size),
        line_height: text::LineHeight::Absolute(Pixels(height)),
        font: ink.font,
        align_x: text::Alignment::Left,
        align_y: alignment::Vertical::Top,
        shaping: text::Shaping::Auto,
        wrapping: text::Wrapping::None,
    };
    // What is written stays in its cell. To say so spares the renderer a mask, which it
    // needs only for cells at the edges then.
    let clip = area.expand([0.0, PADDING / 2.0]);
    renderer.fill_text(text, Point::new(x, y), ink.color, clip);
}
