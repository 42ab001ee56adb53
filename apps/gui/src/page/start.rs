//! Where to begin: a device, a file, or the demo.

mod activity;
mod choice;

use std::collections::HashMap;

use flowner_core::Demo;
use flowner_core::doctor::{Checkup, Status};
use iced::widget::text::Wrapping;
use iced::widget::{Space, button, column, container, keyed_column, responsive, row, text_input};
use iced::{Center, Element, Fill};

use activity::{Activity, SPARKS, describe};
pub use choice::{Chosen, Failure};

use super::Context;
use crate::devices::{Look, Looks};
use crate::keys::Intent;
use crate::picture::Glyph;
use crate::session::Origin;
use crate::theme::{Colors, size, space, style};
use crate::widget::parts;
use crate::widget::sparkline::Sparkline;
use crate::widget::table::key_of;

/// Below this width, what else can be opened stands below the devices.
const NARROW: f32 = 800.0;
/// Below this width, devices have no sparklines.
const SPARSE: f32 = 560.0;

/// What the page knows.
#[derive(Debug, Default)]
pub struct State {
    looks: Option<Looks>,
    /// What devices carried in each of the last seconds, oldest first.
    activity: HashMap<String, Activity>,
    selected: Chosen,
    capture_filter: String,
    /// The file that is typed.
    path: String,
    checkup: Option<Checkup>,
    /// Why the last try failed.
    failure: Option<Failure>,
}

#[derive(Debug, Clone)]
pub enum Message {
    Looked(Looks),
    CheckedUp(Checkup),
    Selected(Chosen),
    CaptureFilterChanged(String),
    DeviceChosen(Chosen),
    FileWanted,
    PathChanged(String),
    PathEntered,
    DemoChosen,
    Copied(String),
}

/// What the page cannot do itself.
#[derive(Debug)]
pub enum Action {
    None,
    Watch(Origin, Option<String>),
    AskForFile,
    Copy(String),
}

