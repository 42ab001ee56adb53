//! The netlink socket on which `sock_diag` answers. One request at a time.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::retry_on_intr;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::message::{self, DiagSocket, Family, Message, Which};
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
        let answer = self.receive()?.next();
        match answer {
            Some(Message::Socket(socket)) => Ok(Some(socket)),
            Some(Message::Error(number)) if is_absent(number) => Ok(None),
            Some(Message::Error(number)) => Err(io::Error::from_raw_os_error(-number)),
            other => {
                self.drain();
                Err(unexpected(other))
            }
        }
    }

    /// Adds the sockets of both families. False where the kernel does not tell those of
    /// this protocol.
    pub(super) fn dump(
        &mut self,
        protocol: Protocol,
        which: Which,
        sockets: &mut Vec<DiagSocket>,
    ) -> io::Result<bool> {
        let mut is_told = false;
        // Of IPv6 alone, there is nothing on a kernel without it.
        for family in [Family::V4, Family::V6] {
            let dumped = self.dump_family(protocol, family, which, sockets);
            is_told |= dumped.inspect_err(|_| self.drain())?;
        }
        Ok(is_told)
    }

    fn dump_family(
        &mut self,
        protocol: Protocol,
        family: Family,
        which: Which,
        sockets: &mut Vec<DiagSocket>,
    ) -> io::Result<bool> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = message::dump(protocol, family, which, self.sequence);
        self.send(&request)?;
        loop {
            for message in self.receive()? {
                match message {
                    Message::Socket(socket) => sockets.push(socket),
                    Message::Done => return Ok(true),
                    Message::Error(number) if is_absent(number) => return Ok(false),
                    Message::Error(number) => {
                        return Err(io::Error::from_raw_os_error(-number));
                    }
                    Message::Other => {}
                }
            }
        }
    }

    /// Throws away what is left of an answer that was not understood.
    fn drain(&mut self) {
        while rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::DONTWAIT).is_ok() {}
    }

    fn send(&self, request: &[u8]) -> io::Result<()> {
        let kernel = SocketAddrNetlink::new(0, 0);
        retry_on_intr(|| rustix::net::sendto(&self.socket, request, SendFlags::empty(), &kernel))?;
        Ok(())
    }

    /// What was received at once; malformed answers end it.
    fn receive(&mut self) -> io::Result<impl Iterator<Item = Message>> {
        let (length, _) = retry_on_intr(|| {
            rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::empty())
        })?;
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
