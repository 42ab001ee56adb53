//! Questions to `sock_diag`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use rustix::net::netlink;

use super::message::{self, DiagSocket, Family, Message, Which};
use super::netlink::Netlink;
use crate::Protocol;

/// A connection to `sock_diag` of one network namespace: the one it was opened in.
#[derive(Debug)]
pub(super) struct Diag {
    netlink: Netlink,
}

impl Diag {
    /// Opens the socket, and asks once, to be sure of answers.
    pub(super) fn open() -> io::Result<Self> {
        let netlink = Netlink::open(Some(netlink::SOCK_DIAG), 0)?;
        let mut diag = Self { netlink };
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        diag.exact(0, Protocol::Tcp, nobody, nobody)?;
        Ok(diag)
    }

    /// The socket that a packet between these ends belongs to, or the listener that
    /// would take it; `None` where there is none. The packet is of an interface, by its
    /// number, or 0 for any.
    pub(super) fn exact(
        &mut self,
        interface: u32,
        protocol: Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> io::Result<Option<DiagSocket>> {
        let sequence = self.netlink.next_sequence();
        let request = message::exact(interface, protocol, local, remote, sequence);
        self.netlink.send(&request)?;
        let answer = self.receive()?.next();
        match answer {
            Some(Message::Socket(socket)) => Ok(Some(socket)),
            Some(Message::Error(number)) if is_absent(number) => Ok(None),
            Some(Message::Error(number)) => {
                Err(io::Error::from_raw_os_error(number.wrapping_neg()))
            }
            other => {
                self.netlink.drain();
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
        if protocol == Protocol::Tcp {
            let request = message::dump_tcp(which, self.netlink.next_sequence());
            let dumped = self.dumped(&request, sockets);
            return dumped.inspect_err(|_| _ = self.netlink.drain());
        }
        let mut is_told = false;
        // Of IPv6 alone, there is nothing on a kernel without it.
        for family in [Family::V4, Family::V6] {
            let dumped = self.dump_family(protocol, family, which, sockets);
            is_told |= dumped.inspect_err(|_| _ = self.netlink.drain())?;
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
        let sequence = self.netlink.next_sequence();
        let request = message::dump(protocol, family, which, sequence);
        self.dumped(&request, sockets)
    }

    fn dumped(&mut self, request: &[u8], sockets: &mut Vec<DiagSocket>) -> io::Result<bool> {
        self.netlink.send(request)?;
        loop {
            for message in self.receive()? {
                match message {
                    Message::Socket(socket) => sockets.push(socket),
                    Message::Done => return Ok(true),
                    Message::Error(number) if is_absent(number) => return Ok(false),
                    Message::Error(number) => {
                        return Err(io::Error::from_raw_os_error(number.wrapping_neg()));
                    }
                    Message::Other => {}
                }
            }
        }
    }

    /// What was received at once; malformed answers end it.
    fn receive(&mut self) -> io::Result<impl Iterator<Item = Message>> {
        let messages = message::messages(self.netlink.receive()?);
        Ok(messages.map_while(Result::ok))
    }
}

/// `ENOENT`, negative as the kernel writes it.
fn is_absent(number: i32) -> bool {
    number.wrapping_neg() == rustix::io::Errno::NOENT.raw_os_error()
}

fn unexpected(message: Option<Message>) -> io::Error {
    io::Error::other(format!("sock_diag answered with {message:?}"))
}
