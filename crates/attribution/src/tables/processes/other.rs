//! Systems where this crate does not read single processes.

use std::path::{Path, PathBuf};

use crate::answer::{Error, NamedFile, Process};

#[derive(Debug)]
pub(super) struct Reader {}

/// This system has no interface for it.
#[expect(clippy::unnecessary_wraps, reason = "other platforms need it")]
pub(crate) const fn holds_can_be_read(_pid: u32) -> Result<(), Error> {
    Ok(())
}

impl Reader {
    pub(super) const fn new() -> Self {
        Self {}
    }

    #[expect(clippy::unused_self, reason = "other platforms need it")]
    pub(super) const fn read(&mut self, _pid: u32) -> Option<Process> {
        None
    }

    #[expect(clippy::unused_self, reason = "other platforms need it")]
    pub(super) const fn is_running(&mut self, _process: &Process) -> Option<bool> {
        None
    }

    #[expect(clippy::unused_self, reason = "other platforms need it")]
    pub(super) const fn working_directory(&mut self, _process: &Process) -> Option<PathBuf> {
        None
    }

    #[expect(clippy::unused_self, reason = "other platforms need it")]
    pub(super) const fn starting_directory(&mut self, _process: &Process) -> Option<PathBuf> {
        None
    }

    #[expect(clippy::unused_self, reason = "other platforms need it")]
    pub(super) const fn named_file(
        &mut self,
        _process: &Process,
        _path: &Path,
    ) -> Option<NamedFile> {
        None
    }

    #[expect(clippy::unused_self, reason = "other platforms need it")]
    pub(super) const fn executed_length(&mut self, _process: &Process) -> Option<u64> {
        None
    }
}
