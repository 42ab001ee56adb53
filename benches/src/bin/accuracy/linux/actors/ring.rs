//! Processes that send through `io_uring`.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use io_uring::{IoUring, opcode, squeue, types};

use super::stream::{self, Options};
use super::tell;
use crate::platform::Result;
use crate::platform::bytes::MESSAGE;

/// Entries of a ring.
const ENTRIES: u32 = 8;
/// Sends messages with a socket that is registered with a ring, after it closes the descriptor.
/// With `made=ring`, the ring makes the socket, too.
pub(super) fn run(options: &Options<'_>) -> Result<()> {
    let mut ring = IoUring::new(ENTRIES)?;
    let socket = match options.text("made") {
        Some("ring") => made_by(&mut ring)?,
        _ => OwnedFd::from(UdpSocket::bind(options.wanted("from")?)?),
    };
    let socket = UdpSocket::from(socket);
    let to: SocketAddr = options.wanted("to")?.parse()?;
    socket.connect(to)?;
    let local = socket.local_addr()?;
    ring.submitter().register_files(&[socket.as_raw_fd()])?;
    // The ring has it alone from now on.
    drop(socket);
    let count = options.number("count", 1)?;
    let gap = Duration::from_millis(options.number("gap", 20)?);
    for _ in 0..count {
        send(&mut ring)?;
        std::thread::sleep(gap);
    }
    tell(&stream::sent("udp", local, to, count)?)
}

/// A socket that the ring makes.
fn made_by(ring: &mut IoUring) -> Result<OwnedFd> {
    let domain = i32::from(rustix::net::AddressFamily::INET.as_raw());
    let kind = i32::try_from(rustix::net::SocketType::DGRAM.as_raw())?;
    let made = complete(ring, &opcode::Socket::new(domain, kind, 0).build())?;
    #[expect(unsafe_code, reason = "a ring gives descriptors as numbers")]
    // SAFETY: the kernel has opened it for this process just now, and no other code knows it.
    let socket = unsafe { OwnedFd::from_raw_fd(made) };
    Ok(socket)
}

/// Sends one message with the first socket that is registered.
fn send(ring: &mut IoUring) -> Result<()> {
    let message = [b'r'; MESSAGE];
    let length = u32::try_from(MESSAGE)?;
    let entry = opcode::Send::new(types::Fixed(0), message.as_ptr(), length).build();
    complete(ring, &entry)?;
    Ok(())
}

/// Has the kernel do one thing, and waits until it is done.
fn complete(ring: &mut IoUring, entry: &squeue::Entry) -> Result<i32> {
    #[expect(unsafe_code, reason = "the kernel reads what an entry points to")]
    // SAFETY: what it points to lives in the caller until this returns, when it is done.
    unsafe {
        ring.submission().push(entry)?;
    }
    ring.submit_and_wait(1)?;
    let done = ring.completion().next().ok_or("nothing was done")?;
    if done.result() < 0 {
        return Err(std::io::Error::from_raw_os_error(-done.result()).into());
    }
    Ok(done.result())
}
