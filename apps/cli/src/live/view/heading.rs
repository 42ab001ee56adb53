//! The first lines: the input, its totals, and the active tab.

use flowner_core::present;
use flowner_core::text::mask;
use flowner_core::{Coverage, EndState, Report};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::theme::Theme;
use super::{cells, line, put, put_right};
use crate::live::columns::Tab;
use crate::live::data::{Data, Notice, Observed};
use crate::live::state::{Areas, NOTICE_MARGIN, State};

pub(super) fn draw(buffer: &mut Buffer, areas: &Areas, state: &State, theme: Theme) {
    summary(buffer, areas, state, theme);
    tabs(buffer, areas, state, theme);
    if let Some(notice) = state.data.as_ref().and_then(|data| data.notice.as_ref()) {
        draw_notice(buffer, areas.notice, notice, theme);
    }
}

/// The long form if it fits, in as many lines as it has.
fn draw_notice(buffer: &mut Buffer, area: Rect, notice: &Notice, theme: Theme) {
    let width = usize::from(area.width.saturating_sub(NOTICE_MARGIN)).max(1);
    let long: Vec<char> = mask(&notice.long).chars().collect();
    let fits = long.len() <= width * usize::from(area.height);
    let text = if fits {
        long
    } else {
        notice.short.chars().collect()
    };
    for (number, part) in (0..area.height).zip(text.chunks(width)) {
        let part: String = part.iter().collect();
        put(buffer, line(area, number), 1, &part, theme.notice());
    }
}

fn summary(buffer: &mut Buffer, areas: &Areas, state: &State, theme: Theme) {
    let area = areas.heading;
    let x = put(buffer, area, 1, "flowner", theme.name());
    let x = put(buffer, area, x + 1, &state.input, theme.strong());
    if let Some(data) = &state.data {
        match &data.facts {
            Observed::Flows(report) => flows(buffer, areas, x + 2, data, report, theme),
            Observed::Sockets(_) => {
                let total = &data.total;
                let text = format!(
                    "{} · {} listening · {} connected",
                    present::count(total.count, "socket"),
                    total.listening,
                    total.connected
                );
                put(buffer, area, x + 2, &text, theme.faint())
            }
        };
    } else {
        put(buffer, area, x + 2, "loading…", theme.faint());
    }
    let status = match state.data.as_ref().map(|data| &data.facts) {
        Some(Observed::Flows(report)) if report.ending != EndState::Running => Some(" ended "),
        _ if state.is_paused => Some(" paused "),
        _ => None,
    };
    if let Some(status) = status {
        let style = theme.notice().patch(theme.selected());
        put_right(buffer, area, 0, status, style);
    }
}

/// Rates at fixed positions, then values of varying width.
fn flows(
    buffer: &mut Buffer,
    areas: &Areas,
    x: u16,
    data: &Data,
    report: &Report,
    theme: Theme,
) -> u16 {
    let area = areas.heading;
    let rate = |bytes| cells::fit(&cells::rate(bytes), 9, true);
    let x = put(
        buffer,
        area,
        x,
        &format!("↑{}", rate(data.total.up)),
        theme.up(),
    );
    let x = put(
        buffer,
        area,
        x + 1,
        &format!("↓{}", rate(data.total.down)),
        theme.down(),
    );
    let mut facts = vec![
        present::bytes(report.total().bytes),
        present::count(data.total.count, "flow"),
    ];
    let within = report.within_host().bytes;
    if within > 0 {
        // Rows have it on both sides, the total once.
        facts.push(format!("{} of it within this host", present::bytes(within)));
    }
    facts.extend(named(report));
    let unsearched = report.unsearched().flows;
    if unsearched > 0 {
        facts.push(format!("{unsearched} older not searched"));
    }
    let dropped = report.capture.map_or(0, |it| {
        it.dropped_by_kernel.saturating_add(it.dropped_by_interface)
    });
    if dropped > 0 {
        facts.push(format!("{dropped} dropped"));
    }
    let ends = report.not_looked_up();
    if ends > 0 {
        facts.push(format!("{} not looked up", present::count(ends, "owner")));
    }
    let mut x = x + 1;
    for (place, fact) in facts.iter().enumerate() {
        let separator = if place == 0 { " " } else { " · " };
        let width = fact.chars().count() + separator.chars().count();
        // Half a number is a wrong one.
        if usize::from(x) + width > usize::from(area.right()) {
            break;
        }
        x = put(buffer, area, x, separator, theme.faint());
        x = put(buffer, area, x, fact, theme.faint());
    }
    x
}

/// The share of bytes with an owner.
fn named(report: &Report) -> Option<String> {
    let (mut known, mut all) = (0_u64, 0_u64);
    for group in report.coverage() {
        let bytes = group.totals.counted().bytes;
        all = all.saturating_add(bytes);
        if matches!(group.key, Some(Coverage::Named | Coverage::Partial)) {
            known = known.saturating_add(bytes);
        }
    }
    let percent = (u128::from(known) * 100).checked_div(u128::from(all))?;
    Some(format!("{percent} % attributed"))
}

fn tabs(buffer: &mut Buffer, areas: &Areas, state: &State, theme: Theme) {
    let area = areas.tabs;
    let has_bytes = state.data.as_ref().is_none_or(|data| data.has_bytes());
    let mut x = area.x;
    for (tab, place, name) in Tab::places(has_bytes) {
        let style = if tab == state.tab {
            theme.tab()
        } else {
            theme.faint()
        };
        let place = u16::try_from(place).unwrap_or(u16::MAX);
        x = put(buffer, area, area.x.saturating_add(place), name, style) + 2;
    }
    if !state.filter.is_empty() {
        let filter = format!("/{} ", present::printable(&state.filter));
        put_right(buffer, area, x, &filter, theme.strong());
    }
}
