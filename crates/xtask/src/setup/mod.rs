//! Installs what the system must have before anything builds.
//!
//! A platform must provide four functions: `libpcap()` installs libpcap's development files or
//! explains how to; `install_debian()` installs Debian's packages where there are any;
//! `may_capture()` returns whether this user may capture; and `capture_advice()` explains in one
//! line how to get that privilege.

#[cfg_attr(
    any(
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd"
    ),
    path = "bsd.rs"
)]
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
#[cfg_attr(windows, path = "windows.rs")]
#[cfg_attr(
    not(any(
        windows,
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "linux",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "openbsd"
    )),
    path = "other.rs"
)]
mod platform;

use std::process::Command;

pub(crate) use platform::{capture_advice, install_debian, may_capture};

use crate::command::{Failure, cargo, exists, run, succeeds};

/// Installs the missing programs and libraries that Flowner needs to build and run.
pub(crate) fn all() -> Result<(), Failure> {
    platform::libpcap()
}

/// Programs with which tests compare results or make networks, and their Debian packages. Without
/// these programs, those tests are skipped, and report that.
const TEST_TOOLS: [(&str, &str); 4] = [
    ("ss", "iproute2"),
    ("lsof", "lsof"),
    ("nft", "nftables"),
    ("python3", "python3"),
];

/// Also installs the missing programs that the checks of the source need.
pub(crate) fn for_tests() -> Result<(), Failure> {
    all()?;
    let missing = TEST_TOOLS.iter().filter(|(program, _)| !exists(program));
    let packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if !packages.is_empty() && is_root() {
        install_debian(&packages)?;
    }
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if succeeds(&mut cargo(&[subcommand, "--version"])) {
            continue;
        }
        if !exists("rustup") {
            let message = format!("`cargo {subcommand}` is missing; install {component}");
            return Err(Failure(message));
        }
        run(Command::new("rustup").args(["component", "add", component]))?;
    }
    screen();
    wireshark();
    Ok(())
}

/// The Debian packages that tests of windows need: a virtual screen, keys and pictures, and the
/// libraries that a window loads when it opens.
const SCREEN: [&str; 7] = [
    "xvfb",
    "xdotool",
    "x11-apps",
    "libx11-xcb1",
    "libxcursor1",
    "libxi6",
    "libxkbcommon-x11-0",
];

/// Installs a virtual screen for tests of windows, if possible; without one, they are skipped.
fn screen() {
    if ["Xvfb", "xdotool", "xwd"]
        .iter()
        .all(|program| exists(program))
    {
        return;
    }
    match install_debian(&SCREEN) {
        Ok(true) => {}
        Ok(false) => println!("setup: no Xvfb here; tests of windows are skipped"),
        Err(Failure(why)) => println!("setup: {why}; tests of windows are skipped"),
    }
}

/// Installs Wireshark's tools on Debian, with which tests check recordings. Without the tools,
/// those tests report that they are skipped.
fn wireshark() {
    if exists("tshark") && exists("capinfos") {
        return;
    }
    match platform::install_debian(&["tshark", "wireshark-common"]) {
        Ok(true) => {}
        Ok(false) => println!("setup: without tshark, some tests are skipped"),
        Err(Failure(message)) => {
            println!("setup: without tshark, some tests are skipped: {message}");
        }
    }
}

/// Whether this user is the administrator of a Unix.
pub(crate) fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
