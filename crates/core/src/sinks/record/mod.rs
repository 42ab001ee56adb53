//! The path of packets into files: this holds them until their owners are known, then writes them
//! with comments. [`recording`](crate::recording) describes the content, and what a reader may
//! believe of it.

mod config;
mod files;
mod packet;
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
