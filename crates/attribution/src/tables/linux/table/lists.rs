//! The parts that two threads list, and the buffers that one list leaves for the next.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::answer::Protocol;
use crate::tables::linux::fd_scanner::{Checks, FdScanner};
use crate::tables::linux::netlink::message::{DiagSocket, Which};
use crate::tables::linux::source::Sockets;

/// The buffers that one list leaves for the next.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The connection of the second thread; `None` if it could not be opened yet.
    pub(super) second: Option<Sockets>,
    /// The list of each thread.
    pub(super) lists: [List; 2],
    /// The order of all sockets: this sorts places, because sockets are large.
    pub(super) places: Vec<Place>,
}

/// The parts, in order; the slowest come first.
const PARTS: [(Protocol, Which); 10] = [
    (Protocol::Tcp, Which::Connections),
    (Protocol::Tcp, Which::Bound),
    (Protocol::Tcp, Which::Listeners),
    (Protocol::Udp, Which::All),
    (Protocol::UdpLite, Which::All),
    (Protocol::Sctp, Which::All),
    (Protocol::Dccp, Which::All),
    (Protocol::Icmp, Which::All),
    (Protocol::Raw, Which::All),
    (Protocol::Packet, Which::All),
];

/// Sockets as the kernel lists them.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) sockets: Vec<DiagSocket>,
    /// Where the sockets of each protocol end.
    pub(super) ends: Vec<(Protocol, usize)>,
}

impl List {
    pub(super) fn clear(&mut self) {
        self.sockets.clear();
        self.ends.clear();
    }

    /// Adds the sockets of a part.
    pub(super) fn add(&mut self, part: (Protocol, Which), sockets: &mut Sockets) -> io::Result<()> {
        let (protocol, which) = part;
        let listed = sockets.list(protocol, which, &mut self.sockets);
        if matches!(protocol, Protocol::Tcp | Protocol::Udp) {
            listed?;
        } else if let Err(error) = listed {
            tracing::debug!(%error, %protocol, "not listed by this kernel");
        }
        self.ends.push((protocol, self.sockets.len()));
        Ok(())
    }

    pub(super) fn add_all(&mut self, sockets: &mut Sockets) -> io::Result<()> {
        PARTS.iter().try_for_each(|part| self.add(*part, sockets))
    }

    /// The same without sockets that are only bound: for those of each namespace, the kernel walks
    /// a table of all namespaces.
    pub(super) fn add_all_used(&mut self, sockets: &mut Sockets) -> io::Result<()> {
        let mut parts = PARTS.iter().filter(|(_, which)| *which != Which::Bound);
        parts.try_for_each(|part| self.add(*part, sockets))
    }

    /// Moves the sockets of another list into this one.
    pub(super) fn append(&mut self, other: &mut Self) {
        let start = self.sockets.len();
        self.sockets.append(&mut other.sockets);
        let ends = other.ends.drain(..);
        let ends = ends.map(|(protocol, end)| (protocol, start + end));
        self.ends.extend(ends);
    }

    /// Adds the places of the sockets from `start` on, which are in one namespace.
    pub(super) fn add_places(&self, start: usize, namespace: u16, places: &mut Vec<Place>) {
        let mut index = start;
        for (protocol, end) in self.ends.iter().filter(|(_, end)| *end > start) {
            let sockets = &self.sockets[index..*end];
            places.extend(sockets.iter().zip(index..).map(|(socket, index)| Place {
                protocol: *protocol,
                port: socket.local.port(),
                namespace,
                index,
            }));
            index = *end;
        }
    }
}

/// The position of a socket in a list of all: ordered by the first keys of snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    /// A number for each namespace; 0 for our own.
    pub(super) namespace: u16,
    /// The index among the listed sockets.
    pub(super) index: usize,
}

/// The work of two threads: each part is done by one of them.
pub(super) struct Work<'a> {
    pub(super) scanner: &'a FdScanner,
    /// The thread that begins with processes fills this.
    pub(super) checks: OnceLock<Checks>,
    pub(super) next_part: AtomicUsize,
}

impl Work<'_> {
    /// Lists the parts that no thread has listed yet.
    pub(super) fn list(&self, sockets: &mut Sockets, list: &mut List) -> io::Result<()> {
        loop {
            let next = self.next_part.fetch_add(1, Ordering::Relaxed);
            let Some(part) = PARTS.get(next) else {
                return Ok(());
            };
            list.add(*part, sockets)?;
        }
    }

    pub(super) fn check(&self) {
        if let Some(checks) = self.checks.get() {
            self.scanner.check(checks);
        }
    }
}
