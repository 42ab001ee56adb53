//! The netlink side of a scripted host: requests in, datagrams out, with faults.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};

use rustix::io::Errno;

use super::faults::Astray;
use super::world::{ModelSocket, State};
use crate::answer::Protocol;

/// A netlink socket of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Port(pub(super) u32);

impl Port {
    pub(crate) const fn number(self) -> u32 {
        self.0
    }
}

/// The datagrams that wait at a netlink socket.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) namespace: u64,
    pub(super) groups: u32,
    /// Whether it receives addresses and devices.
    pub(super) is_route: bool,
    pub(super) waiting: VecDeque<Waiting>,
    /// Late answers, which arrive before the next one.
    pub(super) late: Vec<Waiting>,
}

#[derive(Debug, Clone)]
pub(super) enum Waiting {
    Datagram {
        bytes: Vec<u8>,
        /// The length that was sent.
        length: usize,
        is_from_kernel: bool,
    },
    Error(Errno),
}

impl Waiting {
    fn whole(bytes: Vec<u8>) -> Self {
        Self::Datagram {
            length: bytes.len(),
            bytes,
            is_from_kernel: true,
        }
    }
}

const ERROR: u16 = 2;
const DONE: u16 = 3;
const MULTI: u16 = 2;
const DISTURBED: u16 = 0x10;
const NEW_ADDRESS: u16 = 20;
const REMOVED_ADDRESS: u16 = 21;

/// A message with its header.
fn message(kind: u16, flags: u16, (sequence, port): (u32, u32), body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(port.to_ne_bytes());
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn error(number: Errno, to: (u32, u32)) -> Vec<u8> {
    message(
        ERROR,
        0,
        to,
        &number.raw_os_error().wrapping_neg().to_ne_bytes(),
    )
}

/// The notification of a change.
pub(super) fn address_news(address: Ipv4Addr, is_new: bool) -> Waiting {
    let kind = if is_new { NEW_ADDRESS } else { REMOVED_ADDRESS };
    // The change came from another process's request.
    Waiting::whole(message(kind, 0, (1, 4_711), &address_body(address)))
}

fn address_body(address: Ipv4Addr) -> Vec<u8> {
    let mut body = vec![2, 24, 0, 0];
    body.extend(1_u32.to_ne_bytes());
    // `IFA_LOCAL`.
    body.extend(8_u16.to_ne_bytes());
    body.extend(2_u16.to_ne_bytes());
    body.extend(address.octets());
    body
}

/// A device without a kind.
fn link_body() -> Vec<u8> {
    let mut body = vec![0; 16];
    body[4..8].copy_from_slice(&1_u32.to_ne_bytes());
    body
}

/// `struct inet_diag_msg`.
fn socket_body(socket: &ModelSocket) -> Vec<u8> {
    let unconnected = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
    let remote = socket.remote.unwrap_or(unconnected);
    let address = |ip: &Ipv4Addr| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&ip.octets());
        bytes
    };
    let mut body = vec![2, socket.state, 0, 0];
    body.extend(socket.local.port().to_be_bytes());
    body.extend(remote.port().to_be_bytes());
    body.extend(address(socket.local.ip()));
    body.extend(address(remote.ip()));
    body.extend(0_u32.to_ne_bytes());
    body.extend(u32::try_from(socket.cookie).unwrap().to_ne_bytes());
    body.extend([0; 4 + 12]);
    body.extend(socket.uid.to_ne_bytes());
    body.extend(socket.inode.to_ne_bytes());
    body
}

/// A parsed request to `sock_diag`.
struct DiagRequest {
    protocol: u8,
    is_v4: bool,
    states: u32,
    source: SocketAddrV4,
    destination: SocketAddrV4,
}

fn word<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().unwrap()
}

impl DiagRequest {
    fn new(kind: u16, body: &[u8]) -> Self {
        let is_old = kind == 18;
        let id = if is_old { &body[4..] } else { &body[8..] };
        let states = if is_old { 52 } else { 4 };
        let end = |port, ip| {
            let ip = Ipv4Addr::from(word::<4>(id, ip));
            SocketAddrV4::new(ip, u16::from_be_bytes(word(id, port)))
        };
        Self {
            protocol: if is_old { 6 } else { body[1] },
            is_v4: body[0] == 2,
            states: u32::from_ne_bytes(word(body, states)),
            source: end(0, 4),
            destination: end(2, 20),
        }
    }

    fn is_of(&self, socket: &ModelSocket) -> bool {
        let number = match socket.protocol {
            Protocol::Tcp => 6,
            _ => 17,
        };
        self.is_v4 && number == self.protocol
    }

    /// As `inet_diag_dump_icsk` and `udp_dump` list them.
    fn lists(&self, socket: &ModelSocket) -> bool {
        self.is_of(socket)
            && self.states & 1 << socket.state != 0
            && (self.source.port() == 0 || self.source.port() == socket.local.port())
    }

    /// As `inet_diag_find_one_icsk` and `udp_dump_one` find it: a connected one, then one bound to
    /// the address, then one bound to any.
    fn find<'a>(&self, sockets: impl Iterator<Item = &'a ModelSocket>) -> Option<&'a ModelSocket> {
        let (local, remote) = match self.protocol {
            6 => (self.source, self.destination),
            _ => (self.destination, self.source),
        };
        let ours = sockets.filter(|socket| self.is_of(socket));
        let scored = ours.filter_map(|socket| Some((socket.score(local, Some(remote))?, socket)));
        scored
            .max_by_key(|(score, _)| *score)
            .map(|(_, socket)| socket)
    }
}

