//! `flowner record`: real processes on loopback in a network of their own, whose packets and
//! owners Wireshark's tools and `flowner read` find in the file, whatever ends the recording.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod common;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use common::namespace::Namespace;
use common::{Running, flowner, json_lines, run, stderr, stdout};
use flowner_testing::wait_until;
use serde_json::Value;
use tempfile::TempDir;

/// Says something to the test, which reads lines.
fn say(text: impl std::fmt::Display) {
    println!("\nSAYS {text}");
}

/// What a helper says next.
fn said(role: &Running) -> String {
    let line = role.line_with(|line| line.starts_with("SAYS "));
    line["SAYS ".len()..].to_owned()
}

/// What the helpers do. The server answers with what it is sent; the client has connections to
/// it, one after the other, or, if it holds them, all at once until its input is closed.
#[test]
#[ignore = "a role: other tests run it, in a process of its own"]
fn role() {
    let role = std::env::var("ROLE").expect("only the other tests run this");
    let argument = std::env::var("ARGUMENT").unwrap();
    if role == "server" {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        say(listener.local_addr().unwrap());
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut reader = stream.try_clone().unwrap();
                let _closed_by_peer = std::io::copy(&mut reader, &mut stream);
            });
        }
    }
    let (server, connections) = argument.split_once(' ').unwrap();
    let talk = || {
        let mut stream = TcpStream::connect(server).unwrap();
        for _ in 0..5 {
            stream.write_all(&[b'x'; 500]).unwrap();
            stream.read_exact(&mut [0; 500]).unwrap();
        }
        stream
    };
    let connections = 0..connections.parse().unwrap();
    if role == "holder" {
        let _held: Vec<_> = connections.map(|_| talk()).collect();
        say("begun");
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    for number in connections {
        drop(talk());
        // The pace: some seconds for a thousand, so that a test can come in between.
        std::thread::sleep(Duration::from_millis(5));
        if number == 0 {
            say("begun");
        }
    }
    say("done");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// A recording of what a server and a client say to each other.
struct Stage {
    namespace: Namespace,
    server: Running,
    address: String,
    folder: TempDir,
}

impl Stage {
    fn new() -> Option<Self> {
        let namespace = Namespace::new()?;
        let server = start(&namespace, "server", "");
        let address = said(&server);
        Some(Self {
            namespace,
            server,
            address,
            folder: tempfile::tempdir().unwrap(),
        })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("trace.pcapng")
    }

    /// Starts to record; returns when packets are captured.
    fn record(&self, more: &[&str]) -> Running {
        let mut command = self.namespace.command(env!("CARGO_BIN_EXE_flowner"));
        command
            .args(["record", "-i", "lo", "-w"])
            .arg(self.path())
            .args(more);
        // Each file with its number and the time of its last change.
        let files = || -> HashSet<_> {
            let entries = std::fs::read_dir(self.folder.path()).unwrap();
            let found = entries.filter_map(|entry| {
                let metadata = entry.ok()?.metadata().ok()?;
                Some((metadata.ino(), metadata.modified().ok()?))
            });
            found.collect()
        };
        let before = files();
        let recording = Running::spawn(&mut command);
        // The device is open before the file is there.
        wait_until("another file", || !files().is_subset(&before));
        recording
    }

    fn client(&self, connections: u32) -> Running {
        let argument = format!("{} {connections}", self.address);
        start(&self.namespace, "client", &argument)
    }

    /// A client that has these connections until it is released.
    fn holder(&self, connections: u32) -> Running {
        let argument = format!("{} {connections}", self.address);
        start(&self.namespace, "holder", &argument)
    }
}

/// Starts this test's own program in another role.
fn start(namespace: &Namespace, role: &str, argument: &str) -> Running {
    let program = std::env::current_exe().unwrap();
    let mut command = namespace.command(program.to_str().unwrap());
    command
        .args(["--exact", "role", "--ignored", "--nocapture"])
        .arg("--test-threads=1")
        .env("ROLE", role)
        .env("ARGUMENT", argument);
    Running::spawn(&mut command)
}

/// Runs a program of Wireshark; `None`, with a visible word, where it is missing.
fn wireshark(program: &str, args: &[&str], file: &Path) -> Option<Output> {
    let output = Command::new(program)
        .args(args)
        .arg(file)
        .stdin(Stdio::null())
        .output();
    if output.is_err() {
        flowner_testing::skipped!("there is no {program}");
    }
    output.ok()
}

fn flows(path: &Path) -> Vec<Value> {
    let output = run(&["read", path.to_str().unwrap(), "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    flows_in(&output)
}

/// The flows of a file that is still written.
fn flows_so_far(path: &Path) -> Vec<Value> {
    flows_in(&run(&["read", path.to_str().unwrap(), "--json"]))
}

fn flows_in(output: &Output) -> Vec<Value> {
    let lines = json_lines(&stdout(output));
    lines
        .into_iter()
        .filter(|line| line["type"] == "flow")
        .collect()
}

/// The pids of both ends of a flow: the client's and the server's.
fn pids(flow: &Value) -> [Option<u64>; 2] {
    ["owner", "remote_owner"].map(|owner| flow[owner]["processes"][0]["pid"].as_u64())
}

/// Packets are in the order of time, and each points to the process that sent it, which a block
/// describes.
fn check_blocks(path: &Path, pids: [u64; 2], packets: u64) {
    let file = std::fs::File::open(path).unwrap();
    let mut reader = flowner_core::capture::FileReader::new(file).unwrap();
    let mut count = 0;
    let mut last = std::time::Duration::ZERO;
    while let Some(packet) = reader.next().unwrap() {
        count += 1;
        assert!(last <= packet.time, "in the order of time");
        last = packet.time;
        let processes: Vec<_> = packet.comments.processes(packet.time).collect();
        let [process] = processes[..] else {
            panic!("{processes:?}");
        };
        assert!(pids.contains(&u64::from(process.pid)), "{process:?}");
        let source = packet.comments.iter().find(|it| it.ends_with("end=source"));
        let pid = format!(" pid={} ", process.pid);
        assert!(source.unwrap().contains(&pid), "{source:?}");
        let facts = process.facts.unwrap();
        assert!(facts.path.as_ref().unwrap().contains("/record-"));
        assert_eq!((facts.uid, facts.user.as_deref()), (Some(0), Some("root")));
        assert!(facts.started.unwrap() <= packet.time);
        assert!(facts.parent.is_some());
        assert_eq!(facts.command_line, None, "arguments may hold secrets");
    }
    assert_eq!(count, packets);
}

#[test]
fn owners_are_in_the_file_and_read_again() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let mut recording = stage.record(&[]);
    let mut client = stage.holder(3);
    let expected = [&client, &stage.server].map(|process| Some(u64::from(process.pid())));
    assert_eq!(said(&client), "begun");
    // A busy machine may take its time to find the client, who stays for that.
    let is_known = || {
        let known = flows_so_far(&stage.path());
        known.iter().filter(|flow| pids(flow) == expected).count() == 3
    };
    wait_until("an owner", is_known);
    client.release();
    client.child.wait().unwrap();
    recording.interrupt();
    assert!(recording.child.wait().unwrap().success());
    assert_eq!(recording.read_stderr(), "", "silent, where nobody watches");

    let flows = flows(&stage.path());
    assert_eq!(flows.len(), 3, "{flows:#?}");
    let mut packets = 0;
    for flow in &flows {
        assert_eq!(pids(flow), expected, "{flow:#}");
        assert_eq!(flow["remote"], stage.address);
        let owner = &flow["owner"];
        assert_eq!(owner["verdict"], "process");
        assert_eq!(owner["match"], "five-tuple");
        assert_eq!(owner["processes"][0]["user"], "root");
        let path = owner["processes"][0]["path"].as_str().unwrap();
        assert!(path.contains("/record-"), "{path}");
        assert!(owner["processes"][0]["started"].is_string());
        packets += flow["sent"]["packets"].as_u64().unwrap();
        packets += flow["received"]["packets"].as_u64().unwrap();
    }
    let by_program = run(&["read", stage.path().to_str().unwrap(), "--by", "program"]);
    assert!(stdout(&by_program).contains("owners by bytes, as the file claims: named 100.0 %"));

    let fields = ["-T", "fields", "-e", "frame.comment", "-r"];
    if let Some(output) = wireshark("tshark", &fields, &stage.path()) {
        let text = stdout(&output);
        // Versions before 5.1 list what describes a process between the packets, without fields.
        let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len() as u64, packets);
        for line in lines {
            assert_eq!(
                line.matches("flowner: program=record-").count(),
                2,
                "{line}"
            );
            assert!(line.contains(&format!("pid={} ", client.pid())), "{line}");
            assert!(
                line.contains(&format!("pid={} ", stage.server.pid())),
                "{line}"
            );
        }
    }
    check_blocks(&stage.path(), expected.map(Option::unwrap), packets);
    if let Some(output) = wireshark("capinfos", &[], &stage.path()) {
        assert!(output.status.success(), "{}", stderr(&output));
        let text = stdout(&output);
        for expected in [
            &format!("Number of packets:   {packets}"),
            "Capture application: flowner",
            "Name = lo",
            "Number of stat entries = 1",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}

#[test]
fn only_the_packets_of_a_program() {
    let Some(stage) = Stage::new() else {
        return;
    };
    for (program, expected) in [("record-", 2), ("no-such-program", 0)] {
        let mut recording = stage.record(&["--owner-of", program, "--force"]);
        let client = stage.client(2);
        assert_eq!(said(&client), "begun");
        assert_eq!(said(&client), "done");
        recording.interrupt();
        assert!(recording.child.wait().unwrap().success());
        let flows = flows(&stage.path());
        // On a busy machine, a connection may end before there is time to confirm its owner. Then its
        // last part is a flow of its own.
        let connections: HashSet<_> = flows.iter().map(|it| &it["community_id"]).collect();
        assert_eq!(connections.len(), expected, "{program}: {flows:#?}");
    }
}

#[test]
fn a_killed_recording_can_be_read() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let mut recording = stage.record(&[]);
    let client = stage.client(1_000);
    // It is written while it goes on.
    let len = || std::fs::metadata(stage.path()).unwrap().len();
    wait_until("20 kB", || len() > 20_000);
    recording.child.kill().unwrap();
    recording.child.wait().unwrap();
    drop(client);
    let flows = flows(&stage.path());
    assert!(flows.len() > 1);
    // On a busy machine, a connection may end before there is time to confirm its owner.
    let server = Some(u64::from(stage.server.pid()));
    let named = flows.iter().filter(|flow| pids(flow)[1] == server);
    assert!(named.count() > 0, "{flows:#?}");
    let is_right = |flow: &Value| [None, server].contains(&pids(flow)[1]);
    assert!(flows.iter().all(is_right), "wrong owner: {flows:#?}");
    if let Some(output) = wireshark("capinfos", &[], &stage.path()) {
        assert!(output.status.success(), "{}", stderr(&output));
    }
}

#[test]
fn a_ring_of_files() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let mut recording = stage.record(&["--rotate-size", "10k", "--files", "3"]);
    let client = stage.client(20);
    assert_eq!(said(&client), "begun");
    assert_eq!(said(&client), "done");
    recording.interrupt();
    assert!(recording.child.wait().unwrap().success());
    let mut files: Vec<_> = std::fs::read_dir(stage.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert!(std::fs::metadata(&file).unwrap().len() <= 10_000);
        assert!(!flows(&file).is_empty());
    }
}

#[test]
fn standard_output_can_be_piped_and_closed() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let client = stage.client(1_000);
    let mut command = stage.namespace.command(env!("CARGO_BIN_EXE_flowner"));
    command.args(["record", "-i", "lo", "-w", "-"]);
    let mut recording = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = flowner()
        .args(["read", "-", "--json"])
        .stdin(recording.stdout.take().unwrap())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(said(&client), "begun");
    // The reader goes away: that ends the recording, and is no error.
    reader.kill().unwrap();
    reader.wait().unwrap();
    let output = recording.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}

