//! The system calls that read sockets and processes. In tests another module replaces this one, and
//! a script makes its calls fail.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

pub(crate) use rustix::fs::{openat, statat};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

pub(crate) use super::netlink::link::Link;
use super::owner;

/// The system that a thread uses: a scripted one in tests.
#[derive(Debug)]
pub(crate) struct System;

impl System {
    pub(crate) const fn of_this_thread() -> Self {
        Self
    }

    /// Makes this thread use the same system.
    pub(crate) const fn take_over(self) {
        let Self = self;
    }
}

/// Whether a test plays the system.
pub(crate) const fn is_scripted() -> bool {
    false
}

/// Where `ip netns` keeps named namespaces (ip-netns(8)).
pub(crate) fn named_namespaces() -> &'static Path {
    Path::new("/run/netns")
}

/// The directory of `/proc` of the calling thread.
pub(crate) fn own_directory() -> &'static Path {
    Path::new("/proc/thread-self")
}

/// The user who made the user namespace that owns the namespace of a file (`ioctl_ns(2)`): the user
/// who made the namespace, or root.
pub(crate) fn user_of_namespace(file: &OwnedFd) -> io::Result<u32> {
    let users = owner::user_namespace(file)?;
    owner::user(&users)
}

/// Makes this thread enter the network namespace of a file (setns(2)).
pub(crate) fn enter_network_namespace(file: &OwnedFd) -> io::Result<()> {
    let kind = Some(LinkNameSpaceType::Network);
    Ok(move_into_link_name_space(file.as_fd(), kind)?)
}
