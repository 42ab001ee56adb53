//! What the system lets this program use. A platform owes `check_stack()` and `check()`, which
//! say what is too little to work with, and `memory()`; less would show in the middle of the work, as owners that are missing or as the
//! end of the program.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

use flowner_core::Limits;

use crate::error::{Failure, say};

/// Bytes of address space for each flow that is listed, and for what is copied of it: measured
/// with 150,000 ACKs of as many senders, about half of it is used.
const FLOW: u64 = 4 << 10;
/// Bytes of address space that capturing takes beside that: of threads, of their heaps, which are
/// as large as 64 MiB each, and of what the kernel captures into.
const CAPTURING: u64 = 512 << 20;
/// The same of reading a file.
const READING: u64 = 256 << 20;
/// The same of what lists no flows.
const ASKING: u64 = 128 << 20;
/// Flows of a file that there must be room for.
const LEAST_FLOWS: usize = 10_000;

/// What a command does with flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// It captures as many as are listed.
    Captures,
    /// It reads them from a file; fewer are listed where there is [no room](fit).
    Reads,
    /// It lists none.
    Asks,
}

impl Work {
    /// Bytes of address space that it needs.
    fn least_memory(self) -> u64 {
        match self {
            Self::Captures => CAPTURING + room_for(&Limits::default()),
            Self::Reads => READING + LEAST_FLOWS as u64 * FLOW,
            Self::Asks => ASKING,
        }
    }
}

const fn room_for(limits: &Limits) -> u64 {
    (limits.flows as u64 + limits.ended_flows as u64) * FLOW
}

/// Sees whether the stack is large enough for anything; to be called first of all.
pub(crate) fn check_stack() -> Result<(), Failure> {
    platform::check_stack().map_err(Failure::Message)
}

/// Sees whether there is enough for a command.
pub(crate) fn check(work: Work) -> Result<(), Failure> {
    platform::check(work.least_memory()).map_err(Failure::Message)
}

/// Lowers how many flows of a file are listed to those that there is room for, and says so.
pub(crate) fn fit(limits: Limits) -> Limits {
    let room = platform::memory().map_or(u64::MAX, |memory| memory.saturating_sub(READING));
    if room >= room_for(&limits) {
        return limits;
    }
    let each = usize::try_from(room / FLOW / 2).unwrap_or(usize::MAX);
    let fitting = Limits {
        flows: limits.flows.min(each),
        ended_flows: limits.ended_flows.min(each),
        ..limits
    };
    say(format_args!(
        "flowner: of more than {} flows, not all are listed: that is how far the address space \
         reaches (`ulimit -v`)",
        fitting.flows
    ));
    fitting
}
