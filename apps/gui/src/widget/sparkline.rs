//! A small chart of recent values.

use flowner_core::present;
use iced::widget::canvas::{self, Canvas, Frame, Geometry, Path, Stroke};
use iced::{Color, Element, Point, Rectangle, Renderer, Theme, mouse};

/// A line through values, the newest at the right; as high as the greatest of them.
#[expect(missing_debug_implementations, reason = "a widget")]
pub struct Sparkline {
    values: Vec<u64>,
    /// How many values there is room for.
    room: usize,
    color: Color,
}

impl Sparkline {
    /// The line of these values.
    pub fn new(values: Vec<u64>, room: usize, color: Color) -> Self {
        Self {
            values,
            room,
            color,
        }
    }

    /// The widget.
    pub fn view<'a, Message: 'a>(self, width: f32, height: f32) -> Element<'a, Message> {
        Canvas::new(self).width(width).height(height).into()
    }
}

impl<Message> canvas::Program<Message> for Sparkline {
    type State = ();

    fn draw(
        &self,
        (): &(),
        renderer: &Renderer,
        _theme: &Theme,
        bounds: Rectangle,
        _cursor: mouse::Cursor,
    ) -> Vec<Geometry> {
        let mut frame = Frame::new(renderer, bounds.size());
        let greatest = self.values.iter().copied().max().unwrap_or(0).max(1);
        let steps = u16::try_from(self.room.max(2) - 1).unwrap_or(u16::MAX);
        let step = bounds.width / f32::from(steps);
        let missing = self.room.saturating_sub(self.values.len());
        let point = |(place, value): (usize, &u64)| {
            let place = u16::try_from(place + missing).unwrap_or(u16::MAX);
            let height = present::share(*value, greatest) * (bounds.height - 2.0);
            Point::new(f32::from(place) * step, bounds.height - 1.0 - height)
        };
        let points: Vec<Point> = self.values.iter().enumerate().map(point).collect();
        let line = Path::new(|path| {
            for (place, at) in points.iter().enumerate() {
                if place == 0 {
                    path.move_to(*at);
                } else {
                    path.line_to(*at);
                }
            }
        });
        let stroke = Stroke::default().with_width(1.5).with_color(self.color);
        frame.stroke(&line, stroke);
        vec![frame.into_geometry()]
    }
}
