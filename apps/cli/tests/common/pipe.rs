//! Output that nobody reads.
#![cfg(target_os = "linux")]

use std::io::{PipeReader, PipeWriter, Write};

/// Whether the first thread of a process waits in a call that writes to a descriptor.
pub(crate) fn is_writing(pid: u32) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{pid}/syscall"));
    let number = std::fs::read_to_string(format!("/proc/{pid}/wchan"));
    let is_write = |call: &str| call.split(' ').nth(1) == Some("0x1");
    call.is_ok_and(|call| is_write(&call)) && number.is_ok_and(|it| it.trim() != "0")
}

/// A pipe that takes nothing more.
pub(crate) fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    // A pipe has 16 pages by default (pipe(7)).
    writer.write_all(&vec![b'\n'; 65_536]).unwrap();
    (reader, writer)
}
