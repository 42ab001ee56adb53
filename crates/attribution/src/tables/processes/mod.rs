//! Facts of one process, by its pid: for those who want to know who started an owner.
//!
//! A platform owes:
//!
//! | item | what |
//! |---|---|
//! | `Reader` | `new`, `read`, `is_running`, `working_directory`, `named_file` and `executed_length`, each of one process |
//! | `holds_can_be_read` | whether it can be known what a process holds |

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

use std::path::{Path, PathBuf};

pub(crate) use platform::holds_can_be_read;

use crate::answer::{NamedFile, Process};

/// Reads what is known of processes, one at a time.
///
/// ```
/// use flowner_attribution::Processes;
///
/// let mut processes = Processes::new();
/// if let Some(process) = processes.read(std::process::id()) {
///     println!("{} was started by {:?}", process.name, process.parent);
/// }
/// ```
///
/// Linux only: elsewhere there is nothing to read.
#[derive(Debug)]
pub struct Processes {
    reader: platform::Reader,
}

impl Processes {
    /// Opens what they are read from.
    pub fn new() -> Self {
        Self {
            reader: platform::Reader::new(),
        }
    }

    /// The process with this pid as it is now, as far as it may be inspected; `None` if
    /// there is none.
    pub fn read(&mut self, pid: u32) -> Option<Process> {
        self.reader.read(pid)
    }

    /// Whether that very process still runs: a later one with its pid is another. `None` where
    /// that cannot be known: on other systems than Linux, and where
    /// [`started`](Process::started) is not known. To be asked right before something is done to
    /// a pid.
    ///
    /// ```
    /// use flowner_attribution::Processes;
    ///
    /// let mut processes = Processes::new();
    /// if let Some(own) = processes.read(std::process::id()) {
    ///     assert_eq!(processes.is_running(&own), Some(true));
    /// }
    /// ```
    pub fn is_running(&mut self, process: &Process) -> Option<bool> {
        process.started?;
        self.reader.is_running(process)
    }

    /// The directory that a process works in, to which its relative paths belong. `None` if
    /// it is gone, its pid is another's by now, or it may not be inspected.
    pub fn working_directory(&mut self, process: &Process) -> Option<PathBuf> {
        self.reader.working_directory(process)
    }

    /// The regular file that an absolute path leads a process to, such as the script that its
    /// arguments name. `None` if there is none, the process is gone, may not be inspected, or
    /// the file system would keep this waiting: nothing of a network or of another program is
    /// asked. Nor is a file told that the user of the process may not reach by the modes of the
    /// directories on the way, whatever this process may.
    ///
    /// Whoever starts a process chooses its arguments.
    pub fn named_file(&mut self, process: &Process, path: &Path) -> Option<NamedFile> {
        self.reader.named_file(process, path)
    }

    /// How many bytes the path had that was executed to start what a process runs: a script that
    /// was executed itself has a path of this length, whatever its arguments say. `None` where
    /// that is not told.
    ///
    /// It is known by where the kernel put that path in the memory of the process, which is not
    /// read. Of paths longer than a page, the remainder is told.
    pub fn executed_length(&mut self, process: &Process) -> Option<u64> {
        self.reader.executed_length(process)
    }
}

impl Default for Processes {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_read() {
        let mut processes = Processes::new();
        let own = processes.read(std::process::id()).unwrap();
        assert_eq!(own.path, std::env::current_exe().ok());
        assert_eq!(own.parent, Some(std::os::unix::process::parent_id()));
        assert!(own.started.is_some());
        let directory = processes.working_directory(&own);
        assert_eq!(directory, std::env::current_dir().ok());
    }

    #[test]
    fn what_is_gone_or_another_is_not_read() {
        let mut processes = Processes::new();
        // Past the largest pid of Linux (`PID_MAX_LIMIT` in `include/linux/threads.h`).
        assert_eq!(processes.read(1 << 23), None);
        let own = processes.read(std::process::id()).unwrap();
        let another = Process {
            started: own.started.map(|at| at + std::time::Duration::from_secs(1)),
            ..own
        };
        assert_eq!(processes.working_directory(&another), None);
        assert_eq!(processes.is_running(&another), Some(false));
        let unknown = Process::new(another.pid, "p");
        assert_eq!(processes.is_running(&unknown), None);
    }
}
