//! Which columns the table of flows has.

use flowner_core::present::Column;
use iced::Element;
use iced::widget::{Space, button, column as stacked, container, row};

use super::{Action, Message};
use crate::column;
use crate::theme::{Colors, space, style};
use crate::widget::parts;
use crate::widget::reach::reached;

/// How wide the name of a column is among those to choose from.
const CHOICE: f32 = 98.0;

/// The sheet.
pub(super) fn view<'a>(shown: &[Column], colors: Colors) -> Element<'a, Message> {
    let choice = |column: Column| {
        let is_shown = shown.contains(&column);
        let mark = if is_shown { "✓" } else { "" };
        let inside = row![
            container(parts::body(mark, colors.accent)).width(18),
            parts::body(
                column.title(),
                if is_shown { colors.text } else { colors.muted }
            ),
        ];
        let toggled = Message::ColumnToggled(column);
        let pressed = button(inside)
            .width(CHOICE)
            .padding([space::XS, space::XS])
            .on_press(toggled.clone())
            .style(style::quiet(colors, false));
        reached(pressed, Some(toggled), colors.accent)
    };
    // Without space between the lines: they fit into the lowest window, with the button below.
    let choices = row(column::all().map(choice)).wrap();
    let sheet = stacked![
        parts::title("Columns", colors),
        parts::small(
            "Drag the heads of the table to change the order.",
            colors.muted
        ),
    ]
    .push(choices)
    .push(Space::new().height(space::XS))
    .push(parts::press(
        "Done",
        true,
        Some(Message::SheetClosed),
        colors,
    ))
    .spacing(space::XS);
    container(sheet)
        .max_width(5.0 * CHOICE + 2.0 * space::M)
        .padding(space::M)
        .style(style::sheet(colors))
        .into()
}

/// All columns with one at the place of another one; both places are those among the ones that are
/// shown now.
pub(super) fn reordered(all: &[Column], shown: &[Column], from: usize, to: usize) -> Action {
    let mut columns = all.to_vec();
    let place = |shown_at: usize| {
        let column = shown.get(shown_at)?;
        let found = all.iter().position(|it| it == column);
        // It may stand in the place of another one.
        found.or_else(|| all.iter().position(|it| !shown.contains(it)))
    };
    if let Some((from, to)) = place(from).zip(place(to)) {
        let column = columns.remove(from);
        columns.insert(to, column);
    }
    Action::ShowColumns(columns)
}

/// The columns with one more or less; one stays.
pub(super) fn toggled(columns: &[Column], column: Column) -> Action {
    let mut columns = columns.to_vec();
    match columns.iter().position(|shown| *shown == column) {
        Some(place) if columns.len() > 1 => {
            columns.remove(place);
        }
        Some(_) => {}
        None => columns.push(column),
    }
    Action::ShowColumns(columns)
}
