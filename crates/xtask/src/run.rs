//! `cargo xtask run`: from a clone to the main job.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::command::{Failure, cargo, exists, root, run as run_command};
use crate::setup;

/// Sets up, builds and starts `flowner watch`, or `flowner` with the arguments given.
pub(crate) fn run(arguments: &[&str]) -> Result<ExitCode, Failure> {
    setup::all()?;
    run_command(&mut cargo(&["build", "--release", "--package", "flowner"]))?;
    let program = program();
    if !arguments.is_empty() {
        return start(Command::new(&program).args(arguments));
    }
    if setup::may_capture() {
        return start(Command::new(&program).arg("watch"));
    }
    if exists("sudo") && std::io::stdin().is_terminal() {
        println!("capturing needs a privilege, for which sudo may ask your password");
        let code = start(Command::new("sudo").arg(&program).arg("watch"))?;
        if code == ExitCode::SUCCESS {
            return Ok(code);
        }
    }
    println!("without the privilege to capture: the owners of all sockets, kept up to date");
    println!("{}", setup::capture_advice());
    start(Command::new(&program).args(["sockets", "--watch"]))
}

fn program() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target
        .join("release")
        .join(format!("flowner{}", std::env::consts::EXE_SUFFIX))
}

/// Starts the program in the foreground; its exit code is ours.
fn start(command: &mut Command) -> Result<ExitCode, Failure> {
    println!("$ {command:?}");
    let status = command
        .status()
        .map_err(|error| Failure(format!("{command:?} could not be started: {error}")))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
