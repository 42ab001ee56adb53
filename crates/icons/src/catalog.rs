//! All desktop entries, and the search for the entry of a program.

mod find;
mod index;
mod names;
mod reader;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use self::index::{Index, Targets};
use self::reader::{Found, Reader};
use crate::stamp::Stamp;
use crate::{Entry, Locale, Places};

/// A program to search for.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProgramQuery<'a> {
    /// The id that a sandbox or a desktop gives it, such as `org.mozilla.firefox`.
    pub application_id: Option<&'a str>,
    /// The file that it executes.
    pub executable: Option<&'a Path>,
    /// Its arguments, its own name first.
    pub arguments: &'a [OsString],
    /// Its name. The search finds no entry by it, because any process can have any name.
    pub name: &'a str,
    /// The id of the user who runs it: entries of this user count, too.
    pub user: Option<u32>,
    /// Whether the search finds the executable only by its whole path among the entries of all
    /// users. Where users other than root may make files, a file can have the name of any command.
    pub only_by_path: bool,
}

impl<'a> ProgramQuery<'a> {
    /// An application of which only its id is known.
    pub const fn of_application(id: &'a str) -> Self {
        Self {
            application_id: Some(id),
            executable: None,
            arguments: &[],
            name: "",
            user: None,
            only_by_path: false,
        }
    }
}

/// All desktop entries of some [`Places`], read once: those of all users, and of single users,
/// which only tell what their processes are.
#[derive(Debug, Default)]
pub struct Catalog {
    everyone: Index,
    /// For users who have entries of their own: with those of all users, as their menus show.
    users: HashMap<u32, Index>,
    length: usize,
    /// The directories that this has read.
    stamp: Stamp,
}

impl Catalog {
    /// Reads all entries. Leaves out entries that cannot be read, or are too large.
    pub fn read(places: &Places, locale: &Locale) -> Self {
        let mut reader = Reader::new(locale);
        // It takes their state before it reads them: the next time it reads what changed meanwhile.
        let mut stamp = Stamp::of(places.applications());
        for (folder, user) in places.applications_of() {
            reader.read_folder(&folder, user, "", 0);
        }
        let read = reader.folders.iter().map(|(folder, _)| folder);
        let within = read.filter(|folder| !stamp.has(folder));
        stamp.extend(within.cloned().collect::<Vec<_>>());
        let mut catalog = Self::of(&reader.found);
        catalog.stamp = stamp;
        let mut targets = Targets::new(places);
        catalog.everyone.follow_links(&mut targets);
        for index in catalog.users.values_mut() {
            index.follow_links(&mut targets);
        }
        catalog
    }

    /// A catalog of these entries. Of equal ones, the first counts.
    pub fn new(entries: Vec<Entry>) -> Self {
        let found = entries.into_iter().map(|entry| Found {
            id: entry.id.clone(),
            user: entry.user,
            entry: Some(Arc::new(entry)),
        });
        Self::of(&found.collect::<Vec<_>>())
    }

    fn of(found: &[Found]) -> Self {
        let mut users: Vec<u32> = found.iter().filter_map(|found| found.user).collect();
        users.sort_unstable();
        users.dedup();
        let of = |user: Option<u32>| {
            let mut seen = std::collections::HashSet::new();
            // The user's entries hide those of all users, even if they count as deleted.
            let theirs = found.iter().filter(|found| {
                let is_theirs = found.user.is_none() || found.user == user;
                is_theirs && seen.insert(found.id.as_str())
            });
            Index::new(theirs.filter_map(|found| found.entry.clone()).collect())
        };
        Self {
            everyone: of(None),
            users: users
                .into_iter()
                .map(|user| (user, of(Some(user))))
                .collect(),
            length: found.iter().filter(|found| found.entry.is_some()).count(),
            stamp: Stamp::default(),
        }
    }

    /// Whether the directories of entries are unchanged since this read them. Checks no file.
    pub fn is_current(&self) -> bool {
        self.stamp.is_current()
    }

    /// The number of entries.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether there are no entries, as on a server.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The entry of a program: by its application id, by what it executes, or which script;
    /// by the class of its windows. Entries of a user are found for that user's programs alone.
    pub fn find(&self, subject: &ProgramQuery<'_>) -> Option<&Entry> {
        self.index(subject.user).find(subject)
    }

    /// The entry of an application id, for a user: that of a Flatpak, a Snap, or of the entry
    /// itself, such as `org.mozilla.firefox`.
    pub fn application(&self, id: &str, user: Option<u32>) -> Option<&Entry> {
        self.index(user).application(id)
    }

    fn index(&self, user: Option<u32>) -> &Index {
        let own = user.and_then(|user| self.users.get(&user));
        own.unwrap_or(&self.everyone)
    }
}

