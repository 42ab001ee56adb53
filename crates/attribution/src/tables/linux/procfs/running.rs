//! Whether a process was on a CPU when a packet was sent, according to the scheduler's data about
//! its threads.
//!
//! The sender of a packet runs at that time. A thread that has slept since before did not send it.
//! This distinguishes the sender from other processes whose sockets may send the same packets.

use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, OFlags};

use super::proc::{self, Proc, ReadBuffers};
use crate::policy::freshness::SCHEDULER_CLOCK_ERROR;
use crate::tables::linux::sys;

/// The number of threads that this reads of a process: one with more is not distinguished from
/// others.
const MAX_THREADS: usize = 64;

/// The number of bytes that this reads of `sched`: the times come first.
const SCHED_LEN: usize = 512;

/// Whether a process may have sent a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ran {
    /// None of its threads ran.
    No,
    /// A thread may have run on another CPU, or it is unknown.
    Perhaps,
    /// A thread ran on the CPU that sent the packet, and sleeps by now.
    Here,
    /// A thread is about to continue on the CPU that sent the packet: the observing thread preempts
    /// it.
    Interrupted,
}

/// The CPU that sent a packet, and the time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    cpu: usize,
    /// By the scheduler's clock of that CPU; `None` if the kernel does not show it.
    since: Option<Duration>,
}

impl Moment {
    /// For a packet that the CPU of this thread sent at that wall-clock time.
    pub(crate) fn of(sent_at: SystemTime, cpu: usize, buffers: &mut ReadBuffers) -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let own = sys::openat(CWD, sys::own_directory(), flags, Mode::empty());
        // When this thread began to run, or a moment later: not after now.
        let now = own.ok().and_then(|own| last_ran(&own, buffers));
        let age = SystemTime::now().duration_since(sent_at).ok();
        let since = now.zip(age);
        let since = since.and_then(|(now, age)| now.checked_sub(age + SCHEDULER_CLOCK_ERROR));
        Self { cpu, since }
    }

    /// Whether a process may have sent the packet.
    pub(crate) fn ran(&self, proc: &Proc, pid: u32, buffers: &mut ReadBuffers) -> Ran {
        let Ok(process) = proc.process(pid) else {
            return Ran::Perhaps;
        };
        let mut threads = Vec::new();
        let listed = Proc::each_thread(&process, buffers, |thread| {
            threads.push(thread);
            threads.len() <= MAX_THREADS
        });
        if listed.is_err() || threads.len() > MAX_THREADS {
            return Ran::Perhaps;
        }
        let mut most = Ran::No;
        for thread in threads {
            // A thread that has exited cannot show that it ran.
            let ran = match Proc::thread(&process, thread) {
                Ok(thread) => self.thread_ran(&thread, buffers),
                Err(_) => Ran::Perhaps,
            };
            most = most.max(ran);
        }
        most
    }

    fn thread_ran(&self, thread: &OwnedFd, buffers: &mut ReadBuffers) -> Ran {
        let Some((state, cpu)) = state(thread, buffers) else {
            return Ran::Perhaps;
        };
        let is_here = cpu == self.cpu;
        self.ran_by(state, is_here, last_ran(thread, buffers))
    }

    /// The conclusion from the state of a thread, whether its last CPU is this one, and when it
    /// last ran.
    fn ran_by(&self, state: u8, is_here: bool, last_ran: Option<Duration>) -> Ran {
        match (last_ran, self.since) {
            // Also if it is runnable: the packet has woken a thread that waited for it.
            (Some(ran), Some(since)) if ran < since => Ran::No,
            _ if state == b'R' && is_here => Ran::Interrupted,
            (Some(_), Some(_)) if state != b'R' && is_here => Ran::Here,
            _ => Ran::Perhaps,
        }
    }
}

fn state(thread: &OwnedFd, buffers: &mut ReadBuffers) -> Option<(u8, usize)> {
    let text = proc::read_record(thread, c"stat", 4_096, buffers).ok()?;
    state_and_cpu(text)
}

fn last_ran(thread: &OwnedFd, buffers: &mut ReadBuffers) -> Option<Duration> {
    let text = proc::read_record(thread, c"sched", SCHED_LEN, buffers).ok()?;
    exec_start(text)
}

