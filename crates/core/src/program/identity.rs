//! What a process is by itself, by the first of these that applies: its sandbox, its
//! desktop entry, the application that the desktop started it as, its bundle or package,
//! the script that it interprets, its executable, its name. Pure.

use std::path::{Path, PathBuf};

use flowner_attribution::{Process, Unit, UnitKind};
use flowner_icons::{Catalog, Entry, Started, Subject, runs_others, started};

use super::installed::{bundle, is_of_snap, package, scope};
use super::interpreted::{self, absolute, is_kept, words};
use super::versions::{cleaned, file_name, without_versions};
use super::{Grouping, Program, product};

/// What the kernel calls executables that are in no folder (`memfd_create(2)`): the rest of
/// it tells nothing that would be the same the next time.
const MEMORY: &str = "/memfd:";

/// What a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) application: Option<String>,
    pub(super) grouping: Grouping,
    /// What it runs, a script or an executable, if it may be a part of what started it.
    pub(super) part: Option<Part>,
}

/// What may be a part of something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A file that may have come with another.
    File(String),
    /// A part of whatever started it.
    Helper,
    /// An interpreter that was told what to run in another way.
    Interpreter,
}

impl Identity {
    /// What a process is. `working_folder`: where its relative paths belong, asked for at
    /// most once.
    pub(super) fn of(
        process: &Process,
        catalog: &Catalog,
        working_folder: &mut dyn FnMut() -> Option<PathBuf>,
    ) -> Self {
        let unit = process.unit.as_ref();
        if unit.is_some_and(|unit| unit.kind == UnitKind::Container) {
            // Its files are not this host's, nor are its programs those of the menus.
            let identity = Self::of_files(process, &Catalog::default(), working_folder);
            return identity.within(unit);
        }
        let path = text_of(process.path.as_deref());
        let sandbox = unit.and_then(|unit| Self::of_sandbox(unit, catalog));
        let is_sure = |identity: &Self| match &identity.grouping {
            Grouping::Snap(name) => is_of_snap(name, path.as_deref()),
            _ => true,
        };
        if let Some(identity) = sandbox.clone().filter(is_sure) {
            return identity;
        }
        let own = catalog.find(&subject(process));
        if let Some(entry) = own {
            return Self::of_entry(entry, Grouping::Entry(entry.id.clone()));
        }
        if let Some(identity) = sandbox {
            return identity;
        }
        let identity = Self::of_files(process, catalog, working_folder);
        let scope = unit.and_then(|unit| scope(unit, catalog));
        match scope {
            Some(entry) if !entry.is_terminal && identity.may_be_of_scope(path.as_deref()) => {
                Self::of_entry(entry, Grouping::Scope(entry.id.clone()))
            }
            _ => identity,
        }
    }

    /// What a Flatpak or Snap is; `None` for other units.
    pub(super) fn of_sandbox(unit: &Unit, catalog: &Catalog) -> Option<Self> {
        let id = &unit.name;
        let (kind, grouping) = match unit.kind {
            UnitKind::Flatpak => ("flatpak", Grouping::Flatpak(id.clone())),
            UnitKind::Snap => ("snap", Grouping::Snap(id.clone())),
            _ => return None,
        };
        let name = catalog.application(id).map(|entry| entry.name.clone());
        let last = || id.rsplit('.').next().unwrap_or(id).to_owned();
        Some(Self {
            id: format!("{kind}:{id}"),
            name: name.unwrap_or_else(last),
            application: Some(id.clone()),
            grouping,
            part: None,
        })
    }

    fn of_entry(entry: &Entry, grouping: Grouping) -> Self {
        let words: Vec<&str> = entry.command.iter().map(String::as_str).collect();
        // An entry that starts a Flatpak or a Snap is that.
        let id = match (&entry.flatpak, &entry.snap, started(&words)) {
            (Some(id), _, _) => format!("flatpak:{id}"),
            (_, Some(name), _) => format!("snap:{name}"),
            (_, _, Some(Started::Flatpak(id))) => format!("flatpak:{id}"),
            (_, _, Some(Started::Snap(name))) => format!("snap:{name}"),
            _ => format!("app:{}", entry.id),
        };
        Self {
            id,
            name: entry.name.clone(),
            application: Some(entry.id.clone()),
            grouping,
            part: None,
        }
    }

