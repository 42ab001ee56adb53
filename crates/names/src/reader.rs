//! The packets of flows → evidence of names.

mod starttls;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::SocketAddr;

use crate::Source;
use crate::wire::{ServerName, dns};

/// Ports of DNS, and of its relatives on the local network.
const DNS: u16 = 53;
const MDNS: u16 = 5_353;
const LLMNR: u16 = 5_355;

/// How the payload of a packet is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carried {
    /// By TCP.
    Tcp {
        /// The sequence number of the packet.
        sequence: u32,
        /// Whether the packet begins the connection.
        is_syn: bool,
    },
    /// By UDP.
    Udp,
}

/// The payload of one packet.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    /// The sender.
    pub source: SocketAddr,
    /// The receiver.
    pub destination: SocketAddr,
    /// The protocol that carries it.
    pub carried: Carried,
    /// The captured bytes.
    pub bytes: &'a [u8],
    /// Whether the capture cut it.
    pub is_cut: bool,
}

impl Payload<'_> {
    fn has_port(&self, port: u16) -> bool {
        self.source.port() == port || self.destination.port() == port
    }
}

/// Evidence of a name in packets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameEvidence {
    /// A client named the server of this connection.
    #[non_exhaustive]
    Server {
        /// How.
        name: ServerName,
        /// [`Source::Tls`], [`Source::Quic`], [`Source::Http`] or [`Source::Proxy`].
        source: Source,
        /// The named end: the one that the client sent this to.
        server: SocketAddr,
        /// Whether the connection began before the first packet that was read. Then it is known to be
        /// the first thing that the client said only if the client had sent no more than
        /// `bytes_before`: what a client uploads may look like a request, too.
        is_late: bool,
        /// Bytes of the client in earlier packets that were read for this.
        bytes_before: usize,
    },
    /// A message of DNS, multicast DNS or LLMNR.
    #[non_exhaustive]
    Message {
        /// What it says.
        message: dns::Message,
        /// [`Source::Dns`], [`Source::Mdns`] or [`Source::Llmnr`].
        source: Source,
        /// The sender.
        from: SocketAddr,
        /// The receiver.
        to: SocketAddr,
    },
}

/// Reads the first packets of flows, of many at once, and DNS wherever it is. `K` is whatever the
/// caller calls its flows, and `S` makes the hashes of that.
///
/// A flow takes at most 32 KiB, and only while what it begins with may still become a name. The
/// number of such flows is bounded; the one that began first makes room, and is counted.
#[derive(Debug)]
pub struct NameReader<K, S = RandomState> {
    flows: HashMap<K, FlowReader, S>,
    /// In the order in which they began; those that are over too.
    order: VecDeque<K>,
    limit: usize,
    dropped: u64,
}

/// Flows that are read at once, unless the caller says otherwise.
pub const FLOWS: usize = 4_096;

impl<K: Copy + Eq + Hash, S: BuildHasher + Default> Default for NameReader<K, S> {
    fn default() -> Self {
        Self::with_hasher(FLOWS, S::default())
    }
}

impl<K: Copy + Eq + Hash> NameReader<K> {
    /// For at most so many flows that may still have something to say.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self::with_hasher(limit, RandomState::new())
    }
}

impl<K: Copy + Eq + Hash, S: BuildHasher> NameReader<K, S> {
    /// The same with hashes of the caller's. Who sends packets chooses what is hashed, so these need a
    /// secret.
    #[must_use]
    pub fn with_hasher(limit: usize, hasher: S) -> Self {
        Self {
            flows: HashMap::with_hasher(hasher),
            order: VecDeque::new(),
            limit: limit.max(1),
            dropped: 0,
        }
    }

    /// Takes the next packet of a flow, and says whether the flow may have more to say. If not, its
    /// packets are not to be given any more: they would be taken for the beginning of another flow.
    ///
    /// Packets of TCP without payload matter if they begin the connection.
    pub fn read(
        &mut self,
        flow: K,
        payload: &Payload<'_>,
        evidence: &mut Vec<NameEvidence>,
    ) -> bool {
        // What the ports of a datagram say needs no memory.
        if payload.carried == Carried::Udp && udp::read_by_ports(payload, evidence) {
            return true;
        }
        match self.flows.entry(flow) {
            Entry::Occupied(mut entry) => {
                if entry.get_mut().read(payload, evidence) {
                    return true;
                }
                entry.remove();
                self.tidy();
                false
            }
            Entry::Vacant(entry) => {
                let mut reader = FlowReader::new(payload);
                // One packet may say everything.
                if !reader.read(payload, evidence) {
                    return false;
                }
                entry.insert(reader);
                self.order.push_back(flow);
                self.make_room();
                true
            }
        }
    }

    /// Whether a flow is there that may have more to say.
    #[must_use]
    pub fn has(&self, flow: K) -> bool {
        self.flows.contains_key(&flow)
    }

    /// The flows that may have more to say, but for DNS by its port, which is read whenever it comes.
    pub fn flows(&self) -> impl Iterator<Item = K> {
        self.flows.keys().copied()
    }

    /// Lets go of a flow that is over.
    pub fn forget(&mut self, flow: K) {
        if self.flows.remove(&flow).is_some() {
            self.tidy();
        }
    }

    /// Most flows are over soon: what is left of them must not pile up.
    fn tidy(&mut self) {
        if self.order.len() > 2 * self.limit {
            self.order.retain(|flow| self.flows.contains_key(flow));
        }
    }

    fn make_room(&mut self) {
        while self.flows.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.dropped += u64::from(self.flows.remove(&oldest).is_some());
        }
    }

    /// Flows that made room for others before they had said everything.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Flows that may have something to say.
    #[must_use]
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }
}

/// One flow.
#[derive(Debug)]
enum FlowReader {
    Tcp(tcp::Connection),
    Udp(udp::Datagrams),
}

impl FlowReader {
    fn new(payload: &Payload<'_>) -> Self {
        match payload.carried {
            Carried::Tcp { .. } => Self::Tcp(tcp::Connection::new(payload.source)),
            Carried::Udp => Self::Udp(udp::Datagrams::default()),
        }
    }

    fn read(&mut self, payload: &Payload<'_>, evidence: &mut Vec<NameEvidence>) -> bool {
        match self {
            Self::Tcp(connection) => connection.read(payload, evidence),
            Self::Udp(datagrams) => datagrams.read(payload, evidence),
        }
    }
}
