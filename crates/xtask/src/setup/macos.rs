//! macOS: the SDK has libpcap; capturing goes through the BPF devices.

use std::fs::File;
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

/// One line on how to get the privilege to capture.
pub(crate) const fn capture_advice() -> &'static str {
    "for byte counts too: sudo target/release/flowner watch (or install Wireshark's ChmodBPF)"
}

/// Whether this user may capture: whether a BPF device opens, or is only busy.
pub(crate) fn may_capture() -> bool {
    (0..4).any(|number| match File::open(format!("/dev/bpf{number}")) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ResourceBusy,
    })
}
