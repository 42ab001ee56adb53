//! Facts about the build for `flowner --version`: the target, and the commit where the
//! source is a clone of this project, or a package that was made from one.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=FLOWNER_TARGET={target}");
    let commit = packaged().or_else(cloned).unwrap_or_default();
    println!("cargo::rustc-env=FLOWNER_COMMIT={commit}");
}

/// What `cargo package` wrote down.
fn packaged() -> Option<String> {
    let text = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let rest = text.split_once("\"sha1\"")?.1;
    let sha1 = rest.split('"').nth(1)?;
    Some(sha1.chars().take(12).collect())
}

/// What git says, if this is the project itself and not a copy within another one.
fn cloned() -> Option<String> {
    if !Path::new("../../crates/core/Cargo.toml").exists() {
        return None;
    }
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file])?;
        println!("cargo::rerun-if-changed={path}");
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
