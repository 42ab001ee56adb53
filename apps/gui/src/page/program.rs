//! One program: its processes, its traffic over time, its hosts and flows.

mod processes;

use std::hash::Hash;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flowner_core::attribution::Process;
use flowner_core::flows::FlowId;
use flowner_core::present::{self, Column};
use flowner_core::{FlowRecord, Group, HostGroup, Principal, Series, Service};
use iced::widget::{column, container, responsive, row};
use iced::{Center, Element, Fill};

use self::processes::{processes, view_tree};
use super::Context;
use crate::column::{self, Surroundings};
use crate::feed::{Picture, Profile};
use crate::hosts::HostsBy;
use crate::keys::Intent;
use crate::query;
use crate::theme::{Colors, space};
use crate::widget::chart::{Chart, Layers};
use crate::widget::parts;
use crate::widget::table::{Cell, Head, Table, Width, key_of};

/// The columns of its flows.
const COLUMNS: [Column; 10] = [
    Column::Name,
    Column::Remote,
    Column::Service,
    Column::Local,
    Column::Pid,
    Column::State,
    Column::Age,
    Column::Sent,
    Column::Received,
    Column::Rate,
];

/// Below this width, the figures stand below the name.
const NARROW: f32 = 860.0;
/// How much of the past the chart shows.
const PAST: Duration = Duration::from_secs(900);

/// What the page knows.
#[derive(Debug, Default)]
pub struct State {
    principal: Option<Principal>,
    layers: Layers,
    selected: Option<End>,
}

/// An end of a flow: both may be the program's, and each has a row then.
type End = (FlowId, SocketAddr);

#[derive(Debug, Clone)]
pub enum Message {
    InspectWanted,
    FlowSelected(Option<End>),
    HostChosen(Option<HostGroup>),
    ServiceChosen(Option<Service>),
    Copied(String),
}

/// What the page cannot do itself.
#[derive(Debug)]
pub enum Action {
    None,
    Inspect(String),
    Copy(String),
}

impl State {
    /// Shows a program.
    pub fn open(&mut self, principal: Principal) {
        self.principal = Some(principal);
        self.selected = None;
        self.layers = Layers::default();
    }

    /// Who is shown.
    pub const fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    pub fn update(&mut self, message: Message) -> Action {
        let query = match message {
            Message::FlowSelected(flow) => {
                self.selected = flow;
                None
            }
            Message::InspectWanted => self.principal.as_ref().map(query::of_principal),
            Message::HostChosen(host) => host.as_ref().and_then(query::of_host),
            Message::ServiceChosen(service) => service.map(query::of_service),
            Message::Copied(text) => return Action::Copy(text),
        };
        query.map_or(Action::None, Action::Inspect)
    }

    /// What a key does here.
    pub fn intend(&mut self, intent: Intent, picture: Option<&Picture>) -> Action {
        let profile = picture.and_then(|picture| picture.principal.as_ref());
        let flows = profile.map_or(&[][..], |profile| &profile.report.flows);
        let selected = self.selected.and_then(|end| row_of(flows, end));
        let last = flows.len().saturating_sub(1);
        let step = |by: isize| selected.map_or(0, |row| row.saturating_add_signed(by));
        let row = match intent {
            Intent::Up => step(-1),
            Intent::Down => step(1),
            Intent::PageUp => step(-10),
            Intent::PageDown => step(10),
            Intent::First => 0,
            Intent::Last => last,
            Intent::Open => return self.update(Message::InspectWanted),
            _ => return Action::None,
        };
        self.selected = flow_in(flows, row.min(last)).map(end_of);
        Action::None
    }

    /// Takes in what is new.
    pub fn refresh(&mut self, picture: &Picture, colors: Colors) {
        let Some(principal) = &self.principal else {
            return;
        };
        let report = &picture.report;
        let first = report.span.map_or(report.now, |(first, _)| first);
        let (from, to) = if report.input.is_live {
            (report.now.saturating_sub(PAST), report.now)
        } else {
            let last = report.span.map_or(report.now, |(_, last)| last);
            (first, last + Duration::from_secs(1))
        };
        let all = report
            .history
            .series(from, to, PAST.as_secs().try_into().unwrap_or(usize::MAX));
        let own = all
            .lines
            .into_iter()
            .filter(|line| line.principal.as_ref() == Some(principal));
        let series = Series {
            lines: own.collect(),
            ..all
        };
        self.layers
            .replace(&series, |_| Some(colors.accent), colors.rest);
    }

