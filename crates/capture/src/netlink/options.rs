//! Options of netlink sockets (netlink(7)).
#![allow(
    unsafe_code,
    reason = "no crate in use sets this option of netlink sockets"
)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Makes the kernel list only what a request asks for (`NETLINK_GET_STRICT_CHK`).
///
/// # Errors
///
/// On kernels before Linux 4.20.
pub(super) fn set_strict(socket: &OwnedFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let value = std::ptr::from_ref(&on).cast();
    #[expect(clippy::cast_possible_truncation, reason = "it is 4")]
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    let (level, option) = (libc::SOL_NETLINK, libc::NETLINK_GET_STRICT_CHK);
    // SAFETY: `value` has that many bytes, and its content lives as long as the call, during which
    // alone the kernel reads it.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
