//! The model as text that programs read: JSON lines and comma-separated values.

pub mod csv;
pub mod json;
