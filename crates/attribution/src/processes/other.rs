//! Systems where processes are not read one by one.

use std::path::PathBuf;

use crate::Process;

#[derive(Debug)]
pub(super) struct Reader {}

impl Reader {
    pub(super) const fn new() -> Self {
        Self {}
    }

    #[expect(clippy::unused_self, reason = "other platforms need it")]
    pub(super) const fn read(&mut self, _pid: u32) -> Option<Process> {
        None
    }

    #[expect(clippy::unused_self, reason = "other platforms need it")]
    pub(super) const fn working_folder(&mut self, _process: &Process) -> Option<PathBuf> {
        None
    }
}
