//! What can be chosen once and for all.

use flowner_core::present::{self, Unit};
use iced::widget::{Space, button, column, container, row};
use iced::{Center, Element, Fill};

use super::Context;
use crate::hosts::HostsBy;
use crate::settings::{ENDED_FLOWS, Settings, ZOOMS};
use crate::theme::{Colors, Scheme, measure, space, style};
use crate::widget::parts;
use crate::widget::reach::reached;

#[derive(Debug, Clone, Copy)]
pub enum Message {
    SchemeChosen(Scheme),
    ZoomChosen(u16),
    UnitChosen(Unit),
    EndedFlowsChosen(usize),
    NamesChosen(bool),
    ResolveChosen(bool),
    HostsByChosen(HostsBy),
    ColumnsReset,
}

/// What is scrolled where it does not fit.
pub const PAGE: &str = "settings";

/// Changes the settings. The page itself has nothing to remember.
pub fn update(settings: &mut Settings, message: Message) {
    match message {
        Message::SchemeChosen(scheme) => settings.scheme = scheme,
        Message::ZoomChosen(zoom) => settings.zoom = zoom,
        Message::UnitChosen(unit) => settings.unit = unit,
        Message::EndedFlowsChosen(count) => settings.ended_flows = count,
        Message::NamesChosen(names) => settings.names = names,
        Message::ResolveChosen(resolve) => settings.resolve = resolve,
        Message::HostsByChosen(by) => settings.hosts = by,
        Message::ColumnsReset => settings.columns = Settings::default().columns,
    }
}

pub fn view(context: Context<'_>, is_dark: bool, place: Option<String>) -> Element<'_, Message> {
    let colors = context.colors;
    let settings = context.settings;
    let schemes = Scheme::ALL
        .iter()
        .map(|scheme| chip(*scheme, is_dark, settings.scheme == *scheme, colors));
    let zooms = ZOOMS.into_iter().map(|zoom| {
        let word = format!("{zoom} %");
        choice(
            word,
            settings.zoom == zoom,
            Message::ZoomChosen(zoom),
            colors,
        )
    });
    let units = Unit::ALL.into_iter().map(|unit| {
        let word = unit.name().to_owned();
        choice(
            word,
            settings.unit == unit,
            Message::UnitChosen(unit),
            colors,
        )
    });
    let ended = ENDED_FLOWS.into_iter().map(|count| {
        let word = present::grouped(count as u64);
        let message = Message::EndedFlowsChosen(count);
        choice(word, settings.ended_flows == count, message, colors)
    });
    let names = on_or_off(settings.names, Message::NamesChosen, colors);
    let resolve = on_or_off(settings.resolve, Message::ResolveChosen, colors);
    let hosts = HostsBy::ALL.into_iter().map(|by| {
        let word = by.name().to_owned();
        choice(
            word,
            settings.hosts == by,
            Message::HostsByChosen(by),
            colors,
        )
    });
    let columns = settings.columns.iter().map(|column| column.title());
    let columns = columns.collect::<Vec<_>>().join(", ");
    let kept = place.map_or_else(
        || "These settings are not saved.".to_owned(),
        |place| format!("Saved in {place}"),
    );
    let page = column![
        parts::title("Settings", colors),
        part("Theme", "System follows the system, light or dark.", row(schemes).spacing(space::S).wrap(), colors),
        part("Size", "The size of everything. Ctrl + and Ctrl − change it, too.", row(zooms).spacing(space::XS).wrap(), colors),
        part(
            "Units",
            "Bits: rates in bits a second, amounts in bytes. Packets: amounts in packets, rates in bits a second.",
            row(units).spacing(space::XS).wrap(),
            colors
        ),
        part(
            "Hosts",
            "Lists have the names of hosts, or their addresses only. The key n changes it, too.",
            row(hosts).spacing(space::XS).wrap(),
            colors
        ),
        part(
            "Names from packets",
            "The app reads names in packets (DNS, TLS, QUIC, HTTP) and asks nobody. A change applies to the next capture.",
            row(names).spacing(space::XS).wrap(),
            colors
        ),
        part(
            "Look up names of addresses",
            "Off by default: lookups make traffic, and tell a DNS server which addresses you look at. A change applies to the next live capture.",
            row(resolve).spacing(space::XS).wrap(),
            colors
        ),
        part(
            "Closed flows",
            "How many stay listed. Older ones stay in the totals. A change applies to the next capture.",
            row(ended).spacing(space::XS).wrap(),
            colors
        ),
        part(
            "Columns of Inspect",
            "Press c there to choose columns; drag their heads to move them.",
            row![
                parts::body(columns, colors.text).width(Fill),
                parts::press("Reset", false, Some(Message::ColumnsReset), colors),
            ]
            .spacing(space::M)
            .align_y(Center),
            colors
        ),
        parts::rule(colors),
        parts::small(kept, colors.muted),
    ]
    .spacing(space::L)
    .max_width(760);
    parts::scrolled(container(page).padding(space::L).center_x(Fill), colors)
        .id(PAGE)
        .into()
}

fn part<'a>(
    name: &'a str,
    about: &'a str,
    content: impl Into<Element<'a, Message>>,
    colors: Colors,
) -> Element<'a, Message> {
    let words = column![
        parts::body(name, colors.text).font(crate::theme::STRONG),
        parts::small(about, colors.muted),
    ]
    .spacing(2)
    .width(200);
    row![words, container(content).width(Fill)]
        .spacing(space::L)
        .into()
}

/// Two choices, of which one is made.
fn on_or_off<'a>(
    is_on: bool,
    message: fn(bool) -> Message,
    colors: Colors,
) -> impl Iterator<Item = Element<'a, Message>> {
    [(true, "On"), (false, "Off")]
        .into_iter()
        .map(move |(value, word)| choice(word.to_owned(), is_on == value, message(value), colors))
}

fn choice<'a>(word: String, is_on: bool, message: Message, colors: Colors) -> Element<'a, Message> {
    let color = if is_on { colors.text } else { colors.muted };
    let pressed = button(parts::body(word, color))
        .padding([5.0, 11.0])
        .on_press(message)
        .style(style::quiet(colors, is_on));
    reached(pressed, Some(message), colors.accent)
}

/// A theme, in its own colours.
fn chip<'a>(scheme: Scheme, is_dark: bool, is_on: bool, colors: Colors) -> Element<'a, Message> {
    let own = scheme.colors(is_dark);
    let stripe = [own.accent, own.series[1], own.series[2]].map(|color| {
        container(Space::new().width(14).height(6))
            .style(move |_| container::Style::default().background(color))
            .into()
    });
    let sample =
        column![parts::body("Aa 123", own.text), row(stripe).spacing(3)].spacing(space::XS);
    let line = if is_on { colors.accent } else { colors.line };
    let sample = container(sample)
        .padding(space::S)
        .width(84)
        .style(move |_| container::Style {
            background: Some(own.ground.into()),
            border: iced::border::rounded(measure::RADIUS)
                .color(line)
                .width(if is_on { 2 } else { 1 }),
            ..container::Style::default()
        });
    let color = if is_on { colors.text } else { colors.muted };
    let chosen = Message::SchemeChosen(scheme);
    let pressed = button(column![sample, parts::small(scheme.name(), color)].spacing(space::XS))
        .padding(2)
        .on_press(chosen)
        .style(style::link(colors));
    reached(pressed, Some(chosen), colors.accent)
}
