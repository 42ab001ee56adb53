//! The harness, for a few exchanges of each kind: no owner is wrong, and most are named who stay
//! for a moment. How many are, on a machine that does nothing else, the harness itself tells.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::process::Command;

#[test]
fn owners_are_named_and_never_wrongly() {
    if !rustix::process::geteuid().is_root() {
        flowner_testing::skipped!("no privilege to make a network namespace");
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_accuracy"))
        .args(["--lenient", "--table", "native", "--background", "20"])
        .args(["--repeat", "20"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("run as root") {
        flowner_testing::skipped!("{errors}");
        return;
    }
    assert!(output.status.success(), "{told}\n{errors}");
    flowner_testing::relay(&told);
    // It ends well when it has nothing to do, too.
    assert!(told.lines().count() > 50, "{told}\n{errors}");
}
