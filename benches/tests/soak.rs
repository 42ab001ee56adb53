//! The soak, for some seconds: sums fit, it ends and leaves nothing behind; and with a truth that
//! is wrong now and then, it fails. How a long one goes, the program itself tells.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SOAK: &str = env!("CARGO_BIN_EXE_accuracy");

/// The program of another package: built with all, and not with the tests of this one alone.
fn flowner() -> Option<PathBuf> {
    let path = Path::new(SOAK).with_file_name("flowner");
    path.exists().then_some(path)
}

/// What a soak says that takes ten seconds, if it can be made here.
fn soak(options: &[&str]) -> Option<Output> {
    if !rustix::process::geteuid().is_root() {
        flowner_testing::skipped!("no privilege to make a network namespace");
        return None;
    }
    let Some(program) = flowner() else {
        flowner_testing::skipped!("`flowner` was not built; `cargo build -p flowner` does");
        return None;
    };
    let output = Command::new(SOAK)
        // What a machine can do that builds and tests beside.
        .args([
            "soak",
            "--seconds",
            "10",
            "--background",
            "10",
            "--slots",
            "2",
        ])
        .arg("--program")
        .arg(program)
        .args(options)
        .output()
        .unwrap();
    if String::from_utf8_lossy(&output.stderr).contains("run as root") {
        flowner_testing::skipped!("{}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(output)
}

/// The number in a row of the table.
fn number(text: &str, row: &str) -> u64 {
    let start = format!("| {row} | ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    let number = line.and_then(|line| line.strip_suffix(" |"));
    number.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

#[test]
fn sums_fit_and_nobody_is_named_wrongly() {
    let Some(output) = soak(&[]) else {
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(number(&text, "named") > 100, "{text}");
    assert!(number(&text, "lines of flows") > 20, "{text}");
    assert!(text.ends_with("good\n"), "{text}");
}

#[test]
fn a_wrong_truth_fails() {
    let Some(output) = soak(&["--wrong-truth"]) else {
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(number(&text, "wrong") > 0, "{text}");
    assert!(text.contains("WRONG: "), "{text}");
    assert!(text.ends_with("FAILED\n"), "{text}");
}

#[test]
fn an_interrupt_ends_it_and_removes_what_it_made() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    if !rustix::process::geteuid().is_root() {
        flowner_testing::skipped!("no privilege to make a network namespace");
        return;
    }
    let Some(program) = flowner() else {
        flowner_testing::skipped!("`flowner` was not built; `cargo build -p flowner` does");
        return;
    };
    let mut soak = Command::new(SOAK)
        .args(["soak", "--minutes", "5", "--background", "10", "--program"])
        .arg(program)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = soak.id();
    let mut lines = BufReader::new(soak.stdout.take().unwrap()).lines();
    // The head of the table: all has begun. Without the privilege there is none.
    if lines.next().is_none() {
        flowner_testing::skipped!("it does not begin here");
        soak.wait().unwrap();
        return;
    }
    let id = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(soak.wait().unwrap().code(), Some(130), "{rest:?}");
    assert_eq!(rest.last().map(String::as_str), Some("interrupted"));
    let left = std::fs::read_dir("/run/netns").into_iter().flatten();
    let mark = format!("-{pid}-");
    let left: Vec<_> = left
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("flowner-") && name.contains(&mark))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
