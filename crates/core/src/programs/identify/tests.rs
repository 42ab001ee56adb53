use flowner_attribution::{ExeFile, User};
use flowner_icons::Locale;

use super::*;
use crate::model::program::Program;
use crate::programs::facts::FakeProcesses;

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
    let unit = unit.split_once(' ').map(|(kind, name)| {
        let kind = match kind {
            "flatpak" => UnitKind::Flatpak,
            "snap" => UnitKind::Snap,
            "container" => UnitKind::Container,
            _ => UnitKind::Service,
        };
        Unit::new(kind, name)
    });
    {
        let mut process = Process::new(7, file_name(words[0]));
        process.path = words[0].contains(['/', '\\']).then(|| words[0].into());
        process.user = Some(User::new(0, None));
        process.arguments = Some(words.iter().map(Into::into).collect());
        process.unit = unit;
        process
    }
}

#[track_caller]
fn check(command: &str, unit: &str, id: &str, name: &str) {
    let facts = FakeProcesses::working_in("/home/ada/editor");
    let found = Identity::of(&process(command, unit), &catalog(), &facts);
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
    // From the terminal of a Snap without confinement.
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
    // A terminal runs any command that a person types.
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
    check(
        "/usr/sbin/nginx",
        container,
        "container:abc exe:/usr/sbin/nginx",
        "nginx (abc)",
    );
    check(
        "/usr/lib/firefox/firefox",
        container,
        "container:abc exe:/usr/lib/firefox/firefox",
        "firefox (abc)",
    );
    check(
        "/usr/bin/node /app/a.js",
        container,
        "container:abc script:/app/a.js",
        "a.js (abc)",
    );
    let id = "0123456789ab".repeat(6)[..64].to_owned();
    check(
        "/app/server",
        &format!("container {id}"),
        &format!("container:{id} exe:/app/server"),
        "server (0123456789ab)",
    );
}

#[test]
fn without_a_path_there_is_the_name() {
    check("kthread", "", "name:kthread", "kthread");
    check("/memfd:x", "", "name:memfd:x", "memfd:x");
    // A process with that name is not that program.
    check("firefox", "", "name:firefox", "firefox");
}

fn at(command: &str, state: ExeState, file: (u64, u64, u32)) -> Process {
    let (device, inode, owner) = file;
    {
        let mut made = process(command, "");
        made.exe_state = state;
        made.exe_file = Some(ExeFile::new(device, inode, owner, 0o100_755));
        made
    }
}

#[track_caller]
fn check_of(process: &Process, id: &str, name: &str) {
    let facts = FakeProcesses::working_in("/home/ada/editor");
    let found = Identity::of(process, &catalog(), &facts);
    assert_eq!((&*found.id, &*found.name), (id, name), "{process:?}");
    let program = found.into_program(process);
    let request = program.icon_request();
    let is_here = process.exe_state.is_at_path() && program.claim.is_none();
    assert_eq!(request.executable.is_some(), is_here, "{request:?}");
    assert!(is_here || request.is_unknown_here);
}

#[test]
fn a_program_is_its_file_and_not_its_path() {
    let firefox = "/usr/lib/firefox/firefox";
    for state in [ExeState::Here, ExeState::Replaced, ExeState::Deleted] {
        check_of(&at(firefox, state, (1, 2, 0)), "app:firefox", "Firefox");
        check_of(
            &at("/usr/bin/curl", state, (1, 2, 0)),
            "exe:/usr/bin/curl",
            "curl",
        );
    }
    check_of(
        &at(firefox, ExeState::Elsewhere, (1, 2, 0)),
        "elsewhere:1:2 /usr/lib/firefox/firefox",
        "firefox (elsewhere)",
    );
    check_of(
        &at("/usr/bin/curl", ExeState::Unverified, (7, 9, 0)),
        "unverified:7:9 /usr/bin/curl",
        "curl (unverified)",
    );
    // Nor does a script belong to a program here if its interpreter is elsewhere.
    check_of(
        &at(
            "/usr/bin/python3.11 /usr/bin/terminator",
            ExeState::Elsewhere,
            (1, 3, 0),
        ),
        "elsewhere:1:3 /usr/bin/python3.11",
        "python3 (elsewhere)",
    );
    for inode in [3, 4] {
        let id = format!("memory:1:{inode} /memfd:x");
        check_of(
            &at("/memfd:x", ExeState::Memory, (1, inode, 0)),
            &id,
            "memfd:x (memory)",
        );
    }
}