    /// By what it executes or interprets.
    fn of_files(
        process: &Process,
        catalog: &Catalog,
        working_folder: &mut dyn FnMut() -> Option<PathBuf>,
    ) -> Self {
        let path = text_of(process.path.as_deref());
        let Some(path) = path.filter(|path| !path.starts_with(MEMORY)) else {
            let name = cleaned_or(&process.name);
            return Self::new("name", &name, &name, Grouping::Name(process.name.clone()));
        };
        if let Some(bundle) = bundle(&path) {
            let name = file_name(bundle).trim_end_matches(".app");
            return Self::new("bundle", bundle, name, Grouping::Bundle(bundle.to_owned()));
        }
        if let Some(package) = package(&path) {
            let name = cleaned_or(file_name(&path));
            let id = package.to_lowercase();
            return Self::new("package", &id, &name, Grouping::Package(package));
        }
        if let Some(identity) = interpreted::identity(process, &path, catalog, working_folder) {
            return identity;
        }
        let part = if product::is_helper(file_name(&path)) {
            Part::Helper
        } else {
            Part::File(path.clone())
        };
        Self {
            part: may_be_part(part),
            ..Self::of_executable(&path)
        }
    }

    pub(super) fn of_executable(path: &str) -> Self {
        let id = without_versions(path);
        let name = app_image(path).map_or_else(|| cleaned_or(file_name(path)), str::to_owned);
        Self::new("exe", &id, &name, Grouping::Executable(path.to_owned()))
    }

    pub(super) fn new(kind: &str, id: &str, name: &str, grouping: Grouping) -> Self {
        Self {
            id: format!("{kind}:{id}"),
            name: name.to_owned(),
            application: None,
            grouping,
            part: None,
        }
    }

    /// Whether it may be a part of the application in whose control group it is: what lies
    /// where commands do, such as `curl`, is a program of its own.
    fn may_be_of_scope(&self, path: Option<&str>) -> bool {
        match (&self.grouping, &self.part) {
            (_, Some(Part::Helper | Part::Interpreter)) => true,
            (Grouping::Script(script), _) => product::may_be_part(script),
            (Grouping::Executable(_), _) => path.is_some_and(product::may_be_part),
            _ => false,
        }
    }

    /// In a container: what is not of its distribution is told from that of others.
    fn within(mut self, unit: Option<&Unit>) -> Self {
        let is_usual = match &self.grouping {
            Grouping::Executable(path) => ["/usr/", "/bin/", "/sbin/"]
                .iter()
                .any(|root| path.starts_with(root)),
            _ => false,
        };
        if let Some(unit) = unit.filter(|_| !is_usual) {
            self.id = format!("container:{} {}", unit.name, self.id);
        }
        self
    }

    pub(super) fn into_program(self, process: &Process) -> Program {
        Program {
            id: self.id,
            name: self.name,
            path: process.path.clone(),
            application: self.application,
            grouping: self.grouping,
        }
    }
}

/// A process, as desktop entries are looked through for it.
pub(super) fn subject(process: &Process) -> Subject<'_> {
    Subject {
        application_id: None,
        executable: process.path.as_deref(),
        arguments: process.arguments.as_deref().unwrap_or_default(),
        name: &process.name,
    }
}

/// What a process runs: a file, the script or the module that it interprets. `None` for what
/// only runs others, and for helpers.
pub(super) fn main(
    process: &Process,
    working_folder: &mut dyn FnMut() -> Option<PathBuf>,
) -> Option<String> {
    let path = text_of(process.path.as_deref())?;
    if product::is_helper(file_name(&path)) {
        return None;
    }
    if !runs_others(file_name(&path)) {
        return Some(path);
    }
    let words = words(process, &path);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match started(&words)? {
        Started::Script(script) if is_kept(script) => Some(absolute(script, working_folder)),
        Started::Module(module) => Some(module.to_owned()),
        _ => None,
    }
}

