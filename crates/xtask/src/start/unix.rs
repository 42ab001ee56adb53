//! Unix: one process becomes another.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use crate::command::{Failure, describe};

/// Prints the command, and becomes that program. If the program were a child, Ctrl-C would end this
/// process and give the terminal back before the child has shown its final report.
pub(crate) fn start(command: &mut Command) -> Result<ExitCode, Failure> {
    let text = describe(command);
    println!("$ {text}");
    let error = command.exec();
    Err(Failure(format!("`{text}` could not be started: {error}")))
}
