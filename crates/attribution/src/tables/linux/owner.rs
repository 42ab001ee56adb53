//! The owner of a namespace (`ioctl_ns(2)`).
#![allow(
    unsafe_code,
    reason = "what namespaces tell has no safe interface in the library"
)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `NS_GET_USERNS` and `NS_GET_OWNER_UID` (`include/uapi/linux/nsfs.h`), since Linux 4.9 and 4.11:
/// `_IO(0xb7, 0x1)` and `_IO(0xb7, 0x4)`.
const USERS: libc::Ioctl = 0xb701;
const USER: libc::Ioctl = 0xb704;

/// The user namespace that a namespace belongs to.
pub(crate) fn user_namespace(file: &OwnedFd) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is open; this request takes no argument.
    let users = unsafe { libc::ioctl(file.as_raw_fd(), USERS) };
    if users < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened it for this process, and nothing else uses it.
    Ok(unsafe { OwnedFd::from_raw_fd(users) })
}

/// The user who made a user namespace.
pub(crate) fn user(users: &OwnedFd) -> io::Result<u32> {
    let mut user: libc::uid_t = 0;
    // SAFETY: the descriptor is open; this request writes a user id to where its argument points.
    let result = unsafe { libc::ioctl(users.as_raw_fd(), USER, &raw mut user) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(user)
}
