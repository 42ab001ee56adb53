//! How often owners are named, and whether that holds for long: builds the harness and runs it.

use std::process::{Command, ExitCode};

use crate::command::{self, Failure};

/// Passes arguments and exit code on.
pub(crate) fn run(arguments: &[&str]) -> Result<ExitCode, Failure> {
    build("flowner-benches")?;
    harness(arguments)
}

/// The same for a soak, which watches the program itself.
pub(crate) fn soak(arguments: &[&str]) -> Result<ExitCode, Failure> {
    build("flowner")?;
    build("flowner-benches")?;
    harness(&[&["soak"], arguments].concat())
}

fn build(package: &str) -> Result<(), Failure> {
    let build = ["build", "--release", "-p", package, "--bins"];
    command::run(&mut command::cargo(&build))
}

fn harness(arguments: &[&str]) -> Result<ExitCode, Failure> {
    let program = command::root().join("target/release/accuracy");
    let mut accuracy = Command::new(program);
    accuracy.args(arguments);
    let status = accuracy.status();
    let status = status.map_err(|error| Failure(format!("accuracy: {error}")))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
