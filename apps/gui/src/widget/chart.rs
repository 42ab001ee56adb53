//! Traffic over time, stacked by program: what came in above the line, what went out
//! below.

mod draw;
mod scale;

use std::time::Duration;

use flowner_core::present::Unit;
use flowner_core::{Principal, Series, Traffic};
use iced::widget::canvas::{self, Canvas, Frame, Geometry};
use iced::{Color, Element, Event, Fill, Rectangle, Renderer, Theme, keyboard, mouse};

use crate::theme::Colors;

/// What is drawn: layers of one colour each.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    start: Duration,
    step: Duration,
    len: usize,
    /// From the middle outwards.
    stack: Vec<Layer>,
    /// Counts up with every change, so that what is drawn can be kept until then.
    version: u64,
}

#[derive(Debug, Clone)]
struct Layer {
    name: String,
    color: Color,
    traffic: Vec<Traffic>,
}

impl Layers {
    /// Replaces what is drawn. `color` gives the colour of those that have one; all
    /// others are put together in `rest`.
    pub fn replace(
        &mut self,
        series: &Series,
        color: impl Fn(&Principal) -> Option<Color>,
        rest: Color,
    ) {
        let mut layers: Vec<Layer> = Vec::new();
        let mut others: Option<Layer> = None;
        for line in &series.lines {
            let painted = line
                .principal
                .as_ref()
                .and_then(|principal| Some((principal, color(principal)?)));
            if let Some((principal, color)) = painted {
                layers.push(Layer {
                    name: principal.to_string(),
                    color,
                    traffic: line.traffic.clone(),
                });
                continue;
            }
            let others = others.get_or_insert_with(|| Layer {
                name: "all others".to_owned(),
                color: rest,
                traffic: vec![Traffic::default(); series.len],
            });
            for (sum, traffic) in others.traffic.iter_mut().zip(&line.traffic) {
                sum.sent += traffic.sent;
                sum.received += traffic.received;
            }
        }
        layers.extend(others);
        self.start = series.start;
        self.step = series.step;
        self.len = series.len;
        self.stack = layers;
        self.version += 1;
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }
}

/// A part of the time that is shown: from the first packet time to the second.
pub type Range = (Duration, Duration);

/// The widget.
#[expect(missing_debug_implementations, reason = "a widget")]
pub struct Chart<'a, Message> {
    layers: &'a Layers,
    colors: Colors,
    unit: Unit,
    range: Option<Range>,
    on_range: Option<Box<dyn Fn(Option<Range>) -> Message + 'a>>,
}

impl<'a, Message: 'a> Chart<'a, Message> {
    /// A chart of these layers.
    pub fn new(layers: &'a Layers, unit: Unit, colors: Colors) -> Self {
        Self {
            layers,
            colors,
            unit,
            range: None,
            on_range: None,
        }
    }

    /// The part that is selected, and what happens when another one is.
    #[must_use]
    pub fn range(
        mut self,
        range: Option<Range>,
        on_range: impl Fn(Option<Range>) -> Message + 'a,
    ) -> Self {
        self.range = range;
        self.on_range = Some(Box::new(on_range));
        self
    }

    /// The widget, as large as there is room for.
    pub fn view(self) -> Element<'a, Message> {
        Canvas::new(self).width(Fill).height(Fill).into()
    }
}

/// What is kept between frames.
#[derive(Debug, Default)]
pub struct State {
    cache: canvas::Cache,
    /// What the cache holds.
    cached: std::cell::Cell<Option<(u64, Unit, [u8; 4])>>,
    /// Where a selection began, in pixels.
    drag: Option<f32>,
}

/// Less than this is a click.
const DRAG: f32 = 4.0;

