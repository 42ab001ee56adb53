//! Which program a process executes, as far as looks at it show.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::{Index, Scanned};
use crate::answer::Process;
use crate::policy::freshness::PROGRAM;

impl Index {
    /// What is known of a process that was just looked at, if it is the same one and
    /// executes the same as before.
    pub(crate) fn process_as(
        &self,
        pid: u32,
        now: &Scanned,
        image: Option<u64>,
    ) -> Option<Arc<Process>> {
        let known = self.scanned(pid)?;
        let is_same = known.stamp.is_same_process(now.stamp)
            && known.executable == now.executable
            && known.name == now.name;
        let process = known.process.clone().filter(|_| is_same)?;
        (process.image == image).then_some(process)
    }

    /// When the program of a process that was just looked at was seen first, if it had executed another
    /// one before: nothing tells when it executed this one. (A child that has executed nothing yet seldom
    /// sends anything.)
    pub(crate) fn program_seen(
        &self,
        pid: u32,
        now: &Scanned,
        image: Option<u64>,
    ) -> Option<SystemTime> {
        let known = self.scanned(pid)?;
        let is_same = known.stamp.is_same_process(now.stamp);
        let before = known.process.as_ref().filter(|_| is_same)?;
        // Of one that executes a program right now, it cannot be read.
        let is_another = before.image != image || known.executable != now.executable;
        if is_another {
            before.has_executed.then(SystemTime::now)
        } else {
            before.program_seen
        }
    }

    /// By what the program of a process is known, if that was not compared a moment ago.
    pub(crate) fn image_to_check(&mut self, pid: u32, now: Instant) -> Option<Option<u64>> {
        let known = &mut self.processes.get_mut(&pid)?.scanned;
        let image = known.process.as_ref()?.image;
        let is_due = now.saturating_duration_since(known.image_checked) >= PROGRAM;
        is_due.then(|| {
            known.image_checked = now;
            image
        })
    }
}
