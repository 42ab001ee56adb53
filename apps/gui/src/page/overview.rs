//! Who is using the network now, and how much; and how much of it is known.

mod figures;
mod lists;
mod ranking;
mod span;
#[cfg(test)]
mod tests;

use flowner_core::present::{self, Unit};
use flowner_core::{Coverage, HostGroup, Principal, Service};
use iced::widget::{Row as Line, Space, column, container, responsive, row};
use iced::{Center, Element, Fill};

use self::ranking::{PROGRAM_HEADS, Row, color_of, paint, program_cell, rows, rows_of};
pub use self::span::Span;
use super::Context;
use crate::feed::Picture;
use crate::hosts::HostsBy;
use crate::keys::Intent;
use crate::query;
use crate::theme::palette::SERIES;
use crate::theme::{Colors, space};
use crate::widget::chart::{Chart, Layers, Range};
use crate::widget::parts;
use crate::widget::table::{Table, key_of};

/// Below this width, lists do not stand beside each other.
const NARROW: f32 = 920.0;
/// Below this height there is no chart above a list.
const LOW: f32 = 260.0;
/// The height of a line with tabs.
const HEAD: f32 = 28.0;
/// Steps of the chart, at most.
const STEPS: usize = 360;

/// What programs are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// What they move now.
    Now,
    /// What they moved since the beginning.
    Ever,
}

/// What is listed where there is room for one list only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum List {
    #[default]
    Programs,
    Hosts,
    Services,
    Owners,
}

impl List {
    const ALL: [Self; 4] = [Self::Programs, Self::Hosts, Self::Services, Self::Owners];

    const fn name(self) -> &'static str {
        match self {
            Self::Programs => "Programs",
            Self::Hosts => "Hosts",
            Self::Services => "Services",
            Self::Owners => "Owners",
        }
    }
}

/// What the page knows.
#[derive(Debug)]
pub struct State {
    span: Span,
    order: Order,
    list: List,
    range: Option<Range>,
    layers: Layers,
    /// Who has which colour; kept while they are among the first, so that colours stay.
    painted: [Option<Principal>; SERIES],
    rows: Vec<Row>,
    /// Counts up with every picture.
    version: u64,
    selected: Option<Ranked>,
    /// Whether the file was read to its end, after which nothing is live.
    is_settled: bool,
}

/// What a row of the programs stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ranked {
    Principal(Principal),
    /// All that found no place in a list that was full.
    Others,
}

impl Ranked {
    fn of(row: &Row) -> Self {
        row.principal.clone().map_or(Self::Others, Self::Principal)
    }

    fn is(&self, row: &Row) -> bool {
        match self {
            Self::Principal(principal) => row.principal.as_ref() == Some(principal),
            Self::Others => row.principal.is_none(),
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            span: Span::default(),
            order: Order::Now,
            list: List::default(),
            range: None,
            layers: Layers::default(),
            painted: [const { None }; SERIES],
            rows: Vec::new(),
            version: 0,
            selected: None,
            is_settled: false,
        }
    }
}

#[derive(Debug, Clone)]
pub enum Message {
    SpanChosen(Span),
    OrderChosen(Order),
    ListChosen(List),
    RangeSelected(Option<Range>),
    /// In a column.
    ProgramChosen(Option<Principal>, usize),
    HostChosen(Option<HostGroup>),
    HostsByChosen(HostsBy),
    ServiceChosen(Option<Service>),
    CoverageChosen(Option<Coverage>),
    Copied(String),
}

/// What the page cannot do itself.
#[derive(Debug)]
pub enum Action {
    None,
    /// What is shown must be computed again.
    Refresh,
    Inspect(String),
    OpenProgram(Principal),
    ListHostsBy(HostsBy),
    Copy(String),
}