/// Arguments, and part of what is said.
#[track_caller]
fn check(args: &[&str], said: &str) {
    let output = run(&[&["record"], args].concat());
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(said), "{said:?} in {error:?}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn what_cannot_be_written_is_one_clear_line() {
    if Namespace::new().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there.pcapng");
    std::fs::write(&there, "a file of somebody").unwrap();
    let there = there.to_str().unwrap();
    check(&["-i", "lo", "-w", there], "exists already");
    assert_eq!(std::fs::read(there).unwrap(), b"a file of somebody");
    let nowhere = folder.path().join("none/trace.pcapng");
    check(
        &["-i", "lo", "-w", nowhere.to_str().unwrap()],
        "none/trace.pcapng cannot be written: there is no such folder",
    );
    check(&["-i", "lo", "-w", "/dev/full", "--force"], "No space left");
    check(&["-w", there, "--files", "3"], "--rotate-size");
    check(&["-w", "-", "--rotate-size", "1M"], "standard output");
    check(
        &["-i", "no-such-device", "-w", "x.pcapng"],
        "no-such-device",
    );
}

/// Packets that the file has.
fn packets(path: &Path) -> u64 {
    let output = run(&["read", path.to_str().unwrap(), "--json", "--by", "protocol"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let lines = json_lines(&stdout(&output));
    lines.last().unwrap()["total"]["packets"].as_u64().unwrap()
}

/// The number at the start of what is said, with these words behind it.
#[track_caller]
fn number_before(said: &str, words: &str) -> u64 {
    let lines = said
        .lines()
        .map(|line| line.trim_start_matches("flowner: "));
    let mut number_before =
        lines.filter_map(|line| line.split_once(" packet").filter(|it| it.1.contains(words)));
    let (number, _) = number_before
        .next()
        .unwrap_or_else(|| panic!("no {words:?} in {said}"));
    number.parse().unwrap()
}

/// What a recording that cannot go on says: why, and of each packet whether it is in the file.
#[track_caller]
fn check_failed(mut recording: Running, path: &Path, why: &str) {
    let code = recording.child.wait().unwrap().code();
    let said = recording.read_stderr();
    assert_eq!(code, Some(2), "{said}");
    let first = said.lines().next().unwrap();
    assert!(
        first.contains(path.to_str().unwrap()) && first.contains(why),
        "{said}"
    );
    assert_eq!(
        packets(path),
        number_before(&said, "recorded before that"),
        "{said}"
    );
    assert!(number_before(&said, "could not be written") > 0, "{said}");
}

/// A disk that is full after the first packets: a small file system in memory.
#[test]
fn a_disk_that_fills_up_leaves_a_file_that_can_be_read() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let disk = stage.folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=200k", "tmpfs"])
        .arg(&disk)
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        flowner_testing::skipped!("no privilege to mount a file system");
        return;
    }
    let path = disk.join("trace.pcapng");
    let mut command = stage.namespace.command(env!("CARGO_BIN_EXE_flowner"));
    command.args(["record", "-i", "lo", "-w"]).arg(&path);
    let recording = Running::spawn(&mut command);
    wait_until("the file", || path.exists());
    let client = stage.client(1_000);
    check_failed(recording, &path, "No space left");
    drop(client);
    Command::new("umount").arg(&disk).status().unwrap();
}

#[test]
fn a_limit_of_file_sizes_is_reported() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let mut command = stage.namespace.command("bash");
    // In blocks of 1,024 bytes.
    command
        .args(["-c", "ulimit -f 100; exec \"$0\" record -i lo -w \"$1\""])
        .arg(env!("CARGO_BIN_EXE_flowner"))
        .arg(stage.path());
    let recording = Running::spawn(&mut command);
    wait_until("the file", || stage.path().exists());
    let client = stage.client(1_000);
    check_failed(recording, &stage.path(), "File too large");
    drop(client);
}

#[test]
fn a_file_that_is_removed_meanwhile_is_reported() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let mut recording = stage.record(&[]);
    let client = stage.client(1_000);
    assert_eq!(said(&client), "begun");
    std::fs::remove_file(stage.path()).unwrap();
    let code = recording.child.wait().unwrap().code();
    let said = recording.read_stderr();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("was removed while it was written"), "{said}");
    assert!(number_before(&said, "could not be written") > 0, "{said}");
    drop(client);
}
