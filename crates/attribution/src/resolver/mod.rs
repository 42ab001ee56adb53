//! The callers of tables: one query at a time, a background thread, and the capture thread.

mod attributor;
mod background;
mod capture;

pub use attributor::Attributor;
pub use background::{Notice, Resolver};
pub use capture::CaptureResolver;
