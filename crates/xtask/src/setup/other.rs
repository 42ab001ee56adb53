//! An untested system, without known commands to install anything.

use std::path::Path;

use crate::command::Failure;

/// Installs nothing: the build reports what is missing.
pub(crate) fn libpcap() -> Result<(), Failure> {
    println!("setup: it is not known how to install libpcap on this system");
    Ok(())
}

/// No Debian packages.
pub(crate) fn install_debian(_packages: &[&str]) -> Result<bool, Failure> {
    Ok(false)
}

/// Advice in one line: how to get the privilege to capture, with the command that grants it.
pub(crate) fn capture_advice(with_sudo: &str) -> String {
    format!("for byte counts too, as the administrator: {with_sudo}")
}

/// Unknown here: the capture reports an error if this user may not.
pub(crate) fn may_capture(_program: &Path) -> bool {
    true
}
