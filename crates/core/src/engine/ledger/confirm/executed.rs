//! Which processes executed programs lately.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use flowner_attribution::capture::Executed;

use crate::model::principal::Owner;

/// Processes that are remembered: about as many as there are ids by default.
const MAX: usize = 32_768;

/// When each process executed a program last, in wall-clock time.
#[derive(Debug, Default)]
pub(super) struct ExecutedPrograms(HashMap<u32, Duration>);

impl ExecutedPrograms {
    /// Whether earlier ones had to be forgotten.
    pub(super) fn add(&mut self, executed: &[Executed]) -> bool {
        let is_full = self.0.len() + executed.len() > MAX;
        if is_full {
            self.0.clear();
        }
        for one in executed {
            let at = one.at.duration_since(UNIX_EPOCH).unwrap_or_default();
            self.0.insert(one.pid, at);
        }
        is_full
    }

    /// When a process that is named executed a program last, if that was after some time.
    pub(super) fn by_owner(&self, owner: &Owner, since: Duration) -> Option<Duration> {
        if self.0.is_empty() {
            return None;
        }
        let processes = owner.ownership.verdict.processes().iter();
        let all = processes.filter_map(|process| self.0.get(&process.pid).copied());
        all.max().filter(|at| *at > since)
    }
}
