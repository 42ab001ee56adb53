//! Reads one process at a time, by its pid.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{fstat, readlinkat};

use super::executable::{is_working_directory, named_file};
use super::facts::{Facts, stat_of};
use super::guarded::Guard;
use super::proc::{Proc, ReadBuffers};
use super::{proc, stat};
use crate::answer::{NamedFile, Process};
use crate::policy::freshness::SAME_START;
use crate::tables::linux::containers;
use crate::tables::linux::user_names::PATIENCE;

/// The number of bytes that this searches of an environment.
const MAX_ENVIRONMENT: usize = 64 * 1024;

/// Reads processes, whether or not they hold sockets.
#[derive(Debug)]
pub(crate) struct ProcessReader {
    proc: Proc,
    facts: Facts,
    buffers: ReadBuffers,
}

impl ProcessReader {
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            proc: Proc::open(Path::new("/proc"), false)?,
            facts: Facts::new(),
            buffers: ReadBuffers::default(),
        })
    }

    pub(crate) fn read(&mut self, pid: u32) -> Option<Process> {
        let directory = self.proc.process(pid).ok()?;
        let stat = stat_of(&directory, &mut self.buffers)?;
        let owner = fstat(&directory).ok()?.st_uid;
        let image = Proc::image_in(&directory);
        let buffers = &mut self.buffers;
        let facts = self.facts.read(&directory, pid, owner, stat, buffers)?;
        let process = Process { image, ..facts };
        self.facts.containers().wait(containers::PATIENCE);
        let names = self.facts.names();
        Some(names.complete_process(process, PATIENCE))
    }

    pub(crate) fn is_running(&mut self, process: &Process) -> bool {
        self.directory(process).is_some()
    }

    pub(crate) fn named_file(&mut self, process: &Process, path: &Path) -> Option<NamedFile> {
        let directory = self.directory(process)?;
        let guard = Guard {
            user: process.user.as_ref()?.uid()?,
            started: process.started?,
        };
        named_file(&directory, guard, path, &mut self.buffers)
    }

    pub(crate) fn executed_length(&mut self, process: &Process) -> Option<u64> {
        const MAX: usize = 64 * 1024;
        let directory = self.directory(process)?;
        let text = proc::read_record(&directory, c"stat", MAX, &mut self.buffers).ok()?;
        let page = u64::try_from(rustix::param::page_size()).ok()?;
        stat::executed_length(stat::environment_end(text)?, page)
    }

    /// The directory of exactly this process: the system reuses pids.
    fn directory(&mut self, process: &Process) -> Option<OwnedFd> {
        let directory = self.proc.process(process.pid).ok()?;
        let stat = stat_of(&directory, &mut self.buffers)?;
        let started = self.facts.wall_clock(stat.started);
        is_about(process.started?, started).then_some(directory)
    }

    pub(crate) fn working_directory(&mut self, process: &Process) -> Option<PathBuf> {
        working_directory(&self.directory(process)?)
    }

    pub(crate) fn starting_directory(&mut self, process: &Process) -> Option<PathBuf> {
        let directory = self.directory(process)?;
        let text = proc::read(&directory, c"environ", MAX_ENVIRONMENT, &mut self.buffers).ok()?;
        let mut variables = text.split(|byte| *byte == 0);
        let shell_directory = variables.find_map(|variable| variable.strip_prefix(b"PWD="))?;
        let shell_directory = PathBuf::from(OsString::from_vec(shell_directory.to_vec()));
        let now = working_directory(&directory)?;
        (shell_directory == now || is_working_directory(&directory, &shell_directory))
            .then_some(now)
    }
}

fn working_directory(process: &OwnedFd) -> Option<PathBuf> {
    let path = readlinkat(process, c"cwd", Vec::new()).ok()?;
    Some(OsString::from_vec(path.into_bytes()).into())
}

/// Whether both are start times of the same process. Times since boot are exact, but the boot time
/// moves with the clock.
fn is_about(one: SystemTime, other: SystemTime) -> bool {
    let between = one.duration_since(other);
    between.unwrap_or_else(|earlier| earlier.duration()) <= SAME_START
}
