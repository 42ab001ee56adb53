//! What is around every page: the bar at the top and the line at the bottom.

use flowner_core::EndState;
use flowner_core::present;
use iced::widget::text::Wrapping;
use iced::widget::{Space, button, column, container, progress_bar, responsive, row};
use iced::{Center, Color, Element, Fill};

use super::Page;
use crate::app::{App, Message};
use crate::feed::Picture;
use crate::picture::Glyph;
use crate::session::Condition;
use crate::theme::{Colors, FONT, measure, size, space, style};
use crate::viewpoint::tell;
use crate::widget::fit::fitted;
use crate::widget::parts;
use crate::widget::reach::{below_sheet, reached};

/// A page with what is around it.
pub fn frame<'a>(app: &'a App, page: Element<'a, Message>) -> Element<'a, Message> {
    let colors = app.colors();
    let bar = responsive(move |room| view_bar(app, colors, room.width)).height(measure::BAR);
    let whole = column![
        below_sheet(bar, app.has_sheet()),
        parts::rule(colors),
        container(page).height(Fill).width(Fill).clip(true),
        parts::rule(colors),
        below_sheet(view_status(app, colors), app.has_sheet()),
    ];
    container(whole)
        .width(Fill)
        .height(Fill)
        .style(style::ground(colors, app.drawings))
        .into()
}

fn view_bar(app: &App, colors: Colors, width: f32) -> Element<'_, Message> {
    let go = |page| Message::PageChosen(page);
    let home = button(container(parts::icon(Glyph::App, colors.text)).center(28))
        .padding(0)
        .on_press(go(Page::Start))
        .style(style::quiet(colors, app.page == Page::Start));
    let home = reached(home, Some(go(Page::Start)), colors.accent);
    let home = parts::hinted(home, "Devices, files, demo (0)", colors);
    let has_session = app.session.is_some();
    let tabs = has_session.then(|| {
        row![
            parts::tab(
                "Overview",
                app.page == Page::Overview,
                go(Page::Overview),
                colors
            ),
            parts::tab(
                "Inspect",
                app.page == Page::Inspect,
                go(Page::Inspect),
                colors
            ),
            parts::tab(
                "Program",
                app.page == Page::Program,
                go(Page::Program),
                colors
            ),
        ]
        .spacing(2)
    });
    let bar = row![home]
        .push(tabs)
        .push(Space::new().width(Fill))
        .push(view_condition(app, colors, width))
        .push(view_controls(app, colors))
        .push(parts::tool(
            Glyph::Settings,
            "Settings (,)",
            app.page == Page::Preferences,
            Some(go(Page::Preferences)),
            colors,
        ))
        .push(parts::tool(
            Glyph::Help,
            "Keys (?)",
            false,
            Some(Message::Intended(crate::keys::Intent::Help)),
            colors,
        ))
        .spacing(space::S)
        .align_y(Center);
    container(bar)
        .padding([0.0, space::M])
        .center_y(measure::BAR)
        .style(style::raised(colors))
        .into()
}

/// What is watched, and in what state that is; what there is no room for is left out, for the
/// title of the window has it too.
fn view_condition(app: &App, colors: Colors, width: f32) -> Option<Element<'_, Message>> {
    /// All else that is in the bar.
    const ELSE: f32 = 484.0;
    const WORD: f32 = 48.0;
    const BADGE: f32 = 56.0;
    /// The shortest visible part of a name that still identifies it.
    const LEAST: f32 = 48.0;
    let session = app.session.as_ref()?;
    let (color, word) = match session.condition() {
        Condition::Starting => (colors.muted, "starting"),
        Condition::Live => (colors.good, "live"),
        Condition::Waiting => (colors.warn, "waiting"),
        Condition::Paused => (colors.warn, "paused"),
        Condition::Reading => (colors.accent, "reading"),
        Condition::Finished => (colors.muted, "finished"),
        Condition::Stopped => (colors.muted, "stopped"),
        Condition::Failed => (colors.bad, "failed"),
    };
    let mut room = width - ELSE;
    let badge = (session.is_demo() && room > BADGE).then(|| {
        room -= BADGE;
        parts::badge("DEMO", colors.accent, colors)
    });
    let word = (room > WORD + space::S + LEAST).then(|| {
        room -= WORD + space::S;
        container(parts::small(word, colors.muted)).width(WORD)
    });
    let name = (room > LEAST).then(|| {
        let name = fitted(session.name(), FONT, size::BODY, room);
        parts::body(name, colors.text).wrapping(Wrapping::None)
    });
    let condition = row![]
        .push(badge)
        .push(name)
        .push(dot(color))
        .push(word)
        .spacing(space::S)
        .align_y(Center);
    Some(condition.into())
}

fn dot<'a>(color: Color) -> Element<'a, Message> {
    container(Space::new().width(7).height(7))
        .style(move |_| container::Style {
            background: Some(color.into()),
            border: iced::border::rounded(4),
            ..container::Style::default()
        })
        .into()
}

