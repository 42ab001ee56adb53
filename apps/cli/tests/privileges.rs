//! The privileges that each command keeps, and the rights with which it opens files.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod common;

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::{Write, pipe};
use std::net::UdpSocket;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use common::privileged::{ALL, By, NOBODY, Stage};
use flowner_testing::wait_until;

/// `CAP_DAC_READ_SEARCH`, `CAP_NET_ADMIN`, `CAP_SYS_PTRACE` and `CAP_SYS_ADMIN`, as
/// include/uapi/linux/capability.h numbers them; with `CAP_NET_RAW` and `CAP_SYS_NICE`.
const OWNERS: u64 = 1 << 2 | 1 << 12 | 1 << 19 | 1 << 21;
const CAPTURE: u64 = OWNERS | 1 << 13 | 1 << 23;

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

/// Waits until the thread with this name has no capability in effect.
#[track_caller]
fn wait_for_lowered(pid: u32, name: &str) {
    wait_until(name, || {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let mut named = tasks.filter(|task| {
            let comm = fs::read_to_string(task.path().join("comm"));
            comm.is_ok_and(|comm| comm.trim_end() == name)
        });
        let status = named.find_map(|task| Status::read(&task.path().join("status")));
        status.is_some_and(|status| status.effective == 0)
    });
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
    // Both wait for a writer: to standard input, which is read after the file was opened, and to a
    // pipe, in which the configuration is.
    add("read", &["read", "-"], 0);
    add("live", &["live", "-i", "lo"], CAPTURE);
    add("live --sockets", &["live", "--sockets"], OWNERS);
    // These have done their work when they write, for which there is no room yet.
    add("doctor", &["doctor"], CAPTURE);
    add("devices", &["devices"], 0);
    add("config", &["config"], 0);
    add("completions", &["completions", "bash"], 0);
    add("man", &["man"], 0);
    commands
}

/// What runs: a command, perhaps on a terminal.
enum Running {
    Here(Child),
    OnTerminal(Box<dyn portable_pty::Child + Send + Sync>),
}

impl Running {
    /// With what it writes to, which has no room, or is its terminal.
    fn start(name: &str, mut command: Command) -> (Self, Box<dyn Any>) {
        if name.starts_with("live") {
            let pair = native_pty_system().openpty(PtySize::default()).unwrap();
            let mut on_terminal = CommandBuilder::new(command.get_program());
            on_terminal.args(command.get_args());
            on_terminal.cwd(command.get_current_dir().unwrap());
            for (key, value) in command.get_envs() {
                match value {
                    Some(value) => on_terminal.env(key, value),
                    None => on_terminal.env_remove(key),
                }
            }
            on_terminal.env("TERM", "xterm-256color");
            let child = pair.slave.spawn_command(on_terminal).unwrap();
            return (Self::OnTerminal(child), Box::new(pair));
        }
        let (reader, mut writer) = pipe().unwrap();
        // The capacity of a pipe by default (pipe(7)).
        writer.write_all(&vec![b'x'; 65_536]).unwrap();
        command.stdin(Stdio::piped()).stdout(writer);
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        if name == "read" {
            child.stdin.as_ref().unwrap().write_all(&EMPTY).unwrap();
        }
        (Self::Here(child), Box::new(reader))
    }

    fn id(&self) -> u32 {
        match self {
            Self::Here(child) => child.id(),
            Self::OnTerminal(child) => child.process_id().unwrap(),
        }
    }

    fn end(&mut self) {
        match self {
            Self::Here(child) => {
                let _already_gone = child.kill();
                child.wait().unwrap();
            }
            Self::OnTerminal(child) => {
                let _already_gone = child.kill();
                child.wait().unwrap();
            }
        }
    }
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
        for (name, command, kept) in commands(&stage, by) {
            let (mut child, _output) = Running::start(name, command);
            let threads = settled(child.id(), |threads| {
                let is_filtered = |it: &Status| it.seccomp == 2;
                !threads.is_empty() && threads.iter().all(is_filtered)
            });
            // Capturing takes some threads, of which the last is there when the first has begun.
            if kept == CAPTURE && name != "doctor" {
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
            // It opens the files that follow the first.
            if name == "record" && by != By::Root {
                wait_for_lowered(child.id(), "flowner-record");
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
            child.end();
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
        for by in [By::Capabilities, By::SetUid, By::Sudo] {
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
        (By::SetUid, "own", NOBODY),
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
    // The program must not write where its user may not.
    let output = stage.run(
        By::Capabilities,
        &["record", "-i", "lo", "-w", "roots/x", "--duration", "10ms"],
    );
    assert!(common::stderr(&output).contains("Permission denied"));
}

/// A directory that everybody may write in, below one of root's: as `/tmp` of a service, or of
/// another mount namespace.
#[test]
fn recordings_reach_no_further_than_the_user() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let mode = |name: &str, mode| {
        fs::set_permissions(stage.path(name), Permissions::from_mode(mode)).unwrap();
    };
    fs::create_dir_all(stage.path("hidden/open")).unwrap();
    mode("hidden/open", 0o777);
    mode("hidden", 0o700);
    let open = "hidden/open/new.pcapng";
    fs::write(stage.path("hidden/open/there.pcapng"), "kept").unwrap();
    let there = "hidden/open/there.pcapng";
    let elsewhere = format!(
        "/proc/{}/root{}",
        std::process::id(),
        stage.path("own/new").display()
    );
    let gifts = [By::Capabilities, By::SetUid];
    let sandboxes = [None, Some("--no-sandbox")];
    for (by, sandbox) in gifts
        .into_iter()
        .flat_map(|by| sandboxes.map(|it| (by, it)))
    {
        for options in [
            &[open][..],
            &[there],
            &[there, "--force"],
            &["hidden/none/new.pcapng"],
            &[open, "--rotate-time", "10ms"],
            &[&elsewhere],
        ] {
            let arguments = [&["record", "-i", "lo", "--duration", "10ms", "-w"], options].concat();
            let arguments: Vec<_> = arguments.into_iter().chain(sandbox).collect();
            let output = stage.run(by, &arguments);
            let said = common::stderr(&output);
            assert_eq!(
                output.status.code(),
                Some(2),
                "{by:?} {arguments:?}: {said}"
            );
            // Whatever is there: the output shows no names.
            assert!(
                said.contains("Permission denied"),
                "{by:?} {arguments:?}: {said}"
            );
        }
    }
    let left = fs::read_dir(stage.path("hidden/open")).unwrap();
    let left: Vec<_> = left.map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["there.pcapng"]);
    assert_eq!(fs::read(stage.path(there)).unwrap(), b"kept");
    assert!(!stage.path("own/new").exists());
}
