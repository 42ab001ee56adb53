//! What each command keeps of its privileges, and with whose rights it opens files.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs::{self, Permissions};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::DEADLINE;
use common::namespace::Namespace;

/// `CAP_DAC_READ_SEARCH`, `CAP_NET_ADMIN`, `CAP_SYS_PTRACE` and `CAP_SYS_ADMIN`, as
/// include/uapi/linux/capability.h numbers them; with `CAP_NET_RAW` and `CAP_SYS_NICE`.
const OWNERS: u64 = 1 << 2 | 1 << 12 | 1 << 19 | 1 << 21;
const CAPTURE: u64 = OWNERS | 1 << 13 | 1 << 23;
const GIVEN: &str = "cap_dac_read_search,cap_net_admin,cap_net_raw,cap_sys_admin,cap_sys_nice,\
                     cap_sys_ptrace=ep";
/// Somebody who is not root.
const NOBODY: u32 = 65_534;

/// A copy of the program in a folder that everybody may enter, and a folder of nobody's.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    /// `None`, with a visible word, where nobody else can be become.
    fn new() -> Option<Self> {
        let id = Command::new("id").arg("-u").output().unwrap();
        if id.stdout != b"0\n" {
            eprintln!("SKIPPED: no privilege to become another user");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
        mode(folder.path(), 0o755).unwrap();
        let stage = Self { folder };
        for program in ["plain", "given"] {
            // By a process of its own: what is open for writing here cannot be run (ETXTBSY).
            let mut copy = Command::new("cp");
            copy.arg(env!("CARGO_BIN_EXE_flowner"))
                .arg(stage.path(program));
            assert!(copy.status().unwrap().success());
            mode(&stage.path(program), 0o755).unwrap();
        }
        let set = Command::new("setcap")
            .arg(GIVEN)
            .arg(stage.path("given"))
            .output();
        if !set.is_ok_and(|it| it.status.success()) {
            eprintln!("SKIPPED: files cannot be given capabilities here");
            return None;
        }
        fs::create_dir(stage.path("own")).unwrap();
        std::os::unix::fs::chown(stage.path("own"), Some(NOBODY), Some(NOBODY)).unwrap();
        fs::create_dir(stage.path("roots")).unwrap();
        fs::write(stage.path("secret"), "hush = 'nobody may read this'\n").unwrap();
        mode(&stage.path("secret"), 0o600).unwrap();
        Some(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, by: By) -> Command {
        let mut command = match by {
            By::Root => Command::new(self.path("plain")),
            By::Sudo => {
                let mut command = Command::new(self.path("plain"));
                command.env("SUDO_UID", NOBODY.to_string());
                command.env("SUDO_GID", NOBODY.to_string());
                command
            }
            By::Capabilities => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
                command.arg(self.path("given"));
                command
            }
        };
        for variable in ["FLOWNER_LOG", "FLOWNER_CONFIG", "XDG_CONFIG_HOME"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).current_dir(self.folder.path());
        command
    }

    fn run(&self, by: By, arguments: &[&str]) -> Output {
        self.command(by).args(arguments).output().unwrap()
    }
}

/// Who starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Root,
    Sudo,
    /// A user, of a file with capabilities.
    Capabilities,
}

const ALL: [By; 3] = [By::Root, By::Sudo, By::Capabilities];

/// What `/proc/PID/task/TID/status` says of a thread.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Status {
    uid: u32,
    effective: u64,
    permitted: u64,
    bounding: u64,
    inheritable: u64,
    ambient: u64,
    no_new_privileges: bool,
    seccomp: u32,
}

impl Status {
    fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let value = |key: &str| {
            let line = text.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        let set = |key: &str| u64::from_str_radix(&value(key), 16).unwrap();
        Some(Self {
            uid: value("Uid:").parse().unwrap(),
            effective: set("CapEff:"),
            permitted: set("CapPrm:"),
            bounding: set("CapBnd:"),
            inheritable: set("CapInh:"),
            ambient: set("CapAmb:"),
            no_new_privileges: value("NoNewPrivs:") == "1",
            seccomp: value("Seccomp:").parse().unwrap(),
        })
    }

