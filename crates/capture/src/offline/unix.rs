//! Opening by descriptor: any path can be opened, and the position be asked for.
// The one call here is unsafe because it takes a descriptor over.
#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::IntoRawFd;
use std::path::Path;

use pcap::{Capture, Error, Precision};

use super::{Opened, Position};

const NANOSECONDS: u32 = 1_000_000_000;

pub(crate) fn open(file: File, _path: &Path) -> Result<Opened, Error> {
    let position = position(&file);
    // SAFETY: `into_raw_fd` gives up the descriptor, so libpcap is its only owner. (On
    // failure libpcap does not close it. That is why the caller looks at the first bytes
    // before.)
    let capture =
        unsafe { Capture::from_raw_fd_with_precision(file.into_raw_fd(), Precision::Nano) }?;
    Ok(Opened {
        capture,
        ticks_per_second: NANOSECONDS,
        position,
    })
}

pub(crate) fn open_stdin() -> Result<Opened, Error> {
    Ok(Opened {
        capture: Capture::from_file_with_precision("-", Precision::Nano)?,
        ticks_per_second: NANOSECONDS,
        position: None,
    })
}

/// A duplicated descriptor has the position of the original (dup(2)).
fn position(file: &File) -> Option<Position> {
    let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some(Position {
        file: file.try_clone().ok()?,
        len: metadata.len(),
    })
}
