//! What is recorded, and where.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::query::filter::Filter;

/// What is recorded, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingConfig {
    /// Where the packets go.
    pub output: Output,
    /// Whether files that exist are written over.
    pub overwrite: bool,
    /// When another file is begun.
    pub rotation: Rotation,
    /// Packets are recorded of the flows that match, as these are known when the packet is
    /// written. What cannot be decoded is of no flow.
    pub filter: Filter,
}

/// Where packets go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// This file; with rotation, files beside it that have a number and the time at which they
    /// were begun in their name, as in `trace_00001_20260101T000000Z.pcapng`.
    File(PathBuf),
    /// Standard output.
    StandardOutput,
}

/// When another file is begun. By default never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotation {
    /// Before one is larger than so many bytes.
    pub size: Option<u64>,
    /// After one has been written for so long.
    pub time: Option<Duration>,
    /// So many files are kept; before there is one more, the oldest is removed.
    pub files: Option<NonZeroUsize>,
}

impl Rotation {
    pub(super) const fn is_on(&self) -> bool {
        self.size.is_some() || self.time.is_some()
    }
}
