//! Who is using the network now, and how much; and how much of it is known.

mod lists;
mod ranking;

use std::time::Duration;

use flowner_core::{Coverage, Group, Party, Totals};
use iced::widget::{Space, column, container, row};
use iced::{Center, Element, Fill};

use self::ranking::{PROGRAM_HEADS, Row, color_of, key_of, paint, program_cell, rows, rows_of};
use super::Context;
use crate::feed::Picture;
use crate::format::{self, Unit};
use crate::keys::Intent;
use crate::query;
use crate::theme::palette::SERIES;
use crate::theme::{Colors, space};
use crate::widget::chart::{Chart, Layers, Range};
use crate::widget::parts;
use crate::widget::table::Table;

/// Steps of the chart, at most.
const STEPS: usize = 360;

/// How much of the past the chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Span {
    #[default]
    FiveMinutes,
    QuarterHour,
    Hour,
    All,
}

impl Span {
    const ALL: [Self; 4] = [Self::FiveMinutes, Self::QuarterHour, Self::Hour, Self::All];

    const fn name(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5 min",
            Self::QuarterHour => "15 min",
            Self::Hour => "1 h",
            Self::All => "All",
        }
    }

    /// The packet times between which a report is shown.
    fn range(self, picture: &Picture) -> Range {
        let report = &picture.report;
        let first = report.span.map_or(report.now, |(first, _)| first);
        let last = if report.input.is_live {
            report.now
        } else {
            report.span.map_or(report.now, |(_, last)| last)
        };
        let long = match self {
            Self::FiveMinutes => Duration::from_secs(300),
            Self::QuarterHour => Duration::from_secs(900),
            Self::Hour => Duration::from_secs(3_600),
            Self::All => (last.saturating_sub(first)).max(Duration::from_secs(60)),
        };
        // The second that has just begun is not over yet.
        let end = last + Duration::from_secs(u64::from(!report.input.is_live));
        (end.saturating_sub(long), end)
    }
}

/// What programs are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// What they move now.
    Now,
    /// What they moved since the beginning.
    Ever,
}

/// What the page knows.
#[derive(Debug)]
pub struct State {
    span: Span,
    order: Order,
    range: Option<Range>,
    layers: Layers,
    /// Who has which colour; kept while they are among the first, so that colours stay.
    painted: [Option<Party>; SERIES],
    rows: Vec<Row>,
    /// Counts up with every picture.
    version: u64,
    selected: Option<usize>,
    /// Whether the end of a file was seen, after which nothing is live.
    is_settled: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            span: Span::default(),
            order: Order::Now,
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
    RangeSelected(Option<Range>),
    ProgramChosen(usize, usize),
    HostChosen(usize),
    ServiceChosen(usize),
    CoverageChosen(usize),
    Copied(String),
}

/// What the page cannot do itself.
#[derive(Debug)]
pub enum Action {
    None,
    /// What is shown must be computed again.
    Refresh,
    Inspect(String),
    OpenProgram(Party),
    Copy(String),
}

