//! A reader that does not read what `flowner watch` writes stops nothing, and learns what is missing;
//! a reader that has enough ends it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::io::{BufRead, BufReader, PipeReader, Read};
use std::net::{TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::json_lines;
use common::lines::{Lines, type_of};
use common::namespace::Namespace;
use common::pipe::{full_pipe, is_writing};

/// Connections that are refused.
const CONNECTIONS: u64 = 600;
/// Flows after that, from so many sockets to so many ports each. Every one is an event, and that
/// its owner is named another one: more than twice as many as may wait, so that some may get lost
/// on a machine with much to do.
const FLOWS: (u64, u16) = (20, 1_000);

/// Makes them.
#[test]
#[ignore = "a role: another test runs it, in a process of its own"]
fn role() {
    for _ in 0..CONNECTIONS {
        let _refused = TcpStream::connect("127.0.0.1:9").unwrap_err();
    }
    let sockets: Vec<_> = (0..FLOWS.0)
        .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    for port in 0..FLOWS.1 {
        for socket in &sockets {
            socket.send_to(b"x", ("127.0.0.2", 1_000 + port)).unwrap();
        }
        // The pace: faster than that, the kernel drops what is captured.
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A watch that captures, and writes to a pipe that has no room for its first line.
fn watch(namespace: &Namespace) -> (Child, PipeReader) {
    let (reader, writer) = full_pipe();
    let watch = namespace
        .command(env!("CARGO_BIN_EXE_flowner"))
        .args(["--no-config", "watch", "--json", "-i", "lo"])
        .args(["--by", "protocol", "--filter", "port:9", "-f", "not icmp"])
        .stdout(writer)
        .spawn()
        .unwrap();
    // It writes its first line when the device is captured from.
    let end = std::time::Instant::now() + common::DEADLINE;
    while !is_writing(watch.id()) {
        assert!(std::time::Instant::now() < end, "nothing is written");
        std::thread::sleep(Duration::from_millis(5));
    }
    (watch, reader)
}

#[test]
fn a_reader_that_is_too_slow_learns_what_it_missed() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let (mut watch, mut reader) = watch(&namespace);
    let program = std::env::current_exe().unwrap();
    let mut many = namespace.command(program.to_str().unwrap());
    many.args(["--exact", "role", "--ignored"]);
    assert!(many.stdout(Stdio::null()).status().unwrap().success());
    let pid = watch.id().to_string();
    let interrupt = Command::new("kill").args(["-INT", &pid]).status();
    assert!(interrupt.unwrap().success());
    // It ends, though there was no room for what it has to say.
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert!(watch.wait().unwrap().success());

    let lines = json_lines(text.trim_start());
    let types = Lines::new().check(&lines);
    let summary = lines.last().unwrap();
    // All that was sent is counted, whatever was missed: refusals are packets, too. (The
    // kernel counts what it drops before it leaves out what the filter does.)
    let seen = summary["total"]["packets"].as_u64().unwrap();
    let dropped = summary["dropped"].as_u64().unwrap();
    let sent = 2 * CONNECTIONS + FLOWS.0 * u64::from(FLOWS.1);
    assert!(seen + dropped >= sent, "{summary:#}");
    assert!(types.contains("missed"), "{types:?}, {summary:#}");
    let missed = lines.iter().filter(|line| type_of(line) == "missed");
    assert!(missed.clone().all(|line| line["events"].as_u64() > Some(0)));
}

#[test]
fn a_reader_that_has_enough_ends_what_has_nothing_to_write() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    for arguments in [
        &["watch", "--json", "-i", "lo"][..],
        &["sockets", "--watch", "--json", "--interval", "1h"],
    ] {
        let mut watch = namespace
            .command(env!("CARGO_BIN_EXE_flowner"))
            .arg("--no-config")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        // As `head -1`; nothing happens in this network.
        BufReader::new(watch.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        assert!(first.contains("\"start\""), "{first}");
        let end = std::time::Instant::now() + common::DEADLINE;
        while watch.try_wait().unwrap().is_none() {
            assert!(std::time::Instant::now() < end, "{arguments:?} goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = watch.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        assert_eq!(output.stderr, b"", "{arguments:?}: {output:?}");
    }
}
