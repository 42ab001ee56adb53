//! Who asks: one question at a time, a thread in the background, and the thread that captures.

mod attributor;
mod background;
mod capture;

pub use attributor::Attributor;
pub use background::{Notice, Resolver};
pub use capture::CaptureResolver;