    pub fn view<'a>(&'a self, context: Context<'a>, picture: &'a Picture) -> Element<'a, Message> {
        let colors = context.colors;
        let Some(principal) = &self.principal else {
            return parts::nothing(
                "No program chosen",
                "Choose one in the overview (›), or open the owner of a flow in Inspect.",
                None,
                colors,
            );
        };
        let profile = picture
            .principal
            .as_ref()
            .filter(|profile| profile.principal == *principal);
        let Some(profile) = profile else {
            return parts::nothing(
                "A moment …",
                "Its flows are being put together.",
                None,
                colors,
            );
        };
        responsive(move |room| {
            let is_narrow = room.width < NARROW;
            self.view_profile(principal, profile, context, picture, is_narrow)
        })
        .into()
    }

    fn view_profile<'a>(
        &'a self,
        principal: &'a Principal,
        profile: &'a Profile,
        context: Context<'a>,
        picture: &'a Picture,
        is_narrow: bool,
    ) -> Element<'a, Message> {
        let colors = context.colors;
        let processes = processes(profile);
        let chart = Chart::<Message>::new(&self.layers, context.settings.unit, colors);
        let chart = column![
            parts::caption("Traffic of this program", colors),
            chart.view()
        ];
        let lists = row![
            parts::section("Processes", view_tree(&processes, colors), colors),
            parts::section("Hosts", view_hosts(profile, context), colors),
            parts::section("Services", view_services(profile, context), colors),
        ]
        .spacing(space::M);
        column![
            view_head(principal, profile, &processes, context, picture, is_narrow),
            parts::rule(colors),
            column![
                container(chart.spacing(space::XS)).height(iced::FillPortion(5)),
                container(lists).height(iced::FillPortion(5)),
                parts::caption("Flows", colors),
                container(self.view_flows(profile, context)).height(iced::FillPortion(7)),
            ]
            .spacing(space::S)
            .padding(iced::padding::horizontal(space::M).top(space::S)),
        ]
        .into()
    }

    fn view_flows<'a>(
        &'a self,
        profile: &'a Profile,
        context: Context<'a>,
    ) -> Element<'a, Message> {
        let flows = &profile.report.flows;
        let around = Surroundings {
            now: profile.report.now,
            unit: context.settings.unit,
            pictures: context.pictures,
        };
        let flow = move |row: usize| flow_in(flows, row);
        let selected = self.selected.and_then(|end| row_of(flows, end));
        let is_live = profile.report.input.is_live;
        let columns: Vec<Column> = match context.settings.hosts {
            HostsBy::Name => COLUMNS.to_vec(),
            HostsBy::Address => without_names().collect(),
        };
        let heads = columns.iter().copied().map(column::head).collect();
        let cell = move |row: usize, place: usize| {
            flow(row)
                .map(|flow| column::cell(columns[place], flow, around))
                .unwrap_or_default()
        };
        Table::new(context.colors, heads, flows.len(), cell)
            .flush()
            .version(super::inspect::version(around.now))
            .key(move |row| flow(row).map_or(u64::MAX, |flow| key_of(&end_of(flow))))
            .mark(move |row| {
                flow(row).map_or_else(Default::default, |flow| {
                    super::inspect::mark(flow, around.now, is_live)
                })
            })
            .selected(selected)
            .on_select(move |row, _| Message::FlowSelected(flow(row).map(end_of)))
            .on_copy(Message::Copied)
            .into()
    }
}

fn without_names() -> impl Iterator<Item = Column> {
    COLUMNS.into_iter().filter(|column| *column != Column::Name)
}

/// The flow in a row: the newest first, which stand at the end of a report.
fn flow_in(flows: &[FlowRecord], row: usize) -> Option<&FlowRecord> {
    flows.iter().rev().nth(row)
}

/// The row of an end of a flow.
fn row_of(flows: &[FlowRecord], end: End) -> Option<usize> {
    flows.iter().rev().position(|flow| end_of(flow) == end)
}

const fn end_of(flow: &FlowRecord) -> End {
    (flow.id, flow.local)
}

