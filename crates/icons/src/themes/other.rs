//! Where the specifications of freedesktop.org are not followed: no themes.

use std::path::PathBuf;

use crate::Places;

/// The icon themes of some [`Places`]: none.
#[derive(Debug)]
pub struct Themes {}

impl Themes {
    /// Reads nothing.
    pub fn read(_places: &Places) -> Self {
        Self {}
    }

    /// As [`read`](Self::read).
    pub fn of_this_user(_places: &Places) -> Self {
        Self {}
    }

    /// As [`read`](Self::read).
    pub fn with_theme(_name: &str, _places: &Places) -> Self {
        Self {}
    }

    /// Nothing was read, so nothing changed.
    #[expect(clippy::unused_self, reason = "other platforms need it")]
    pub fn is_current(&self) -> bool {
        true
    }

    /// No files.
    #[expect(clippy::unused_self, reason = "other platforms need it")]
    pub(crate) fn files(
        &self,
        _name: &str,
        _size: u32,
        _scale: u32,
    ) -> impl Iterator<Item = PathBuf> {
        std::iter::empty()
    }

    /// No file.
    #[expect(clippy::unused_self, reason = "other platforms need it")]
    pub fn find(&self, _name: &str, _size: u32, _scale: u32) -> Option<PathBuf> {
        None
    }
}
