//! Early ends of a command, and exit codes.

use std::fmt;
use std::io;
use std::process::ExitCode;

use flowner_core::privileges::PrivilegeError;
use flowner_core::text::{mask, mask_lines};
use flowner_core::who::WhoError;
use flowner_core::{FilterError, attribution, capture};

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The reader closed the output. No error.
    ClosedPipe,
    /// One line for the terminal; untrusted text in it is masked.
    Message(String),
    /// The same with more lines, such as marks.
    Lines(String),
}

pub(crate) type Outcome = Result<ExitCode, Failure>;

/// The lookup found nothing.
pub(crate) const NOT_FOUND: u8 = 1;
/// An error.
pub(crate) const ERROR: u8 = 2;

impl Failure {
    /// Writes the message, and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            Self::ClosedPipe => ExitCode::SUCCESS,
            Self::Message(message) => {
                say(format_args!("flowner: {message}"));
                ExitCode::from(ERROR)
            }
            Self::Lines(message) => {
                say_lines(format_args!("flowner: {message}"));
                ExitCode::from(ERROR)
            }
        }
    }
}

/// Writes a line to standard error. It often contains a name that another party chose, which must
/// not break the line or do anything else.
pub(crate) fn say(line: impl fmt::Display) {
    write_line(&mask(&line.to_string()));
}

/// As [`say`], for a text with several lines.
pub(crate) fn say_lines(lines: impl fmt::Display) {
    write_line(&mask_lines(&lines.to_string()));
}

fn write_line(line: &str) {
    use std::io::Write;
    // If not even this can be written, no one is left to read it.
    let _best_effort = writeln!(io::stderr(), "{line}");
}

/// Errors of writing the output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::ClosedPipe
        } else {
            Self::Message(format!("the output could not be written: {error}"))
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        io::Error::from(error).into()
    }
}

impl From<FilterError> for Failure {
    fn from(error: FilterError) -> Self {
        Self::Lines(error.render())
    }
}

impl From<WhoError> for Failure {
    fn from(error: WhoError) -> Self {
        match error {
            WhoError::Filter(error) => error.into(),
            error => Self::Message(error.to_string()),
        }
    }
}

macro_rules! from_libraries {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Message(error.to_string())
            }
        }
    )*};
}

from_libraries!(
    flowner_core::Error,
    PrivilegeError,
    attribution::Error,
    capture::Error
);
