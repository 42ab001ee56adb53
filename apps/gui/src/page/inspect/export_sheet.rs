//! Where what is shown is written to.

use flowner_core::present;
use iced::widget::{column, container, row, text_input};
use iced::{Center, Element, Fill};

use super::Message;
use crate::export::Format;
use crate::theme::{Colors, size, space, style};
use crate::widget::parts;

pub(super) fn view(
    chosen: Format,
    path: &str,
    flows: usize,
    colors: Colors,
) -> Element<'_, Message> {
    let formats = [Format::Csv, Format::Json]
        .map(|it| parts::tab(it.name(), it == chosen, Message::FormatChosen(it), colors));
    let field = text_input("A file", path)
        .on_input(Message::PathChanged)
        .on_submit(Message::Exported)
        .size(size::BODY)
        .padding([5.0, space::S])
        .width(Fill)
        .style(style::field(colors, path.is_empty()));
    let words = format!(
        "{}, as chosen and sorted. A file of this name is replaced.",
        present::counted(flows as u64, "flow")
    );
    let ready = (!path.is_empty()).then_some(Message::Exported);
    let sheet = column![
        parts::title("Export", colors),
        row(formats).spacing(space::XS),
        row![
            field,
            parts::press("Choose …", false, Some(Message::PathWanted), colors)
        ]
        .spacing(space::S)
        .align_y(Center),
        parts::small(words, colors.muted),
        row![
            parts::press("Write", true, ready, colors),
            parts::press("Cancel", false, Some(Message::SheetClosed), colors),
        ]
        .spacing(space::S),
    ]
    .spacing(space::S);
    container(sheet)
        .max_width(560)
        .padding(space::M)
        .style(style::sheet(colors))
        .into()
}
