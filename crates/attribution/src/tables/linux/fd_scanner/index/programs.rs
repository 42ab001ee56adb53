//! Which program a process executes, according to scans.

use std::sync::Arc;

use super::{Index, Scanned};
use crate::answer::Process;
use crate::tables::linux::netlink::executions::Monotonic;

/// What is known of the program of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownProgram {
    /// See [`Process::image`].
    pub(crate) image: Option<u64>,
    /// When it was seen last that the process executes it.
    pub(crate) at: Monotonic,
}

impl Index {
    /// What was known of a process that was just scanned, if it is still the same one.
    pub(crate) fn process_before(&self, pid: u32, now: &Scanned) -> Option<&Scanned> {
        let known = self.scanned(pid)?;
        known.stamp.is_same_process(now.stamp).then_some(known)
    }

    /// The facts of a process that was just scanned, if it is the same one and executes the same as
    /// before.
    pub(crate) fn process_as(
        &self,
        pid: u32,
        now: &Scanned,
        image: Option<u64>,
    ) -> Option<Arc<Process>> {
        let known = self.process_before(pid, now)?;
        let is_same = known.executable == now.executable && known.name == now.name;
        let process = known.process.clone().filter(|_| is_same)?;
        (process.image == image).then_some(process)
    }

    /// What is known of the program of a process; `None` if it was not read.
    pub(crate) fn program(&self, pid: u32) -> Option<KnownProgram> {
        let known = self.scanned(pid)?;
        Some(KnownProgram {
            image: known.process.as_ref()?.image,
            at: known.program_at,
        })
    }

    /// Writes down that a process still executes what is known of it, which has that image.
    pub(crate) fn program_is_same(&mut self, pid: u32, image: Option<u64>, at: Monotonic) {
        if let Some(entry) = self.processes.get_mut(&pid)
            && let Some(process) = &entry.scanned.process
            && process.image == image
        {
            entry.scanned.program_at = entry.scanned.program_at.max(at);
        }
    }
}
