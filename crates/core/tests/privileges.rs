//! What a program can no longer do once it has given up its privileges: each case is tried by a
//! process of its own, which is this test again.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

use std::fs::{self, File, OpenOptions};
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;

use flowner_core::private_file::{self, Existing};
use flowner_core::privileges::{self, Layer, Needs, Privileges, Writes};

const ROLE: &str = "FLOWNER_TEST_ROLE";
const FOLDER: &str = "FLOWNER_TEST_FOLDER";

/// Runs [`role`] as another process, with this folder to write in, and returns its output.
#[track_caller]
fn run(role: &str, folder: &Path) -> Vec<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "role",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(ROLE, role)
        .env(FOLDER, folder)
        .env_remove("SUDO_UID")
        .env_remove("PKEXEC_UID")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{role}: {printed}\n{errors}");
    printed
        .lines()
        .filter_map(|line| line.split_once("tried "))
        .map(|(_, tried)| tried.to_owned())
        .collect()
}

/// Prints how a step ended.
fn tried<T>(what: &str, result: std::io::Result<T>) {
    let end = match result {
        Ok(_) => "done".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    };
    println!("tried {what}: {end}");
}

/// Tries everything on another thread than the one that gave up privileges.
fn try_all(folder: &Path) {
    tried(
        "to read",
        fs::read("/etc/hostname").or_else(|_| fs::read("/etc/passwd")),
    );
    tried("to make a file", File::create(folder.join("new")));
    tried(
        "to make a private file",
        private_file::create(&folder.join("own"), Existing::Keep),
    );
    tried(
        "to make a file elsewhere",
        File::create(
            folder
                .parent()
                .unwrap()
                .join(format!("elsewhere-{}", std::process::id())),
        ),
    );
    tried(
        "to write to a file",
        OpenOptions::new().write(true).open(folder.join("old")),
    );
    tried("to remove a file", fs::remove_file(folder.join("old")));
    tried("to execute", Command::new("/bin/true").status());
    tried("to send a datagram", UdpSocket::bind("127.0.0.1:0"));
    let parent = std::os::unix::process::parent_id();
    tried(
        "to see a process",
        fs::read_link(format!("/proc/{parent}/exe")),
    );
    tried("to enter a mount namespace", {
        let file = File::open("/proc/self/ns/mnt").unwrap();
        rustix::thread::move_into_link_name_space(
            std::os::fd::AsFd::as_fd(&file),
            Some(rustix::thread::LinkNameSpaceType::Mount),
        )
        .map_err(std::io::Error::from)
    });
    tried(
        "to make a directory the root",
        rustix::process::chroot(folder).map_err(Into::into),
    );
    tried(
        "to signal another process",
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(parent.cast_signed()).unwrap(),
            rustix::process::Signal::CONT,
        )
        .map_err(Into::into),
    );
}

#[test]
#[ignore = "a role of the others"]
fn role() {
    let (Ok(role), Some(folder)) = (std::env::var(ROLE), std::env::var_os(FOLDER)) else {
        return;
    };
    let folder = Path::new(&folder);
    let needs = match role.as_str() {
        "nothing" => Needs::nothing(),
        "owners" => Needs::owners(),
        "capture" => Needs::capture(),
        "record" => Needs::capture().writing(Writes::In(folder.to_owned())),
        "manual" => Needs::nothing().writing(Writes::In(folder.to_owned())),
        "windows" => Needs::capture().writing(Writes::AsUser).with_windows(),
        other => panic!("{other}"),
    };
    // The harness has a thread of its own, which waits for this one and does nothing else.
    Privileges::set_aside().unwrap().keep(&needs).unwrap();
    let in_force = privileges::in_force();
    assert!(in_force.is_whole(), "{in_force}");
    let has_landlock = matches!(in_force.landlock, Layer::InForce | Layer::InPart);
    println!("tried Landlock: {has_landlock}");
    std::thread::scope(|scope| {
        let work = || privileges::raised(|| try_all(folder));
        scope.spawn(work).join().unwrap();
    });
}

