//! The path to the file of a network namespace.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use crate::tables::linux::procfs::namespace_id::NamespaceId;
use crate::tables::linux::procfs::proc::Proc;

/// Where the file is.
#[derive(Debug)]
pub(super) enum Way {
    Process(u32),
    /// The file of a process or thread, by the ids of both.
    Thread(u32, u32),
    Named(PathBuf),
}

impl Way {
    /// The file, if it still stands for that namespace.
    pub(super) fn open(&self, id: NamespaceId, proc: &Proc) -> io::Result<Option<OwnedFd>> {
        let file = match self {
            Self::Process(pid) => proc.open_network_namespace(*pid)?,
            Self::Thread(pid, thread) => proc.open_namespace_of_thread(*pid, *thread)?,
            Self::Named(path) => OwnedFd::from(fs::File::open(path)?),
        };
        let is_same = NamespaceId::of(&file).is_ok_and(|found| found == id);
        Ok(is_same.then_some(file))
    }

    pub(super) const fn thread(&self) -> Option<(u32, u32)> {
        match self {
            Self::Thread(pid, thread) => Some((*pid, *thread)),
            Self::Process(_) | Self::Named(_) => None,
        }
    }
}
