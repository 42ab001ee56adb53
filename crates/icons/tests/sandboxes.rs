//! Trees as Flatpak and Snap make them.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

mod common;

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::Path;

use common::{PICTURE, Tree};
use flowner_icons::{Finder, Locale, Places, ProgramQuery};

const EXPORTS: &str = "var/lib/flatpak/exports/share";
const SNAPS: &str = "var/lib/snapd/desktop";

/// `/var/lib/flatpak` and `/var/lib/snapd` with two applications each.
fn tree() -> Tree {
    let tree = Tree::new();
    for (id, command) in [("org.gimp.GIMP", "gimp"), ("com.visualstudio.code", "code")] {
        let deployed = format!("var/lib/flatpak/app/{id}/current/active/export/share");
        let keys = format!(
            "Exec=/usr/bin/flatpak run --branch=stable --arch=x86_64 --command={command} \
             --file-forwarding {id} @@u %U @@\nIcon={id}\nX-Flatpak={id}"
        );
        tree.entry(&deployed, id, &keys);
        let picture = format!("icons/hicolor/scalable/apps/{id}.svg");
        tree.write(&format!("{deployed}/{picture}"), PICTURE);
        // What is exported are links to what is deployed.
        for file in [format!("applications/{id}.desktop"), picture] {
            let link = tree.path(&format!("{EXPORTS}/{file}"));
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(tree.path(&format!("{deployed}/{file}")), link).unwrap();
        }
    }
    for (id, snap, keys) in [
        (
            "chat-app_chat-app",
            "chat-app",
            "Exec=env BAMF_DESKTOP_FILE_HINT=/x /snap/bin/chat-app %u\n\
             Icon=/snap/chat-app/12/meta/gui/icon.svg\nX-SnapInstanceName=chat-app",
        ),
        (
            "office_writer",
            "office",
            "Exec=/snap/bin/office.writer %U\nIcon=/snap/office/3/meta/gui/icon.svg",
        ),
    ] {
        tree.entry(SNAPS, id, keys);
        let revision = if snap == "office" { 3 } else { 12 };
        tree.write(
            &format!("snap/{snap}/{revision}/meta/gui/icon.svg"),
            PICTURE,
        );
    }
    tree.write(
        "usr/share/icons/hicolor/index.theme",
        "[Icon Theme]\nName=h\nComment=c\nDirectories=scalable/apps\n\
         [scalable/apps]\nSize=128\nMinSize=1\nMaxSize=256\nType=Scalable\n",
    );
    tree
}

/// `program`: an application id, or an executable with arguments.
#[track_caller]
fn check(finder: &mut Finder, tree: &Tree, program: &str, expected: Option<(&str, &str)>) {
    let arguments: Vec<OsString> = program.split(' ').map(Into::into).collect();
    let executable = Path::new(&arguments[0]);
    let is_path = executable.is_absolute();
    let subject = ProgramQuery {
        application_id: (!is_path).then_some(program),
        executable: is_path.then_some(executable),
        arguments: &arguments,
        name: "",
        ..ProgramQuery::default()
    };
    let entry = finder
        .catalog()
        .find(&subject)
        .map(|entry| entry.id.clone());
    let icon = finder.icon(&subject, 48, 1).and_then(|icon| icon.path);
    let expected = expected.map(|(id, icon)| (id.to_owned(), tree.path(icon)));
    assert_eq!(entry.zip(icon), expected, "{program}");
}

#[test]
fn applications_are_found_by_id_and_command() {
    let tree = tree();
    let mut finder = Finder::new(Places::in_root(tree.root()), Locale::default());
    assert_eq!(finder.catalog().len(), 4);
    let gimp = Some((
        "org.gimp.GIMP",
        "var/lib/flatpak/exports/share/icons/hicolor/scalable/apps/org.gimp.GIMP.svg",
    ));
    let code = Some((
        "com.visualstudio.code",
        "var/lib/flatpak/exports/share/icons/hicolor/scalable/apps/com.visualstudio.code.svg",
    ));
    let chat = Some(("chat-app_chat-app", "snap/chat-app/12/meta/gui/icon.svg"));
    let office = Some(("office_writer", "snap/office/3/meta/gui/icon.svg"));
    for (program, expected) in [
        ("org.gimp.GIMP", gimp),
        ("org.gimp.GIMP.desktop", gimp),
        ("com.visualstudio.code", code),
        ("/usr/bin/flatpak run org.gimp.GIMP x.png", gimp),
        ("/usr/bin/bwrap --args 41 gimp", None),
        ("/usr/bin/flatpak update", None),
        ("chat-app", chat),
        ("/usr/bin/snap run chat-app", chat),
        ("office", office),
        ("/usr/bin/snap run office.writer", office),
        ("/usr/bin/snap refresh", None),
        ("org.nobody.Nothing", None),
    ] {
        check(&mut finder, &tree, program, expected);
    }
}

#[test]
fn an_update_of_a_snap_is_noticed() {
    let tree = tree();
    let mut finder = Finder::new(Places::in_root(tree.root()), Locale::default());
    let chat = |icon| Some(("chat-app_chat-app", icon));
    check(
        &mut finder,
        &tree,
        "chat-app",
        chat("snap/chat-app/12/meta/gui/icon.svg"),
    );
    assert!(!finder.refresh());
    let new = "snap/chat-app/13/meta/gui/icon.svg";
    tree.write(new, PICTURE);
    let keys = format!("Exec=/snap/bin/chat-app\nIcon=/{new}\nX-SnapInstanceName=chat-app");
    // Snap writes another file and renames it, which changes the folder.
    let applications = tree.path(&format!("{SNAPS}/applications"));
    tree.entry(SNAPS, "new", &keys);
    let renamed = applications.join("chat-app_chat-app.desktop");
    std::fs::rename(applications.join("new.desktop"), renamed).unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    let folder = std::fs::File::open(applications).unwrap();
    folder.set_modified(later).unwrap();
    assert!(finder.refresh());
    check(&mut finder, &tree, "chat-app", chat(new));
}
