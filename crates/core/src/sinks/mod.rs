//! The outputs of a running monitor: readers of events, sinks, and files.

pub(crate) mod attached;
pub(crate) mod events;
pub(crate) mod json_lines;
pub(crate) mod record;
mod sink;

pub use self::sink::Sink;