#[test]
fn a_users_file_with_the_name_of_a_program_is_not_that_program() {
    let found = |path, owner| at(path, ExeState::Here, (1, 2, owner));
    check_of(
        &found("/home/mallory/firefox", 1001),
        "exe:/home/mallory/firefox",
        "firefox",
    );
    check_of(&found("/opt/firefox/firefox", 0), "app:firefox", "Firefox");
    let writable = {
        let mut process = found("/tmp/firefox", 0);
        process.exe_file = Some(ExeFile::new(1, 2, 0, 0o100_777));
        process
    };
    check_of(&writable, "exe:/tmp/firefox", "firefox");
}

/// Every user can make a scope with any name.
#[test]
fn a_scope_names_no_file_of_a_user() {
    let scope = Some(Unit::new(
        UnitKind::Service,
        "app-gnome-org.x.Mail-123.scope",
    ));
    let of = |command, owner| {
        let mut process = at(command, ExeState::Here, (1, 2, owner));
        process.unit = scope.clone();
        process
    };
    check_of(&of("/usr/lib/mail/backend", 0), "app:org.x.Mail", "Mail");
    check_of(
        &of("/home/m/lib/evil", 1001),
        "exe:/home/m/lib/evil",
        "evil",
    );
    check_of(
        &of("/usr/bin/python3 -c pass", 0),
        "exe:/usr/bin/python3",
        "python3",
    );
}

#[test]
fn arguments_are_claims() {
    let of = |command: &str, user: u32| {
        let mut process = at(command, ExeState::Here, (1, 2, 0));
        process.user = Some(User::new(user, None));
        process
    };
    let upgrade = "/usr/bin/python3 /usr/bin/unattended-upgrade";
    check_of(
        &of(upgrade, 0),
        "script:/usr/bin/unattended-upgrade",
        "unattended-upgrade",
    );
    // A user's process only claims to run root's script.
    check_of(
        &of(upgrade, 1001),
        "claimed:1001 script:/usr/bin/unattended-upgrade",
        "unattended-upgrade (claimed)",
    );
    // The unused room for arguments is empty.
    check_of(
        &of(&format!("{upgrade}   "), 0),
        "claimed:0 script:/usr/bin/unattended-upgrade",
        "unattended-upgrade (claimed)",
    );
    check_of(
        &of("/usr/bin/python3 /usr/bin/terminator", 1001),
        "claimed:1001 app:terminator",
        "Terminator (claimed)",
    );
    check_of(
        &of("/usr/bin/python3 -m http.server", 1001),
        "claimed:1001 module:python3 http.server",
        "http.server (claimed)",
    );
    check_of(
        &of("/usr/bin/flatpak run org.x.Player", 1001),
        "claimed:1001 flatpak:org.x.Player",
        "Player (claimed)",
    );
    check_of(
        &of("/usr/bin/python3 -c pass", 1001),
        "exe:/usr/bin/python3",
        "python3",
    );
    // A process with the name of an executed script that has another path length runs something
    // else.
    let renamed = {
        let mut process = of(upgrade, 0);
        process.name = "unattended-upgr".to_owned();
        process
    };
    let found = Identity::of(&renamed, &catalog(), &FakeProcesses::working_in("/"));
    assert_eq!(found.claim, Some(Claim::Process));
    let facts = FakeProcesses::executed("/usr/bin/unattended-upgrade");
    assert_eq!(Identity::of(&renamed, &catalog(), &facts).claim, None);
    // Users' own scripts are theirs.
    let own = FakeProcesses::owned_by(1001);
    let found = |user| Identity::of(&of(upgrade, user), &catalog(), &own).id;
    assert_eq!(found(1001), "script:/usr/bin/unattended-upgrade");
    assert_eq!(
        found(1002),
        "claimed:1002 script:/usr/bin/unattended-upgrade"
    );
    // If nothing is known about the script, nothing is proven.
    let found = Identity::of(&of(upgrade, 0), &catalog(), &());
    assert_eq!(found.claim, Some(Claim::Process));
    let reason = found.grouping.to_string();
    let expected = "runs the script /usr/bin/unattended-upgrade, as claimed by its arguments";
    assert_eq!(reason, expected);
}

