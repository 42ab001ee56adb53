//! How a chart looks.

use std::time::Duration;

use flowner_core::Traffic;
use flowner_core::present;
use iced::widget::canvas::{Frame, Path, Stroke, Text};
use iced::{Color, Pixels, Point, Rectangle, Size, alignment, border};

use super::scale::{mark_every, round_up};
use super::{Chart, Layer};
use crate::theme::{FONT, STRONG, measure, size, space};

/// Room below for times.
const FOOT: f32 = 16.0;
/// Pixels between two marks of time, at least.
const MARKS_APART: f32 = 90.0;
/// Programs that are named where the pointer is.
const NAMED: usize = 8;

/// Where things are.
struct Plan {
    /// The line between what came in and what went out.
    base: f32,
    /// Pixels for a byte a step.
    scale: f32,
    /// The bytes of a step at the line that is drawn on the greater side.
    greatest: u64,
    /// Whether that is the upper one.
    is_above: bool,
}

impl<Message> Chart<'_, Message> {
    fn plan(&self, height: f32) -> Plan {
        let sums = |bytes: fn(&Traffic) -> u64| {
            let step = |step: usize| {
                let layers = self.layers.stack.iter();
                layers.map(|layer| bytes(&layer.traffic[step])).sum::<u64>()
            };
            (0..self.layers.len).map(step).max().unwrap_or(0)
        };
        let unit = self.unit;
        let (received, sent) = if unit == present::Unit::Packets {
            (sums(|it| it.received.packets), sums(|it| it.sent.packets))
        } else {
            (sums(|it| it.received.bytes), sums(|it| it.sent.bytes))
        };
        let seconds = self.layers.step.as_secs().max(1);
        // A little room, so that the highest peak does not touch the end.
        let ceiling = |value: u64| self.rounded((value + value / 20).max(1), seconds);
        let (above, below) = (ceiling(received), ceiling(sent));
        let room = height - FOOT;
        let whole = above.saturating_add(below);
        // Neither side is squeezed to nothing.
        let share = present::share(above, whole).clamp(0.25, 0.75);
        let base = room * share;
        let scale = |room: f32, value: u64| room / to_f32(value);
        Plan {
            base,
            scale: scale(base, above).min(scale(room - base, below)),
            greatest: above.max(below),
            is_above: above >= below,
        }
    }

    /// A value of a step whose rate is a round number in the unit that is shown.
    fn rounded(&self, value: u64, seconds: u64) -> u64 {
        match self.unit {
            present::Unit::Bits => round_up(value.saturating_mul(8) / seconds + 1) * seconds / 8,
            present::Unit::Bytes | present::Unit::Packets => {
                round_up(value / seconds + 1) * seconds
            }
        }
    }

    pub(super) fn draw_still(&self, frame: &mut Frame) {
        let size = frame.size();
        let plan = self.plan(size.height);
        self.draw_times(frame, size);
        let line = |frame: &mut Frame, y: f32, color: Color| {
            let place = Point::new(0.0, y.round());
            frame.fill_rectangle(place, Size::new(size.width, measure::HAIRLINE), color);
        };
        let way = if plan.is_above { -1.0 } else { 1.0 };
        let far = plan.base + way * to_f32(plan.greatest) * plan.scale;
        for y in [plan.base.midpoint(far), far] {
            line(frame, y, self.colors.line.scale_alpha(0.6));
        }
        self.draw_side(frame, &plan, -1.0, |it| it.received);
        self.draw_side(frame, &plan, 1.0, |it| it.sent);
        line(frame, plan.base, self.colors.muted);
        let rate = self.rate(plan.greatest);
        let label = |content: String, y: f32, align_y| Text {
            content,
            position: Point::new(2.0, y),
            color: self.colors.muted,
            size: Pixels(size::SMALL),
            font: FONT,
            align_y,
            ..Text::default()
        };
        let bottom = size.height - FOOT;
        let (above, below) = if plan.is_above {
            (
                (format!("↓ in   {rate}"), far),
                ("↑ out".to_owned(), bottom),
            )
        } else {
            (("↓ in".to_owned(), 0.0), (format!("↑ out   {rate}"), far))
        };
        frame.fill_text(label(above.0, above.1 + 2.0, alignment::Vertical::Top));
        frame.fill_text(label(below.0, below.1 - 2.0, alignment::Vertical::Bottom));
    }

    fn rate(&self, of_step: u64) -> String {
        let seconds = self.layers.step.as_secs().max(1);
        if self.unit == present::Unit::Packets {
            return format!("{} pkt/s", present::grouped(of_step / seconds));
        }
        self.unit.rate(of_step / seconds).to_string()
    }

    fn measure(&self, counters: flowner_core::flows::Counters) -> u64 {
        self.unit.measure(counters)
    }

    /// One side of the line: an area for each layer, upon the one before.
    fn draw_side(
        &self,
        frame: &mut Frame,
        plan: &Plan,
        way: f32,
        counters: fn(&Traffic) -> flowner_core::flows::Counters,
    ) {
        let width = self.step_width(frame.width());
        let mut below = vec![0_u64; self.layers.len];
        // Out is a tint of in, so that a person can tell the two sides apart without the line.
        let alpha = if way < 0.0 { 1.0 } else { 0.72 };
        for layer in &self.layers.stack {
            let mut upper = below.clone();
            for (sum, traffic) in upper.iter_mut().zip(&layer.traffic) {
                *sum += self.measure(counters(traffic));
            }
            let y = |value: u64| plan.base + way * to_f32(value) * plan.scale;
            let area = Path::new(|path| {
                for (from, to, low, high) in runs(&below, &upper) {
                    // Whole pixels, so that neighbours leave no seam.
                    let edge = |step| (to_f32_place(step) * width).round();
                    let (left, right) = (edge(from), edge(to));
                    path.rectangle(
                        Point::new(left, y(low).min(y(high))),
                        Size::new(right - left, (y(high) - y(low)).abs()),
                    );
                }
            });
            frame.fill(&area, layer.color.scale_alpha(alpha));
            below = upper;
        }
    }

    fn draw_times(&self, frame: &mut Frame, size: Size) {
        let seconds = self.layers.step.as_secs() * self.layers.len as u64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "marks within a window"
        )]
        let most = (size.width / MARKS_APART).max(1.0) as u64;
        let every = mark_every(seconds, most);
        let start = self.layers.start.as_secs();
        let first = start.div_ceil(every) * every;
        let step = usize::try_from(every).unwrap_or(usize::MAX);
        let marks = (first..start + seconds).step_by(step);
        for mark in marks {
            let x = self.x_of(Duration::from_secs(mark), size.width).round();
            let tick = Size::new(measure::HAIRLINE, size.height - FOOT);
            frame.fill_rectangle(Point::new(x, 0.0), tick, self.colors.line.scale_alpha(0.45));
            if x < 24.0 || x > size.width - 24.0 {
                continue;
            }
            let clock = present::clock(Duration::from_secs(mark));
            let content = if every >= 60 {
                clock.chars().take(5).collect()
            } else {
                clock
            };
            frame.fill_text(Text {
                content,
                position: Point::new(x, size.height),
                color: self.colors.muted,
                size: Pixels(size::SMALL),
                font: FONT,
                align_x: iced::widget::text::Alignment::Center,
                align_y: alignment::Vertical::Bottom,
                ..Text::default()
            });
        }
    }

    pub(super) fn draw_selection(&self, frame: &mut Frame, from: f32, to: f32) {
        let height = frame.height() - FOOT;
        let (from, to) = (from.min(to), from.max(to));
        let area = Size::new(to - from, height);
        frame.fill_rectangle(
            Point::new(from, 0.0),
            area,
            self.colors.accent.scale_alpha(0.16),
        );
        for x in [from, to] {
            let edge = Size::new(measure::HAIRLINE, height);
            frame.fill_rectangle(Point::new(x.round(), 0.0), edge, self.colors.accent);
        }
    }

    pub(super) fn draw_hover(&self, frame: &mut Frame, at: Point) {
        let Some(step) = self.step_at(at.x, frame.width()) else {
            return;
        };
        let height = frame.height() - FOOT;
        let x = ((to_f32_place(step) + 0.5) * self.step_width(frame.width())).round();
        let line = Size::new(measure::HAIRLINE, height);
        frame.fill_rectangle(Point::new(x, 0.0), line, self.colors.text);
        self.draw_values(frame, step, x);
    }

    /// A list of who had how much in a step, beside it.
    fn draw_values(&self, frame: &mut Frame, step: usize, x: f32) {
        const WIDTH: f32 = 268.0;
        const LINE: f32 = 17.0;
        let total = |layer: &&Layer| self.measure(layer.traffic[step].total());
        let mut layers: Vec<&Layer> = self.layers.stack.iter().collect();
        layers.retain(|layer| total(layer) > 0);
        layers.sort_by_key(|layer| std::cmp::Reverse(total(layer)));
        let room = (frame.height() - 2.0 * space::S) / LINE - 1.0;
        let fits = (0..NAMED).take_while(|place| to_f32_place(place + 1) <= room);
        layers.truncate(fits.count());
        let lines = to_f32_place(layers.len() + 1);
        let area = Size::new(WIDTH, lines * LINE + 2.0 * space::S);
        let left = if x + space::S + WIDTH < frame.width() {
            x + space::S
        } else {
            (x - space::S - WIDTH).max(0.0)
        };
        let place = Point::new(left, 2.0);
        let sheet = Path::rounded_rectangle(place, area, border::Radius::new(measure::RADIUS));
        frame.fill(&sheet, self.colors.raised);
        let outline = Stroke::default()
            .with_color(self.colors.line)
            .with_width(1.0);
        frame.stroke(&sheet, outline);
        let inside = Rectangle::new(place, area).shrink(space::S);
        let columns = [inside.x + inside.width - 84.0, inside.x + inside.width];
        let mut y = inside.y + LINE / 2.0;
        let clock = present::clock(self.time_of(step));
        self.value(frame, clock, inside.x, y, false, true);
        self.value(frame, "↓ in".to_owned(), columns[0], y, true, false);
        self.value(frame, "↑ out".to_owned(), columns[1], y, true, false);
        for layer in layers {
            y += LINE;
            let swatch = Point::new(inside.x, y - 4.0);
            frame.fill_rectangle(swatch, Size::new(8.0, 8.0), layer.color);
            let name: String = layer.name.chars().take(16).collect();
            self.value(frame, name, inside.x + 14.0, y, false, true);
            let traffic = &layer.traffic[step];
            let (received, sent) = (self.measure(traffic.received), self.measure(traffic.sent));
            self.value(frame, self.rate(received), columns[0], y, true, true);
            self.value(frame, self.rate(sent), columns[1], y, true, true);
        }
    }

    fn value(&self, frame: &mut Frame, text: String, x: f32, y: f32, right: bool, plain: bool) {
        use iced::widget::text::Alignment;
        frame.fill_text(Text {
            content: text,
            position: Point::new(x, y),
            color: if plain {
                self.colors.text
            } else {
                self.colors.muted
            },
            size: Pixels(size::SMALL),
            font: if plain { FONT } else { STRONG },
            align_x: if right {
                Alignment::Right
            } else {
                Alignment::Left
            },
            align_y: alignment::Vertical::Center,
            ..Text::default()
        });
    }
}

/// Steps that follow each other and are the same: where they begin and end, and between
/// which values they are.
fn runs(below: &[u64], upper: &[u64]) -> Vec<(usize, usize, u64, u64)> {
    let mut runs: Vec<(usize, usize, u64, u64)> = Vec::new();
    for (step, (low, high)) in below.iter().zip(upper).enumerate() {
        if low == high {
            continue;
        }
        match runs.last_mut() {
            Some((_, to, last_low, last_high))
                if *to == step && (*last_low, *last_high) == (*low, *high) =>
            {
                *to = step + 1;
            }
            _ => runs.push((step, step + 1, *low, *high)),
        }
    }
    runs
}

#[expect(clippy::cast_precision_loss, reason = "it is drawn")]
const fn to_f32(value: u64) -> f32 {
    value as f32
}

#[expect(clippy::cast_precision_loss, reason = "they are hundreds")]
const fn to_f32_place(value: usize) -> f32 {
    value as f32
}