impl State {
    pub fn update(&mut self, message: Message, picture: Option<&Picture>) -> Action {
        match message {
            Message::SpanChosen(span) => self.span = span,
            Message::OrderChosen(order) => self.order = order,
            Message::RangeSelected(range) => self.range = range,
            Message::ProgramChosen(row, column) => return self.choose_program(row, column),
            Message::HostChosen(row) => {
                let host = picture.and_then(|picture| picture.hosts.get(row)?.key);
                return host.map_or(Action::None, |host| Action::Inspect(query::of_host(host)));
            }
            Message::ServiceChosen(row) => {
                let service = picture.and_then(|picture| picture.services.get(row)?.key);
                return service.map_or(Action::None, |it| Action::Inspect(query::of_service(it)));
            }
            Message::CoverageChosen(row) => {
                let coverage = picture.and_then(|picture| picture.coverage.get(row)?.key);
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
        let step = |by: isize| self.selected.map_or(0, |row| row.saturating_add_signed(by));
        let selected = match intent {
            Intent::Up => step(-1),
            Intent::Down => step(1),
            Intent::PageUp => step(-10),
            Intent::PageDown => step(10),
            Intent::First => 0,
            Intent::Last => last,
            Intent::Open => return self.selected.map_or(Action::None, |row| self.open(row)),
            Intent::Leave => {
                self.selected = None;
                self.range = None;
                return Action::Refresh;
            }
            _ => return Action::None,
        };
        self.selected = Some(selected.min(last));
        Action::None
    }

    fn choose_program(&self, row: usize, column: usize) -> Action {
        if column + 1 == PROGRAM_HEADS.len() {
            return self.open(row);
        }
        let party = self.rows.get(row).and_then(|row| row.party.as_ref());
        party.map_or(Action::None, |party| {
            Action::Inspect(query::of_party(party))
        })
    }

    fn open(&self, row: usize) -> Action {
        let party = self.rows.get(row).and_then(|row| row.party.clone());
        party.map_or(Action::None, Action::OpenProgram)
    }

    /// Takes in what is new.
    pub fn refresh(&mut self, picture: &Picture, unit: Unit, colors: Colors) {
        let report = &picture.report;
        if !report.input.is_live && !self.is_settled {
            // Of a file, all of it is asked for.
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
        self.selected = self.selected.filter(|row| *row < self.rows.len());
        let first: Vec<&Party> = series
            .lines
            .iter()
            .filter_map(|line| line.party.as_ref())
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
            |party| color_of(painted, party, colors),
            colors.rest,
        );
    }

    pub fn view<'a>(&'a self, context: Context<'a>, picture: &'a Picture) -> Element<'a, Message> {
        let colors = context.colors;
        let unit = context.settings.unit;
        let programs = column![self.view_program_head(context), self.view_programs(context)];
        let tables = row![
            parts::section("Hosts", lists::view_hosts(picture, unit, colors), colors),
            parts::section(
                "Services",
                lists::view_services(picture, unit, colors),
                colors
            ),
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
        column![
            view_figures(context, picture),
            parts::rule(colors),
            row![
                container(programs).width(iced::FillPortion(9)),
                parts::stile(colors),
                container(right)
                    .width(iced::FillPortion(11))
                    .padding([space::S, space::M]),
            ]
            .height(Fill),
        ]
        .into()
    }

    fn view_program_head<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let colors = context.colors;
        let head = match self.range {
            Some((from, to)) => {
                let range = format!("{} – {}", format::clock(from), format::clock(to));
                let all = Message::RangeSelected(None);
                row![
                    parts::caption(range, colors),
                    Space::new().width(Fill),
                    parts::tab("Whole time", false, all, colors),
                ]
            }
            None => row![
                parts::caption("Programs", colors),
                Space::new().width(Fill),
                parts::tab(
                    "Now",
                    self.order == Order::Now,
                    Message::OrderChosen(Order::Now),
                    colors
                ),
                parts::tab(
                    "Ever",
                    self.order == Order::Ever,
                    Message::OrderChosen(Order::Ever),
                    colors
                ),
            ],
        };
        container(head.spacing(space::XS).align_y(Center))
            .padding(iced::padding::left(space::M).right(space::S))
            .center_y(36)
            .into()
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
                .party
                .as_ref()
                .and_then(|party| color_of(painted, party, colors));
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
            .key(|row| key_of(self.rows[row].party.as_ref()))
            .selected(self.selected)
            .on_select(Message::ProgramChosen)
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

/// The figures that the page is opened for.
fn view_figures<'a>(context: Context<'a>, picture: &Picture) -> Element<'a, Message> {
    let (colors, unit) = (context.colors, context.settings.unit);
    let sum = picture
        .programs
        .iter()
        .fold(Totals::default(), |mut sum, group| {
            sum.add(&group.totals);
            sum
        });
    let received = unit.rate(sum.rate.saturating_sub(sum.rates.sent));
    let sent = unit.rate(sum.rates.sent);
    let (known, of) = known(&picture.coverage);
    let plain = |number: String| format::Quantity { number, unit: "" };
    let report = &picture.report;
    let flows = report.flows.len() as u64 + report.unlisted_flows();
    let open = format::Quantity {
        number: format::count(picture.open as u64),
        unit: "open",
    };
    let long = report
        .span
        .map_or(Duration::ZERO, |(first, last)| last.saturating_sub(first));
    let owners = if picture.report.owners.is_some() {
        plain(format::percent(known, of))
    } else {
        plain("–".to_owned())
    };
    let width = 122;
    let figures = row![
        parts::figure(
            if report.input.is_live {
                "In now"
            } else {
                "In at the end"
            },
            &received,
            width,
            colors
        ),
        parts::figure(
            if report.input.is_live {
                "Out now"
            } else {
                "Out at the end"
            },
            &sent,
            width,
            colors
        ),
        parts::figure("Received", &unit.amount(sum.received), width, colors),
        parts::figure("Sent", &unit.amount(sum.sent), width, colors),
        parts::figure("Flows", &open, width, colors),
        parts::figure("Flows in all", &plain(format::count(flows)), width, colors),
        parts::figure("Bytes with an owner", &owners, width, colors),
        parts::figure("Seen for", &plain(format::span(long)), Fill, colors),
    ];
    container(figures)
        .padding([space::S, space::M])
        .width(Fill)
        .clip(true)
        .into()
}

/// Bytes whose owner is named, and all bytes.
fn known(coverage: &[Group<Coverage>]) -> (u64, u64) {
    let bytes = |group: &Group<Coverage>| group.totals.total().bytes;
    let named = coverage
        .iter()
        .filter(|group| group.key == Some(Coverage::Named));
    (named.map(bytes).sum(), coverage.iter().map(bytes).sum())
}