impl State {
    /// Starts with a capture filter that was typed before.
    pub fn new(capture_filter: Option<String>) -> Self {
        Self {
            capture_filter: capture_filter.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// What was chosen could not be watched.
    pub fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
    }

    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::Looked(looks) => self.look(looks),
            Message::CheckedUp(checkup) => self.checkup = Some(checkup),
            Message::Selected(chosen) => self.selected = chosen,
            Message::CaptureFilterChanged(text) => {
                self.capture_filter = text;
                self.failure = None;
            }
            Message::DeviceChosen(chosen) => {
                self.selected = chosen.clone();
                return self.watch(chosen);
            }
            Message::FileWanted => return Action::AskForFile,
            Message::PathChanged(text) => {
                self.path = text;
                self.failure = None;
            }
            Message::PathEntered => return self.open_path(),
            Message::DemoChosen => return Action::Watch(Origin::Demo(Demo::Live), None),
            Message::Copied(text) => return Action::Copy(text),
        }
        Action::None
    }

    /// What a key does here.
    pub fn intend(&mut self, intent: Intent) -> Action {
        let step = match intent {
            Intent::Up => -1,
            Intent::Down => 1,
            Intent::Open => {
                let chosen = self.selected.clone();
                return if self.lists(&chosen) {
                    self.watch(chosen)
                } else {
                    Action::None
                };
            }
            _ => return Action::None,
        };
        let Some(Ok(looks)) = &self.looks else {
            return Action::None;
        };
        // The first row is that of all devices.
        let is_selected = |look: &Look| self.selected.is(&look.device.name);
        let place = looks.iter().position(is_selected).map_or(0, |it| it + 1);
        let next = place.saturating_add_signed(step).min(looks.len());
        let look = next.checked_sub(1).and_then(|place| looks.get(place));
        self.selected = look.map_or(Chosen::All, |look| Chosen::Device(look.device.name.clone()));
        Action::None
    }

    /// Whether it is there to be watched.
    fn lists(&self, chosen: &Chosen) -> bool {
        let looks = self.looks.as_ref().and_then(|looks| looks.as_ref().ok());
        looks.is_some_and(|looks| match chosen {
            Chosen::All => !looks.is_empty(),
            Chosen::Device(name) => looks.iter().any(|look| look.device.name == *name),
        })
    }

    fn watch(&mut self, chosen: Chosen) -> Action {
        self.failure = None;
        let filter = self.capture_filter.trim();
        let filter = (!filter.is_empty()).then(|| filter.to_owned());
        let names = match chosen {
            Chosen::All => Vec::new(),
            Chosen::Device(name) => vec![name],
        };
        Action::Watch(Origin::Devices(names), filter)
    }

    fn open_path(&mut self) -> Action {
        self.failure = None;
        let path = self.path.trim();
        if path.is_empty() {
            return Action::None;
        }
        let home = std::env::home_dir().unwrap_or_default();
        let path = path
            .strip_prefix("~/")
            .map_or_else(|| path.into(), |rest| home.join(rest));
        Action::Watch(Origin::File(path), None)
    }

    fn look(&mut self, looks: Looks) {
        if let Ok(looks) = &looks {
            for look in looks {
                let activity = self.activity.entry(look.device.name.clone()).or_default();
                activity.add(look.carried);
            }
        }
        self.looks = Some(looks);
    }

    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        responsive(move |room| {
            if room.width < NARROW {
                self.view_narrow(context, room.width)
            } else {
                self.view_wide(context)
            }
        })
        .into()
    }

    fn view_wide<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let colors = context.colors;
        let devices = column![
            row![
                parts::title("Watch a device", colors),
                Space::new().width(Fill),
                self.view_capture_filter(colors),
            ]
            .align_y(Center),
            self.view_failure(colors),
            parts::scroll(self.view_devices(context, true), colors),
            self.view_checkup(colors),
        ]
        .spacing(space::S)
        .width(Fill);
        row![
            devices,
            parts::stile(colors),
            self.view_else(colors).width(286)
        ]
        .spacing(space::L)
        .padding(space::L)
        .height(Fill)
        .into()
    }

    /// All below each other.
    fn view_narrow<'a>(&'a self, context: Context<'a>, width: f32) -> Element<'a, Message> {
        let colors = context.colors;
        let all = column![
            parts::title("Watch a device", colors),
            self.view_capture_filter(colors),
            self.view_failure(colors),
            self.view_devices(context, width >= SPARSE),
            self.view_checkup(colors),
            parts::rule(colors),
            self.view_else(colors),
        ]
        .spacing(space::S)
        .padding(space::M);
        parts::scroll(all, colors)
    }

    /// What there is besides devices.
    fn view_else(&self, colors: Colors) -> iced::widget::Column<'_, Message> {
        column![
            parts::title("Open a capture file", colors),
            parts::body(
                "pcap or pcapng. Drop it anywhere on this window, or choose it. Only files that \
                 `flowner record` wrote have owners.",
                colors.muted
            ),
            parts::press("Open a file …", false, Some(Message::FileWanted), colors),
            // Where the desktop has no dialogs for files, this is the only way.
            text_input("or type its path", &self.path)
                .on_input(Message::PathChanged)
                .on_submit(Message::PathEntered)
                .size(size::BODY)
                .padding([5.0, space::S])
                .style(style::field(colors, false)),
            Space::new().height(space::M),
            parts::title("Look around", colors),
            parts::body(
                "The demo plays made-up traffic of a made-up host. It needs no privilege, and \
                 everything in it works as it does with real traffic.",
                colors.muted
            ),
            parts::press("Play the demo", false, Some(Message::DemoChosen), colors),
        ]
        .spacing(space::S)
    }

    fn view_capture_filter(&self, colors: Colors) -> Element<'_, Message> {
        let is_wrong = self
            .failure
            .as_ref()
            .is_some_and(|failure| failure.is_filter);
        let field = text_input("Capture everything, or: tcp port 443", &self.capture_filter)
            .on_input(Message::CaptureFilterChanged)
            .size(size::BODY)
            .padding([5.0, space::S])
            .width(270)
            .style(style::field(colors, is_wrong));
        parts::hinted(field, "A capture filter of libpcap (pcap-filter)", colors)
    }

    fn view_failure(&self, colors: Colors) -> Option<Element<'_, Message>> {
        let failure = self.failure.as_ref()?;
        Some(parts::body(failure.message.clone(), colors.bad).into())
    }

    fn view_devices<'a>(&'a self, context: Context<'a>, has_sparks: bool) -> Element<'a, Message> {
        let colors = context.colors;
        match &self.looks {
            None => parts::body("Looking for devices …", colors.muted).into(),
            Some(Err(message)) => parts::body(message.clone(), colors.bad).into(),
            Some(Ok(looks)) if looks.is_empty() => parts::body(
                "There is no device that can be captured from.",
                colors.muted,
            )
            .into(),
            Some(Ok(looks)) => {
                // What has the keys or is pressed moves along when others come.
                let devices = looks.iter().map(|look| {
                    let device = self.view_device(look, context, has_sparks);
                    (key_of(&look.device.name), device)
                });
                let all = self.view_all(looks.len(), colors);
                keyed_column(std::iter::once((key_of(&"all devices"), all)).chain(devices))
                    .spacing(2)
                    .padding(iced::padding::right(space::M))
                    .into()
            }
        }
    }

    /// The row of all devices.
    fn view_all(&self, count: usize, colors: Colors) -> Element<'_, Message> {
        let about = column![
            parts::body("All devices", colors.text).font(crate::theme::STRONG),
            parts::small(
                format!("the {count} below, and those that come later"),
                colors.muted
            )
            .wrapping(Wrapping::None)
        ]
        .spacing(2);
        let inside = row![
            parts::icon(Glyph::Device, colors.text),
            about.width(Fill).clip(true),
            container(self.view_go(&Chosen::All, colors))
                .width(80)
                .align_right(80),
        ]
        .spacing(space::M)
        .align_y(Center)
        .height(44);
        button(inside)
            .padding([2.0, space::S])
            .width(Fill)
            .on_press(Message::Selected(Chosen::All))
            .style(style::quiet(colors, self.selected == Chosen::All))
            .into()
    }

    /// The button that watches what is selected, where this is.
    fn view_go<'a>(&self, chosen: &Chosen, colors: Colors) -> Element<'a, Message> {
        if self.selected == *chosen {
            let message = Message::DeviceChosen(chosen.clone());
            parts::press("Watch", true, Some(message), colors)
        } else {
            Space::new().width(70).into()
        }
    }

    fn view_device<'a>(
        &'a self,
        look: &'a Look,
        context: Context<'a>,
        has_sparks: bool,
    ) -> Element<'a, Message> {
        let colors = context.colors;
        let device = &look.device;
        let chosen = Chosen::Device(device.name.clone());
        let is_selected = self.selected == chosen;
        let activity = self.activity.get(&device.name);
        let now = activity.and_then(|activity| activity.carried.last().copied());
        let line = Sparkline::new(
            activity
                .map(|activity| activity.carried.clone())
                .unwrap_or_default(),
            SPARKS,
            if now.unwrap_or(0) > 0 {
                colors.accent
            } else {
                colors.line
            },
        );
        let rate = now.map_or_else(String::new, |now| {
            context.settings.unit.rate(now).to_string()
        });
        let name = row![parts::body(device.name.clone(), colors.text).font(crate::theme::STRONG)]
            .push(
                look.is_likely
                    .then(|| parts::badge("likely", colors.accent, colors)),
            )
            .spacing(space::S)
            .align_y(Center);
        let about = column![
            name,
            parts::small(describe(device), colors.muted).wrapping(Wrapping::None)
        ]
        .spacing(2);
        let go = self.view_go(&chosen, colors);
        let inside = row![
            parts::icon(
                Glyph::Device,
                if device.is_running() {
                    colors.text
                } else {
                    colors.muted
                }
            ),
            about.width(Fill).clip(true),
        ]
        .push(has_sparks.then(|| line.view(110.0, 26.0)))
        .push(
            container(parts::small(rate, colors.muted))
                .width(74)
                .align_right(74),
        )
        .push(container(go).width(80).align_right(80))
        .spacing(space::M)
        .align_y(Center)
        .height(44);
        button(inside)
            .padding([2.0, space::S])
            .width(Fill)
            .on_press(Message::Selected(chosen))
            .style(style::quiet(colors, is_selected))
            .into()
    }

    /// What is missing for full attribution, and how to get it, in one line.
    fn view_checkup(&self, colors: Colors) -> Option<Element<'_, Message>> {
        let checkup = self.checkup.as_ref()?;
        let worst = checkup.checks.iter().min_by_key(|check| check.status)?;
        let (color, words) = match worst.status {
            Status::Good => (
                colors.good,
                "Everything can be captured and attributed here.".to_owned(),
            ),
            Status::Limited | Status::Unusable => {
                let color = if worst.status == Status::Unusable {
                    colors.bad
                } else {
                    colors.warn
                };
                (
                    color,
                    format!(
                        "{}: {}.",
                        flowner_core::present::capitalized(worst.name),
                        worst.detail
                    ),
                )
            }
        };
        let dot = container(Space::new().width(8).height(8)).style(move |_| container::Style {
            background: Some(color.into()),
            border: iced::border::rounded(4),
            ..container::Style::default()
        });
        let mut lines = column![
            parts::rule(colors),
            row![dot, parts::small(words, colors.text).width(Fill)]
                .spacing(space::S)
                .align_y(Center),
        ]
        .spacing(space::S);
        if worst.status != Status::Good && !checkup.commands.is_empty() {
            let command = checkup.commands.join(" && ");
            let copy = Message::Copied(command.clone());
            lines = lines.push(
                row![
                    parts::small("To allow it:", colors.text),
                    parts::small(command, colors.muted).width(Fill),
                    parts::tool(Glyph::Copy, "Copy the command", false, Some(copy), colors),
                ]
                .spacing(space::S)
                .align_y(Center),
            );
        }
        Some(lines.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activity_is_the_difference_between_looks() {
        let mut activity = Activity::default();
        for carried in [Some(100), Some(150), None, Some(150), Some(20)] {
            activity.add(carried);
        }
        assert_eq!(activity.carried, [50, 0, 0]);
        for carried in 0..100 {
            activity.add(Some(carried));
        }
        assert_eq!(activity.carried.len(), SPARKS);
    }
}
