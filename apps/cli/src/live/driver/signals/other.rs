//! Where there are no signals: Ctrl-C is a key like others.

use std::sync::mpsc::SyncSender;

use crate::error::Failure;
use crate::live::driver::Wake;

#[expect(clippy::unnecessary_wraps, reason = "other platforms can fail")]
pub(crate) fn watch(_sender: &SyncSender<Wake>) -> Result<(), Failure> {
    Ok(())
}

/// Nothing here can be suspended.
pub(crate) const fn suspend() {}
