//! Finds the picture of a program: all sources, in search order.

use std::ffi::OsStr;
use std::path::Path;

use crate::command::{Started, file_name, runs_others, started};
use crate::{Catalog, Entry, Icon, Locale, Places, ProgramQuery, Themes, system};

/// The maximum number of files to try for one icon.
const MAX_FILES: usize = 8;

/// Finds the pictures of programs on the caller's thread, by their desktop entries. For programs
/// without one, it takes the icon that the system keeps in the executable (Windows and macOS, with
/// the feature `picon`).
///
/// ```no_run
/// use flowner_icons::{Finder, Locale, Places, ProgramQuery};
///
/// let mut finder = Finder::new(Places::of_this_user(), Locale::current());
/// let icon = finder.icon(&ProgramQuery::of_application("org.mozilla.firefox"), 48, 1);
/// println!("{:?}", icon.and_then(|icon| icon.path));
/// ```
#[derive(Debug)]
pub struct Finder {
    places: Places,
    locale: Locale,
    catalog: Catalog,
    /// This is read when the first entry is found: a server never has one.
    themes: Option<Themes>,
}

impl Finder {
    /// Reads the desktop entries of these places.
    pub fn new(places: Places, locale: Locale) -> Self {
        Self {
            catalog: Catalog::read(&places, &locale),
            themes: None,
            places,
            locale,
        }
    }

    /// The desktop entries.
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The picture of a program for drawing with `size` pixels on a screen of this scale; `None` if
    /// it has none that can be read.
    pub fn icon(&mut self, subject: &ProgramQuery<'_>, size: u32, scale: u32) -> Option<Icon> {
        let pixels = size.saturating_mul(scale.max(1));
        let themes = &mut self.themes;
        let of_entry = self.catalog.find(subject).and_then(|entry| {
            let themes = themes.get_or_insert_with(|| Themes::of_this_user(&self.places));
            of_entry(entry, themes, size, scale.max(1))
        });
        of_entry.or_else(|| {
            let executable = subject.executable.filter(|path| !is_launcher(path))?;
            system::icon(executable, pixels)
        })
    }

    /// Reads changed directories again. Returns whether there were any.
    pub fn refresh(&mut self) -> bool {
        let mut has_changed = false;
        if !self.catalog.is_current() {
            self.catalog = Catalog::read(&self.places, &self.locale);
            has_changed = true;
        }
        if self
            .themes
            .as_ref()
            .is_some_and(|themes| !themes.is_current())
        {
            self.themes = None;
            has_changed = true;
        }
        has_changed
    }
}

fn of_entry(entry: &Entry, themes: &Themes, size: u32, scale: u32) -> Option<Icon> {
    // The named icon may not exist, or be of a kind that this cannot read.
    let names = [entry.icon.as_deref(), Some(&entry.id), command(entry)];
    let files = names
        .iter()
        .flatten()
        .flat_map(|name| themes.files(name, size, scale));
    files.take(MAX_FILES).find_map(|path| {
        let icon = Icon::read(&path, size.saturating_mul(scale));
        let icon = icon.inspect_err(|error| tracing::debug!(%error, "no icon"));
        icon.ok()
    })
}

/// The name of the program that an entry starts. Some icons have that name as well.
fn command(entry: &Entry) -> Option<&str> {
    let words: Vec<&str> = entry.command.iter().map(String::as_str).collect();
    match started(&words)? {
        Started::Executable(path) => Some(file_name(path)),
        _ => None,
    }
}

fn is_launcher(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    name.is_some_and(runs_others)
}
