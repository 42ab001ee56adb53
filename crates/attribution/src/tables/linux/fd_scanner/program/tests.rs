#![allow(
    unsafe_code,
    reason = "ptrace(2) stops a process where the tests need it"
)]

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::tables::linux::options::LinuxOptions;

/// A process that has executed a program, and stands before its first instruction; this thread lets
/// it go on.
fn stopped() -> Option<Child> {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    // SAFETY: ptrace(2) is all that is called between fork(2) and execve(2).
    unsafe {
        command.pre_exec(|| match libc::ptrace(libc::PTRACE_TRACEME) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            flowner_testing::skipped!("ptrace(2): {error}");
            return None;
        }
    };
    let (pid, mut status) = (child.id().cast_signed(), 0);
    // SAFETY: The status is written during the call only.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFSTOPPED(status), "{status}");
    Some(child)
}

fn go_on(child: &Child) {
    let pid = child.id().cast_signed();
    // SAFETY: It takes numbers only.
    let detached = unsafe { libc::ptrace(libc::PTRACE_DETACH, pid, 0, 0) };
    assert_eq!(detached, 0);
}

#[test]
fn a_program_that_is_yet_to_run_has_not_begun() {
    let Some(mut child) = stopped() else {
        return;
    };
    let proc = Proc::open(&LinuxOptions::default().proc, true).unwrap();
    let directory = proc.process(child.id()).unwrap();
    let mut buffers = ReadBuffers::default();
    // All that is read of it is of the new program already.
    let stat = facts::stat_of(&directory, &mut buffers).unwrap();
    assert!(stat.has_executed && stat.name == "cat", "{stat:?}");
    assert!(Proc::image_in(&directory).is_some());
    assert!(!has_begun(&directory, &mut buffers));
    go_on(&child);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !has_begun(&directory, &mut buffers) {
        assert!(Instant::now() < deadline, "it does not begin");
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn descriptors_say_whether_execve_closes_them() {
    let flags = rustix::fs::OFlags::PATH;
    let own = rustix::fs::open("/proc/self", flags, rustix::fs::Mode::empty()).unwrap();
    let mut buffers = ReadBuffers::default();
    let file = std::fs::File::open("/dev/null").unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&file).unsigned_abs();
    assert!(facts::is_closed_on_execution(&own, number, &mut buffers));
    // Who inherits this one has nothing from it.
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    assert!(!facts::is_closed_on_execution(&own, number, &mut buffers));
}
