//! All desktop entries, and which of them a program is.

mod find;
mod names;
mod reader;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use self::names::{is_private, is_usual};
use self::reader::Reader;
use crate::command::{Started, file_name, runs_others, started};
use crate::stamp::Stamp;
use crate::{Entry, Locale, Places};

/// A program that is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The id that a sandbox or a desktop gives it, such as `org.mozilla.firefox`.
    pub application_id: Option<&'a str>,
    /// The file that it executes.
    pub executable: Option<&'a Path>,
    /// Its arguments, its own name first.
    pub arguments: &'a [OsString],
    /// The name of the process.
    pub name: &'a str,
}

impl<'a> Subject<'a> {
    /// An application of which only its id is known.
    pub const fn of_application(id: &'a str) -> Self {
        Self {
            application_id: Some(id),
            executable: None,
            arguments: &[],
            name: "",
        }
    }
}

/// All desktop entries of some [`Places`], read once.
#[derive(Debug, Default)]
pub struct Catalog {
    entries: Vec<Entry>,
    /// In lower case: some applications tell theirs so.
    by_id: HashMap<String, usize>,
    by_flatpak: HashMap<String, usize>,
    by_snap: HashMap<String, usize>,
    by_window_class: HashMap<String, usize>,
    /// By the file name of what is started.
    by_file: HashMap<String, usize>,
    /// By the module or class that is started.
    by_module: HashMap<String, usize>,
    /// By the file itself, links followed.
    by_path: HashMap<PathBuf, usize>,
    /// By the folder of that, if it is of one program alone.
    by_folder: HashMap<PathBuf, Option<usize>>,
    /// The folders that were read.
    stamp: Stamp,
}

impl Catalog {
    /// Reads all entries. What cannot be read, or is too large, is left out.
    pub fn read(places: &Places, locale: &Locale) -> Self {
        let mut reader = Reader::new(locale);
        // As they are before: what changes while they are read is read the next time.
        let mut stamp = Stamp::of(places.applications());
        for folder in places.applications() {
            reader.read_folder(&folder, "", 0);
        }
        let within = reader.folders.iter().filter(|folder| !stamp.has(folder));
        stamp.extend(within.cloned().collect::<Vec<_>>());
        let mut catalog = Self::new(reader.entries);
        catalog.stamp = stamp;
        catalog.follow_links(places);
        catalog
    }

