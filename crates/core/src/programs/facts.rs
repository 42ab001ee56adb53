//! The parent and the working directory of a process: the part of grouping that makes system calls.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use flowner_attribution::{NamedFile, Process, Processes};

/// The source of facts about processes for [`Programs`](super::Programs), beside those of the
/// process in question.
pub trait ProcessReader: Send + Sync + fmt::Debug {
    /// The process with this pid as it is now.
    fn process(&self, pid: u32) -> Option<Process>;

    /// The working directory of a process.
    fn working_directory(&self, process: &Process) -> Option<PathBuf>;

    /// The directory in which the relative paths of a process's arguments begin; see
    /// [`Processes::starting_directory`].
    fn starting_directory(&self, process: &Process) -> Option<PathBuf> {
        let _ = process;
        None
    }

    /// The file at an absolute path, as a process sees it; see [`Processes::named_file`].
    fn named_file(&self, process: &Process, path: &Path) -> Option<NamedFile> {
        let _ = (process, path);
        None
    }

    /// The length in bytes of the executed path; see [`Processes::executed_length`].
    fn executed_length(&self, process: &Process) -> Option<u64> {
        let _ = process;
        None
    }
}

/// No facts: every process stands for itself.
impl ProcessReader for () {
    fn process(&self, _pid: u32) -> Option<Process> {
        None
    }

    fn working_directory(&self, _process: &Process) -> Option<PathBuf> {
        None
    }
}

/// The facts of this host.
#[derive(Debug, Default)]
pub(super) struct HostProcessReader {
    /// One for each concurrent thread; a thread takes it out while it uses it.
    readers: Mutex<Vec<Processes>>,
}

impl HostProcessReader {
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

impl ProcessReader for HostProcessReader {
    fn process(&self, pid: u32) -> Option<Process> {
        self.with(|reader| reader.read(pid))
    }

    fn working_directory(&self, process: &Process) -> Option<PathBuf> {
        self.with(|reader| reader.working_directory(process))
    }

    fn starting_directory(&self, process: &Process) -> Option<PathBuf> {
        self.with(|reader| reader.starting_directory(process))
    }

    fn named_file(&self, process: &Process, path: &Path) -> Option<NamedFile> {
        self.with(|reader| reader.named_file(process, path))
    }

    fn executed_length(&self, process: &Process) -> Option<u64> {
        self.with(|reader| reader.executed_length(process))
    }
}

/// A reader for tests: every process works in one directory, where it started unless it has moved, and
/// every file belongs to one user.
#[cfg(test)]
#[derive(Debug)]
pub(super) struct FakeProcesses {
    working_directory: PathBuf,
    owner: u32,
    executed: Option<&'static str>,
    has_moved: bool,
    is_open: bool,
}

#[cfg(test)]
impl FakeProcesses {
    /// A process that works in `folder` and started elsewhere.
    pub(super) fn moved_to(folder: &str) -> Self {
        Self {
            has_moved: true,
            ..Self::working_in(folder)
        }
    }

    /// A directory to which other users may write.
    pub(super) fn open() -> Self {
        Self {
            is_open: true,
            ..Self::working_in("/")
        }
    }

    pub(super) fn working_in(folder: &str) -> Self {
        Self {
            working_directory: folder.into(),
            owner: 0,
            executed: None,
            has_moved: false,
            is_open: false,
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
impl ProcessReader for FakeProcesses {
    fn process(&self, _pid: u32) -> Option<Process> {
        None
    }

    fn working_directory(&self, _process: &Process) -> Option<PathBuf> {
        Some(self.working_directory.clone())
    }

    fn starting_directory(&self, process: &Process) -> Option<PathBuf> {
        self.working_directory(process).filter(|_| !self.has_moved)
    }

    fn named_file(&self, _process: &Process, _path: &Path) -> Option<NamedFile> {
        let file = NamedFile::new(self.owner, 0o100_755, true);
        Some(if self.is_open { file } else { file.guarded() })
    }

    fn executed_length(&self, _process: &Process) -> Option<u64> {
        u64::try_from(self.executed?.len()).ok()
    }
}