    /// Of each thread that there is.
    fn of_threads(pid: u32) -> BTreeSet<Self> {
        let tasks = fs::read_dir(format!("/proc/{pid}/task"));
        let tasks = tasks.into_iter().flatten().flatten();
        tasks
            .filter_map(|task| Self::read(&task.path().join("status")))
            .collect()
    }
}

/// Waits until something is so.
#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Commands that stay, with what they are to have.
fn commands(stage: &Stage, by: By) -> Vec<(&'static str, Command, u64)> {
    let mut commands = Vec::new();
    let mut add = |name, arguments: &[&str], kept| {
        let mut command = stage.command(by);
        command.args(arguments);
        commands.push((name, command, kept));
    };
    add("watch", &["watch", "-i", "lo"], CAPTURE);
    let folder = if by == By::Root { "roots" } else { "own" };
    let file = format!("{folder}/{by:?}.pcapng");
    add("record", &["record", "-i", "lo", "-w", &file], CAPTURE);
    add("sockets", &["sockets", "--watch"], OWNERS);
    add("who", &["who", "--wait", "1"], OWNERS);
    // Both wait for somebody to write: to standard input, which is read after the file was
    // opened, and to a pipe, in which the configuration is.
    add("read", &["read", "-"], 0);
    commands
}

/// What a process shows once it has begun its work.
#[track_caller]
fn settled(pid: u32, is_ready: impl Fn(&BTreeSet<Status>) -> bool) -> BTreeSet<Status> {
    let mut found = BTreeSet::new();
    wait_until("a sandbox", || {
        found = Status::of_threads(pid);
        is_ready(&found)
    });
    found
}

/// A capture file without packets.
const EMPTY: [u8; 24] = [
    0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
];

#[test]
fn every_thread_of_each_command_has_only_what_it_needs() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let mut table = String::new();
    let started = Status::of_threads(std::process::id());
    let bounded = started.iter().next().unwrap().bounding;
    for by in ALL {
        for (name, mut command, kept) in commands(&stage, by) {
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            if name == "read" {
                let mut input = child.stdin.as_ref().unwrap();
                std::io::Write::write_all(&mut input, &EMPTY).unwrap();
            }
            let threads = settled(child.id(), |threads| {
                let is_filtered = |it: &Status| it.seccomp == 2;
                !threads.is_empty() && threads.iter().all(is_filtered)
            });
            // Capturing takes some threads, of which the last is there when the first has begun.
            if kept == CAPTURE {
                wait_until("threads", || {
                    let tasks = fs::read_dir(format!("/proc/{}/task", child.id()));
                    tasks.is_ok_and(|it| it.count() > 4)
                });
            }
            let threads = &threads | &Status::of_threads(child.id());
            for status in &threads {
                let kept = kept & bounded;
                let uid = if by == By::Root { 0 } else { NOBODY };
                assert_eq!(status.uid, uid, "{by:?} {name}");
                assert_eq!(status.permitted, kept, "{by:?} {name}");
                // While files of users are read, they have none.
                assert_eq!(status.effective & !kept, 0, "{by:?} {name}");
                assert_eq!(
                    (status.inheritable, status.ambient),
                    (0, 0),
                    "{by:?} {name}"
                );
                let may_bound = by != By::Capabilities;
                let bounding = if may_bound { kept } else { bounded };
                assert_eq!(status.bounding, bounding, "{by:?} {name}");
                assert!(status.no_new_privileges, "{by:?} {name}");
            }
            let status = threads.iter().next_back().unwrap();
            writeln!(
                table,
                "| {by:?} | `{name}` | {} | {:#x} | {:#x} | {:#x} | {} | {} |",
                status.uid,
                status.effective,
                status.permitted,
                status.bounding,
                u32::from(status.no_new_privileges),
                status.seccomp
            )
            .unwrap();
            let _already_gone = child.kill();
            child.wait().unwrap();
        }
    }
    eprintln!("{table}");
}

