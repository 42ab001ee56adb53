//! Systems without signals: Ctrl-C is a key like others.

use std::sync::mpsc::SyncSender;

use super::EndRequest;
use crate::error::Failure;
use crate::live::driver::Wake;

#[expect(clippy::unnecessary_wraps, reason = "other platforms can fail")]
pub(crate) fn watch(_sender: &SyncSender<Wake>, _end_request: &EndRequest) -> Result<(), Failure> {
    Ok(())
}

/// Nothing can be suspended here.
pub(crate) const fn suspend() {}
