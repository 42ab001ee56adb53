//! Finds the icon theme that a user chose, if the desktop writes it into a file.

use std::path::{Path, PathBuf};

use crate::Places;
use crate::entry::bounded;

/// Files below a folder of configuration, with the group and the key in them: of GTK
/// (`GtkSettings`, "Files") and of KDE.
const FILES: [(&str, &str, &str); 3] = [
    ("gtk-4.0/settings.ini", "[Settings]", "gtk-icon-theme-name"),
    ("gtk-3.0/settings.ini", "[Settings]", "gtk-icon-theme-name"),
    ("kdeglobals", "[Icons]", "Theme"),
];

/// The name of a theme, if any settings have one.
pub(super) fn theme(places: &Places) -> Option<String> {
    let mut folders = places.configuration();
    folders.find_map(|folder| {
        let mut files = FILES.iter();
        files.find_map(|(file, group, key)| value(&folder.join(file), group, key))
    })
}

/// The files that may contain it.
pub(super) fn files(places: &Places) -> impl Iterator<Item = PathBuf> {
    let folders = places.configuration();
    folders.flat_map(|folder| FILES.map(|(file, ..)| folder.join(file)))
}

fn value(file: &Path, group: &str, key: &str) -> Option<String> {
    let bytes = bounded(file).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim);
    let lines = lines.skip_while(|line| *line != group).skip(1);
    let mut pairs = lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim_end() == key)?;
    let value = value.trim().trim_matches('"');
    // It must be the name of a directory, and nothing else.
    let is_name = !value.is_empty() && !value.starts_with('.') && !value.contains(['/', '\0']);
    is_name.then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_chosen_theme_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.ini");
        let check = |text: &str, expected: Option<&str>| {
            fs::write(&path, text).unwrap();
            let found = value(&path, "[Settings]", "gtk-icon-theme-name");
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check(
            "[Settings]\ngtk-icon-theme-name = Papirus\n",
            Some("Papirus"),
        );
        check(
            "[Settings]\ngtk-icon-theme-name=\"Papirus\"",
            Some("Papirus"),
        );
        check("[Other]\ngtk-icon-theme-name=Papirus\n", None);
        check("[Settings]\n[Other]\ngtk-icon-theme-name=Papirus\n", None);
        check("[Settings]\ngtk-icon-theme-name=../../etc\n", None);
        check("[Settings]\ngtk-icon-theme-name=\n", None);
        assert_eq!(value(folder.path(), "", ""), None);
    }
}
