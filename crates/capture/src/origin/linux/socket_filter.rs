//! A filter that the kernel runs, and libpcap knows nothing of.
//!
//! libpcap runs its own filter on what was captured before the kernel had it, the first packet
//! at least. There it cannot tell the direction of a packet, and would throw it away.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use pcap::{Active, BpfInstruction, Capture};

/// Compiles an expression and has the kernel run it on what the socket of a capture receives, in
/// place of the filter that it ran before.
pub(super) fn attach(capture: &Capture<Active>, expression: &str) -> io::Result<()> {
    let optimize = true;
    let program = capture.compile(expression, optimize);
    let program = program.map_err(io::Error::other)?;
    let instructions: &[BpfInstruction] = program.get_instructions();
    let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let program = libc::sock_fprog {
        len: u16::try_from(instructions.len()).map_err(too_long)?,
        filter: instructions.as_ptr().cast_mut().cast(),
    };
    #[expect(clippy::cast_possible_truncation, reason = "it has 16 bytes")]
    let length = size_of_val(&program) as libc::socklen_t;
    // SAFETY: `BpfInstruction` is a transparent `bpf_insn`, which is laid out as `sock_filter`
    // (linux/filter.h). The kernel reads `length` bytes of `program` and as many instructions
    // as it says, copies and checks them, and writes nothing.
    let result = unsafe {
        libc::setsockopt(
            capture.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
