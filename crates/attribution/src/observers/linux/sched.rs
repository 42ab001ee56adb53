//! On which CPU a thread runs, and before which others (sched(7)).
#![allow(unsafe_code, reason = "no library offers the real-time priorities")]

use std::io;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// The nice value of a thread whose lookups count: it works for microseconds, and what it
/// waits for its CPU decides whether a process is still there.
const PRECEDENCE: i32 = -20;

/// Has this thread run before others, if that is permitted.
pub(crate) fn take_precedence() {
    // Of this thread only (setpriority(2), "C library/kernel differences").
    if let Err(error) = rustix::process::setpriority_process(None, PRECEDENCE) {
        tracing::debug!(%error, "no precedence over other threads");
    }
}

/// How many CPUs there are, if this thread may run on each, and they are numbered
/// without gaps.
pub(crate) fn cpus() -> Option<usize> {
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    let last: usize = online.trim().strip_prefix("0-")?.parse().ok()?;
    let allowed = sched_getaffinity(None).ok()?;
    let may_run = |cpu| cpu < CpuSet::MAX_CPU && allowed.is_set(cpu);
    (0..=last).all(may_run).then_some(last + 1)
}

/// What this thread has taken of CPUs since it was started.
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

/// Has this thread run before others, as far as that is permitted: it works for microseconds.
/// Whether it has real-time priority then.
pub(crate) fn take_highest_precedence() -> bool {
    let is_realtime = take_realtime().is_ok();
    if !is_realtime {
        take_precedence();
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
