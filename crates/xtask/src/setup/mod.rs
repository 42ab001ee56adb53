//! What the system must have before anything builds.
//!
//! A platform owes three functions: `libpcap()`, which installs libpcap's
//! development files or says how to; `capture_advice()`, one line on how to get the
//! privilege to capture; and `may_capture()`, whether this user has it.

#[cfg(any(target_os = "freebsd", target_os = "openbsd", target_os = "netbsd"))]
#[path = "bsd.rs"]
mod platform;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod platform;
#[cfg(not(any(
    target_os = "linux",
    target_os = "macos",
    target_os = "freebsd",
    target_os = "openbsd",
    target_os = "netbsd"
)))]
#[path = "windows.rs"]
mod platform;

use std::process::Command;

pub(crate) use platform::{capture_advice, install_debian, may_capture};

use crate::command::{Failure, cargo, exists, run, succeeds};

/// Installs what is missing to build and run.
pub(crate) fn all() -> Result<(), Failure> {
    platform::libpcap()
}

/// Installs what is missing to check the source too.
pub(crate) fn for_tests() -> Result<(), Failure> {
    all()?;
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if succeeds(cargo(&[subcommand, "--version"]).env_remove("RUSTUP_TOOLCHAIN")) {
            continue;
        }
        if !exists("rustup") {
            let message = format!("`cargo {subcommand}` is missing; install {component}");
            return Err(Failure(message));
        }
        run(Command::new("rustup").args(["component", "add", component]))?;
    }
    Ok(())
}

/// Whether this user is the administrator.
#[cfg_attr(
    not(any(target_os = "linux", test)),
    allow(dead_code, reason = "where devices have permissions, those decide")
)]
pub(crate) fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
