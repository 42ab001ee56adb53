//! Since when the named processes exist and execute their programs.

use std::time::SystemTime;

use crate::answer::Ownership;
use crate::policy::freshness::START_TIME_ERROR;

/// Whether every named process started after that time. Then the earlier socket is gone, and
/// another one has its port.
pub(super) fn started_after(found: &Ownership, time: SystemTime) -> bool {
    let is_later = |started: SystemTime| started > time + START_TIME_ERROR;
    let named = found.verdict.processes();
    !named.is_empty()
        && named
            .iter()
            .all(|process| process.started.is_some_and(is_later))
}

/// Whether a named process may have executed its program after that time, and another program
/// before.
pub(super) fn executed_after(found: &Ownership, time: SystemTime) -> bool {
    let mut named = found.verdict.processes().iter();
    named.any(|process| process.program_seen.is_some_and(|seen| seen > time))
}
