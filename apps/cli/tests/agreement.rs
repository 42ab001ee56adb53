//! `ss -tunap` and `lsof -i -nP` know the same sockets as `flowner sockets`, row for row, on
//! a network with 1,000 processes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};

use common::namespace::Namespace;
use common::{json_lines, stdout};
use serde_json::Value;

const PROCESSES: usize = 1_000;

/// A process of the load: holds some of each kind until its input is closed.
#[test]
#[ignore = "a role: other tests run it, in a process of its own"]
fn role() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let wildcard = TcpListener::bind("[::]:0").unwrap();
    let udp = UdpSocket::bind("[::1]:0").unwrap();
    let connected = UdpSocket::bind("0.0.0.0:0").unwrap();
    connected.connect("127.0.0.1:9").unwrap();
    let client = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
    let server = tcp.accept().unwrap();
    println!("\nREADY");
    std::io::stdin().read_exact(&mut [0]).unwrap_err();
    drop((wildcard, udp, client, server));
}

struct Load(Vec<Child>);

impl Load {
    /// Starts all, then waits for each.
    fn start(namespace: &Namespace) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut load = Self(Vec::new());
        for _ in 0..PROCESSES {
            let mut command = namespace.command(program.to_str().unwrap());
            command
                .args(["--exact", "role", "--ignored", "--nocapture"])
                .arg("--test-threads=1");
            load.spawn(&mut command);
        }
        // Two that share a socket: the shell's, inherited by what it runs.
        let mut shell = namespace.command("bash");
        let script = "exec 3<>/dev/udp/127.0.0.1/9; echo; echo READY; cat; exit 0";
        load.spawn(shell.args(["-c", script]));
        for child in &mut load.0 {
            let mut read = String::new();
            let stdout = child.stdout.as_mut().unwrap();
            let mut byte = [0];
            while !read.ends_with("\nREADY\n") {
                assert_eq!(stdout.read(&mut byte).unwrap(), 1, "{read}");
                read.push(char::from(byte[0]));
            }
        }
        load
    }

    fn spawn(&mut self, command: &mut Command) {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        self.0.push(command.spawn().unwrap());
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.stdin.take());
        }
        for child in &mut self.0 {
            let _gone_already = child.kill();
            let _gone_already = child.wait();
        }
    }
}

/// What two tools can agree on: protocol, ends, state and one pid, as often as it is there.
type Rows = BTreeMap<String, usize>;

fn row(rows: &mut Rows, protocol: &str, local: &str, remote: &str, state: &str, pid: &str) {
    let text = format!("{protocol} {local} -> {remote} {state} {pid}");
    *rows.entry(text).or_default() += 1;
}

/// An address as all of these can write it. `ss` and `lsof` have a star for all addresses, whose
/// family they show elsewhere, or not at all.
fn address(text: &str) -> String {
    let (host, port) = text.rsplit_once(':').unwrap();
    match host {
        "*" | "0.0.0.0" | "[::]" => format!("*:{port}"),
        _ => text.parse::<SocketAddr>().unwrap().to_string(),
    }
}

fn of_flowner(lines: &[Value], with_pid: bool) -> Rows {
    let mut rows = Rows::new();
    for line in lines.iter().filter(|line| line["type"] == "socket") {
        // Sockets of other networks are of no interest to `ss`.
        if line.get("namespace").is_some() {
            continue;
        }
        let text = |key: &str| line[key].as_str().unwrap_or("-");
        let remote = match text("remote") {
            "-" => "-".to_owned(),
            remote => address(remote),
        };
        let pids = line["owner"]["processes"].as_array().unwrap();
        let mut pids: Vec<String> = pids.iter().map(|it| it["pid"].to_string()).collect();
        if pids.is_empty() && !with_pid {
            pids.push("-".to_owned());
        }
        for pid in pids {
            let local = address(text("local"));
            row(
                &mut rows,
                text("protocol"),
                &local,
                &remote,
                text("state"),
                &pid,
            );
        }
    }
    rows
}

