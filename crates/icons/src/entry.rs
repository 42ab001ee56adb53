//! Desktop entries: from bytes to the name of a program. Pure, except for [`bounded`].
//!
//! This follows the Desktop Entry Specification 1.5. It uses no other crate: the existing ones need
//! gettext, or read files of any size.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::command;
use crate::locale::Locale;

/// The bytes of the largest entry to read. Entries with all translations and actions have some ten
/// thousand.
pub const MAX_ENTRY: usize = 256 * 1024;

/// A desktop entry of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name of its file below `applications`, without `.desktop` and with `-` in place of `/`.
    pub id: String,
    /// The name in menus, in the requested language.
    pub name: String,
    /// The name of an icon in a theme, or an absolute path.
    pub icon: Option<String>,
    /// The words of the command, without the codes that stand for files.
    pub command: Vec<String>,
    /// The class of its windows (`StartupWMClass`).
    pub window_class: Option<String>,
    /// The id of the Flatpak to which it belongs.
    pub flatpak: Option<String>,
    /// The name of the Snap to which it belongs.
    pub snap: Option<String>,
    /// The id of the web app that it opens in a browser (`--app-id=` of Chromium and its
    /// derivatives). The entry does not describe the browser.
    pub web_app: Option<String>,
    /// The id of the user whose processes it describes; `None` if those of all users. It comes from
    /// the file's directory, not from the file.
    pub user: Option<u32>,
    /// Whether menus show it.
    pub is_shown: bool,
    /// Whether it is a terminal emulator: the programs that users start in it are not the emulator.
    pub is_terminal: bool,
}

/// The keys of the first group that this needs.
#[derive(Default)]
struct Keys<'a> {
    kind: Option<&'a str>,
    name: Option<(usize, &'a str)>,
    icon: Option<&'a str>,
    exec: Option<&'a str>,
    window_class: Option<&'a str>,
    flatpak: Option<&'a str>,
    snap: Option<&'a str>,
    categories: Option<&'a str>,
    no_display: bool,
    hidden: bool,
}

impl Entry {
    /// Reads an entry. `None` if it is not of an application, has no name, counts as deleted
    /// (`Hidden`), or is larger than [`MAX_ENTRY`].
    pub fn parse(id: &str, bytes: &[u8], locale: &Locale) -> Option<Self> {
        if bytes.len() > MAX_ENTRY {
            return None;
        }
        let text = String::from_utf8_lossy(bytes);
        let keys = keys(&text, locale);
        if keys.kind != Some("Application") || keys.hidden {
            return None;
        }
        let owned = |value: Option<&str>| {
            let value = unescaped(value?).into_owned();
            (!value.is_empty()).then_some(value)
        };
        let exec = keys.exec.map(|exec| command::words(&unescaped(exec)));
        let command = exec.unwrap_or_default();
        let web_app = command::web_app(command.iter().map(String::as_str));
        Some(Self {
            id: id.to_owned(),
            name: owned(keys.name.map(|(_, name)| name))?,
            icon: owned(keys.icon),
            web_app: web_app.map(str::to_owned),
            user: None,
            command,
            window_class: owned(keys.window_class),
            flatpak: owned(keys.flatpak),
            snap: owned(keys.snap),
            is_shown: !keys.no_display,
            is_terminal: keys
                .categories
                .is_some_and(|all| all.split(';').any(|one| one == "TerminalEmulator")),
        })
    }
}

/// The bytes of a file, at most one more than allowed. Refuses a pipe or a device, which may never
/// end.
pub(crate) fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_ENTRY)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn keys<'a>(text: &'a str, locale: &Locale) -> Keys<'a> {
    let mut keys = Keys::default();
    let lines = text.lines().map(str::trim);
    let lines = lines.skip_while(|line| *line != "[Desktop Entry]").skip(1);
    // Groups after the first are of actions, with names and commands of their own.
    for line in lines.take_while(|line| !line.starts_with('[')) {
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let (key, value) = (key.trim_end(), value.trim_start());
        match key {
            "Type" => keys.kind = Some(value),
            "Icon" => keys.icon = Some(value),
            "Exec" => keys.exec = Some(value),
            "StartupWMClass" => keys.window_class = Some(value),
            "X-Flatpak" => keys.flatpak = Some(value),
            "X-SnapInstanceName" => keys.snap = Some(value),
            "Categories" => keys.categories = Some(value),
            "NoDisplay" => keys.no_display = value == "true",
            "Hidden" => keys.hidden = value == "true",
            _ => keys.take_name(key, value, locale),
        }
    }
    keys
}

