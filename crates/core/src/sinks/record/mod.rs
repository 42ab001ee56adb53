//! Packets on their way into files: held until their owners are known, then written with comments
//! that tell them. What is written, and what a reader may believe of it, is in
//! [`recording`](crate::recording).

mod config;
mod files;
mod pending;
mod recorder;
mod recording;
mod writer;

pub use config::{Output, RecordingConfig, Rotation};
pub(crate) use files::{Files, Origin};
pub(crate) use recorder::Recorder;
pub use recorder::RecordingStats;
pub use recording::{Account, Recording};
pub(crate) use writer::{Job, LedgerAccess, now, wall_clock};
