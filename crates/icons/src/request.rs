//! A request for a picture.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::{Icon, ProgramQuery, tile};

/// A program to find the picture of, kept until then.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct IconRequest {
    /// Its identity: the same key has the same picture.
    pub key: String,
    /// What it is called; the first letter stands for it while there is no picture.
    pub name: String,
    /// Whether only the letter is wanted: no entry of this host is the program's, as with what
    /// a file of another host tells.
    pub is_unknown_here: bool,
    /// As in [`ProgramQuery`].
    pub user: Option<u32>,
    /// As in [`ProgramQuery`].
    pub application_id: Option<String>,
    /// As in [`ProgramQuery`].
    pub executable: Option<PathBuf>,
    /// As in [`ProgramQuery`].
    pub arguments: Vec<OsString>,
}

impl IconRequest {
    /// The same, to be looked for.
    pub fn subject(&self) -> ProgramQuery<'_> {
        ProgramQuery {
            application_id: self.application_id.as_deref(),
            executable: self.executable.as_deref(),
            arguments: &self.arguments,
            name: &self.name,
            user: self.user,
            only_by_path: false,
        }
    }

    /// The letter that stands for it.
    pub fn tile(&self) -> Icon {
        Icon::of_svg(tile(&self.key, &self.name).as_bytes(), 48)
    }
}
