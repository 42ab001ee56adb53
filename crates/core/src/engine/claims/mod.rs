//! Owners that other programs wrote into a capture file: in comments, and in blocks that packets
//! point to. Pure.
//!
//! These name a process of the capturing host, and do not say which end of the packet it has.

pub(super) mod ptcpdump;
pub(super) mod rustnet;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use flowner_attribution::{Process, User, Verdict};
use flowner_capture::pcapng::{PacketProcess, ProcessFacts};

use super::comment::{MAX_CLAIMED, PIDS};

/// A claim that cannot be true, such as of a pid that no process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

/// The owner that the blocks tell which a packet points to; `None` where it points to nobody.
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

/// What a file tells of a process, as attribution puts it.
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

/// What a recording tells of a process in the way of Wireshark. It leaves the arguments out, which
/// may hold secrets: recordings get passed on.
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

/// A process that can be, with a name: that of its file, or its pid, if the file tells none.
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
