//! Opening by path, because a file handle cannot be handed to another C runtime. Where
//! the file stands is not known then; and the oldest Npcap that is supported gives
//! microseconds only.

use std::fs::File;
use std::path::Path;

use pcap::{Capture, Error};

use super::Opened;

pub(crate) fn open(_file: File, path: &Path) -> Result<Opened, Error> {
    by_path(path)
}

pub(crate) fn open_stdin() -> Result<Opened, Error> {
    by_path(Path::new("-"))
}

fn by_path(path: &Path) -> Result<Opened, Error> {
    Ok(Opened {
        capture: Capture::from_file(path)?,
        ticks_per_second: 1_000_000,
        position: None,
    })
}
