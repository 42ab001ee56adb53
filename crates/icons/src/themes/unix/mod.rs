//! Finds the files of an icon by its name, through themes.
//!
//! The crate `icon` finds themes, and knows which of their directories fit. `index` reads their
//! descriptions. This module follows inheritance, because the crate does not stop if themes inherit
//! each other.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use icon::{DirectoryIndex, DirectoryType, IconLocations, IconSearch, ThemeInfo};

use crate::Places;
use crate::picture::{EXTENSIONS, is_picture};
use crate::stamp::Stamp;

mod index;
mod settings;

/// The theme that all programs install to.
const BASE: &str = "hicolor";
/// Themes that desktops bring, for icons that programs take for granted. Which of them a
/// desktop uses is not always written down where it could be read.
const USUAL: [&str; 4] = ["Adwaita", "breeze", "gnome", "Tango"];
/// The maximum number of themes to search for one icon.
const MAX_THEMES: usize = 32;
/// Bytes of the largest description of a theme. That of one with many sizes has a
/// hundred thousand.
const MAX_INDEX: u64 = 4 * 1024 * 1024;

/// The icon themes of some [`Places`], read once.
#[derive(Debug)]
pub struct Themes {
    /// The themes to search, in this order.
    chain: Vec<ThemeInfo>,
    /// The icons that belong to no theme.
    loose: HashMap<String, PathBuf>,
    stamp: Stamp,
    places: Places,
}

impl Themes {
    /// Reads the theme that all programs install to, and what it inherits. What cannot be
    /// read is left out.
    pub fn read(places: &Places) -> Self {
        Self::with_theme(BASE, places)
    }

    /// As [`read`](Self::read), with the theme that this user chose, where that is written
    /// down: in the settings of GTK or KDE.
    pub fn of_this_user(places: &Places) -> Self {
        let theme = settings::theme(places);
        let mut themes = Self::with_theme(theme.as_deref().unwrap_or(BASE), places);
        themes.stamp.extend(settings::files(places));
        themes
    }

    /// As [`read`](Self::read), with a theme that is preferred to it.
    pub fn with_theme(name: &str, places: &Places) -> Self {
        let mut stamp = Stamp::of(places.icons());
        let search = IconSearch::new_from(places.icons()).search();
        let locations = search.icon_locations();
        let loose = loose(locations);
        let chain = chain(name, locations);
        stamp.extend(
            chain
                .iter()
                .flat_map(|theme| theme.base_dirs.iter().cloned()),
        );
        Self {
            chain,
            loose,
            stamp,
            places: places.clone(),
        }
    }

    /// Whether the directories of icons and themes are unchanged since this read them.
    pub fn is_current(&self) -> bool {
        self.stamp.is_current()
    }

    /// The file of an icon of about this size in pixels, for a screen of this scale, as a
    /// desktop entry names it: PNG, SVG or XPM.
    ///
    /// A path is taken if it is absolute and a picture's; a name with a `/` never is one.
    pub fn find(&self, name: &str, size: u32, scale: u32) -> Option<PathBuf> {
        self.files(name, size, scale).next()
    }

    /// All files of an icon, the best one first.
    pub(crate) fn files<'a>(
        &'a self,
        name: &'a str,
        size: u32,
        scale: u32,
    ) -> impl Iterator<Item = PathBuf> + 'a {
        let path = Path::new(name);
        let is_path = path.is_absolute();
        let by_path = (is_path && is_picture(path)).then(|| self.places.on_this_system(path));
        let is_name = !is_path && !name.is_empty() && !name.contains(['/', '\0']);
        // Entries are not to name an extension; some do. In others, what looks like one is a
        // part of the name.
        let stem = path.file_stem().and_then(OsStr::to_str);
        let names = [Some(name), stem.filter(|_| is_picture(path))];
        let names = names.into_iter().flatten().filter(move |_| is_name);
        let by_name = names.flat_map(move |name| {
            let themes = self.chain.iter();
            let in_themes = themes.flat_map(move |theme| files_in(theme, name, size, scale));
            in_themes.chain(self.loose.get(name).cloned())
        });
        let files = by_path.into_iter().chain(by_name);
        files.filter(|file| file.is_file())
    }
}

/// The icons of no theme by name; of two, the one of the preferred folder, and of two
/// there, of the preferred kind.
fn loose(locations: &IconLocations) -> HashMap<String, PathBuf> {
    let mut loose: HashMap<String, PathBuf> = HashMap::new();
    for file in &locations.standalone_icons {
        let path = file.path();
        let name = path.file_stem().and_then(OsStr::to_str);
        let Some(name) = name.filter(|_| is_picture(path)) else {
            continue;
        };
        let known = loose
            .entry(name.to_owned())
            .or_insert_with(|| path.to_owned());
        if path.parent() == known.parent() && rank(path) < rank(known) {
            path.clone_into(known);
        }
    }
    loose
}

/// The place of a file's extension among those that are read.
fn rank(path: &Path) -> Option<usize> {
    let extension = path.extension()?;
    EXTENSIONS.iter().position(|known| *known == extension)
}

/// A theme and all that it inherits, nearest first, each once.
fn chain(name: &str, locations: &IconLocations) -> Vec<ThemeInfo> {
    let mut names = vec![name.to_owned()];
    let mut themes: Vec<ThemeInfo> = Vec::new();
    let mut next = 0;
    while let Some(name) = names.get(next).cloned() {
        next += 1;
        if let Some(theme) = theme(&name, locations) {
            for parent in &theme.index.inherits {
                if names.len() < MAX_THEMES && !names.contains(parent) {
                    names.push(parent.clone());
                }
            }
            themes.push(theme);
        }
        if next == names.len() {
            let mut usual = [BASE].into_iter().chain(USUAL);
            let usual = usual.find(|usual| !names.iter().any(|name| name == usual));
            names.extend(usual.map(str::to_owned));
        }
    }
    themes
}

