//! Windows: Npcap and its SDK; their licence forbids redistribution.

use std::path::Path;

use crate::command::Failure;

/// Searches for the SDK's import library in the linker's directories.
pub(crate) fn libpcap() -> Result<(), Failure> {
    let folders = std::env::var_os("LIB").unwrap_or_default();
    let has_library = |folder: std::path::PathBuf| folder.join("wpcap.lib").is_file();
    let is_found = std::env::split_paths(&folders).any(has_library)
        || std::env::var_os("LIBPCAP_LIBDIR").is_some_and(|folder| has_library(folder.into()));
    if !is_found {
        return Err(Failure(
            "the Npcap SDK is missing: unpack it from https://npcap.com/#download and add its \
             folder Lib\\x64 to the environment variable LIB"
                .to_owned(),
        ));
    }
    println!("setup: nothing is missing to build");
    if !Path::new(r"C:\Windows\System32\Npcap\wpcap.dll").is_file() {
        println!("setup: to capture, install Npcap from https://npcap.com");
    }
    Ok(())
}

/// Windows has no Debian packages.
pub(crate) fn install_debian(_packages: &[&str]) -> Result<bool, Failure> {
    Ok(false)
}

/// Advice in one line: how to get the privilege to capture.
pub(crate) fn capture_advice(_with_sudo: &str) -> String {
    "for byte counts too: install Npcap, or run this as administrator".to_owned()
}

/// Npcap lets everyone capture unless its installer was set otherwise; then the capture reports it.
pub(crate) fn may_capture(_program: &Path) -> bool {
    true
}
