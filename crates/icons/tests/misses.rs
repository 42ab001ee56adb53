//! A program without a desktop entry has no folder read: the kernel is asked which folders
//! were opened.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use std::ffi::OsString;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use common::{PICTURE, Tree};
use flowner_icons::{Finder, IconOptions, IconRequest, Icons, Locale, Places, ProgramQuery};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

const APPLICATIONS: &str = "usr/share/applications";

/// Reports which folders below a root are opened.
struct Watch(OwnedFd);

impl Watch {
    fn of(root: &Path) -> Self {
        let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        let mut waiting = vec![root.to_owned()];
        while let Some(folder) = waiting.pop() {
            let within = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap());
            waiting.extend(
                within
                    .map(|entry| entry.path())
                    .filter(|path| path.is_dir()),
            );
            inotify::add_watch(&watch, &folder, WatchFlags::OPEN | WatchFlags::ONLYDIR).unwrap();
        }
        Self(watch)
    }

    /// How often a folder, or a file in one, was opened since the last time; a folder within
    /// another counts for both.
    fn opened(&self) -> usize {
        let mut buffer = [MaybeUninit::uninit(); 4_096];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        let mut count = 0;
        loop {
            match reader.next() {
                Ok(event) => {
                    assert!(!event.events().contains(ReadFlags::QUEUE_OVERFLOW));
                    count += 1;
                }
                Err(Errno::WOULDBLOCK) => return count,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn tree() -> Tree {
    let tree = Tree::new();
    tree.entry("usr/share", "good", "Exec=good\nIcon=good");
    tree.write("usr/share/pixmaps/good.svg", PICTURE);
    for folder in [
        "usr/bin",
        "usr/local/share/applications",
        "usr/share/icons/hicolor",
    ] {
        fs::create_dir_all(tree.path(folder)).unwrap();
    }
    tree
}

#[test]
fn a_miss_reads_no_folder() {
    let tree = tree();
    let places = Places::in_root(tree.root());
    let mut finder = Finder::new(places, Locale::default());
    let watch = Watch::of(tree.root());
    watch.opened();
    fs::read_dir(tree.path(APPLICATIONS)).unwrap();
    assert!(watch.opened() > 0, "the test notices that a folder is read");
    for number in 0..1_000 {
        let path = format!("/usr/bin/nobody{number}");
        let arguments = [path.as_str(), "/usr/share/nobody/main.py"].map(OsString::from);
        for executable in [path.as_str(), "/usr/bin/python3", "/usr/bin/good"] {
            let subject = ProgramQuery {
                application_id: Some("org.example.Nobody"),
                executable: Some(Path::new(executable)),
                arguments: &arguments,
                name: "nobody",
                ..ProgramQuery::default()
            };
            let found = finder.catalog().find(&subject);
            assert_eq!(found.is_some(), executable == "/usr/bin/good");
            if found.is_none() {
                assert_eq!(finder.icon(&subject, 48, 1), None);
            }
        }
    }
    assert_eq!(watch.opened(), 0);
    // Whether folders changed is found out without reading them, too.
    assert!(!finder.refresh());
    assert_eq!(watch.opened(), 0);
}

#[test]
fn a_miss_is_remembered_by_the_thread() {
    let tree = tree();
    let options = IconOptions {
        places: Places::in_root(tree.root()),
        rasterised: true,
        ..IconOptions::default()
    };
    let icons = Icons::start(options, |_| {}).unwrap();
    let request = |name: &str| IconRequest {
        key: name.to_owned(),
        name: name.to_owned(),
        executable: Some(format!("/usr/bin/{name}").into()),
        ..IconRequest::default()
    };
    // When the picture of the second is there, the first was looked for.
    icons.icon(&request("nobody"));
    icons.icon(&request("good"));
    assert_eq!(icons.wait(0, Duration::from_secs(10)), 1);
    let watch = Watch::of(tree.root());
    watch.opened();
    for _ in 0..1_000 {
        icons.icon(&request("nobody"));
        icons.icon(&request("good"));
    }
    icons.icon(&request("somebody"));
    // The thread is through with all of it when it has ended.
    drop(icons);
    assert_eq!(watch.opened(), 0);
}
