//! The settings of a recording.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::query::filter::Filter;

/// The settings of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingConfig {
    /// The output for the packets.
    pub output: Output,
    /// Whether to overwrite existing files.
    pub overwrite: bool,
    /// When to begin another file.
    pub rotation: Rotation,
    /// Records the packets of flows that match when the packet is written. Undecodable packets
    /// belong to no flow.
    pub filter: Filter,
}

/// The output for the packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// This file; with rotation, files beside it with a number and their start time in the name, as
    /// in `trace_00001_20260101T000000Z.pcapng`.
    File(PathBuf),
    /// Standard output.
    StandardOutput,
}

/// When to begin another file. By default never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotation {
    /// Before a file exceeds this many bytes.
    pub size: Option<u64>,
    /// After a file has been written for this long.
    pub time: Option<Duration>,
    /// Keep this many files: before there is one more, remove the oldest.
    pub files: Option<NonZeroUsize>,
}

impl Rotation {
    pub(super) const fn is_on(&self) -> bool {
        self.size.is_some() || self.time.is_some()
    }
}
