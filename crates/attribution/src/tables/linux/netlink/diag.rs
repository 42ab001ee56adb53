//! Requests to `sock_diag`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use rustix::io::Errno;
use rustix::net::netlink;

use super::exchange::{Answer, Location, Netlink, Part};
use super::frame::Malformed;
use super::message::{DiagSocket, Family, Which};
use super::{message, packet_diag, sctp, tcp_info};
use crate::answer::{Protocol, TcpInfo};

/// A connection to `sock_diag` of one network namespace: the one it was opened in.
#[derive(Debug)]
pub(crate) struct Diag {
    netlink: Netlink,
}

impl Diag {
    /// Opens the socket, and makes one request to be sure of answers.
    pub(crate) fn open(location: Location) -> io::Result<Self> {
        let netlink = Netlink::open(Some(netlink::SOCK_DIAG), 0, location)?;
        let mut diag = Self { netlink };
        let end = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        diag.exact(0, Protocol::Tcp, end, end)?;
        Ok(diag)
    }

    /// The socket that exchanges packets between these ends, or the listener that would accept
    /// them; `None` if there is none. The packets are of the interface with this index, or 0 for
    /// any.
    pub(crate) fn exact(
        &mut self,
        interface: u32,
        protocol: Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> io::Result<Option<DiagSocket>> {
        let mut found = None;
        let result = self.netlink.ask(
            Answer::One,
            |sequence| message::exact(interface, protocol, local, remote, sequence),
            |part| {
                found = match part {
                    Part::Begin => None,
                    // A message without a socket is no answer to this request.
                    Part::Message(kind, body) => Some(message::of(kind, body)?.ok_or(Malformed)?),
                };
                Ok(())
            },
        );
        match result {
            Ok(()) => Ok(found),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds the sockets of both families. False if the kernel does not list those of this protocol.
    pub(crate) fn dump(
        &mut self,
        protocol: Protocol,
        which: Which,
        sockets: &mut Vec<DiagSocket>,
    ) -> io::Result<bool> {
        match protocol {
            Protocol::Tcp => {
                return self.dumped(|sequence| message::dump_tcp(which, sequence), sockets);
            }
            Protocol::Packet => return self.dumped_by(packet_diag::dump, packet_diag::of, sockets),
            // Only files list them.
            Protocol::Icmp => return Ok(false),
            _ => {}
        }
        let mut is_known = false;
        // A kernel without IPv6 lists none of its sockets.
        for family in [Family::V4, Family::V6] {
            let request = |sequence| message::dump(protocol, family, which, sequence);
            is_known |= if protocol == Protocol::Sctp {
                self.dumped_by(request, association, sockets)?
            } else {
                self.dumped(request, sockets)?
            };
        }
        Ok(is_known)
    }

    /// What the kernel says of TCP connections besides their ends, by cookie.
    pub(crate) fn tcp_info(&mut self) -> io::Result<Vec<(u64, TcpInfo)>> {
        let mut found = Vec::new();
        let request =
            |sequence| message::dump_tcp_with(tcp_info::EXTENSION, Which::Connections, sequence);
        self.netlink.ask(Answer::Dump, request, |part| {
            match part {
                Part::Begin => found.clear(),
                Part::Message(kind, body) => found.extend(tcp_info::of(kind, body)?),
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// False if the kernel does not know the request.
    fn dumped<R: AsRef<[u8]>>(
        &mut self,
        request: impl Fn(u32) -> R,
        sockets: &mut Vec<DiagSocket>,
    ) -> io::Result<bool> {
        self.dumped_by(request, message::of, sockets)
    }

    /// The same, with a function that parses the sockets in a message.
    fn dumped_by<R: AsRef<[u8]>, S: IntoIterator<Item = DiagSocket>>(
        &mut self,
        request: impl Fn(u32) -> R,
        read: fn(u16, &[u8]) -> Result<S, Malformed>,
        sockets: &mut Vec<DiagSocket>,
    ) -> io::Result<bool> {
        let start = sockets.len();
        let found = self.netlink.ask(Answer::Dump, request, |part| {
            match part {
                Part::Begin => sockets.truncate(start),
                Part::Message(kind, body) => sockets.extend(read(kind, body)?),
            }
            Ok(())
        });
        match found {
            Ok(()) => Ok(true),
            Err(error) => {
                // The sockets before the error are incomplete.
                sockets.truncate(start);
                if is_absent(&error) {
                    Ok(false)
                } else {
                    Err(error)
                }
            }
        }
    }
}

/// The sockets in a message of SCTP: one for each pair of addresses.
fn association(kind: u16, body: &[u8]) -> Result<Vec<DiagSocket>, Malformed> {
    match message::of(kind, body)? {
        Some(first) => sctp::each(first, body),
        None => Ok(Vec::new()),
    }
}

/// `ENOENT`.
fn is_absent(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::NOENT)
}