#[test]
fn files_are_opened_with_the_rights_of_the_user() {
    let Some(stage) = Stage::new() else {
        return;
    };
    fs::write(stage.path("capture"), EMPTY).unwrap();
    fs::set_permissions(stage.path("capture"), Permissions::from_mode(0o600)).unwrap();
    let link = stage.path("own/link");
    symlink(stage.path("secret"), &link).unwrap();
    let link = link.to_str().unwrap();
    for sandbox in [&[][..], &["--no-sandbox"]] {
        for by in [By::Capabilities, By::Sudo] {
            for arguments in [
                &["--config", "secret", "config"][..],
                &[
                    "--config",
                    "secret",
                    "watch",
                    "-i",
                    "lo",
                    "--duration",
                    "10ms",
                ],
                &["--config", link, "sockets"],
                &["--config", "secret", "completions", "bash"],
                &["read", "secret"],
                &["read", "capture"],
            ] {
                // Who calls `sudo flowner read` means root's rights.
                if by == By::Sudo && arguments[0] == "read" {
                    continue;
                }
                let arguments = [arguments, sandbox].concat();
                let output = stage.run(by, &arguments);
                let said = common::stderr(&output) + &common::stdout(&output);
                assert_eq!(
                    output.status.code(),
                    Some(2),
                    "{by:?} {arguments:?}: {said}"
                );
                assert!(
                    said.contains("Permission denied"),
                    "{by:?} {arguments:?}: {said}"
                );
                assert!(!said.contains("hush"), "{by:?} {arguments:?}: {said}");
            }
        }
    }
    for by in [By::Root, By::Sudo] {
        let output = stage.run(by, &["read", "capture"]);
        assert!(
            output.status.success(),
            "{by:?}: {}",
            common::stderr(&output)
        );
    }
    // The home that counts is the caller's; what is there is the caller's.
    let output = stage.run(By::Root, &["--config", "secret", "config"]);
    assert!(common::stderr(&output).contains("hush"));
}

#[test]
fn recordings_are_the_users_own() {
    let Some(stage) = Stage::new() else {
        return;
    };
    for (by, folder, owner) in [
        (By::Root, "roots", 0),
        (By::Root, "own", 0),
        (By::Sudo, "own", NOBODY),
        (By::Sudo, "roots", 0),
        (By::Capabilities, "own", NOBODY),
    ] {
        let name = format!("{by:?}");
        let file = format!("{folder}/{name}.pcapng");
        let mut arguments = vec!["record", "-i", "lo", "-w", &file];
        arguments.extend(["--rotate-time", "10ms", "--files", "3"]);
        let mut child = stage.command(by).args(&arguments).spawn().unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let files = || {
            let files = fs::read_dir(stage.path(folder)).unwrap().flatten();
            let named = files.filter(|it| it.file_name().to_str().unwrap().starts_with(&name));
            named.map(|it| it.path()).collect::<Vec<_>>()
        };
        // Until the first has been removed again, so that making and removing were both let.
        let is_fourth = |path: &PathBuf| path.to_str().unwrap().contains("_00004_");
        wait_until("four files", || {
            sender.send_to(b"x", sender.local_addr().unwrap()).unwrap();
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{by:?} {folder}: {ended:?}");
            files().iter().any(is_fourth)
        });
        wait_until("three files", || {
            let _sent = sender.send_to(b"x", sender.local_addr().unwrap());
            files()
                .iter()
                .all(|path| !path.to_str().unwrap().contains("_00001_"))
        });
        let _already_gone = child.kill();
        child.wait().unwrap();
        for path in files() {
            let file = fs::symlink_metadata(&path).unwrap();
            assert_eq!(file.uid(), owner, "{}", path.display());
            assert_eq!(file.mode() & 0o7777, 0o600, "{}", path.display());
            fs::remove_file(path).unwrap();
        }
    }
    // Where the user may not, nobody may for them.
    let output = stage.run(
        By::Capabilities,
        &["record", "-i", "lo", "-w", "roots/x", "--duration", "10ms"],
    );
    assert!(common::stderr(&output).contains("Permission denied"));
}

