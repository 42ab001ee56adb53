//! What is told to a user who may not look at other users' processes.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod helper;

use std::fs::Permissions;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowner_attribution::snapshot::linux::{LinuxOptions, LinuxTable};
use flowner_attribution::{Protocol, SocketQuery, SocketTable, User, Verdict};
use helper::Helper;

const PROC: &str = "FLOWNER_TEST_PROC";
const THEIRS: &str = "FLOWNER_TEST_THEIRS";

/// The process file system, mounted with `hidepid` until it is dropped.
struct Hidden(tempfile::TempDir);

impl Hidden {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "proc", "-o", "hidepid=2", "proc"])
            .arg(folder.path())
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: no privilege to mount a process file system");
            return None;
        }
        Some(Self(folder))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _best_effort = Command::new("umount").arg(self.0.path()).status();
    }
}

/// This program, where every user may run it.
fn program_for_all() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("program");
    // By a process of its own, so that nothing has it open for writing here (ETXTBSY).
    let mut copy = Command::new("cp");
    copy.arg(std::env::current_exe().unwrap()).arg(&program);
    assert!(copy.status().unwrap().success());
    (folder, program)
}

/// Runs [`nobody_asks`] as another user.
#[track_caller]
fn ask_as_nobody(proc: &Path, theirs: &str) {
    let (_folder, program) = program_for_all();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["--inh-caps=-all", "--ambient-caps=-all"])
        .args(["--bounding-set=-all", "--"])
        .arg(program)
        .args(["--exact", "nobody_asks", "--ignored", "--nocapture"])
        .env(PROC, proc)
        .env(THEIRS, theirs)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}");
    assert!(told.contains("1 passed"), "{told}\n{errors}");
}

#[test]
fn users_are_told_where_processes_are_hidden() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: no privilege to become another user");
        return;
    }
    let helper = Helper::new(&["udp 127.0.0.1:0"]);
    let theirs = helper.addresses[0].to_string();
    ask_as_nobody(Path::new("/proc"), &theirs);
    if let Some(hidden) = Hidden::mount() {
        ask_as_nobody(hidden.0.path(), &theirs);
    }
}

#[test]
#[ignore = "is run by the other test, as another user"]
fn nobody_asks() {
    let mut table = LinuxTable::with_options(&LinuxOptions {
        proc: std::env::var_os(PROC).unwrap().into(),
        ..LinuxOptions::default()
    })
    .unwrap();
    let theirs = std::env::var(THEIRS).unwrap().parse().unwrap();
    let theirs = SocketQuery::new(Protocol::Udp, theirs, None);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let ours = SocketQuery::new(Protocol::Udp, socket.local_addr().unwrap(), None);
    let snapshot = table.snapshot().unwrap();
    for answer in [snapshot.find(&theirs), table.find(&theirs).unwrap()] {
        let Verdict::Partial { user, .. } = &answer.verdict else {
            panic!("{answer:?}");
        };
        let root = User {
            id: 0,
            name: Some("root".to_owned()),
        };
        assert_eq!(user.as_ref(), Some(&root));
    }
    for answer in [snapshot.find(&ours), table.find(&ours).unwrap()] {
        let pids: Vec<u32> = answer.verdict.processes().iter().map(|p| p.pid).collect();
        assert_eq!(pids, [std::process::id()], "{answer:?}");
    }
}
