//! The CPU and the scheduling priority of a thread (sched(7)).
#![allow(unsafe_code, reason = "no library offers the real-time priorities")]

use std::io;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// The nice value of a thread that looks up owners. It works for microseconds, and each wait for
/// its CPU decides whether a process still exists.
const NICE_VALUE: i32 = -20;

/// Raises the priority of this thread if that is permitted.
pub(crate) fn raise_priority() {
    // For this thread only (setpriority(2), "C library/kernel differences").
    if let Err(error) = rustix::process::setpriority_process(None, NICE_VALUE) {
        tracing::debug!(%error, "no precedence over other threads");
    }
}

/// The number of CPUs, if this thread may run on each and their numbers have no gaps.
pub(crate) fn cpus() -> Option<usize> {
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    let last: usize = online.trim().strip_prefix("0-")?.parse().ok()?;
    let allowed = sched_getaffinity(None).ok()?;
    let may_run = |cpu| cpu < CpuSet::MAX_CPU && allowed.is_set(cpu);
    (0..=last).all(may_run).then_some(last + 1)
}

/// The CPU time that this thread has used since it started.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Binds this thread to a CPU.
pub(crate) fn bind_to(cpu: usize) -> io::Result<()> {
    let mut only = CpuSet::new();
    only.set(cpu);
    Ok(sched_setaffinity(None, &only)?)
}

/// Raises the priority of this thread as far as that is permitted: it works for microseconds.
/// Returns whether it has real-time priority then.
pub(crate) fn raise_to_highest_priority() -> bool {
    let is_realtime = take_realtime().is_ok();
    if !is_realtime {
        raise_priority();
    }
    is_realtime
}

/// Gives this thread the lowest real-time priority (`SCHED_FIFO`; sched(7)).
pub(crate) fn take_realtime() -> io::Result<()> {
    let least = libc::sched_param { sched_priority: 1 };
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: the parameter is read during the call; 0 is the calling thread.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const least) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
