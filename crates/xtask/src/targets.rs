//! `cargo xtask check-targets`: the libraries and the command line, type-checked for
//! other platforms, from Linux.
//!
//! The standard library of those platforms is built from source. Debian has a
//! compiler with that source (`rustc-web`, `cargo-web`, `rust-web-src`), so nothing
//! is fetched from elsewhere.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::command::{Failure, root, run};
use crate::setup;

const TARGETS: [&str; 6] = [
    "x86_64-pc-windows-gnu",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-unknown-freebsd",
    "x86_64-unknown-openbsd",
    "x86_64-unknown-netbsd",
];

const PACKAGES: [&str; 5] = [
    "flowner-attribution",
    "flowner-capture",
    "flowner-flows",
    "flowner-core",
    "flowner",
];

/// Debian's packages, and a file that is there when they are.
const COMPILER: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";

/// Checks all targets, or those that are named.
pub(crate) fn check(named: &[&str]) -> Result<(), Failure> {
    let targets = if named.is_empty() {
        &TARGETS[..]
    } else {
        named
    };
    if let Some(unknown) = targets.iter().find(|target| !TARGETS.contains(target)) {
        let known = TARGETS.join(", ");
        return Err(Failure(format!(
            "{unknown} is not checked; these are: {known}"
        )));
    }
    if !is_installed() && !setup::install_debian(&COMPILER)? {
        println!(
            "SKIPPED: checking other platforms needs Debian's packages {}",
            COMPILER.join(", ")
        );
        return Ok(());
    }
    for target in targets {
        let started = Instant::now();
        run(&mut command(target))?;
        println!("{target}: {:.1} s", started.elapsed().as_secs_f64());
    }
    println!("type-checked for {}", targets.join(", "));
    Ok(())
}

fn is_installed() -> bool {
    let has_source = |folder: &str| {
        Path::new(folder)
            .join("lib/rustlib/src/rust/library/std")
            .is_dir()
    };
    Path::new(CARGO).is_file() && Path::new(RUSTC).is_file() && has_source("/usr")
}

fn command(target: &str) -> Command {
    let mut command = Command::new(CARGO);
    command.current_dir(root());
    // What the cargo that runs this task has set would lead to its own compiler.
    for variable in [
        "RUSTUP_TOOLCHAIN",
        "RUSTUP_HOME",
        "RUSTC_WRAPPER",
        "RUSTDOC",
        "CARGO",
    ] {
        command.env_remove(variable);
    }
    command
        .env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        // Nothing is linked; the build script only wants to know what there would be.
        .env("LIBPCAP_VER", "1.10.4")
        .args(["check", "-Zbuild-std=std,panic_abort", "--target", target])
        .args(["--target-dir", "target/cross"]);
    for package in PACKAGES {
        command.args(["--package", package]);
    }
    command
}