impl<Message> canvas::Program<Message> for Chart<'_, Message> {
    type State = State;

    fn update(
        &self,
        state: &mut State,
        event: &Event,
        bounds: Rectangle,
        cursor: mouse::Cursor,
    ) -> Option<canvas::Action<Message>> {
        let inside = cursor.position_in(bounds);
        match event {
            Event::Mouse(mouse::Event::ButtonPressed(mouse::Button::Left)) => {
                state.drag = Some(inside?.x);
                Some(canvas::Action::request_redraw().and_capture())
            }
            Event::Mouse(mouse::Event::ButtonReleased(mouse::Button::Left)) => {
                let from = state.drag.take()?;
                let to = cursor.position()?.x - bounds.x;
                let on_range = self.on_range.as_ref()?;
                let range = ((to - from).abs() > DRAG)
                    .then(|| self.range_of(from, to, bounds.width))
                    .flatten();
                Some(canvas::Action::publish(on_range(range)))
            }
            Event::Mouse(mouse::Event::CursorMoved { .. })
                if inside.is_some() || state.drag.is_some() =>
            {
                Some(canvas::Action::request_redraw())
            }
            Event::Mouse(mouse::Event::CursorLeft) => Some(canvas::Action::request_redraw()),
            Event::Keyboard(keyboard::Event::KeyPressed {
                key: keyboard::Key::Named(keyboard::key::Named::Escape),
                ..
            }) if self.range.is_some() => {
                let on_range = self.on_range.as_ref()?;
                Some(canvas::Action::publish(on_range(None)).and_capture())
            }
            _ => None,
        }
    }

    fn draw(
        &self,
        state: &State,
        renderer: &Renderer,
        _theme: &Theme,
        bounds: Rectangle,
        cursor: mouse::Cursor,
    ) -> Vec<Geometry> {
        let shown = (
            self.layers.version,
            self.unit,
            self.colors.ground.into_rgba8(),
        );
        if state.cached.replace(Some(shown)) != Some(shown) {
            state.cache.clear();
        }
        let still = state
            .cache
            .draw(renderer, bounds.size(), |frame| self.draw_still(frame));
        let mut frame = Frame::new(renderer, bounds.size());
        let at = cursor.position_in(bounds);
        let dragged = state.drag.zip(at).map(|(from, at)| (from, at.x));
        let selected = dragged.or_else(|| {
            let (from, to) = self.range?;
            Some((self.x_of(from, bounds.width), self.x_of(to, bounds.width)))
        });
        if let Some((from, to)) = selected {
            self.draw_selection(&mut frame, from, to);
        }
        if let Some(at) = at {
            self.draw_hover(&mut frame, at);
        }
        vec![still, frame.into_geometry()]
    }

    fn mouse_interaction(
        &self,
        _state: &State,
        bounds: Rectangle,
        cursor: mouse::Cursor,
    ) -> mouse::Interaction {
        if self.on_range.is_some() && cursor.is_over(bounds) {
            mouse::Interaction::Crosshair
        } else {
            mouse::Interaction::None
        }
    }
}

impl<Message> Chart<'_, Message> {
    /// How wide a step is.
    #[expect(clippy::cast_precision_loss, reason = "they are hundreds")]
    fn step_width(&self, width: f32) -> f32 {
        width / self.layers.len.max(1) as f32
    }

    fn step_at(&self, x: f32, width: f32) -> Option<usize> {
        if x < 0.0 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place within the chart"
        )]
        let step = (x / self.step_width(width)) as usize;
        (step < self.layers.len).then_some(step)
    }

    fn time_of(&self, step: usize) -> Duration {
        let steps = u32::try_from(step).unwrap_or(u32::MAX);
        self.layers.start + self.layers.step.saturating_mul(steps)
    }

    fn x_of(&self, time: Duration, width: f32) -> f32 {
        let since = time.saturating_sub(self.layers.start).as_secs_f32();
        since / self.layers.step.as_secs_f32().max(f32::EPSILON) * self.step_width(width)
    }

    fn range_of(&self, a: f32, b: f32, width: f32) -> Option<Range> {
        let (a, b) = (a.min(b).max(0.0), a.max(b).min(width - 1.0));
        let (first, last) = (self.step_at(a, width)?, self.step_at(b, width)?);
        Some((self.time_of(first), self.time_of(last + 1)))
    }
}
