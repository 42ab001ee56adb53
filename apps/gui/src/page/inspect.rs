//! Every flow, and how its owner is known.

mod columns_sheet;
mod detail;
mod export_sheet;
mod marked;

use std::path::{Path, PathBuf};
use std::time::Duration;

use flowner_core::flows::FlowId;
use flowner_core::present::{self, Column};
use flowner_core::{Filter, FilterError, FlowRecord, Principal, Sort};
use iced::widget::{column, container, row, text_input};
use iced::{Center, Element, Fill, Font};

use self::marked::marked;
use super::Context;
use crate::column::{self, Surroundings};
use crate::export::Format;
use crate::feed::{Picture, Wish};
use crate::keys::Intent;
use crate::picture::Glyph;
use crate::theme::{Colors, size, space, style};
use crate::widget::parts;
use crate::widget::reach::below_sheet;
use crate::widget::table::{Mark, Table};

/// The field in which is searched.
pub const SEARCH: &str = "search";

/// For how long a flow counts as new, or as just over.
const MOMENT: Duration = Duration::from_secs(3);
/// Rows that a page up or down is.
const PAGE: isize = 20;

/// What the page knows.
#[derive(Debug)]
pub struct State {
    query: String,
    error: Option<FilterError>,
    sort: Sort,
    selected: Option<FlowId>,
    /// The row of the flow that is selected, in the picture that is shown.
    row: Option<usize>,
    /// The selected flow in its last known state; it may have left the list.
    flow: Option<Box<FlowRecord>>,
    has_detail: bool,
    sheet: Sheet,
}

/// What is open above the page.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sheet {
    None,
    Columns,
    Export { format: Format, path: String },
}

impl Default for State {
    fn default() -> Self {
        Self {
            query: String::new(),
            error: None,
            sort: Wish::default().sort,
            selected: None,
            row: None,
            flow: None,
            has_detail: true,
            sheet: Sheet::None,
        }
    }
}

#[derive(Debug, Clone)]
pub enum Message {
    QueryChanged(String),
    Sorted(usize),
    Reordered(usize, usize),
    Selected(Option<FlowId>),
    Activated(Option<FlowId>),
    ProgramWanted(Principal),
    DetailToggled,
    ColumnsWanted,
    ColumnToggled(Column),
    ExportWanted,
    FormatChosen(Format),
    PathChanged(String),
    PathWanted,
    Exported,
    SheetClosed,
    Copied(String),
    Cleared,
}

/// What the page cannot do itself.
#[derive(Debug)]
pub enum Action {
    None,
    /// Something else is to be listed.
    Wish,
    OpenProgram(Principal),
    ShowColumns(Vec<Column>),
    Export(Format, PathBuf),
    AskForPath(Format),
    Copy(String),
    CopyRow(usize),
    FocusSearch,
}

impl State {
    /// What is to be listed.
    pub fn wish(&self, wish: &mut Wish) {
        if self.error.is_none() {
            wish.filter = Filter::parse(&self.query).unwrap_or_default();
        }
        wish.sort = self.sort;
        wish.selected = self.selected;
    }

    /// Lists what a filter chooses.
    pub fn search(&mut self, query: String) {
        self.error = Filter::parse(&query).err();
        self.query = query;
    }

    /// Whether a sheet is open.
    pub fn has_sheet(&self) -> bool {
        self.sheet != Sheet::None
    }

    /// The place where what is shown is to be written.
    pub fn choose_path(&mut self, chosen: &Path) {
        if let Sheet::Export { path, .. } = &mut self.sheet {
            *path = chosen.display().to_string();
        }
    }

    /// Takes in what is new.
    pub fn refresh(&mut self, picture: &Picture) {
        // An older picture knows nothing of what was selected since, and has rows all the same.
        self.row = if picture.wish.selected == self.selected {
            picture.selected
        } else {
            self.selected.and_then(|flow| picture.row_of(flow))
        };
        if let Some(flow) = self.row.and_then(|row| picture.listed(row)) {
            self.flow = Some(Box::new(flow.clone()));
        }
    }

