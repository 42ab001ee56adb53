//! Finds out whether directories have changed, without reading them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The last change of each directory: a file was added to it, renamed or removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    folders: Vec<(PathBuf, Option<SystemTime>)>,
}

impl Stamp {
    /// The present state of these directories, also of those that do not exist yet.
    pub(crate) fn of(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut folders: Vec<PathBuf> = folders.into_iter().collect();
        folders.sort();
        folders.dedup();
        let folders = folders.into_iter().map(|folder| {
            let changed = changed(&folder);
            (folder, changed)
        });
        Self {
            folders: folders.collect(),
        }
    }

    /// Whether a directory is among them.
    pub(crate) fn has(&self, folder: &Path) -> bool {
        self.folders.iter().any(|(known, _)| known == folder)
    }

    /// Adds more directories in their present state.
    pub(crate) fn extend(&mut self, folders: impl IntoIterator<Item = PathBuf>) {
        self.folders.extend(Self::of(folders).folders);
    }

    /// Whether nothing has changed since.
    pub(crate) fn is_current(&self) -> bool {
        let mut folders = self.folders.iter();
        folders.all(|(folder, before)| changed(folder) == *before)
    }
}

fn changed(folder: &Path) -> Option<SystemTime> {
    fs::metadata(folder)
        .and_then(|folder| folder.modified())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let later = folder.path().join("later");
        let stamp = || Stamp::of([folder.path().to_owned(), later.clone(), later.clone()]);
        let before = stamp();
        assert!(before.is_current());
        fs::create_dir(&later).unwrap();
        assert!(!before.is_current());
        let after = stamp();
        assert!(after.is_current());
        // Times of files may be as coarse as a tick of the clock: set one.
        let file = fs::File::open(&later).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(!after.is_current());
    }
}
