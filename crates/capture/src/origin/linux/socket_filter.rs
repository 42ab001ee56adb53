//! A filter that the kernel runs without libpcap's knowledge.
//!
//! libpcap also runs its own filter on packets that arrived before the kernel had it, at least on
//! the first one. There it does not know the direction of a packet, and would drop it.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use pcap::{Active, BpfInstruction, Capture};

/// Compiles an expression and makes the kernel run it on the packets of a capture's socket, in
/// place of the earlier filter.
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
    // SAFETY: `BpfInstruction` is a transparent `bpf_insn`, which has the layout of `sock_filter`
    // (linux/filter.h). The kernel reads `length` bytes of `program` and the given number of
    // instructions, copies and checks them, and writes nothing.
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
