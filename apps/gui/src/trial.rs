//! A theme is on trial until it was drawn once: a theme that ends the app does so at one
//! start, not at every start.
//!
//! Before the app draws a theme for the first time, it writes the name of the theme into a file,
//! and holds that file locked. The file goes when the theme was drawn, or when the app ends in
//! order. Whatever else ends the app (a panic, a signal that nothing can catch), the system
//! releases the lock: an unlocked file shows the next start which theme was not drawn. Two apps
//! that start at the same time hold a file each.

mod lock;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use crate::theme::Scheme;

/// What the names of the files begin with.
const PREFIX: &str = "gui-starting-";
/// What the names of files begin with that are not locked yet.
const UNLOCKED: &str = "gui-new-";
/// More than such a file has, in bytes.
const LONGEST: u64 = 256;

/// What is in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    theme: Scheme,
}

/// The folder in which the files are.
#[derive(Debug, Clone)]
pub struct Trials {
    folder: Option<PathBuf>,
}

/// A theme that an earlier app did not live to draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub scheme: Scheme,
    path: PathBuf,
}

impl Failed {
    /// Forgets it.
    pub fn forget(&self) {
        remove(&self.path);
    }
}

/// A theme on trial. Dropped when it was drawn, or when the app ends in order.
#[derive(Debug)]
pub struct Trial {
    path: PathBuf,
    /// Locked for as long as it is open.
    _file: File,
}

impl Trials {
    /// Kept in this folder, which need not exist; nowhere without one.
    pub const fn within(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// Begins to draw a theme. Where nothing can be written, nothing is kept: the app starts
    /// all the same.
    pub fn begin(&self, scheme: Scheme) -> Option<Trial> {
        let folder = self.folder.as_deref()?;
        let begun = begin(folder, scheme);
        begun
            .inspect_err(|error| tracing::debug!(%error, ?folder, "no theme is on trial"))
            .ok()
    }

    /// The themes that were begun and not drawn, by apps that are gone.
    pub fn failed(&self) -> Vec<Failed> {
        let entries = self.folder.as_deref().and_then(|it| fs::read_dir(it).ok());
        let entries = entries.into_iter().flatten().flatten();
        let marks = entries.filter(|entry| {
            let name = entry.file_name();
            name.to_str().is_some_and(|name| name.starts_with(PREFIX))
        });
        marks.filter_map(|entry| failed(entry.path())).collect()
    }
}

fn begin(folder: &Path, scheme: Scheme) -> io::Result<Trial> {
    /// Several in one process have different names.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    fs::create_dir_all(folder)?;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}-{number}", std::process::id());
    let new = folder.join(format!("{UNLOCKED}{name}"));
    // A process that is gone may have had the same number.
    remove(&new);
    let mut file = lock::create(&new)?;
    let text = toml::to_string(&Written { theme: scheme }).map_err(io::Error::other)?;
    let path = folder.join(format!("{PREFIX}{name}"));
    // Other apps find the file by this name, so it is locked before.
    let kept = file
        .write_all(text.as_bytes())
        .and_then(|()| fs::rename(&new, &path));
    if let Err(error) = kept {
        remove(&new);
        return Err(error);
    }
    Ok(Trial { path, _file: file })
}

/// The failed theme in a file, if no process holds the file.
fn failed(path: PathBuf) -> Option<Failed> {
    // Locked until it was read.
    let file = lock::open_if_free(&path)?;
    let mut text = String::new();
    let read = (&file).take(LONGEST).read_to_string(&mut text);
    let written = read.ok().and_then(|_| toml::from_str(&text).ok());
    let Some(Written { theme: scheme }) = written else {
        remove(&path);
        return None;
    };
    Some(Failed { scheme, path })
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::debug!(%error, ?path, "a mark cannot be removed");
        }
        Ok(()) | Err(_) => {}
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn schemes(trials: &Trials) -> Vec<Scheme> {
        trials.failed().iter().map(|failed| failed.scheme).collect()
    }

    fn within(folder: &Path) -> Trials {
        Trials::within(Some(folder.to_owned()))
    }

    #[test]
    fn what_was_drawn_and_what_still_lives_did_not_fail() {
        let folder = tempfile::tempdir().unwrap();
        let trials = within(&folder.path().join("new"));
        let first = trials.begin(Scheme::Contrast).unwrap();
        let second = trials.begin(Scheme::Ember).unwrap();
        assert_eq!(schemes(&trials), []);
        drop(first);
        drop(second);
        assert_eq!(schemes(&trials), []);
        let left = fs::read_dir(folder.path().join("new")).unwrap().count();
        assert_eq!(left, 0);
    }

    #[test]
    fn a_panic_leaves_its_theme() {
        let folder = tempfile::tempdir().unwrap();
        let trials = within(folder.path());
        let ended = std::thread::spawn({
            let trials = trials.clone();
            move || {
                let _trial = trials.begin(Scheme::Contrast);
                panic!("on purpose");
            }
        });
        assert!(ended.join().is_err());
        assert_eq!(schemes(&trials), [Scheme::Contrast]);
        for failed in trials.failed() {
            failed.forget();
        }
        assert_eq!(schemes(&trials), []);
    }

    /// What the child of the next test does.
    #[test]
    #[ignore = "a role: another test runs it, in a process of its own"]
    fn begin_and_wait() {
        let folder = std::env::var_os("TRIALS_IN").expect("only another test runs this");
        let _trial = within(Path::new(&folder)).begin(Scheme::Forest).unwrap();
        println!("begun");
        // Until the test releases or kills it.
        let mut rest = String::new();
        std::io::stdin().read_line(&mut rest).unwrap();
    }

    #[test]
    fn a_process_that_is_killed_leaves_its_theme_and_others_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let trials = within(folder.path());
        let begin = || {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "trial::tests::begin_and_wait"])
                .args(["--ignored", "--nocapture"])
                .env("TRIALS_IN", folder.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
            let mut line = String::new();
            while !line.contains("begun") {
                line.clear();
                let read = std::io::BufRead::read_line(&mut lines, &mut line).unwrap();
                assert!(read > 0, "it never began");
            }
            (child, lines)
        };
        let (mut killed, _lines) = begin();
        let (mut alive, _lines) = begin();
        assert_eq!(schemes(&trials), []);
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert_eq!(schemes(&trials), [Scheme::Forest]);
        drop(alive.stdin.take());
        assert!(alive.wait().unwrap().success());
        // The one that ended in order left nothing.
        assert_eq!(schemes(&trials), [Scheme::Forest]);
    }

    #[test]
    fn where_nothing_can_be_written_nothing_fails() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for trials in [within(&file.join("folder")), Trials::within(None)] {
            assert!(trials.begin(Scheme::Contrast).is_none());
            assert_eq!(schemes(&trials), []);
        }
    }

    #[test]
    fn what_cannot_be_understood_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("{PREFIX}7"));
        fs::write(&path, "theme = \"purple\"").unwrap();
        assert_eq!(schemes(&within(folder.path())), []);
        assert!(!path.exists());
    }
}