/// A process that holds a socket, with its name.
struct Holder {
    child: std::process::Child,
    port: u16,
}

impl Holder {
    fn new(mut command: Command) -> Self {
        // A port that is free here is free in a new network.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let address = format!("TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork");
        command.args([&address, "PIPE"]);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        Self { child, port }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_waited = self.child.wait();
    }
}

/// A line without the time at which a process began, which is told a tick earlier or later.
fn without_start(line: &str) -> String {
    let Some((before, rest)) = line.split_once("\"started\":\"") else {
        return line.to_owned();
    };
    let (_, after) = rest.split_once('"').unwrap();
    format!("{before}{}", without_start(after))
}

/// What is told of a port, without what only tells one program from another.
#[track_caller]
fn owners(stage: &Stage, by: By, arguments: &[&str], port: u16, is_known: &str) -> Vec<String> {
    let port = port.to_string();
    let mut told = Vec::new();
    wait_until("an owner", || {
        let output = stage.run(by, &[&["who", "--json", &port], arguments].concat());
        let lines = common::stdout(&output);
        told = lines.lines().skip(1).map(without_start).collect();
        told.iter().any(|line| line.contains(is_known))
    });
    told
}

#[test]
fn no_owner_is_lost() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let Some(network) = Namespace::new() else {
        return;
    };
    let has_socat = Command::new("socat").arg("-V").output();
    if has_socat.is_err() {
        eprintln!("SKIPPED: no socat to hold sockets");
        return;
    }
    let as_user = |program: &str| {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=65533",
            "--regid=65533",
            "--clear-groups",
            "--",
            program,
        ]);
        command
    };
    let elsewhere = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--", program]);
        command
    };
    let holders = [
        ("here", Command::new("socat")),
        ("another user's", as_user("socat")),
        ("in another network", network.command("socat")),
        ("with files of its own", elsewhere("socat")),
    ];
    for (what, command) in holders {
        let mut holder = Holder::new(command);
        let without = owners(
            &stage,
            By::Root,
            &["--no-sandbox"],
            holder.port,
            "\"name\":\"socat\"",
        );
        for by in ALL {
            let with = owners(&stage, by, &[], holder.port, "socat");
            assert_eq!(with, without, "{what}, {by:?}");
        }
        assert!(holder.child.try_wait().unwrap().is_none());
    }
}

/// What each capability is for: without it, something is not told.
#[test]
fn each_capability_is_needed() {
    let (Some(stage), Some(network)) = (Stage::new(), Namespace::new()) else {
        return;
    };
    if Command::new("socat").arg("-V").output().is_err() {
        eprintln!("SKIPPED: no socat to hold sockets");
        return;
    }
    let here = Holder::new(Command::new("socat"));
    let there = Holder::new(network.command("socat"));
    let is_told = |without: &str, port: u16| {
        let all = GIVEN.split('=').next().unwrap().split(',');
        let rest: Vec<_> = all.filter(|it| *it != without).collect();
        let given = format!("{}=ep", rest.join(","));
        let set = Command::new("setcap")
            .arg(&given)
            .arg(stage.path("given"))
            .status();
        assert!(set.unwrap().success());
        let output = stage.run(By::Capabilities, &["who", "--json", &port.to_string()]);
        common::stdout(&output).contains("\"name\":\"socat\"")
    };
    wait_until("both", || is_told("", here.port) && is_told("", there.port));
    for (without, here_is, there_is) in [
        ("cap_dac_read_search", false, false),
        ("cap_sys_ptrace", false, false),
        ("cap_sys_admin", true, false),
        ("cap_net_raw", true, true),
        ("cap_net_admin", true, true),
        ("cap_sys_nice", true, true),
    ] {
        assert_eq!(
            is_told(without, here.port),
            here_is,
            "here without {without}"
        );
        assert_eq!(
            is_told(without, there.port),
            there_is,
            "there without {without}"
        );
    }
}
