//! How long a process has run (`clock_getcpuclockid(3)`).
#![allow(
    unsafe_code,
    reason = "no crate in use names the clocks of other processes"
)]

use std::mem::MaybeUninit;
use std::time::Duration;

/// Of the clock of all threads of a process: `MAKE_PROCESS_CPUCLOCK` with `CPUCLOCK_SCHED`, in
/// `include/linux/posix-timers.h`.
const OF_SCHEDULER: libc::clockid_t = 2;

/// The CPU time of all threads of a process, by its id in the namespace of this process. It grows each
/// time that one of them runs. Any process may read it. `None` if there is no such process.
pub(crate) fn cpu_time(pid: u32) -> Option<Duration> {
    let clock = (!pid.cast_signed() << 3) | OF_SCHEDULER;
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is to room for one time, which the call fills if it succeeds.
    let time = unsafe {
        if libc::clock_gettime(clock, time.as_mut_ptr()) != 0 {
            return None;
        }
        time.assume_init()
    };
    let seconds = u64::try_from(time.tv_sec).ok()?;
    Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_that_ran_has_used_time() {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id();
        let (mut to, mut from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut echo = || {
            to.write_all(b"x").unwrap();
            from.read_exact(&mut [0]).unwrap();
        };
        echo();
        let before = cpu_time(pid).unwrap();
        echo();
        // The answer was there before the process stopped to run.
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while cpu_time(pid).unwrap() == before {
            assert!(std::time::Instant::now() < deadline, "it ran");
        }
        drop((to, from));
        child.wait().unwrap();
        assert_eq!(cpu_time(pid), None);
    }
}
