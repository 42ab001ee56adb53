//! Whether a statement about a process is proven, or only claimed.

use std::path::Path;

use flowner_attribution::{Process, User};
use flowner_icons::Entry;

use super::ProcessReader;
use super::arguments::{Named, script};
use super::identity::{Identity, Part};
use crate::model::grouping::Grouping;

/// Whether the arguments of a process count as proven: only the administrator could have written
/// them, and the process has not overwritten them. (A process of another user may run any script
/// with its own modules, and write anything into its arguments.)
pub(super) fn is_proven(process: &Process) -> bool {
    is_of_root(process) && !is_written_over(process)
}

/// Whether a process proves to run this script. For root the rule is as above. For other users, the
/// script must be their own, only they may write to it, it is the file at this path here, and no
/// other user can have put it there since.
pub(super) fn is_proven_script(process: &Process, script: &str, facts: &dyn ProcessReader) -> bool {
    const OTHERS_WRITE: u32 = 0o002;
    if is_written_over(process) || contradicts(process, facts) {
        return false;
    }
    let Some(user) = process.user.as_ref().and_then(User::uid) else {
        return false;
    };
    let file = facts.named_file(process, Path::new(script));
    file.is_some_and(|file| {
        file.is_here
            && file.is_guarded
            && file.mode & OTHERS_WRITE == 0
            && (user == 0 || file.owner == user)
    })
}

/// Whether an entry that was found by arguments is proven for a process. An entry of the same user
/// is.
pub(super) fn is_proven_entry(process: &Process, entry: &Entry, facts: &dyn ProcessReader) -> bool {
    let is_own = entry.user.is_some() && !is_written_over(process);
    is_own
        || match script(process, facts) {
            Some(Named { path, is_known }) => is_known && is_proven_script(process, &path, facts),
            None => is_proven(process),
        }
}

/// Whether a process may belong to the application of its scope: every user can make a scope with
/// any name.
pub(super) fn may_be_in_scope(process: &Process, entry: &Entry, identity: &Identity) -> bool {
    let Some(file) = process.exe_file else {
        // Only the path of the executable is known.
        return true;
    };
    let is_claimed = matches!(identity.grouping, Grouping::Claimed(_));
    let is_interpreter = matches!(identity.part, Some(Part::Interpreter));
    entry.user.is_some() || (file.is_of_system() && !is_claimed && !is_interpreter)
}

/// Whether the name of a process is that of the script in its arguments, as if the kernel had
/// executed the script, while the executed path has another length.
fn contradicts(process: &Process, facts: &dyn ProcessReader) -> bool {
    let arguments = process.arguments.as_deref().unwrap_or_default();
    let is_called = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name.starts_with(&process.name))
    };
    let interpreter = process.path.as_deref();
    let called = arguments.first().map(Path::new);
    if process.name.is_empty() || [interpreter, called].into_iter().flatten().any(is_called) {
        return false;
    }
    let script = arguments.iter().skip(1).find(|it| is_called(Path::new(it)));
    script.is_some_and(|script| {
        let length = facts.executed_length(process);
        length != u64::try_from(script.len()).ok()
    })
}

fn is_of_root(process: &Process) -> bool {
    process.user.as_ref().is_some_and(|user| user.id == 0)
}

/// Whether a process seems to have overwritten its arguments: the unused room for them is empty
/// (`get_mm_cmdline` in `fs/proc/base.c`).
fn is_written_over(process: &Process) -> bool {
    let arguments = process.arguments.as_deref().unwrap_or_default();
    arguments.len() > 1 && arguments.last().is_some_and(|last| last.is_empty())
}
