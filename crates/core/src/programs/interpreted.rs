//! Programs that others execute: scripts and modules of interpreters, applets of `busybox`,
//! programs of Windows in Wine. Pure.

use std::path::Path;

use flowner_attribution::{Process, Unit, UnitKind, User};
use flowner_icons::{Catalog, Started, runs_others, started};

use super::arguments::{MAX_ARGUMENTS, Named, is_kept, words};
use super::identity::{Identity, Part, app_image, cleaned_or, may_be_part};
use super::versions::{file_name, folder, without_versions};
use super::{ProcessReader, claim};
use crate::model::grouping::Grouping;

/// Usual names of files and modules, which many programs use.
const USUAL: [&str; 14] = [
    "__main__", "app", "bot", "cli", "client", "index", "main", "manage", "run", "server", "start",
    "test", "worker", "wsgi",
];

/// Whether the arguments decide what an executable with this file name is.
pub(super) fn is_identified_by_arguments(file: &str) -> bool {
    runs_others(file) || is_wine(file)
}

/// Whether a process is a shell, whose scripts start programs.
pub(super) fn is_shell(process: &Process) -> bool {
    const SHELLS: [&str; 12] = [
        "ash", "bash", "busybox", "dash", "fish", "ksh", "mksh", "sh", "tcsh", "toybox", "yash",
        "zsh",
    ];
    let path = process.path.as_deref().map(Path::to_string_lossy);
    path.is_some_and(|path| SHELLS.contains(&cleaned_or(file_name(&path)).as_str()))
}