fn view_head<'a>(
    principal: &'a Principal,
    profile: &'a Profile,
    processes: &[Arc<Process>],
    context: Context<'a>,
    picture: &'a Picture,
    is_narrow: bool,
) -> Element<'a, Message> {
    let (colors, unit) = (context.colors, context.settings.unit);
    let path = principal
        .programs()
        .first()
        .and_then(|program| program.path.as_ref());
    let path = path.map_or_else(
        || "path not known".to_owned(),
        |path| path.display().to_string(),
    );
    let mut users: Vec<String> = processes
        .iter()
        .filter_map(|process| process.user.as_ref().map(ToString::to_string))
        .collect();
    users.sort();
    users.dedup();
    let totals = picture
        .programs
        .iter()
        .find(|group| group.key.as_ref() == Some(principal));
    let totals = totals.map(|group| group.totals).unwrap_or_default();
    let since = profile
        .report
        .flows
        .iter()
        .map(|flow| flow.first_seen)
        .min();
    let since = since.map_or_else(String::new, present::clock);
    let about = format!("{path}   {}", users.join(", "));
    let names = column![
        parts::title(principal.to_string(), colors),
        parts::small(about, colors.muted).wrapping(iced::widget::text::Wrapping::None),
    ]
    .spacing(3)
    .width(Fill)
    .clip(true);
    let plain = |number: String, unit| present::Quantity { number, unit };
    let figures = row![
        parts::figure("In", &unit.rate(totals.rates.received), 104, colors),
        parts::figure("Out", &unit.rate(totals.rates.sent), 104, colors),
        parts::figure("Received", &unit.amount(totals.received), 96, colors),
        parts::figure("Sent", &unit.amount(totals.sent), 96, colors),
        parts::figure("First seen", &plain(since, ""), 92, colors),
    ]
    .spacing(space::M);
    let portrait = parts::portrait(context.pictures.of(principal), 36.0);
    let inspect = parts::press("Inspect", false, Some(Message::InspectWanted), colors);
    let head: Element<'a, Message> = if is_narrow {
        let name = row![portrait, names, inspect].spacing(space::M);
        let name = name.align_y(Center);
        column![name, container(figures).width(Fill).clip(true)]
            .spacing(space::S)
            .into()
    } else {
        row![portrait, names, figures, inspect]
            .spacing(space::M)
            .align_y(Center)
            .into()
    };
    container(head).padding([space::S, space::M]).into()
}

const LIST_HEADS: [Head; 2] = [Head::text("", Width::Share(1.0, 90.0)), Head::amount("")];

fn view_hosts<'a>(profile: &'a Profile, context: Context<'a>) -> Element<'a, Message> {
    let unit = context.settings.unit;
    let rows = profile.hosts.rows(context.settings.hosts);
    let cell = move |row: usize, place: usize| match place {
        0 => rows[row].cell(),
        _ => Cell::quantity(unit.amount(rows[row].totals.total())),
    };
    Table::new(context.colors, LIST_HEADS.to_vec(), rows.len(), cell)
        .key(|row| key_of(&rows[row].host))
        .headless()
        .flush()
        .on_select(|row, _| Message::HostChosen(rows.get(row).and_then(|it| it.host.clone())))
        .on_copy(Message::Copied)
        .into()
}

fn view_services<'a>(profile: &'a Profile, context: Context<'a>) -> Element<'a, Message> {
    list(&profile.services, present::service, context)
        .on_select(|row, _| Message::ServiceChosen(profile.services.get(row).and_then(|it| it.key)))
        .into()
}

/// Names with their amounts.
fn list<'a, K: Copy + Hash>(
    groups: &'a [Group<K>],
    name: impl Fn(K) -> String + 'a,
    context: Context<'a>,
) -> Table<'a, Message> {
    let unit = context.settings.unit;
    let cell = move |row: usize, place: usize| {
        let group = &groups[row];
        match (place, group.key) {
            (0, Some(key)) => Cell::text(name(key)),
            (0, None) => Cell::text("all others"),
            _ => Cell::quantity(unit.amount(group.totals.total())),
        }
    };
    Table::new(context.colors, LIST_HEADS.to_vec(), groups.len(), cell)
        .key(|row| key_of(&groups[row].key))
        .headless()
        .flush()
        .on_copy(Message::Copied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_stays_with_its_flow() {
        let principal = crate::samples::flow(1, 1).principal;
        let wish = crate::feed::Wish {
            principal: Some(principal.clone()),
            ..crate::feed::Wish::default()
        };
        let flows = |ids: &[u8]| {
            let flows = ids.iter().map(|id| FlowRecord {
                principal: principal.clone(),
                ..crate::samples::flow(*id, 1)
            });
            crate::samples::picture(flows.collect(), &wish)
        };
        let mut state = State::default();
        state.open(principal.clone());
        let selected = |state: &State| state.selected.map(|(flow, _)| flow.as_u64());
        state.intend(Intent::Down, Some(&flows(&[1, 2, 3])));
        assert_eq!(selected(&state), Some(3));
        // Newer ones stand above it, and the next is the one below.
        state.intend(Intent::Down, Some(&flows(&[1, 2, 3, 4, 5])));
        assert_eq!(selected(&state), Some(2));
        state.intend(Intent::Up, Some(&flows(&[1, 2])));
        assert_eq!(selected(&state), Some(2));
    }
}
