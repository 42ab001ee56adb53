//! The second signal ends every command, even while it waits for a reader of its output; the first
//! one is never lost, and one that comes twice is one.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use common::Running;
use common::namespace::Namespace;
use common::pipe::{full_pipe, is_writing};
use flowner_testing::wait_until;

/// A signal that comes later than this after the first one is the second one. That the first one
/// ends nothing can only be seen by letting that time pass.
const SECOND: Duration = Duration::from_millis(400);
const SIGTERM: i32 = 15;

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(status.unwrap().success());
}

fn has_thread(pid: u32, name: &str) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
    let mut tasks = tasks.into_iter().flatten().flatten();
    tasks.any(|task| {
        let comm = std::fs::read_to_string(task.path().join("comm"));
        comm.is_ok_and(|comm| comm.trim_end() == name)
    })
}

fn end_of(child: &mut Child) -> ExitStatus {
    let mut status = None;
    wait_until("it does not end", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

/// Sends both signals to a command without a reader of its output.
#[track_caller]
fn check_ends(mut command: Command) {
    let (reader, writer) = full_pipe();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = child.id();
    wait_until("nothing is written", || {
        has_thread(pid, "flowner-signals") && (is_writing(pid) || has_thread(pid, "flowner-record"))
    });
    signal(pid, "INT");
    std::thread::sleep(SECOND);
    // Or there is nothing to be shown here.
    assert_eq!(child.try_wait().unwrap(), None, "{command:?}");
    signal(pid, "TERM");
    let status = end_of(&mut child);
    assert_eq!(status.signal(), Some(SIGTERM), "{command:?}: {status}");
    drop(reader);
}

/// A file with some packets.
fn capture_file(folder: &Path) -> Option<PathBuf> {
    let captures = common::captures()?;
    let mut files = std::fs::read_dir(captures).unwrap().flatten();
    let file = files.find(|file| file.path().extension().is_some_and(|it| it == "pcap"))?;
    let copy = folder.join("some.pcap");
    std::fs::copy(file.path(), &copy).unwrap();
    Some(copy)
}

#[test]
fn the_second_signal_ends_a_command_without_a_reader() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let of = |words: &[&str]| {
        let mut command = namespace.command(env!("CARGO_BIN_EXE_flowner"));
        command.arg("--no-config").args(words);
        command
    };
    check_ends(of(&["watch", "--json", "-i", "lo"]));
    check_ends(of(&["sockets", "--watch", "--json"]));
    check_ends(of(&["record", "-i", "lo", "-w", "-"]));
    if let Some(file) = capture_file(folder.path()) {
        check_ends(of(&["read", "--json", file.to_str().unwrap()]));
    }
}

/// As `timeout` does, to the process and then to its group.
#[test]
fn a_signal_that_comes_twice_is_one() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let mut command = namespace.command(env!("CARGO_BIN_EXE_flowner"));
    command.args(["--no-config", "watch", "--json", "-i", "lo"]);
    let mut running = Running::spawn(&mut command);
    running.line_with(|line| line.contains(r#""type":"start""#));
    signal(running.pid(), "TERM");
    signal(running.pid(), "TERM");
    let lines = running.rest();
    assert!(lines.last().unwrap().contains(r#""type":"summary""#));
    assert!(running.child.wait().unwrap().success());
}

/// What was begun is finished, though the signal comes as soon as there is something.
#[test]
fn a_signal_that_comes_early_is_not_lost() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for number in 0..10 {
        let path = folder.path().join(format!("{number}.pcapng"));
        let mut command = namespace.command(env!("CARGO_BIN_EXE_flowner"));
        command.args(["--no-config", "record", "-i", "lo", "-w"]);
        let mut child = command.arg(&path).stderr(Stdio::null()).spawn().unwrap();
        wait_until("no file", || path.exists());
        signal(child.id(), "TERM");
        assert!(end_of(&mut child).success());
        let mut read = common::flowner();
        let read = read.args(["--no-config", "read"]).arg(&path).output();
        assert!(read.unwrap().status.success());
    }
}

/// Fills a terminal that has no reader.
fn fill(terminal: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    let mut terminal = options
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(terminal)
        .unwrap();
    while terminal.write(&[b'x'; 64]).is_ok() {}
    while terminal.write(b"x").is_ok() {}
}

/// The live view, on a terminal that accepts no output.
#[test]
fn the_second_signal_ends_the_live_view() {
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};

    let size = PtySize {
        rows: 60,
        cols: 200,
        ..PtySize::default()
    };
    let pair = match native_pty_system().openpty(size) {
        Ok(pair) => pair,
        Err(error) => {
            flowner_testing::skipped!("no terminal: {error}");
            return;
        }
    };
    let terminal = pair.master.tty_name().unwrap();
    fill(&terminal);
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_flowner"));
    command.args(["--no-config", "live", "--sockets"]);
    let mut child = pair.slave.spawn_command(command).unwrap();
    let pid = child.process_id().unwrap();
    wait_until("nothing is drawn", || {
        // The kernel moves what was written from one buffer to another, which makes room.
        fill(&terminal);
        has_thread(pid, "flowner-signals") && is_writing(pid)
    });
    signal(pid, "INT");
    std::thread::sleep(SECOND);
    assert!(child.try_wait().unwrap().is_none());
    signal(pid, "TERM");
    wait_until("it does not end", || child.try_wait().unwrap().is_some());
    drop(pair.master);
}
