//! A netlink socket. One request at a time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::retry_on_intr;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

/// The kernel fills at most 32 KiB at a time (`netlink_recvmsg`).
const BUFFER: usize = 32 * 1024;

/// A connection to one part of the kernel, in the network namespace of the thread that
/// opened it.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Netlink {
    /// Opens the socket; messages to these groups come unasked.
    pub(super) fn open(part: Option<Protocol>, groups: u32) -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            part,
        )?;
        if groups != 0 {
            rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups))?;
        }
        Ok(Self {
            socket,
            buffer: vec![0; BUFFER],
            sequence: 0,
        })
    }

    /// A number for the next request.
    pub(super) const fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    pub(super) fn send(&self, request: &[u8]) -> io::Result<()> {
        let kernel = SocketAddrNetlink::new(0, 0);
        retry_on_intr(|| rustix::net::sendto(&self.socket, request, SendFlags::empty(), &kernel))?;
        Ok(())
    }

    /// Waits for messages.
    pub(super) fn receive(&mut self) -> io::Result<&[u8]> {
        let (length, _) = retry_on_intr(|| {
            rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::empty())
        })?;
        Ok(&self.buffer[..length])
    }

    /// Messages that have come; `None` if there are none. `ENOBUFS` if some were lost.
    pub(super) fn receive_now(&mut self) -> io::Result<Option<&[u8]>> {
        let received = retry_on_intr(|| {
            rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::DONTWAIT)
        });
        match received {
            Ok((length, _)) => Ok(Some(&self.buffer[..length])),
            Err(rustix::io::Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Throws away what has come: messages nobody asked for, and the rest of an answer
    /// that was not understood. True if there was any, or some were lost.
    pub(super) fn drain(&mut self) -> bool {
        let mut has_any = false;
        loop {
            match rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                // Lost: there was no room for it.
                Ok(_) | Err(rustix::io::Errno::NOBUFS) => has_any = true,
                Err(_) => return has_any,
            }
        }
    }
}