fn theme(name: &str, locations: &IconLocations) -> Option<ThemeInfo> {
    let folders = locations.themes_directories.get(OsStr::new(name))?;
    let mut indexes = folders.iter().map(|folder| folder.join("index.theme"));
    let (location, file) = indexes.find_map(|index| {
        let file = fs::metadata(&index).ok()?;
        Some((index, file))
    })?;
    // A pipe or a device may have no end.
    if !file.is_file() || file.len() > MAX_INDEX {
        return None;
    }
    let mut bytes = Vec::new();
    let read =
        fs::File::open(&location).and_then(|file| file.take(MAX_INDEX).read_to_end(&mut bytes));
    read.inspect_err(|error| tracing::debug!(%error, name, "icon theme is not read"))
        .ok()?;
    Some(ThemeInfo {
        internal_name: name.into(),
        base_dirs: folders.clone(),
        index_location: location,
        index: index::parse(&bytes),
    })
}

/// Where an icon may be, the nearest in size first (Icon Theme Specification, "Icon
/// Lookup").
fn files_in(theme: &ThemeInfo, name: &str, size: u32, scale: u32) -> impl Iterator<Item = PathBuf> {
    let folders = theme.index.directories.iter();
    let mut folders: Vec<_> = folders.filter(|folder| is_below(folder)).collect();
    folders.sort_by_key(|folder| {
        if folder.matches_size(size, scale) {
            return (0, Reverse(0));
        }
        // Of two with the same distance, the larger one loses less.
        let size_of = folder.size.saturating_mul(folder.scale);
        let distance = distance(folder, size, scale).saturating_add(1);
        (distance, Reverse(size_of))
    });
    folders.into_iter().flat_map(move |folder| {
        theme.base_dirs.iter().flat_map(move |base| {
            let folder = base.join(&folder.directory_name);
            EXTENSIONS.map(|extension| folder.join(format!("{name}.{extension}")))
        })
    })
}

/// Whether a folder of a theme is within it.
fn is_below(folder: &DirectoryIndex) -> bool {
    let mut parts = Path::new(&folder.directory_name).components();
    parts.all(|part| matches!(part, Component::Normal(_)))
}

fn distance(folder: &DirectoryIndex, size: u32, scale: u32) -> u32 {
    let size = size.saturating_mul(scale);
    let (least, most) = match folder.directory_type {
        DirectoryType::Fixed => (folder.size, folder.size),
        DirectoryType::Scalable => (folder.min_size, folder.max_size),
        DirectoryType::Threshold => (
            folder.size.saturating_sub(folder.threshold),
            folder.size.saturating_add(folder.threshold),
        ),
    };
    let [least, most] = [least, most].map(|end| end.saturating_mul(folder.scale));
    if size < least {
        least - size
    } else {
        size.saturating_sub(most)
    }
}

// Paths are those of the specifications.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;

    use super::*;

    fn theme(name: &str, inherits: &str) -> String {
        format!(
            "[Icon Theme]\nName={name}\nComment=c\nInherits={inherits}\n\
             Directories=48x48/apps,scalable/apps\n\
             [48x48/apps]\nSize=48\nType=Fixed\n\
             [scalable/apps]\nSize=64\nMinSize=8\nMaxSize=512\nType=Scalable\n"
        )
    }

    #[test]
    fn icons_are_found_by_size_and_path_but_not_outside() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        write("icons/hicolor/index.theme", &theme("hicolor", "other"));
        // A circle.
        write("icons/other/index.theme", &theme("other", "hicolor,other"));
        let inherited = write("icons/other/48x48/apps/c.png", "");
        let small = write("icons/hicolor/48x48/apps/a.png", "");
        let scalable = write("icons/hicolor/scalable/apps/a.svg", "");
        let old = write("pixmaps/old.xpm", "");
        let loose = write("pixmaps/loose.png", "");
        write("pixmaps/loose.xpm", "");
        write("pixmaps/loose.txt", "");
        let secret = write("secret.txt", "");
        write("secret.png", "");
        let themes = Themes::read(&Places::new([folder.path().to_owned()]));
        let find = |name: &str, size| themes.find(name, size, 1);
        assert_eq!(find("a", 48), Some(small.clone()));
        assert_eq!(find("a.png", 48), Some(small.clone()));
        assert_eq!(find("a", 256), Some(scalable));
        assert_eq!(find("loose", 48), Some(loose.clone()));
        assert_eq!(find("loose.xpm", 48), Some(loose));
        assert_eq!(find("old", 48), Some(old.clone()));
        assert_eq!(find("old.xpm", 48), Some(old));
        assert_eq!(find("c", 48), Some(inherited));
        assert_eq!(themes.find("c", u32::MAX, u32::MAX), find("c", 48));
        assert_eq!(find(small.to_str().unwrap(), 16), Some(small));
        for refused in [
            "",
            "b",
            "../../secret",
            "../../../../secret.png",
            secret.to_str().unwrap(),
            "/nowhere.png",
            "/dev/zero",
            "a\0",
        ] {
            assert_eq!(find(refused, 48), None, "{refused}");
        }
    }

    #[test]
    fn icons_without_any_theme_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pixmaps/x.png");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        let themes = Themes::read(&Places::new([folder.path().to_owned()]));
        assert_eq!(themes.find("x", 48, 1), Some(path));
    }
}