pub(super) fn may_be_part(part: Part) -> Option<Part> {
    match &part {
        Part::File(path) => product::may_be_part(path).then_some(part),
        Part::Helper | Part::Interpreter => Some(part),
    }
}

fn text_of(path: Option<&Path>) -> Option<String> {
    path.map(|path| path.to_string_lossy().into_owned())
        .filter(|path| !path.is_empty())
}

/// The name of an `AppImage`, as far as it is told by where it is mounted, of what it starts
/// with: `Paint` in `/tmp/.mount_PaintaB3dE1/AppRun`.
pub(super) fn app_image(path: &str) -> Option<&str> {
    let folder = path.strip_suffix("/AppRun")?;
    let mount = file_name(folder).strip_prefix(".mount_")?;
    let name = mount.get(..mount.len().checked_sub(6)?)?;
    Some(name).filter(|name| !name.is_empty())
}

/// The name cleaned, unless nothing of it is left.
pub(super) fn cleaned_or(name: &str) -> String {
    let cleaned = cleaned(name);
    if cleaned.is_empty() {
        name.to_owned()
    } else {
        cleaned
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use flowner_icons::Locale;

    use super::*;

    fn catalog() -> Catalog {
        let entry = |id: &str, name: &str, exec: &str| {
            let text = format!(
                "[Desktop Entry]\nType=Application\nName={name}\nExec={exec}\n{}",
                if id == "kitty" {
                    "Categories=TerminalEmulator;\n"
                } else {
                    ""
                }
            );
            Entry::parse(id, text.as_bytes(), &Locale::default()).unwrap()
        };
        Catalog::new(vec![
            entry("firefox", "Firefox", "/usr/lib/firefox/firefox %u"),
            entry("org.x.Mail", "Mail", "org-x-mail"),
            entry("kitty", "Kitty", "kitty"),
            entry("terminator", "Terminator", "terminator"),
            entry("org.x.Player", "Player", "flatpak run org.x.Player"),
            entry("chat_chat", "Chat", "/snap/bin/chat"),
        ])
    }

    /// `command`: executable and arguments; `unit`: kind and name.
    fn process(command: &str, unit: &str) -> Process {
        let words: Vec<&str> = command.split(' ').collect();
        let unit = unit.split_once(' ').map(|(kind, name)| Unit {
            kind: match kind {
                "flatpak" => UnitKind::Flatpak,
                "snap" => UnitKind::Snap,
                "container" => UnitKind::Container,
                _ => UnitKind::Service,
            },
            name: name.to_owned(),
        });
        Process {
            path: words[0].contains(['/', '\\']).then(|| words[0].into()),
            arguments: Some(words.iter().map(Into::into).collect()),
            unit,
            ..Process::new(7, file_name(words[0]))
        }
    }

    #[track_caller]
    fn check(command: &str, unit: &str, id: &str, name: &str) {
        let mut folder = || Some(PathBuf::from("/home/ada/editor"));
        let found = Identity::of(&process(command, unit), &catalog(), &mut folder);
        assert_eq!((&*found.id, &*found.name), (id, name), "{command}");
    }

    #[test]
    fn sandboxes_come_first() {
        let player = "flatpak:org.x.Player";
        check("/app/bin/p", "flatpak org.x.Player", player, "Player");
        check("/usr/bin/flatpak run org.x.Player", "", player, "Player");
        check(
            "/app/bin/p",
            "flatpak org.y.Unknown",
            "flatpak:org.y.Unknown",
            "Unknown",
        );
        check("/snap/chat/12/bin/c", "snap chat", "snap:chat", "Chat");
        check("/usr/bin/python3 x", "snap chat", "snap:chat", "Chat");
        // From the terminal of one without confinement.
        check(
            "/usr/lib/firefox/firefox",
            "snap chat",
            "app:firefox",
            "Firefox",
        );
    }

    #[test]
    fn desktop_entries_name_programs() {
        check("/usr/lib/firefox/firefox -c", "", "app:firefox", "Firefox");
        check(
            "/usr/bin/python3.11 /usr/bin/terminator",
            "",
            "app:terminator",
            "Terminator",
        );
    }

    #[test]
    fn scopes_name_parts_but_not_commands() {
        let scope = "service app-gnome-org.x.Mail-123.scope";
        let mail = |command| check(command, scope, "app:org.x.Mail", "Mail");
        mail("/usr/lib/mail/backend");
        mail("/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/WebKitNetworkProcess");
        mail("/usr/bin/python3 /usr/share/mail/main.py");
        mail("/usr/bin/python3 -c pass");
        check("/usr/bin/curl x", scope, "exe:/usr/bin/curl", "curl");
        check("/usr/lib/firefox/firefox", scope, "app:firefox", "Firefox");
        // In a terminal runs whatever a person types.
        let terminal = "service app-kitty-123.scope";
        check("/usr/lib/b/b", terminal, "exe:/usr/lib/b/b", "b");
        check("/usr/bin/kitty", terminal, "app:kitty", "Kitty");
        check(
            "/usr/lib/b/b",
            "service app-x@1.service",
            "exe:/usr/lib/b/b",
            "b",
        );
    }

    #[test]
    fn interpreters_are_what_they_run() {
        check(
            "/usr/bin/python3 /opt/e-1.2/x.py",
            "",
            "script:/opt/e/x.py",
            "x.py",
        );
        check(
            "/usr/bin/node ../app/./index.js",
            "",
            "script:/home/ada/app/index.js",
            "app/index.js",
        );
        check(
            "/usr/bin/python3.11 -m http.server",
            "",
            "module:python3 http.server",
            "http.server",
        );
        check(
            "/usr/lib/jvm/java-17/bin/java -jar /opt/j/jedit.jar",
            "",
            "script:/opt/j/jedit.jar",
            "jedit",
        );
        check("/usr/bin/dash -c x", "", "exe:/usr/bin/dash", "dash");
        check("/usr/bin/bash /dev/fd/3", "", "exe:/usr/bin/bash", "bash");
        check("/usr/bin/python3.11", "", "exe:/usr/bin/python3", "python3");
    }

    #[test]
    fn other_systems_have_bundles_and_packages() {
        let chrome = "/Applications/Chrome.app";
        check(
            "/Applications/Chrome.app/Contents/Frameworks/H.app/Contents/MacOS/H",
            "",
            &format!("bundle:{chrome}"),
            "Chrome",
        );
        check(
            "C:\\Apps\\WindowsApps\\MSTeams_23272.2707.2453.769_x64__8wekyb3d8bbwe\\ms-teams.exe",
            "",
            "package:msteams_8wekyb3d8bbwe",
            "ms-teams",
        );
        check(
            "C:\\Users\\Ada\\AppData\\Local\\Discord\\app-1.0.9\\Discord.exe",
            "",
            "exe:c:\\users\\ada\\appdata\\local\\discord\\app\\discord.exe",
            "Discord",
        );
    }

    #[test]
    fn containers_have_programs_of_their_own() {
        let container = "container abc";
        check("/usr/sbin/nginx", container, "exe:/usr/sbin/nginx", "nginx");
        check(
            "/usr/lib/firefox/firefox",
            container,
            "exe:/usr/lib/firefox/firefox",
            "firefox",
        );
        check(
            "/app/server",
            container,
            "container:abc exe:/app/server",
            "server",
        );
        check(
            "/usr/bin/node /app/a.js",
            container,
            "container:abc script:/app/a.js",
            "a.js",
        );
    }

    #[test]
    fn without_a_path_there_is_the_name() {
        check("kthread", "", "name:kthread", "kthread");
        check("/memfd:x", "", "name:memfd:x", "memfd:x");
        check("firefox", "", "app:firefox", "Firefox");
    }
}
