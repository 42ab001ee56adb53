//! The identity of a namespace.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::Stat;

/// A namespace, identified by its file (namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NamespaceId {
    device: u64,
    pub(crate) inode: u64,
}

impl NamespaceId {
    pub(crate) fn of(file: impl AsFd) -> io::Result<Self> {
        Ok(Self::from_stat(&rustix::fs::fstat(file)?))
    }

    pub(crate) const fn from_stat(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }
}
