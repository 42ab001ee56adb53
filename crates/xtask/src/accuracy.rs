//! Measures how often Flowner names owners, whether that holds for long, and in which situations:
//! builds the harness and runs it.

use std::process::{Command, ExitCode};

use crate::command::{self, Failure};

/// Passes on the arguments and the exit code.
pub(crate) fn run(arguments: &[&str]) -> Result<ExitCode, Failure> {
    build("flowner-benches")?;
    harness("accuracy", arguments)
}

/// Runs the situations that monitors get wrong.
pub(crate) fn detect(arguments: &[&str]) -> Result<ExitCode, Failure> {
    build("flowner")?;
    build("flowner-benches")?;
    harness("detect", arguments)
}

/// Runs a soak, which observes the program itself, in the same way.
pub(crate) fn soak(arguments: &[&str]) -> Result<ExitCode, Failure> {
    build("flowner")?;
    build("flowner-benches")?;
    harness("accuracy", &[&["soak"], arguments].concat())
}

fn build(package: &str) -> Result<(), Failure> {
    let build = ["build", "--release", "-p", package, "--bins"];
    command::run(&mut command::cargo(&build))
}

fn harness(name: &str, arguments: &[&str]) -> Result<ExitCode, Failure> {
    let program = command::root().join("target/release").join(name);
    let mut harness = Command::new(program);
    harness.args(arguments);
    let status = harness.status();
    let status = status.map_err(|error| Failure(format!("{name}: {error}")))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
