//! Tests in network namespaces of their own.

use std::process::Command;

const INSIDE: &str = "FLOWNER_TEST_INSIDE";

/// Runs a test again in a network namespace of its own. False in there, and where that may
/// not be made, which is said.
pub(crate) fn is_run_inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let may_make = Command::new("unshare").args(["-n", "true"]).output();
    if !may_make.is_ok_and(|output| output.status.success()) {
        flowner_testing::skipped!("no privilege to make a network namespace");
        return true;
    }
    let status = Command::new("unshare")
        .arg("-n")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .status();
    assert!(status.unwrap().success());
    true
}

pub(crate) fn ip(line: &str) {
    let output = Command::new("ip").args(line.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {line}: {output:?}");
}
