//! The situations that monitors get wrong, with few bytes: nobody is named wrongly, and nearly
//! all are named. What is measured on a machine that does nothing else, the harness itself tells.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::path::Path;
use std::process::{Command, Output};

const DETECT: &str = env!("CARGO_BIN_EXE_detect");
/// What is not named.
const OPEN: [&str; 0] = [];
/// A machine under load may not run a send watcher, or a lookup, in time: a situation is named at one
/// of so many times.
const TIMES: usize = 5;

fn detect(program: &Path, case: &str) -> Output {
    Command::new(DETECT)
        .args(["--quick", "--trials", "1", "--device", "any"])
        .args(["--case", case, "--program"])
        .arg(program)
        .output()
        .unwrap()
}

/// Whether a situation is named at last, and nobody is wrongly on the way.
#[track_caller]
fn is_named_again(program: &Path, case: &str) -> bool {
    (1..TIMES).any(|_| {
        let output = detect(program, case);
        let table = String::from_utf8_lossy(&output.stdout);
        assert!(!table.contains("WRONG"), "wrong owner: {table}");
        table.contains("| 1 of 1 |")
    })
}

#[test]
fn situations_are_named_and_never_wrongly() {
    if !rustix::process::geteuid().is_root() {
        flowner_testing::skipped!("no privilege to make a network namespace");
        return;
    }
    let program = Path::new(DETECT).with_file_name("flowner");
    if !program.exists() {
        flowner_testing::skipped!("`flowner` was not built; `cargo build -p flowner` does");
        return;
    }
    let output = detect(&program, "");
    let table = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("run as root") {
        flowner_testing::skipped!("{errors}");
        return;
    }
    assert!(!table.contains("WRONG"), "wrong owner: {table}{errors}");
    let rows = table.lines().filter(|line| line.starts_with("| "));
    // The head is one of them.
    let rows: Vec<&str> = rows
        .skip(1)
        .filter(|row| !row.contains("not run"))
        .collect();
    assert!(rows.len() >= 22, "{table}{errors}");
    for row in rows {
        let is_open = OPEN.iter().any(|name| row.contains(name));
        let name = row.split('|').nth(1).unwrap().trim();
        let is_named = row.contains("| 1 of 1 |") || is_named_again(&program, name);
        assert!(is_open || is_named, "{row}\n{table}{errors}");
    }
}

/// A program that names nobody does not pass.
#[test]
fn a_program_that_says_nothing_fails() {
    if !rustix::process::geteuid().is_root() {
        flowner_testing::skipped!("no privilege to make a network namespace");
        return;
    }
    let output = detect(Path::new("/bin/true"), "");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
