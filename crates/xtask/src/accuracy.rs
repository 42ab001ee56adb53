//! How often owners are named: builds the harness and runs it.

use std::process::{Command, ExitCode};

use crate::command::{self, Failure};

/// Passes arguments and exit code on.
pub(crate) fn run(arguments: &[&str]) -> Result<ExitCode, Failure> {
    let build = ["build", "--release", "-p", "flowner-benches", "--bins"];
    command::run(&mut command::cargo(&build))?;
    let program = command::root().join("target/release/accuracy");
    let mut accuracy = Command::new(program);
    accuracy.args(arguments);
    let status = accuracy.status();
    let status = status.map_err(|error| Failure(format!("accuracy: {error}")))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
