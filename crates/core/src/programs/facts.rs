//! Who started a process, and where it works: the part of grouping that asks the system.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use flowner_attribution::{NamedFile, Process, Processes};

/// Where [`Programs`](super::Programs) learns about processes other than the one in
/// question.
pub trait Facts: Send + Sync + fmt::Debug {
    /// The process with this pid as it is now.
    fn process(&self, pid: u32) -> Option<Process>;

    /// The folder that a process works in.
    fn working_directory(&self, process: &Process) -> Option<PathBuf>;

    /// The file that an absolute path leads a process to, as
    /// [`Processes::named_file`] tells it.
    fn named_file(&self, process: &Process, path: &Path) -> Option<NamedFile> {
        let _ = (process, path);
        None
    }

    /// How many bytes the path had that was executed, as [`Processes::executed_length`] tells it.
    fn executed_length(&self, process: &Process) -> Option<u64> {
        let _ = process;
        None
    }
}

/// No facts: every process stands for itself.
impl Facts for () {
    fn process(&self, _pid: u32) -> Option<Process> {
        None
    }

    fn working_directory(&self, _process: &Process) -> Option<PathBuf> {
        None
    }
}

/// Those of this host.
#[derive(Debug, Default)]
pub(super) struct HostFacts {
    /// One for each thread that asks at the same time; taken out while it is used.
    readers: Mutex<Vec<Processes>>,
}

impl HostFacts {
    fn with<T>(&self, ask: impl FnOnce(&mut Processes) -> T) -> T {
        let mut reader = self.readers().pop().unwrap_or_default();
        let answer = ask(&mut reader);
        self.readers().push(reader);
        answer
    }

    fn readers(&self) -> std::sync::MutexGuard<'_, Vec<Processes>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts for HostFacts {
    fn process(&self, pid: u32) -> Option<Process> {
        self.with(|reader| reader.read(pid))
    }

    fn working_directory(&self, process: &Process) -> Option<PathBuf> {
        self.with(|reader| reader.working_directory(process))
    }

    fn named_file(&self, process: &Process, path: &Path) -> Option<NamedFile> {
        self.with(|reader| reader.named_file(process, path))
    }

    fn executed_length(&self, process: &Process) -> Option<u64> {
        self.with(|reader| reader.executed_length(process))
    }
}

/// What is told in tests: every process works in one directory, and every file belongs to one
/// user.
#[cfg(test)]
#[derive(Debug)]
pub(super) struct Told {
    working_directory: PathBuf,
    owner: u32,
    executed: Option<&'static str>,
}

#[cfg(test)]
impl Told {
    pub(super) fn working_in(folder: &str) -> Self {
        Self {
            working_directory: folder.into(),
            owner: 0,
            executed: None,
        }
    }

    pub(super) fn executed(path: &'static str) -> Self {
        Self {
            executed: Some(path),
            ..Self::working_in("/")
        }
    }

    pub(super) fn owned_by(owner: u32) -> Self {
        Self {
            owner,
            ..Self::working_in("/")
        }
    }
}

#[cfg(test)]
impl Facts for Told {
    fn process(&self, _pid: u32) -> Option<Process> {
        None
    }

    fn working_directory(&self, _process: &Process) -> Option<PathBuf> {
        Some(self.working_directory.clone())
    }

    fn named_file(&self, _process: &Process, _path: &Path) -> Option<NamedFile> {
        Some(NamedFile::new(self.owner, 0o100_755, true))
    }

    fn executed_length(&self, _process: &Process) -> Option<u64> {
        u64::try_from(self.executed?.len()).ok()
    }
}