/// Fields 3 and 39 of `stat` (`proc_pid_stat(5)`).
fn state_and_cpu(bytes: &[u8]) -> Option<(u8, usize)> {
    let end = bytes.iter().rposition(|byte| *byte == b')')?;
    let after = std::str::from_utf8(&bytes[end + 1..]).ok()?;
    let mut fields = after.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let cpu = fields.nth(35)?.parse().ok()?;
    Some((state, cpu))
}

/// `se.exec_start` of `sched`, in milliseconds with six decimal places (`proc_sched_show_task` in
/// `kernel/sched/debug.c`): when the thread last ran.
fn exec_start(bytes: &[u8]) -> Option<Duration> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let line = lines.find(|line| line.starts_with(b"se.exec_start"))?;
    let (_, number) = std::str::from_utf8(line).ok()?.split_once(':')?;
    let (milliseconds, rest) = number.trim().split_once('.')?;
    let nanoseconds = rest.parse::<u64>().ok().filter(|_| rest.len() == 6)?;
    let whole = Duration::from_millis(milliseconds.parse().ok()?);
    whole.checked_add(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::channel;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_of_the_kernel_are_parsed() {
        let stat = b"4242 (a) R (b) S 1 4242 4242 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 1 1 \
            18446744073709551615 1 1 1 1 1 0 0 0 0 0 0 0 17 3 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
        assert_eq!(state_and_cpu(stat), Some((b'S', 3)));
        let sched = b"head (18812, #threads: 1)\n-----\n\
            se.exec_start                                :      56605415.882835\n\
            se.vruntime                                  :        298400.937643\n";
        let expected = Duration::new(56_605, 415_882_835);
        assert_eq!(exec_start(sched), Some(expected));
        assert_eq!(exec_start(&sched[..60]), None);
    }

    /// The packet wakes a program that captures, but it has not run yet.
    #[test]
    fn a_thread_that_the_packet_woke_did_not_send() {
        let moment = Moment {
            cpu: 0,
            since: Some(Duration::from_millis(5)),
        };
        let ran =
            |state, is_here, ran| moment.ran_by(state, is_here, Some(Duration::from_millis(ran)));
        assert_eq!([ran(b'R', true, 4), ran(b'S', true, 4)], [Ran::No; 2]);
        assert_eq!(ran(b'R', true, 5), Ran::Interrupted);
        assert_eq!(ran(b'S', true, 5), Ran::Here);
        assert_eq!(
            [ran(b'R', false, 5), ran(b'S', false, 5)],
            [Ran::Perhaps; 2]
        );
        assert_eq!(moment.ran_by(b'R', true, None), Ran::Interrupted);
        assert_eq!(moment.ran_by(b'S', true, None), Ran::Perhaps);
    }

    /// A thread that sleeps did not run; this one did.
    #[test]
    fn a_sleeping_thread_did_not_send() {
        let proc = Proc::open(Path::new("/proc"), true).unwrap();
        let mut buffers = ReadBuffers::default();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let process = proc.process(child.id()).unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        // The thread sleeps, and has done so for a while by the clock of the scheduler.
        let slept = loop {
            let moment = Moment::of(SystemTime::now(), usize::MAX, &mut buffers);
            if moment.since.is_none() {
                flowner_testing::skipped!("/proc/PID/sched is not there");
                break Ran::No;
            }
            let is_asleep = state(&process, &mut buffers).is_some_and(|(state, _)| state == b'S');
            let ran = moment.ran(&proc, child.id(), &mut buffers);
            if (is_asleep && ran == Ran::No) || std::time::Instant::now() > deadline {
                break ran;
            }
            std::thread::yield_now();
        };
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(slept, Ran::No);
        // This thread is on a CPU.
        let (wake, woken) = channel::<()>();
        let waiting = std::thread::spawn(move || woken.recv());
        let moment = Moment::of(SystemTime::now(), usize::MAX, &mut buffers);
        let own = moment.ran(&proc, std::process::id(), &mut buffers);
        assert_eq!(own, Ran::Perhaps);
        drop(wake);
        assert!(waiting.join().unwrap().is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_survived(bytes in any::<Vec<u8>>(), text in "se.exec_start[ :.0-9]{0,30}") {
            let _ = (state_and_cpu(&bytes), exec_start(&bytes), exec_start(text.as_bytes()));
        }
    }
}
