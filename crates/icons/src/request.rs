//! What somebody wants the picture of.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::{Icon, Subject, tile};

/// A program whose picture is wanted, kept until it is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Request {
    /// What tells it from others: the same key, the same picture.
    pub key: String,
    /// What it is called; the first letter stands for it while there is no picture.
    pub name: String,
    /// As in [`Subject`].
    pub application_id: Option<String>,
    /// As in [`Subject`].
    pub executable: Option<PathBuf>,
    /// As in [`Subject`].
    pub arguments: Vec<OsString>,
}

impl Request {
    /// The same, to be looked for.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            application_id: self.application_id.as_deref(),
            executable: self.executable.as_deref(),
            arguments: &self.arguments,
            name: &self.name,
        }
    }

    /// The letter that stands for it.
    pub fn tile(&self) -> Icon {
        Icon::of_svg(tile(&self.key, &self.name).as_bytes(), 48)
    }
}
