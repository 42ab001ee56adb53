//! The BSDs: libpcap is part of the system; capturing goes through
//! the BPF devices.

use std::fs::File;
use std::path::Path;

use crate::command::Failure;

/// Installs nothing: libpcap is part of the system.
pub(crate) fn libpcap() -> Result<(), Failure> {
    println!("setup: nothing is missing");
    Ok(())
}

/// The BSDs have no Debian packages.
pub(crate) fn install_debian(_packages: &[&str]) -> Result<bool, Failure> {
    Ok(false)
}

/// Advice in one line: how to get the privilege to capture, with the command that grants it.
pub(crate) fn capture_advice(with_sudo: &str) -> String {
    format!(
        "for byte counts too, as root: {}",
        with_sudo.trim_start_matches("sudo ")
    )
}

/// Whether this user may capture: whether the BPF device opens.
pub(crate) fn may_capture(_program: &Path) -> bool {
    ["/dev/bpf", "/dev/bpf0"]
        .iter()
        .any(|path| File::open(path).is_ok())
}
