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

    /// Whether the program of a process is known and was not compared a moment ago, and by what it is
    /// known.
    pub(crate) fn image_to_check(&mut self, pid: u32, now: Instant) -> (bool, Option<u64>) {
        let Some(entry) = self.processes.get_mut(&pid) else {
            return (false, None);
        };
        let known = &mut entry.scanned;
        let is_due = known.process.is_some()
            && now.saturating_duration_since(known.image_checked) >= PROGRAM;
        if is_due {
            known.image_checked = now;
        }
        (
            is_due,
            known.process.as_ref().and_then(|process| process.image),
        )
    }
}
