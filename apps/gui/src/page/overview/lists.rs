//! Hosts, services, and how owners are known.

use std::hash::Hash;

use flowner_core::present::{self, Unit};
use flowner_core::{Coverage, Group, Service};
use iced::Element;

use super::Message;
use crate::feed::Picture;
use crate::page::Context;
use crate::theme::{Colors, measure};
use crate::widget::table::{Bar, Cell, Head, Table, Width, key_of};

const LIST_HEADS: [Head; 3] = [
    Head::text("", Width::Share(1.0, 130.0)),
    Head::rate("").yielding(),
    Head::amount(""),
];

/// As many characters as a name and an address have; where there is less room, rates go first.
const HOST_HEADS: [Head; 3] = [
    Head::text("", Width::Share(1.0, 230.0)),
    Head::rate("").yielding(),
    Head::amount(""),
];

pub(super) fn view_hosts<'a>(picture: &'a Picture, context: Context<'a>) -> Element<'a, Message> {
    let unit = context.settings.unit;
    let rows = picture.hosts.rows(context.settings.hosts);
    let cell = move |row: usize, column: usize| {
        let host = &rows[row];
        match column {
            0 => host.cell(),
            1 => Cell::quantity(unit.rate(host.totals.rate)),
            _ => Cell::quantity(unit.amount(host.totals.total())),
        }
    };
    Table::new(context.colors, HOST_HEADS.to_vec(), rows.len(), cell)
        .key(|row| key_of(&rows[row].host))
        .headless()
        .flush()
        .on_select(|row, _| Message::HostChosen(rows.get(row).and_then(|it| it.host.clone())))
        .on_copy(Message::Copied)
        .into()
}

pub(super) fn view_services(picture: &Picture, unit: Unit, colors: Colors) -> Element<'_, Message> {
    let name = |service: Option<Service>| service.map_or("all others".to_owned(), present::service);
    list(&picture.services, name, unit, colors)
        .on_select(|row, _| Message::ServiceChosen(picture.services.get(row).and_then(|it| it.key)))
        .on_copy(Message::Copied)
        .into()
}

/// Names with their rates and amounts.
fn list<'a, K: Copy + Hash>(
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
        .key(|row| key_of(&groups[row].key))
        .headless()
        .flush()
}

const COVERAGE_HEADS: [Head; 4] = [
    Head::text("Owners", Width::Fixed(232.0)),
    Head::text("", Width::Share(1.0, 60.0)),
    Head::number("of bytes", 72.0),
    Head::number("of flows", 72.0),
];

/// The height at which nothing has to be scrolled.
pub(super) fn coverage_height(picture: &Picture) -> f32 {
    let rows = u8::try_from(picture.coverage.len()).unwrap_or(u8::MAX);
    measure::HEAD + f32::from(rows.max(1)) * measure::ROW
}

/// How much of it has an owner, and why the rest has none.
pub(super) fn view_coverage(picture: &Picture, colors: Colors) -> Element<'_, Message> {
    let coverage = &picture.coverage;
    let bytes: u64 = coverage
        .iter()
        .map(|group| group.totals.counted().bytes)
        .sum();
    let flows: u64 = coverage.iter().map(|group| group.totals.flows).sum();
    let cell = move |row: usize, column: usize| {
        let group = &coverage[row];
        let own = group.totals.counted().bytes;
        match (column, group.key) {
            (0, None) => Cell::text("all others"),
            (0, Some(key)) => Cell::text(present::capitalized(&present::coverage(key))),
            (1, key) => Cell::bar(Bar {
                first: present::share(own, bytes),
                second: 0.0,
                color: match key {
                    Some(Coverage::Named) => colors.good,
                    Some(Coverage::Partial) => colors.warn,
                    _ => colors.rest,
                },
            }),
            (2, _) => Cell::text(present::percent(own, bytes)),
            (_, _) => Cell::text(present::percent(group.totals.flows, flows)).muted(),
        }
    };
    Table::new(colors, COVERAGE_HEADS.to_vec(), coverage.len(), cell)
        .flush()
        .key(|row| key_of(&coverage[row].key))
        .on_select(|row, _| Message::CoverageChosen(coverage.get(row).and_then(|it| it.key)))
        .on_copy(Message::Copied)
        .into()
}
