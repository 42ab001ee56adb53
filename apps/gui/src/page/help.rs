//! What keys do.

use iced::Element;
use iced::widget::{column, container, row, scrollable};

use crate::keys::{SHORTCUTS, Shortcut};
use crate::theme::{Colors, space, style};
use crate::widget::parts;

/// What is scrolled where it does not fit.
pub const SHEET: &str = "help";

/// The sheet.
pub fn view<'a, Message: Clone + 'a>(close: Message, colors: Colors) -> Element<'a, Message> {
    let groups = SHORTCUTS.iter().map(|(name, shortcuts)| {
        let lines = shortcuts.iter().map(|shortcut| line(shortcut, colors));
        column![parts::caption(*name, colors)]
            .extend(lines)
            .spacing(6)
            .width(214)
            .into()
    });
    let sheet = column![
        parts::title("Keys", colors),
        row(groups).spacing(space::L).wrap(),
        parts::small(
            "A right click copies the text of a cell. Drag in the chart to choose a part of \
             the time.",
            colors.muted
        ),
    ]
    .spacing(space::M);
    // In a small window, what does not fit is scrolled to.
    let sheet = scrollable(container(sheet).padding(space::L))
        .id(SHEET)
        .direction(parts::upright())
        .style(style::scroll(colors));
    let sheet = container(sheet).style(style::sheet(colors));
    parts::above(sheet, close)
}

fn line<'a, Message: 'a>(shortcut: &Shortcut, colors: Colors) -> Element<'a, Message> {
    row![
        container(parts::body(shortcut.keys, colors.text).font(crate::theme::STRONG)).width(64),
        parts::body(shortcut.does, colors.muted),
    ]
    .into()
}
