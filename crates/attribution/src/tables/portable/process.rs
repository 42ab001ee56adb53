//! A process, from what the `listeners` crate gives.

use std::path::Path;

use crate::answer::Process;

/// Length at which Linux cuts the name of a process: `TASK_COMM_LEN` less the
/// terminating zero.
const CUT_NAME_LENGTH: usize = 15;

pub(super) fn to_process(theirs: &listeners::Process) -> Process {
    let (path, path_deleted) = split_deleted(&theirs.path);
    let path = (!path.as_os_str().is_empty()).then(|| path.to_owned());
    let file_name = path
        .as_deref()
        .and_then(|path| path.file_name()?.to_str())
        .unwrap_or_default();
    let was_cut = theirs.name.len() == CUT_NAME_LENGTH && file_name.starts_with(&theirs.name);
    let name = if was_cut { file_name } else { &theirs.name };
    let known = Process::new(theirs.pid, name);
    Process {
        path,
        path_deleted,
        ..known
    }
}

/// Splits the marker that Linux appends to the target of `/proc/PID/exe` when the
/// file was unlinked (proc(5)) from the path.
fn split_deleted(path: &str) -> (&Path, bool) {
    match path.strip_suffix(" (deleted)") {
        Some(rest) => (Path::new(rest), true),
        None => (Path::new(path), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deleted_marker_is_split_off() {
        assert_eq!(split_deleted("/bin/a"), (Path::new("/bin/a"), false));
        assert_eq!(
            split_deleted("/bin/a (deleted)"),
            (Path::new("/bin/a"), true)
        );
        assert_eq!(split_deleted(""), (Path::new(""), false));
    }
}
