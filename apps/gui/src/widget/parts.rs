//! Small pieces of which pages are put together.

use std::borrow::Cow;

use flowner_core::present::Quantity;
use iced::widget::scrollable::{Direction, Scrollbar};
use iced::widget::{
    Space, button, column, container, image, mouse_area, row, scrollable, svg, text, tooltip,
};
use iced::{Center, Color, Element, Fill, Length, Theme};

use crate::picture::{Glyph, IconImage};
use crate::shown;
use crate::theme::{Colors, STRONG, measure, size, space, style};
use crate::widget::reach::reached;

/// A text of which what others wrote is [masked](shown).
pub fn words<'a>(content: impl text::IntoFragment<'a>) -> text::Text<'a> {
    text(match content.into_fragment() {
        Cow::Borrowed(content) => shown::lines(content),
        Cow::Owned(content) => match shown::lines(&content) {
            Cow::Borrowed(_) => Cow::Owned(content),
            Cow::Owned(masked) => Cow::Owned(masked),
        },
    })
}

/// Text of nearly everything.
pub fn body<'a>(content: impl text::IntoFragment<'a>, color: Color) -> text::Text<'a> {
    words(content).size(size::BODY).color(color)
}

/// Text that stands beside the matter.
pub fn small<'a>(content: impl text::IntoFragment<'a>, color: Color) -> text::Text<'a> {
    words(content).size(size::SMALL).color(color)
}

/// What a page, or a part of it, is about.
pub fn title<'a>(content: impl text::IntoFragment<'a>, colors: Colors) -> text::Text<'a> {
    words(content)
        .size(size::TITLE)
        .font(STRONG)
        .color(colors.text)
}

/// The name of a part of a page.
pub fn caption<'a>(content: impl text::IntoFragment<'a>, colors: Colors) -> text::Text<'a> {
    words(content)
        .size(size::SMALL)
        .font(STRONG)
        .color(colors.muted)
}

/// A part of a page, below its name.
pub fn section<'a, Message: 'a>(
    name: &'a str,
    content: Element<'a, Message>,
    colors: Colors,
) -> Element<'a, Message> {
    column![caption(name, colors), content]
        .spacing(space::XS)
        .width(Fill)
        .into()
}

/// A pictogram in a colour.
pub fn glyph<'a>(glyph: Glyph, color: Color) -> Element<'a, Never> {
    let picture = svg(glyph.handle())
        .width(measure::ICON)
        .height(measure::ICON);
    if glyph == Glyph::App {
        return picture.into();
    }
    picture
        .style(move |_: &Theme, _| svg::Style { color: Some(color) })
        .into()
}

/// The picture of a program, this large.
pub fn portrait<'a, Message: 'a>(picture: IconImage, side: f32) -> Element<'a, Message> {
    match picture {
        IconImage::Vector(handle) => svg(handle).width(side).height(side).into(),
        IconImage::Pixels(handle) => image(handle).width(side).height(side).into(),
    }
}

/// A message that is never sent.
#[derive(Debug, Clone, Copy)]
pub enum Never {}

/// A pictogram among elements that send messages.
pub fn icon<'a, Message: 'a>(which: Glyph, color: Color) -> Element<'a, Message> {
    glyph(which, color).map(|never| match never {})
}

/// A line from left to right.
pub fn rule<'a, Message: 'a>(colors: Colors) -> Element<'a, Message> {
    container(Space::new().height(measure::HAIRLINE))
        .width(Fill)
        .height(measure::HAIRLINE)
        .style(style::hairline(colors))
        .into()
}

/// A line from top to bottom.
pub fn stile<'a, Message: 'a>(colors: Colors) -> Element<'a, Message> {
    container(Space::new().width(measure::HAIRLINE))
        .width(measure::HAIRLINE)
        .height(Fill)
        .style(style::hairline(colors))
        .into()
}

/// A figure with its unit and what it is.
pub fn figure<'a, Message: 'a>(
    name: &'a str,
    quantity: &Quantity,
    width: impl Into<Length>,
    colors: Colors,
) -> Element<'a, Message> {
    let number = words(quantity.number.clone())
        .size(size::FIGURE)
        .font(STRONG)
        .color(colors.text);
    let unit = small(quantity.unit, colors.muted);
    column![
        small(name, colors.muted),
        row![number, container(unit).padding([0.0, 0.0]).align_bottom(26)].spacing(space::XS),
    ]
    .width(width)
    .into()
}

/// A button with a pictogram alone, and what it does when the pointer is on it.
pub fn tool<'a, Message: Clone + 'a>(
    which: Glyph,
    hint: &'a str,
    is_on: bool,
    message: Option<Message>,
    colors: Colors,
) -> Element<'a, Message> {
    let color = match (&message, is_on) {
        (None, _) => colors.line,
        (_, true) => colors.accent,
        (_, false) => colors.muted,
    };
    let inside = container(icon(which, color)).center(28);
    let pressed = button(inside)
        .padding(0)
        .on_press_maybe(message.clone())
        .style(style::quiet(colors, is_on));
    hinted(reached(pressed, message, colors.accent), hint, colors)
}

