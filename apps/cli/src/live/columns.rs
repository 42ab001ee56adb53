//! The columns of a row, and their widths.

use std::sync::LazyLock;

use flowner_core::present;
use ratatui::layout::Rect;

/// A column to show and to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Column {
    /// The name of the row.
    Name,
    /// The programs of a host or service.
    Owners,
    /// Flows or sockets.
    Count,
    Listening,
    Connected,
    /// Its recent traffic.
    Trend,
    /// A column of flows and sockets; groups have some of them.
    Of(present::Column),
}

/// A tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum)]
pub(crate) enum Tab {
    #[default]
    Programs,
    Flows,
    Hosts,
    Services,
}

impl Tab {
    pub(crate) const ALL: [Self; 4] = [Self::Programs, Self::Flows, Self::Hosts, Self::Services];

    /// Its index among all.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    const fn name(self, has_bytes: bool) -> &'static str {
        match self {
            Self::Programs => "Programs",
            Self::Flows if has_bytes => "Flows",
            Self::Flows => "Sockets",
            Self::Hosts => "Hosts",
            Self::Services => "Services",
        }
    }

    /// All tabs side by side: the position of each, and its name.
    pub(crate) fn places(has_bytes: bool) -> impl Iterator<Item = (Self, usize, &'static str)> {
        Self::ALL.into_iter().scan(1, move |next, tab| {
            let (place, name) = (*next, tab.name(has_bytes));
            *next = place + name.len() + 2;
            Some((tab, place, name))
        })
    }

    /// The columns, in order.
    pub(crate) fn columns(self, has_bytes: bool) -> &'static [Spec] {
        match (self, has_bytes) {
            (Self::Programs, true) => PROGRAMS,
            (Self::Flows, true) => &FLOWS,
            (Self::Hosts, true) => HOSTS,
            (Self::Services, true) => SERVICES,
            (Self::Programs, false) => SOCKET_PROGRAMS,
            (Self::Flows, false) => &SOCKETS,
            (Self::Hosts, false) => SOCKET_HOSTS,
            (Self::Services, false) => SOCKET_SERVICES,
        }
    }
}

/// A column of a tab.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) column: Column,
    pub(crate) title: &'static str,
    /// The smallest width, in characters.
    min: u16,
    /// The usual width, in characters.
    width: u16,
    /// The largest useful width, in characters.
    max: u16,
    /// The order in which columns disappear without room: the highest goes first.
    rank: u8,
}

impl Spec {
    pub(crate) const fn is_number(&self) -> bool {
        match self.column {
            Column::Count | Column::Listening | Column::Connected | Column::Trend => true,
            Column::Name | Column::Owners => false,
            Column::Of(column) => column.is_number(),
        }
    }
}

const fn spec(column: Column, title: &'static str, widths: [u16; 3], rank: u8) -> Spec {
    let [min, width, max] = widths;
    Spec {
        column,
        title,
        min,
        width,
        max,
        rank,
    }
}

const fn fixed(column: Column, title: &'static str, width: u16, rank: u8) -> Spec {
    spec(column, title, [width; 3], rank)
}

const fn of(column: present::Column, rank: u8) -> Spec {
    spec(Column::Of(column), column.heading(), column.widths(), rank)
}

/// Every column that a list can have, by its rank there.
fn list(rank: fn(present::Column) -> Option<u8>) -> Vec<Spec> {
    let columns = present::Column::ALL.into_iter();
    columns
        .filter_map(|column| Some(of(column, rank(column)?)))
        .collect()
}

const fn up(rank: u8) -> Spec {
    of(present::Column::Up, rank)
}

const fn down(rank: u8) -> Spec {
    of(present::Column::Down, rank)
}

const fn sent(rank: u8) -> Spec {
    of(present::Column::Sent, rank)
}

const fn received(rank: u8) -> Spec {
    of(present::Column::Received, rank)
}

const fn path(rank: u8) -> Spec {
    of(present::Column::Path, rank)
}

/// The number of seconds in a trend, one per character.
pub(crate) const TREND: u16 = 30;

