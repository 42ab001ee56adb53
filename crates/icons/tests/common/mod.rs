//! Trees of files, for tests.
#![allow(dead_code, reason = "each test uses a part")]

use std::fs;
use std::path::{Path, PathBuf};

/// A picture that is read.
pub(crate) const PICTURE: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='48' height='48'>\
    <rect width='48' height='48' fill='#00f'/></svg>";

/// A folder that is removed in the end.
pub(crate) struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A desktop entry below a folder of applications.
    pub(crate) fn entry(&self, folder: &str, id: &str, keys: &str) {
        let text = format!("[Desktop Entry]\nType=Application\nName={id}\n{keys}\n");
        self.write(&format!("{folder}/applications/{id}.desktop"), text);
    }
}
