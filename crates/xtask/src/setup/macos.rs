//! macOS: the SDK has libpcap; capturing goes through the BPF devices.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use crate::command::{Failure, succeeds};

/// The command line tools bring libpcap and the linker.
pub(crate) fn libpcap() -> Result<(), Failure> {
    if succeeds(Command::new("xcrun").args(["--find", "cc"])) {
        println!("setup: nothing is missing");
        return Ok(());
    }
    Err(Failure(
        "Apple's command line tools are missing; run: xcode-select --install".to_owned(),
    ))
}

/// macOS has no Debian packages.
pub(crate) fn install_debian(_packages: &[&str]) -> Result<bool, Failure> {
    Ok(false)
}

/// Advice in one line: how to get the privilege to capture, with the command that grants it.
pub(crate) fn capture_advice(with_sudo: &str) -> String {
    format!("for byte counts too: {with_sudo} (or install Wireshark's ChmodBPF)")
}

/// Whether this user may capture: whether a BPF device opens, or is only busy.
pub(crate) fn may_capture(_program: &Path) -> bool {
    (0..4).any(|number| match File::open(format!("/dev/bpf{number}")) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ResourceBusy,
    })
}
