//! Who is using the network now, and how much; and how much of it is known.

use std::net::IpAddr;
use std::time::Duration;

use flowner_core::{Coverage, Group, Party, Service, Totals};
use iced::widget::{Space, column, container, row};
use iced::{Center, Color, Element, Fill};

use super::Context;
use crate::feed::Picture;
use crate::format::{self, Unit};
use crate::keys::Intent;
use crate::theme::palette::SERIES;
use crate::theme::{Colors, measure, space};
use crate::widget::chart::{Chart, Layers, Range};
use crate::widget::parts;
use crate::widget::table::{Bar, Cell, Head, Table, Width};
use crate::{column, query, words};

/// For how long who was active counts as active now.
const NOW: Duration = Duration::from_secs(12);
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
            selected: None,
            is_settled: false,
        }
    }
}

/// A program in the list.
#[derive(Debug)]
struct Row {
    party: Option<Party>,
    totals: Totals,
    /// What it is ranked by: received and sent.
    ranked: (u64, u64),
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
        let ranked = self.range.or_else(|| {
            let recent = (
                report.now.saturating_sub(NOW),
                report.now + Duration::from_secs(1),
            );
            (self.order == Order::Now).then_some(recent)
        });
        self.rows = rows(picture, unit, ranked);
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
            section("Hosts", view_hosts(picture, unit, colors), colors),
            section("Services", view_services(picture, unit, colors), colors),
        ]
        .spacing(space::M);
        let right = column![
            container(self.view_chart(context)).height(iced::FillPortion(9)),
            container(tables).height(iced::FillPortion(8)),
            container(view_coverage(picture, colors)).height(coverage_height(picture)),
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

fn section<'a>(
    name: &'a str,
    content: Element<'a, Message>,
    colors: Colors,
) -> Element<'a, Message> {
    column![parts::caption(name, colors), content]
        .spacing(space::XS)
        .width(Fill)
        .into()
}

const PROGRAM_HEADS: [Head; 6] = [
    Head::text("Program", Width::Share(1.0, 150.0)),
    Head::text("", Width::Share(0.7, 56.0)),
    Head::rate("In now"),
    Head::rate("Out now"),
    Head::amount("Total").yielding(),
    Head::text("", Width::Fixed(24.0)),
];

fn program_cell(
    row: &Row,
    column: usize,
    most: u64,
    color: Color,
    context: Context<'_>,
    unit: Unit,
) -> Cell {
    match column {
        0 => {
            let party = row.party.clone().unwrap_or(Party::Unattributed);
            let name = match &row.party {
                Some(Party::Unattributed) => "nobody known".to_owned(),
                Some(party) => party.to_string(),
                None => "all others".to_owned(),
            };
            let cell = Cell::text(name).pictured(Some(context.pictures.of(&party)));
            if row.party == Some(Party::Unattributed) {
                cell.muted()
            } else {
                cell.strong()
            }
        }
        1 => Cell::bar(Bar {
            first: format::share(row.ranked.0, most),
            second: format::share(row.ranked.1, most),
            color,
        }),
        2 => Cell::quantity(unit.rate(row.totals.rates.received)),
        3 => Cell::quantity(unit.rate(row.totals.rates.sent)),
        4 => Cell::quantity(unit.amount(row.totals.total())),
        _ => Cell::text("›").muted(),
    }
}

fn key_of(party: Option<&Party>) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    party.hash(&mut hasher);
    hasher.finish()
}

/// Programs in their order: by what they moved in a range, else ever.
fn rows(picture: &Picture, unit: Unit, ranked: Option<Range>) -> Vec<Row> {
    let series = ranked.map(|(from, to)| picture.report.history.series(from, to, STEPS));
    let in_range = |party: &Option<Party>| {
        let line = series
            .as_ref()?
            .lines
            .iter()
            .find(|line| line.party == *party)?;
        Some((
            unit.measure(line.total.received),
            unit.measure(line.total.sent),
        ))
    };
    let rows = picture.programs.iter().map(|group| Row {
        party: group.key.clone(),
        totals: group.totals,
        ranked: match series {
            Some(_) => in_range(&group.key).unwrap_or_default(),
            None => (
                unit.measure(group.totals.received),
                unit.measure(group.totals.sent),
            ),
        },
    });
    let mut rows: Vec<Row> = rows.collect();
    // Stable: equals stand in the order of their totals.
    rows.sort_by_key(|row| std::cmp::Reverse(row.ranked.0 + row.ranked.1));
    rows
}

/// Gives colours to those who are first. Who has one keeps it.
fn paint(painted: &mut [Option<Party>; SERIES], first: &[&Party]) {
    let is_first = |party: &Party| first.contains(&party);
    for place in painted.iter_mut() {
        if place.as_ref().is_some_and(|party| !is_first(party)) {
            *place = None;
        }
    }
    for party in first {
        let is_painted = painted.iter().flatten().any(|painted| painted == *party);
        // Nobody gets the colour of those that have none.
        if is_painted || **party == Party::Unattributed {
            continue;
        }
        if let Some(free) = painted.iter_mut().find(|place| place.is_none()) {
            *free = Some((*party).clone());
        }
    }
}

