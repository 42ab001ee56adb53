//! Owners that other programs wrote into a capture file: in comments, and in blocks to which
//! packets refer. Pure.
//!
//! These claims name a process of the capturing host, but not the end of the packet that it owns.

pub(super) mod ptcpdump;
pub(super) mod rustnet;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use flowner_attribution::{Process, User, Verdict};
use flowner_capture::pcapng::{PacketProcess, ProcessFacts};

use super::comment::{MAX_CLAIMED, PIDS};

/// A claim that cannot be true, such as one with an impossible pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

/// The owner in the blocks to which a packet refers; `None` if it refers to none.
pub(super) fn of_blocks<'a>(
    processes: impl Iterator<Item = PacketProcess<'a>>,
) -> Result<Option<Verdict>, Refused> {
    let mut all: Vec<Arc<Process>> = Vec::new();
    for it in processes {
        let process = match it.facts {
            Some(facts) => process(facts),
            None => Process::new(it.pid, String::new()),
        };
        if all.len() >= MAX_CLAIMED {
            return Err(Refused);
        }
        if all.iter().all(|other| other.pid != it.pid) {
            all.push(Arc::new(checked(process)?));
        }
    }
    Ok(match <[Arc<Process>; 1]>::try_from(all) {
        Ok([process]) => Some(Verdict::Process(process)),
        Err(all) if all.is_empty() => None,
        Err(all) => Some(Verdict::Shared(all)),
    })
}

/// The facts of a file about a process, as attribution represents them.
fn process(facts: &ProcessFacts) -> Process {
    let name = facts.name.clone().unwrap_or_default();
    let mut process = Process::new(facts.pid, name);
    process.path = facts.path.clone().map(PathBuf::from);
    process.parent = facts.parent;
    let arguments = facts.command_line.as_ref();
    process.arguments = arguments.map(|all| all.iter().map(Into::into).collect());
    process.user = facts.uid.map(|uid| User::new(uid, facts.user.clone()));
    process.started = facts.started.and_then(|it| UNIX_EPOCH.checked_add(it));
    process
}

/// The facts about a process that a recording contains, in Wireshark's form. They leave out the
/// arguments, which may contain secrets, because people pass recordings on.
pub(crate) fn facts(process: &Process) -> ProcessFacts {
    let mut facts = ProcessFacts::new(process.pid);
    facts.name = Some(process.name.clone());
    let path = process.path.as_ref();
    facts.path = path.map(|path| path.to_string_lossy().into_owned());
    facts.parent = process.parent;
    facts.uid = process.user.as_ref().and_then(User::uid);
    facts.user = process.user.as_ref().and_then(|user| user.name.clone());
    let since_epoch = |it: std::time::SystemTime| it.duration_since(UNIX_EPOCH).ok();
    facts.started = process.started.and_then(since_epoch);
    facts
}

/// A valid process with a name: that of its file, or its pid if the file has no name.
fn checked(mut process: Process) -> Result<Process, Refused> {
    if !PIDS.contains(&process.pid) {
        return Err(Refused);
    }
    if process.name.is_empty() {
        let path = process.path.as_deref();
        let file = path.and_then(|path| path.file_name());
        process.name = match file {
            Some(file) => file.to_string_lossy().into_owned(),
            None => format!("pid {}", process.pid),
        };
    }
    Ok(process)
}

#[cfg(test)]
mod tests;
