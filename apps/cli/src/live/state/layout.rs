//! The layout, on which state and view must agree.

use ratatui::layout::{Constraint, Layout, Rect};

use super::State;
use crate::live::data::Notice;

/// The parts of the screen, from top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Areas {
    pub(crate) heading: Rect,
    pub(crate) tabs: Rect,
    pub(crate) notice: Rect,
    pub(crate) titles: Rect,
    /// Rows that stay in place.
    pub(crate) frozen: Rect,
    pub(crate) rows: Rect,
    pub(crate) details: Rect,
    /// Keys, or the typed text.
    pub(crate) footer: Rect,
}

/// The number of lines for details below the rows. They replace all rows but one if there is no
/// room for both.
const DETAILS: u16 = 11;
const ROOM_FOR_BOTH: u16 = 22;

/// The number of lines for a notice: two if one is too short.
fn notice_lines(notice: &Notice, area: Rect) -> u16 {
    let width = usize::from(area.width.saturating_sub(NOTICE_MARGIN));
    let length = notice.long.chars().count();
    let is_roomy = area.height >= ROOM_FOR_TWO_LINES;
    let takes_two = is_roomy && length > width && length <= 2 * width;
    1 + u16::from(takes_two)
}

/// The number of columns that a notice leaves free.
pub(crate) const NOTICE_MARGIN: u16 = 2;
const ROOM_FOR_TWO_LINES: u16 = 16;

impl Areas {
    pub(super) fn of(state: &State, area: Rect) -> Self {
        let notice = state.data.as_ref().and_then(|data| data.notice.as_ref());
        let notice = notice.map_or(0, |notice| notice_lines(notice, area));
        // Text, marks, message: always, so that nothing moves while typing.
        let footer = if state.is_typing() { 3 } else { 1 };
        let (rows, details) = match (state.shows_details, area.height >= ROOM_FOR_BOTH) {
            (false, _) => (Constraint::Fill(1), Constraint::Length(0)),
            (true, true) => (Constraint::Fill(1), Constraint::Length(DETAILS)),
            (true, false) => (Constraint::Length(1), Constraint::Fill(1)),
        };
        let [heading, tabs, notice, titles, rows, details, footer] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Length(notice),
            Constraint::Length(1),
            rows,
            details,
            Constraint::Length(footer),
        ])
        .areas(area);
        let frozen = state.frozen_lines().min(usize::from(rows.height / 2));
        let frozen = u16::try_from(frozen).unwrap_or(0);
        let [frozen, rows] =
            Layout::vertical([Constraint::Length(frozen), Constraint::Fill(1)]).areas(rows);
        Self {
            heading,
            tabs,
            notice,
            titles,
            frozen,
            rows,
            details,
            footer,
        }
    }
}
