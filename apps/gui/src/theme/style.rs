//! How the toolkit's widgets look, in the colours of a theme.

use iced::border::{self, Border};
use iced::widget::{button, container, overlay, pick_list, scrollable, text_input};
use iced::{Background, Color, Shadow, Theme};

use super::{Colors, measure};

fn outline(color: Color) -> Border {
    border::rounded(measure::RADIUS).color(color).width(1)
}

/// The ground of the window, which differs from one drawing to the next by less than any
/// screen shows.
///
/// The software renderer draws again what differs, and gets the edges of text that moved
/// wrong: halves of rows stay (iced 0.14, its issues 2665 and 2961, pull request 3032). Where
/// the ground differs, everything is drawn again.
pub fn ground(colors: Colors, drawing: u64) -> impl Fn(&Theme) -> container::Style {
    let ground = if drawing.is_multiple_of(2) {
        colors.ground
    } else {
        Color {
            b: beside(colors.ground.b),
            ..colors.ground
        }
    };
    move |_| container::Style {
        background: Some(Background::Color(ground)),
        text_color: Some(colors.text),
        ..container::Style::default()
    }
}

/// A share that differs from this one by less than any screen shows, and is a share, too:
/// the renderer refuses a color with less than nothing of blue, and black has nothing.
fn beside(share: f32) -> f32 {
    if share < 0.5 {
        share + f32::EPSILON
    } else {
        share - f32::EPSILON
    }
}

/// A bar, or a head.
pub fn raised(colors: Colors) -> impl Fn(&Theme) -> container::Style {
    move |_| container::Style {
        background: Some(Background::Color(colors.raised)),
        text_color: Some(colors.text),
        ..container::Style::default()
    }
}

/// A line between parts.
pub fn hairline(colors: Colors) -> impl Fn(&Theme) -> container::Style {
    move |_| container::Style {
        background: Some(Background::Color(colors.line)),
        ..container::Style::default()
    }
}

/// A sheet above the page, such as the help.
///
/// It has no shadow: the software renderer draws shadows beyond what is to be drawn again,
/// so that they darken with each blink of a cursor in the sheet (`Engine::draw_quad` of
/// `iced_tiny_skia` 0.14).
pub fn sheet(colors: Colors) -> impl Fn(&Theme) -> container::Style {
    move |_| container::Style {
        background: Some(Background::Color(colors.raised)),
        text_color: Some(colors.text),
        border: outline(colors.line),
        ..container::Style::default()
    }
}

/// A short word on a tint, such as that this is a demo.
pub fn badge(color: Color, colors: Colors) -> impl Fn(&Theme) -> container::Style {
    move |_| container::Style {
        background: Some(Background::Color(colors.ground)),
        text_color: Some(color),
        border: outline(color),
        ..container::Style::default()
    }
}

/// What covers the page below a sheet.
pub fn veil(_: &Theme) -> container::Style {
    container::Style {
        background: Some(Background::Color(Color::BLACK.scale_alpha(0.45))),
        ..container::Style::default()
    }
}

/// A button that is only seen when the pointer is on it; `is_on`: what it leads to is
/// shown already.
pub fn quiet(colors: Colors, is_on: bool) -> impl Fn(&Theme, button::Status) -> button::Style {
    move |_, status| {
        let is_hovered = matches!(status, button::Status::Hovered | button::Status::Pressed);
        let background = match (is_on, is_hovered) {
            (true, _) => Some(Background::Color(colors.selected)),
            (false, true) => Some(Background::Color(colors.hover)),
            (false, false) => None,
        };
        let text_color = match status {
            button::Status::Disabled => colors.muted,
            _ if is_on || is_hovered => colors.text,
            _ => colors.muted,
        };
        button::Style {
            background,
            text_color,
            border: border::rounded(measure::RADIUS),
            ..button::Style::default()
        }
    }
}

/// The button that most people want on a page.
pub fn primary(colors: Colors) -> impl Fn(&Theme, button::Status) -> button::Style {
    move |_, status| {
        let alpha = match status {
            button::Status::Hovered | button::Status::Pressed => 0.9,
            button::Status::Active | button::Status::Disabled => 1.0,
        };
        let is_disabled = status == button::Status::Disabled;
        button::Style {
            background: Some(Background::Color(if is_disabled {
                colors.hover
            } else {
                colors.accent.scale_alpha(alpha)
            })),
            text_color: if is_disabled {
                colors.muted
            } else {
                colors.on_accent
            },
            border: border::rounded(measure::RADIUS),
            ..button::Style::default()
        }
    }
}

/// Any other button.
pub fn secondary(colors: Colors) -> impl Fn(&Theme, button::Status) -> button::Style {
    move |_, status| {
        let is_hovered = matches!(status, button::Status::Hovered | button::Status::Pressed);
        button::Style {
            background: Some(Background::Color(if is_hovered {
                colors.hover
            } else {
                colors.ground
            })),
            text_color: colors.text,
            border: outline(colors.line),
            ..button::Style::default()
        }
    }
}

/// A word that leads somewhere.
pub fn link(colors: Colors) -> impl Fn(&Theme, button::Status) -> button::Style {
    move |_, _| button::Style {
        text_color: colors.accent,
        ..button::Style::default()
    }
}

/// A field; `is_wrong`: what is in it cannot be understood.
pub fn field(
    colors: Colors,
    is_wrong: bool,
) -> impl Fn(&Theme, text_input::Status) -> text_input::Style {
    move |_, status| {
        let line = match status {
            _ if is_wrong => colors.bad,
            text_input::Status::Focused { .. } => colors.accent,
            _ => colors.line,
        };
        text_input::Style {
            background: Background::Color(colors.ground),
            border: outline(line),
            icon: colors.muted,
            placeholder: colors.muted,
            value: colors.text,
            selection: colors.selected,
        }
    }
}

/// A choice that folds out.
pub fn choice(colors: Colors) -> impl Fn(&Theme, pick_list::Status) -> pick_list::Style {
    move |_, status| pick_list::Style {
        text_color: colors.text,
        placeholder_color: colors.muted,
        handle_color: colors.muted,
        background: Background::Color(match status {
            pick_list::Status::Hovered => colors.hover,
            _ => colors.ground,
        }),
        border: outline(colors.line),
    }
}

/// What folds out of a choice.
pub fn menu(colors: Colors) -> impl Fn(&Theme) -> overlay::menu::Style {
    move |_| overlay::menu::Style {
        background: Background::Color(colors.raised),
        border: outline(colors.line),
        text_color: colors.text,
        selected_text_color: colors.text,
        selected_background: Background::Color(colors.selected),
        shadow: Shadow::default(),
    }
}

/// A part of a page that scrolls.
pub fn scroll(colors: Colors) -> impl Fn(&Theme, scrollable::Status) -> scrollable::Style {
    move |theme, status| {
        let mut style = scrollable::default(theme, status);
        for rail in [&mut style.vertical_rail, &mut style.horizontal_rail] {
            rail.background = None;
            rail.border = Border::default();
            rail.scroller.background = Background::Color(colors.line);
            rail.scroller.border = border::rounded(3);
        }
        style
    }
}
