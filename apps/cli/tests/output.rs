//! The other end of the output: pipes that close, disks that are full, people who
//! ask wrong questions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::net::TcpListener;
use std::process::Stdio;

use common::{flowner, json_lines, run, stderr, stdout};

#[test]
fn a_closed_pipe_ends_quietly() {
    for arguments in [&["sockets"][..], &["devices", "--json"], &["--help"]] {
        let mut child = flowner()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(stderr(&output), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    // Something to write: this host has at least one socket.
    let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = flowner()
        .arg("sockets")
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("could not be written"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_exit_code_is_1_without_an_owner_and_2_for_wrong_arguments() {
    // Bound and closed again: a port without a socket.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let output = run(&["who", &free.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&free.to_string()));

    for arguments in [
        &["who", "nonsense"][..],
        &["who", "99999"],
        &["sockets", "prot:tcp"],
        &["watch", "-i", "no-such-device"],
        &["nonsense"],
        &["watch", "--duration", "soon"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!stderr(&output).is_empty(), "{arguments:?}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
    }
    for (arguments, expected) in [
        (&["who", "pid:abc"][..], "process id"),
        (&["who", "program:("], "^"),
        (&["who", "tcp", "1", "2"], "has no address"),
        (&["who", "127.0.0.1:70000"], "ports are 1 to 65535"),
        (&["watch", "--duration", "x"], "such as 500ms"),
        (&["sockets", "--interval", "10"], "such as 500ms"),
        (&["who", "--wait", "--timeout", "x", "1"], "such as 500ms"),
    ] {
        let printed = stderr(&run(arguments));
        assert!(printed.contains(expected), "{arguments:?}: {printed}");
        assert!(!printed.contains("\\n"), "{arguments:?}: {printed}");
    }
    let output = run(&["watch", "-i", "no-such-device"]);
    assert!(
        stderr(&output).contains("no-such-device"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn devices_have_a_default() {
    let output = run(&["devices"]);
    assert!(output.status.success());
    let text = stdout(&output);
    assert!(text.lines().any(|line| line.starts_with('*')), "{text}");
    assert!(text.contains("127.0.0.1"), "{text}");
    let lines = json_lines(&stdout(&run(&["devices", "--json"])));
    let defaults = lines[1..].iter().filter(|device| device["default"] == true);
    assert_eq!(defaults.count(), 1, "{lines:#?}");
}
