//! Finds the configuration file.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use flowner_core::present::printable_path;

use super::trust;
use crate::error::{Failure, say};

/// The environment variable with the file.
const VARIABLE: &str = "FLOWNER_CONFIG";

/// The file, and the source of its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// `--config`.
    Typed(PathBuf),
    /// `FLOWNER_CONFIG`.
    Variable(PathBuf),
    /// The platform's file, if it exists: XDG's on Unix, `%APPDATA%` on Windows.
    Usual(PathBuf),
    /// None is wanted, or there is no home directory.
    Nowhere,
}

impl Place {
    /// From the command line, or else from the environment, or else from the platform.
    pub(super) fn of(arguments: &[OsString]) -> Self {
        match Typed::of(arguments) {
            Typed::File(path) => return Self::Typed(path),
            Typed::None => return Self::Nowhere,
            Typed::Nothing => {}
        }
        if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            return Self::Variable(path.into());
        }
        let folder = etcetera::choose_base_strategy().map(|base| base.config_dir());
        folder.map_or(Self::Nowhere, |folder| {
            Self::Usual(folder.join("flowner").join("config.toml"))
        })
    }

    pub(crate) const fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::Typed(path) | Self::Variable(path) | Self::Usual(path) => Some(path),
            Self::Nowhere => None,
        }
    }

    /// Whether the file exists.
    pub(crate) fn exists(&self) -> bool {
        self.path().is_some_and(|path| path.exists())
    }

    /// The text; `None` if the file is optional and missing. A file that the user named must exist.
    pub(super) fn read(&self) -> Result<Option<String>, Failure> {
        let Some(path) = self.path() else {
            return Ok(None);
        };
        match self.read_trusted(path) {
            Ok(Ok(text)) => Ok(Some(text)),
            Ok(Err(why)) => {
                say(format_args!(
                    "flowner: the configuration file {} {why}, so it is not used; `--config` uses it",
                    printable_path(path)
                ));
                Ok(None)
            }
            Err(error) if self.is_usual() && is_elsewhere(&error) => Ok(None),
            Err(error) => Err(unreadable(path, self, &error)),
        }
    }

    /// The text, or why this user must not trust the file: `HOME` may be that of another user. A file
    /// that the user named is always trusted.
    fn read_trusted(&self, path: &Path) -> io::Result<Result<String, &'static str>> {
        let mut file = File::open(path)?;
        if self.is_usual()
            && let Some(why) = trust::why_not(&file)?
        {
            return Ok(Err(why));
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(Ok(text))
    }

    const fn is_usual(&self) -> bool {
        matches!(self, Self::Usual(_))
    }
}

/// Whether the file belongs to another user: after a change of user, `HOME` may still be that of
/// the first.
fn is_elsewhere(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};

    matches!(error.kind(), NotADirectory | NotFound | PermissionDenied)
}

fn unreadable(path: &Path, place: &Place, error: &io::Error) -> Failure {
    let by = match place {
        Place::Typed(_) => "named by --config, ",
        Place::Variable(_) => "named by FLOWNER_CONFIG, ",
        Place::Usual(_) | Place::Nowhere => "",
    };
    let path = printable_path(path);
    Failure::Message(format!(
        "the configuration file, {by}could not be read: {path}: {error}"
    ))
}

/// The command line's choice. clap cannot parse it yet, because the file decides about defaults.
enum Typed {
    File(PathBuf),
    None,
    Nothing,
}

impl Typed {
    fn of(arguments: &[OsString]) -> Self {
        let mut arguments = arguments.iter().skip(1);
        let mut found = Self::Nothing;
        while let Some(argument) = arguments.next() {
            if argument == "--" {
                break;
            } else if argument == "--no-config" {
                return Self::None;
            } else if argument == "--config" {
                if let Some(path) = arguments.next() {
                    found = Self::File(path.into());
                }
            } else if let Some(path) = value(argument) {
                found = Self::File(path.into());
            }
        }
        found
    }
}

/// The file of `--config=FILE`.
fn value(argument: &OsStr) -> Option<&OsStr> {
    let bytes = argument.as_encoded_bytes();
    let value = bytes.strip_prefix(b"--config=")?;
    // The rest after an ASCII prefix is whole; a path that is not UTF-8 must be typed with a blank
    // in place of the sign.
    std::str::from_utf8(value).ok().map(OsStr::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arguments: &[&str], expected: Option<&str>) {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let typed = match Typed::of(&arguments) {
            Typed::File(path) => Some(path.display().to_string()),
            Typed::None => Some("none".to_owned()),
            Typed::Nothing => None,
        };
        assert_eq!(typed.as_deref(), expected);
    }

    #[test]
    fn the_file_is_found_among_the_arguments() {
        check(&["flowner", "watch"], None);
        check(&["flowner", "--config", "a", "watch"], Some("a"));
        check(&["flowner", "watch", "--config=a b"], Some("a b"));
        check(
            &["flowner", "watch", "--config", "a", "--no-config"],
            Some("none"),
        );
        check(&["flowner", "sockets", "--", "--config=a"], None);
        check(&["--config=a"], None);
        check(&["flowner", "--config"], None);
    }
}
