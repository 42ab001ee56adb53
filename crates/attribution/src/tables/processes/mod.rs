//! Facts about one process, by its pid, such as the parent of an owner.
//!
//! A platform owes:
//!
//! | item | content |
//! |---|---|
//! | `Reader` | `new`, `read`, `is_running`, `working_directory`, `starting_directory`, `named_file` and `executed_length`, each of one process |
//! | `holds_can_be_read` | whether this process may read what another one holds |

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

use std::path::{Path, PathBuf};

pub(crate) use platform::holds_can_be_read;

use crate::answer::{NamedFile, Process};

/// Reads facts about processes, one at a time.
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
/// Linux only: on other systems, every call returns `None`.
#[derive(Debug)]
pub struct Processes {
    reader: platform::Reader,
}

impl Processes {
    /// Opens the process file system.
    pub fn new() -> Self {
        Self {
            reader: platform::Reader::new(),
        }
    }

    /// The process with this pid as it is now, as far as this process may inspect it; `None` if there
    /// is none.
    pub fn read(&mut self, pid: u32) -> Option<Process> {
        self.reader.read(pid)
    }

    /// Whether that process still runs; a later process with its pid does not count. `None` if that is
    /// unknown: on systems other than Linux, and if [`started`](Process::started) is unknown. Ask this
    /// right before you send a signal to a pid.
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

    /// The working directory of a process. `None` if the process is gone, if another process has its pid
    /// by now, or if this process may not inspect it.
    pub fn working_directory(&mut self, process: &Process) -> Option<PathBuf> {
        self.reader.working_directory(process)
    }

    /// The working directory of a process, if the process still works where it did when it executed its
    /// program: its environment says so (`PWD`, as shells and many service managers set it). Relative
    /// paths in its arguments begin there. `None` also if the environment does not say it.
    ///
    /// Note that the process that starts another one chooses its environment. This reads the first 64 KiB of the
    /// environment, and keeps nothing of it.
    pub fn starting_directory(&mut self, process: &Process) -> Option<PathBuf> {
        self.reader.starting_directory(process)
    }

    /// The regular file that an absolute path leads a process to, such as the script in its arguments.
    /// `None` if there is no such file, if the process is gone, or if this process may not inspect it.
    /// `None` also for files on a network or on a file system that a program serves, because they may
    /// take long to answer, and for files that the user of the process may not reach by the modes of
    /// the directories on the way.
    ///
    /// Note that the process that starts another one chooses its arguments.
    pub fn named_file(&mut self, process: &Process, path: &Path) -> Option<NamedFile> {
        self.reader.named_file(process, path)
    }

    /// The length in bytes of the path that the process passed to `execve(2)`. If it executed a script,
    /// the path of the script has this length, whatever its arguments say. `None` if the kernel does
    /// not show it.
    ///
    /// The length follows from the place of that path in the memory of the process; this does not read
    /// the memory itself. For a path longer than a page, this is the remainder.
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

    /// The kernel counts in hundredths of a second. Rounding must not make a start time later.
    #[test]
    fn no_process_starts_later_than_it_did() {
        for _ in 0..20 {
            // Each instance rounds by itself.
            let mut processes = Processes::new();
            let mut child = std::process::Command::new("sleep")
                .arg("60")
                .spawn()
                .unwrap();
            let there = std::time::SystemTime::now();
            let found = processes.read(child.id());
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(found.unwrap().started.unwrap() <= there);
        }
    }

    #[test]
    fn an_exited_or_different_process_is_not_read() {
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