/// The same element, with a hint when the pointer is on it.
pub fn hinted<'a, Message: 'a>(
    element: impl Into<Element<'a, Message>>,
    hint: &'a str,
    colors: Colors,
) -> Element<'a, Message> {
    let hint = container(small(hint, colors.text))
        .padding([space::XS, space::S])
        .style(style::sheet(colors));
    tooltip(element, hint, tooltip::Position::Bottom)
        .gap(space::XS)
        .into()
}

/// A button with a word.
pub fn press<'a, Message: Clone + 'a>(
    word: &'a str,
    is_primary: bool,
    message: Option<Message>,
    colors: Colors,
) -> Element<'a, Message> {
    let inside = words(word).size(size::BODY);
    let pressed = button(inside)
        .padding([6.0, space::M])
        .on_press_maybe(message.clone());
    if is_primary {
        // Around what has that colour, another one.
        reached(pressed.style(style::primary(colors)), message, colors.text)
    } else {
        let pressed = pressed.style(style::secondary(colors));
        reached(pressed, message, colors.accent)
    }
}

/// Words that lead somewhere, in a line of others.
pub fn link<'a, Message: Clone + 'a>(
    words: &'a str,
    message: Message,
    colors: Colors,
) -> Element<'a, Message> {
    let pressed = button(small(words, colors.accent).wrapping(text::Wrapping::None))
        .padding([0.0, space::XS])
        .on_press(message.clone())
        .style(style::quiet(colors, false));
    reached(pressed, Some(message), colors.accent)
}

/// One of several, of which one is chosen.
pub fn tab<'a, Message: Clone + 'a>(
    word: &'a str,
    is_on: bool,
    message: Message,
    colors: Colors,
) -> Element<'a, Message> {
    let pressed = button(words(word).size(size::BODY))
        .padding([5.0, 11.0])
        .on_press(message.clone())
        .style(style::quiet(colors, is_on));
    reached(pressed, Some(message), colors.accent)
}

/// A short word with an outline.
pub fn badge<'a, Message: 'a>(word: &'a str, color: Color, colors: Colors) -> Element<'a, Message> {
    container(small(word, color))
        .padding([1.0, 6.0])
        .style(style::badge(color, colors))
        .into()
}

/// What stands where there is nothing to show: a sentence, and what can be done.
pub fn nothing<'a, Message: 'a>(
    headline: &'a str,
    advice: impl text::IntoFragment<'a>,
    action: Option<Element<'a, Message>>,
    colors: Colors,
) -> Element<'a, Message> {
    let words = column![
        title(headline, colors),
        body(advice, colors.muted).align_x(Center),
    ]
    .push(action)
    .spacing(space::S)
    .max_width(520)
    .align_x(Center);
    container(words).center(Fill).padding(space::L).into()
}

/// A sheet above everything else; a press beside it closes it.
pub fn above<'a, Message: Clone + 'a>(
    sheet: impl Into<Element<'a, Message>>,
    close: Message,
) -> Element<'a, Message> {
    let veil = container(iced::widget::opaque(sheet))
        .center(Fill)
        .style(style::veil);
    iced::widget::opaque(mouse_area(veil).on_press(close))
}

/// Contents of any height.
pub fn scroll<'a, Message: 'a>(
    content: impl Into<Element<'a, Message>>,
    colors: Colors,
) -> Element<'a, Message> {
    scrolled(content, colors).into()
}

/// The same, for what is to have a name.
pub fn scrolled<'a, Message: 'a>(
    content: impl Into<Element<'a, Message>>,
    colors: Colors,
) -> scrollable::Scrollable<'a, Message> {
    scrollable(content)
        .direction(upright())
        .height(Fill)
        .style(style::scroll(colors))
}

/// How what is scrolled moves: up and down, beside a thin bar.
pub fn upright() -> Direction {
    const WIDTH: u32 = 5;
    let bar = Scrollbar::new()
        .width(WIDTH)
        .scroller_width(WIDTH)
        .margin(2);
    Direction::Vertical(bar)
}

/// A name, and what is known under it.
pub fn fact<'a, Message: 'a>(
    name: &'a str,
    content: impl text::IntoFragment<'a>,
    colors: Colors,
) -> Element<'a, Message> {
    row![
        container(small(name, colors.muted))
            .width(84)
            .padding([1.0, 0.0]),
        body(content, colors.text)
            .width(Fill)
            .wrapping(text::Wrapping::WordOrGlyph),
    ]
    .spacing(space::S)
    .into()
}
