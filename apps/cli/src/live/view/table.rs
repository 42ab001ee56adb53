//! Draws the rows.

use flowner_core::Principal;
use flowner_core::present::Column as Of;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::cells;
use super::theme::Theme;
use super::{line, put};
use crate::live::columns::{Column, Spec, places};
use crate::live::data::{Data, Fact, Item, Observed, RowSubject};
use crate::live::state::{Areas, Line, State};

pub(super) fn draw(buffer: &mut Buffer, areas: &Areas, state: &State, theme: Theme) {
    let Some(data) = &state.data else {
        put(
            buffer,
            line(areas.rows, 0),
            1,
            "waiting for the first data…",
            theme.faint(),
        );
        return;
    };
    let columns: Vec<_> = places(state.tab, data.has_bytes(), areas.titles).collect();
    titles(buffer, areas.titles, state, &columns, theme);
    if state.lines.is_empty() {
        put(
            buffer,
            line(areas.rows, 0),
            1,
            nothing(state, data),
            theme.faint(),
        );
        return;
    }
    let frozen = usize::from(areas.frozen.height);
    let table = Table {
        data,
        state,
        columns: &columns,
        theme,
    };
    table.rows(
        buffer,
        areas.frozen,
        &state.lines[..frozen.min(state.lines.len())],
    );
    let start = (frozen + state.view().offset).min(state.lines.len());
    table.rows(buffer, areas.rows, &state.lines[start..]);
}

fn nothing(state: &State, data: &Data) -> &'static str {
    match (&data.facts, state.filter.is_empty()) {
        (_, false) => "nothing passes the filter; Esc shows everything",
        (Observed::Flows(_), true) => "no traffic yet",
        (Observed::Sockets(_), true) => "no sockets",
    }
}

fn titles(buffer: &mut Buffer, area: Rect, state: &State, columns: &[Placed], theme: Theme) {
    let view = state.view();
    for (spec, x, width) in columns {
        let is_sorted = spec.column == view.sort;
        let mark = match (is_sorted, view.is_descending) {
            (false, _) => "",
            (true, true) => "▼",
            (true, false) => "▲",
        };
        // As with the units below, the mark takes the place of the narrow one.
        let title = match spec.column {
            Column::Of(Of::Received) if is_sorted => format!("RECV{mark}"),
            _ => format!("{}{mark}", spec.title),
        };
        let style = if is_sorted {
            theme.sorted()
        } else {
            theme.titles()
        };
        let text = cells::fit(&title, usize::from(*width), spec.is_number());
        put(buffer, area, *x, &text, style);
    }
}

/// A column with its position and width.
type Placed = (Spec, u16, u16);

struct Table<'a> {
    data: &'a Data,
    state: &'a State,
    columns: &'a [Placed],
    theme: Theme,
}

impl Table<'_> {
    fn rows(&self, buffer: &mut Buffer, area: Rect, lines: &[Line]) {
        for (number, row) in (0..area.height).zip(lines) {
            self.row(buffer, line(area, number), row);
        }
    }

    fn row(&self, buffer: &mut Buffer, area: Rect, row: &Line) {
        let is_selected = self.state.view().selected == Some(row.id);
        let base = self.style(row);
        let is_frozen = row.depth == 0 && self.state.frozen.contains(&row.id);
        let mark = match (is_selected, is_frozen) {
            (_, true) => "*",
            (true, false) => ">",
            (false, false) => " ",
        };
        put(buffer, area, area.x, mark, self.theme.strong());
        for (number, (spec, x, width)) in self.columns.iter().enumerate() {
            let mut text = self.cell(row, spec.column);
            if number == 0 {
                text = tree(row, &text);
            }
            let room = usize::from(*width);
            let text = match spec.column {
                Column::Of(Of::Remote) => self
                    .fit_name(row, room)
                    .unwrap_or_else(|| cells::fit_address(&text, room)),
                Column::Of(Of::Local) => cells::fit_address(&text, room),
                _ => cells::fit(&text, room, spec.is_number()),
            };
            let style = self.cell_style(base, spec.column, &text);
            put(buffer, area, *x, &text, style);
        }
        if is_selected {
            buffer.set_style(area, self.theme.selected());
        }
    }

    fn cell(&self, row: &Line, column: Column) -> String {
        if let Some(node) = self.state.node(row) {
            return cells::of_node(node, column, self.state.shows_names);
        }
        let item = self.state.item(row);
        item.map(|item| cells::of_item(self.data, item, column, self.state.shows_names))
            .unwrap_or_default()
    }

    /// The name of a row's remote end, if it is shown by its name.
    fn fit_name(&self, row: &Line, room: usize) -> Option<String> {
        let item = self.state.item(row).filter(|_| self.state.shows_names)?;
        cells::fit_name(&self.data.row(item)?, room)
    }

    fn style(&self, row: &Line) -> Style {
        if let Some(node) = self.state.node(row) {
            return match &node.subject {
                RowSubject::Program(Principal::Unattributed) => self.theme.unknown(),
                RowSubject::Process(_) if self.is_over(&node.items) => self.theme.faint(),
                _ => Style::new(),
            };
        }
        let Some(item) = self.state.item(row) else {
            return Style::new();
        };
        let is_over = match self.data.fact(item) {
            Some(crate::live::data::Fact::Flow(flow)) => {
                flow.ended.is_some() || flow.state.has_ended()
            }
            _ => false,
        };
        match (is_over, cells::is_unknown(self.data, item)) {
            (true, _) => self.theme.faint(),
            (false, true) => self.theme.unknown(),
            (false, false) => Style::new(),
        }
    }

    /// Whether all of these have ended.
    fn is_over(&self, items: &[Item]) -> bool {
        items.iter().all(|item| match self.data.fact(item) {
            Some(Fact::Flow(flow)) => flow.ended.is_some() || flow.state.has_ended(),
            _ => false,
        })
    }

    /// Rates stand out if there are any.
    fn cell_style(&self, base: Style, column: Column, text: &str) -> Style {
        let is_idle = text.trim_start().starts_with('-');
        match column {
            Column::Of(Of::Up | Of::Down | Of::Rate)
            | Column::Count
            | Column::Listening
            | Column::Connected
                if is_idle =>
            {
                self.theme.faint()
            }
            Column::Of(Of::Up) => self.theme.up(),
            Column::Of(Of::Down) | Column::Trend => self.theme.down(),
            _ => base,
        }
    }
}

/// A name with its indentation in the tree.
fn tree(row: &Line, text: &str) -> String {
    let indent = " ".repeat(row.depth.into());
    let mark = match (row.is_open, row.depth) {
        (Some(true), _) => "▼ ",
        (Some(false), _) => "► ",
        (None, 0) => "",
        (None, _) => " ",
    };
    format!("{indent}{mark}{text}")
}
