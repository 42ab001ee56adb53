//! A connection whose bytes go through `io_uring`.

use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;

use io_uring::{IoUring, opcode, squeue, types};

use super::{Count, Task};
use crate::platform::Result;

const ENTRIES: u32 = 8;
/// Bytes of one entry.
const BLOCK: usize = 64 << 10;

pub(super) fn run(task: &Task) -> Result<Count> {
    let mut ring = IoUring::new(ENTRIES)?;
    let stream = TcpStream::connect(task.to)?;
    if task.is_upload {
        send(&mut ring, &stream, b"up\n")?;
        let block = vec![b'u'; BLOCK];
        let mut pace = task.pace();
        while let Some(length) = pace.next(BLOCK) {
            send(&mut ring, &stream, &block[..length])?;
        }
        stream.shutdown(Shutdown::Write)?;
        // The other end closes when it has everything.
        while receive(&mut ring, &stream, &mut [0; 16])? > 0 {}
        return Ok(Count {
            sent: task.bytes,
            received: 0,
        });
    }
    send(&mut ring, &stream, task.download().request().as_bytes())?;
    let mut block = vec![0; BLOCK];
    let mut received = 0;
    loop {
        match receive(&mut ring, &stream, &mut block)? {
            0 => return Ok(Count { sent: 0, received }),
            length => received += length as u64,
        }
    }
}

fn send(ring: &mut IoUring, stream: &TcpStream, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let fd = types::Fd(stream.as_raw_fd());
        let length = u32::try_from(bytes.len())?;
        let entry = opcode::Send::new(fd, bytes.as_ptr(), length).build();
        let sent = complete(ring, &entry)?;
        bytes = &bytes[sent..];
    }
    Ok(())
}

fn receive(ring: &mut IoUring, stream: &TcpStream, buffer: &mut [u8]) -> Result<usize> {
    let fd = types::Fd(stream.as_raw_fd());
    let length = u32::try_from(buffer.len())?;
    let entry = opcode::Recv::new(fd, buffer.as_mut_ptr(), length).build();
    complete(ring, &entry)
}

/// Has the kernel do one thing, and waits until it is done.
fn complete(ring: &mut IoUring, entry: &squeue::Entry) -> Result<usize> {
    #[expect(
        unsafe_code,
        reason = "the kernel uses the memory that an entry points to"
    )]
    // SAFETY: the memory belongs to the caller's caller until this returns, when all is done.
    unsafe {
        ring.submission().push(entry)?;
    }
    ring.submit_and_wait(1)?;
    let done = ring.completion().next().ok_or("nothing was done")?;
    usize::try_from(done.result())
        .map_err(|_| std::io::Error::from_raw_os_error(-done.result()).into())
}
