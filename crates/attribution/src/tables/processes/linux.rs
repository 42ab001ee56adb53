//! Linux: `/proc`.

use std::io;
use std::path::{Path, PathBuf};

use crate::answer::{Error, NamedFile, Process};
use crate::tables::linux::ProcessReader;

#[derive(Debug)]
pub(super) struct Reader {
    /// `None` if `/proc` is not mounted.
    reader: Option<ProcessReader>,
}

/// Whether this process may read the descriptor tables of another one; an error if not. A process
/// that does not exist, or has exited, holds nothing.
pub(crate) fn holds_can_be_read(pid: u32) -> Result<(), Error> {
    let path = PathBuf::from(format!("/proc/{pid}/fd"));
    match std::fs::read_dir(&path) {
        Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            Err(Error::File { path, source })
        }
        _ => Ok(()),
    }
}

impl Reader {
    pub(super) fn new() -> Self {
        let reader = ProcessReader::open();
        let reader = reader.inspect_err(|error| tracing::debug!(%error, "no process is read"));
        Self {
            reader: reader.ok(),
        }
    }

    pub(super) fn read(&mut self, pid: u32) -> Option<Process> {
        self.reader.as_mut()?.read(pid)
    }

    pub(super) fn is_running(&mut self, process: &Process) -> Option<bool> {
        let reader = self.reader.as_mut()?;
        Some(reader.is_running(process))
    }

    pub(super) fn working_directory(&mut self, process: &Process) -> Option<PathBuf> {
        self.reader.as_mut()?.working_directory(process)
    }

    pub(super) fn starting_directory(&mut self, process: &Process) -> Option<PathBuf> {
        self.reader.as_mut()?.starting_directory(process)
    }

    pub(super) fn named_file(&mut self, process: &Process, path: &Path) -> Option<NamedFile> {
        self.reader.as_mut()?.named_file(process, path)
    }

    pub(super) fn executed_length(&mut self, process: &Process) -> Option<u64> {
        self.reader.as_mut()?.executed_length(process)
    }
}
