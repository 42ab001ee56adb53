//! Processes that got another parent when theirs exited, as daemons do: what their sockets sent before may be of a
//! process that has gone.

use std::sync::Arc;
use std::time::SystemTime;

use super::FdScanner;
use crate::answer::Process;
use crate::policy::freshness::START_TIME_ERROR;
use crate::tables::linux::procfs::facts;
use crate::tables::linux::procfs::proc::ReadBuffers;
use crate::tables::linux::procfs::stat::Stat;

/// The process that adopts all others.
const FIRST: u32 = 1;

impl FdScanner {
    /// A holder of a socket, as one that sent nothing before it surely ran, if it is young and
    /// has the socket from a parent that has exited. (A parent that is there is a holder itself, or has closed the
    /// socket.)
    pub(super) fn since_fork(
        &self,
        process: Arc<Process>,
        young_since: Option<SystemTime>,
        buffers: &mut ReadBuffers,
    ) -> Arc<Process> {
        if process.has_executed || process.started <= young_since {
            return process;
        }
        let ran = process.started.map(|started| started + START_TIME_ERROR);
        if ran <= process.program_seen || !self.is_adopted(process.pid, buffers) {
            return process;
        }
        Arc::new(Process {
            program_seen: ran,
            ..Process::clone(&process)
        })
    }

    fn is_adopted(&self, pid: u32, buffers: &mut ReadBuffers) -> bool {
        let mut stat_of = |pid: u32| {
            let directory = self.proc.process(pid).ok()?;
            facts::stat_of(&directory, buffers)
        };
        // Of one that has exited, nothing shows it any more.
        let Some(its) = stat_of(pid) else {
            return false;
        };
        its.parent == FIRST || is_left(pid, &its, stat_of(its.parent).as_ref())
    }
}

/// Whether the process that started a process has gone, or is about to: a new process is in the session of
/// the one that started it, until it begins its own (`setsid(2)`).
fn is_left(pid: u32, its: &Stat, parent: Option<&Stat>) -> bool {
    let is_exiting = parent.is_none_or(|parent| parent.is_exiting);
    let is_other = |parent: &Stat| parent.session != its.session;
    is_exiting || (its.session != pid.cast_signed() && parent.is_some_and(is_other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(parent: u32, session: i32, flags: u32) -> Stat {
        let text = format!("9 (a) S {parent} 1 {session} 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 5");
        crate::tables::linux::procfs::stat::stat(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_process_whose_parent_has_exited_is_left() {
        for (session, parent, is_left_then) in [
            (5, Some((5, 64)), false),
            (5, Some((5, 68)), true),
            (8, Some((1, 64)), true),
            (8, None, true),
            // It has begun its own.
            (9, Some((5, 64)), false),
        ] {
            let its = stat(7, session, 64);
            let parents = parent.map(|(session, flags)| stat(1, session, flags));
            let found = is_left(9, &its, parents.as_ref());
            assert_eq!(found, is_left_then, "{session} {parent:?}");
        }
    }
}
