//! Where flows go while a monitor runs: to readers of its events, to sinks, and into files.

pub(crate) mod attached;
pub(crate) mod events;
pub(crate) mod json_lines;
pub(crate) mod record;
mod sink;

pub use self::sink::Sink;
