//! The command of a process, and the script that it names. Pure.

use std::path::{Component, Path, PathBuf};

use flowner_attribution::Process;
use flowner_icons::{Started, started};

use super::Facts;
use super::versions::file_name;

/// Arguments that are looked at.
pub(super) const MAX_ARGUMENTS: usize = 64;

/// The command of an interpreter, under its own name: what it was called may be anything.
pub(super) fn words(process: &Process, path: &str) -> Vec<String> {
    let arguments = process.arguments.as_deref().unwrap_or_default();
    let arguments = arguments.iter().skip(1).take(MAX_ARGUMENTS);
    let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    [file_name(path).to_owned()]
        .into_iter()
        .chain(arguments)
        .collect()
}

/// The script that a process runs, by its arguments.
pub(super) fn script(process: &Process, facts: &dyn Facts) -> Option<String> {
    let path = process.path.as_deref()?.to_string_lossy();
    let words = words(process, &path);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match started(&words)? {
        Started::Script(script) if is_kept(script) => {
            Some(absolute(script, &mut || facts.working_directory(process)))
        }
        _ => None,
    }
}

/// Whether a script is a file, not what is written into a pipe.
pub(super) fn is_kept(script: &str) -> bool {
    !script.starts_with("/dev/") && !script.starts_with("/proc/")
}

/// A path from the root, where the folder is known; `.` and `..` taken as written.
pub(super) fn absolute(
    path: &str,
    working_directory: &mut dyn FnMut() -> Option<PathBuf>,
) -> String {
    if Path::new(path).is_absolute() {
        return path.to_owned();
    }
    let Some(mut whole) = working_directory() else {
        return path.to_owned();
    };
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                whole.pop();
            }
            other => whole.push(other),
        }
    }
    whole.to_string_lossy().into_owned()
}
