//! Skipped tests and the reasons: tests append them to a file, and the tasks here list them.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use flowner_testing::{LIST, Skipped};

use crate::command::{Failure, root};

/// The file to which tests append.
pub(crate) struct Skips(PathBuf);

impl Skips {
    /// An empty list. Its file is in the target directory, which belongs to the user who builds:
    /// tests that run as root can write there as well.
    pub(crate) fn new() -> Result<Self, Failure> {
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root().join("target"), PathBuf::from);
        Self::at(
            root()
                .join(target)
                .join(format!("skipped-{}", std::process::id())),
        )
    }

    fn at(path: PathBuf) -> Result<Self, Failure> {
        let skips = Self(path);
        let folder = skips.0.parent().map_or(Ok(()), fs::create_dir_all);
        folder
            .and_then(|()| fs::write(&skips.0, ""))
            .map_err(|error| skips.failed(&error))?;
        Ok(skips)
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure(format!("{}: {error}", self.0.display()))
    }

    /// Makes a command's tests append to this list.
    pub(crate) fn of_tests<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env(LIST, &self.0)
    }

    /// A skip of xtask's own.
    pub(crate) fn add(&self, what: &str, reason: &str) -> Result<(), Failure> {
        println!("skipped: {reason}");
        let skipped = Skipped::new(what, reason);
        flowner_testing::append(&self.0, &skipped).map_err(|error| self.failed(&error))
    }

    /// The tests skipped so far, by reason.
    pub(crate) fn all(&self) -> Result<Vec<Skipped>, Failure> {
        flowner_testing::read(&self.0).map_err(|error| self.failed(&error))
    }
}

impl Drop for Skips {
    fn drop(&mut self) {
        let _best_effort = fs::remove_file(&self.0);
    }
}

/// The skips for a reader: each reason once, with its tests below.
pub(crate) fn list(all: &[Skipped]) -> String {
    let mut text = String::new();
    for of_reason in all.chunk_by(|a, b| a.reason == b.reason) {
        let _infallible = write!(text, "\nskipped: {}\n", of_reason[0].reason);
        for skipped in of_reason {
            let _infallible = writeln!(text, "    {}", skipped.test);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_listed_below_their_reason() {
        let name = format!("flowner-xtask-skipped-{}", std::process::id());
        let skips = Skips::at(std::env::temp_dir().join(name)).unwrap();
        assert_eq!(list(&skips.all().unwrap()), "");
        for (test, reason) in [("b", "y"), ("a", "y"), ("c", "x"), ("a", "y")] {
            skips.add(test, reason).unwrap();
        }
        let text = list(&skips.all().unwrap());
        assert_eq!(text, "\nskipped: x\n    c\n\nskipped: y\n    a\n    b\n");
        let path = skips.0.clone();
        drop(skips);
        assert!(!path.exists());
    }

    #[test]
    fn a_command_names_the_list_to_its_tests() {
        let name = format!("flowner-xtask-list-{}", std::process::id());
        let skips = Skips::at(std::env::temp_dir().join(name)).unwrap();
        let mut command = Command::new("cargo");
        skips.of_tests(&mut command);
        let names = command
            .get_envs()
            .any(|(name, value)| name == LIST && value == Some(skips.0.as_os_str()));
        assert!(names);
    }
}
