//! Sizes of a table that both drawing and input need.

use crate::theme::space;

/// The width of the scroll bar.
pub(super) const SCROLL_BAR: f32 = 10.0;
/// Room on both sides of a cell.
pub(super) const PADDING: f32 = space::S;