/// The datagrams of an answer.
fn parts(found: &[(u16, Vec<u8>)], is_dump: bool, to: (u32, u32)) -> Vec<Vec<u8>> {
    /// The number of messages in one part of a list.
    const AT_ONCE: usize = 3;
    if !is_dump {
        return vec![match found.first() {
            Some((kind, body)) => message(*kind, 0, to, body),
            None => error(Errno::NOENT, to),
        }];
    }
    let part = |some: &[(u16, Vec<u8>)]| {
        let messages = some
            .iter()
            .map(|(kind, body)| message(*kind, MULTI, to, body));
        messages.collect::<Vec<_>>().concat()
    };
    let mut parts: Vec<_> = found.chunks(AT_ONCE).map(part).collect();
    parts.push(message(DONE, MULTI, to, &0_i32.to_ne_bytes()));
    parts
}

impl State {
    /// Answers a request from a port.
    pub(super) fn answer(&mut self, port: Port, request: &[u8]) {
        let kind = u16::from_ne_bytes(word(request, 4));
        let is_dump = u16::from_ne_bytes(word(request, 6)) & 0x300 == 0x300;
        let to = (u32::from_ne_bytes(word(request, 8)), port.0);
        let body = &request[16..];
        let queue = self.queue(port);
        // The same type numbers have another meaning there.
        let is_route = queue.is_route;
        let namespace = queue.namespace;
        let found: Vec<(u16, Vec<u8>)> = match kind {
            // The host has no packet sockets.
            20 if body[0] == 17 => Vec::new(),
            18 | 20 if !is_route => {
                let wanted = DiagRequest::new(kind, body);
                let sockets = self.sockets.values();
                let here = sockets.filter(|socket| socket.namespace == namespace);
                let tell = |socket| (kind, socket_body(socket));
                if is_dump {
                    here.filter(|socket| wanted.lists(socket))
                        .map(tell)
                        .collect()
                } else {
                    wanted.find(here).map(tell).into_iter().collect()
                }
            }
            22 => {
                let addresses = self.addresses.get(&namespace).into_iter().flatten();
                let tell = |address| (NEW_ADDRESS, address_body(address));
                addresses.copied().map(tell).collect()
            }
            // The host has only the addresses of its devices.
            26 => Vec::new(),
            _ => vec![(16, link_body())],
        };
        let parts = parts(&found, is_dump, to);
        let queue = self.queue(port);
        let late = std::mem::take(&mut queue.late);
        queue.waiting.extend(late);
        match self.astray.take() {
            None => self
                .queue(port)
                .waiting
                .extend(parts.into_iter().map(Waiting::whole)),
            Some(astray) => self.lead_astray(astray, port, parts, to),
        }
    }

    fn lead_astray(
        &mut self,
        astray: Astray,
        port: Port,
        mut parts: Vec<Vec<u8>>,
        to @ (sequence, number): (u32, u32),
    ) {
        // A socket that does not exist, which no lookup may take for an answer.
        let forged = |to| message(20, 0, to, &socket_body(&ModelSocket::forged()));
        let mut waiting: Vec<Waiting> = Vec::new();
        match astray {
            Astray::Refused(number) => parts = vec![error(number, to)],
            Astray::Overrun => {
                parts.pop();
                parts.pop();
                waiting.push(Waiting::Error(Errno::NOBUFS));
            }
            Astray::OverrunMessage => {
                let lost = parts.len() / 2;
                parts[lost] = message(4, 0, to, &[]);
            }
            Astray::Late => {
                let late = parts.drain(..).map(Waiting::whole);
                self.queue(port).late.extend(late);
            }
            Astray::Twice => parts = parts.into_iter().flat_map(|p| [p.clone(), p]).collect(),
            Astray::Reordered => {
                let last = parts.len() - 1;
                parts[..last].reverse();
            }
            Astray::CutOff => {
                let cut = parts.remove(0);
                waiting.push(Waiting::Datagram {
                    length: cut.len() + 100_000,
                    bytes: cut,
                    is_from_kernel: true,
                });
            }
            Astray::Malformed => {
                let first = &mut parts[0];
                // Never between two messages: then nothing would show the loss.
                first.truncate(first.len() / 2 - 2);
            }
            Astray::Endless => drop(parts.pop()),
            Astray::AtOnce => parts = vec![parts.concat()],
            Astray::Disturbed => {
                let last = parts.len() - 1;
                let flags = MULTI | DISTURBED;
                parts[last][6..8].copy_from_slice(&flags.to_ne_bytes());
            }
            Astray::Forged => {
                let bytes = forged(to);
                waiting.push(Waiting::Datagram {
                    length: bytes.len(),
                    bytes,
                    is_from_kernel: false,
                });
            }
            Astray::WrongNumber => waiting.push(Waiting::whole(forged((sequence + 7, number)))),
            Astray::WrongPort => waiting.push(Waiting::whole(forged((sequence, number + 7)))),
            Astray::Empty => waiting.push(Waiting::whole(message(1, 0, to, &[]))),
        }
        waiting.extend(parts.into_iter().map(Waiting::whole));
        self.queue(port).waiting.extend(waiting);
    }
}