    pub fn update(&mut self, message: Message, context: Context<'_>) -> Action {
        let picture = context
            .session
            .and_then(|session| session.picture.as_deref());
        let columns = &context.settings.shown_columns();
        match message {
            Message::QueryChanged(query) => self.search(query),
            Message::Cleared => self.search(String::new()),
            Message::Sorted(place) => {
                if let Some(column) = columns.get(place) {
                    self.sort_by(*column);
                }
            }
            Message::Reordered(from, to) => {
                let all = &context.settings.columns;
                return columns_sheet::reordered(all, columns, from, to);
            }
            Message::Selected(flow) => self.select_flow(flow, picture),
            Message::Activated(flow) => {
                self.select_flow(flow, picture);
                return self.open();
            }
            Message::ProgramWanted(principal) => return Action::OpenProgram(principal),
            Message::DetailToggled => self.has_detail = !self.has_detail,
            Message::ColumnsWanted => self.sheet = Sheet::Columns,
            Message::ColumnToggled(column) => {
                return columns_sheet::toggled(&context.settings.columns, column);
            }
            Message::ExportWanted => self.begin_export(Format::default()),
            Message::FormatChosen(format) => self.begin_export(format),
            Message::PathChanged(path) => self.choose_path(path.as_ref()),
            Message::PathWanted => {
                if let Sheet::Export { format, .. } = self.sheet {
                    return Action::AskForPath(format);
                }
            }
            Message::Exported => {
                if let Sheet::Export { format, path } =
                    std::mem::replace(&mut self.sheet, Sheet::None)
                {
                    return Action::Export(format, path.into());
                }
            }
            Message::SheetClosed => self.sheet = Sheet::None,
            Message::Copied(text) => return Action::Copy(text),
        }
        Action::Wish
    }

    /// What a key does here.
    pub fn intend(&mut self, intent: Intent, context: Context<'_>) -> Action {
        let picture = context
            .session
            .and_then(|session| session.picture.as_deref());
        let last = picture.map_or(0, |picture| picture.listed.len().saturating_sub(1));
        let step = |by: isize| self.row.map_or(0, |row| row.saturating_add_signed(by));
        let row = match intent {
            Intent::Up => step(-1),
            Intent::Down => step(1),
            Intent::PageUp => step(-PAGE),
            Intent::PageDown => step(PAGE),
            Intent::First => 0,
            Intent::Last => last,
            Intent::Open if matches!(self.sheet, Sheet::Export { .. }) => {
                return self.update(Message::Exported, context);
            }
            Intent::Open => return self.open(),
            Intent::Copy => return self.row.map_or(Action::None, Action::CopyRow),
            Intent::Search => return Action::FocusSearch,
            Intent::Export => return self.update(Message::ExportWanted, context),
            Intent::Columns => return self.update(Message::ColumnsWanted, context),
            Intent::Detail => return self.update(Message::DetailToggled, context),
            Intent::SortNext => return self.sort_beside(1, &context.settings.shown_columns()),
            Intent::SortPrevious => return self.sort_beside(-1, &context.settings.shown_columns()),
            Intent::SortReverse => {
                self.sort.descending = !self.sort.descending;
                return Action::Wish;
            }
            Intent::Leave => {
                self.leave();
                return Action::Wish;
            }
            _ => return Action::None,
        };
        self.select(row.min(last), picture);
        Action::Wish
    }

    /// Closes what is open, else takes back what was selected, else what was searched.
    fn leave(&mut self) {
        if self.sheet != Sheet::None {
            self.sheet = Sheet::None;
        } else if self.selected.is_some() {
            self.selected = None;
            self.row = None;
            self.flow = None;
        } else {
            self.search(String::new());
        }
    }

    fn select(&mut self, row: usize, picture: Option<&Picture>) {
        let flow = picture.and_then(|picture| picture.listed(row));
        self.row = flow.map(|_| row);
        self.selected = flow.map(|flow| flow.id);
        self.flow = flow.map(|flow| Box::new(flow.clone()));
    }