/// A folder with a file, below one that the test may write to.
fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("old"), "old").unwrap();
    (outer, folder)
}

#[track_caller]
fn check(role: &str, expected: &[(&str, &[&str])]) {
    let (_outer, folder) = folder();
    let tried = run(role, &folder);
    let is_root = rustix::process::geteuid().is_root();
    for (what, ends) in expected {
        let line = tried
            .iter()
            .find_map(|it| it.strip_prefix(&format!("{what}: ")));
        let line = line.unwrap_or_else(|| panic!("{role}: {what}: {tried:?}"));
        assert!(
            ends.contains(&line),
            "{role}: {what}: {line} (root: {is_root})"
        );
    }
}

const DONE: &[&str] = &["done"];
const REFUSED: &[&str] = &["PermissionDenied"];

#[test]
fn who_needs_nothing_reads_what_it_may() {
    check(
        "nothing",
        &[
            ("to read", DONE),
            ("to make a file", REFUSED),
            ("to make a private file", REFUSED),
            ("to write to a file", REFUSED),
            ("to remove a file", REFUSED),
            ("to execute", REFUSED),
            ("to see a process", REFUSED),
            ("to enter a mount namespace", REFUSED),
            ("to make a directory the root", REFUSED),
            ("to signal another process", REFUSED),
        ],
    );
}

#[test]
fn a_process_that_inspects_others_writes_nothing() {
    for role in ["owners", "capture"] {
        check(
            role,
            &[
                ("to read", DONE),
                ("to see a process", DONE),
                ("to make a file", REFUSED),
                ("to write to a file", REFUSED),
                ("to remove a file", REFUSED),
                ("to execute", REFUSED),
                ("to enter a mount namespace", REFUSED),
                ("to make a directory the root", REFUSED),
                ("to signal another process", REFUSED),
                ("to send a datagram", DONE),
            ],
        );
    }
}

#[test]
fn who_records_writes_where_it_records() {
    check(
        "record",
        &[
            ("to make a file", DONE),
            ("to make a private file", DONE),
            ("to remove a file", DONE),
            ("to see a process", DONE),
            ("to execute", REFUSED),
        ],
    );
    // Below Landlock nowhere else.
    if has_landlock() {
        check(
            "manual",
            &[
                ("to make a file", DONE),
                ("to make a file elsewhere", REFUSED),
                ("to execute", REFUSED),
            ],
        );
    } else {
        flowner_testing::skipped!("this kernel has no Landlock");
    }
}

#[test]
fn who_has_windows_may_start_others() {
    check(
        "windows",
        &[
            ("to make a file", DONE),
            ("to execute", DONE),
            ("to see a process", DONE),
            ("to make a directory the root", REFUSED),
            ("to signal another process", REFUSED),
        ],
    );
}

/// Whether the kernel knows it.
fn has_landlock() -> bool {
    let (_outer, folder) = folder();
    run("nothing", &folder)
        .iter()
        .any(|it| it == "Landlock: true")
}

/// Nothing is given up by a library alone.
#[test]
fn without_a_program_that_asks_nothing_changes() {
    let before = fs::read_to_string("/proc/thread-self/status").unwrap();
    let value = privileges::with_rights_of_user(|| privileges::raised(|| 7));
    assert_eq!(value, 7);
    let after = fs::read_to_string("/proc/thread-self/status").unwrap();
    let kept = |text: &str| {
        let lines = text.lines().map(str::to_owned);
        let of_privileges = |it: &String| it.starts_with("Cap") || it.starts_with("Seccomp");
        lines.filter(of_privileges).collect::<Vec<_>>()
    };
    assert_eq!(kept(&before), kept(&after));
    let in_force = privileges::in_force();
    assert!(!in_force.filters_calls || !in_force.is_whole() || before.contains("Seccomp:\t2"));
}