fn color_of(painted: &[Option<Party>; SERIES], party: &Party, colors: Colors) -> Option<Color> {
    let place = painted
        .iter()
        .position(|painted| painted.as_ref() == Some(party))?;
    colors.series.get(place).copied()
}

const LIST_HEADS: [Head; 3] = [
    Head::text("", Width::Share(1.0, 130.0)),
    Head::rate("").yielding(),
    Head::amount(""),
];

fn view_hosts(picture: &Picture, unit: Unit, colors: Colors) -> Element<'_, Message> {
    let name = |host: Option<IpAddr>| host.map_or("all others".to_owned(), |host| host.to_string());
    list(&picture.hosts, name, unit, colors)
        .on_select(|row, _| Message::HostChosen(row))
        .on_copy(Message::Copied)
        .into()
}

fn view_services(picture: &Picture, unit: Unit, colors: Colors) -> Element<'_, Message> {
    let name =
        |service: Option<Service>| service.map_or("all others".to_owned(), column::service_of);
    list(&picture.services, name, unit, colors)
        .on_select(|row, _| Message::ServiceChosen(row))
        .on_copy(Message::Copied)
        .into()
}

/// Names with their rates and amounts.
fn list<'a, K: Copy>(
    groups: &'a [Group<K>],
    name: impl Fn(Option<K>) -> String + 'a,
    unit: Unit,
    colors: Colors,
) -> Table<'a, Message> {
    let cell = move |row: usize, column: usize| {
        let group = &groups[row];
        match column {
            0 => Cell::text(name(group.key)),
            1 => Cell::quantity(unit.rate(group.totals.rate)),
            _ => Cell::quantity(unit.amount(group.totals.total())),
        }
    };
    Table::new(colors, LIST_HEADS.to_vec(), groups.len(), cell)
        .headless()
        .flush()
}

const COVERAGE_HEADS: [Head; 4] = [
    Head::text("Owners", Width::Fixed(158.0)),
    Head::text("", Width::Share(1.0, 60.0)),
    Head::number("of bytes", 72.0),
    Head::number("of flows", 72.0),
];

/// Reasons that are shown without scrolling.
const REASONS: u8 = 5;

fn coverage_height(picture: &Picture) -> f32 {
    let rows = u8::try_from(picture.coverage.len()).unwrap_or(u8::MAX);
    measure::HEAD + f32::from(rows.clamp(1, REASONS)) * measure::ROW
}

/// How much of it has an owner, and why the rest has none.
fn view_coverage(picture: &Picture, colors: Colors) -> Element<'_, Message> {
    let coverage = &picture.coverage;
    let bytes: u64 = coverage
        .iter()
        .map(|group| group.totals.total().bytes)
        .sum();
    let flows: u64 = coverage.iter().map(|group| group.totals.flows).sum();
    let cell = move |row: usize, column: usize| {
        let group = &coverage[row];
        let own = group.totals.total().bytes;
        match (column, group.key) {
            (0, None) => Cell::text("all others"),
            (0, Some(key)) => Cell::text(words::coverage(key)),
            (1, key) => Cell::bar(Bar {
                first: format::share(own, bytes),
                second: 0.0,
                color: match key {
                    Some(Coverage::Named) => colors.good,
                    Some(Coverage::Partial) => colors.warn,
                    _ => colors.rest,
                },
            }),
            (2, _) => Cell::text(format::percent(own, bytes)),
            (_, _) => Cell::text(format::percent(group.totals.flows, flows)).muted(),
        }
    };
    Table::new(colors, COVERAGE_HEADS.to_vec(), coverage.len(), cell)
        .flush()
        .on_select(|row, _| Message::CoverageChosen(row))
        .on_copy(Message::Copied)
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use flowner_core::Program;
    use flowner_core::attribution::Process;

    fn program(name: &str) -> Party {
        Party::Program(Arc::new(Program::of(&Process::new(1, name))))
    }

    #[test]
    fn who_is_among_the_first_keeps_its_colour() {
        let parties: Vec<Party> = (0..9).map(|number| program(&number.to_string())).collect();
        let mut painted = [const { None }; SERIES];
        paint(
            &mut painted,
            &parties.iter().take(SERIES).collect::<Vec<_>>(),
        );
        let before = painted.clone();
        // The third goes, somebody else comes, and the order changes.
        let mut first: Vec<&Party> = parties.iter().take(SERIES).rev().collect();
        first.retain(|party| **party != parties[2]);
        first.insert(0, &parties[8]);
        paint(&mut painted, &first);
        assert_eq!(painted[2], Some(parties[8].clone()));
        for place in [0, 1, 3, 4, 5, 6] {
            assert_eq!(painted[place], before[place]);
        }
        paint(&mut painted, &[&Party::Unattributed]);
        assert!(painted.iter().all(Option::is_none));
    }
}
