//! The resource limits of this program. A platform owes `check_stack()` and `check()`, which report
//! a limit that is too low, and `memory()`. With less, owners would be missing, or the program
//! would end in the middle of its work.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

use flowner_core::Limits;

use crate::error::{Failure, say};

/// Bytes of address space for each listed flow and its copies: measured with 150,000 ACKs from as
/// many senders, about half of it is used.
const FLOW: u64 = 4 << 10;
/// Bytes of address space that a capture takes beside that: for threads, for their heaps of up to
/// 64 MiB each, and for the kernel's capture buffers.
const CAPTURING: u64 = 512 << 20;
/// The same for reading a file.
const READING: u64 = 256 << 20;
/// The same for commands that list no flows.
const ASKING: u64 = 128 << 20;
/// The number of flows of a file that must fit.
const LEAST_FLOWS: usize = 10_000;

/// The work of a command with flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// It captures and lists them.
    Captures,
    /// It reads them from a file, and lists fewer if there is [no room](fit).
    Reads,
    /// It lists none.
    Asks,
}

impl Work {
    /// The bytes of address space that it needs.
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

/// Checks that the stack is large enough; call this first.
pub(crate) fn check_stack() -> Result<(), Failure> {
    platform::check_stack().map_err(Failure::Message)
}

/// Checks that a command has enough resources.
pub(crate) fn check(work: Work) -> Result<(), Failure> {
    platform::check(work.least_memory()).map_err(Failure::Message)
}

/// Lowers the number of listed flows of a file to those that fit, and reports that.
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
        "flowner: of more than {} flows, not all are listed: that is how far the memory \
         reaches (`ulimit -v`, `ulimit -d`)",
        fitting.flows
    ));
    fitting
}