    /// With these entries, of which the first of equals counts.
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut catalog = Self::default();
        for (place, entry) in entries.iter().enumerate() {
            catalog.add(place, entry, &entries);
        }
        catalog.entries = entries;
        catalog
    }

    /// Whether the folders of entries are as they were when they were read. Looks at no
    /// file.
    pub fn is_current(&self) -> bool {
        self.stamp.is_current()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none, as on a server.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Finds out what commands start that are links or scripts in another folder than the
    /// program itself.
    fn follow_links(&mut self, places: &Places) {
        let places_of_files = self.by_file.values().chain(self.by_path.values());
        let mut found: Vec<usize> = places_of_files.copied().collect();
        // In the order in which they were read, so that it is the same on every day.
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
        for (command, place) in started {
            let Some(path) = places.program(&command) else {
                continue;
            };
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if runs_others(name) {
                continue;
            }
            if let Some(folder) = path.parent().filter(|folder| is_private(folder)) {
                // Of two programs, none has it.
                let known = self.by_folder.entry(folder.to_owned());
                known
                    .and_modify(|known| *known = None)
                    .or_insert(Some(place));
            }
            self.by_path.entry(path).or_insert(place);
        }
    }

    fn add(&mut self, place: usize, entry: &Entry, all: &[Entry]) {
        let first = |map: &mut HashMap<String, usize>, key: String| {
            map.entry(key).or_insert(place);
        };
        first(&mut self.by_id, entry.id.to_lowercase());
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

// Paths are those of the specifications.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;

    use super::*;

    fn entry(id: &str, exec: &str) -> Entry {
        let text = format!("[Desktop Entry]\nType=Application\nName={id}\nExec={exec}\n");
        Entry::parse(id, text.as_bytes(), &Locale::default()).unwrap()
    }

    /// `program`: executable and arguments, or an application id.
    #[track_caller]
    fn check(catalog: &Catalog, program: &str, expected: Option<&str>) {
        let mut words = program.split(' ');
        let first = words.next().unwrap();
        let is_path = first.starts_with('/');
        let arguments: Vec<OsString> = [first].into_iter().chain(words).map(Into::into).collect();
        let found = catalog.find(&Subject {
            application_id: (!is_path).then_some(first),
            executable: is_path.then_some(Path::new(first)),
            arguments: &arguments,
            name: file_name(first),
        });
        assert_eq!(found.map(|entry| entry.id.as_str()), expected, "{program}");
    }

    #[test]
    fn programs_have_entries() {
        let class = Entry {
            window_class: Some("Code".into()),
            ..entry("vscode", "/usr/share/code/bin/start %F")
        };
        let catalog = Catalog::new(vec![
            entry("calc", "libreoffice --calc %U"),
            entry("startcenter", "libreoffice %U"),
            entry("firefox", "firefox %u"),
            entry(
                "org.x.Player",
                "/usr/bin/flatpak run --command=p org.x.Player @@u %U @@",
            ),
            entry(
                "chat_chat",
                "env BAMF_DESKTOP_FILE_HINT=/x /snap/bin/chat %u",
            ),
            entry("terminator", "terminator"),
            entry("tool", "sh -c \"exec firefox\""),
            entry("editor", "python3 /opt/editor/main.py"),
            entry("org.x.Desk", "desk-wrapper %u"),
            entry("org.x.Maps", "gjs /usr/bin/x"),
            entry("org.x.Music", "gapplication launch org.x.Music"),
            entry("jEdit", "jedit %U"),
            class,
        ]);
        check(&catalog, "/usr/bin/libreoffice", Some("startcenter"));
        check(
            &catalog,
            "/usr/lib/firefox/firefox -contentproc",
            Some("firefox"),
        );
        check(
            &catalog,
            "/usr/bin/python3.11 /usr/bin/terminator",
            Some("terminator"),
        );
        check(
            &catalog,
            "/usr/bin/python3.11 /opt/editor/main.py",
            Some("editor"),
        );
        check(
            &catalog,
            "/usr/share/code/code --type=renderer",
            Some("vscode"),
        );
        check(&catalog, "org.x.Player", Some("org.x.Player"));
        check(&catalog, "chat", Some("chat_chat"));
        check(&catalog, "firefox.desktop", Some("firefox"));
        check(
            &catalog,
            "/usr/lib/terminator/terminator-bin",
            Some("terminator"),
        );
        check(&catalog, "/usr/bin/desk", Some("org.x.Desk"));
        check(
            &catalog,
            "/usr/bin/gjs /usr/bin/x-music",
            Some("org.x.Music"),
        );
        check(
            &catalog,
            "/usr/bin/gjs /usr/share/x/org.x.Music",
            Some("org.x.Music"),
        );
        check(&catalog, "/usr/bin/java -cp a org.gjt.jEdit", Some("jEdit"));
        check(
            &catalog,
            "/usr/bin/java -jar /usr/share/jedit/framework.jar",
            Some("jEdit"),
        );
        check(
            &catalog,
            "/usr/lib/x86_64-linux-gnu/desk-wrapper/h",
            Some("org.x.Desk"),
        );
        check(&catalog, "/usr/libexec/terminatorbin", Some("terminator"));
        check(
            &catalog,
            "/usr/bin/python3 /usr/lib/python3/dist-packages/terminator/main.py",
            Some("terminator"),
        );
        for nobody in [
            "/usr/bin/gapplication launch org.y.Z",
            "/usr/bin/java -cp a org.x.Main",
            "/usr/lib/python3/nobody",
            "/usr/bin/maps",
            "/usr/bin/sh -c x",
            "/usr/bin/env",
            "/usr/bin/python3",
            "/usr/bin/python3 -m http.server",
            "/usr/bin/flatpak update",
            "/usr/sbin/nginx",
            "/usr/bin/python3 /home/ada/main.py",
            "/home/ada/start",
        ] {
            check(&catalog, nobody, None);
        }
    }

    #[test]
    fn what_works_for_a_command_is_of_it() {
        let catalog = Catalog::new(vec![entry("org.x.Term", "term"), entry("main", "main")]);
        let check = |program: &str, expected| check(&catalog, program, expected);
        check("/usr/libexec/term-server", Some("org.x.Term"));
        check("/usr/lib/t/term-search-provider", Some("org.x.Term"));
        check("/usr/bin/term-server", None);
        check("/usr/libexec/terms-server", None);
        check("/usr/libexec/main-server", None);
        check("/usr/libexec/python3-server", None);
    }

    #[test]
    fn links_lead_to_programs() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let link = |from: &str, to: &str| {
            fs::create_dir_all(root.join("bin")).unwrap();
            std::os::unix::fs::symlink(root.join(to), root.join(from)).unwrap();
        };
        for (id, exec) in [
            ("browser", "browser-stable %U"),
            ("office", "office"),
            ("sheets", "office --sheets"),
            ("two", "two"),
            ("three", "three"),
            ("viewer", "viewer"),
            ("script", "script"),
        ] {
            let text = format!("[Desktop Entry]\nType=Application\nName=n\nExec={exec}\n");
            write(&format!("applications/{id}.desktop"), &text);
        }
        for path in [
            "opt/b/start",
            "lib/o/s",
            "lib/many/2",
            "lib/many/3",
            "bin/v.2",
            "bin/python3",
        ] {
            write(path, "");
        }
        link("bin/browser-stable", "opt/b/start");
        link("bin/office", "lib/o/s");
        link("bin/two", "lib/many/2");
        link("bin/three", "lib/many/3");
        link("bin/viewer", "bin/v.2");
        link("bin/script", "bin/python3");
        let places = Places::new([root.clone()]).with_programs([root.join("bin")]);
        let catalog = Catalog::read(&places, &Locale::default());
        let check = |path: &str, expected| {
            check(&catalog, root.join(path).to_str().unwrap(), expected);
        };
        check("opt/b/main", Some("browser"));
        check("opt/b/crash-handler", Some("browser"));
        check("lib/o/office.main", Some("office"));
        check("lib/many/2", Some("two"));
        check("lib/many/other", None);
        check("bin/v.2", Some("viewer"));
        check("bin/other", None);
        check("bin/python3", None);
        check("opt/other", None);
    }

    #[test]
    fn the_first_directory_wins_also_to_hide() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("[Desktop Entry]\nType=Application\n{text}")).unwrap();
        };
        write("a/applications/x.desktop", "Name=Mine\nExec=x\n");
        write("b/applications/x.desktop", "Name=Theirs\nExec=x\n");
        write("a/applications/y.desktop", "Name=Y\nHidden=true\n");
        write("b/applications/y.desktop", "Name=Y\nExec=y\n");
        write("b/applications/kde/z.desktop", "Name=Z\nExec=z\n");
        let large = format!("Name=L\nExec=l\n#{}", "x".repeat(10 << 20));
        write("b/applications/l.desktop", &large);
        let loops = folder.path().join("b/applications/loop");
        std::os::unix::fs::symlink(folder.path().join("b/applications"), loops).unwrap();
        let places = Places::new(["a", "b"].map(|name| folder.path().join(name)));
        let catalog = Catalog::read(&places, &Locale::default());
        check(&catalog, "/bin/x", Some("x"));
        assert_eq!(catalog.entries[0].name, "Mine");
        check(&catalog, "/bin/y", None);
        check(&catalog, "/bin/z", Some("kde-z"));
        check(&catalog, "/bin/l", None);
    }
}
