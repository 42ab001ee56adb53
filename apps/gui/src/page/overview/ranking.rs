//! Programs in their order, in their colours.

use flowner_core::present::{self, Unit};
use flowner_core::{Group, Principal, Totals};
use iced::Color;

use super::{Order, STEPS};
use crate::feed::Picture;
use crate::page::Context;
use crate::theme::Colors;
use crate::theme::palette::SERIES;
use crate::widget::chart::Range;
use crate::widget::table::{Bar, Cell, Head, Width};

/// A program in the list.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) principal: Option<Principal>,
    pub(super) totals: Totals,
    /// What it is ranked by: received and sent.
    pub(super) ranked: (u64, u64),
}

pub(super) const PROGRAM_HEADS: [Head; 6] = [
    Head::text("Program", Width::Share(1.0, 150.0)),
    Head::text("", Width::Share(0.7, 56.0)),
    Head::rate("In"),
    Head::rate("Out"),
    Head::amount("Total").yielding(),
    Head::text("", Width::Fixed(24.0)),
];

pub(super) fn program_cell(
    row: &Row,
    column: usize,
    most: u64,
    color: Color,
    context: Context<'_>,
    unit: Unit,
) -> Cell {
    match column {
        0 => {
            let principal = row.principal.clone().unwrap_or(Principal::Unattributed);
            let name = match &row.principal {
                Some(Principal::Unattributed) => "unknown".to_owned(),
                Some(principal) => principal.to_string(),
                None => "all others".to_owned(),
            };
            let cell = Cell::text(name).pictured(Some(context.pictures.of(&principal)));
            if row.principal == Some(Principal::Unattributed) {
                cell.muted()
            } else {
                cell.strong()
            }
        }
        1 => Cell::bar(Bar {
            first: present::share(row.ranked.0, most),
            second: present::share(row.ranked.1, most),
            color,
        }),
        2 => Cell::quantity(unit.rate(row.totals.rates.received)),
        3 => Cell::quantity(unit.rate(row.totals.rates.sent)),
        4 => Cell::quantity(unit.amount(row.totals.total())),
        _ => Cell::text("›").muted(),
    }
}

/// Programs by what is shown of them: what they move now, or moved ever.
pub(super) fn rows(picture: &Picture, unit: Unit, order: Order) -> Vec<Row> {
    ranked(picture, |group| match order {
        Order::Now => (group.totals.rates.received, group.totals.rates.sent),
        Order::Ever => (
            unit.measure(group.totals.received),
            unit.measure(group.totals.sent),
        ),
    })
}

/// Programs by what they moved in a range of time.
pub(super) fn rows_of(picture: &Picture, unit: Unit, (from, to): Range) -> Vec<Row> {
    let series = picture.report.history.series(from, to, STEPS);
    ranked(picture, |group| {
        let line = series.lines.iter().find(|line| line.principal == group.key);
        line.map_or((0, 0), |line| {
            (
                unit.measure(line.total.received),
                unit.measure(line.total.sent),
            )
        })
    })
}

fn ranked(picture: &Picture, measure: impl Fn(&Group<Principal>) -> (u64, u64)) -> Vec<Row> {
    let rows = picture.programs.iter().map(|group| Row {
        principal: group.key.clone(),
        totals: group.totals,
        ranked: measure(group),
    });
    let mut rows: Vec<Row> = rows.collect();
    // Stable: equals stand in the order of their totals.
    rows.sort_by_key(|row| std::cmp::Reverse(row.ranked.0.saturating_add(row.ranked.1)));
    rows
}

/// Gives colours to those who are first. Who has one keeps it.
pub(super) fn paint(painted: &mut [Option<Principal>; SERIES], first: &[&Principal]) {
    let is_first = |principal: &Principal| first.contains(&principal);
    for place in painted.iter_mut() {
        if place.as_ref().is_some_and(|principal| !is_first(principal)) {
            *place = None;
        }
    }
    for principal in first {
        let is_painted = painted
            .iter()
            .flatten()
            .any(|painted| painted == *principal);
        // Nobody gets the colour of those that have none.
        if is_painted || **principal == Principal::Unattributed {
            continue;
        }
        if let Some(free) = painted.iter_mut().find(|place| place.is_none()) {
            *free = Some((*principal).clone());
        }
    }
}

pub(super) fn color_of(
    painted: &[Option<Principal>; SERIES],
    principal: &Principal,
    colors: Colors,
) -> Option<Color> {
    let place = painted
        .iter()
        .position(|painted| painted.as_ref() == Some(principal))?;
    colors.series.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use flowner_core::Program;
    use flowner_core::attribution::Process;

    fn program(name: &str) -> Principal {
        Principal::Program(Arc::new(Program::of(&Process::new(1, name))))
    }

    #[test]
    fn who_is_among_the_first_keeps_its_colour() {
        let principals: Vec<Principal> =
            (0..9).map(|number| program(&number.to_string())).collect();
        let mut painted = [const { None }; SERIES];
        paint(
            &mut painted,
            &principals.iter().take(SERIES).collect::<Vec<_>>(),
        );
        let before = painted.clone();
        // The third row goes, another one comes, and the order changes.
        let mut first: Vec<&Principal> = principals.iter().take(SERIES).rev().collect();
        first.retain(|principal| **principal != principals[2]);
        first.insert(0, &principals[8]);
        paint(&mut painted, &first);
        assert_eq!(painted[2], Some(principals[8].clone()));
        for place in [0, 1, 3, 4, 5, 6] {
            assert_eq!(painted[place], before[place]);
        }
        paint(&mut painted, &[&Principal::Unattributed]);
        assert!(painted.iter().all(Option::is_none));
    }
}
