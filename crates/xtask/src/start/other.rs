//! Windows, and untested systems: a process cannot become another, so this one waits.

use std::process::{Command, ExitCode};

use crate::command::{Failure, describe};

/// Prints the command, runs it and waits for it. Returns its exit code.
pub(crate) fn start(command: &mut Command) -> Result<ExitCode, Failure> {
    let text = describe(command);
    println!("$ {text}");
    let status = command
        .status()
        .map_err(|error| Failure(format!("`{text}` could not be started: {error}")))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
