//! The command of a process, and the script in it. Pure.

use std::path::{Component, Path, PathBuf};

use flowner_attribution::Process;
use flowner_icons::{Started, started};

use super::ProcessReader;
use super::versions::file_name;

/// The number of arguments that are read.
pub(super) const MAX_ARGUMENTS: usize = 64;

/// The command of an interpreter, under its own name: its first argument may be anything.
pub(super) fn words(process: &Process, path: &str) -> Vec<String> {
    let arguments = process.arguments.as_deref().unwrap_or_default();
    let arguments = arguments.iter().skip(1).take(MAX_ARGUMENTS);
    let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    [file_name(path).to_owned()]
        .into_iter()
        .chain(arguments)
        .collect()
}

/// The script that a process runs, according to its arguments.
pub(super) fn script(process: &Process, facts: &dyn ProcessReader) -> Option<Named> {
    let path = process.path.as_deref()?.to_string_lossy();
    let words = words(process, &path);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match started(&words)? {
        Started::Script(script) if is_kept(script) => Some(Named::of(script, process, facts)),
        _ => None,
    }
}

/// A file that the arguments of a process name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The path from the root, if the directory is known.
    pub(super) path: String,
    /// Whether the process started there. If not, the path is relative to its current working
    /// directory, which may differ from the one where it started.
    pub(super) is_known: bool,
}

impl Named {
    pub(super) fn of(path: &str, process: &Process, facts: &dyn ProcessReader) -> Self {
        if Path::new(path).is_absolute() {
            return Self {
                path: path.to_owned(),
                is_known: true,
            };
        }
        let start = facts.starting_directory(process);
        let is_known = start.is_some();
        let folder = start.or_else(|| facts.working_directory(process));
        Self {
            path: folder.map_or_else(|| path.to_owned(), |folder| within(folder, path)),
            is_known,
        }
    }
}

/// Whether a script is a file rather than text from a pipe.
pub(super) fn is_kept(script: &str) -> bool {
    !script.starts_with("/dev/") && !script.starts_with("/proc/")
}

/// A relative path in a directory. Resolves `..` only at its beginning; after a name it stays,
/// because the name may be that of a link.
fn within(mut folder: PathBuf, path: &str) -> String {
    let mut has_name = false;
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if !has_name => {
                folder.pop();
            }
            other => {
                has_name = true;
                folder.push(other);
            }
        }
    }
    folder.to_string_lossy().into_owned()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::super::facts::FakeProcesses;
    use super::*;

    #[test]
    fn a_relative_path_begins_where_the_process_started() {
        let named = |path: &str, facts: &dyn ProcessReader| {
            let named = Named::of(path, &Process::new(7, "p"), facts);
            (named.path, named.is_known)
        };
        let stays = FakeProcesses::working_in("/srv/shop");
        let moved = FakeProcesses::moved_to("/srv/shop");
        let known = |path: &str| (path.to_owned(), true);
        let unknown = |path: &str| (path.to_owned(), false);
        assert_eq!(named("x.py", &stays), known("/srv/shop/x.py"));
        assert_eq!(named("./x.py", &stays), known("/srv/shop/x.py"));
        assert_eq!(named("../../x.py", &stays), known("/x.py"));
        assert_eq!(named("a/../x.py", &stays), known("/srv/shop/a/../x.py"));
        assert_eq!(named("/x.py", &moved), known("/x.py"));
        assert_eq!(named("x.py", &moved), unknown("/srv/shop/x.py"));
        assert_eq!(named("x.py", &()), unknown("x.py"));
    }
}
