//! Programs of Debian as they run once they are installed: the entry and the icon of each, against
//! a table, checked against the contents of the packages. The packages are downloaded and unpacked,
//! none is installed.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flowner_icons::{Finder, Icon, Locale, Places, ProgramQuery};

const TABLE: &str = include_str!("data/debian.txt");
/// The release that the table is of.
const RELEASE: &str = "VERSION_CODENAME=bookworm";
const PACKAGES: &str = "adwaita-icon-theme audacious baobab bleachbit claws-mail d-feet \
    deluge-gtk dillo eog epiphany-browser epiphany-browser-data evince evince-common falkon \
    filezilla filezilla-common foot gajim geany geany-common gedit gedit-common \
    gnome-calculator gnome-maps gnome-mines gnome-music gnome-terminal gnome-terminal-data \
    gnome-tweaks gparted gparted-common gscan2pdf hexchat hexchat-common hicolor-icon-theme \
    htop jabref jedit keepass2 kitty konsole liferea liferea-data lollypop lxterminal meld \
    mousepad mumble mutt nautilus nautilus-data netsurf-common netsurf-gtk onboard pcmanfm \
    pidgin pidgin-data putty remmina remmina-common rxvt-unicode sakura synaptic \
    syncthing-gtk tango-icon-theme terminator thunar thunar-data tilix tilix-common \
    transmission-common transmission-gtk transmission-qt vim-gtk3 vim-gui-common \
    virt-manager xarchiver xfce4-terminal xterm";

/// A line of the table.
struct Row {
    command: Vec<OsString>,
    entry: Option<&'static str>,
    icon: Option<&'static str>,
    line: &'static str,
}

fn rows() -> Vec<Row> {
    let lines = TABLE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let row = |line: &'static str| {
        let columns: Vec<&str> = line.split(" | ").collect();
        let [command, entry, icon] = columns[..] else {
            panic!("three columns: {line}");
        };
        let is_told = |value: &&str| *value != "-";
        Row {
            command: command.split(' ').map(Into::into).collect(),
            entry: Some(entry).filter(is_told),
            icon: Some(icon).filter(is_told),
            line,
        }
    };
    lines.map(row).collect()
}

#[test]
fn programs_of_debian_have_their_entries_and_icons() {
    let rows = rows();
    assert!(rows.len() >= 40);
    let root = match unpacked() {
        Ok(root) => root,
        Err(reason) => {
            flowner_testing::skipped!("packages of Debian 12: {reason}");
            return;
        }
    };
    let root = root.path().canonicalize().unwrap();
    let mut finder = Finder::new(Places::in_root(&root), Locale::default());
    let mut wrong = Vec::new();
    for row in &rows {
        let subject = ProgramQuery {
            application_id: None,
            executable: Some(Path::new(&row.command[0])),
            arguments: &row.command,
            name: "",
            ..ProgramQuery::default()
        };
        let entry = finder.catalog().find(&subject);
        let entry = entry.map(|entry| entry.id.clone());
        let icon = finder.icon(&subject, 48, 1);
        let path = icon.as_ref().and_then(|icon| icon.path.as_deref());
        let path = path.map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap());
        if (entry.as_deref(), path) != (row.entry, row.icon) {
            wrong.push(format!("{}\n    found {entry:?}, {path:?}", row.line));
        }
        assert!(icon.is_none_or(|icon| is_seen(&icon)), "{}", row.line);
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    println!("{} programs, none wrong", rows.len());
}

/// Whether anything is drawn.
fn is_seen(icon: &Icon) -> bool {
    let drawn = icon.rendered(48).unwrap();
    match drawn.data {
        flowner_icons::Data::Rgba { pixels, .. } => pixels.chunks(4).any(|pixel| pixel[3] > 0),
        flowner_icons::Data::Svg(_) => false,
    }
}

/// The packages, unpacked over each other.
fn unpacked() -> Result<tempfile::TempDir, String> {
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !system.lines().any(|line| line == RELEASE) {
        return Err("this is another system".to_owned());
    }
    let archives = downloaded()?;
    let root = tempfile::tempdir().map_err(|error| error.to_string())?;
    for archive in archives {
        run(Command::new("dpkg-deb")
            .arg("-x")
            .arg(&archive)
            .arg(root.path()))?;
    }
    // As the package does when it is installed, through `update-alternatives`.
    let link = std::os::unix::fs::symlink("vim.gtk3", root.path().join("usr/bin/gvim"));
    link.map_err(|error| error.to_string())?;
    Ok(root)
}

/// Files of the packages, kept from one run to the next.
fn downloaded() -> Result<Vec<PathBuf>, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian-packages");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let archives = |folder: &Path| -> Vec<PathBuf> {
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        let is_archive = |path: &PathBuf| path.extension().is_some_and(|it| it == "deb");
        files.map(|file| file.path()).filter(is_archive).collect()
    };
    let is_there = |package: &&str| {
        archives(&folder).iter().any(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.split('_').next() == Some(package)
        })
    };
    let missing: Vec<&str> = PACKAGES
        .split_whitespace()
        .filter(|it| !is_there(it))
        .collect();
    if missing.is_empty() {
        return Ok(archives(&folder));
    }
    let download = || {
        let mut command = Command::new("apt-get");
        command.args([
            "-q",
            "-o",
            "Acquire::http::Timeout=20",
            "-o",
            "Acquire::Retries=1",
        ]);
        run(command.arg("download").args(&missing).current_dir(&folder))
    };
    // A new system has no list of packages yet.
    let or_refresh =
        |_| run(Command::new("apt-get").args(["-q", "update"])).and_then(|()| download());
    download().or_else(or_refresh)?;
    Ok(archives(&folder))
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text
        .lines()
        .rfind(|line| !line.is_empty())
        .unwrap_or_default();
    Err(format!("{name}: {last}"))
}
