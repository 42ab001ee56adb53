//! Which program a process executes, according to scans.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::{Index, Scanned};
use crate::answer::Process;
use crate::policy::freshness::PROGRAM;

impl Index {
    /// The known facts about a process that a scan has just read, if it is the same one and
    /// executes the same program as before.
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

    /// When a scan first found the current program of a process, if an earlier scan found another
    /// one: no interface shows when the process executed it. (A child that has executed nothing yet
    /// seldom sends anything.)
    pub(crate) fn program_seen(
        &self,
        pid: u32,
        now: &Scanned,
        image: Option<u64>,
    ) -> Option<SystemTime> {
        let known = self.scanned(pid)?;
        let is_same = known.stamp.is_same_process(now.stamp);
        let before = known.process.as_ref().filter(|_| is_same)?;
        // The image of a process that is executing a program right now cannot be read.
        let is_another = before.image != image || known.executable != now.executable;
        if is_another {
            before.has_executed.then(SystemTime::now)
        } else {
            before.program_seen
        }
    }

    /// Whether the program of a process is known and due for a comparison, with the known image.
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