impl<'a> Keys<'a> {
    fn take_name(&mut self, key: &str, value: &'a str, locale: &Locale) {
        let rank = match key.strip_prefix("Name") {
            Some("") => Some(usize::MAX),
            Some(tag) => {
                let tag = tag.strip_prefix('[').and_then(|tag| tag.strip_suffix(']'));
                tag.and_then(|tag| locale.rank(tag))
            }
            None => None,
        };
        let Some(rank) = rank else {
            return;
        };
        if self.name.is_none_or(|(best, _)| rank < best) {
            self.name = Some((rank, value));
        }
    }
}

/// Replaces `\s`, `\n`, `\t`, `\r` and `\\` with the characters for which they stand.
fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return value.into();
    }
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('s') => text.push(' '),
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('\\') | None => text.push('\\'),
            // The code that removes quotes handles this.
            Some(other) => text.extend(['\\', other]),
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EDITOR: &str = "# comment\n\
        [Desktop Entry]\n\
        Type=Application\n\
        Name=Text Editor\n\
        Name[de]=Texteditor\n\
        Name[de_CH]=Textbearbeiter\n\
        Exec=gedit --new %U\n\
        Icon = org.gnome.gedit\n\
        StartupWMClass=gedit\n\
        [Desktop Action new]\n\
        Name=New Window\n\
        Icon=other\n\
        Exec=other\n";

    fn parse(text: &str, locale: &str) -> Option<Entry> {
        Entry::parse("a", text.as_bytes(), &Locale::new(locale))
    }

    #[test]
    fn actions_are_not_the_entry() {
        let entry = parse(EDITOR, "C").unwrap();
        assert_eq!(entry.name, "Text Editor");
        assert_eq!(entry.icon.as_deref(), Some("org.gnome.gedit"));
        assert_eq!(entry.command, ["gedit", "--new"]);
        assert_eq!(entry.window_class.as_deref(), Some("gedit"));
        assert!(entry.is_shown && !entry.is_terminal);
        let terminal = EDITOR.replace("Icon =", "Categories=System;TerminalEmulator;\nIcon=");
        assert!(parse(&terminal, "C").unwrap().is_terminal);
    }

    #[test]
    fn names_are_translated() {
        for (locale, expected) in [
            ("de_DE.UTF-8", "Texteditor"),
            ("de_CH.UTF-8", "Textbearbeiter"),
            ("fr", "Text Editor"),
        ] {
            assert_eq!(parse(EDITOR, locale).unwrap().name, expected);
        }
    }

    #[test]
    fn what_is_no_application_is_refused() {
        let refused = |text: &str| assert_eq!(parse(text, "C"), None, "{text}");
        refused("");
        refused("[Desktop Entry]\nType=Link\nName=a\n");
        refused("[Desktop Entry]\nType=Application\nName=a\nHidden=true\n");
        refused("[Desktop Entry]\nType=Application\nName=\n");
        refused("[Desktop Entry]\nName=a\n");
        refused("Type=Application\nName=a\n");
    }

    #[test]
    fn a_large_entry_is_refused() {
        let mut text = EDITOR.to_owned();
        text.push_str(&"#".repeat(MAX_ENTRY));
        assert_eq!(parse(&text, "C"), None);
    }

    #[test]
    fn escapes_are_resolved() {
        let check = |value, expected| assert_eq!(unescaped(value), expected);
        check("a\\sb\\\\c\\", "a b\\c\\");
        check("\\\"\\t", "\\\"\t");
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_entry_or_not(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            Entry::parse("a", &bytes, &Locale::new("de"));
        }

        #[test]
        fn any_lines_are_an_entry_or_not(lines in prop::collection::vec(
            "(Name|Name\\[de\\]|Exec|Icon|Type|Hidden|\\[x\\])=?[ -~\\\\]{0,20}", 0..12,
        )) {
            let text = format!("[Desktop Entry]\nType=Application\nName=a\n{}", lines.join("\n"));
            Entry::parse("a", text.as_bytes(), &Locale::new("de"));
        }
    }
}