/// The identity of a process that executes another program's file; `None` if it does not.
pub(super) fn identity(
    process: &Process,
    path: &str,
    catalog: &Catalog,
    facts: &dyn ProcessReader,
) -> Option<Identity> {
    let file = file_name(path);
    let claimed_or_proven = |identity: Identity| {
        if claim::is_proven(process) {
            identity
        } else {
            identity.claimed(process)
        }
    };
    if is_wine(file) {
        return of_wine(process).map(claimed_or_proven);
    }
    let words = match applet(process, file) {
        Some((name, _)) if !runs_others(&name) => {
            return Some(claimed_or_proven(Identity::new(
                "module",
                &format!("{file} {name}"),
                &name,
                Grouping::Module(name.clone()),
            )));
        }
        Some((_, words)) => words,
        None if runs_others(file) => words(process, path),
        None => return None,
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Some(of_command(process, path, &words, catalog, facts))
}

fn of_command(
    process: &Process,
    path: &str,
    words: &[&str],
    catalog: &Catalog,
    facts: &dyn ProcessReader,
) -> Identity {
    if let Some((name, title)) = title(process) {
        let identity = Identity::new("name", &name, &name, Grouping::Name(title));
        return identity.claimed(process);
    }
    let (identity, is_proven) = match started(words) {
        Some(Started::Script(script)) if is_kept(script) => {
            let Named { path, is_known } = Named::of(script, process, facts);
            let is_proven = is_known && claim::is_proven_script(process, &path, facts);
            (of_script(path), is_proven)
        }
        Some(Started::Module(module)) => {
            let (identity, is_known) = of_module(path, module, process, facts);
            (identity, is_known && claim::is_proven(process))
        }
        Some(Started::Flatpak(id)) => {
            let unit = Unit::new(UnitKind::Flatpak, id);
            let user = process.user.as_ref().and_then(User::uid);
            match Identity::of_sandbox(&unit, user, catalog) {
                Some(identity) => (identity, claim::is_proven(process)),
                None => (Identity::of_executable(path), true),
            }
        }
        // `env` and the like are gone after they have started another program.
        _ => {
            let identity = Identity {
                part: Some(Part::Interpreter),
                ..Identity::of_executable(path)
            };
            (identity, true)
        }
    };
    if is_proven {
        identity
    } else {
        identity.claimed(process)
    }
}

fn of_script(script: String) -> Identity {
    let id = without_versions(&script);
    let name = script_name(&script);
    let grouping = Grouping::Script(script.clone());
    Identity {
        part: may_be_part(Part::File(script)),
        ..Identity::new("script", &id, &name, grouping)
    }
}

/// The identity of a module, and whether it is known where the interpreter found it.
fn of_module(
    path: &str,
    module: &str,
    process: &Process,
    facts: &dyn ProcessReader,
) -> (Identity, bool) {
    let grouping = Grouping::Module(module.to_owned());
    let interpreter = cleaned_or(file_name(path));
    if interpreter.starts_with("java") {
        // All programs of JetBrains start with the same class.
        if let Some((folder, name)) = owner_of_runtime(path) {
            let id = format!("{folder} {module}");
            return (Identity::new("module", &id, &name, grouping), true);
        }
        let id = format!("{interpreter} {module}");
        let identity = Identity::new("module", &id, class_name(module), grouping);
        return (identity, true);
    }
    // The interpreter searches the start directory before all others.
    if USUAL.contains(&module.split('.').next().unwrap_or_default()) {
        let Named { path, is_known } = Named::of(".", process, facts);
        if Path::new(&path).is_absolute() {
            let name = format!("{}/{module}", file_name(&path));
            let id = format!("{interpreter} {path} {module}");
            return (Identity::new("module", &id, &name, grouping), is_known);
        }
    }
    let id = format!("{interpreter} {module}");
    (Identity::new("module", &id, module, grouping), true)
}

/// The last part of a class's name, unless many have it.
fn class_name(class: &str) -> &str {
    const USUAL: [&str; 9] = [
        "App",
        "Application",
        "Bootstrap",
        "Launcher",
        "Main",
        "Run",
        "Runner",
        "Server",
        "Start",
    ];
    let last = class.rsplit(['.', '/']).next().unwrap_or(class);
    if USUAL.contains(&last) { class } else { last }
}

/// The directory, without versions, and the name of a program with its own Java:
/// `/opt/idea-IU/jbr/bin/java`.
fn owner_of_runtime(path: &str) -> Option<(String, String)> {
    let path = without_versions(path);
    let end = path.find("/jbr/").or_else(|| path.find("/jre/"))?;
    let folder = &path[..end];
    // JetBrains Toolbox has directories for channels and versions in between.
    let mut parts = folder.rsplit('/');
    let name = parts.find(|part| !matches!(*part, "*" | "ch"))?;
    let is_java = ["java", "jdk", "jvm"]
        .iter()
        .any(|java| name.contains(java));
    (!name.is_empty() && !is_java).then(|| (folder.to_owned(), name.to_owned()))
}

/// The name that a process claims, as one word and in full, if it overwrote its arguments:
/// `gunicorn: master [site]`, `npm exec tool`, `next-server (v14.1.0)`.
fn title(process: &Process) -> Option<(String, String)> {
    let arguments = process.arguments.as_deref().unwrap_or_default();
    let mut words = arguments.iter().filter(|argument| !argument.is_empty());
    let (Some(title), None) = (words.next(), words.next()) else {
        return None;
    };
    let title = title.to_string_lossy();
    let (first, _) = title.split_once(' ')?;
    let name = first.trim_matches(|c| matches!(c, '[' | ']' | '(' | ')' | ':'));
    let is_name = !name.is_empty() && !name.contains(['/', '\\']) && !runs_others(name);
    is_name.then(|| (name.to_owned(), title.trim_end().to_owned()))
}

/// The applet of `busybox` or `toybox`, with its command.
fn applet(process: &Process, file: &str) -> Option<(String, Vec<String>)> {
    if !matches!(file, "busybox" | "toybox") {
        return None;
    }
    let arguments = process.arguments.as_deref().unwrap_or_default();
    let arguments = arguments.iter().take(MAX_ARGUMENTS);
    let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    let name_of = |argument: String| file_name(&argument).trim_start_matches('-').to_owned();
    let mut name = name_of(arguments.next()?);
    if name == file {
        name = name_of(arguments.next()?);
    }
    let words = [name.clone()].into_iter().chain(arguments).collect();
    (!name.is_empty()).then_some((name, words))
}

/// Whether an executable is Wine, which runs Windows programs. (Its server does not.)
fn is_wine(file: &str) -> bool {
    matches!(
        file,
        "wine" | "wine64" | "wine-preloader" | "wine64-preloader"
    )
}

/// The Windows program that Wine runs; `None` for programs of Windows itself.
fn of_wine(process: &Process) -> Option<Identity> {
    let arguments = process.arguments.as_deref().unwrap_or_default();
    let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy());
    let program = arguments.find(|argument| {
        let extension = argument.rsplit('.').next().unwrap_or_default();
        extension.eq_ignore_ascii_case("exe")
    })?;
    if program.to_ascii_lowercase().contains("\\windows\\") {
        return None;
    }
    let id = without_versions(&program);
    let name = cleaned_or(file_name(&program));
    let grouping = Grouping::Executable(program.into_owned());
    Some(Identity::new("exe", &id, &name, grouping))
}

