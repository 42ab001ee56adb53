//! The answers for a user who may not inspect other users' processes.
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
use flowner_attribution::{Attributor, Protocol, Reason, SocketQuery, SocketTable, User, Verdict};
use helper::Helper;

const PROC: &str = "FLOWNER_TEST_PROC";
const THEIRS: &str = "FLOWNER_TEST_THEIRS";
const UNIT: &str = "FLOWNER_TEST_UNIT";

/// `/proc`, mounted with `hidepid` until it is dropped.
struct Hidden(tempfile::TempDir);

impl Hidden {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "proc", "-o", "hidepid=2", "proc"])
            .arg(directory.path())
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            flowner_testing::skipped!("no privilege to mount a process file system");
            return None;
        }
        Some(Self(directory))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _best_effort = Command::new("umount").arg(self.0.path()).status();
    }
}

/// This program, at a path where every user may run it.
fn program_for_all() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let program = directory.path().join("program");
    // Another process copies it, so that nothing has it open for writing here (ETXTBSY).
    let mut copy = Command::new("cp");
    copy.arg(std::env::current_exe().unwrap()).arg(&program);
    assert!(copy.status().unwrap().success());
    (directory, program)
}

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        flowner_testing::skipped!("no privilege to become another user");
    }
    is_root
}

/// Runs [`an_unprivileged_user_asks`] as another user, whose answer must have this unit.
#[track_caller]
fn ask_as_user(proc: &Path, theirs: &str, unit: &str) {
    let (_folder, program) = program_for_all();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["--inh-caps=-all", "--ambient-caps=-all"])
        .args(["--bounding-set=-all", "--"])
        .arg(program)
        .args([
            "--exact",
            "an_unprivileged_user_asks",
            "--ignored",
            "--nocapture",
        ])
        .env(PROC, proc)
        .env(THEIRS, theirs)
        .env(UNIT, unit)
        .output()
        .unwrap();
    let output_text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{output_text}\n{errors}");
    assert!(output_text.contains("1 passed"), "{output_text}\n{errors}");
}

#[test]
fn answers_about_hidden_processes_have_the_user() {
    if !is_root() {
        return;
    }
    let helper = Helper::new(&["udp 127.0.0.1:0"]);
    let theirs = helper.addresses[0].to_string();
    ask_as_user(Path::new("/proc"), &theirs, "");
    if let Some(hidden) = Hidden::mount() {
        ask_as_user(hidden.0.path(), &theirs, "");
    }
}

#[test]
fn users_without_an_id_here_are_not_named() {
    if !is_root() {
        return;
    }
    let (_folder, program) = program_for_all();
    let as_other = "exec setpriv --reuid=1001 --regid=1001 --clear-groups";
    let mut other = Command::new("sh");
    other.args(["-c", &format!("{as_other} {} \"$@\"", program.display())]);
    let helper = Helper::through(other, &["udp 127.0.0.1:0"]);
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "root_of_a_user_namespace_asks", "--ignored"])
        .env(THEIRS, helper.addresses[0].to_string())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("unshare failed") {
        flowner_testing::skipped!("no user namespaces here");
        return;
    }
    assert!(output.status.success(), "{output:?}");
}

#[test]
#[ignore = "is run by another test, in a user namespace"]
fn root_of_a_user_namespace_asks() {
    let theirs = std::env::var(THEIRS).expect("only another test runs this");
    let query = SocketQuery::new(Protocol::Udp, theirs.parse().unwrap(), None);
    let mut table = LinuxTable::with_options(&LinuxOptions::default()).unwrap();
    let verdict = table.find(&query).unwrap().verdict;
    let Verdict::Partial {
        user: None,
        unit: _,
    } = verdict
    else {
        assert_eq!(verdict, Verdict::Unknown(Reason::Denied));
        return;
    };
}

/// A cgroup of a service, until it is dropped.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Self> {
        let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
        let is_version_2 = |mount: &&Path| mount.join("cgroup.controllers").exists();
        let mount = mounts.into_iter().find(is_version_2);
        let name = format!("flowner-test-{}.service", std::process::id());
        let group = mount.map(|mount| Self(mount.join(name)));
        let group = group.filter(|group| std::fs::create_dir(&group.0).is_ok());
        if group.is_none() {
            flowner_testing::skipped!("no cgroup can be made");
        }
        group
    }

    /// A process that starts in it.
    fn helper(&self, sockets: &[&str]) -> Helper {
        let mut enter = Command::new("sh");
        let script = "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"";
        enter.args(["-c", script]).arg(&self.0);
        Helper::through(enter, sockets)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _best_effort = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn the_service_of_a_hidden_process_is_named() {
    let Some(group) = is_root().then(Group::new).flatten() else {
        return;
    };
    let helper = group.helper(&["udp 127.0.0.1:0"]);
    let unit = group.0.file_name().unwrap().to_str().unwrap();
    ask_as_user(Path::new("/proc"), &helper.addresses[0].to_string(), unit);
    drop(helper);
}

#[test]
#[ignore = "is run by the others, as another user"]
fn an_unprivileged_user_asks() {
    let mut options = LinuxOptions::default();
    options.proc = std::env::var_os(PROC).unwrap().into();
    let mut table = LinuxTable::with_options(&options).unwrap();
    let theirs = std::env::var(THEIRS).unwrap().parse().unwrap();
    let theirs = SocketQuery::new(Protocol::Udp, theirs, None);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let ours = SocketQuery::new(Protocol::Udp, socket.local_addr().unwrap(), None);
    let snapshot = table.snapshot().unwrap();
    for answer in [snapshot.find(&theirs), table.find(&theirs).unwrap()] {
        let Verdict::Partial { user, unit } = &answer.verdict else {
            panic!("{answer:?}");
        };
        let expected = std::env::var(UNIT).unwrap();
        if !expected.is_empty() {
            assert_eq!(unit.as_ref().unwrap().name, expected);
        }
        let root = User::new(0, Some("root".to_owned()));
        assert_eq!(user.as_ref(), Some(&root));
    }
    for answer in [snapshot.find(&ours), table.find(&ours).unwrap()] {
        let pids: Vec<u32> = answer.verdict.processes().iter().map(|p| p.pid).collect();
        assert_eq!(pids, [std::process::id()], "{answer:?}");
    }
    // No answer names a process, and none says that a port is free or a process has no sockets.
    let mut attributor = Attributor::with_table(table);
    let owners = attributor.port_owners(Protocol::Udp, theirs.local().port());
    let owners = owners.unwrap();
    assert!(owners.processes().is_empty(), "{owners:?}");
    assert_eq!(owners.unnamed().count(), 1, "{owners:?}");
    assert!(owners.to_string().starts_with("user root"), "{owners}");
    let error = attributor.sockets_of(1).unwrap_err();
    let source = error.io_error().unwrap();
    assert_eq!(
        source.kind(),
        std::io::ErrorKind::PermissionDenied,
        "{error}"
    );
    assert!(
        !attributor
            .sockets_of(std::process::id())
            .unwrap()
            .is_empty()
    );
}
