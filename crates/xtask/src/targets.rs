//! `cargo xtask check-targets`: type-checks the libraries and the command line for other platforms,
//! from Linux.
//!
//! If rustup has a target's standard library, the check uses it. Otherwise it builds the library
//! from source with Debian's compiler (`rustc-web`, `cargo-web`) and its source (`rust-web-src`),
//! so that it downloads nothing from elsewhere.
//!
//! It leaves out icons of the system (the feature `picon`), which need a toolkit: that takes
//! minutes for each target. CI builds and tests them on Windows and macOS themselves.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::command::{Failure, cargo, root, run};
use crate::setup;

const TARGETS: [&str; 6] = [
    "x86_64-pc-windows-gnu",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-unknown-freebsd",
    "x86_64-unknown-openbsd",
    "x86_64-unknown-netbsd",
];

const PACKAGES: [&str; 7] = [
    "flowner-attribution",
    "flowner-capture",
    "flowner-flows",
    "flowner-icons",
    "flowner-core",
    "flowner",
    "xtask",
];

/// Debian's packages: the compiler, and the program that makes import libraries for Windows.
const COMPILER: [&str; 4] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "binutils-mingw-w64-x86-64",
];
const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
/// Files that exist if the packages are installed.
const INSTALLED: [&str; 4] = [
    RUSTC,
    CARGO,
    "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
    "/usr/bin/x86_64-w64-mingw32-dlltool",
];

/// Checks all targets, or the named ones.
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
    let mut skipped = Vec::new();
    for target in targets {
        let started = Instant::now();
        let mut command = if has_standard_library(target) {
            cargo(&["check", "--target", target])
        } else if can_build_standard_library()? {
            building_standard_library(target)
        } else {
            skipped.push(*target);
            continue;
        };
        // The check links nothing; only the build script needs the name of a library.
        command.env("LIBPCAP_VER", "1.10.4");
        command.args(["--target-dir", "target/cross", "--locked"]);
        run(command.args(PACKAGES.iter().flat_map(|package| ["--package", package])))?;
        println!("{target}: {:.1} s", started.elapsed().as_secs_f64());
    }
    if !skipped.is_empty() {
        println!(
            "skipped: {}: neither does rustup have them here, nor is this Debian",
            skipped.join(", ")
        );
    }
    Ok(())
}

/// Whether the installed compiler has this target, for example after `rustup target add`.
fn has_standard_library(target: &str) -> bool {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output();
    output.is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout).into_owned();
        let libraries = Path::new(sysroot.trim()).join("lib/rustlib").join(target);
        libraries.join("lib").is_dir()
    })
}

/// Installs what is missing for this target; `false` if it cannot.
fn can_build_standard_library() -> Result<bool, Failure> {
    if INSTALLED.iter().all(|path| Path::new(path).exists()) {
        return Ok(true);
    }
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let is_debian = system.lines().any(|line| line == "ID=debian");
    Ok(is_debian && setup::install_debian(&COMPILER)?)
}

/// Debian's cargo and compiler, with the standard library built from source.
fn building_standard_library(target: &str) -> Command {
    let mut command = Command::new(CARGO);
    command.current_dir(root());
    // The variables of the cargo that runs this task would lead to its own compiler.
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
        .args(["check", "-Zbuild-std=std,panic_abort", "--target", target]);
    command
}
