//! Output without a reader.
#![cfg(target_os = "linux")]

use std::io::{PipeReader, PipeWriter, Write};

/// Whether a thread of a process waits in a call that writes to standard output.
pub(crate) fn is_writing(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    let mut threads = threads.into_iter().flatten().flatten();
    threads.any(|thread| {
        let call = std::fs::read_to_string(thread.path().join("syscall"));
        let waits_in = std::fs::read_to_string(thread.path().join("wchan"));
        let is_write = |call: &str| call.split(' ').nth(1) == Some("0x1");
        call.is_ok_and(|call| is_write(&call)) && waits_in.is_ok_and(|it| it.trim() != "0")
    })
}

/// A pipe that takes nothing more.
pub(crate) fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    // A pipe has 16 pages by default (pipe(7)).
    writer.write_all(&vec![b'\n'; 65_536]).unwrap();
    (reader, writer)
}