/// `ss -tunap`: netid, state, queues, local, peer, `users:(("name",pid=1,fd=3),…)`.
fn of_ss(text: &str) -> Rows {
    let mut rows = Rows::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [protocol, state, _, _, local, peer, users @ ..] = &*fields else {
            panic!("{line}");
        };
        let state = match (*protocol, *state) {
            ("udp", "UNCONN") => "unconnected",
            (_, "LISTEN") => "listen",
            (_, "ESTAB") => "established",
            (_, "TIME-WAIT") => "time-wait",
            (_, other) => panic!("{other}"),
        };
        let peer = if peer.ends_with(":*") {
            "-".to_owned()
        } else {
            address(peer)
        };
        let users = users.join(" ");
        let mut pids: Vec<&str> = users
            .split("pid=")
            .skip(1)
            .map(|rest| rest.split(',').next().unwrap())
            .collect();
        pids.dedup();
        if pids.is_empty() {
            pids.push("-");
        }
        for pid in pids {
            row(&mut rows, protocol, &address(local), &peer, state, pid);
        }
    }
    rows
}

/// `lsof -F pfPnT`: a line for each field, beginning with its letter; `p` begins a process,
/// `f` a file.
fn of_lsof(text: &str) -> Rows {
    let mut rows = Rows::new();
    let mut pid = "";
    let mut file: Option<(String, String, String)> = None;
    let mut end_file = |pid: &str, file: &mut Option<(String, String, String)>| {
        if let Some((protocol, name, state)) = file.take() {
            let (local, remote) = match name.split_once("->") {
                Some((local, remote)) => (local.to_owned(), address(remote)),
                None => (name, "-".to_owned()),
            };
            // It shows no state for datagram sockets.
            let state = match (protocol.as_str(), remote.as_str()) {
                ("udp", "-") => "unconnected",
                ("udp", _) => "established",
                _ => &state,
            };
            row(&mut rows, &protocol, &address(&local), &remote, state, pid);
        }
    };
    for line in text.lines() {
        let (field, value) = line.split_at(1);
        match (field, &mut file) {
            ("p", _) => {
                end_file(pid, &mut file);
                pid = value;
            }
            ("f", _) => {
                end_file(pid, &mut file);
                file = Some((String::new(), String::new(), "-".to_owned()));
            }
            ("P", Some(file)) => file.0 = value.to_lowercase(),
            ("n", Some(file)) => value.clone_into(&mut file.1),
            ("T", Some(file)) if value.starts_with("ST=") => {
                file.2 = value["ST=".len()..].to_lowercase();
            }
            _ => {}
        }
    }
    end_file(pid, &mut file);
    rows
}

/// Lists what only one of two knows.
#[track_caller]
fn check_same(ours: &Rows, theirs: &Rows, tool: &str) {
    let mut differences = Vec::new();
    for text in ours.keys().chain(theirs.keys()) {
        let [we, they] = [ours, theirs].map(|rows| rows.get(text).copied().unwrap_or(0));
        let line = format!("{text}: flowner {we}, {tool} {they}");
        if we != they && !differences.contains(&line) {
            differences.push(line);
        }
    }
    let count: usize = theirs.values().sum();
    println!("{count} rows of {tool}, {} differences", differences.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(count > 6 * PROCESSES, "{count}");
}

#[test]
fn ss_and_lsof_know_the_same_sockets() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    for tool in ["ss", "lsof"] {
        if Command::new(tool).arg("-h").output().is_err() {
            flowner_testing::skipped!("{tool} is not installed");
            return;
        }
    }
    let load = Load::start(&namespace);
    let run = |program: &str, arguments: &[&str]| {
        let output = namespace.command(program).args(arguments).output().unwrap();
        stdout(&output)
    };
    let flowner = env!("CARGO_BIN_EXE_flowner");
    let ours = json_lines(&run(
        flowner,
        &["sockets", "--json", "proto:tcp or proto:udp"],
    ));
    let ss = of_ss(&run("ss", &["-tunapH"]));
    let lsof = of_lsof(&run("lsof", &["-i", "-nP", "-F", "pfPnT"]));
    check_same(&of_flowner(&ours, false), &ss, "ss");
    check_same(&of_flowner(&ours, true), &lsof, "lsof");
    drop(load);
}
