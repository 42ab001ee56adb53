//! Finds network namespaces by processes and by names.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;

use super::{Found, Namespaces, Trouble, Way};
use crate::answer::NetworkNamespace;
use crate::tables::linux::procfs::namespace_id::NamespaceId;
use crate::tables::linux::procfs::proc::{Proc, ReadBuffers};
use crate::tables::linux::sys;

impl Namespaces {
    /// Our device whose network contains an address: the smallest such network decides.
    pub(crate) fn device_towards(&self, ip: IpAddr) -> Option<u32> {
        self.own_addresses.as_ref()?.known().device_towards(ip)
    }

    pub(super) fn of_processes(
        &mut self,
        proc: &Proc,
        buffers: &mut ReadBuffers,
    ) -> HashMap<NamespaceId, Found> {
        let pids = proc.pids(buffers).unwrap_or_else(|error| {
            self.trouble = Some(Trouble::new("the list of processes", &error));
            Vec::new()
        });
        let mut found = HashMap::new();
        for pid in pids {
            match proc.network_namespace(pid) {
                Ok(id) if id == self.own || found.contains_key(&id) => {}
                Ok(id) => {
                    let (way, name) = (Way::Process(pid), None);
                    found.insert(id, Found { way, name });
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    self.hides_some = true;
                }
                Err(error) if is_gone(&error) => {}
                Err(error) => self.trouble = Some(Trouble::new("a process's namespace", &error)),
            }
        }
        found
    }

    /// Adds namespaces that have a name, even if no process is in them.
    pub(super) fn add_named(&mut self, found: &mut HashMap<NamespaceId, Found>) {
        let entries = match fs::read_dir(sys::named_namespaces()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.hides_some = true;
                return;
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    self.trouble = Some(Trouble::new("the named network namespaces", &error));
                }
                return;
            }
        };
        for entry in entries.flatten() {
            let file = match fs::File::open(entry.path()) {
                Ok(file) => OwnedFd::from(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    self.hides_some = true;
                    if error.kind() != io::ErrorKind::PermissionDenied {
                        let what = "a named network namespace was not opened";
                        self.trouble = Some(Trouble::new(what, &error));
                    }
                    continue;
                }
            };
            let name = entry.file_name().into_string().ok();
            match NamespaceId::of(&file) {
                Ok(id) if id != self.own => {
                    let known = found.entry(id).or_insert_with(|| Found {
                        way: Way::Named(entry.path()),
                        name: None,
                    });
                    known.name = name;
                }
                _ => {}
            }
        }
    }
}

/// Whether a file refers to a namespace (`NSFS_MAGIC` in `include/uapi/linux/magic.h`).
pub(super) fn is_namespace(file: &OwnedFd) -> bool {
    const MAGIC: u32 = 0x6e73_6673;
    rustix::fs::fstatfs(file).is_ok_and(|of| u32::try_from(of.f_type) == Ok(MAGIC))
}

/// Whether a process had exited, or its file did not exist.
pub(super) fn is_gone(error: &io::Error) -> bool {
    let error = Errno::from_io_error(error);
    matches!(error, Some(Errno::NOENT | Errno::SRCH))
}

pub(super) fn public(id: NamespaceId, name: Option<String>) -> Arc<NetworkNamespace> {
    let id = id.inode;
    Arc::new(NetworkNamespace { id, name })
}