/// The name of a script, with its directory if many have that name.
fn script_name(script: &str) -> String {
    if let Some(name) = app_image(script) {
        return name.to_owned();
    }
    let parent = |path| folder(path).filter(|folder| !file_name(folder).is_empty());
    let file = cleaned_or(file_name(script));
    let stem = file.split('.').next().unwrap_or_default();
    let is_usual = USUAL.contains(&stem);
    let is_packed = Path::new(script)
        .extension()
        .is_some_and(|extension| extension == "asar");
    match parent(script) {
        // A whole application for Electron: `/opt/chat/resources/app.asar`.
        Some(folder) if is_usual && is_packed => {
            let within = Some(folder).filter(|folder| file_name(folder) == "resources");
            file_name(within.and_then(parent).unwrap_or(folder)).to_owned()
        }
        Some(folder) if is_usual => format!("{}/{file}", file_name(folder)),
        _ => file,
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {

    use super::super::facts::FakeProcesses;
    use super::*;

    /// `command`: the executable, and the arguments including the first one, each after a `|`.
    #[track_caller]
    fn check(command: &str, id: &str, name: &str) {
        let mut words = command.split('|');
        let path = words.next().unwrap();
        let process = {
            let mut process = Process::new(7, file_name(path));
            process.path = Some(path.into());
            process.arguments = Some(words.map(Into::into).collect());
            process.user = Some(User::new(0, None));
            process
        };
        let facts = FakeProcesses::working_in("/srv/shop");
        let found = Identity::of(&process, &Catalog::default(), &facts);
        assert_eq!((&*found.id, &*found.name), (id, name), "{command}");
    }

    #[test]
    fn scripts_are_called_by_their_names() {
        check(
            "/usr/lib/electron28/electron|electron|/opt/chat/resources/app.asar",
            "script:/opt/chat/resources/app.asar",
            "chat",
        );
        check(
            "/usr/lib/electron28/electron|electron|/usr/lib/notes/app.asar|--type=gpu",
            "script:/usr/lib/notes/app.asar",
            "notes",
        );
        check(
            "/usr/bin/java|java|-jar|/usr/share/java/jenkins-2.426.war",
            "script:/usr/share/java/jenkins.war",
            "jenkins",
        );
        check(
            "/usr/share/dotnet/dotnet|dotnet|Shop.Api.dll",
            "script:/srv/shop/Shop.Api.dll",
            "Shop.Api",
        );
        check(
            "/usr/bin/bash|bash|/tmp/.mount_PaintXaB3dE1/AppRun",
            "script:/tmp/.mount_PaintX/AppRun",
            "PaintX",
        );
        check(
            "/nix/store/0c5xmknlyhgwpzgpjbnpdh2rcvmxqgxy-python3-3.11.6/bin/python3.11|python3.11|\
             /nix/store/9d5xmknlyhgwpzgpjbnpdh2rcvmxqgxz-borg-1.2/bin/.borg-wrapped|serve",
            "script:/nix/store/borg/bin/.borg-wrapped",
            "borg",
        );
        check(
            "/home/ada/.nvm/versions/node/v20.1.0/bin/node|node|--import|tsx|src/index.ts",
            "script:/srv/shop/src/index.ts",
            "src/index.ts",
        );
    }

    #[test]
    fn modules_of_the_folder_are_distinguished() {
        let venv = "/home/ada/.pyenv/versions/3.11.4/bin/python3.11|python";
        check(
            &format!("{venv}|-m|app.main"),
            "module:python3 /srv/shop app.main",
            "shop/app.main",
        );
        check(
            &format!("{venv}|-m|uvicorn|app:app"),
            "module:python3 uvicorn",
            "uvicorn",
        );
    }

    #[test]
    fn java_is_its_class_or_its_product() {
        let class = "|java|-Xmx1g|-cp|x|com.intellij.idea.Main";
        check(
            &format!("/opt/pycharm-2023.3/jbr/bin/java{class}"),
            "module:/opt/pycharm com.intellij.idea.Main",
            "pycharm",
        );
        check(
            &format!(
                "/home/ada/.local/share/JetBrains/Toolbox/apps/IDEA-U/ch-0/233.118.9/jbr/bin/java{class}"
            ),
            "module:/home/ada/.local/share/JetBrains/Toolbox/apps/IDEA-U/ch/* com.intellij.idea.Main",
            "IDEA-U",
        );
        check(
            &format!("/usr/lib/jvm/java-8-openjdk-amd64/jre/bin/java{class}"),
            "module:java com.intellij.idea.Main",
            "com.intellij.idea.Main",
        );
        check(
            "/usr/lib/jvm/java-17/bin/java|java|-cp|x|org.elasticsearch.bootstrap.Elasticsearch",
            "module:java org.elasticsearch.bootstrap.Elasticsearch",
            "Elasticsearch",
        );
    }

    #[test]
    fn titles_identify_their_writers() {
        let python = "/usr/bin/python3.11|";
        check(
            &format!("{python}gunicorn: master [site]||"),
            "claimed:0 name:gunicorn",
            "gunicorn (claimed)",
        );
        check(
            &format!("{python}[celeryd: w@host:MainProcess] -active- (worker)"),
            "claimed:0 name:celeryd",
            "celeryd (claimed)",
        );
        check(
            "/usr/bin/node|npm exec tool||||",
            "claimed:0 name:npm",
            "npm (claimed)",
        );
        check(
            "/usr/bin/node|next-server (v14.1.0)",
            "claimed:0 name:next-server",
            "next-server (claimed)",
        );
        check("/usr/bin/node|/a b/node", "exe:/usr/bin/node", "node");
        check("/usr/bin/node|node x", "exe:/usr/bin/node", "node");
        check("/usr/bin/node|", "exe:/usr/bin/node", "node");
    }

    #[test]
    fn applets_are_identified_by_their_name() {
        let busybox = "/usr/bin/busybox";
        check(&format!("{busybox}|wget|-q"), "module:busybox wget", "wget");
        check(
            &format!("{busybox}|busybox|/bin/httpd|-f"),
            "module:busybox httpd",
            "httpd",
        );
        check(
            &format!("{busybox}|/bin/sh|/etc/start.d/net"),
            "script:/etc/start.d/net",
            "net",
        );
        check(
            &format!("{busybox}|-ash"),
            "exe:/usr/bin/busybox",
            "busybox",
        );
        check(busybox, "exe:/usr/bin/busybox", "busybox");
    }

    #[test]
    fn wine_is_what_it_runs() {
        let wine =
            "/home/ada/.local/share/Steam/steamapps/common/Proton 8.0/dist/bin/wine64-preloader";
        check(
            &format!("{wine}|S:\\common\\Hades\\x64\\Hades.exe|-x"),
            "exe:s:\\common\\hades\\x64\\hades.exe",
            "Hades",
        );
        check("/usr/bin/wine|wine|setup.EXE", "exe:setup.EXE", "setup");
        check(
            "/usr/bin/wine64|C:\\windows\\system32\\services.exe",
            "exe:/usr/bin/wine64",
            "wine64",
        );
    }
}
