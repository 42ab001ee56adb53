//! Widgets that several pages use.

pub mod chart;
pub mod fit;
pub mod parts;
pub mod reach;
pub mod sparkline;
pub mod table;