impl State {
    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::SpanChosen(span) => self.span = span,
            Message::OrderChosen(order) => self.order = order,
            Message::ListChosen(list) => self.list = list,
            Message::RangeSelected(range) => self.range = range,
            Message::ProgramChosen(principal, column) => return choose_program(principal, column),
            Message::HostChosen(host) => {
                let query = host.as_ref().and_then(query::of_host);
                return query.map_or(Action::None, Action::Inspect);
            }
            Message::HostsByChosen(by) => return Action::ListHostsBy(by),
            Message::ServiceChosen(service) => {
                return service.map_or(Action::None, |it| Action::Inspect(query::of_service(it)));
            }
            Message::CoverageChosen(coverage) => {
                let query = coverage.and_then(query::of_coverage);
                return query.map_or(Action::None, Action::Inspect);
            }
            Message::Copied(text) => return Action::Copy(text),
        }
        Action::Refresh
    }

    /// What a key does here.
    pub fn intend(&mut self, intent: Intent) -> Action {
        let last = self.rows.len().saturating_sub(1);
        let selected = self.selected_row();
        let step = |by: isize| selected.map_or(0, |row| row.saturating_add_signed(by));
        let row = match intent {
            Intent::Up => step(-1),
            Intent::Down => step(1),
            Intent::PageUp => step(-10),
            Intent::PageDown => step(10),
            Intent::First => 0,
            Intent::Last => last,
            Intent::Open => {
                let row = selected.and_then(|row| self.rows.get(row));
                return open(row.and_then(|row| row.principal.clone()));
            }
            Intent::Leave => {
                self.selected = None;
                self.range = None;
                return Action::Refresh;
            }
            _ => return Action::None,
        };
        self.selected = self.rows.get(row.min(last)).map(Ranked::of);
        // It is programs that are selected.
        self.list = List::Programs;
        Action::None
    }

    /// Where the selected row stands now.
    fn selected_row(&self) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        self.rows.iter().position(|row| selected.is(row))
    }

    /// Takes in what is new.
    pub fn refresh(&mut self, picture: &Picture, unit: Unit, colors: Colors) {
        let report = &picture.report;
        if !report.input.is_live && !self.is_settled {
            // For a file, the range is all of it.
            self.is_settled = true;
            self.order = Order::Ever;
            self.span = Span::All;
        }
        let (from, to) = self.span.range(picture);
        let series = report.history.series(from, to, STEPS);
        self.version += 1;
        self.rows = match self.range {
            Some(range) => rows_of(picture, unit, range),
            None => rows(picture, unit, self.order),
        };
        // A row that is gone is not selected any more, whatever stands in its place.
        if self.selected_row().is_none() {
            self.selected = None;
        }
        let first: Vec<&Principal> = series
            .lines
            .iter()
            .filter_map(|line| line.principal.as_ref())
            .take(SERIES)
            .collect();
        if !report.input.is_live {
            // Nothing moves: who is first decides, not who was first while it was read.
            self.painted = [const { None }; SERIES];
        }
        paint(&mut self.painted, &first);
        let painted = &self.painted;
        self.layers.replace(
            &series,
            |principal| color_of(painted, principal, colors),
            colors.rest,
        );
    }

    pub fn view<'a>(&'a self, context: Context<'a>, picture: &'a Picture) -> Element<'a, Message> {
        responsive(move |room| {
            let page = if picture.programs.is_empty() && picture.report.flows.is_empty() {
                let (headline, why) = crate::nothing::no_flows(&picture.report);
                parts::nothing(headline, why, None, context.colors)
            } else if room.width < NARROW {
                self.view_narrow(context, picture, room.height)
            } else {
                self.view_wide(context, picture)
            };
            column![
                figures::view(context, picture, room.width),
                parts::rule(context.colors),
                page,
            ]
            .into()
        })
        .into()
    }

    /// All lists beside each other.
    fn view_wide<'a>(&'a self, context: Context<'a>, picture: &'a Picture) -> Element<'a, Message> {
        let colors = context.colors;
        let unit = context.settings.unit;
        let programs = column![self.view_program_head(context), self.view_programs(context)];
        let hosts = column![
            container(
                row![parts::caption("Hosts", colors), Space::new().width(Fill)]
                    .extend(view_hosts_by(context))
                    .spacing(2)
                    .align_y(Center)
            )
            .center_y(HEAD),
            lists::view_hosts(picture, context),
        ];
        let services = column![
            container(parts::caption("Services", colors)).center_y(HEAD),
            lists::view_services(picture, unit, colors),
        ];
        // Names of hosts are longer than those of services.
        let tables = row![
            hosts.width(iced::FillPortion(8)),
            services.width(iced::FillPortion(5)),
        ]
        .spacing(space::M);
        let right = column![
            container(self.view_chart(context)).height(iced::FillPortion(9)),
            container(tables).height(iced::FillPortion(8)),
            container(lists::view_coverage(picture, colors))
                .height(iced::FillPortion(6))
                .max_height(lists::coverage_height(picture)),
        ]
        .spacing(space::S);
        row![
            container(programs).width(iced::FillPortion(9)),
            parts::stile(colors),
            container(right)
                .width(iced::FillPortion(11))
                .padding([space::S, space::M]),
        ]
        .height(Fill)
        .into()
    }

    /// One list, below the chart.
    fn view_narrow<'a>(
        &'a self,
        context: Context<'a>,
        picture: &'a Picture,
        height: f32,
    ) -> Element<'a, Message> {
        let (colors, unit) = (context.colors, context.settings.unit);
        let chart = (height >= LOW).then(|| {
            container(self.view_chart(context))
                .padding(iced::padding::horizontal(space::M).top(space::XS))
                .height(iced::FillPortion(2))
        });
        let tabs = List::ALL.into_iter().map(|list| {
            let chosen = Message::ListChosen(list);
            parts::tab(list.name(), self.list == list, chosen, colors)
        });
        let head = row(tabs).push(Space::new().width(Fill));
        let head = match self.list {
            List::Programs => head.extend(self.view_order(context)),
            List::Hosts => head.extend(view_hosts_by(context)),
            List::Services | List::Owners => head,
        };
        let list = match self.list {
            List::Programs => self.view_programs(context),
            List::Hosts => lists::view_hosts(picture, context),
            List::Services => lists::view_services(picture, unit, colors),
            List::Owners => lists::view_coverage(picture, colors),
        };
        let inset = if self.list == List::Programs {
            0.0
        } else {
            space::M
        };
        let list = container(list).padding(iced::padding::horizontal(inset));
        column![]
            .push(chart)
            .push(view_head(head))
            .push(list.height(iced::FillPortion(3)))
            .into()
    }

    fn view_program_head<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let name = self.range.is_none().then_some("Programs");
        let name = name.map(|name| parts::caption(name, context.colors));
        let head = row![].push(name).push(Space::new().width(Fill));
        view_head(head.extend(self.view_order(context)))
    }

    /// What programs are ranked by: now, ever, or what they moved in a part of the time.
    fn view_order<'a>(&'a self, context: Context<'a>) -> Vec<Element<'a, Message>> {
        let colors = context.colors;
        match self.range {
            Some((from, to)) => {
                let range = format!("{} – {}", present::clock(from), present::clock(to));
                let all = Message::RangeSelected(None);
                vec![
                    parts::caption(range, colors).into(),
                    parts::tab("Whole time", false, all, colors),
                ]
            }
            None => vec![
                parts::tab(
                    "Now",
                    self.order == Order::Now,
                    Message::OrderChosen(Order::Now),
                    colors,
                ),
                parts::tab(
                    "Total",
                    self.order == Order::Ever,
                    Message::OrderChosen(Order::Ever),
                    colors,
                ),
            ],
        }
    }

    fn view_programs<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let (colors, unit) = (context.colors, context.settings.unit);
        let most = self
            .rows
            .iter()
            .map(|row| row.ranked.0 + row.ranked.1)
            .max();
        let most = most.unwrap_or(0).max(1);
        let painted = &self.painted;
        let cell = move |place: usize, column: usize| {
            let row = &self.rows[place];
            let color = row
                .principal
                .as_ref()
                .and_then(|principal| color_of(painted, principal, colors));
            program_cell(
                row,
                column,
                most,
                color.unwrap_or(colors.rest),
                context,
                unit,
            )
        };
        Table::new(colors, PROGRAM_HEADS.to_vec(), self.rows.len(), cell)
            .version(self.version)
            .key(|row| key_of(&self.rows[row].principal))
            .selected(self.selected_row())
            .on_select(|row, column| {
                let principal = self.rows.get(row).and_then(|row| row.principal.clone());
                Message::ProgramChosen(principal, column)
            })
            .on_copy(Message::Copied)
            .into()
    }

    fn view_chart<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let colors = context.colors;
        let tabs = Span::ALL.into_iter().map(|span| {
            parts::tab(
                span.name(),
                self.span == span,
                Message::SpanChosen(span),
                colors,
            )
        });
        let head = row![parts::caption("Traffic", colors), Space::new().width(Fill)]
            .extend(tabs)
            .spacing(2)
            .align_y(Center);
        let chart = Chart::new(&self.layers, context.settings.unit, colors)
            .range(self.range, Message::RangeSelected);
        column![head, chart.view()].spacing(space::XS).into()
    }
}

fn choose_program(principal: Option<Principal>, column: usize) -> Action {
    if column + 1 == PROGRAM_HEADS.len() {
        return open(principal);
    }
    principal.map_or(Action::None, |principal| {
        Action::Inspect(query::of_principal(&principal))
    })
}

fn open(principal: Option<Principal>) -> Action {
    principal.map_or(Action::None, Action::OpenProgram)
}

/// What hosts are listed by.
fn view_hosts_by(context: Context<'_>) -> impl Iterator<Item = Element<'_, Message>> {
    HostsBy::ALL.into_iter().map(move |by| {
        let is_on = context.settings.hosts == by;
        parts::tab(by.name(), is_on, Message::HostsByChosen(by), context.colors)
    })
}

/// What stands above a list.
fn view_head(head: Line<'_, Message>) -> Element<'_, Message> {
    container(head.spacing(space::XS).align_y(Center))
        .padding(iced::padding::left(space::M).right(space::S))
        .center_y(36)
        .into()
}
