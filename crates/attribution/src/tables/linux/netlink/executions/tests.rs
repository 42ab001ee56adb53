use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::tables::linux::options::LinuxOptions;

fn executions() -> Option<Executions> {
    let options = LinuxOptions::default();
    let proc = Proc::open(&options.proc, options.descriptor_counts).unwrap();
    match Executions::open(&proc) {
        Ok(executions) => Some(executions),
        Err(error) => {
            flowner_testing::skipped!("the kernel reports no executed programs: {error}");
            None
        }
    }
}

#[test]
fn what_a_process_executes_is_known_at_once() {
    let Some(executions) = executions() else {
        return;
    };
    for _ in 0..20 {
        let (before, wall_before) = (Monotonic::now(), SystemTime::now());
        let mut command = Command::new("cat");
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // This returns when the child has executed its program, or could not.
        let mut child = piped.spawn().unwrap();
        // The kernel may be about to report it.
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut reported = executions.of(child.id());
        while reported.is_after(before) != Some(true) {
            assert!(Instant::now() < deadline, "{reported:?}");
            reported = executions.of(child.id());
        }
        let at = reported.last.unwrap();
        assert!(at <= Monotonic::now());
        assert_eq!(reported.is_after(Monotonic::now()), Some(false));
        let margin = Duration::from_millis(1);
        let wall = at.wall_clock();
        assert!(wall_before < wall + margin && wall < SystemTime::now() + margin);
        assert_eq!(executions.of(u32::MAX).last, None);
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}

#[test]
fn a_reader_has_what_is_reported_while_it_reads() {
    let Some(executions) = executions() else {
        return;
    };
    let executions = Arc::new(executions);
    let watcher = ExecutionWatcher::start(Arc::clone(&executions)).unwrap();
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    let is_child = |one: &Executed| one.pid == pid;
    let deadline = Instant::now() + Duration::from_secs(10);
    // The thread takes it, though nobody asks about the process.
    while !watcher.take(false).executed.iter().any(is_child) {
        assert!(Instant::now() < deadline, "it is not reported");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(!watcher.take(true).executed.iter().any(is_child));
}

#[test]
fn what_was_too_much_is_unknown() {
    let Some(executions) = executions() else {
        return;
    };
    executions.begin_news();
    rustix::net::sockopt::set_socket_recv_buffer_size(&executions.lock().link, 1).unwrap();
    let before = Monotonic::now();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(Instant::now() < deadline, "nothing was lost");
        // Only now and then, so that reports have no room.
        if child.id().is_multiple_of(16) && executions.take_news(true).is_incomplete {
            break;
        }
    }
    assert_eq!(executions.of(u32::MAX).is_after(before), None);
    assert_eq!(
        executions.of(u32::MAX).is_after(Monotonic::now()),
        Some(false)
    );
}
