//! Tests in network namespaces of their own (Linux).

use std::process::Command;

const INSIDE: &str = "FLOWNER_TEST_INSIDE";

/// Runs a test again in a network namespace of its own, and says that its caller has nothing left
/// to do. In there it says that the test is to go on. Where none may be made, the test is
/// [skipped](crate::skipped!).
///
/// # Panics
///
/// Where the test fails in there.
pub fn is_run_inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let may_make = Command::new("unshare").args(["-n", "true"]).output();
    if !may_make.is_ok_and(|output| output.status.success()) {
        crate::skipped!("no privilege to make a network namespace");
        return true;
    }
    let executable = std::env::current_exe().unwrap_or_else(|error| panic!("no test: {error}"));
    let status = Command::new("unshare")
        .arg("-n")
        .arg(executable)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .status();
    assert!(status.is_ok_and(|status| status.success()), "{test} failed");
    true
}

/// Runs ip(8) with these words.
///
/// # Panics
///
/// Where it fails.
pub fn ip(line: &str) {
    let output = Command::new("ip").args(line.split_whitespace()).output();
    let is_done = output.as_ref().is_ok_and(|output| output.status.success());
    assert!(is_done, "ip {line}: {output:?}");
}
