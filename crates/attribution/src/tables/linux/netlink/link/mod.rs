//! The bare netlink socket: sends to the kernel and receives from it (netlink(7)).

mod options;

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, Protocol, RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendFlags, SocketFlags,
    SocketType,
};

/// How long the kernel may take for the next part of an answer. It writes each part before the
/// request returns, so a wait is this long only if an answer is lost.
const PATIENCE: Duration = Duration::from_millis(200);

/// A netlink socket, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Link {
    socket: OwnedFd,
    is_strict: bool,
}

/// One received datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    /// The number of bytes sent. It exceeds the buffer if the rest was truncated.
    pub(crate) length: usize,
    /// Whether the kernel sent it, rather than another process.
    pub(crate) is_from_kernel: bool,
    /// Whether it is about another network namespace than that of the socket.
    pub(crate) is_from_elsewhere: bool,
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Link {
    /// Opens a socket to a part of the kernel, which receives notifications of these groups.
    pub(crate) fn open(part: Option<Protocol>, groups: u32) -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            part,
        )?;
        // Without a port id: the kernel gives it one.
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        let is_strict = options::set_strict(&socket).is_ok();
        Ok(Self { socket, is_strict })
    }

    /// Whether the kernel lists no more than a request asks for, since Linux 4.20.
    pub(crate) const fn is_strict(&self) -> bool {
        self.is_strict
    }

    /// Makes the socket receive notifications from other network namespaces, too, where permitted.
    pub(crate) fn listen_to_all(&self) -> io::Result<()> {
        options::listen_to_all(&self.socket)
    }

    /// Has the kernel drop all messages but those with one of these numbers, of four bytes, at that
    /// place.
    pub(crate) fn keep_only(&self, place: usize, numbers: &[u32]) -> io::Result<()> {
        options::keep_only(&self.socket, place, numbers)
    }

    /// Has the kernel keep more messages that nobody has received yet, where that is permitted.
    pub(crate) fn make_room(&self, bytes: usize) {
        use rustix::net::sockopt::{
            set_socket_recv_buffer_size, set_socket_recv_buffer_size_force,
        };
        let made = set_socket_recv_buffer_size_force(&self.socket, bytes)
            .or_else(|_| set_socket_recv_buffer_size(&self.socket, bytes));
        if let Err(error) = made {
            tracing::debug!(%error, "no more room for messages of the kernel");
        }
    }

    /// Another descriptor of the socket, to wait for messages.
    pub(crate) fn try_clone(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
    }

    /// The port id to which the kernel addresses answers.
    pub(crate) fn port(&self) -> io::Result<u32> {
        let name = rustix::net::getsockname(&self.socket)?;
        Ok(SocketAddrNetlink::try_from(name)?.pid())
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.socket, request, SendFlags::empty(), &kernel)?;
        Ok(())
    }

    /// Receives the next datagram. [`io::ErrorKind::WouldBlock`] if there is none and this does not
    /// wait, or has waited for long enough.
    pub(crate) fn receive(&mut self, buffer: &mut [u8], waits: bool) -> io::Result<Received> {
        let mut flags = RecvFlags::TRUNC;
        flags.set(RecvFlags::DONTWAIT, !waits);
        let mut parts = [IoSliceMut::new(buffer)];
        let mut nothing = RecvAncillaryBuffer::default();
        let received = rustix::net::recvmsg(&self.socket, &mut parts, &mut nothing, flags)?;
        let sender = received.address;
        let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
        Ok(Received {
            length: received.bytes,
            is_from_kernel: sender.is_some_and(|sender| sender.pid() == 0),
            // Only then the kernel names the namespace, and there is no room for that
            // (`netlink_cmsg_listen_all_nsid` in `net/netlink/af_netlink.c`).
            is_from_elsewhere: received.flags.contains(ReturnFlags::CTRUNC),
        })
    }
}
