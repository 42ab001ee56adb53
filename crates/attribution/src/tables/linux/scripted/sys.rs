//! Replaces `sys` in tests: a thread with a scripted [`Host`] uses that one, all others use the
//! system.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::net::Protocol;
use rustix::path::Arg;

use super::netlink::link;
use super::netlink::link::Received;
use super::owner;
use super::procfs::namespace_id::NamespaceId;
use super::scripted::kernel::Port;
use super::scripted::world::{Host, PIDS_OF_ALL, USERS_OF_ALL};

thread_local! {
    static SYSTEM: RefCell<System> = RefCell::default();
}

/// The system that a thread uses.
#[derive(Debug, Clone, Default)]
pub(crate) struct System {
    host: Option<Arc<Host>>,
    /// The network namespace of the thread.
    namespace: u64,
}

impl System {
    pub(crate) fn of_this_thread() -> Self {
        SYSTEM.with_borrow(Clone::clone)
    }

    /// Makes this thread use a scripted host, in one of its namespaces.
    pub(crate) const fn scripted(host: Arc<Host>, namespace: u64) -> Self {
        Self {
            host: Some(host),
            namespace,
        }
    }

    pub(crate) fn take_over(self) {
        SYSTEM.set(self);
    }
}

fn host() -> Option<Arc<Host>> {
    SYSTEM.with_borrow(|system| system.host.clone())
}

pub(crate) fn is_scripted() -> bool {
    host().is_some()
}

pub(crate) fn named_namespaces() -> PathBuf {
    host().map_or_else(|| "/run/netns".into(), |host| host.named())
}

/// A scripted host has no such directory: its sockets are those of `sock_diag`.
pub(crate) fn own_directory() -> PathBuf {
    host().map_or_else(|| "/proc/thread-self".into(), |_| "/scripted".into())
}

pub(crate) fn enter_network_namespace(file: &OwnedFd) -> io::Result<()> {
    if let Some(host) = host() {
        host.call()?;
    }
    let inode = NamespaceId::of(file)?.inode;
    SYSTEM.with_borrow_mut(|system| system.namespace = inode);
    Ok(())
}

pub(crate) fn user_of_namespace(file: &OwnedFd) -> io::Result<u32> {
    if let Some(host) = host() {
        host.call()?;
        return Ok(0);
    }
    let users = owner::user_namespace(file)?;
    owner::user(&users)
}

pub(crate) fn openat<P: Arg>(
    directory: impl AsFd,
    path: P,
    flags: OFlags,
    mode: Mode,
) -> rustix::io::Result<OwnedFd> {
    if let Some(host) = host() {
        host.call()?;
    }
    rustix::fs::openat(directory, path, flags, mode)
}

pub(crate) fn statat<P: Arg>(
    directory: impl AsFd,
    path: P,
    flags: AtFlags,
) -> rustix::io::Result<Stat> {
    let Some(host) = host() else {
        return rustix::fs::statat(directory, path, flags);
    };
    host.call()?;
    let path = path.into_c_str()?;
    let mut stat = rustix::fs::statat(directory, &*path, flags)?;
    match path.to_bytes() {
        b"self/ns/pid" => stat.st_ino = PIDS_OF_ALL,
        b"self/ns/user" => stat.st_ino = USERS_OF_ALL,
        _ => {}
    }
    Ok(stat)
}

/// A netlink socket, of the system or of the scripted host.
#[derive(Debug)]
pub(crate) enum Link {
    System(link::Link),
    Scripted(Arc<Host>, Port),
}

impl Link {
    pub(crate) fn open(part: Option<Protocol>, groups: u32) -> io::Result<Self> {
        match System::of_this_thread() {
            System {
                host: Some(host),
                namespace,
            } => {
                host.call()?;
                let number = host.open_port(namespace, groups, part.is_none());
                Ok(Self::Scripted(host, number))
            }
            System { host: None, .. } => Ok(Self::System(link::Link::open(part, groups)?)),
        }
    }

    pub(crate) fn port(&self) -> io::Result<u32> {
        match self {
            Self::System(link) => link.port(),
            Self::Scripted(_, port) => Ok(port.number()),
        }
    }

    pub(crate) const fn is_strict(&self) -> bool {
        match self {
            Self::System(link) => link.is_strict(),
            Self::Scripted(..) => true,
        }
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        match self {
            Self::System(link) => link.send(request),
            Self::Scripted(host, port) => host.send(*port, request),
        }
    }

    pub(crate) fn receive(&mut self, buffer: &mut [u8], waits: bool) -> io::Result<Received> {
        match self {
            Self::System(link) => link.receive(buffer, waits),
            Self::Scripted(host, port) => host.receive(*port, buffer, waits),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Self::Scripted(host, port) = self {
            host.close_port(*port);
        }
    }
}
