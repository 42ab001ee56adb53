//! Whoever does not read what `flowner watch` writes stops nothing, and is told what is missing;
//! whoever has enough ends it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::json_lines;
use common::lines::{Lines, type_of};
use common::namespace::Namespace;
use serde_json::Value;

/// Refused connections, which have lines some seconds later: more than a pipe takes.
const CONNECTIONS: u64 = 600;
const TICKS: u64 = 8;
/// Flows after that, of which events tell: more than may wait.
const FLOWS: (u16, u64) = (1_200, 20);

/// Makes them; nothing when run as a test.
#[test]
fn role() {
    if std::env::var_os("MANY_FLOWS").is_none() {
        return;
    }
    for _ in 0..CONNECTIONS {
        let _refused = TcpStream::connect("127.0.0.1:9").unwrap_err();
    }
    let sockets: Vec<_> = (0..FLOWS.1)
        .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    // A connection that was refused is over after 5 seconds, in the time of packets.
    for _ in 0..TICKS {
        std::thread::sleep(Duration::from_secs(1));
        sockets[0].send_to(b"x", "127.0.0.2:9").unwrap();
    }
    for port in 0..FLOWS.0 {
        for socket in &sockets {
            socket.send_to(b"x", ("127.0.0.2", 1_000 + port)).unwrap();
        }
        // So that the kernel need not drop them.
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// What is written while nobody reads; `None`, with a visible word, where that cannot be tried.
fn watch_slowly() -> Option<Vec<Value>> {
    let namespace = Namespace::new()?;
    let mut watch = namespace
        .command(env!("CARGO_BIN_EXE_flowner"))
        .args(["--no-config", "watch", "--json", "-i", "lo"])
        .args(["--by", "protocol", "--filter", "port:9", "-f", "not icmp"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(watch.stdout.take().unwrap());
    let mut text = String::new();
    out.read_line(&mut text).unwrap();
    let program = std::env::current_exe().unwrap();
    let mut many = namespace.command(program.to_str().unwrap());
    many.args(["--exact", "role"]).env("MANY_FLOWS", "1");
    assert!(many.stdout(Stdio::null()).status().unwrap().success());
    let pid = watch.id().to_string();
    let interrupt = Command::new("kill").args(["-INT", &pid]).status();
    assert!(interrupt.unwrap().success());
    // It ends, though there was no room for that it has.
    out.read_to_string(&mut text).unwrap();
    assert!(watch.wait().unwrap().success());
    Some(json_lines(&text))
}

#[test]
fn a_reader_that_is_too_slow_is_told_what_it_missed() {
    // Where the machine is too busy to capture, there is less to tell of.
    for _ in 0..3 {
        let Some(lines) = watch_slowly() else { return };
        let types = Lines::new().check(&lines);
        let summary = lines.last().unwrap();
        // All that was sent is counted, whatever was missed: refusals are packets, too. (The
        // kernel counts what it drops before it leaves out what the filter does.)
        let seen = summary["total"]["packets"].as_u64().unwrap();
        let dropped = summary["dropped"].as_u64().unwrap();
        let sent = 2 * CONNECTIONS + TICKS + u64::from(FLOWS.0) * FLOWS.1;
        assert!(seen + dropped >= sent, "{summary:#}");
        if types.contains("missed") {
            let missed = lines.iter().filter(|line| type_of(line) == "missed");
            assert!(missed.clone().all(|line| line["events"].as_u64() > Some(0)));
            return;
        }
    }
    panic!("nothing was missed");
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
