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

/// Has the kernel drop all messages but those with one of these numbers, of four bytes, at that place
/// (`SO_ATTACH_FILTER` in socket(7)).
///
/// # Errors
/// Where there is no memory, or more of it than such filters may take.
pub(super) fn keep_only(socket: &OwnedFd, place: usize, numbers: &[u32]) -> io::Result<()> {
    /// `BPF_LD | BPF_W | BPF_ABS`, `BPF_JMP | BPF_JEQ | BPF_K` and `BPF_RET | BPF_K`
    /// (`linux/filter.h`).
    const LOAD: u16 = 0x20;
    const IS: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let step = |code, jt, k| libc::sock_filter { code, jt, jf: 0, k };
    let place = u32::try_from(place).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut steps = vec![step(LOAD, 0, place)];
    for (at, number) in numbers.iter().enumerate() {
        // Over the comparisons that follow, and over the return that drops.
        let jump = u8::try_from(numbers.len() - at).map_err(|_| io::ErrorKind::InvalidInput)?;
        // It loads numbers as the network writes them.
        steps.push(step(IS, jump, number.to_be()));
    }
    steps.push(step(RETURN, 0, 0));
    steps.push(step(RETURN, 0, u32::MAX));
    let program = libc::sock_fprog {
        len: u16::try_from(steps.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: steps.as_mut_ptr(),
    };
    #[expect(clippy::cast_possible_truncation, reason = "it is 16")]
    let length = size_of_val(&program) as libc::socklen_t;
    let value = std::ptr::from_ref(&program).cast();
    let (descriptor, option) = (socket.as_raw_fd(), libc::SO_ATTACH_FILTER);
    // SAFETY: `value` is of that many bytes; it and the steps that it points to live as long as the
    // call, during which alone the kernel reads them.
    match unsafe { libc::setsockopt(descriptor, libc::SOL_SOCKET, option, value, length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
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