    /// Selects the flow that was clicked, wherever it stands by now; it may be gone.
    fn select_flow(&mut self, flow: Option<FlowId>, picture: Option<&Picture>) {
        let row = flow.and_then(|flow| picture?.row_of(flow));
        if let Some(row) = row {
            self.select(row, picture);
        }
    }

    fn open(&self) -> Action {
        let principal = self
            .flow
            .as_deref()
            .map(FlowRecord::named_principal)
            .cloned();
        principal.map_or(Action::None, Action::OpenProgram)
    }

    fn sort_by(&mut self, column: Column) {
        let key = column.sort_key();
        let is_again = self.sort.key == key;
        // A young flow has a small age, but a late first packet.
        self.sort = Sort {
            key,
            descending: if is_again {
                !self.sort.descending
            } else {
                column.greatest_first()
            },
        };
    }

    fn sort_beside(&mut self, by: isize, columns: &[Column]) -> Action {
        let place = self
            .sorted(columns)
            .map_or(0, |(place, _)| place.wrapping_add_signed(by));
        if let Some(column) = columns.get(place) {
            self.sort_by(*column);
        }
        Action::Wish
    }

    /// The column that is sorted by, and whether its greatest come first.
    fn sorted(&self, columns: &[Column]) -> Option<(usize, bool)> {
        let is_sorted = |column: &Column| column.sort_key() == self.sort.key;
        Some((columns.iter().position(is_sorted)?, self.sort.descending))
    }

    fn begin_export(&mut self, format: Format) {
        let path = crate::export::usual_place(format).display().to_string();
        self.sheet = Sheet::Export { format, path };
    }

