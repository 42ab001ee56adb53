//! Questions to `sock_diag`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use rustix::io::Errno;
use rustix::net::netlink;

use super::exchange::{Answer, Location, Netlink, Part};
use super::frame::Malformed;
use super::message::{DiagSocket, Family, Which};
use super::{message, packet_diag, sctp};
use crate::answer::Protocol;

/// A connection to `sock_diag` of one network namespace: the one it was opened in.
#[derive(Debug)]
pub(crate) struct Diag {
    netlink: Netlink,
}

impl Diag {
    /// Opens the socket, and asks once, to be sure of answers.
    pub(crate) fn open(location: Location) -> io::Result<Self> {
        let netlink = Netlink::open(Some(netlink::SOCK_DIAG), 0, location)?;
        let mut diag = Self { netlink };
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        diag.exact(0, Protocol::Tcp, nobody, nobody)?;
        Ok(diag)
    }

    /// The socket that a packet between these ends belongs to, or the listener that
    /// would take it; `None` where there is none. The packet is of an interface, by its
    /// number, or 0 for any.
    pub(crate) fn exact(
        &mut self,
        interface: u32,
        protocol: Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> io::Result<Option<DiagSocket>> {
        let mut found = None;
        let asked = self.netlink.ask(
            Answer::One,
            |sequence| message::exact(interface, protocol, local, remote, sequence),
            |part| {
                found = match part {
                    Part::Begin => None,
                    // A message that tells no socket is no answer to this.
                    Part::Message(kind, body) => Some(message::of(kind, body)?.ok_or(Malformed)?),
                };
                Ok(())
            },
        );
        match asked {
            Ok(()) => Ok(found),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds the sockets of both families. False if the kernel does not list those of
    /// this protocol.
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
        let mut is_told = false;
        // Of IPv6 alone, there is nothing on a kernel without it.
        for family in [Family::V4, Family::V6] {
            let request = |sequence| message::dump(protocol, family, which, sequence);
            is_told |= if protocol == Protocol::Sctp {
                self.dumped_by(request, association, sockets)?
            } else {
                self.dumped(request, sockets)?
            };
        }
        Ok(is_told)
    }

    /// False where the kernel does not know what is asked for.
    fn dumped<R: AsRef<[u8]>>(
        &mut self,
        request: impl Fn(u32) -> R,
        sockets: &mut Vec<DiagSocket>,
    ) -> io::Result<bool> {
        self.dumped_by(request, message::of, sockets)
    }

    /// The same, with what reads the sockets in a message of a type.
    fn dumped_by<R: AsRef<[u8]>, S: IntoIterator<Item = DiagSocket>>(
        &mut self,
        request: impl Fn(u32) -> R,
        read: fn(u16, &[u8]) -> Result<S, Malformed>,
        sockets: &mut Vec<DiagSocket>,
    ) -> io::Result<bool> {
        let start = sockets.len();
        let asked = self.netlink.ask(Answer::Dump, request, |part| {
            match part {
                Part::Begin => sockets.truncate(start),
                Part::Message(kind, body) => sockets.extend(read(kind, body)?),
            }
            Ok(())
        });
        match asked {
            Ok(()) => Ok(true),
            Err(error) => {
                // What came before the error is not all.
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
