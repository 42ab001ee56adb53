//! From folders to entries: each read once, in an order that is the same on every day.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::entry::bounded;
use crate::{Entry, Locale};

/// Entries that are read at most.
const MAX_ENTRIES: usize = 20_000;
/// Folders within folders.
const MAX_DEPTH: usize = 4;

pub(super) struct Reader<'a> {
    locale: &'a Locale,
    /// Also of entries that count as deleted: they hide those of later directories.
    seen: HashSet<String>,
    /// Without symbolic links, which may lead round in circles.
    pub(super) folders: HashSet<PathBuf>,
    pub(super) entries: Vec<Entry>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(locale: &'a Locale) -> Self {
        Self {
            locale,
            seen: HashSet::new(),
            folders: HashSet::new(),
            entries: Vec::new(),
        }
    }

    pub(super) fn read_folder(&mut self, folder: &Path, prefix: &str, depth: usize) {
        let Ok(files) = fs::read_dir(folder) else {
            return;
        };
        if !fs::canonicalize(folder).is_ok_and(|folder| self.folders.insert(folder)) {
            return;
        }
        let mut names: Vec<_> = files.flatten().map(|file| file.file_name()).collect();
        // In an order that is the same on every day.
        names.sort();
        for name in names.iter().filter_map(|name| name.to_str()) {
            if self.seen.len() >= MAX_ENTRIES {
                tracing::warn!(folder = %folder.display(), "too many desktop entries");
                return;
            }
            let path = folder.join(name);
            if let Some(name) = name.strip_suffix(".desktop") {
                self.read_entry(&path, format!("{prefix}{name}"));
            } else if depth < MAX_DEPTH && path.is_dir() {
                self.read_folder(&path, &format!("{prefix}{name}-"), depth + 1);
            }
        }
    }

    fn read_entry(&mut self, path: &Path, id: String) {
        if self.seen.contains(&id) {
            return;
        }
        match bounded(path) {
            Ok(bytes) => {
                self.entries.extend(Entry::parse(&id, &bytes, self.locale));
                self.seen.insert(id);
            }
            Err(error) => tracing::debug!(%error, path = %path.display(), "not read"),
        }
    }
}
