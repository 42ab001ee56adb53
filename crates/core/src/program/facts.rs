//! Who started a process, and where it works: the part of grouping that asks the system.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use flowner_attribution::{Process, Processes};

/// Where [`Programs`](super::Programs) learns about processes other than the one in
/// question.
pub trait Facts: Send + Sync + fmt::Debug {
    /// The process with this pid as it is now.
    fn process(&self, pid: u32) -> Option<Process>;

    /// The folder that a process works in.
    fn working_folder(&self, process: &Process) -> Option<PathBuf>;
}

/// No facts: every process stands for itself.
impl Facts for () {
    fn process(&self, _pid: u32) -> Option<Process> {
        None
    }

    fn working_folder(&self, _process: &Process) -> Option<PathBuf> {
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

    fn working_folder(&self, process: &Process) -> Option<PathBuf> {
        self.with(|reader| reader.working_folder(process))
    }
}
