//! The netlink socket on which `sock_diag` answers. One request at a time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::message::{self, DiagSocket, Family, Message};
use crate::Protocol;

/// The kernel fills at most 32 KiB at a time (`netlink_recvmsg`).
const BUFFER: usize = 32 * 1024;

/// A connection to `sock_diag` of one network namespace: the one it was opened in.
#[derive(Debug)]
pub(super) struct Diag {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Diag {
    /// Opens the socket, and asks once, to be sure of answers.
    pub(super) fn open() -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        let mut diag = Self {
            socket,
            buffer: vec![0; BUFFER],
            sequence: 0,
        };
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        diag.exact(Protocol::Tcp, nobody, nobody)?;
        Ok(diag)
    }

    /// The socket that a packet between these ends belongs to, or the listener that
    /// would take it; `None` where there is none.
    pub(super) fn exact(
        &mut self,
        protocol: Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> io::Result<Option<DiagSocket>> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = message::exact(protocol, local, remote, self.sequence);
        self.send(&request)?;
        match self.receive()?.next() {
            Some(Message::Socket(socket)) => Ok(Some(socket)),
            Some(Message::Error(number)) if is_absent(number) => Ok(None),
            Some(Message::Error(number)) => Err(io::Error::from_raw_os_error(-number)),
            other => Err(unexpected(other)),
        }
    }

    /// The listener or unconnected socket at a local end, whatever the remote.
    pub(super) fn unconnected(
        &mut self,
        protocol: Protocol,
        local: SocketAddr,
    ) -> io::Result<Option<DiagSocket>> {
        let nobody: IpAddr = match local {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        self.exact(protocol, local, SocketAddr::new(nobody, 0))
    }

    /// All sockets, of both families.
    pub(super) fn dump(&mut self, protocol: Protocol) -> io::Result<Vec<DiagSocket>> {
        let mut sockets = Vec::new();
        for family in [Family::V4, Family::V6] {
            self.dump_family(protocol, family, &mut sockets)?;
        }
        Ok(sockets)
    }

    fn dump_family(
        &mut self,
        protocol: Protocol,
        family: Family,
        sockets: &mut Vec<DiagSocket>,
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = message::dump(protocol, family, self.sequence);
        self.send(&request)?;
        loop {
            for message in self.receive()? {
                match message {
                    Message::Socket(socket) => sockets.push(socket),
                    Message::Done => return Ok(()),
                    // A kernel without IPv6.
                    Message::Error(number) if is_absent(number) => return Ok(()),
                    Message::Error(number) => {
                        return Err(io::Error::from_raw_os_error(-number));
                    }
                    Message::Other => {}
                }
            }
        }
    }

    fn send(&self, request: &[u8]) -> io::Result<()> {
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.socket, request, SendFlags::empty(), &kernel)?;
        Ok(())
    }

    /// What was received at once; malformed answers end it.
    fn receive(&mut self) -> io::Result<impl Iterator<Item = Message>> {
        let (length, _) =
            rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::empty())?;
        let messages = message::messages(&self.buffer[..length]);
        Ok(messages.map_while(Result::ok))
    }
}

/// `ENOENT`, negative as the kernel writes it.
fn is_absent(number: i32) -> bool {
    -number == rustix::io::Errno::NOENT.raw_os_error()
}

fn unexpected(message: Option<Message>) -> io::Error {
    io::Error::other(format!("sock_diag answered with {message:?}"))
}