/// The current working directory does not show where the script is.
#[test]
fn a_script_in_a_folder_that_the_process_left_is_a_claim() {
    let found = |command: &str, facts: &FakeProcesses| {
        let found = Identity::of(&process(command, ""), &catalog(), facts);
        (found.id, found.name)
    };
    let (stays, moved) = (
        FakeProcesses::working_in("/srv/a"),
        FakeProcesses::moved_to("/srv/b"),
    );
    for (command, id, name) in [
        ("/usr/bin/python3 x.py", "script:/srv/b/x.py", "x.py"),
        ("/usr/bin/perl -w ./x.pl", "script:/srv/b/x.pl", "x.pl"),
        (
            "/usr/bin/bash -eu bin/x.sh",
            "script:/srv/b/bin/x.sh",
            "x.sh",
        ),
        (
            "/usr/bin/node ../index.js",
            "script:/srv/index.js",
            "srv/index.js",
        ),
        (
            "/usr/bin/python3 -m app",
            "module:python3 /srv/b app",
            "b/app",
        ),
        ("/usr/bin/java -jar x.jar", "script:/srv/b/x.jar", "x"),
    ] {
        let expected = (format!("claimed:0 {id}"), format!("{name} (claimed)"));
        assert_eq!(found(command, &moved), expected, "{command}");
        assert_eq!(
            found(command, &stays).0,
            id.replace("/srv/b", "/srv/a"),
            "{command}"
        );
    }
    let terminator = "/usr/bin/python3 /usr/bin/terminator";
    assert_eq!(found(terminator, &moved).0, "app:terminator");
    // The entry is for a command, which may be any file with this name.
    assert_eq!(
        found("/usr/bin/python3 ./terminator", &moved).0,
        "claimed:0 app:terminator"
    );
}

#[test]
fn a_script_that_others_may_have_put_there_is_a_claim() {
    let process = process("/usr/bin/python3 /tmp/x.py", "");
    let found = |facts: &FakeProcesses| Identity::of(&process, &catalog(), facts).id;
    assert_eq!(found(&FakeProcesses::working_in("/")), "script:/tmp/x.py");
    assert_eq!(found(&FakeProcesses::open()), "claimed:0 script:/tmp/x.py");
}

#[test]
fn the_entry_of_one_user_names_no_other_users_program() {
    let text = b"[Desktop Entry]\nType=Application\nName=Fake\nExec=/usr/bin/curl\nIcon=x\n";
    let entry = Entry {
        user: Some(1000),
        ..Entry::parse("curl", text, &Locale::default()).unwrap()
    };
    let catalog = Catalog::new(vec![entry]);
    let found = |user| {
        let user = Some(User::new(user, None));
        let process = {
            let mut process = at("/usr/bin/curl", ExeState::Here, (1, 2, 0));
            process.user = user;
            process
        };
        let identity = Identity::of(&process, &catalog, &());
        (identity.id, identity.name, identity.application_user)
    };
    assert_eq!(
        found(1000),
        ("app:curl@1000".into(), "Fake".into(), Some(1000))
    );
    assert_eq!(found(0), ("exe:/usr/bin/curl".into(), "curl".into(), None));
}

#[test]
fn recorded_programs_have_their_own_kind() {
    let curl = Identity::of(&process("/usr/bin/curl", ""), &catalog(), &()).recorded();
    assert_eq!(
        (&*curl.id, curl.claim),
        ("recorded:exe:/usr/bin/curl", Some(Claim::File))
    );
    assert_eq!(
        curl.grouping.to_string(),
        "executes /usr/bin/curl, as the file claims"
    );
    let program = Program::recorded(&process("/usr/lib/firefox/firefox", ""));
    assert_eq!((&*program.name, &program.application), ("firefox", &None));
    assert!(program.icon_request().is_unknown_here);
}
