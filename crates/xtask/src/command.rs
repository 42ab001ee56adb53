//! Runs other programs, and prints their commands.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The reason why a task ended, in one line.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    // This crate is two directories below it.
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path.pop();
    path
}

/// The cargo that runs this program.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// Prints a command and runs it. Returns an error if it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let text = describe(command);
    println!("$ {text}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure(format!("`{text}` failed ({status})"))),
        Err(error) => Err(Failure(format!("`{text}` could not be started: {error}"))),
    }
}

/// Whether a program starts and succeeds. Discards its output.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether a program is installed.
pub(crate) fn exists(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| {
        let path = folder.join(program);
        path.is_file() || path.with_extension("exe").is_file()
    })
}

/// A command as a user would type it.
pub(crate) fn describe(command: &Command) -> String {
    let mut text = String::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            let _infallible = write!(
                text,
                "{}={} ",
                name.display(),
                quoted(&value.to_string_lossy())
            );
        }
    }
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
    text + &words.join(" ")
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains([' ', '\'', '"', '$']) {
        format!("'{}'", word.replace('\'', "'\\''"))
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_typed() {
        let mut command = Command::new("a");
        command.args(["b c", "", "d"]).env("E", "f g");
        assert_eq!(describe(&command), "E='f g' a 'b c' '' d");
    }

    #[test]
    fn programs_are_found() {
        assert!(exists("cargo"));
        assert!(!exists("no-such-program-anywhere"));
    }
}