fn view_controls(app: &App, colors: Colors) -> Option<Element<'_, Message>> {
    let condition = app.condition()?;
    let (pause, hint) = if condition == Condition::Paused {
        (Glyph::Resume, "Go on (Space)")
    } else {
        (Glyph::Pause, "Pause what is shown (Space)")
    };
    let is_live = condition.is_live();
    let is_running = is_live || condition == Condition::Reading;
    let controls = row![
        parts::tool(
            pause,
            hint,
            condition == Condition::Paused,
            is_live.then_some(Message::PauseToggled),
            colors
        ),
        parts::tool(
            Glyph::Stop,
            "Stop (x)",
            false,
            is_running.then_some(Message::StopWanted),
            colors
        ),
    ];
    Some(controls.into())
}

fn view_status(app: &App, colors: Colors) -> Element<'_, Message> {
    let (color, words) = status(app, colors);
    let progress = app.picture().and_then(|picture| {
        let (read, of) = picture.progress?;
        (picture.report.ending == EndState::Running).then(|| {
            let bar = progress_bar(0.0..=1.0, present::share(read, of)).girth(6);
            container(bar).width(160)
        })
    });
    let counts = app
        .picture()
        .map(|picture| parts::small(counts(picture), colors.muted));
    let words = parts::small(words, color).wrapping(Wrapping::None);
    // However much there is to say, the numbers beside it stay.
    let told = row![container(words).clip(true)]
        .push(view_viewpoint(app, colors))
        .spacing(space::M)
        .align_y(Center);
    let line = row![container(told).width(Fill).clip(true)]
        .push(progress)
        .push(counts)
        .push(parts::small("? keys", colors.muted))
        .spacing(space::M)
        .align_y(Center);
    container(line)
        .padding([0.0, space::M])
        .center_y(measure::STATUS)
        .style(style::raised(colors))
        .into()
}

/// Leads to whose capture a file is, beside the text that says it.
fn view_viewpoint(app: &App, colors: Colors) -> Option<Element<'_, Message>> {
    let session = app.session.as_ref().filter(|session| session.is_file())?;
    let has_packets = app.picture()?.report.span.is_some();
    let is_told = session.condition() == Condition::Finished && app.notice.is_none();
    (is_told && has_packets).then(|| parts::link("Change …", Message::ViewpointWanted, colors))
}

/// The text of the status line: the failure, else the last event, else what the page shows.
fn status(app: &App, colors: Colors) -> (Color, String) {
    if let Some(notice) = &app.notice {
        return (colors.text, notice.clone());
    }
    let Some((session, picture)) = app.session.as_ref().zip(app.picture()) else {
        return (colors.muted, "Nothing is captured".to_owned());
    };
    match (&picture.report.ending, session.condition()) {
        (EndState::InputFailed(message), _) => (
            colors.bad,
            format!(
                "{}. What was counted until then is shown.",
                flowner_core::present::capitalized(message)
            ),
        ),
        (EndState::Running, _) if picture.report.interruption.is_some() => {
            let why = picture.report.interruption.as_deref().unwrap_or_default();
            (colors.warn, flowner_core::present::capitalized(why))
        }
        (_, Condition::Paused) => (
            colors.warn,
            "Paused: capturing goes on, what is shown stands still".to_owned(),
        ),
        (_, Condition::Stopped) => (
            colors.muted,
            "Stopped: this is what was captured".to_owned(),
        ),
        _ if picture.report.warning.is_some() => {
            let warning = picture.report.warning.as_deref().unwrap_or_default();
            (colors.warn, flowner_core::present::capitalized(warning))
        }
        _ if session.is_demo() => (
            colors.muted,
            "Demo: this traffic is made up, on a host that does not exist".to_owned(),
        ),
        (_, Condition::Finished) if picture.report.span.is_none() => (
            colors.muted,
            "The file was read to its end; no packet is in it".to_owned(),
        ),
        (_, Condition::Finished) => (
            colors.muted,
            format!(
                "The file was read to its end, {}",
                tell(&session.viewpoint, &picture.report.local_addresses)
            ),
        ),
        _ if picture.report.span.is_none() => (colors.muted, "No packet was seen yet".to_owned()),
        (_, Condition::Reading) => (colors.muted, "The file is being read".to_owned()),
        _ => {
            let since = picture.report.span.map(|(first, _)| present::clock(first));
            let since = since.unwrap_or_default();
            (colors.muted, format!("Capturing since {since}"))
        }
    }
}

/// The numbers of captured packets, of packets in no flow, of missed packets, and of flow ends without
/// a lookup.
fn counts(picture: &Picture) -> String {
    let report = &picture.report;
    let outside = report.packets_of_no_flow();
    let dropped = report.capture.map_or(0, |it| {
        it.dropped_by_kernel.saturating_add(it.dropped_by_interface)
    });
    let mut words = present::counted(report.table.packets.saturating_add(outside), "packet");
    if outside > 0 {
        words = format!("{words}, {} in no flow", present::grouped(outside));
    }
    if dropped > 0 {
        words = format!("{words}, {} dropped", present::grouped(dropped));
    }
    let ends = report.not_looked_up();
    if ends > 0 {
        words = format!("{words}; {} not looked up", present::counted(ends, "owner"));
    }
    words
}
