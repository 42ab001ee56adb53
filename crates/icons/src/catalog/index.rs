//! An index of entries by the programs that they start, for the programs of one user.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::names::{is_private, is_usual};
use crate::command::{Started, file_name, runs_others, started};
use crate::{Entry, Places};

/// Entries, and the keys that lead to them.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) entries: Vec<Arc<Entry>>,
    /// By id in lower case, as some applications write it.
    pub(super) by_id: HashMap<String, usize>,
    pub(super) by_flatpak: HashMap<String, usize>,
    pub(super) by_snap: HashMap<String, usize>,
    pub(super) by_window_class: HashMap<String, usize>,
    /// By the file name of the started program.
    pub(super) by_file: HashMap<String, usize>,
    /// By the started module or class.
    pub(super) by_module: HashMap<String, usize>,
    /// By the file itself, after its symbolic links.
    pub(super) by_path: HashMap<PathBuf, usize>,
    /// By the directory of that file, if it belongs to one program alone.
    pub(super) by_folder: HashMap<PathBuf, Option<usize>>,
    /// Web apps, by their ids. The command of a web app does not lead to the browser that it
    /// starts.
    pub(super) by_web_app: HashMap<String, usize>,
}

/// The files that commands start, after their symbolic links. Each is searched for once.
pub(super) struct Targets<'a> {
    places: &'a Places,
    known: HashMap<String, Option<PathBuf>>,
}

impl<'a> Targets<'a> {
    pub(super) fn new(places: &'a Places) -> Self {
        Self {
            places,
            known: HashMap::new(),
        }
    }

    fn of(&mut self, command: &str) -> Option<PathBuf> {
        let places = self.places;
        let known = self.known.entry(command.to_owned());
        known.or_insert_with(|| places.program(command)).clone()
    }
}

impl Index {
    /// An index of these entries. Of equal ones, the first counts.
    pub(super) fn new(entries: Vec<Arc<Entry>>) -> Self {
        let mut index = Self::default();
        for (place, entry) in entries.iter().enumerate() {
            index.add(place, entry, &entries);
        }
        index.entries = entries;
        index
    }

    /// Resolves commands that are links or scripts in another directory than the program itself.
    pub(super) fn follow_links(&mut self, targets: &mut Targets<'_>) {
        let places_of_files = self.by_file.values().chain(self.by_path.values());
        let mut found: Vec<usize> = places_of_files.copied().collect();
        // It keeps the order of reading, so that the result is always the same.
        found.sort_unstable();
        found.dedup();
        let started = found.into_iter().filter_map(|place| {
            let words = &self.entries.get(place)?.command;
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match started(&words)? {
                Started::Executable(command) => Some((command.to_owned(), place)),
                _ => None,
            }
        });
        let started: Vec<(String, usize)> = started.collect();
        let mut led_to = HashMap::new();
        for (command, place) in started {
            let Some(path) = targets.of(&command) else {
                continue;
            };
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if runs_others(name) {
                continue;
            }
            let before = led_to.get(&path).copied();
            let plainer = self.plainer(before, place);
            if let Some(folder) = path.parent().filter(|folder| is_private(folder)) {
                let known = self.by_folder.entry(folder.to_owned());
                known
                    // If the directory is of two programs, neither has it; two entries of one
                    // program are no conflict.
                    .and_modify(|known| *known = known.and(before).map(|_| plainer))
                    .or_insert(Some(place));
            }
            led_to.insert(path.clone(), plainer);
            self.by_path.entry(path).or_insert(place);
        }
    }

    /// The entry of the program itself, of two that start the same.
    fn plainer(&self, known: Option<usize>, place: usize) -> usize {
        let entry = |place: usize| self.entries.get(place).map(Arc::as_ref);
        match known.and_then(|known| Some((known, entry(known)?, entry(place)?))) {
            Some((known, entry_known, entry)) if !is_plainer(entry, entry_known) => known,
            _ => place,
        }
    }

    fn add(&mut self, place: usize, entry: &Entry, all: &[Arc<Entry>]) {
        let first = |map: &mut HashMap<String, usize>, key: String| {
            map.entry(key).or_insert(place);
        };
        first(&mut self.by_id, entry.id.to_lowercase());
        if let Some(id) = &entry.web_app {
            first(&mut self.by_web_app, id.clone());
            return;
        }
        if let Some(class) = &entry.window_class
            && !runs_others(class)
        {
            first(&mut self.by_window_class, class.to_lowercase());
        }
        let words: Vec<&str> = entry.command.iter().map(String::as_str).collect();
        let tail = entry
            .id
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_lowercase();
        if let Some(Started::Executable(path)) = started(&words)
            && file_name(path).starts_with(&tail)
        {
            first(&mut self.by_id, tail);
        }
        let mut flatpak = entry.flatpak.as_deref();
        let mut snap = entry.snap.as_deref();
        let (mut file, mut module) = (None, None);
        match started(&words) {
            Some(Started::Flatpak(id)) => flatpak = flatpak.or(Some(id)),
            Some(Started::Snap(name)) => snap = snap.or(Some(name)),
            Some(Started::Module(name)) => module = Some(name),
            // `org.gnome.Maps` is installed as `gnome-maps`.
            Some(Started::Application(id)) => {
                let mut parts = id.rsplit('.');
                if let (Some(name), Some(domain)) = (parts.next(), parts.next()) {
                    let name = format!("{domain}-{name}").to_lowercase();
                    self.by_id.entry(name).or_insert(place);
                }
            }
            Some(Started::Executable(path) | Started::Script(path)) => {
                file = Some(file_name(path)).filter(|name| !is_usual(name));
                if Path::new(path).is_absolute() {
                    let path = PathBuf::from(path);
                    let known = *self.by_path.entry(path.clone()).or_insert(place);
                    if all.get(known).is_some_and(|known| is_plainer(entry, known)) {
                        self.by_path.insert(path, place);
                    }
                }
            }
            None => {}
        }
        for (map, key) in [
            (&mut self.by_flatpak, flatpak),
            (&mut self.by_snap, snap),
            (&mut self.by_file, file),
            (&mut self.by_module, module),
        ] {
            let Some(key) = key else {
                continue;
            };
            let known = map.entry(key.to_owned()).or_insert(place);
            if all
                .get(*known)
                .is_some_and(|known| is_plainer(entry, known))
            {
                *known = place;
            }
        }
    }
}

/// Whether, of two entries that start the same, this one is the program itself and the
/// other one a part of it: `libreoffice` beside `libreoffice --calc`.
fn is_plainer(entry: &Entry, known: &Entry) -> bool {
    let key = |entry: &Entry| (!entry.is_shown, entry.command.len());
    key(entry) < key(known)
}
