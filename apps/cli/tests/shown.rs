//! What commands show, character for character, on a network that has nothing but what is
//! put there; and the examples of the documentation, run as they stand.
//!
//! `SNAPSHOTS=overwrite cargo test -p flowner --test shown` writes what is expected anew;
//! look at the difference before it is committed.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Output};

use common::namespace::Namespace;
use common::{Running, run, stderr, stdout};
use snapbox::{Assert, Data, Redactions, file};

/// The server that the commands show.
#[test]
#[ignore = "a role: other tests run it, in a process of its own"]
fn role() {
    let _tcp = TcpListener::bind("127.0.0.1:8080").unwrap();
    let _udp = UdpSocket::bind("[::1]:5353").unwrap();
    let connected = UdpSocket::bind("127.0.0.1:4000").unwrap();
    connected.connect("127.0.0.1:8080").unwrap();
    println!("\nREADY");
    std::io::stdin().read_exact(&mut [0]).unwrap_err();
}

/// A network with one server, called `server`.
struct Stage {
    namespace: Namespace,
    server: Running,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Option<Self> {
        let namespace = Namespace::new()?;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("server");
        // By a process of its own: what is open for writing here cannot be run (ETXTBSY).
        let mut copy = Command::new("cp");
        copy.arg(std::env::current_exe().unwrap()).arg(&program);
        assert!(copy.status().unwrap().success());
        let mut command = namespace.command(program.to_str().unwrap());
        command
            .args(["--exact", "role", "--ignored", "--nocapture"])
            .arg("--test-threads=1");
        let server = Running::spawn(&mut command);
        server.line_with(|line| line == "READY");
        Some(Self {
            namespace,
            server,
            folder,
        })
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.namespace.command(env!("CARGO_BIN_EXE_flowner"));
        for variable in ["FLOWNER_LOG", "NO_COLOR", "FLOWNER_CONFIG"] {
            command.env_remove(variable);
        }
        command.arg("--no-config").args(arguments).output().unwrap()
    }

    /// Checks what is shown of the sockets of this network.
    #[track_caller]
    fn check(&self, arguments: &[&str], expected: Data) {
        let mut redactions = Redactions::new();
        redactions
            .insert("[PID]", self.server.pid().to_string())
            .unwrap();
        let folder = self.folder.path().display().to_string();
        redactions.insert("[FOLDER]", folder).unwrap();
        let text = stdout(&self.run(arguments));
        let assert = Assert::new()
            .action_env("SNAPSHOTS")
            .redact_with(redactions);
        assert.eq(text, expected);
    }
}

#[test]
fn sockets_are_shown() {
    let Some(stage) = Stage::new() else { return };
    let here = "pid:".to_owned() + &stage.server.pid().to_string();
    stage.check(&["sockets", &here], file!["shown/sockets.txt"]);
    stage.check(
        &["sockets", "--listening", &here],
        file!["shown/listening.txt"],
    );
    stage.check(&["who", "127.0.0.1:8080"], file!["shown/who-address.txt"]);
    stage.check(&["who", &here], file!["shown/who-pid.txt"]);
    let connection = ["who", "udp", "127.0.0.1:4000", "127.0.0.1:8080"];
    stage.check(&connection, file!["shown/who-connection.txt"]);
    stage.check(&["devices"], file!["shown/devices.txt"]);
}

#[test]
fn errors_are_shown() {
    let check = |arguments: &[&str], expected: Data| {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2));
        let assert = Assert::new().action_env("SNAPSHOTS");
        assert.eq(stderr(&output), expected.raw());
    };
    check(
        &["sockets", "port:443 prot:tcp"],
        file!["shown/wrong-filter.txt"],
    );
    check(&["who", "localhost:80"], file!["shown/wrong-target.txt"]);
    check(&["scokets"], file!["shown/wrong-command.txt"]);
    check(
        &["sockets", "--interval", "1us"],
        file!["shown/wrong-interval.txt"],
    );
}

/// Words of an example, as a shell would split it.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap().trim();
    let mut words = Vec::new();
    for (place, part) in line.split('\'').enumerate() {
        if place % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn the_examples_of_the_documentation_run() {
    let Some(stage) = Stage::new() else { return };
    let mut count = 0;
    for text in [
        include_str!("../README.md"),
        include_str!("../../../README.md"),
    ] {
        for line in text.lines().filter(|line| line.starts_with("flowner ")) {
            let mut words = words(line);
            let command = words.get(1).cloned().unwrap_or_default();
            let has = |flag: &str| words.iter().any(|word| word == flag);
            // Those need a terminal, or a file, or an end; they have tests of their own.
            let is_endless = command == "live" || has("--watch") || has("--wait");
            if words.len() < 2 || is_endless || ["read", "record"].contains(&command.as_str()) {
                continue;
            }
            if command == "watch" {
                // This network has no other device, and the test does not wait for long.
                words.retain(|word| word != "eth0" && word != "-i" && word != "10s");
                words.retain(|word| word != "--duration" && word != "lo");
                words.extend(["-i", "lo", "--duration", "50ms"].map(str::to_owned));
            }
            let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
            let output = stage.run(&arguments);
            // `who` may find no owner, and `doctor` may find problems.
            let is_finding = ["who", "doctor"].contains(&command.as_str());
            let code = output.status.code().unwrap();
            assert!(code == 0 || is_finding, "{line}: {}", stderr(&output));
            assert!(
                !stderr(&output).contains("Usage:"),
                "{line}: {}",
                stderr(&output)
            );
            count += 1;
        }
    }
    assert!(count > 8, "{count}");
}
