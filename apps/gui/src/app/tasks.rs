//! What takes longer than a moment, or happens elsewhere: it answers with a message.

use flowner_core::{doctor, privileges};
use iced::Task;
use iced::widget::scrollable::AbsoluteOffset;

use super::Message;
use crate::export::{self, Format};
use crate::keys::Intent;
use crate::page::{inspect, viewpoint};
use crate::theme::measure;

/// Looks what works here, which takes a moment.
pub(super) fn check_up() -> Task<Message> {
    let examine = async {
        let program = std::env::current_exe().unwrap_or_else(|_| "flowner-gui".into());
        privileges::raised(|| doctor::examine(&program))
    };
    Task::perform(examine, Message::CheckedUp)
}

pub(super) fn focus_search() -> Task<Message> {
    iced::widget::operation::focus(inspect::SEARCH)
}

pub(super) fn focus_viewpoint() -> Task<Message> {
    iced::widget::operation::focus(viewpoint::FIELD)
}

/// Gives the keys to the next button or field.
pub(super) fn reach_next() -> Task<Message> {
    iced::widget::operation::focus_next().chain(Task::done(Message::Reached))
}

/// Gives the keys to the button or field before.
pub(super) fn reach_previous() -> Task<Message> {
    iced::widget::operation::focus_previous().chain(Task::done(Message::Reached))
}

/// Moves what does not fit into the window, as a key asks for.
pub(super) fn scroll(place: &'static str, intent: Intent) -> Task<Message> {
    /// More lines than anything has.
    const FAR: f32 = 1_000.0;
    let lines = match intent {
        Intent::Up => -1.0,
        Intent::Down => 1.0,
        Intent::PageUp => -10.0,
        Intent::PageDown => 10.0,
        Intent::First => -FAR,
        Intent::Last => FAR,
        _ => return Task::none(),
    };
    let offset = AbsoluteOffset {
        x: 0.0,
        y: lines * measure::ROW,
    };
    iced::widget::operation::scroll_by(place, offset).chain(Task::done(Message::Reached))
}

pub(super) fn ask_for_file() -> Task<Message> {
    let dialog = rfd::AsyncFileDialog::new()
        .set_title("Open a capture file")
        .add_filter("Captures", &["pcap", "pcapng", "cap", "gz", "zst"])
        .add_filter("All files", &["*"]);
    Task::perform(dialog.pick_file(), |file| {
        Message::FileChosen(file.map(|file| file.path().to_owned()))
    })
}

pub(super) fn ask_for_path(format: Format) -> Task<Message> {
    let usual = export::usual_place(format);
    let name = usual.file_name().unwrap_or_default().to_string_lossy();
    let dialog = rfd::AsyncFileDialog::new()
        .set_title("Export flows")
        .set_file_name(name);
    Task::perform(dialog.save_file(), |file| {
        Message::PathChosen(file.map(|file| file.path().to_owned()))
    })
}