const PROGRAMS: &[Spec] = &[
    spec(Column::Name, "PROGRAM", [14, 14, 56], 0),
    spec(Column::Count, "FLOWS", [6, 6, 7], 3),
    up(0),
    down(0),
    sent(2),
    received(1),
    fixed(Column::Trend, "LAST 30 S", TREND, 4),
    path(5),
];
static FLOWS: LazyLock<Vec<Spec>> = LazyLock::new(|| list(present::Column::rank_in_flows));
const HOSTS: &[Spec] = &[
    spec(Column::Name, "HOST", [16, 16, 48], 0),
    spec(Column::Owners, "PROGRAMS", [10, 10, 40], 4),
    spec(Column::Count, "FLOWS", [6, 6, 7], 3),
    up(0),
    down(0),
    sent(2),
    received(1),
];
const SERVICES: &[Spec] = &[
    spec(Column::Name, "SERVICE", [16, 16, 48], 0),
    spec(Column::Owners, "PROGRAMS", [10, 10, 40], 4),
    spec(Column::Count, "FLOWS", [6, 6, 7], 3),
    up(0),
    down(0),
    sent(2),
    received(1),
];
const SOCKET_PROGRAMS: &[Spec] = &[
    spec(Column::Name, "PROGRAM", [14, 14, 56], 0),
    fixed(Column::Count, "SOCKETS", 8, 1),
    fixed(Column::Listening, "LISTEN", 7, 0),
    fixed(Column::Connected, "CONNECTED", 10, 0),
    path(2),
];
static SOCKETS: LazyLock<Vec<Spec>> = LazyLock::new(|| list(present::Column::rank_in_sockets));
const SOCKET_HOSTS: &[Spec] = &[
    spec(Column::Name, "HOST", [16, 16, 48], 0),
    spec(Column::Owners, "PROGRAMS", [10, 10, 60], 1),
    fixed(Column::Count, "SOCKETS", 8, 0),
];
const SOCKET_SERVICES: &[Spec] = &[
    spec(Column::Name, "SERVICE", [16, 16, 48], 0),
    spec(Column::Owners, "PROGRAMS", [10, 10, 60], 2),
    fixed(Column::Count, "SOCKETS", 8, 1),
    fixed(Column::Listening, "LISTEN", 7, 0),
    fixed(Column::Connected, "CONNECTED", 10, 0),
];

/// Characters between two columns.
const GAP: u16 = 1;

/// The columns of a tab in a line of the screen: the position and width of each. There is room for
/// a mark before the first, and none after the last.
pub(crate) fn places(
    tab: Tab,
    has_bytes: bool,
    line: Rect,
) -> impl Iterator<Item = (Spec, u16, u16)> {
    let columns = fit(tab.columns(has_bytes), line.width.saturating_sub(2));
    columns.into_iter().scan(line.x + 1, |next, (spec, width)| {
        let place = *next;
        *next = place + width + GAP;
        Some((spec, place, width))
    })
}

/// The columns that fit, with their widths. They depend only on the width, so nothing moves while
/// numbers change.
fn fit(specs: &[Spec], width: u16) -> Vec<(Spec, u16)> {
    let needed = |rank: u8| {
        let shown = specs.iter().filter(|spec| spec.rank <= rank);
        let sum: u16 = shown.map(|spec| spec.width + GAP).sum();
        sum.saturating_sub(GAP)
    };
    let mut ranks: Vec<u8> = specs.iter().map(|spec| spec.rank).collect();
    ranks.sort_unstable();
    let rank = ranks.into_iter().rev().find(|rank| needed(*rank) <= width);
    let shown = specs
        .iter()
        .filter(|spec| spec.rank <= rank.unwrap_or_default());
    let mut widths: Vec<(Spec, u16)> = match rank {
        Some(_) => shown.map(|spec| (*spec, spec.width)).collect(),
        None => shown.map(|spec| (*spec, spec.min)).collect(),
    };
    let used: u16 = widths.iter().map(|(_, width)| width + GAP).sum();
    let mut free = width.saturating_sub(used.saturating_sub(GAP));
    // One character for each in turn, until no column can use more.
    while free > 0 {
        let before = free;
        for (spec, width) in &mut widths {
            if free > 0 && *width < spec.max {
                *width += 1;
                free -= 1;
            }
        }
        if free == before {
            break;
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tab: Tab, has_bytes: bool, width: u16, expected: &str) {
        let fitted = fit(tab.columns(has_bytes), width);
        let total: u16 = fitted.iter().map(|(_, width)| width + GAP).sum();
        assert!(total - GAP <= width, "{tab:?} {width}");
        let titles: Vec<_> = fitted.iter().map(|(spec, _)| spec.title).collect();
        assert_eq!(titles.join(" "), expected);
    }

    #[test]
    fn important_columns_stay_in_narrow_terminals() {
        check(
            Tab::Programs,
            true,
            80,
            "PROGRAM FLOWS UP DOWN SENT RECEIVED",
        );
        check(Tab::Programs, true, 40, "PROGRAM UP DOWN");
        check(
            Tab::Flows,
            true,
            118,
            "PROGRAM PID PROTO REMOTE SERVICE STATE UP DOWN SENT RECEIVED",
        );
        check(
            Tab::Flows,
            true,
            160,
            "PROGRAM PID USER PROTO LOCAL REMOTE SERVICE STATE UP DOWN SENT RECEIVED DIRECTION",
        );
        check(
            Tab::Programs,
            true,
            160,
            "PROGRAM FLOWS UP DOWN SENT RECEIVED LAST 30 S PATH",
        );
        check(Tab::Flows, true, 40, "PROGRAM REMOTE UP DOWN");
        check(Tab::Flows, false, 80, "PROGRAM PROTO LOCAL REMOTE STATE");
        check(Tab::Hosts, true, 40, "HOST UP DOWN");
        check(Tab::Programs, false, 40, "PROGRAM LISTEN CONNECTED");
    }

    #[test]
    fn every_width_is_kept_to() {
        for tab in Tab::ALL {
            for has_bytes in [true, false] {
                for width in 40..200 {
                    let fitted = fit(tab.columns(has_bytes), width);
                    let total: u16 = fitted.iter().map(|(_, width)| width + GAP).sum();
                    assert!(total - GAP <= width, "{tab:?} {width}");
                }
            }
        }
    }
}