// Paths are those of the specifications.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;

    use super::*;
    use crate::command::file_name;

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
        let found = catalog.find(&ProgramQuery {
            application_id: (!is_path).then_some(first),
            executable: is_path.then_some(Path::new(first)),
            arguments: &arguments,
            name: file_name(first),
            ..ProgramQuery::default()
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
        assert_eq!(catalog.application("x", None).unwrap().name, "Mine");
        check(&catalog, "/bin/y", None);
        check(&catalog, "/bin/z", Some("kde-z"));
        check(&catalog, "/bin/l", None);
    }

    #[track_caller]
    fn check_of(catalog: &Catalog, user: u32, path: &str, expected: Option<&str>) {
        let found = catalog.find(&ProgramQuery {
            executable: Some(Path::new(path)),
            user: Some(user),
            ..ProgramQuery::default()
        });
        assert_eq!(found.map(|entry| entry.name.as_str()), expected, "{path}");
    }

    #[test]
    fn the_entries_of_a_user_are_about_that_users_programs() {
        let of = |user: Option<u32>, id: &str, exec: &str| {
            let name = user.map_or_else(|| "all".to_owned(), |user| user.to_string());
            Entry {
                name,
                user,
                ..entry(id, exec)
            }
        };
        let catalog = Catalog::new(vec![
            of(Some(1000), "firefox", "firefox"),
            of(Some(1000), "mine", "/usr/bin/curl"),
            of(Some(1001), "other", "other"),
            of(None, "firefox", "firefox"),
            of(None, "vim", "vim"),
        ]);
        assert_eq!(catalog.len(), 5);
        let check = |user, path, expected| check_of(&catalog, user, path, expected);
        check(1000, "/usr/bin/firefox", Some("1000"));
        check(1001, "/usr/bin/firefox", Some("all"));
        check(0, "/usr/bin/firefox", Some("all"));
        check(1000, "/usr/bin/curl", Some("1000"));
        check(0, "/usr/bin/curl", None);
        check(1001, "/usr/bin/other", Some("1001"));
        check(1000, "/usr/bin/other", None);
        check(1000, "/usr/bin/vim", Some("all"));
        let name = |id, user| catalog.application(id, user).map(|it| it.name.as_str());
        assert_eq!(name("mine", Some(1000)), Some("1000"));
        assert_eq!(name("mine", None), None);
        assert_eq!(name("firefox", None), Some("all"));
    }

    #[test]
    fn entries_in_a_home_are_about_programs_of_its_user() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("[Desktop Entry]\nType=Application\n{text}")).unwrap();
        };
        write("all/applications/a.desktop", "Name=All\nExec=a\n");
        write("all/applications/b.desktop", "Name=All\nExec=b\n");
        write(
            "home/.local/share/applications/a.desktop",
            "Name=Mine\nExec=a\n",
        );
        // One that deletes an entry deletes it for one user.
        write(
            "home/.local/share/applications/b.desktop",
            "Name=Mine\nHidden=true\n",
        );
        // The same folder, under another name.
        let link = root.join("home/.nix-profile/share");
        fs::create_dir_all(&link).unwrap();
        std::os::unix::fs::symlink(root.join("all/applications"), link.join("applications"))
            .unwrap();
        let places = Places::new([root.join("all")]).with_home(&root.join("home"));
        let catalog = Catalog::read(&places, &Locale::default());
        let own = crate::owner::owner(&root).unwrap();
        let other = own + 1;
        check_of(&catalog, own, "/usr/bin/a", Some("Mine"));
        check_of(&catalog, own, "/usr/bin/b", None);
        check_of(&catalog, other, "/usr/bin/a", Some("All"));
        check_of(&catalog, other, "/usr/bin/b", Some("All"));
        check(&catalog, "/usr/bin/a", Some("a"));
    }

    #[test]
    fn a_name_that_others_may_give_is_no_program() {
        let own = Entry {
            user: Some(7),
            ..entry("own", "own")
        };
        let catalog = Catalog::new(vec![
            entry("firefox", "firefox"),
            entry("x", "/opt/x/x"),
            own,
        ]);
        let find = |path: &str| {
            let found = catalog.find(&ProgramQuery {
                executable: Some(Path::new(path)),
                user: Some(7),
                only_by_path: true,
                ..ProgramQuery::default()
            });
            found.map(|entry| entry.id.as_str())
        };
        assert_eq!(find("/home/m/firefox"), None);
        assert_eq!(find("/opt/x/x"), Some("x"));
        assert_eq!(find("/home/m/own"), Some("own"));
        // Nor is what only a process is called.
        let named = ProgramQuery {
            name: "firefox",
            ..ProgramQuery::default()
        };
        assert_eq!(catalog.find(&named), None);
    }

    #[test]
    fn a_web_app_leaves_its_browser_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let wrapper = root.join("opt/google/chrome/google-chrome");
        let wrapper = wrapper.to_str().unwrap();
        for (id, exec) in [
            (
                "chrome-aaaa-Default",
                format!("{wrapper} --profile-directory=Default --app-id=aaaa"),
            ),
            ("chrome-bbbb-Default", format!("{wrapper} --app-id=bbbb")),
            ("google-chrome", "google-chrome-stable %U".to_owned()),
            // As newer packages have it, too.
            ("com.google.Chrome", "google-chrome-stable %U".to_owned()),
        ] {
            let text = format!("[Desktop Entry]\nType=Application\nName={id}\nExec={exec}\n");
            write(&format!("applications/{id}.desktop"), &text);
        }
        write("opt/google/chrome/google-chrome", "");
        write("opt/google/chrome/chrome", "");
        fs::create_dir_all(root.join("bin")).unwrap();
        std::os::unix::fs::symlink(wrapper, root.join("bin/google-chrome-stable")).unwrap();
        let places = Places::new([root.clone()]).with_programs([root.join("bin")]);
        let catalog = Catalog::read(&places, &Locale::default());
        let chrome = root.join("opt/google/chrome/chrome");
        let find = |arguments: &str| {
            let program = format!("{} {arguments}", chrome.to_str().unwrap());
            let arguments: Vec<OsString> = program.split(' ').map(Into::into).collect();
            let found = catalog.find(&ProgramQuery {
                executable: Some(&chrome),
                arguments: &arguments,
                ..ProgramQuery::default()
            });
            found.map(|entry| entry.id.as_str())
        };
        assert_eq!(find("--type=renderer"), Some("com.google.Chrome"));
        assert_eq!(find("--app-id=cccc"), Some("com.google.Chrome"));
        assert_eq!(
            find("--profile-directory=Default --app-id=bbbb"),
            Some("chrome-bbbb-Default")
        );
    }
}
