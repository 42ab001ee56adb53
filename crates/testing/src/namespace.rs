//! Tests in their own network namespaces (Linux).

use std::process::Command;

const INSIDE: &str = "FLOWNER_TEST_INSIDE";

/// Runs a test again in its own network namespace, and returns true, so that the caller returns. In
/// the new namespace it returns false, so that the test runs. If no namespace can be made, the test
/// is [skipped](crate::skipped!).
///
/// # Panics
///
/// If the test fails in there.
pub fn is_run_inside(test: &str) -> bool {
    is_run_by(test, &["-n"], &[])
}

/// As [`is_run_inside`], where the test sees no process or network namespace of others, and they
/// see no named one of the test: for tests whose addresses others may use at the same time.
///
/// # Panics
///
/// If the test fails in there.
pub fn is_run_apart(test: &str) -> bool {
    const HIDE: &str = "mkdir -p /run/netns && mount -t tmpfs none /run/netns && exec \"$@\"";
    let options = ["-n", "-m", "-p", "-f", "--mount-proc"];
    is_run_by(test, &options, &["sh", "-c", HIDE, "sh"])
}

fn is_run_by(test: &str, options: &[&str], through: &[&str]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let may_make = Command::new("unshare").args(options).arg("true").output();
    if !may_make.is_ok_and(|output| output.status.success()) {
        crate::skipped!("no privilege to make a network namespace");
        return true;
    }
    let executable = std::env::current_exe().unwrap_or_else(|error| panic!("no test: {error}"));
    let status = Command::new("unshare")
        .args(options)
        .args(through)
        .arg(executable)
        // A test that is ignored must not be ignored in there, where it would seem to pass.
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env(INSIDE, "1")
        .status();
    assert!(status.is_ok_and(|status| status.success()), "{test} failed");
    true
}

/// Runs ip(8) with these words.
///
/// # Panics
///
/// If it fails.
pub fn ip(line: &str) {
    let output = Command::new("ip").args(line.split_whitespace()).output();
    let is_done = output.as_ref().is_ok_and(|output| output.status.success());
    assert!(is_done, "ip {line}: {output:?}");
}

/// Gives this network namespace the address 10.99.0.1 on `veth0`, and a default route through it: to
/// a neighbour that answers nothing.
///
/// # Panics
///
/// If ip(8) fails.
pub fn link_to_silence() {
    for line in [
        "link set lo up",
        "link add veth0 type veth peer name veth1",
        "link set veth1 up",
        "addr add 10.99.0.1/24 dev veth0",
        "link set veth0 up",
        "route add default dev veth0",
    ] {
        ip(line);
    }
}
