// Paths are those of the specifications.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

fn write(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A program `x` with an entry and an icon.
fn install(root: &Path) {
    write(
        root.join("applications/x.desktop"),
        "[Desktop Entry]\nType=Application\nName=X\nExec=x\nIcon=x\n",
    );
    write(
        root.join("pixmaps/x.svg"),
        "<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'><path d=''/></svg>",
    );
}

fn options(root: &Path) -> IconOptions {
    IconOptions {
        places: Places::new([root.to_owned()]),
        locale: Locale::default(),
        size: 48,
        scale: 1,
        rasterised: false,
    }
}

fn request(name: &str) -> IconRequest {
    IconRequest {
        key: format!("exe:/usr/bin/{name}"),
        name: name.to_owned(),
        executable: Some(format!("/usr/bin/{name}").into()),
        ..IconRequest::default()
    }
}

#[test]
fn the_letter_comes_at_once_and_the_picture_later() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path());
    let (sender, changes) = channel();
    let icons = Icons::start(options(folder.path()), move |generation| {
        sender.send(generation).unwrap();
    })
    .unwrap();
    assert_eq!(icons.icon(&request("x")), request("x").tile());
    assert_eq!(icons.wait(0, DEADLINE), 1);
    assert_eq!(changes.recv_timeout(DEADLINE), Ok(1));
    let icon = icons.icon(&request("x"));
    assert_eq!(icon.path, Some(folder.path().join("pixmaps/x.svg")));
    // One that has none: no notice comes, and it stays the letter.
    assert_eq!(icons.icon(&request("y")), request("y").tile());
    assert_eq!(icons.icon(&request("x2")), request("x2").tile());
    drop(icons);
    assert!(changes.recv_timeout(DEADLINE).is_err());
}

#[test]
fn what_is_installed_later_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let icons = Icons::start(options(folder.path()), |_| {}).unwrap();
    icons.icon(&request("x"));
    // Until the thread has looked.
    let is_settled = || icons.shared.state().cache.is_settled("exe:/usr/bin/x");
    let started = Instant::now();
    while !is_settled() {
        assert!(started.elapsed() < DEADLINE);
        std::thread::yield_now();
    }
    install(folder.path());
    icons.shared.state().refreshed -= REFRESH;
    icons.icon(&request("x"));
    let mut generation = 0;
    while icons.icon(&request("x")).path.is_none() {
        assert!(started.elapsed() < DEADLINE);
        generation = icons.wait(generation, DEADLINE);
    }
}

#[test]
fn more_than_can_wait_are_found_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path());
    let icons = Icons::start(options(folder.path()), |_| {}).unwrap();
    let requests: Vec<_> = (0..3 * MAX_WAITING)
        .map(|number| IconRequest {
            key: number.to_string(),
            ..request("x")
        })
        .collect();
    let started = Instant::now();
    let is_found = |request: &IconRequest| icons.icon(request).path.is_some();
    while requests.iter().filter(|request| !is_found(request)).count() > 0 {
        assert!(started.elapsed() < DEADLINE);
        std::thread::yield_now();
    }
    assert_eq!(icons.generation(), requests.len() as u64);
}
