//! Where there are no signals: Ctrl-C is a key like others.

use std::sync::mpsc::SyncSender;

use super::Asked;
use crate::error::Failure;
use crate::live::driver::Wake;

#[expect(clippy::unnecessary_wraps, reason = "other platforms can fail")]
pub(crate) fn watch(_sender: &SyncSender<Wake>, _asked: &Asked) -> Result<(), Failure> {
    Ok(())
}

/// Nothing here can be suspended.
pub(crate) const fn suspend() {}
