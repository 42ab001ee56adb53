//! Options of netlink sockets (netlink(7)).
#![allow(unsafe_code, reason = "no crate in use sets these options")]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Makes the kernel heed the filters of requests for lists (`NETLINK_GET_STRICT_CHK`).
///
/// # Errors
///
/// If the kernel is older than Linux 4.20.
pub(super) fn set_strict(socket: &OwnedFd) -> io::Result<()> {
    set(socket, libc::NETLINK_GET_STRICT_CHK)
}

/// Makes the socket receive notifications from other network namespaces, too, if they have an id in
/// its own one (`NETLINK_LISTEN_ALL_NSID`). The kernel gives an id to each namespace at the other
/// end of a device. It sends none from namespaces in whose user namespace the process that opened
/// the socket did not have `CAP_NET_BROADCAST`.
///
/// # Errors
///
/// If the kernel is older than Linux 4.2.
pub(super) fn listen_to_all(socket: &OwnedFd) -> io::Result<()> {
    set(socket, libc::NETLINK_LISTEN_ALL_NSID)
}

fn set(socket: &OwnedFd, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    let value = std::ptr::from_ref(&on).cast();
    #[expect(clippy::cast_possible_truncation, reason = "it is 4")]
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `value` has that many bytes, and its content lives as long as the call, during which
    // alone the kernel reads it.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_NETLINK, option, value, length) }
    {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