    pub fn view<'a>(&'a self, context: Context<'a>, picture: &'a Picture) -> Element<'a, Message> {
        let colors = context.colors;
        let list = if picture.listed.is_empty() {
            Self::view_nothing(picture, colors)
        } else {
            self.view_table(context, picture)
        };
        let flow = self.flow.as_deref().filter(|_| self.has_detail);
        let detail = flow.map(|flow| {
            let pane = detail::view(flow, context, picture);
            row![parts::stile(colors), container(pane).width(298)]
        });
        let page = column![
            self.view_bar(picture, colors),
            parts::rule(colors),
            row![list].push(detail).height(Fill),
        ];
        let sheet = match &self.sheet {
            Sheet::None => None,
            Sheet::Columns => Some(columns_sheet::view(&context.settings.columns, colors)),
            Sheet::Export { format, path } => {
                let flows = picture.listed.len();
                Some(export_sheet::view(*format, path, flows, colors))
            }
        };
        let page = below_sheet(page, sheet.is_some());
        let sheet = sheet.map(|sheet| parts::above(sheet, Message::SheetClosed));
        iced::widget::stack![page].push(sheet).into()
    }

    fn view_bar<'a>(&'a self, picture: &Picture, colors: Colors) -> Element<'a, Message> {
        let field = text_input(
            "Search: firefox, name:example.com, port:443, host:10.0.0.0/8, !dir:loopback, bytes>1M",
            &self.query,
        )
        .id(SEARCH)
        .on_input(Message::QueryChanged)
        .size(size::BODY)
        .padding([5.0, space::S])
        .style(style::field(colors, self.error.is_some()));
        let found = format!(
            "{} of {}",
            present::grouped(picture.listed.len() as u64),
            present::grouped(picture.report.flows.len() as u64)
        );
        let clear = (!self.query.is_empty())
            .then(|| parts::tool(Glyph::Close, "Clear", false, Some(Message::Cleared), colors));
        let bar = row![parts::icon(Glyph::Search, colors.muted), field]
            .push(clear)
            .push(
                container(parts::small(found, colors.muted))
                    .width(124)
                    .align_right(124),
            )
            .push(parts::tool(
                Glyph::Columns,
                "Columns (c)",
                false,
                Some(Message::ColumnsWanted),
                colors,
            ))
            .push(parts::tool(
                Glyph::Export,
                "Export (e)",
                false,
                Some(Message::ExportWanted),
                colors,
            ))
            .push(parts::tool(
                Glyph::Detail,
                "Details (d)",
                self.has_detail,
                Some(Message::DetailToggled),
                colors,
            ))
            .spacing(space::S)
            .align_y(Center);
        let bar = container(bar).padding([space::S, space::M]);
        column![bar].push(self.view_error(colors)).into()
    }

    /// What is wrong with the filter, with a mark below the character.
    fn view_error(&self, colors: Colors) -> Option<Element<'_, Message>> {
        let error = self.error.as_ref()?;
        let words = column![
            parts::small(error.message.clone(), colors.bad),
            parts::words(marked(error))
                .size(size::SMALL)
                .font(Font::MONOSPACE)
                .color(colors.text),
        ]
        .spacing(2);
        Some(
            container(words)
                .padding(iced::padding::left(38).bottom(space::S))
                .into(),
        )
    }

    fn view_nothing<'a>(picture: &Picture, colors: Colors) -> Element<'a, Message> {
        if picture.report.flows.is_empty() {
            let (headline, advice) = crate::nothing::no_flows(&picture.report);
            return parts::nothing(headline, advice, None, colors);
        }
        let clear = parts::press("Clear the search", false, Some(Message::Cleared), colors);
        let advice = format!(
            "This search matches none of {}.",
            present::counted(picture.report.flows.len() as u64, "flow")
        );
        parts::nothing("Nothing matches", advice, Some(clear), colors)
    }

    fn view_table<'a>(
        &'a self,
        context: Context<'a>,
        picture: &'a Picture,
    ) -> Element<'a, Message> {
        let columns = context.settings.shown_columns();
        let sorted = self.sorted(&columns);
        let flow_in = |row: usize| picture.listed(row).map(|flow| flow.id);
        table(context, picture, columns)
            .sorted(sorted)
            .selected(self.row)
            .on_select(move |row, _| Message::Selected(flow_in(row)))
            .on_activate(move |row| Message::Activated(flow_in(row)))
            .on_sort(Message::Sorted)
            .on_reorder(Message::Reordered)
            .on_copy(Message::Copied)
            .into()
    }
}

/// The table of the flows that are listed.
fn table<'a>(
    context: Context<'a>,
    picture: &'a Picture,
    columns: Vec<Column>,
) -> Table<'a, Message> {
    let around = Surroundings {
        now: picture.report.now,
        unit: context.settings.unit,
        pictures: context.pictures,
    };
    let heads = columns.iter().map(|column| column::head(*column)).collect();
    let cell = move |row: usize, place: usize| {
        let flow = picture.listed(row).zip(columns.get(place));
        flow.map(|(flow, column)| column::cell(*column, flow, around))
            .unwrap_or_default()
    };
    let is_live = picture.report.input.is_live;
    Table::new(context.colors, heads, picture.listed.len(), cell)
        .version(version(picture.report.now))
        .key(|row| {
            picture
                .listed(row)
                .map_or(u64::MAX, |flow| flow.id.as_u64())
        })
        .mark(move |row| {
            picture
                .listed(row)
                .map_or(Mark::None, |flow| mark(flow, around.now, is_live))
        })
}

/// Changes with every report.
pub fn version(now: Duration) -> u64 {
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// What is special about a flow.
pub fn mark(flow: &FlowRecord, now: Duration, is_live: bool) -> Mark {
    let is_over = flow.ended.is_some() || flow.state == flowner_core::flows::State::Closed;
    if is_over {
        let is_just = is_live && now.saturating_sub(flow.last_seen) < MOMENT;
        return if is_just { Mark::Leaving } else { Mark::Over };
    }
    if is_live && now.saturating_sub(flow.first_seen) < MOMENT {
        Mark::New
    } else {
        Mark::None
    }
}

#[cfg(test)]
mod tests;
