//! Promiscuous mode for single devices of a capture of all: libpcap cannot switch it on for the
//! device that stands for all (packet(7), `PACKET_MR_PROMISC`).
#![allow(
    unsafe_code,
    reason = "no crate in use sets this option of packet sockets"
)]

use std::io;
use std::os::fd::AsRawFd;

/// Makes a device accept all frames for as long as this packet socket is open.
pub(super) fn switch_on(socket: &impl AsRawFd, index: u32) -> io::Result<()> {
    let request = libc::packet_mreq {
        mr_ifindex: index.cast_signed(),
        #[expect(clippy::cast_possible_truncation, reason = "it is 1")]
        mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    #[expect(clippy::cast_possible_truncation, reason = "it has 16 bytes")]
    let length = size_of_val(&request) as libc::socklen_t;
    let value = std::ptr::from_ref(&request).cast();
    let (level, option) = (libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP);
    // SAFETY: `value` has that many bytes, and its content lives as long as the call, during which
    // alone the kernel reads it.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
