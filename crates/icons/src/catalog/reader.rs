//! Reads the entries in directories: each once, and always in the same order.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::entry::bounded;
use crate::{Entry, Locale};

/// The maximum number of entries to read, of all users together and of each user.
const MAX_ENTRIES: usize = 20_000;
/// The maximum depth of directories.
const MAX_DEPTH: usize = 4;

pub(super) struct Reader<'a> {
    locale: &'a Locale,
    /// By user, so that one user cannot hide the entries of others, nor use up their limit.
    seen: HashMap<Option<u32>, HashSet<String>>,
    /// The directories without symbolic links, which may lead round in circles; by user as well.
    pub(super) folders: HashSet<(PathBuf, Option<u32>)>,
    pub(super) found: Vec<Found>,
}

/// A file of an entry.
pub(super) struct Found {
    pub(super) id: String,
    /// The user of its programs; `None` for those of all users.
    pub(super) user: Option<u32>,
    /// `None` for an entry that counts as deleted: it hides those of later directories.
    pub(super) entry: Option<Arc<Entry>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(locale: &'a Locale) -> Self {
        Self {
            locale,
            seen: HashMap::new(),
            folders: HashSet::new(),
            found: Vec::new(),
        }
    }

    pub(super) fn read_folder(
        &mut self,
        folder: &Path,
        user: Option<u32>,
        prefix: &str,
        depth: usize,
    ) {
        let Ok(files) = fs::read_dir(folder) else {
            return;
        };
        if !fs::canonicalize(folder).is_ok_and(|folder| self.folders.insert((folder, user))) {
            return;
        }
        let mut names: Vec<_> = files.flatten().map(|file| file.file_name()).collect();
        // The order is always the same.
        names.sort();
        for name in names.iter().filter_map(|name| name.to_str()) {
            if self
                .seen
                .get(&user)
                .is_some_and(|seen| seen.len() >= MAX_ENTRIES)
            {
                tracing::warn!(folder = %folder.display(), "too many desktop entries");
                return;
            }
            let path = folder.join(name);
            if let Some(name) = name.strip_suffix(".desktop") {
                self.read_entry(&path, user, format!("{prefix}{name}"));
            } else if depth < MAX_DEPTH && path.is_dir() {
                self.read_folder(&path, user, &format!("{prefix}{name}-"), depth + 1);
            }
        }
    }

    fn read_entry(&mut self, path: &Path, user: Option<u32>, id: String) {
        let seen = self.seen.entry(user).or_default();
        if seen.contains(&id) {
            return;
        }
        match bounded(path) {
            Ok(bytes) => {
                let entry = Entry::parse(&id, &bytes, self.locale);
                let entry = entry.map(|entry| Arc::new(Entry { user, ..entry }));
                seen.insert(id.clone());
                self.found.push(Found { id, user, entry });
            }
            Err(error) => tracing::debug!(%error, path = %path.display(), "not read"),
        }
    }
}
