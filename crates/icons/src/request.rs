//! A request for a picture.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::{Icon, ProgramQuery, tile};

/// The program whose picture is requested.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct IconRequest {
    /// Its identity: the same key has the same picture.
    pub key: String,
    /// Its name; the first letter stands for it while there is no picture.
    pub name: String,
    /// Whether the caller wants only the letter: no entry of this host is the program's, for
    /// example because a file of another host names the program.
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
    /// The same as a query for the search.
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

    /// The picture of its letter.
    pub fn tile(&self) -> Icon {
        Icon::of_svg(tile(&self.key, &self.name).as_bytes(), 48)
    }
}
