//! Finds the entry of a program, by lookups in memory alone.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use super::ProgramQuery;
use super::index::Index;
use super::names::{is_usual, product, served, unwrapped};
use crate::Entry;
use crate::command::{Started, file_name, runs_others, started, web_app};

impl Index {
    pub(super) fn find(&self, subject: &ProgramQuery<'_>) -> Option<&Entry> {
        let by_id = subject.application_id.and_then(|id| self.of_id(id));
        let place = by_id.or_else(|| self.of_executable(subject))?;
        self.entries.get(place).map(Arc::as_ref)
    }

    pub(super) fn application(&self, id: &str) -> Option<&Entry> {
        self.entries.get(self.of_id(id)?).map(Arc::as_ref)
    }

    fn of_id(&self, id: &str) -> Option<usize> {
        let id = id.strip_suffix(".desktop").unwrap_or(id);
        let known = self.by_flatpak.get(id).or_else(|| self.by_snap.get(id));
        known
            .or_else(|| self.by_id.get(&id.to_lowercase()))
            .copied()
    }

    fn of_executable(&self, subject: &ProgramQuery<'_>) -> Option<usize> {
        let path = subject.executable?;
        let file = path.file_name().and_then(OsStr::to_str)?;
        if !runs_others(file) {
            if let Some(place) = self.of_web_app(path, file, subject.arguments) {
                return Some(place);
            }
            let by_path = self.by_path.get(path).copied();
            let by_name = || {
                let mut names = [file].into_iter().chain(unwrapped(file));
                names.find_map(|file| {
                    if is_usual(file) {
                        return None;
                    }
                    let by_file = self.by_file.get(file);
                    by_file.copied().or_else(|| self.of_name(file))
                })
            };
            let by_folder = || *self.by_folder.get(path.parent()?)?;
            let by_product = || self.of_product(path.to_str()?);
            let by_command = || {
                let command = served(path.to_str()?).filter(|name| !is_usual(name))?;
                self.by_file.get(command).copied()
            };
            // A user's own entries name the programs that the user runs, wherever they are.
            let may_be = |place: &usize| {
                let entry = self.entries.get(*place);
                !subject.only_by_path || entry.is_some_and(|entry| entry.user.is_some())
            };
            let by_likeness = || {
                by_name()
                    .or_else(by_folder)
                    .or_else(by_command)
                    .or_else(by_product)
                    .filter(may_be)
            };
            return by_path.or_else(by_likeness);
        }
        // The file that the process executes; its first argument is the name it was called by.
        let (_, rest) = subject.arguments.split_first()?;
        let words = [file]
            .into_iter()
            .chain(rest.iter().filter_map(|word| word.to_str()));
        let words: Vec<&str> = words.collect();
        match started(&words)? {
            Started::Flatpak(id) | Started::Snap(id) | Started::Application(id) => self.of_id(id),
            Started::Script(path) | Started::Executable(path) => {
                let by_path = self.by_path.get(Path::new(path)).copied();
                let file = file_name(path);
                let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
                let by_name = |name: &str| {
                    let by_file = self.by_file.get(name).copied();
                    let by_file = by_file.or_else(|| self.of_name(name));
                    by_file.filter(|_| !is_usual(name))
                };
                by_path
                    .or_else(|| by_name(file))
                    .or_else(|| by_name(stem))
                    .or_else(|| self.of_product(path))
            }
            Started::Module(name) => self.of_module(name),
        }
    }

    /// By the web app that a browser was started for. The browser itself has an entry of its own.
    fn of_web_app(&self, path: &Path, file: &str, arguments: &[OsString]) -> Option<usize> {
        if self.by_web_app.is_empty() {
            return None;
        }
        let id = web_app(arguments.iter().filter_map(|word| word.to_str()))?;
        let place = *self.by_web_app.get(id)?;
        let command = Path::new(self.entries.get(place)?.command.first()?);
        // `/opt/google/chrome/google-chrome` starts `/opt/google/chrome/chrome`.
        let is_same = command.parent() == path.parent()
            || command.file_name().and_then(OsStr::to_str) == Some(file);
        is_same.then_some(place)
    }

    /// By a module of Python or a class of Java.
    fn of_module(&self, name: &str) -> Option<usize> {
        let by_module = self.by_module.get(name).copied();
        // Java gives its windows the name of the class, with dashes for dots.
        let by_class = || {
            let class = name.replace('.', "-").to_lowercase();
            self.by_window_class.get(&class).copied()
        };
        let by_last = || {
            let last = name.rsplit(['.', '/']).next()?.to_lowercase();
            let last = Some(last).filter(|last| !is_usual(last))?;
            let by_file = self.by_file.get(&last).copied();
            by_file.or_else(|| self.of_name(&last))
        };
        by_module.or_else(by_class).or_else(by_last)
    }

    /// By the folder of all that belongs to a program, if that is called as its command:
    /// `/usr/share/editor/main.py` where there is a command `editor`.
    fn of_product(&self, path: &str) -> Option<usize> {
        let name = product(path).filter(|name| !runs_others(name))?;
        self.by_file.get(name).copied()
    }

    /// By a name that no command starts with.
    fn of_name(&self, name: &str) -> Option<usize> {
        let name = name.to_lowercase();
        let by_class = self.by_window_class.get(&name);
        by_class.or_else(|| self.by_id.get(&name)).copied()
    }
}
