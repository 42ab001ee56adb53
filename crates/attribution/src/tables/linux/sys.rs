//! The calls to the system through which everything about sockets and processes is read. In
//! tests another module stands here, in which a script can let them fail.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

pub(crate) use rustix::fs::{openat, statat};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

pub(crate) use super::netlink::link::Link;
use super::owner;

/// The system that a thread asks: of a script in tests.
#[derive(Debug)]
pub(crate) struct System;

impl System {
    pub(crate) const fn of_this_thread() -> Self {
        Self
    }

    /// Has this thread ask the same.
    pub(crate) const fn take_over(self) {
        let Self = self;
    }
}

/// Where `ip netns` keeps namespaces that have a name (ip-netns(8)).
pub(crate) fn named_namespaces() -> &'static Path {
    Path::new("/run/netns")
}

/// The directory of `/proc` of the thread that asks.
pub(crate) fn own_directory() -> &'static Path {
    Path::new("/proc/thread-self")
}

/// The user who made the user namespace that the namespace of a file belongs to (`ioctl_ns(2)`): the
/// one who made it, or root.
pub(crate) fn user_of_namespace(file: &OwnedFd) -> io::Result<u32> {
    let users = owner::user_namespace(file)?;
    owner::user(&users)
}

/// Has this thread enter the network namespace that a file stands for (setns(2)).
pub(crate) fn enter_network_namespace(file: &OwnedFd) -> io::Result<()> {
    let kind = Some(LinkNameSpaceType::Network);
    Ok(move_into_link_name_space(file.as_fd(), kind)?)
}
